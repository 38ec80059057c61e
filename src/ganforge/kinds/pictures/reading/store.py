"""Where equal pictures live while they are trained on: in memory up to 64 MiB, else in a file, read row by row.

Files are read with preadv, not mapped: mapped pages that were touched count as resident memory, so that a run on a
million pictures would seem to need all of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ganforge.core.files import check_folder, read_json_file, write_folder
from ganforge.errors import DataError, RunError
from ganforge.kinds.pictures.reading.arrays import CHUNK, IN_MEMORY
from ganforge.kinds.pictures.reading.part import InPlace, Part, Pixels, Survey, Target

VERSION = 1  # of the cache: another number makes old ones unused
Progress = Callable[[int, int], None]  # pictures done, pictures in all


class Rows(Protocol):
    """Equal pictures, drawn by place."""

    count: int

    def read(self, places: NDArray[np.integer]) -> Pixels:
        """Args: places (n,), each in 0..count-1. Returns: (n, H, W, C)."""
        ...

    def chunks(self) -> Iterator[Pixels]:
        """All pictures in order, some megabytes at a time."""
        ...


class MemoryRows:
    """Pictures in memory, (count, H, W, C)."""

    def __init__(self, array: Pixels) -> None:
        self.array, self.count = array, len(array)

    def read(self, places: NDArray[np.integer]) -> Pixels:
        chosen: Pixels = self.array[places]
        return chosen

    def chunks(self) -> Iterator[Pixels]:
        step = max(1, CHUNK // max(1, self.array[0].size)) if self.count else 1
        for start in range(0, self.count, step):
            yield self.array[start : start + step]


class FileRows:
    """Pictures that lie in a file one after the other. The file stays open for as long as this lives."""

    def __init__(self, place: InPlace, count: int) -> None:
        self.place, self.count = place, count
        self.row_bytes = int(np.prod(place.shape))
        self._handle = os.open(place.path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._handle)

    def read(self, places: NDArray[np.integer]) -> Pixels:
        if len(places) and not 0 <= int(places.min()) <= int(places.max()) < self.count:
            raise IndexError(f"places from {places.min()} to {places.max()} of {self.count} pictures")
        rows = np.empty((len(places), self.row_bytes), np.uint8)
        for i, place in enumerate(places.tolist()):
            self._fill(rows[i], place)
        return self._shaped(rows)

    def chunks(self) -> Iterator[Pixels]:
        step = max(1, CHUNK // self.row_bytes)
        for start in range(0, self.count, step):
            rows = np.empty((min(step, self.count - start), self.row_bytes), np.uint8)
            self._fill(rows.reshape(-1), start)
            yield self._shaped(rows)

    def _fill(self, buffer: NDArray[np.uint8], place: int) -> None:
        got = os.preadv(self._handle, [buffer.data], self.place.offset + place * self.row_bytes)
        if got != buffer.size:
            raise DataError(f"{self.place.path} was cut short while it was in use.", do="Leave it alone and resume.")

    def _shaped(self, rows: Pixels) -> Pixels:
        shaped = rows.reshape(len(rows), *self.place.shape)
        return shaped.transpose(0, 2, 3, 1) if self.place.channels_first else shaped


@dataclass(frozen=True, slots=True)
class Stored:
    """The usable pictures of a part."""

    rows: Rows
    source_rows: NDArray[np.int64] | None  # (count,) which pictures of the part they are; None: all
    failed: tuple[tuple[str, str], ...]  # (name, reason) of those that could not be read
    enlarged: int


def cache_folder(given: Path | None) -> Path:
    """Where decoded pictures are kept: as given, $GANFORGE_CACHE, $XDG_CACHE_HOME/ganforge or ~/.cache/ganforge."""
    if given is not None:
        return given
    if own := os.environ.get("GANFORGE_CACHE"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ganforge"


def store(
    part: Part, number: int, survey: Survey, target: Target, cache: Path | None, progress: Progress | None
) -> Stored:
    """Brings a part into memory, or onto disk when it is larger than 64 MiB or dear to decode.

    Raises: DataError if a picture cannot be turned into numbers; StorageError if the cache cannot be written: no half
        file is left.
    """
    shape = (target.height, target.width, target.channels)
    if part.in_memory is not None and part.in_memory.shape[1:] == shape:
        return Stored(MemoryRows(part.in_memory), None, (), 0)
    if part.in_place is not None and not part.in_place.channels_first and part.in_place.shape == shape:
        return Stored(FileRows(part.in_place, part.count), None, (), 0)
    if part.in_place is not None and part.in_place.channels_first and part.in_place.shape == (shape[2], *shape[:2]):
        return Stored(FileRows(part.in_place, part.count), None, (), 0)
    if survey.always_cached or part.count * target.row_bytes > IN_MEMORY:
        words = f"{VERSION} {survey.digest} {number} {target}"
        folder = cache_folder(cache) / "pictures" / hashlib.sha256(words.encode()).hexdigest()[:32]
        return _cached(part, target, folder, progress)
    return _gathered(part, target, progress)


def _gathered(part: Part, target: Target, progress: Progress | None) -> Stored:
    array = np.empty((part.count, target.height, target.width, target.channels), np.uint8)
    used, enlarged = 0, 0
    failed: list[tuple[str, str]] = []
    rows: list[NDArray[np.int64]] = []
    for block in part.blocks(target):
        array[used : used + len(block.pixels)] = block.pixels
        used, enlarged = used + len(block.pixels), enlarged + block.enlarged
        failed.extend(block.failed)
        rows.append(block.rows)
        if progress is not None:
            progress(used + len(failed), part.count)
    source_rows = np.concatenate(rows) if rows else np.empty(0, np.int64)
    return Stored(MemoryRows(array[:used]), source_rows, tuple(failed), enlarged)


def _cached(part: Part, target: Target, folder: Path, progress: Progress | None) -> Stored:
    try:
        check_folder(folder)
        found = _read_cache(folder, target)
        if found.source_rows is not None and (found.source_rows >= part.count).any():
            raise ValueError("the file was replaced by another one of its size within one tick of the clock")
        return found
    except (RunError, OSError, ValueError, KeyError):  # absent, half-written, damaged or stale: made anew
        write_folder(folder, lambda temporary: _write_cache(temporary, part, target, progress))
        return _read_cache(folder, target)


def _write_cache(folder: Path, part: Part, target: Target, progress: Progress | None) -> None:
    failed: list[tuple[str, str]] = []
    rows: list[NDArray[np.int64]] = []
    count, enlarged = 0, 0
    with (folder / "pixels").open("wb") as file:
        for block in part.blocks(target):
            file.write(np.ascontiguousarray(block.pixels).data)
            count, enlarged = count + len(block.pixels), enlarged + block.enlarged
            failed.extend(block.failed)
            rows.append(block.rows)
            if progress is not None:
                progress(count + len(failed), part.count)
    header = {"count": count, "enlarged": enlarged, "failed": failed}
    (folder / "header.json").write_text(json.dumps(header), "utf-8")
    np.save(folder / "rows.npy", np.concatenate(rows) if rows else np.empty(0, np.int64), allow_pickle=False)


def _read_cache(folder: Path, target: Target) -> Stored:
    header = read_json_file(folder / "header.json")
    shape, count = (target.height, target.width, target.channels), int(header["count"])
    source_rows = np.load(folder / "rows.npy", allow_pickle=False)
    rows: Rows = FileRows(InPlace(folder / "pixels", 0, shape), count)
    if count * target.row_bytes <= IN_MEMORY:
        rows = MemoryRows(np.fromfile(folder / "pixels", np.uint8).reshape(count, *shape))
    failed = tuple((str(name), str(reason)) for name, reason in header["failed"])
    return Stored(rows, source_rows, failed, int(header["enlarged"]))
