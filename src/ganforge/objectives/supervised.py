"""Plain backpropagation: what a game of one player minimises."""

from __future__ import annotations

from torch import Tensor

from ganforge.contracts import Loss
from ganforge.core.precision import widened


def squared_error(prediction: Tensor, target: Tensor) -> Loss:
    """The textbook's L = 1/(2m) sum (h(x) - y)^2, as one loss per example: (h(x) - y)^2 / 2.

    Args: prediction, target (B,).
    """
    return Loss({"squared_error": 0.5 * (widened(prediction) - widened(target)).square()})
