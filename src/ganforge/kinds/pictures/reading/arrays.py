"""Pictures in arrays that need not fit into memory: in memory, .npy, .npz, and whatever else reads like them."""

from __future__ import annotations

import math
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganforge.core.files import DAMAGED
from ganforge.errors import DataError
from ganforge.kinds.pictures.reading.decode import fit, with_channels
from ganforge.kinds.pictures.reading.part import Block, InPlace, Part, Pixels, Target

CHUNK = 8 * 1024 * 1024  # bytes read at a time
IN_MEMORY = 64 * 1024 * 1024  # bytes of pictures: what fits lives in memory, the rest on disk


class View(Protocol):
    """An array that is read from front to back in chunks; it need not fit into memory."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def chunks(self) -> Iterator[NDArray[Any]]: ...
    def file(self) -> tuple[Path, int] | None:
        """The file and byte offset at which the rows lie as they are (C order, no compression), if they do."""
        ...


@dataclass(frozen=True)
class MemoryView:
    """An array in memory."""

    array: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    def chunks(self) -> Iterator[NDArray[Any]]:
        step = rows_per_chunk(self.shape, self.dtype)
        for start in range(0, len(self.array), step):
            yield self.array[start : start + step]

    def file(self) -> tuple[Path, int] | None:
        return None


class NpyView:
    """A .npy file. Each chunk maps the file anew: pages that were touched would stay counted as resident otherwise."""

    def __init__(self, path: Path) -> None:
        self.path = path
        mapped = self._mapped()
        self.shape: tuple[int, ...] = mapped.shape
        self.dtype: np.dtype[Any] = mapped.dtype
        self._place = (path, int(mapped.offset)) if mapped.flags.c_contiguous else None

    def _mapped(self) -> np.memmap[Any, Any]:
        try:
            array = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except DAMAGED as error:
            raise not_an_array(str(self.path), error) from error
        if not isinstance(array, np.memmap):
            raise DataError(f"{str(self.path)!r} is not a .npy file.", "It is another kind of file with that name.")
        return array

    def chunks(self) -> Iterator[NDArray[Any]]:
        step = rows_per_chunk(self.shape, self.dtype)
        for start in range(0, self.shape[0], step):
            yield np.array(self._mapped()[start : start + step])

    def file(self) -> tuple[Path, int] | None:
        return self._place


class NpzView:
    """One large array inside an .npz file, unpacked as a stream."""

    def __init__(self, path: Path, member: str) -> None:
        self.path, self.member = path, member
        try:
            with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
                self.shape, fortran, self.dtype = read_npy_header(stream, str(path))
        except DAMAGED as error:
            raise not_an_array(str(path), error) from error
        if fortran:
            raise DataError(
                f"{member} in {str(path)!r} is stored in Fortran order.", do="Save np.ascontiguousarray(x)."
            )

    def chunks(self) -> Iterator[NDArray[Any]]:
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
                read_npy_header(stream, str(self.path))
                yield from stream_chunks(stream, self.shape, self.dtype, str(self.path))
        except DAMAGED as error:
            raise not_an_array(str(self.path), error) from error

    def file(self) -> tuple[Path, int] | None:
        return None


def rows_per_chunk(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """How many rows of an array are read at a time, at least one."""
    return max(1, CHUNK // max(1, math.prod(shape[1:]) * dtype.itemsize))


def stream_chunks(stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> Iterator[NDArray[Any]]:
    """The rows of an array that follow in a stream. Raises: DataError if it is damaged or ends elsewhere."""
    row_bytes = math.prod(shape[1:]) * dtype.itemsize
    step = rows_per_chunk(shape, dtype)
    for start in range(0, shape[0], step):
        rows = min(step, shape[0] - start)
        try:
            data = stream.read(rows * row_bytes)
            more = stream.read(1) if start + rows == shape[0] else b""  # only at its end is a checksum compared
        except DAMAGED as error:
            raise not_an_array(name, error) from error
        if len(data) < rows * row_bytes:
            raise not_an_array(name, f"it ends after {start + len(data) // row_bytes:,} of {shape[0]:,} pictures")
        if more:
            raise not_an_array(name, f"it goes on after its {shape[0]:,} pictures")
        yield np.frombuffer(data, dtype).reshape(rows, *shape[1:])


def read_npy_header(stream: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether Fortran order, and dtype, from the start of .npy bytes."""
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    except DAMAGED as error:
        raise not_an_array(name, error) from error
    if dtype.hasobject:
        raise not_an_array(name, "it holds Python objects, which are never opened")
    return shape, bool(fortran), dtype


