"""The public cells of a column: values to cells, and cells to values. Nothing here depends on the data.

A category has a cell for each value. A number has a cell for each whole number of a short range; else FINE cells of the
same width and, around 0, cells that double in width: they tell apart what is small, such as most incomes.
The last cell of a column that may be empty is that of missing values, of unknown categories and of unreadable numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.kinds.tables.columns import MICROSECONDS
from ganforge.kinds.tables.private.schema import PublicColumn, word_of

FINE = 64
SHORT = 256  # whole numbers of a range that each have a cell
HALVINGS = 14  # of the range of a decimal, down to its narrowest cell around 0
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of one column."""

    column: PublicColumn
    edges: NDArray[np.float64]  # (K + 1,) of a number, whose cells are [a, b); empty for a category

    @property
    def ordered(self) -> bool:
        return self.column.kind != "category"

    @property
    def valued(self) -> int:
        """Return the number of cells that hold values."""
        return len(self.edges) - 1 if self.ordered else len(self.column.categories)

    @property
    def count(self) -> int:
        """Return the number of cells, with that of missing values."""
        return self.valued + self.column.missing

    def encode(self, values: pd.Series[Any]) -> Codes:
        """Return the cell of each value (N,). A number beyond the range counts as the range's end.

        What cannot be read, and a category that the schema does not name, counts as missing, and in a column without
        missing values as its first cell.
        """
        if self.ordered:
            numbers = self._numbers(values)
            found = np.isfinite(numbers)
            inside = np.clip(np.where(found, numbers, 0.0), self.column.low, self.column.high)
            codes = np.clip(np.searchsorted(self.edges, inside, side="right") - 1, 0, self.valued - 1)
        else:
            places = {word: place for place, word in enumerate(self.column.categories)}
            words, first = pd.factorize(values.astype(object), use_na_sentinel=True)
            known = np.array([*(places.get(word_of(word), -1) for word in first), -1], np.int64)
            codes = known[words]
            found = codes >= 0
        return np.where(found, codes, self.valued if self.column.missing else 0).astype(np.int64)

    def decode(self, codes: Codes, random: np.random.Generator) -> NDArray[Any]:
        """Return a plain value of each cell (N,) (contracts.Plain): of a number any in the cell, all alike."""
        missing = codes >= self.valued
        codes = np.where(missing, 0, codes)
        if not self.ordered:
            words = np.array([*self.column.categories, None], object)
            return np.asarray(words[np.where(missing, -1, codes)], object)
        low, high = self.edges[codes], self.edges[codes + 1]
        values = low + (high - low) * random.random(len(codes))
        values = np.floor(values) if self.column.integer else np.clip(values, self.column.low, self.column.high)
        return np.where(missing, np.nan, values)

    def _numbers(self, values: pd.Series[Any]) -> NDArray[np.float64]:
        if self.column.kind == "number":
            return np.asarray(pd.to_numeric(values, errors="coerce"), np.float64)
        moments = pd.to_datetime(values, errors="coerce", format=self.column.format or "ISO8601", utc=True)
        seconds = moments.dt.tz_convert(None).to_numpy().astype("datetime64[s]").astype(np.int64)
        counts = seconds // (MICROSECONDS[self.column.resolution or "D"] // 1_000_000)
        return np.where(moments.isna().to_numpy(), np.nan, counts.astype(np.float64))


def cells_of(column: PublicColumn) -> Cells:
    """Return the cells of a column whose bounds are known."""
    if column.kind == "category":
        return Cells(column, np.empty(0))
    assert column.low is not None and column.high is not None
    low, high = column.low, column.high
    if column.integer and high - low < SHORT:
        return Cells(column, np.arange(low, high + 2))
    size = max(abs(low), abs(high))
    unit = 1.0 if column.integer else (high - low) / 2**HALVINGS
    steps = unit * 2.0 ** np.arange(0, np.log2(size / unit))
    edges = np.concatenate([np.linspace(low, high, FINE + 1), steps, -steps, [0.0]])
    edges = edges[(low < edges) & (edges < high)]
    if column.integer:
        return Cells(column, np.unique([low, *np.ceil(edges), high + 1]))
    return Cells(column, np.unique([low, *edges, high]))
