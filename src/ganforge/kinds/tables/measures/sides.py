"""Which columns are measured, and seeded subsets of rows: every set that is compared is bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.core.seeds import seed_for
from ganforge.kinds.tables.columns import Column

LEFT_OUT = ("identifier", "constant")  # never learned, so there is nothing to measure
NUMBERS = ("integer", "decimal", "datetime")  # float64 in contracts.Plain


def measured(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns that metrics look at, in their order."""
    return tuple(column for column in columns if column.kind not in LEFT_OUT)


def is_number(column: Column) -> bool:
    """Whether its values have an order and distances; else they are texts."""
    return column.kind in NUMBERS


def row_count(table: Plain) -> int:
    """Rows of a table; 0 without columns."""
    return len(next(iter(table.values()), ()))


def take(table: Plain, rows: NDArray[np.int64] | slice) -> dict[str, NDArray[np.generic]]:
    """Some rows of every column."""
    return {name: values[rows] for name, values in table.items()}


def subset(table: Plain, columns: Sequence[Column], most: int, seed: int, purpose: str) -> Plain:
    """At most `most` rows in random order, the same for the same seed and purpose, of the measured columns."""
    names = [column.name for column in measured(columns)]
    rows = np.random.default_rng(seed_for(seed, f"metrics/tables/{purpose}")).permutation(row_count(table))[:most]
    return {name: table[name][rows] for name in names}


def joined(parts: Sequence[Mapping[str, NDArray[np.generic]]]) -> Plain:
    """The rows of several tables of the same columns, one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
