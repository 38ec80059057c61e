"""How well missing cells are filled: cells that are there are hidden, filled, and compared with what they held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.core.seeds import seed_for
from ganforge.kinds.tables.columns import LEARNED, Column
from ganforge.measures.intervals import Estimate, from_bootstrap

HIDDEN = 0.2  # share of the cells, as the papers have it
NEIGHBOURS, MOST_ROWS = 5, 5_000  # of k-nearest neighbours, and training rows that rivals learn from


@dataclass(frozen=True, slots=True)
class Holes:
    """Rows with hidden cells, and which cells were hidden, (N,) for each learned column."""

    truth: Plain
    rows: Plain
    hidden: dict[str, NDArray[np.bool_]]


def hide(plain: Plain, columns: Sequence[Column], seed: int) -> Holes:
    """Hides a fifth of the cells that are there, at random and independently (missing completely at random)."""
    random = np.random.default_rng(seed_for(seed, "metrics/hidden cells"))
    rows, hidden = dict(plain), {}
    for column in columns:
        if column.kind in LEARNED:
            values = plain[column.name]
            hidden[column.name] = (random.random(len(values)) < HIDDEN) & ~pd.isna(values)
            rows[column.name] = values.copy()
            rows[column.name][hidden[column.name]] = np.nan if column.is_number else None
    return Holes(plain, rows, hidden)


def filling_scores(holes: Holes, filled: Plain, columns: Sequence[Column]) -> dict[str, Estimate]:
    """`rmse` over hidden cells of numbers, each column scaled by its range, and `accuracy` over those of categories.

    With 95 % intervals by bootstrap over cells. Source: the measure of Yoon et al. 2018, GAIN.
    """
    errors, right = [], []
    for column in columns:
        if column.name not in holes.hidden:
            continue
        cells = holes.hidden[column.name]
        truth, told = holes.truth[column.name][cells], filled[column.name][cells]
        if column.is_number:
            width = (column.maximum or 0.0) - (column.minimum or 0.0)
            errors.append((truth - told) / (width or 1.0))
        else:
            right.append(truth == told)
    scores = {}
    random = np.random.default_rng(seed_for(0, "metrics/imputation"))
    if errors and len(squares := np.concatenate(errors) ** 2):
        scores["rmse"] = from_bootstrap(lambda cells: float(np.sqrt(squares[cells].mean())), len(squares), random)
    if right and len(hits := np.concatenate(right).astype(np.float64)):
        scores["accuracy"] = from_bootstrap(lambda cells: float(hits[cells].mean()), len(hits), random)
    return scores


def by_means(train: Plain, rows: Plain, columns: Sequence[Column]) -> Plain:
    """The simplest filling: a column's mean, or its most frequent value."""
    filled = dict(rows)
    for column in columns:
        values, there = rows[column.name], ~pd.isna(train[column.name])
        if column.kind in LEARNED and there.any():
            known = pd.Series(train[column.name][there])
            guess = float(known.mean()) if column.is_number else known.mode()[0]
            filled[column.name] = np.where(pd.isna(values), guess, values)
    return filled


def by_neighbours(train: Plain, rows: Plain, columns: Sequence[Column]) -> Plain:
    """The mean, or the most frequent value, of the nearest training rows by the numbers that are there."""
    from sklearn.impute import KNNImputer

    return _by_numbers(KNNImputer(n_neighbors=NEIGHBOURS, keep_empty_features=True), train, rows, columns)


def by_regression(train: Plain, rows: Plain, columns: Sequence[Column]) -> Plain:
    """Each number from all others by linear regression, round after round (iterative imputation)."""
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - it makes the next line possible
    from sklearn.impute import IterativeImputer

    return _by_numbers(IterativeImputer(max_iter=10, tol=0.01, keep_empty_features=True), train, rows, columns)


def _by_numbers(imputer: object, train: Plain, rows: Plain, columns: Sequence[Column]) -> Plain:
    """Numbers by an imputer of scikit-learn on columns scaled by their range; everything else by `by_means`."""
    numeric = [column for column in columns if column.is_number]
    filled = dict(by_means(train, rows, columns))
    if not numeric:
        return filled
    low = np.array([column.minimum or 0.0 for column in numeric])
    width = np.array([(column.maximum or 0.0) - (column.minimum or 0.0) or 1.0 for column in numeric])
    known, asked = (
        (np.stack([table[column.name] for column in numeric], axis=1) - low) / width for table in (train, rows)
    )
    told = imputer.fit(known[:MOST_ROWS]).transform(asked) * width + low  # type: ignore[attr-defined]
    return filled | {column.name: told[:, place] for place, column in enumerate(numeric)}
