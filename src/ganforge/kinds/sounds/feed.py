"""Stretches of waveforms as batches: the examples of everything that learns from sound itself."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.core.device import Carrier
from ganforge.kinds.sounds.reading import Part, Samples, segments_of

IN_MEMORY = 2**28  # bytes of samples; longer ones are read for each batch


class SegmentFeed:
    """Stretches of one length, drawn by index (contracts.Feed): x (B, length) in -1..1, filled up with silence."""

    def __init__(
        self,
        samples: Samples,
        first: NDArray[np.int64],
        there: NDArray[np.int64],
        length: int,
        device: torch.device | str = "cpu",
    ) -> None:
        """Args: samples (all,); first, there (N,): where each stretch begins, and how many of its samples there are."""
        self._samples, self._first, self._there, self._length = samples, first, there, length
        self._device = torch.device(device)
        self._carrier = Carrier(self._device)
        self._resident: tuple[Tensor, Tensor, Tensor] | None = None
        if samples.nbytes <= IN_MEMORY:
            arrays = (np.array(samples), first, there)
            whole, starts, counts = (torch.from_numpy(array).to(self._device) for array in arrays)
            self._resident = (whole, starts, counts)

    @classmethod
    def of(cls, part: Part, length: int, step: int, device: torch.device | str = "cpu") -> SegmentFeed:
        """Make a feed of overlapping stretches that cover a part, one every `step` samples."""
        places = np.array(list(segments_of(part, length, step)), np.int64)
        return cls(part.samples, places[:, 0], places[:, 1], length, device)

    @property
    def resident(self) -> bool:
        """True if all samples are on the training device (contracts.Feed)."""
        return self._resident is not None

    def __len__(self) -> int:
        return len(self._first)

    def batch(self, indices: Tensor) -> dict[str, Tensor]:
        """Args: indices (B,) int64. Returns: x float32 (B, length) on the device."""
        if self._resident is None:
            return {"x": self._carrier.carry(self._stretches(indices.numpy()))}
        samples, first, there = self._resident
        chosen = indices.to(self._device, non_blocking=True)
        places = torch.arange(self._length, device=self._device)
        inside = places < there.index_select(0, chosen)[:, None]
        where = (first.index_select(0, chosen)[:, None] + places).clamp(max=len(samples) - 1)
        return {"x": samples[where] * inside}

    def _stretches(self, indices: NDArray[np.integer]) -> Samples:
        x = np.zeros((len(indices), self._length), np.float32)
        for row, place in enumerate(indices):
            there = int(self._there[place])
            x[row, :there] = self._samples[int(self._first[place]) : int(self._first[place]) + there]
        return x

    def raw(self, first: int, last: int) -> dict[str, Tensor]:
        """Return the stretches first..last-1, on the CPU."""
        return {"x": torch.from_numpy(self._stretches(np.arange(first, last)))}

    @classmethod
    def of_raw(cls, examples: Mapping[str, Tensor], device: torch.device | str) -> SegmentFeed:
        """Make a feed of the result of `raw`."""
        x = examples["x"].numpy()
        count, length = x.shape
        return cls(x.reshape(-1), np.arange(count) * length, np.full(count, length), length, device)
