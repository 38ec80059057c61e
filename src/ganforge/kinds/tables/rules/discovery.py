"""Rules that hold in every training row and are worth keeping: found, not asked for.

Only rules that hardly hold by chance are named: an order of datetimes, or of numbers with such names; a category that
determines another one, unlike independent columns; parts of a date; ranges; coordinates; identifiers that never occur
twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.kinds.tables.columns import LEARNED, Column
from ganforge.kinds.tables.rules.bins import find_calendar, find_ranges
from ganforge.kinds.tables.rules.chance import Codes, decides, may_be_decided
from ganforge.kinds.tables.rules.checks import on_one_scale
from ganforge.kinds.tables.rules.coordinates import find_coordinates, words_of
from ganforge.kinds.tables.rules.relations import find_relations, listed
from ganforge.kinds.tables.rules.rules import Fixed, Ordered, Rule, Unique

FEWEST_ROWS = 100  # with both values, for a rule to be found at all
FEWEST_EACH = 5  # rows for each value that decides another column, on average: where there are fewer, rows that are
# once more in the table do not count
MOST_DECIDING = 50_000  # values
MOST_WHOLE_NUMBERS = 5_000  # values of an integer column that decides, such as the number of a student
FIRST_LOOK = 1_000  # rows on which most columns show that they are not decided
LOW_WORDS = {  # words for a lower number -> for the upper one
    "min": "max", "minimum": "maximum", "low": "high", "lower": "upper", "lowest": "highest", "from": "to",
    "start": "end", "begin": "end", "first": "last", "earliest": "latest", "net": "gross", "part": "total",
}  # fmt: skip


def find_rules(plain: Plain, columns: Sequence[Column]) -> list[tuple[Rule, str]]:
    """Find rules that all of these rows keep, as (rule, why it was found).

    Of datetimes a <= b <= c only neighbours are named, where b is there in every row that has a and c; of columns that
    decide each other only the first; no column is decided by two that do not decide each other, because keeping both
    rules would keep only seen combinations of these two. So `combined` takes all of them together.

    Args: plain the training rows, or many of them, (N,) each.
    """
    orders, binned = list(_orders(plain, columns)), find_calendar(plain, columns)
    ordered = frozenset(name for rule, _ in orders for name in (rule.lower, rule.upper))
    joint = find_coordinates(plain, columns)
    placed = {name for rule, _ in joint for name in rule.columns}
    dated = {rule.target for rule, _ in binned}
    apart = [column for column in columns if column.name not in dated]
    relations = [
        (rule, why) for rule, why in find_relations(plain, apart, ordered) if rule.exact or rule.target not in placed
    ]
    computed = dated | {rule.target for rule, _ in relations}
    deciding = list(_deciding(plain, [column for column in columns if column.name not in computed]))
    fixed = {name for rule, _ in deciding for name in rule.columns}
    free = [c for c in columns if c.kind in ("category", "boolean") and c.name not in computed | fixed]
    binned += find_ranges(plain, columns, free)
    decided = fixed | {rule.target for rule, _ in binned}
    orders = [(rule, why) for rule, why in orders if not {rule.lower, rule.upper} & decided]
    joint = [(rule, why) for rule, why in joint if not {*rule.columns} & (computed | fixed | ordered)]
    return [*orders, *relations, *binned, *deciding, *joint, *_identifiers(plain, columns)]


def find_large_keys(plain: Plain, columns: Sequence[Column]) -> list[str]:
    """Return a sentence for each category that decides other columns, and has too many values for a rule.

    Args: plain as `find_rules`.
    """
    large = [column.name for column in columns if column.kind == "category" and column.distinct > MOST_DECIDING]
    codes = {column.name: _codes(plain[column.name]) for column in columns if large and column.kind in LEARNED}
    counts = {name: int(code.max(initial=-1)) + 1 for name, code in codes.items()}
    sentences = []
    for name in large:
        first = np.flatnonzero((codes[name] >= 0) & ~pd.Series(codes[name]).duplicated())
        others = [other for other in codes if other != name and counts[other] > 1]
        decided = [other for other in others if decides(codes[name], first, codes[other], counts[other])]
        if decided:
            sentences.append(
                f"{name!r} decides {listed(decided)}, but has more than {MOST_DECIDING:,} values: new rows do not keep "
                "this. Leave the column out and add it to new rows afterwards, or give its values groups."
            )
    return sentences


# ---- a <= b ---------------------------------------------------------------------------------------------------------


def _orders(plain: Plain, columns: Sequence[Column]) -> Iterator[tuple[Ordered, str]]:
    by_name = {column.name: column for column in columns}
    orders = {}
    for lower in columns:
        for upper in columns:
            if lower.name != upper.name and _comparable(lower, upper):
                rows = _rows_in_order(plain, lower.name, upper.name, by_name)
                if rows:
                    orders[lower.name, upper.name] = rows
    for (lower_name, upper_name), rows in orders.items():
        between = [name for name in by_name if (lower_name, name) in orders and (name, upper_name) in orders]
        if not any(_always_between(plain, lower_name, name, upper_name) for name in between):
            yield (
                Ordered(lower_name, upper_name),
                f"{lower_name} is never above {upper_name} in the {rows:,} rows that have both.",
            )


def _comparable(lower: Column, upper: Column) -> bool:
    """Return whether an order of the two is unlikely to be a coincidence: datetimes, or numbers with such names."""
    if lower.kind == upper.kind and lower.kind in ("datetime", "time"):
        return (lower.zone is None) == (upper.zone is None)
    if lower.kind not in ("integer", "decimal") or upper.kind not in ("integer", "decimal"):
        return False
    low, high = words_of(lower.name), words_of(upper.name)
    changed = [(a, b) for a, b in zip(low, high, strict=False) if a != b]
    return len(low) == len(high) and len(changed) == 1 and LOW_WORDS.get(changed[0][0]) == changed[0][1]


def _rows_in_order(plain: Plain, lower: str, upper: str, columns: Mapping[str, Column]) -> int:
    """Return how many rows have both, if all of them are in order and not by the ranges alone; else 0."""
    low, high = on_one_scale(lower, upper, plain, columns)
    there = ~(np.isnan(low) | np.isnan(high))
    low, high = low[there], high[there]
    if len(low) < FEWEST_ROWS or (low > high).any() or low.max() <= high.min() or (low == high).all():
        return 0
    return len(low)


def _always_between(plain: Plain, lower: str, middle: str, upper: str) -> bool:
    """Return whether the middle column is present wherever both others are: only then their order follows from its."""
    return not (np.isnan(plain[middle]) & ~np.isnan(plain[lower]) & ~np.isnan(plain[upper])).any()


# ---- a -> b ---------------------------------------------------------------------------------------------------------


def _deciding(plain: Plain, columns: Sequence[Column]) -> Iterator[tuple[Fixed, str]]:
    codes = {column.name: _codes(plain[column.name]) for column in columns if column.kind in LEARNED}
    counts = {name: int(code.max(initial=-1)) + 1 for name, code in codes.items()}
    codes = {name: code for name, code in codes.items() if 2 <= counts[name] <= MOST_DECIDING}
    repeated = pd.DataFrame(codes).duplicated().to_numpy() if codes else np.zeros(0, dtype=bool)
    decided: dict[str, list[str]] = {}
    heads = np.stack([code[:FIRST_LOOK] for code in codes.values()]) if codes else np.zeros((0, 0), np.int64)
    for column in columns:
        deciding, whole = column.name, column.kind == "integer" and column.distinct <= MOST_WHOLE_NUMBERS
        if deciding not in codes or not (whole or column.kind in ("category", "boolean")):
            continue
        there = codes[deciding] >= 0
        if there.sum() < FEWEST_EACH * counts[deciding]:
            there &= ~repeated
        code = np.where(there, codes[deciding], -1)
        if there.sum() >= FEWEST_ROWS + (counts[deciding] if there.sum() < FEWEST_EACH * counts[deciding] else 0):
            first = np.flatnonzero(there & ~pd.Series(code).duplicated())
            may = dict(zip(codes, may_be_decided(code[:FIRST_LOOK], heads), strict=True))
            others = [name for name in codes if name != deciding and may[name]]
            decided[deciding] = [name for name in others if decides(code, first, codes[name], counts[name])]
    # The columns that decide most come first, so that a chain hangs on its beginning: zip -> city, zip -> country.
    order = sorted(decided, key=lambda name: (-len(decided[name]), counts[name]))
    taken: set[str] = set()
    for deciding in order:
        free = [name for name in decided[deciding] if name not in taken]
        if deciding in taken or not free:
            continue
        taken |= {deciding, *free}
        rows = int((codes[deciding] >= 0).sum())
        for name in free:
            yield (
                Fixed((deciding, name)),
                f"each of the {counts[deciding]:,} values of {deciding} comes with one of {name} in all {rows:,} rows.",
            )


def _codes(values: NDArray[np.generic]) -> Codes:
    return np.asarray(pd.factorize(values)[0], np.int64)


# ---- unique ---------------------------------------------------------------------------------------------------------


def _identifiers(plain: Plain, columns: Sequence[Column]) -> Iterator[tuple[Unique, str]]:
    for column in columns:
        if column.kind == "identifier":
            values = pd.Series(plain[column.name]).dropna()
            if len(values) >= 2 and values.is_unique:
                yield Unique(column.name), f"all {len(values):,} values of {column.name} differ."
