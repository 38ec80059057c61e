"""Columns as small whole numbers: categories by frequency, numbers cut at the quantiles of the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.kinds.tables.columns import Column, learned

MOST_VALUES = 10_000  # of one category that are told apart; the rarer ones count as one
BINS = 10  # of a number beside a category
MOST_CATEGORIES = 250  # that a tree tells apart; scikit-learn's take at most 255
MISSING = 0  # the code of a missing value, in every column

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Coded:
    """A table as a `Coding` sees it, by the name of a column.

    numbers: float64 (N,) with NaN for missing, of number columns only. codes: (N,) of every column, 0 for missing; of a
    number its quantile bin from 1 on; of a category the rank of its frequency from 1 on.
    """

    count: int
    numbers: dict[str, NDArray[np.float64]]
    codes: dict[str, Codes]
    sizes: dict[str, int]  # codes of a column lie in 0..size-1


@dataclass(frozen=True, slots=True)
class Coding:
    """How columns become codes, as fitted on real rows. The last code of a category is every other text."""

    columns: tuple[Column, ...]
    values: dict[str, pd.Index[str]]  # of a category, the most frequent first
    edges: dict[str, NDArray[np.float64]]  # of a number: inner bin edges, ascending, each closing its bin

    @classmethod
    def fit(cls, real: Plain, columns: Sequence[Column]) -> Coding:
        """Args: real, from whose rows frequencies and quantiles are taken."""
        chosen = learned(columns)
        values, edges = {}, {}
        for column in chosen:
            given = real[column.name]
            if column.is_number:
                there = given[~np.isnan(given)]
                cuts = np.arange(1, BINS) / BINS
                ends = np.quantile(there, cuts, method="inverted_cdf") if len(there) else there
                edges[column.name] = np.unique(ends)
            else:
                values[column.name] = by_frequency(given)[:MOST_VALUES]
        return cls(chosen, values, edges)

    def code(self, table: Plain) -> Coded:
        """The codes of another table of the same columns."""
        numbers, codes, sizes, count = {}, {}, {}, 0
        for column in self.columns:
            given, name = table[column.name], column.name
            count = len(given)
            if column.is_number:
                numbers[name] = np.asarray(given, np.float64)
                bins = np.searchsorted(self.edges[name], numbers[name], side="left") + 1
                codes[name] = np.where(np.isnan(numbers[name]), MISSING, bins).astype(np.int64)
                sizes[name] = len(self.edges[name]) + 2
            else:
                codes[name] = MISSING + 1 + ranks(given, self.values[name])
                sizes[name] = len(self.values[name]) + 2
        return Coded(count, numbers, codes, sizes)

    def features(self, table: Plain, without: str | None = None) -> NDArray[np.float64]:
        """What a boosted tree sees, (N, F): texts as codes by their frequency, missing values as NaN.

        Args: without a column that is left out.
        """
        parts = []
        for column in self.columns:
            values = table[column.name]
            if column.name in self.values:
                codes = np.minimum(ranks(values, self.values[column.name]), MOST_CATEGORIES)
                values = np.where(codes < 0, np.nan, codes)
            if column.name != without:
                parts.append(np.asarray(values, np.float64))
        return np.stack(parts, axis=1)

    def categorical(self, without: str | None = None) -> list[bool]:
        """Which features are codes."""
        return [column.name in self.values for column in self.columns if column.name != without]


def ranks(values: NDArray[np.generic], known: pd.Index[str]) -> Codes:
    """The place of each text (N,) among the known ones; K for one that is none of these K, -1 for a missing one."""
    places = known.get_indexer(pd.Index(values, dtype=object))
    return np.where(pd.isna(values), -1, np.where(places < 0, len(known), places)).astype(np.int64)


def by_frequency(values: NDArray[np.generic]) -> pd.Index[str]:
    """The distinct texts, the most frequent first, equally frequent ones by the alphabet; missing ones left out."""
    counts = pd.Series(values, dtype=object).value_counts(dropna=True)
    frame = pd.DataFrame({"text": counts.index.astype(object), "count": counts.to_numpy()})
    ordered = frame.sort_values(["count", "text"], ascending=[False, True], kind="stable")["text"]
    return pd.Index(ordered.to_numpy(), dtype=object)
