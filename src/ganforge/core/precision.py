"""Where numbers must not be coarser than float32: losses, penalties, and what leaves a network."""

from __future__ import annotations

import torch
from torch import Tensor


def widened(x: Tensor) -> Tensor:
    """x in float32, or in float64 where it is that already: bfloat16 is for products of matrices alone."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
