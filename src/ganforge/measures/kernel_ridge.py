"""Kernel ridge regression with the predictions of each example by all others, which tell how well it generalises.

Shape letters here: N examples, F features, D targets, M landmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from ganforge.core.seeds import subset

Array = NDArray[np.float64]
Kernel = Callable[[Array, Array], Array]  # (A, F), (B, F) -> similarities (A, B), positive semi-definite

MOST_LANDMARKS = 2_000  # up to as many examples the regression is exact
NOTHING = 1e-8  # of the largest eigenvalue: smaller ones are noise of the arithmetic


@dataclass(frozen=True, slots=True)
class KernelRidge:
    """A regression on similarities with landmarks: all examples, or, of many, a random part (Nystroem)."""

    landmarks: NDArray[np.int64]  # (M,) places among the examples
    weights: Array  # (M, D)
    mean: Array  # (D,)
    left_out: Array  # (N, D) the prediction of each example by a regression on the others

    def predict(self, similarities: Array) -> Array:
        """Return predictions (Q, D). Args: similarities (Q, M) with the landmarks."""
        predicted: Array = self.mean + similarities @ self.weights
        return predicted


def fit_kernel_ridge(
    kernel: Kernel, x: Array, y: Array, penalties: Sequence[float], most: int = MOST_LANDMARKS
) -> list[KernelRidge]:
    """Fit a regression for each penalty, which costs little more than one. Args: x (N, F); y (N, D).

    With an eigenbasis P of the landmarks' kernel the features are K P, on which it is a ridge regression: the same as
    kernel ridge where all examples are landmarks. An example's own residual, divided by 1 - its leverage, is that of
    the regression without it.
    """
    count = len(x)
    landmarks = np.arange(count) if count <= most else np.sort(subset(count, most, "kernel ridge"))
    values, vectors = eigh(kernel(x[landmarks], x[landmarks]))
    kept = values > NOTHING * values[-1]
    basis = vectors[:, kept] / np.sqrt(values[kept])
    features = kernel(x, x[landmarks]) @ basis  # (N, R)
    squares, turn = eigh(features.T @ features)
    features, basis = features @ turn, basis @ turn
    mean = y.mean(0)
    products = features.T @ (y - mean)
    fitted = []
    for penalty in penalties:
        shrunk = 1 / (squares + penalty)
        leverage = np.minimum((features**2) @ shrunk, 0.999)[:, None]
        whole = features @ (shrunk[:, None] * products)
        left_out = y - (y - mean - whole) / (1 - leverage)
        fitted.append(KernelRidge(landmarks, basis @ (shrunk[:, None] * products), mean, left_out))
    return fitted
