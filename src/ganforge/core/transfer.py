"""Examples on their way to a device that is busy with the ones before."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


class Carrier:
    """Carries arrays to a device while it computes.

    To a GPU they go through pinned memory and on a stream of their own, so that the copy for the next step runs beside
    the kernels of this one. torch uses a pinned buffer again as soon as its copy is done: in the long run there are
    two, one that is filled and one that is on its way.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        on_gpu = device.type == "cuda"
        self._stream = torch.cuda.Stream(device) if on_gpu else None  # type: ignore[no-untyped-call]

    def carry(self, array: NDArray[Any]) -> Tensor:
        """The array on the device. What is done with it there waits for it; the host does not."""
        here = torch.from_numpy(array)
        if self._stream is None:
            return here.to(self._device)
        pinned = here.pin_memory()
        with torch.cuda.stream(self._stream):
            there = pinned.to(self._device, non_blocking=True)
        user = torch.cuda.current_stream(self._device)
        user.wait_stream(self._stream)
        there.record_stream(user)  # its memory must not be given away while it is used
        return there