def not_an_array(name: str, why: object) -> DataError:
    """A file that should be an array and is not."""
    return DataError(
        f"{name!r} cannot be read as an array: {why}.", do="Save it again with numpy.save or numpy.savez (no objects)."
    )


# ---- layout and scale -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scale:
    """How numbers become 0..255, and that in words."""

    words: str
    apply: Callable[[NDArray[Any]], Pixels]
    exact: bool = False  # nothing is changed: the rows can be used as they lie


def _levels(array: NDArray[Any], gain: float, offset: float = 0.0) -> Pixels:
    levels: Pixels = np.rint(array.astype(np.float32) * gain + offset).clip(0, 255).astype(np.uint8)
    return levels


AS_THEY_ARE = Scale("uint8, used as they are", lambda a: a, exact=True)
ZERO_ONE = Scale("from 0 to 1, scaled to 0..255", lambda a: _levels(a, 255))
MINUS_ONE_ONE = Scale("from -1 to 1, scaled to 0..255", lambda a: _levels(a, 127.5, 127.5))
BYTES = Scale("from 0 to 255, rounded", lambda a: _levels(a, 1))
SIXTEEN_BITS = Scale("16-bit, scaled by 255/65535", lambda a: _levels(a, 255 / 65535))
SLACK = 1e-3  # floating-point pictures overshoot their range by rounding


def layout_of(shape: tuple[int, ...], name: str) -> tuple[int, int, int, bool]:
    """Height, width, channels, and whether channels come first, of (N, H, W), (N, H, W, C) or (N, C, H, W).

    Raises: DataError if the shape is none of them.
    """
    kinds = (1, 3, 4)
    if len(shape) == 3 and shape[2] not in kinds:
        return shape[1], shape[2], 1, False
    if len(shape) == 4 and shape[3] in kinds and shape[2] not in kinds:
        return shape[1], shape[2], shape[3], False
    if len(shape) == 4 and shape[1] in kinds:
        return shape[2], shape[3], shape[1], True
    hint = "Give (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1, 3 or 4."
    if len(shape) == 2 and int(shape[1] ** 0.5) ** 2 == shape[1] and shape[1] >= 16:
        side = int(shape[1] ** 0.5)
        hint = f"If each row is a picture, save x.reshape({shape[0]}, {side}, {side})."
    raise DataError(f"{name} has the shape {shape}.", "That is not a stack of pictures.", hint)


