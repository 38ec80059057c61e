"""Levels 0..255, as examples are stored, and numbers -1..1, as networks make them: x = level / HALF - 1."""

from __future__ import annotations

from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

HALF = 127.5


@overload
def to_uint8(x: Tensor) -> Tensor: ...
@overload
def to_uint8(x: NDArray[np.floating]) -> NDArray[np.uint8]: ...
def to_uint8(x: Tensor | NDArray[np.floating]) -> Tensor | NDArray[np.uint8]:
    """Convert numbers in -1..1 to levels of the same shape, rounded and clipped."""
    if isinstance(x, Tensor):
        return x.detach().float().mul(HALF).add_(HALF).round_().clamp_(0, 255).to(torch.uint8)
    levels: NDArray[np.uint8] = np.rint(np.asarray(x, np.float32) * HALF + HALF).clip(0, 255).astype(np.uint8)
    return levels
