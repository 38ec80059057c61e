"""Pictures of equal size, in memory or mapped from the cache, which keeps what was decoded or unpacked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ganforge.core.cache import kept, kept_or_filled
from ganforge.core.files import DAMAGED, check_folder, read_json_file, write_folder
from ganforge.engine.feed import IN_MEMORY
from ganforge.errors import DataError, RunError
from ganforge.kinds.pictures.reading.arrays import CHUNK, Array, MappedArray
from ganforge.kinds.pictures.reading.part import Part, Pixels, Survey, Target

VERSION = 2  # of decoded pictures in the cache: a new number invalidates old ones


def unpacked(packed: IO[bytes], digest: str, refusal: Callable[[object], DataError]) -> Path:
    """Unpack a compressed file into the cache, unless present, and return its path.

    Args: digest identifies its content. Raises: the error from `refusal` if it is damaged;
        StorageError if the cache cannot be written: no partial file remains.
    """

    def fill(temporary: Path) -> None:
        with (temporary / "array").open("wb") as file:
            while content := _read(packed, refusal):
                file.write(content)

    return kept_or_filled("arrays", digest, fill) / "array"


def _read(packed: IO[bytes], refusal: Callable[[object], DataError]) -> bytes:
    try:
        return packed.read(CHUNK)
    except DAMAGED as error:  # an OSError would be mistaken for one of writing
        raise refusal(error) from error


@dataclass(frozen=True, slots=True)
class Stored:
    """The usable pictures of a part."""

    rows: Array  # uint8 (count, H, W, C)
    source_rows: NDArray[np.int64] | None  # (count,) indices in the part; None: all
    failed: tuple[tuple[str, str], ...]  # (name, reason) of those that could not be read
    enlarged: int


def store(part: Part, number: int, survey: Survey, target: Target) -> Stored:
    """Load part `number` of a survey into memory, or onto disk if larger than 64 MiB or slow to decode.

    Raises: DataError if a picture cannot be converted; StorageError if the cache cannot be written: no partial
        file remains.
    """
    shape = (target.height, target.width, target.channels)
    if part.array is not None and part.array.shape[1:] == shape:
        return Stored(part.array, None, (), 0)
    if survey.always_cached or part.count * target.row_bytes > IN_MEMORY:
        return _cached(part, target, kept("pictures", f"{VERSION} {survey.digest} {number} {target}"))
    pixels = [np.empty((0, *shape), np.uint8)]
    rows, failed, enlarged = _decoded(part, target, pixels.append)
    return Stored(np.concatenate(pixels), rows, tuple(failed), enlarged)


def _decoded(
    part: Part, target: Target, take: Callable[[Pixels], object]
) -> tuple[NDArray[np.int64], list[tuple[str, str]], int]:
    """Pass all pictures to `take`, block by block. Returns: source_rows, failed and enlarged of `Stored`."""
    rows, enlarged = [np.empty(0, np.int64)], 0
    failed: list[tuple[str, str]] = []
    for block in part.blocks(target):
        take(block.pixels)
        rows.append(block.rows)
        failed.extend(block.failed)
        enlarged += block.enlarged
    return np.concatenate(rows), failed, enlarged


def _cached(part: Part, target: Target, folder: Path) -> Stored:
    try:
        check_folder(folder)
        found = _read_cache(folder, target)
        if found.source_rows is not None and (found.source_rows >= part.count).any():
            raise ValueError("the file was replaced by another one of its size within one tick of the clock")
        return found
    except (RunError, OSError, ValueError, KeyError):  # absent, half-written, damaged or stale: rebuilt
        write_folder(folder, lambda temporary: _write_cache(temporary, part, target))
        return _read_cache(folder, target)


def _write_cache(folder: Path, part: Part, target: Target) -> None:
    with (folder / "pixels").open("wb") as file:
        rows, failed, enlarged = _decoded(part, target, lambda pixels: file.write(np.ascontiguousarray(pixels).data))
    header = {"count": len(rows), "enlarged": enlarged, "failed": failed}
    (folder / "header.json").write_text(json.dumps(header), "utf-8")
    np.save(folder / "rows.npy", rows, allow_pickle=False)


def _read_cache(folder: Path, target: Target) -> Stored:
    header = read_json_file(folder / "header.json")
    shape = (int(header["count"]), target.height, target.width, target.channels)
    source_rows, path = np.load(folder / "rows.npy", allow_pickle=False), folder / "pixels"
    small = shape[0] * target.row_bytes <= IN_MEMORY
    rows = np.fromfile(path, np.uint8).reshape(shape) if small else MappedArray(path, np.dtype(np.uint8), shape)
    failed = tuple((str(name), str(reason)) for name, reason in header["failed"])
    return Stored(rows, source_rows, failed, int(header["enlarged"]))
