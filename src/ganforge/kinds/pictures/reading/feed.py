"""Pictures as batches of numbers, and numbers as pictures again. The hot path of training on pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.core.device import Carrier
from ganforge.kinds.pictures.reading.arrays import IN_MEMORY, Array
from ganforge.kinds.pictures.reading.part import Pixels

FREE_SHARE = 0.5  # of a GPU's free memory: what pictures may take of it
AT_ONCE = 2**26  # bytes of pictures that are brought to a GPU in one go
HALF = 127.5  # 0..255 <-> -1..1: x = level / HALF - 1


class PictureFeed:
    """Pictures of one part, drawn by index (contracts.Feed).

    What fits lives on the training device as uint8. What does not is read for each batch, and carried to the device
    while that computes.
    """

    def __init__(
        self,
        rows: Array,
        places: NDArray[np.uint32] | None,
        labels: NDArray[np.int64] | None,
        device: torch.device | str = "cpu",
    ) -> None:
        """Args: rows uint8 (M, H, W, C); places (N,) which of them belong to this part, None for all; labels (N,)."""
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
        if labels is not None:  # kept as small as they can be: a million of int64 would be 8 MB
            small = labels.astype(np.min_scalar_type(int(labels.max(initial=0))))
            signed = small if small.dtype == np.uint8 else labels.astype(np.int32)
            self._labels = torch.from_numpy(signed).to(self._device)

    @property
    def resident(self) -> bool:
        """Whether all examples live on the training device (contracts.Feed)."""
        return self._pixels is not None

    def __len__(self) -> int:
        return len(self._rows) if self._places is None else len(self._places)

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """(N,) places in label_names, or None without labels."""
        return None if self._labels is None else self._labels.cpu().numpy().astype(np.int64)

    def batch(self, indices: Tensor) -> dict[str, Tensor]:
        """Training examples.

        Args: indices (B,) int64, each in 0..len-1, on the CPU; of a resident feed, on the device as well.
        Returns: x float32 (B, C, H, W) in -1..1, channels_last, on the device; label int64 (B,) where there are labels.
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
        """pixels uint8 (n, H, W, C) of the pictures first..last-1, and label (n,) where there are labels."""
        pixels = {"pixels": torch.from_numpy(self.levels(np.arange(first, last)))}
        return pixels if self._labels is None else {**pixels, "label": self._labels[first:last].cpu()}

    @classmethod
    def of_raw(cls, examples: Mapping[str, Tensor], device: torch.device | str) -> PictureFeed:
        """A feed of what `raw` gave."""
        label = examples.get("label")
        labels = None if label is None else label.numpy().astype(np.int64)
        return cls(examples["pixels"].numpy(), None, labels, device)

    def pictures(self, indices: NDArray[np.integer] | Tensor | None = None) -> Pixels:
        """The pictures as they are: uint8 (n, C, H, W). Args: indices (n,), or None for all of them."""
        chosen = np.arange(len(self)) if indices is None else np.asarray(indices)
        return np.ascontiguousarray(self.levels(chosen).transpose(0, 3, 1, 2))

    def _brought(self, room: int) -> Tensor | None:
        """All pictures, on the device; None where they do not fit. Args: room in bytes."""
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
        """The pictures as they are stored: uint8 (n, H, W, C). Args: indices (n,)."""
        return np.ascontiguousarray(self._rows[indices if self._places is None else self._places[indices]])


def room_beside(device: torch.device) -> int:
    """Bytes of a device's own memory that pictures may take. A processor has none beside the one they are in."""
    return int(FREE_SHARE * torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else 0


@overload
def to_uint8(x: Tensor) -> Tensor: ...
@overload
def to_uint8(x: NDArray[np.floating]) -> Pixels: ...
def to_uint8(x: Tensor | NDArray[np.floating]) -> Tensor | Pixels:
    """Levels 0..255 of the same shape, rounded and clipped, from numbers in -1..1."""
    if isinstance(x, Tensor):
        return x.detach().float().mul(HALF).add_(HALF).round_().clamp_(0, 255).to(torch.uint8)
    levels: Pixels = np.rint(np.asarray(x, np.float32) * HALF + HALF).clip(0, 255).astype(np.uint8)
    return levels
