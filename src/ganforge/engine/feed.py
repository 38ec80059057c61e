"""Examples by index (contracts.Feed): tensors on the training device, and arrays that need not fit there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.contracts import Batch
from ganforge.core.device import Carrier
from ganforge.core.levels import HALF

IN_MEMORY = 64 * 1024 * 1024  # bytes of examples: more stay where they are, unless a GPU has room
FREE_SHARE = 0.5  # of a GPU's free memory: what examples may take of it
AT_ONCE = 2**26  # bytes of examples copied to a GPU at once


class TensorFeed:
    """Named tensors that share their first dimension, gathered by index (contracts.Feed)."""

    resident = True

    def __init__(self, device: torch.device | str = "cpu", **tensors: Tensor) -> None:
        """Args: tensors (N, ...) each; `x` is one of them."""
        self.tensors = {name: tensor.to(device) for name, tensor in tensors.items()}

    def __len__(self) -> int:
        return len(self.tensors["x"])

    def batch(self, indices: Tensor) -> Batch:
        """Args: indices (B,) int64. Returns: (B, ...) each."""
        places = indices.to(self.tensors["x"].device, non_blocking=True)
        return {name: tensor.index_select(0, places) for name, tensor in self.tensors.items()}

    def raw(self, first: int, last: int) -> Batch:
        """Return the examples first..last-1, on the CPU."""
        return {name: tensor[first:last].cpu() for name, tensor in self.tensors.items()}


class Rows(Protocol):
    """Examples of one shape and type: an array, or what is indexed like one and reads them from a file."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: NDArray[np.integer], /) -> NDArray[Any]: ...


@dataclass(frozen=True, slots=True)
class Form:
    """How rows become examples."""

    x: Callable[[Tensor], Tensor]  # rows (B, ...) as stored, on the device -> x of a batch
    measured: Callable[[NDArray[Any]], NDArray[Any]]  # rows (n, ...) as stored -> as measures take them


def levels_of_pictures(stored: Tensor) -> Tensor:
    """Return levels uint8 (B, H, W, C) as x (B, C, H, W) in -1..1, channels_last: its strides are kept."""
    return stored.permute(0, 3, 1, 2).to(torch.get_default_dtype()).sub_(HALF).div_(HALF)


AS_STORED = Form(lambda stored: stored, lambda rows: rows)
PICTURES = Form(levels_of_pictures, lambda rows: np.ascontiguousarray(rows.transpose(0, 3, 1, 2)))
"""Levels uint8 (H, W, C): x in -1..1 and measured ones are (C, H, W)."""


class ArrayFeed:
    """Rows drawn by index, with labels if there are some (contracts.Feed).

    Rows that fit are kept on the training device as they are stored. Others are read for each batch, and copied to the
    device while it computes.
    """

    def __init__(
        self,
        rows: Rows,
        labels: NDArray[np.int64] | None = None,
        device: torch.device | str = "cpu",
        *,
        form: Form = AS_STORED,
        places: NDArray[np.uint32] | None = None,
    ) -> None:
        """Args: places (N,) indices of the rows that are meant, None for all; labels (N,)."""
        self._rows, self._places, self._device, self._form = rows, places, torch.device(device), form
        self._carrier = Carrier(self._device)
        self._here: Tensor | None = None  # (N, ...) on the device
        size = self.stored(np.arange(len(self))[:1]).nbytes * len(self)
        if size <= IN_MEMORY:
            whole = rows if places is None and isinstance(rows, np.ndarray) else self.stored(np.arange(len(self)))
            self._rows, self._places = np.require(whole, requirements=["C", "W"]), None
            self._here = torch.from_numpy(self._rows).to(self._device)
        elif size <= room_beside(self._device):
            self._here = self._brought(max(1, AT_ONCE * len(self) // size))
        self._labels: Tensor | None = None
        if labels is not None:  # in the smallest type: a million of int64 would be 8 MB
            small = labels.astype(np.min_scalar_type(int(labels.max(initial=0))))
            signed = small if small.dtype == np.uint8 else labels.astype(np.int32)
            self._labels = torch.from_numpy(signed).to(self._device)

    @classmethod
    def of_raw(cls, examples: Batch, device: torch.device | str, form: Form = AS_STORED) -> ArrayFeed:
        """Make a feed of the result of `raw`."""
        label = examples.get("label")
        return cls(examples["x"].numpy(), None if label is None else label.numpy().astype(np.int64), device, form=form)

    @property
    def resident(self) -> bool:
        """True if all examples are on the training device (contracts.Feed)."""
        return self._here is not None

    def __len__(self) -> int:
        return len(self._rows) if self._places is None else len(self._places)

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """(N,) indices of labels, or None without labels."""
        return None if self._labels is None else self._labels.cpu().numpy().astype(np.int64)

    def batch(self, indices: Tensor) -> dict[str, Tensor]:
        """Return training examples.

        Args: indices (B,) int64, each in 0..len-1, on the CPU; of a resident feed, on the device as well.
        Returns: x (B, ...) on the device; label int64 (B,) if there are labels.
        """
        chosen = indices.to(self._device, non_blocking=True)
        if self._here is not None:
            x = self._form.x(self._here.index_select(0, chosen))
        else:
            x = self._form.x(self._carrier.carry(self.stored(indices.numpy())))
        return {"x": x} if self._labels is None else {"x": x, "label": self._labels.index_select(0, chosen).long()}

    def raw(self, first: int, last: int) -> dict[str, Tensor]:
        """Return x (n, ...) as stored of the rows first..last-1, and label (n,) if there are labels, on the CPU."""
        x = {"x": torch.from_numpy(self.stored(np.arange(first, last)))}
        return x if self._labels is None else {**x, "label": self._labels[first:last].cpu()}

    def stored(self, indices: NDArray[np.integer]) -> NDArray[Any]:
        """Return rows (n, ...) as stored. Args: indices (n,)."""
        return np.ascontiguousarray(self._rows[indices if self._places is None else self._places[indices]])

    def examples(self, indices: NDArray[np.integer] | None = None) -> NDArray[Any]:
        """Return rows (n, ...) as measures take them. Args: indices (n,), or None for all of them."""
        return self._form.measured(self.stored(np.arange(len(self)) if indices is None else indices))

    def _brought(self, step: int) -> Tensor:
        """Copy all rows to the device, `step` at a time."""
        first = torch.from_numpy(self.stored(np.arange(1)))
        there = torch.empty((len(self), *first.shape[1:]), dtype=first.dtype, device=self._device)
        for start in range(0, len(self), step):
            end = min(start + step, len(self))
            there[start:end] = torch.from_numpy(self.stored(np.arange(start, end)))
        return there


def room_beside(device: torch.device) -> int:
    """Return the bytes of a device's own memory available for examples; none on a CPU, where they are already."""
    return int(FREE_SHARE * torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else 0