def scale_of(view: View, name: str) -> Scale:
    """Finds out in which range the numbers are; reads everything unless they are uint8.

    Raises: DataError if there are NaN or infinite values, or if no known range fits.
    """
    kind = view.dtype.kind
    if view.dtype == np.uint8:
        first = next(view.chunks(), np.zeros(0, np.uint8))
        binary = first.size > 0 and first.max() == 1 and all(chunk.max(initial=0) <= 1 for chunk in view.chunks())
        return ZERO_ONE if binary else AS_THEY_ARE
    if kind == "b":
        return ZERO_ONE
    if kind not in "iuf":
        raise DataError(f"{name} is of type {view.dtype}.", "Pictures are numbers.", "Save uint8, or floats in 0..1.")
    low, high, bad, first_bad, row = np.inf, -np.inf, 0, None, 0
    for chunk in view.chunks():
        if kind == "f":
            wrong = ~np.isfinite(chunk)
            if wrong.any():
                bad += int(wrong.sum())
                if first_bad is None:
                    place = np.argwhere(wrong)[0]
                    first_bad = (row + int(place[0]), *(int(i) for i in place[1:]))
        low, high, row = min(low, float(chunk.min())), max(high, float(chunk.max())), row + len(chunk)
    if bad:
        raise DataError(
            f"{name} holds {bad:,} values that are not finite (NaN or infinite), the first at {list(first_bad or ())}.",
            "One of them would spoil every weight.",
            "Remove those pictures or replace the values.",
        )
    if low >= -SLACK and high <= 1 + SLACK:
        return ZERO_ONE
    if kind == "f" and low >= -1 - SLACK and high <= 1 + SLACK:
        return MINUS_ONE_ONE
    if low >= -SLACK and high <= 255 + SLACK:
        return BYTES
    if kind in "iu" and low >= 0 and high <= 65535:
        return SIXTEEN_BITS
    raise DataError(
        f"{name} holds values from {low:g} to {high:g}.",
        "That is no range of pictures.",
        "Scale them to 0..1, -1..1 or 0..255 first.",
    )


# ---- part -----------------------------------------------------------------------------------------------------------


def array_part(view: View, scale: Scale, labels: NDArray[np.int64] | None, name: str) -> Part:
    """The part that a view is, with its shortcuts where nothing needs to be changed."""
    height, width, channels, first = layout_of(view.shape, name)
    in_place, in_memory, place = None, None, view.file()
    if scale.exact and place is not None:
        shape = (channels, height, width) if first else (height, width, channels)
        in_place = InPlace(place[0], place[1], shape, first)
    if scale.exact and isinstance(view, MemoryView):
        in_memory = channels_last(view.array)
    return Part(
        count=view.shape[0],
        labels=labels,
        blocks=partial(_blocks, view, scale),
        in_place=in_place,
        in_memory=in_memory,
    )


def channels_last(array: NDArray[Any]) -> NDArray[Any]:
    """(N, H, W), (N, H, W, C) or (N, C, H, W) as (N, H, W, C), without a copy."""
    _, _, _, first = layout_of(array.shape, "The array")
    return array[..., None] if array.ndim == 3 else array.transpose(0, 2, 3, 1) if first else array


def head(view: View, scale: Scale, most: int) -> Pixels:
    """Up to `most` pictures (n, H, W, C) to look at: spread over the array in memory, from the start elsewhere."""
    array = view.array if isinstance(view, MemoryView) else next(view.chunks())
    step = max(1, len(array) // most)
    return channels_last(scale.apply(array[::step][:most]))


def kinds_of(pixels: Pixels) -> set[str]:
    """Which of grey, colour and alpha occur in (n, H, W, C)."""
    if pixels.shape[3] == 1:
        return {"grey"}
    coloured = bool((pixels[..., :2] != pixels[..., 1:3]).any())
    alpha = pixels.shape[3] == 4 and bool((pixels[..., 3] < 255).any())
    return ({"colour"} if coloured else {"grey"}) | ({"alpha"} if alpha else set())


def sizes_of(*views: View) -> dict[tuple[int, int], int]:
    """(H, W) -> how many pictures."""
    sizes: Counter[tuple[int, int]] = Counter()
    for view in views:
        height, width, _, _ = layout_of(view.shape, "The array")
        sizes[(height, width)] += view.shape[0]
    return dict(sizes)


def _blocks(view: View, scale: Scale, target: Target) -> Iterator[Block]:
    start = 0
    for chunk in view.chunks():
        pixels, enlarged = resized(channels_last(scale.apply(chunk)), target)
        yield Block(pixels, np.arange(start, start + len(chunk)), (), enlarged)
        start += len(chunk)


def resized(pixels: Pixels, target: Target) -> tuple[Pixels, int]:
    """(n, H, W, C) of any size and channels as (n, H, W, C) of the target, and how many had to be enlarged."""
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
