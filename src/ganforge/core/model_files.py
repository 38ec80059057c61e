"""Model folders: writing one, and reading one that may come from anybody.

Nothing that is read is executed, and nothing is allocated or built before it is known to fit. safetensors' own reader
checks the header of a file: its length, its JSON, and that the tensors fill the rest of the file without gaps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ganforge.core.device import memory_bytes
from ganforge.core.files import check_folder, read_json_file
from ganforge.errors import RunError, refused
from ganforge.recipe import FORMER_KINDS, Recipe

TYPES = {  # of the format -> its name in torch; no others are read
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Declared:
    """A file's declaration of one tensor."""

    dtype: str  # as torch names it: "float32"
    shape: tuple[int, ...]

    @classmethod
    def of(cls, tensor: Tensor) -> Declared:
        """Return the declaration of a tensor, on whatever device."""
        return cls(str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))


def read_declared(path: Path) -> dict[str, Declared]:
    """Read the header of a file alone.

    Raises: RunError unless it is one that safetensors writes and the tensors fill the rest of the file.
    """
    try:
        with safe_open(path, "numpy") as file:
            parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - it is not a dictionary
            return {name: Declared(TYPES[part.get_dtype()], tuple(part.get_shape())) for name, part in parts.items()}
    except KeyError as error:
        raise _damaged(path, f"a tensor is of the type {str(error)[:40]}") from error
    except (OSError, SafetensorError) as error:
        raise _damaged(path, str(error)) from error


def read_tensors(path: Path, expected: Mapping[str, Declared] | None = None) -> dict[str, Tensor]:
    """Read the tensors of a file on the CPU, which take as much memory as the file is long.

    Args: expected exactly what the file must declare; None accepts anything.
    Raises: RunError if it is damaged or not as expected.
    """
    declared = read_declared(path)
    if expected is not None:
        refuse_others(path, declared, expected)
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    return tensors


def refuse_others(path: Path, declared: Mapping[str, Declared], expected: Mapping[str, Declared]) -> None:
    """Check declarations. Raises: RunError for the first tensor that is missing, extra, or of another shape or type."""
    for name in sorted({*declared, *expected}):
        here, wanted = declared.get(name), expected.get(name)
        if here == wanted:
            continue
        found = "is not there" if here is None else f"is {here.dtype} {here.shape}"
        right = "none is expected" if wanted is None else f"expected is {wanted.dtype} {wanted.shape}"
        raise RunError(
            f"The tensor {name[:80]!r} of {path} {found}, and {right}.",
            "It does not fit the network that is described beside it.",
            "Train again, or use the version of ganforge that wrote it.",
        )


def _damaged(path: Path, why: str) -> RunError:
    why = (why.splitlines() or ["it is empty"])[0][:200]
    return RunError(f"{path} cannot be read: {why.removesuffix('.')}.", "It is damaged.", "Restore it or train again.")


# ---- model folders ---------------------------------------------------------------------------------------------------


WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"
Built = TypeVar("Built", bound=nn.Module)
Part = TypeVar("Part", Tensor, Declared)


def write_model_files(folder: Path, network: nn.Module, content: Mapping[str, Any]) -> None:
    """Write a network's weights and its description into an empty folder."""
    weights = {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}
    (folder / WEIGHTS).write_bytes(save(weights))
    (folder / DESCRIPTION).write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def description_of(recipe: Recipe, next_steps: Mapping[str, str], **own: Any) -> dict[str, Any]:
    """Return the description of a recipe's model. Args: next_steps of contracts.Model; own what its task adds."""
    about = {"ganforge": recipe.ganforge, "kind": recipe.data.kind, "task": recipe.task, "next_steps": next_steps}
    return {**about, "network": recipe.network.content(), **own}


def read_description_of(folder: Path, task: str, what: str) -> dict[str, Any]:
    """Read the model.json of a task. Args: what it is, "a vocoder". Raises: RunError, also if it is of another task."""
    content = read_description(folder)
    if content.get("task") != task:
        raise RunError(f"{folder} is not {what}.", f"Its task is {content.get('task')}.", "See its report.html.")
    return content


def read_description(folder: Path) -> dict[str, Any]:
    """Read model.json, after every file of the folder is checked against its sha256.

    Raises: RunError if there is no model, or it is damaged.
    """
    if not folder.is_dir():
        raise RunError(
            f"There is no model at {str(folder)!r}.",
            "The run has not been trained to its end.",
            "Go on with `ganforge resume RUN`.",
        )
    check_folder(folder)
    with refused(f"The model at {str(folder)!r}"):
        content = read_json_file(folder / DESCRIPTION)
        if not isinstance(content, dict):
            raise ValueError(f"{DESCRIPTION} holds no object")
        if (kind := str(content.get("kind"))) in FORMER_KINDS:
            content["kind"] = FORMER_KINDS[kind]
        return content


def built(folder: Path, build: Callable[[], Built], prefix: str = "") -> Built:
    """Build a network with the weights of a model folder.

    It is first built on torch's meta device, where tensors have shapes and no memory, and compared with what the file
    declares; so no more is allocated than twice the file's own length, whatever the description asks for.

    Args: prefix of the network's tensors in the file; the file may hold others.
    Raises: RunError if they do not fit each other, or do not fit the memory.
    """
    path = folder / WEIGHTS
    declared = parts_of(read_declared(path), prefix)
    _refuse_huge(path)
    with torch.device("meta"):
        expected = {name: Declared.of(tensor) for name, tensor in build().state_dict().items()}
    refuse_others(path, declared, expected)
    network = build()
    network.load_state_dict(parts_of(read_tensors(path), prefix))
    network.eval().requires_grad_(False)
    return network


def parts_of(tensors: Mapping[str, Part], prefix: str) -> dict[str, Part]:
    """Return the tensors, or declarations, whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _refuse_huge(path: Path) -> None:
    """Check the size. Raises: RunError if a file is larger than the memory: a sparse file takes no space on disk."""
    size, there = path.stat().st_size, memory_bytes()
    if 2 * size > there:
        raise RunError(
            f"{path} has {size / 1e9:,.1f} GB, and this machine has {there / 1e9:,.1f} GB of memory.",
            "The network would not fit.",
            "Use a larger machine.",
        )
