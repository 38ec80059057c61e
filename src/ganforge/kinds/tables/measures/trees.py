"""Boosted trees, and how good their answers are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

LEAF = 20  # rows of a leaf, scikit-learn's default, but a twentieth of the rows where there are few

Floats = NDArray[np.float64]


def fit_tree(x: Floats, y: NDArray[Any], categorical: list[bool], *, classes: bool) -> Any:
    """A boosted tree with scikit-learn's settings.

    Args: y (N,) classes of at least two kinds, or numbers without missing ones; categorical which columns of x (N, F)
        are codes.
    """
    model = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    leaf = min(LEAF, max(1, len(y) // 20))
    return model(random_state=0, categorical_features=categorical, min_samples_leaf=leaf).fit(x, y)


def auc(positive: NDArray[np.bool_], score: Floats) -> float:
    """How often a positive row (N,) scores above a negative one, ties counting half; 0.5 where one kind is absent.

    Source: Mann and Whitney 1947; it is the area under the receiver operating characteristic.
    """
    n = int(positive.sum())
    m = len(positive) - n
    if n == 0 or m == 0:
        return 0.5
    ranks = rankdata(score)
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def auc_standard_error(area: float, positives: int, negatives: int) -> float:
    """Source: Hanley and McNeil 1982, equations 1 and 2."""
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    square = area**2
    variance = area * (1 - area) + (positives - 1) * (q1 - square) + (negatives - 1) * (q2 - square)
    return float(np.sqrt(max(variance, 0.0) / (positives * negatives)))


def macro_auc(truth: NDArray[np.int64], scores: Floats, rows: NDArray[np.int64]) -> float:
    """The mean of `auc` of each class against the rest, over the classes that occur among `rows` and are not all.

    Args: truth (N,) codes 0..K-1; scores (N, K).
    """
    kinds = [k for k in np.unique(truth[rows]) if (truth[rows] != k).any()]
    if len(kinds) == 2 and scores.shape[1] == 2:
        kinds = kinds[1:]  # two classes are each other's rest
    return float(np.mean([auc(truth[rows] == k, scores[rows, k]) for k in kinds])) if kinds else 0.5


def explained(truth: Floats, predicted: Floats, rows: NDArray[np.int64]) -> float:
    """R^2: 1 is exact, 0 is what the mean of `truth` gets; 0 where that does not vary."""
    spread = float(((truth[rows] - truth[rows].mean()) ** 2).sum())
    return 1 - float(((truth[rows] - predicted[rows]) ** 2).sum()) / spread if spread > 0 else 0.0
