"""Columns that are bins of another one: `month(day) -> season`, `weekday(day) -> weekend`, `range(income) -> band`.

A bin is a stretch of a part of the other column: of its value itself, of the month of its date, and so on. Each has one
value, so rows agree with the calendar, and with limits such as 18 years, however they are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.kinds.tables.columns import LEARNED, Column
from ganforge.kinds.tables.rules.calendar import MOMENTS, PARTS, RANGE, Numbers, parts_of
from ganforge.kinds.tables.rules.chance import decides, may_be_decided
from ganforge.kinds.tables.rules.rules import Binned, Rule, binned_of

FEWEST_ROWS = 100  # with both values
FEWEST_EACH = 5  # rows for each part on average, and for each range
MOST_RANGES = 64  # bins of numbers
FIRST_LOOK = 1_000  # rows on which most columns show that they are no bins of another one


@dataclass(frozen=True, slots=True)
class Bins:
    """The values of a column as bins of its base."""

    rule: Binned
    base: Column
    unit: int  # of the column, in microseconds if it is a datetime or time of day
    edges: Numbers  # (K,) ascending: the parts at which bins begin; the first one has no lower end
    values: NDArray[Any]  # (K,) of each bin, numbers or texts
    shift: float | None = None  # where a number is its part and so much more, it is that beyond all bins too

    def at(self, plain: Plain) -> NDArray[Any]:
        """Return the column (N,); NaN or None where its base is missing."""
        parts = parts_of(self.rule.part, plain[self.rule.base], self.base)
        gone = np.isnan(parts)
        if self.shift is not None:
            return np.asarray((parts + self.shift) / self.unit)
        places = np.maximum(np.searchsorted(self.edges, np.where(gone, 0.0, parts), "right") - 1, 0)
        made = self.values[places]
        missing: Any = None if made.dtype == object else np.nan
        return np.where(gone, missing, made)

    def replaced(self, plain: Plain) -> NDArray[Any]:
        """Return the column (N,) with the value of its bin wherever neither it nor its base is missing."""
        made, own = self.at(plain), plain[self.rule.target]
        return np.where(pd.isna(own) | pd.isna(made), own, made)

    def filled(self, plain: Plain) -> NDArray[Any]:
        """Return the column (N,) with the value of its bin where it is missing and its base is not."""
        own = plain[self.rule.target]
        return np.where(pd.isna(own), self.at(plain), own)

    def agrees(self, plain: Plain) -> NDArray[np.bool_]:
        """Return which rows (N,) have the value of their bin, or lack one of the two."""
        made, own = self.at(plain), plain[self.rule.target]
        return np.asarray((made == own) | pd.isna(made) | pd.isna(own))


def ordered_bins(rules: Iterable[Rule]) -> list[Binned]:
    """Return the rules of bins, each after that of its base."""
    binned = binned_of(rules)
    order = TopologicalSorter({name: (rule.base,) for name, rule in binned.items()}).static_order()
    return [binned[name] for name in order if name in binned]


def fit_bins(rule: Binned, columns: Mapping[str, Column], plain: Plain) -> Bins:
    """Return the bins of training rows (N,): each part has the value of the first row that has it."""
    base, target = columns[rule.base], columns[rule.target]
    parts, values = _both(rule, columns, plain)
    apart = np.unique(values * target.unit - parts) if target.is_number else parts
    if target.is_number and len(apart) == 1:
        return Bins(rule, base, target.unit, np.zeros(0), np.zeros(0), float(apart[0]))
    firsts, lasts, own = _stretches(parts, values)
    if rule.part == RANGE and len(firsts):
        firsts = np.array([firsts[0], *map(_roundest, lasts, firsts[1:])])
    return Bins(rule, base, target.unit, firsts, own)


def broken_bins(
    rule: Binned, columns: Mapping[str, Column], rows: Plain, train: Plain | None = None
) -> NDArray[np.bool_]:
    """Return which rows (N,) have another value than training rows, or earlier ones of these, with the same part.

    A part between those of two bins is taken for either.
    """
    bins = fit_bins(rule, columns, train or rows)
    parts, values = parts_of(rule.part, rows[rule.base], columns[rule.base]), rows[rule.target]
    there = ~np.isnan(parts) & ~pd.isna(values)
    if bins.shift is not None:
        return np.asarray(there & (bins.at(rows) != values))
    firsts, lasts, own = _stretches(*_both(rule, columns, train or rows))
    places = np.searchsorted(firsts, np.where(there, parts, -np.inf), "right") - 1
    inside = there & (places >= 0)
    inside[inside] &= parts[inside] <= lasts[places[inside]]
    inside[inside] &= own[places[inside]] != values[inside]
    return np.asarray(inside)


def _both(rule: Binned, columns: Mapping[str, Column], plain: Plain) -> tuple[Numbers, NDArray[Any]]:
    """Return the parts and the values of the rows that have both."""
    parts, values = parts_of(rule.part, plain[rule.base], columns[rule.base]), plain[rule.target]
    there = ~np.isnan(parts) & ~pd.isna(values)
    return parts[there], values[there]


def _stretches(parts: Numbers, values: NDArray[Any]) -> tuple[Numbers, Numbers, NDArray[Any]]:
    """Return the first and last part, and the value, of each stretch of parts with one value, (K,)."""
    unique, first = np.unique(parts, return_index=True)
    values = values[first]
    new = np.append(True, values[1:] != values[:-1])[: len(values)]
    last = np.append(new[1:], True)[: len(values)]
    return unique[new], unique[last], values[new]


def _roundest(below: float, first: float) -> float:
    """Return a number above `below`, up to `first`, of as few digits as there are."""
    return next(
        (near for digits in range(1, 17) if below < (near := float(f"{first:.{digits}g}")) <= first),
        first,
    )


def find_calendar(plain: Plain, columns: Sequence[Column]) -> list[tuple[Binned, str]]:
    """Find columns that are parts of a datetime, or decided by one: years, names of months, days off, first of months.

    Args: plain rows (N,) in random order.
    """
    dates = sorted((column for column in columns if column.kind == "datetime"), key=lambda column: column.distinct)
    found: dict[str, tuple[Binned, str]] = {}
    for moment in (column for column in columns if column.kind in ("datetime", "time") and not column.zone):
        for base in dates:
            if base.zone or base.distinct <= moment.distinct or not _missing_alike(plain, base.name, moment.name):
                continue
            parts = MOMENTS[:-1] if moment.kind == "datetime" else MOMENTS[-1:]
            part = next((part for part in parts if _is_part(part, plain, base, moment)), None)
            if part and base.name not in found:
                found[moment.name] = _named(Binned(moment.name, base.name, part), plain[moment.name])
                break
    others = [each for each in columns if each.kind in LEARNED and each.kind not in ("datetime", "time")]
    codes = {each.name: pd.factorize(plain[each.name])[0] for each in others if dates}
    codes = {name: code for name, code in codes.items() if code.max(initial=-1) > 0}
    for base in (base for base in dates if base.name not in found):
        for name, part in _decided_by_parts(plain, base, {n: code for n, code in codes.items() if n not in found}):
            found[name] = _named(Binned(name, base.name, part), plain[name])
    return list(found.values())


def _decided_by_parts(plain: Plain, base: Column, codes: Mapping[str, NDArray[np.int64]]) -> Iterator[tuple[str, str]]:
    """Yield each column that a part of a datetime decides, with the first of PARTS that does. Args: codes (N,) each."""
    if not codes:
        return
    heads = np.stack([code[:FIRST_LOOK] for code in codes.values()])
    taken: set[str] = set()
    for part in (part for part in PARTS if part != "clock"):
        parts = pd.factorize(parts_of(part, plain[base.name], base))[0]
        may = may_be_decided(parts[:FIRST_LOOK], heads)
        for name in (name for name, one in zip(codes, may, strict=True) if one and name not in taken):
            if _missing_alike(plain, base.name, name) and _decides_all(parts, codes[name]):
                taken.add(name)
                yield name, part


def _decides_all(parts: NDArray[np.int64], codes: NDArray[np.int64]) -> bool:
    """Return whether each part comes with one code in all rows that have both, which is not by chance."""
    parts = np.where(codes < 0, -1, parts)
    there, groups, count = parts >= 0, int(parts.max(initial=-1)) + 1, int(codes.max(initial=-1)) + 1
    if groups < count or there.sum() < max(FEWEST_ROWS, FEWEST_EACH * groups):
        return False
    return decides(parts, np.flatnonzero(there & ~pd.Series(parts).duplicated()), codes, count)


def _missing_alike(plain: Plain, base: str, column: str) -> bool:
    """Return whether a column is missing wherever its base is, and enough rows have both."""
    here, there = ~pd.isna(plain[column]), ~pd.isna(plain[base])
    return not (here & ~there).any() and int((here & there).sum()) >= FEWEST_ROWS


def _is_part(part: str, plain: Plain, base: Column, moment: Column) -> bool:
    """Return whether a datetime or time of day is a part of another column in all rows that have both."""
    for rows in (slice(FIRST_LOOK), slice(None)):
        own = plain[moment.name][rows] * moment.unit
        parts = parts_of(part, plain[base.name][rows], base)
        if (np.isfinite(own) & np.isfinite(parts) & (own != parts)).any():
            return False
    return True


def find_ranges(plain: Plain, columns: Sequence[Column], free: Sequence[Column]) -> Iterator[tuple[Binned, str]]:
    """Find categories that are ranges of a number: bands of income, of age or price.

    Args: plain rows (N,) in random order; columns whose ranges are looked at; free categories that nothing decides.
    """
    if not free:
        return
    codes = {each.name: pd.factorize(plain[each.name])[0] for each in free}
    heads = np.stack([code[:FIRST_LOOK] for code in codes.values()])
    taken: set[str] = set()
    for base in (column for column in columns if column.is_number and column.distinct > 2):
        values = plain[base.name]
        may = _may_be_ranges(values[:FIRST_LOOK], heads)
        for name in (name for name, one in zip(codes, may, strict=True) if one and name not in taken):
            if _missing_alike(plain, base.name, name) and _few_ranges(values, codes[name]):
                taken.add(name)
                yield _named(Binned(name, base.name, RANGE), plain[name])


def _may_be_ranges(values: Numbers, codes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which columns (C, N) have equal codes where numbers (N,) are equal, and few ranges of numbers."""
    order = np.argsort(values, kind="stable")  # missing ones are last
    order = order[: int(np.isfinite(values).sum())]
    sorted_codes, same = codes[:, order], np.diff(values[order]) == 0
    changes = (sorted_codes[:, 1:] != sorted_codes[:, :-1]) & (sorted_codes[:, 1:] >= 0) & (sorted_codes[:, :-1] >= 0)
    return np.asarray((changes.sum(axis=1) < MOST_RANGES) & ~changes[:, same].any(axis=1))


def _few_ranges(values: Numbers, codes: NDArray[np.int64]) -> bool:
    """Return whether equal numbers have equal codes, and few ranges of numbers, of enough rows, have one code each."""
    there = np.isfinite(values) & (codes >= 0)
    values, codes = values[there], codes[there]
    order = np.argsort(values, kind="stable")
    changes = np.flatnonzero(codes[order][1:] != codes[order][:-1])
    if (np.diff(values[order])[changes] == 0).any() or not 0 < len(changes) < MOST_RANGES:
        return False
    rows = np.diff([0, *(changes + 1), len(codes)])
    others = len(codes) - int(np.bincount(codes).max())
    return bool(rows.min() >= FEWEST_EACH and others >= 2 * FEWEST_EACH * len(changes))


def _named(rule: Binned, values: NDArray[Any]) -> tuple[Binned, str]:
    what = f"the {rule.part} of {rule.base}" if rule.part != RANGE else f"a range of {rule.base}"
    return rule, f"{what} decides {rule.target} in all {int((~pd.isna(values)).sum()):,} rows."
