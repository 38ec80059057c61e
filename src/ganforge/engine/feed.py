"""Examples that live on the training device."""

from __future__ import annotations

import torch
from torch import Tensor

from ganforge.contracts import Batch


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
