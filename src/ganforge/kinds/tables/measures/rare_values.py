"""Values that few training rows have, such as 18 frauds: whether the other columns under them are right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from ganforge.contracts import Plain
from ganforge.kinds.tables.columns import RARE, Column, learned
from ganforge.kinds.tables.rules.values import write_number

FEWEST = 8  # rows of a value on each side, from which on the others are compared
FEW_VALUES = 10  # of a column: with more of them, rare ones are no class of their own
CERTAIN = 1e-6  # probability by chance: many values and columns are compared


def rare_sentences(train: Plain, rows: Plain, columns: Sequence[Column]) -> list[str]:
    """Return a sentence for each rare value under which a column of numbers is elsewhere than in the real rows.

    Of each value the column that is furthest off by a rank test (Mann and Whitney 1947). Args: train, rows plain
    columns (N,) and (M,).
    """
    return [sentence for column in learned(columns) for sentence in _of_column(column, train, rows, columns)]


def _of_column(column: Column, train: Plain, rows: Plain, columns: Sequence[Column]) -> Iterator[str]:
    counts = pd.Series(train[column.name]).value_counts()
    for value, count in counts.items() if len(counts) <= FEW_VALUES else ():
        theirs, mine = train[column.name] == value, rows[column.name] == value
        if not FEWEST <= count < RARE or mine.sum() < FEWEST:
            continue
        worst, least = None, CERTAIN
        for other in learned(columns):
            if other.name == column.name or not other.is_number:
                continue
            real, made = (side[~np.isnan(side)] for side in (train[other.name][theirs], rows[other.name][mine]))
            if min(len(real), len(made)) < FEWEST:
                continue
            chance = float(stats.mannwhitneyu(real, made, method="asymptotic").pvalue)
            if chance < least:
                worst, least = (other, float(np.median(real)), float(np.median(made))), chance
        if worst:
            other, real_median, made_median = worst
            name = write_number(float(value), column) if column.is_number else str(value)
            yield (
                f"{column.name} is {name} in {count} training rows, too few to learn from: with it the median of "
                f"{other.name} is {_number(made_median, other)}, {_number(real_median, other)} in the real rows."
            )


def _number(value: float, column: Column) -> str:
    return write_number(round(value), column) if column.kind == "datetime" else f"{value:,.4g}"
