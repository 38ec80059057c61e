"""Rules and rows: which rows keep a rule, and the error that names the first one that does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.errors import DataError
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.rules.bins import broken_bins
from ganforge.kinds.tables.rules.conditions import Condition
from ganforge.kinds.tables.rules.expressions import evaluate, shown
from ganforge.kinds.tables.rules.rules import (
    Binned,
    Computed,
    Fixed,
    Joint,
    Ordered,
    Rule,
    Unique,
    daily,
    rule_columns,
    rule_in_words,
)
from ganforge.kinds.tables.rules.values import write_number


def check_rules(rules: Sequence[Rule], plain: Plain, columns: Sequence[Column], first_row: int) -> None:
    """Check that training rows keep the rules. Fixed, Seen and Joint are defined by the training rows, which keep them.

    Args: plain the rows of one chunk, (N,) each; first_row the number of the first of them, where the table's is 1.
        Values that come twice are found where both are in the chunk.
    Raises: DataError naming the first rule that is broken, the first row that breaks it, and its values.
    """
    by_name = {column.name: column for column in columns}
    for rule in rules:
        if isinstance(rule, Joint):
            continue
        rows = np.flatnonzero(_broken(rule, plain, None, by_name))
        if len(rows):
            cells = {name: plain[name][rows[0]] for name in rule_columns(rule)}
            numbers = {name: by_name[name] for name in cells if by_name[name].is_number}
            words = {n: write_number(v, numbers[n]) if n in numbers else repr(v) for n, v in cells.items()}
            values = " and ".join(f"{name!r} is {word}" for name, word in words.items())
            again = " for the second time" if isinstance(rule, Unique) else ""
            more = f" Of the rows read so far {len(rows):,} do." if len(rows) > 1 else ""
            raise DataError(
                f"Row {first_row + rows[0]:,} breaks the rule "
                f"{shown(rule_in_words(rule, columns))!r}: {values}{again}.{more}",
                "Generated rows keep a rule with certainty only where all training rows do.",
                "Correct the data, or leave this rule out of the plan.",
            )


def broken(rules: Sequence[Rule], rows: Plain, train: Plain, columns: Sequence[Column]) -> dict[str, int]:
    """Count the generated rows that break each rule.

    Args: rows the generated ones, (N,) each; train the training rows, (M,) each.
    Returns: rule in words -> rows, 0 for a rule that is kept; without those that say how columns are learned.
    """
    by_name = {column.name: column for column in columns}
    counted = [rule for rule in rules if not isinstance(rule, Joint)]
    return {rule_in_words(rule, columns): int(_broken(rule, rows, train, by_name).sum()) for rule in counted}


def on_one_scale(
    lower: str, upper: str, plain: Plain, columns: Mapping[str, Column]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return two columns' plain numbers (N,) in one unit: datetimes in the finer of the two resolutions."""
    units = [columns[name].unit for name in (lower, upper)]
    finest = min(units)  # not microseconds: days of far years would not be whole numbers any more
    return plain[lower] * (units[0] // finest), plain[upper] * (units[1] // finest)


def broken_rows(rule: Rule, rows: Plain, columns: Mapping[str, Column]) -> NDArray[np.bool_]:
    """Return which rows (N,) break a rule, as far as that can be seen without training rows."""
    return _broken(rule, rows, None, columns)


def _broken(rule: Rule, rows: Plain, train: Plain | None, columns: Mapping[str, Column]) -> NDArray[np.bool_]:
    """Return which rows (N,) break a rule; without training rows as far as that can be seen."""
    for (below, above), days in daily([rule], columns).items():
        return np.asarray(days.least(rows[below]) > rows[above])
    if isinstance(rule, Ordered):
        lower, upper = on_one_scale(rule.lower, rule.upper, rows, columns)
        return np.asarray(lower > upper)
    if isinstance(rule, Condition):
        return ~rule.holds(rows)
    if isinstance(rule, Binned | Computed):
        far = isinstance(rule, Computed) and rule.exact & (apart(rule, rows) > slack(rule, rows, columns))
        return broken_bins(rule, columns, rows, train) if isinstance(rule, Binned) else np.asarray(far)
    names = rule_columns(rule)
    there = pd.notna(rows[names[0]])
    known = _known(names, rows, train) if train else np.full(len(there), not isinstance(rule, Unique))
    if isinstance(rule, Unique):
        return np.asarray(there & (known | pd.Series(rows[names[0]]).duplicated()))
    return np.asarray(~known & (there | isinstance(rule, Fixed)))


def _known(names: Sequence[str], rows: Plain, train: Plain) -> NDArray[np.bool_]:
    """Return which rows (N,) equal some training row in these columns; missing values are equal."""
    made, real = (pd.MultiIndex.from_arrays([table[name] for name in names]) for table in (rows, train))
    return np.asarray(real.unique().get_indexer(made) >= 0)


# ---- computed columns -----------------------------------------------------------------------------------------------


def apart(rule: Computed, rows: Plain) -> NDArray[np.float64]:
    """Return how far the column is from what is computed, (N,); NaN where either is missing."""
    return np.asarray(np.abs(rows[rule.target] - evaluate(rule.expression, rows)))


def slack(rule: Computed, rows: Plain, columns: Mapping[str, Column]) -> NDArray[np.float64]:
    """Return how far the column may be from what is computed, (N,): half its last digit, and floating-point noise."""
    target = columns[rule.target]
    largest = np.max([np.abs(rows[name]) for name in rule_columns(rule)], axis=0)
    if target.kind == "decimal" and target.decimals is None:
        return np.asarray((1e-6 if target.dtype.lower().startswith("float32") else 1e-9) * largest)
    return np.asarray(0.5 * 10.0 ** -(target.decimals or 0) * (1 + 1e-9) + 1e-12 * largest)
