"""What every generated row keeps with certainty: `start <= end`, `city -> country`, `unique id`, `0 <= age <= 99`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.errors import DataError
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.datetimes import MICROSECONDS
from ganforge.kinds.tables.rules.bounds import ORDERED_KINDS, write_number
from ganforge.kinds.tables.rules.syntax import quoted_name


@dataclass(frozen=True, slots=True)
class Ordered:
    """`lower <= upper`: wherever both are there."""

    lower: str
    upper: str


@dataclass(frozen=True, slots=True)
class Within:
    """`low <= column <= high`, in plain units, wherever it is there."""

    column: str
    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True, slots=True)
class Fixed:
    """`city -> country`: only combinations of these columns that were seen in training, missing ones among them."""

    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unique:
    """`unique id`: no value twice, and none that stands in the training rows."""

    column: str


@dataclass(frozen=True, slots=True)
class Seen:
    """`seen store`: only values that stand in the training rows, such as a key into another table."""

    column: str


Rule = Ordered | Within | Fixed | Unique | Seen


def rule_in_words(rule: Rule, columns: Sequence[Column]) -> str:
    """A rule as a person would type it; `parse_rules` reads it as just this rule."""
    by_name = {column.name: column for column in columns}
    name = {column: quoted_name(column, by_name) for column in by_name}
    match rule:
        case Ordered():
            return f"{name[rule.lower]} <= {name[rule.upper]}"
        case Fixed():
            return f"{', '.join(name[column] for column in rule.columns[:-1])} -> {name[rule.columns[-1]]}"
        case Unique() | Seen():
            return f"{'unique' if isinstance(rule, Unique) else 'seen'} {name[rule.column]}"
        case Within():
            low, high = (
                write_number(end, by_name[rule.column]) if math.isfinite(end) else "" for end in (rule.low, rule.high)
            )
            if not low:
                return f"{name[rule.column]} <= {high}"
            return f"{low} <= {name[rule.column]} <= {high}" if high else f"{name[rule.column]} >= {low}"


def check_rules(rules: Sequence[Rule], plain: Plain, columns: Sequence[Column], first_row: int) -> None:
    """Sees whether training rows keep the rules. Fixed and Seen say what training rows hold, so these keep them.

    Args: plain the rows of one chunk, (N,) each; first_row the number of the first of them, where the table's is 1.
        Values that come twice are found where both are in the chunk.
    Raises: DataError naming the first rule that is broken, the first row that breaks it, and its values.
    """
    by_name = {column.name: column for column in columns}
    for rule in rules:
        rows = np.flatnonzero(_broken_alone(rule, plain, by_name))
        if len(rows):
            names = (rule.lower, rule.upper) if isinstance(rule, Ordered) else (rule.column,)  # type: ignore[union-attr]
            values = " and ".join(f"{name!r} is {_said(plain[name][rows[0]], by_name[name])}" for name in names)
            again = " for the second time" if isinstance(rule, Unique) else ""
            more = f" Of the rows read so far {len(rows):,} do." if len(rows) > 1 else ""
            raise DataError(
                f"Row {first_row + rows[0]:,} breaks the rule {rule_in_words(rule, columns)!r}: {values}{again}.{more}",
                "Generated rows keep a rule with certainty only where all training rows do.",
                "Correct the data, or leave this rule out of the plan.",
            )


def broken(rules: Sequence[Rule], rows: Plain, train: Plain, columns: Sequence[Column]) -> dict[str, int]:
    """How many generated rows break each rule.

    Args: rows the generated ones, (N,) each; train the training rows, (M,) each.
    Returns: rule in words -> rows, 0 for a rule that is kept.
    """
    by_name = {column.name: column for column in columns}
    return {rule_in_words(rule, columns): int(_broken_beside(rule, rows, train, by_name).sum()) for rule in rules}


def on_one_scale(
    lower: str, upper: str, plain: Plain, columns: Mapping[str, Column]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two columns' plain numbers (N,), counted alike: datetimes in the finer of the two resolutions."""
    units = [
        MICROSECONDS[columns[name].resolution or "D"] if columns[name].kind == "datetime" else 1
        for name in (lower, upper)
    ]
    finest = min(units)  # not microseconds: days of far years would not be whole numbers any more
    return plain[lower] * (units[0] // finest), plain[upper] * (units[1] // finest)


def combinations(names: Sequence[str], *tables: Plain) -> list[NDArray[np.int64]]:
    """Numbers (N,) for the rows of each table: the same number where all of these columns are the same."""
    lengths = np.cumsum([len(table[names[0]]) for table in tables])[:-1]
    codes = np.zeros(sum(len(table[names[0]]) for table in tables), dtype=np.int64)
    for name in names:
        values, _ = pd.factorize(np.concatenate([table[name] for table in tables]), use_na_sentinel=False)
        codes, _ = pd.factorize(codes * (values.max(initial=0) + 1) + values)  # again small, so the product fits
    return np.split(codes, lengths)


def _broken_alone(rule: Rule, plain: Plain, columns: Mapping[str, Column]) -> NDArray[np.bool_]:
    """Which rows (N,) break a rule, as far as that is seen without the training rows."""
    match rule:
        case Ordered():
            lower, upper = on_one_scale(rule.lower, rule.upper, plain, columns)
            return np.asarray(lower > upper)
        case Within():
            values = plain[rule.column]
            return np.asarray((values < rule.low) | (values > rule.high))
        case Unique():
            values = pd.Series(plain[rule.column])
            return np.asarray(values.duplicated() & values.notna())
        case Fixed() | Seen():
            return np.zeros(len(plain[rule.columns[0] if isinstance(rule, Fixed) else rule.column]), dtype=bool)


def _broken_beside(rule: Rule, rows: Plain, train: Plain, columns: Mapping[str, Column]) -> NDArray[np.bool_]:
    """Which rows (N,) break a rule, beside the training rows."""
    match rule:
        case Ordered() | Within():
            return _broken_alone(rule, rows, columns)
        case Fixed():
            made, real = combinations(rule.columns, rows, train)
            return ~np.isin(made, real)
        case Unique() | Seen():
            made, real = combinations([rule.column], rows, train)
            there = pd.Series(rows[rule.column]).notna().to_numpy()
            if isinstance(rule, Seen):
                return np.asarray(there & ~np.isin(made, real))
            return np.asarray(_broken_alone(rule, rows, columns) | (there & np.isin(made, real)))


def _said(value: object, column: Column) -> str:
    return write_number(float(value), column) if column.kind in ORDERED_KINDS else repr(value)  # type: ignore[arg-type]
