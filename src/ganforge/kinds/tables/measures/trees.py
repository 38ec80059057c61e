"""What a boosted tree sees of a table, and how good its answers are, with blocks of rows left out for the interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from ganforge.contracts import Plain
from ganforge.kinds.tables.columns import Column, learned
from ganforge.kinds.tables.measures.coding import by_frequency, ranks

MOST_CATEGORIES = 250  # of one column; scikit-learn's trees take at most 255
LEAF = 20  # rows of a leaf, scikit-learn's default, but a twentieth of the rows where there are few

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TreeView:
    """Columns as a matrix: numbers as they are, texts as codes by their frequency, missing as NaN."""

    columns: tuple[Column, ...]
    known: dict[str, pd.Index[str]]

    @classmethod
    def fit(cls, train: Plain, columns: Sequence[Column]) -> TreeView:
        """Args: train, whose texts are told apart; all others count as one."""
        chosen = learned(columns)
        texts = {c.name: by_frequency(train[c.name])[:MOST_CATEGORIES] for c in chosen if not c.is_number}
        return cls(chosen, texts)

    def matrix(self, table: Plain, without: str | None = None) -> Floats:
        """float64 (N, F), the column `without` left out."""
        parts = []
        for column in self.columns:
            values = table[column.name]
            if column.name == without:
                continue
            if column.name in self.known:
                values = np.where(pd.isna(values), np.nan, ranks(values, self.known[column.name]))
            parts.append(np.asarray(values, np.float64))
        return np.stack(parts, axis=1)

    def categorical(self, without: str | None = None) -> list[bool]:
        """Which features are codes."""
        return [column.name in self.known for column in self.columns if column.name != without]


def fit_classes(x: Floats, y: NDArray[np.int64], categorical: list[bool]) -> Any:
    """A boosted tree, scikit-learn's settings, for classes y (N,) of at least two kinds."""
    model = HistGradientBoostingClassifier(
        random_state=0, categorical_features=categorical, min_samples_leaf=_leaf(len(y))
    )
    return model.fit(x, y)


def fit_number(x: Floats, y: Floats, categorical: list[bool]) -> Any:
    """A boosted tree for numbers y (N,) without missing ones."""
    model = HistGradientBoostingRegressor(
        random_state=0, categorical_features=categorical, min_samples_leaf=_leaf(len(y))
    )
    return model.fit(x, y)


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


def _leaf(rows: int) -> int:
    return min(LEAF, max(1, rows // 20))
