"""Kernel ridge regression with predictions of examples by others alone, which tell how well it generalises.

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
    left_out: Array  # (N, D) the prediction of each example by a regression without it

    def predict(self, similarities: Array) -> Array:
        """Return predictions (Q, D). Args: similarities (Q, M) with the landmarks."""
        predicted: Array = self.mean + similarities @ self.weights
        return predicted


def fit_kernel_ridge(
    kernel: Kernel,
    x: Array,
    y: Array,
    penalties: Sequence[float],
    *,
    parts: NDArray[np.int64] | None = None,
    most: int = MOST_LANDMARKS,
) -> list[KernelRidge]:
    """Fit a regression for each penalty, which costs little more than one.

    Args: x (N, F); y (N, D); parts (N,) which part each example is left out with; None: each is left out alone. Where
        predictions are ranked, equal examples must be left out together: the one with the higher y, left out alone,
        gets the lower prediction.

    With an eigenbasis P of the landmarks' kernel the features are K P, on which it is a ridge regression: the same as
    kernel ridge where all examples are landmarks. With the hat matrix H, (1 - H)^-1 of a part times the residuals there
    gives those of the regression without it.
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
        residuals = y - mean - features @ (shrunk[:, None] * products)
        if parts is None:
            residuals /= 1 - np.minimum((features**2) @ shrunk, 0.999)[:, None]
        else:
            for part in np.unique(parts):
                own = np.flatnonzero(parts == part)
                hat = (features[own] * shrunk) @ features[own].T
                residuals[own] = np.linalg.solve(np.eye(len(own)) - hat, residuals[own])
        left_out = y - residuals
        fitted.append(KernelRidge(landmarks, basis @ (shrunk[:, None] * products), mean, left_out))
    return fitted
