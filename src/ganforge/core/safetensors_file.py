"""Safetensors files from anybody: what a file declares is known before anything is allocated.

safetensors itself checks the header: its length, its JSON, and that the tensors fill the rest of the file without gaps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from ganforge.errors import RunError

if TYPE_CHECKING:
    from torch import Tensor

TYPES = {  # of the format -> its name in torch; no others are read
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Declared:
    """What a file says of one tensor."""

    dtype: str  # as torch names it: "float32"
    shape: tuple[int, ...]

    @classmethod
    def of(cls, tensor: Tensor) -> Declared:
        """The same of a tensor, on whatever device."""
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
    """The tensors of a file on the processor, which take as much memory as the file is long.

    Args: expected what the file must declare, no more and no less; None takes whatever it holds.
    Raises: RunError if it is damaged or not as expected.
    """
    from safetensors.torch import load_file

    declared = read_declared(path)
    if expected is not None:
        refuse_others(path, declared, expected)
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    return tensors


def refuse_others(path: Path, declared: Mapping[str, Declared], expected: Mapping[str, Declared]) -> None:
    """Raises: RunError naming the first tensor that is missing, one too many, or of another shape or type."""
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
