"""Safetensors files from anybody: what a file declares is checked before anything is allocated.

A file is eight bytes with the length of a header, the header in JSON (name -> type, shape, place), and the tensors one
after the other. Source: the description of the format in the safetensors repository.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganforge.core.files import parse_json
from ganforge.errors import RunError

if TYPE_CHECKING:
    from torch import Tensor

MOST_HEADER_BYTES = 16 * 2**20
MOST_TENSORS = 100_000
MOST_DIMENSIONS = 8
TYPES = {  # of the format -> its size in bytes and its name in torch; no others are read
    "F64": (8, "float64"), "F32": (4, "float32"), "F16": (2, "float16"), "BF16": (2, "bfloat16"),
    "I64": (8, "int64"), "I32": (4, "int32"), "I16": (2, "int16"), "I8": (1, "int8"),
    "U8": (1, "uint8"), "BOOL": (1, "bool"),
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
    """The tensors of a file, of which the header alone is read.

    Raises: RunError unless the header is one that safetensors writes and the tensors fill the rest of the file.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, MOST_HEADER_BYTES):
                raise ValueError(f"a header of {length:,} bytes cannot be in a file of {size:,}")
            header = parse_json(file.read(length))
        return _declared(header, size - 8 - length)
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error


def read_tensors(path: Path, expected: Mapping[str, Declared] | None = None) -> dict[str, Tensor]:
    """The tensors of a file on the processor, which take as much memory as the file is long.

    Args: expected what the file must declare, no more and no less; None takes whatever it holds.
    Raises: RunError if it is damaged or not as expected.
    """
    from safetensors import SafetensorError
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


def _declared(header: Any, room: int) -> dict[str, Declared]:
    """Raises: ValueError unless the tensors of a header fill `room` bytes without gaps."""
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    about = header.pop("__metadata__", {})
    if not isinstance(about, dict) or not all(isinstance(text, str) for text in about.values()):
        raise ValueError("its metadata are no texts")
    if len(header) > MOST_TENSORS:
        raise ValueError(f"it declares {len(header):,} tensors, and no more than {MOST_TENSORS:,} are read")
    declared, places = {}, []
    for name, content in header.items():
        declared[name], place = _one(name, content)
        places.append(place)
    end = 0
    for first, last in sorted(places):
        if first != end:
            raise ValueError(f"a tensor begins at byte {first:,}, and the one before ends at {end:,}")
        end = last
    if end != room:
        raise ValueError(f"its tensors take {end:,} bytes, and the file holds {room:,}")
    return declared


def _one(name: str, content: Any) -> tuple[Declared, tuple[int, int]]:
    """What is declared of a tensor, and where it begins and ends. Raises: ValueError."""
    if not isinstance(content, dict) or set(content) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"what it declares of {name[:80]!r} is not a type, a shape and a place")
    kind, shape, place = content["dtype"], content["shape"], content["data_offsets"]
    if not isinstance(kind, str) or kind not in TYPES:
        raise ValueError(f"{name[:80]!r} is of the type {str(kind)[:40]!r}")
    if not _counts(shape) or len(shape) > MOST_DIMENSIONS or not _counts(place) or len(place) != 2:
        raise ValueError(f"the shape or place of {name[:80]!r} is not made of counts")
    size, dtype = TYPES[kind]
    if place[1] - place[0] != size * math.prod(shape):
        raise ValueError(f"{name[:80]!r} of {kind} {shape} cannot lie in bytes {place[0]:,} to {place[1]:,}")
    return Declared(dtype, tuple(shape)), (place[0], place[1])


def _counts(numbers: Any) -> bool:
    return isinstance(numbers, list) and all(type(number) is int and 0 <= number < 2**48 for number in numbers)


def _damaged(path: Path, why: str) -> RunError:
    return RunError(f"{path} cannot be read: {why.removesuffix('.')}.", "It is damaged.", "Restore it or train again.")
