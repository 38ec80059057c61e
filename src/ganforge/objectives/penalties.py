"""Gradient penalties: exact, at every step, one value per example.

The discriminator sees real and fake in ONE pass over 2B examples and is differentiated once with respect to its input.
That is allowed because no layer of a ganforge network ties the examples of a batch together.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganforge.contracts import BoundDiscriminator
from ganforge.core.device import span, widened


@dataclass(frozen=True, slots=True)
class Scores:
    """The discriminator's scores and the squared norms of their gradients, each (B,) in float32."""

    real: Tensor
    fake: Tensor
    slope_real: Tensor | None  # None when no penalty was asked for
    slope_fake: Tensor | None


def score_both(discriminator: BoundDiscriminator, real: Tensor, fake: Tensor, with_slopes: bool) -> Scores:
    """Scores real and fake (B, ...) in one pass, with their squared slopes when asked for."""
    both = torch.cat([real, fake])  # (2B, ...)
    if not with_slopes:
        real_score, fake_score = widened(discriminator(both)).chunk(2)
        return Scores(real_score, fake_score, None, None)
    both.requires_grad_()
    score = widened(discriminator(both))  # (2B,)
    slope_real, slope_fake = squared_slope(score, both).chunk(2)
    real_score, fake_score = score.chunk(2)
    return Scores(real_score, fake_score, slope_real, slope_fake)


def squared_slope(score: Tensor, x: Tensor) -> Tensor:
    """Squared norm of each score's gradient with respect to its own input: the R1 or R2 penalty before its weight.

    Args: score (B,), produced from x; x (B, ...), requires grad.
    Returns: (B,) float32, in score^2 / input^2, with a graph.
    Source: Mescheder, Geiger and Nowozin 2018, equation 9.
    """
    with span("penalty"):
        (slope,) = torch.autograd.grad(score.sum(), x, create_graph=True)
        return widened(slope).square().sum(dim=tuple(range(1, slope.dim())))
