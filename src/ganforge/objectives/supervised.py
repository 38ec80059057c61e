"""Plain backpropagation: what a game of one player minimises."""

from __future__ import annotations

from torch import Tensor

from ganforge.contracts import Loss
from ganforge.core.device import widened


def squared_error(prediction: Tensor, target: Tensor) -> Loss:
    """The textbook's L = 1/(2m) sum (h(x) - y)^2, as one loss per example: (h(x) - y)^2 / 2.

    Args: prediction, target (B,).
    """
    return Loss({"squared_error": 0.5 * (widened(prediction) - widened(target)).square()})


def softened_error(made: Tensor, truth: Tensor, softness: float) -> Tensor:
    """(B,): the mean of sqrt(d^2 + softness^2) - softness, d the difference of values in -1..1.

    An error far below `softness` counts squared, so that its gradient ends where it does; one far above as it is.
    Source: Charbonnier et al. 1994, "Two deterministic half-quadratic regularization algorithms for computed imaging".
    """
    difference = (widened(made) - widened(truth)).flatten(1)
    return ((difference.square() + softness**2).sqrt() - softness).mean(1)
