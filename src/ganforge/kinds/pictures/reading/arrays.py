"""Pictures in arrays, in memory or in a file: layout, range of numbers, and conversion to a part."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganforge.errors import DataError
from ganforge.kinds.pictures.reading.decode import fit, with_channels
from ganforge.kinds.pictures.reading.part import Block, Native, Part, Pixels, Target, kinds_of
from ganforge.kinds.pictures.reading.values import (
    SIXTEEN_BITS,
    Census,
    Range,
    Reading,
    assumed_range,
    known_range,
    levels,
)

CHUNK = 8 * 1024 * 1024  # bytes read at a time
ROWS_AT_ONCE = 16  # of a file, if single rows are read: each may map a page of megabytes from the cache


class MappedArray:
    """An array in a file: `shape`, `dtype` and, by a slice or an array of indices, rows in memory.

    The file is mapped anew for every read (numpy.memmap), because pages touched by a map count as resident memory
    for its lifetime: a run on a million pictures would seem to need all of them. The file stays open for the lifetime
    of this object.
    """

    def __init__(
        self,
        path: Path,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        offset: int = 0,
        view: Callable[[NDArray[Any]], NDArray[Any]] = lambda array: array,
    ) -> None:
        """Args: shape, offset: of the array in the file, in C order, from that byte on; view: a numpy view of it."""
        self._path, self._file = path, path.open("rb")
        weakref.finalize(self, self._file.close)
        self._stored, self._view = (dtype, shape, offset), view
        mapped = self._mapped()
        self.shape: tuple[int, ...] = mapped.shape
        self.dtype: np.dtype[Any] = mapped.dtype
        self.contiguous: bool = mapped.flags.c_contiguous  # else a row is scattered over the file

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> NDArray[Any]:
        if isinstance(rows, slice) and rows.step in (None, 1):
            return np.array(self._mapped()[rows])
        if isinstance(rows, slice):
            rows = np.arange(len(self))[rows]
        read = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for first in range(0, len(rows), ROWS_AT_ONCE):
            part = slice(first, first + ROWS_AT_ONCE)
            read[part] = self._mapped()[rows[part]]
        return read

    def viewed(self, view: Callable[[NDArray[Any]], NDArray[Any]]) -> MappedArray:
        """Return another view of the same array, with the same rows."""
        return MappedArray(self._path, *self._stored, lambda array: view(self._view(array)))

    def _mapped(self) -> NDArray[Any]:
        dtype, shape, offset = self._stored
        try:
            return self._view(np.memmap(self._file, dtype, "r", offset, shape))
        except (OSError, ValueError) as error:
            do = "Leave it alone and resume."
            raise DataError(f"{self._path} was cut short while it was in use.", do=do) from error


Array: TypeAlias = NDArray[Any] | MappedArray


def chunks(array: Array) -> Iterator[NDArray[Any]]:
    """Yield all rows in order, some megabytes at a time."""
    step = max(1, CHUNK // max(1, math.prod(array.shape[1:]) * array.dtype.itemsize))
    for start in range(0, len(array), step):
        yield array[start : start + step]


# ---- layout and scale -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scale:
    """A conversion of numbers to 0..255, and its description."""

    words: str
    black_white: Range
    exact: bool = False  # no conversion: the rows can be used directly
    assumed: bool = False  # a guess, which is told

    def apply(self, array: NDArray[Any]) -> Pixels:
        """Convert an array of any shape."""
        return array if self.exact else levels(array, self.black_white)


AS_THEY_ARE = Scale("uint8, used as they are", (0, 255), exact=True)
USUAL: dict[Range, Scale] = {
    (0, 1): Scale("from 0 to 1, scaled to 0..255", (0, 1)),
    (-1, 1): Scale("from -1 to 1, scaled to 0..255", (-1, 1)),
    (0, 255): Scale("from 0 to 255, rounded", (0, 255)),
}
FULL = Scale("16-bit, scaled by 255/65535", SIXTEEN_BITS)


def layout_of(shape: tuple[int, ...], name: str = "The array") -> tuple[int, int, int, bool]:
    """Return height, width, channels, and channels-first, of (N, H, W), (N, H, W, C) or (N, C, H, W).

    Raises: DataError if the shape is none of them.
    """
    counts = (1, 3, 4)
    if len(shape) == 3 and shape[2] not in counts:
        return shape[1], shape[2], 1, False
    if len(shape) == 4 and shape[3] in counts and shape[2] not in counts:
        return shape[1], shape[2], shape[3], False
    if len(shape) == 4 and shape[1] in counts:
        return shape[2], shape[3], shape[1], True
    hint = "Give (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1, 3 or 4."
    if len(shape) == 2 and int(shape[1] ** 0.5) ** 2 == shape[1] and shape[1] >= 16:
        side = int(shape[1] ** 0.5)
        hint = f"If each row is a picture, save x.reshape({shape[0]}, {side}, {side})."
    raise DataError(f"{name} has the shape {shape}.", "That is not a stack of pictures.", hint)


def scale_of(array: Array, name: str, reading: Reading) -> Scale:
    """Determine the range of the numbers; reads everything unless they are uint8.

    Raises: DataError if there are NaN or infinite values, or if these are not numbers.
    """
    kind, given = array.dtype.kind, reading.given
    if kind not in "biuf":
        raise DataError(f"{name} is of type {array.dtype}.", "Pictures are numbers.", "Save uint8, or floats in 0..1.")
    if array.dtype == np.uint8 and given is None:
        first = next(chunks(array), np.zeros(0, np.uint8))
        binary = first.size > 0 and first.max() == 1 and all(chunk.max(initial=0) <= 1 for chunk in chunks(array))
        return USUAL[0, 1] if binary else AS_THEY_ARE
    if kind == "b":
        return USUAL[0, 1]
    census, bad, first_bad, row = Census.for_pictures(len(array)), 0, None, 0
    for chunk in chunks(array):
        wrong = ~np.isfinite(chunk) if kind == "f" else np.zeros(0, bool)
        if wrong.any():
            bad += int(wrong.sum())
            if first_bad is None:
                place = np.argwhere(wrong)[0]
                first_bad = [row + int(place[0]), *(int(i) for i in place[1:])]
        else:
            census.add(chunk, len(chunk))
        row += len(chunk)
    if bad:
        raise DataError(
            f"{name} holds {bad:,} values that are not finite (NaN or infinite), the first at {first_bad}.",
            "One of them would spoil every weight.",
            "Remove those pictures or replace the values.",
        )
    if given is not None:
        return Scale(f"read as {given[0]:g} (black) to {given[1]:g} (white)", given)
    if known := known_range(census.low, census.high, whole=kind != "f"):
        return USUAL[known]
    if not reading.looks:
        return FULL
    found, why = assumed_range(census)
    return FULL if found == SIXTEEN_BITS else Scale(why.removeprefix("values "), found, assumed=True)


# ---- part -----------------------------------------------------------------------------------------------------------


def array_part(array: Array, scale: Scale, labels: NDArray[np.int64] | None) -> Part:
    """Make a part of an array."""
    ready: Array | None
    if isinstance(array, MappedArray):
        ready = array.viewed(channels_last) if scale.exact and array.contiguous else None
    else:
        ready = channels_last(array) if scale.exact else None
    blocks, native = partial(_blocks, array, scale), partial(_natively, array, scale)
    return Part(count=len(array), labels=labels, blocks=blocks, native=native, array=ready)


def channels_last(array: NDArray[Any]) -> NDArray[Any]:
    """View (N, H, W), (N, H, W, C) or (N, C, H, W) as (N, H, W, C), without a copy."""
    _, _, _, first = layout_of(array.shape)
    return array[..., None] if array.ndim == 3 else array.transpose(0, 2, 3, 1) if first else array


def sample_of(array: Array, scale: Scale, most: int) -> Pixels:
    """Return up to `most` pictures (n, H, W, C), spread over the array."""
    step = max(1, len(array) // most)
    return channels_last(scale.apply(array[: most * step : step]))


def _blocks(array: Array, scale: Scale, target: Target) -> Iterator[Block]:
    start = 0
    for chunk in chunks(array):
        pixels, enlarged = resized(channels_last(scale.apply(chunk)), target)
        yield Block(pixels, np.arange(start, start + len(chunk)), (), enlarged)
        start += len(chunk)


def _natively(array: Array, scale: Scale, places: list[int], channels: int) -> Iterator[Native]:
    for place in places:
        pixels = channels_last(scale.apply(array[place : place + 1]))
        _, height, width, _ = pixels.shape
        yield Native(f"picture {place}", resized(pixels, Target(height, width, channels))[0][0])


def resized(pixels: Pixels, target: Target) -> tuple[Pixels, int]:
    """Resize (n, H, W, C) to the target's size and channels; returns also how many were enlarged."""
    _, height, width, channels = pixels.shape
    if (height, width) == (target.height, target.width):
        if channels == target.channels:
            return np.ascontiguousarray(pixels), 0
        if target.channels == 1 and not (kinds_of(pixels) & {"colour", "alpha"}):
            return np.ascontiguousarray(pixels[..., :1]), 0
        if (channels, target.channels) == (4, 3) and "alpha" not in kinds_of(pixels):
            return np.ascontiguousarray(pixels[..., :3]), 0
    done, enlarged = np.empty((len(pixels), target.height, target.width, target.channels), np.uint8), 0
    for i, picture in enumerate(pixels):
        image = Image.fromarray(np.ascontiguousarray(picture[..., 0] if channels == 1 else picture))
        done[i], grew = fit(with_channels(image, target.channels), target)
        enlarged += grew
    return done, enlarged
