"""Scores of predicted classes and numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]


def auc(positive: NDArray[np.bool_], score: Floats) -> float:
    """Return how often a positive row (N,) scores above a negative one, ties counting half; 0.5 if one kind is absent.

    Source: Mann and Whitney 1947; it is the area under the receiver operating characteristic.
    """
    n = int(positive.sum())
    m = len(positive) - n
    if n == 0 or m == 0:
        return 0.5
    ranks = rankdata(score)
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def auc_standard_error(area: float, positives: int, negatives: int) -> float:
    """Return the standard error of an AUC (Hanley and McNeil 1982, equations 1 and 2)."""
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    square = area**2
    variance = area * (1 - area) + (positives - 1) * (q1 - square) + (negatives - 1) * (q2 - square)
    return float(np.sqrt(max(variance, 0.0) / (positives * negatives)))


def macro_auc(truth: NDArray[np.int64], scores: Floats, rows: NDArray[np.int64]) -> float:
    """Return the mean one-vs-rest `auc` over the classes that occur in some but not all of `rows`.

    Args: truth (N,) codes 0..K-1; scores (N, K).
    """
    kinds = [k for k in np.unique(truth[rows]) if (truth[rows] != k).any()]
    if len(kinds) == 2 and scores.shape[1] == 2:
        kinds = kinds[1:]  # of two classes, each is the other's rest
    return float(np.mean([auc(truth[rows] == k, scores[rows, k]) for k in kinds])) if kinds else 0.5


def rmse(measured: Floats, predicted: Floats) -> float:
    """Return the root mean squared error of (N,) predictions, in the target's units."""
    return float(np.sqrt(np.mean((measured - predicted) ** 2)))


def r_squared(measured: Floats, predicted: Floats) -> float:
    """Return 1 - squared error / squared distance from the mean of `measured`: 1 is exact, 0 as that mean.

    0 where `measured` does not vary.
    """
    spread = float(np.sum((measured - measured.mean()) ** 2))
    return 1.0 - float(np.sum((measured - predicted) ** 2)) / spread if spread > 0 else 0.0
