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


def macro_auc(truth: NDArray[np.int64], scores: Floats, blocks: int) -> Floats:
    """Return the mean one-vs-rest `auc` over classes, of all rows and then without each block: (blocks + 1,).

    Row i is in block i modulo `blocks`. Classes count that occur in some but not all of the rows; 0.5 where none does.
    A pair of rows counts in every area but those without one of its blocks: it is counted once, for its two blocks.

    Args: truth (N,) codes 0..K-1; scores (N, K).
    """
    block, kinds = np.arange(len(truth)) % blocks, np.unique(truth)
    if len(kinds) == 2 and scores.shape[1] == 2:
        kinds = kinds[1:]  # of two classes, each is the other's rest
    areas = np.full((len(kinds), blocks + 1), np.nan)
    for area, kind in zip(areas, kinds, strict=True):
        _, rank = np.unique(scores[:, kind], return_inverse=True)
        size = int(rank.max()) + 1
        positive, negative = (
            np.bincount(rank[side] * blocks + block[side], minlength=size * blocks).reshape(size, blocks).astype(float)
            for side in (truth == kind, truth != kind)
        )
        won = positive.T @ (np.cumsum(negative, axis=0) - negative / 2)  # (blocks, blocks) pairs, ties counting half
        there = np.outer(positive.sum(axis=0), negative.sum(axis=0))
        np.divide(_without_each(won), _without_each(there), out=area, where=_without_each(there) > 0)
    known = ~np.isnan(areas)
    means: Floats = np.nansum(areas, axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known.any(axis=0), means, 0.5)


def _without_each(pairs: Floats) -> Floats:
    """Sum pairs of blocks (B, B): all, then all but those of each block, (B + 1,)."""
    left = pairs.sum() - pairs.sum(axis=0) - pairs.sum(axis=1) + np.diag(pairs)
    return np.concatenate([[pairs.sum()], left])


def rmse(measured: Floats, predicted: Floats) -> float:
    """Return the root mean squared error of (N,) predictions, in the target's units."""
    return float(np.sqrt(np.mean((measured - predicted) ** 2)))


def r_squared(measured: Floats, predicted: Floats) -> float:
    """Return 1 - squared error / squared distance from the mean of `measured`: 1 is exact, 0 as that mean.

    0 where `measured` does not vary.
    """
    spread = float(np.sum((measured - measured.mean()) ** 2))
    return 1.0 - float(np.sum((measured - predicted) ** 2)) / spread if spread > 0 else 0.0
