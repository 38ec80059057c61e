"""A network between two that began as one."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def interpolated_weights(one: Mapping[str, Tensor], other: Mapping[str, Tensor], strength: float) -> dict[str, Tensor]:
    """Interpolate the weights of two networks from one start: (1 - strength) one + strength other.

    Args: strength 0..1. Source: Wang et al. 2018 (ESRGAN), section 3.4, network interpolation.
    """
    return {name: torch.lerp(weight, other[name], strength) for name, weight in one.items()}
