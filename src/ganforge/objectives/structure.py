"""Structural similarity as something to be learned from: differentiable, one number for each example."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW, SIGMA = 11, 1.5
STEADY = (0.01**2, 0.03**2)  # of values 0..1


def structural_similarity(one: Tensor, other: Tensor) -> Tensor:
    """SSIM of pictures (B, C, H, W) in -1..1, both sides at least 11 pixels. Returns: (B,) in -1..1.

    Source: Wang et al. 2004, equation 13; as a loss: Zhao et al. 2017, "Loss functions for image restoration".
    """
    channels = one.shape[1]
    places = torch.arange(WINDOW, dtype=one.dtype, device=one.device) - WINDOW // 2
    bell = torch.exp(-(places**2) / (2 * SIGMA**2))
    bell = bell / bell.sum()

    def blurred(x: Tensor) -> Tensor:
        rows = F.conv2d(x, bell.view(1, 1, -1, 1).expand(x.shape[1], 1, -1, 1), groups=x.shape[1])
        return F.conv2d(rows, bell.view(1, 1, 1, -1).expand(x.shape[1], 1, 1, -1), groups=x.shape[1])

    a, b = (one + 1) / 2, (other + 1) / 2
    moments = blurred(torch.cat([a, b, a * a, b * b, a * b], dim=1))  # one pass for all five
    mean_a, mean_b, aa, bb, ab = moments.split(channels, dim=1)
    alike = (2 * mean_a * mean_b + STEADY[0]) / (mean_a**2 + mean_b**2 + STEADY[0])
    together = (2 * (ab - mean_a * mean_b) + STEADY[1]) / (aa - mean_a**2 + bb - mean_b**2 + STEADY[1])
    return (alike * together).flatten(1).mean(1)
