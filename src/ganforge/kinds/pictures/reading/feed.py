"""Pictures of equal size, in memory or mapped from the cache, as batches of tensors, and the way back.

The hot path of training on pictures. Decoded or unpacked data is kept in the cache.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.core.cache import kept
from ganforge.core.device import Carrier
from ganforge.core.files import DAMAGED, check_folder, read_json_file, write_folder
from ganforge.errors import DataError, RunError
from ganforge.kinds.pictures.reading.arrays import CHUNK, IN_MEMORY, Array, MappedArray
from ganforge.kinds.pictures.reading.part import Part, Pixels, Survey, Target

VERSION = 2  # of decoded pictures in the cache: a new number invalidates old ones


def unpacked(packed: IO[bytes], digest: str, refusal: Callable[[object], DataError]) -> Path:
    """Unpack a compressed file into the cache, unless present, and return its path.

    Args: digest identifies its content. Raises: the error from `refusal` if it is damaged;
        StorageError if the cache cannot be written: no partial file remains.
    """
    folder = kept("arrays", digest)

    def fill(temporary: Path) -> None:
        with (temporary / "array").open("wb") as file:
            while content := _read(packed, refusal):
                file.write(content)

    try:
        check_folder(folder)
    except RunError:  # absent, half-written or damaged
        write_folder(folder, fill)
    return folder / "array"


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


FREE_SHARE = 0.5  # of a GPU's free memory: what pictures may take of it
AT_ONCE = 2**26  # bytes of pictures copied to a GPU at once
HALF = 127.5  # 0..255 <-> -1..1: x = level / HALF - 1


class PictureFeed:
    """Pictures of one part, drawn by index (contracts.Feed).

    Pictures that fit are kept on the training device as uint8. Others are read for each batch, and copied to the device
    while it computes.
    """

    def __init__(
        self,
        rows: Array,
        places: NDArray[np.uint32] | None,
        labels: NDArray[np.int64] | None,
        device: torch.device | str = "cpu",
    ) -> None:
        """Args: rows uint8 (M, H, W, C); places (N,) indices of those in this part, None for all; labels (N,)."""
        self._rows, self._places, self._device = rows, places, torch.device(device)
        self._carrier = Carrier(self._device)
        self._pixels: Tensor | None = None  # (N, H, W, C) uint8 on the device
        if isinstance(rows, np.ndarray) and rows.nbytes <= IN_MEMORY:
            part = np.require(rows if places is None else rows[places], requirements=["C", "W"])
            self._rows, self._places = part, None
            self._pixels = torch.from_numpy(part).to(self._device)
        elif len(self) and (room := room_beside(self._device)):
            self._pixels = self._brought(room)
        self._labels: Tensor | None = None
        if labels is not None:  # in the smallest type: a million of int64 would be 8 MB
            small = labels.astype(np.min_scalar_type(int(labels.max(initial=0))))
            signed = small if small.dtype == np.uint8 else labels.astype(np.int32)
            self._labels = torch.from_numpy(signed).to(self._device)

    @property
    def resident(self) -> bool:
        """True if all examples are on the training device (contracts.Feed)."""
        return self._pixels is not None

    def __len__(self) -> int:
        return len(self._rows) if self._places is None else len(self._places)

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """(N,) indices in label_names, or None without labels."""
        return None if self._labels is None else self._labels.cpu().numpy().astype(np.int64)

    def batch(self, indices: Tensor) -> dict[str, Tensor]:
        """Return training examples.

        Args: indices (B,) int64, each in 0..len-1, on the CPU; of a resident feed, on the device as well.
        Returns: x float32 (B, C, H, W) in -1..1, channels_last, on the device; label int64 (B,) if there are labels.
        """
        chosen = indices.to(self._device, non_blocking=True)
        if self._pixels is not None:
            levels = self._pixels.index_select(0, chosen)
        else:
            levels = self._carrier.carry(self.levels(indices.numpy()))
        numbers = levels.permute(0, 3, 1, 2).to(torch.get_default_dtype())  # keeps its strides: channels_last
        x = numbers.sub_(HALF).div_(HALF)
        if self._labels is None:
            return {"x": x}
        return {"x": x, "label": self._labels.index_select(0, chosen).long()}

    def raw(self, first: int, last: int) -> dict[str, Tensor]:
        """Return pixels uint8 (n, H, W, C) of pictures first..last-1, and label (n,) if there are labels."""
        pixels = {"pixels": torch.from_numpy(self.levels(np.arange(first, last)))}
        return pixels if self._labels is None else {**pixels, "label": self._labels[first:last].cpu()}

    @classmethod
    def of_raw(cls, examples: Mapping[str, Tensor], device: torch.device | str) -> PictureFeed:
        """Make a feed of the result of `raw`."""
        label = examples.get("label")
        labels = None if label is None else label.numpy().astype(np.int64)
        return cls(examples["pixels"].numpy(), None, labels, device)

    def pictures(self, indices: NDArray[np.integer] | Tensor | None = None) -> Pixels:
        """Return the pictures as uint8 (n, C, H, W). Args: indices (n,), or None for all of them."""
        chosen = np.arange(len(self)) if indices is None else np.asarray(indices)
        return np.ascontiguousarray(self.levels(chosen).transpose(0, 3, 1, 2))

    def _brought(self, room: int) -> Tensor | None:
        """Copy all pictures to the device; None if they do not fit. Args: room in bytes."""
        first = self.levels(np.arange(1))
        if len(self) * first.nbytes > room:
            return None
        step = max(1, AT_ONCE // first.nbytes)
        pixels = torch.empty((len(self), *first.shape[1:]), dtype=torch.uint8, device=self._device)
        for start in range(0, len(self), step):
            end = min(start + step, len(self))
            pixels[start:end] = torch.from_numpy(self.levels(np.arange(start, end)))
        return pixels

    def levels(self, indices: NDArray[np.integer]) -> Pixels:
        """Return the pictures as stored: uint8 (n, H, W, C). Args: indices (n,)."""
        return np.ascontiguousarray(self._rows[indices if self._places is None else self._places[indices]])


def room_beside(device: torch.device) -> int:
    """Return the bytes of a device's own memory available for pictures; none on a CPU, where they are already."""
    return int(FREE_SHARE * torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else 0


@overload
def to_uint8(x: Tensor) -> Tensor: ...
@overload
def to_uint8(x: NDArray[np.floating]) -> Pixels: ...
def to_uint8(x: Tensor | NDArray[np.floating]) -> Tensor | Pixels:
    """Convert numbers in -1..1 to levels 0..255 of the same shape, rounded and clipped."""
    if isinstance(x, Tensor):
        return x.detach().float().mul(HALF).add_(HALF).round_().clamp_(0, 255).to(torch.uint8)
    levels: Pixels = np.rint(np.asarray(x, np.float32) * HALF + HALF).clip(0, 255).astype(np.uint8)
    return levels
