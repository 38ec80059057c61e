"""Writing a model folder, and reading one that may come from anybody.

Of what is read nothing is run, and nothing is built before it is known to fit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save
from torch import Tensor, nn

from ganforge.core.device import memory_bytes
from ganforge.core.files import check_folder, read_json_file
from ganforge.core.safetensors_file import Declared, read_declared, read_tensors, refuse_others
from ganforge.errors import RunError, refused
from ganforge.recipe import FORMER_KINDS

WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"
Built = TypeVar("Built", bound=nn.Module)
Part = TypeVar("Part", Tensor, Declared)


def write_model_files(folder: Path, network: nn.Module, content: Mapping[str, Any]) -> None:
    """Writes a network's weights and what is said of it into an empty folder."""
    weights = {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}
    (folder / WEIGHTS).write_bytes(save(weights))
    (folder / DESCRIPTION).write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def read_description(folder: Path) -> dict[str, Any]:
    """What model.json says, after every file of the folder is checked against its sha256.

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
    """A network with the weights of a model folder.

    It is first built on torch's meta device, where tensors have shapes and no memory, and compared with what the file
    declares; so no more is allocated than twice the file's own length, whatever the description asks for.

    Args: prefix of the network's tensors in the file; others may stand beside them.
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
    """The tensors, or what is declared of them, whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _refuse_huge(path: Path) -> None:
    """Raises: RunError if a file is larger than the memory: a file with holes takes no room on a disk."""
    size, there = path.stat().st_size, memory_bytes()
    if 2 * size > there:
        raise RunError(
            f"{path} has {size / 1e9:,.1f} GB, and this machine has {there / 1e9:,.1f} GB of memory.",
            "The network would not fit.",
            "Use a larger machine.",
        )
