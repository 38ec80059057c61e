"""A column that is computed from others when rows are decoded: exactly, or with a small rest that is learned.

Its codes are those of the rest, the value minus what is computed. Where that is 0 in every row, one code is left, and
nothing is learned but whether the value is missing. Rows without the columns that it is computed from have codes of
their own, for the value itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.kinds.tables.codec.categories import CategoryUnit
from ganforge.kinds.tables.codec.numbers import (
    Codes,
    Inside,
    Numbers,
    NumberUnit,
    fit_numbers,
    numbers_content,
    read_numbers,
)
from ganforge.kinds.tables.codec.stored import Arrays
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.arrays import row_count
from ganforge.kinds.tables.rules.checks import broken_rows
from ganforge.kinds.tables.rules.conditions import Condition, all_of, seen_in
from ganforge.kinds.tables.rules.expressions import (
    Range,
    columns_of,
    evaluate,
    narrowed_by,
    range_of,
    solve,
    times_named,
)
from ganforge.kinds.tables.rules.rules import Computed, Ordered, Rule

MOST_BOXES = 100_000  # combinations of spans that are looked at
FEWEST_KEPT = 0.1  # of drawn rows: where fewer have computed values within the ranges seen, others are kept too


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputedUnit:
    """A computed column. Its codes: those of `rest`, the missing one first, then those of `alone`."""

    rule: Computed
    low: float  # the range of the column
    high: float
    rest: NumberUnit  # the value minus what is computed
    alone: NumberUnit | None  # the value, where nothing can be computed; None if training had no such rows

    @property
    def column(self) -> str:
        return self.rule.target

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def bases(self) -> tuple[str, ...]:
        """Return the columns that it is computed from."""
        return columns_of(self.rule.expression)

    @property
    def size(self) -> int:
        return self.rest.size + (self.alone.size if self.alone else 0)

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Return which codes stand for a value, (K,)."""
        return np.concatenate([self.rest.complete, np.ones(self.size - self.rest.size, dtype=bool)])

    def computed(self, plain: Plain) -> Numbers:
        """Return what is computed for each row (N,), with the column's decimals; NaN where a column is missing."""
        return self.rest.rounded(evaluate(self.rule.expression, plain), -np.inf, np.inf)

    def encode(self, plain: Plain) -> Codes:
        """Return (N,) codes; -1 for what training did not have."""
        values, computed = plain[self.column], self.computed(plain)
        codes = self.rest.encode_values(self.left(values, computed))
        if self.alone is None:
            return codes
        alone = np.isnan(computed) & ~np.isnan(values)
        return np.where(alone, self.alone.encode_values(values) + self.rest.size, codes).astype(np.int32)

    def left(self, values: Numbers, computed: Numbers) -> Numbers:
        """Return what is left of values (N,), without the rounding noise of decimals; 0 where the rule is exact."""
        left = self.rest.rounded(values - computed, -np.inf, np.inf)
        return left * 0.0 if self.rule.exact else left

    def allowed(self, conditions: tuple[Condition, ...]) -> NDArray[np.bool_]:
        """Return which codes can stand for a value that meets all conditions, (K,): the row decides which do."""
        asked = all_of(conditions, self.column)
        rest = np.where(self.rest.complete, not asked.nothing, asked.missing)
        return np.concatenate([rest, self.alone.allowed(conditions)] if self.alone else [rest])

    def decode(
        self, codes: Codes, conditions: tuple[Condition, ...], random: np.random.Generator, plain: Plain
    ) -> dict[str, NDArray[Any]]:
        """Compute a value (N,) for each row of `plain`, with the rest that its code stands for.

        A code of the other sort than its row - alone or not - is replaced by one of the right sort. Conditions are
        met by values that stand alone; for the others see TableCodec.keeps.
        """
        computed = self.computed(plain)
        here, first = ~np.isnan(computed), int(self.rest.with_missing)
        spans = first + random.integers(0, self.rest.size - first, len(codes))
        rest: Codes = np.where(codes < self.rest.size, codes, spans).astype(np.int32)
        values = computed + self.rest.decode(rest, (), random)[self.column]
        if not self.rule.exact:
            values = self.rest.rounded(values, self.low, self.high)
        if self.alone is not None:
            alone = random.integers(0, self.alone.size, len(codes))
            own: Codes = np.where(codes < self.rest.size, alone, codes - self.rest.size).astype(np.int32)
            drawn = self.alone.decode(own, conditions, random)[self.column]
            values = np.where(here | (codes < first), values, drawn)
        return {self.column: values}

    def expected(self, likely: NDArray[np.floating], plain: Plain) -> Numbers:
        """Return the best guess for each row (N,). Args: likely (N, K) how likely each code is."""
        first, size = int(self.rest.with_missing), self.rest.size
        values = self.computed(plain) + _mean(likely[:, first:size], self.rest.means)
        if not self.rule.exact:
            values = self.rest.rounded(values, self.low, self.high)
        if self.alone is None:
            return values
        alone = self.alone.rounded(_mean(likely[:, size:], self.alone.means), self.low, self.high)
        return np.where(np.isnan(values), alone, values)

    def solved(self, plain: Plain, columns: Mapping[str, Column]) -> Iterable[tuple[str, Numbers]]:
        """Yield this column, or one that it is computed from, with its values (N,) filled where exactly it is missing.

        Args: columns all of the table, by name. Nothing comes where the rule is not exact.
        """
        if not self.rule.exact:
            return
        holes = {name: np.isnan(plain[name]) for name in (self.column, *self.bases)}
        one = np.sum(list(holes.values()), axis=0) == 1
        for name, missing in holes.items():
            rows = np.flatnonzero(missing & one)
            if not len(rows) or (name != self.column and times_named(self.rule.expression, name) > 1):
                continue
            here = {each: plain[each][rows] for each in holes}
            if name == self.column:
                found = self.computed(here)
            else:
                found = solve(self.rule.expression, name, here[self.column], here)
                column = columns[name]
                if column.kind != "decimal" or column.decimals is not None:
                    found = np.round(found, column.decimals or 0)
            values = plain[name].copy()
            values[rows] = found
            yield name, values

    def narrowed(self, asked: Condition, ranges: Mapping[str, Range]) -> list[Condition]:
        """Return conditions on the columns that it is computed from, which every row meets that meets `asked`.

        Args: ranges of these columns.
        """
        wanted = self._wanted(asked.low, asked.high)
        missing = asked.missing or self.alone is not None
        found = {name: Condition(name, missing=missing) for name in self.bases}
        for name, (low, high) in narrowed_by(self.rule.expression, wanted, ranges):
            noise = 1e-9 * max([1.0, *(abs(end) for end in (low, high) if np.isfinite(end))])
            found[name] &= Condition(name, low - noise, high + noise, missing=missing)
        return list(found.values())

    def reaches(self, asked: Condition, spans: Mapping[str, Range]) -> bool:
        """Return whether interval arithmetic leaves it open that a value meets `asked`.

        Args: spans of each column that it is computed from, (K,) lows and highs: every combination is looked at.
        """
        if asked.missing or self.alone is not None:
            return True
        while np.prod([len(low) for low, _ in spans.values()]) > MOST_BOXES:
            widest = max(spans, key=lambda name: len(spans[name][0]))
            low, high = spans[widest]
            spans = {**spans, widest: (low.min(keepdims=True), high.max(keepdims=True))}
        grid = np.meshgrid(*(np.arange(len(low)) for low, _ in spans.values()), indexing="ij")
        places = {name: each.ravel() for name, each in zip(spans, grid, strict=True)}
        boxes = {name: (low[places[name]], high[places[name]]) for name, (low, high) in spans.items()}
        least, most = range_of(self.rule.expression, boxes)
        ends = [(asked.low, asked.high)] if asked.numbers is None else [(value, value) for value in asked.numbers]
        noise = 1e-9 * np.maximum(1.0, np.maximum(np.abs(least), np.abs(most)))
        wanted = [self._wanted(low, high) for low, high in ends]
        return any(bool(((least - noise <= high) & (most + noise >= low)).any()) for low, high in wanted)

    def _wanted(self, low: float, high: float) -> Range:
        """Return what must be computed for a value within low..high, before it is rounded and a rest is added."""
        half = 0.0 if self.rest.decimals is None else 0.5 * 10.0**-self.rest.decimals
        return low - self.rest.most[-1] - half, high - self.rest.least[0] + half


def _mean(likely: NDArray[np.floating], means: Numbers) -> Numbers:
    """Return the mean (N,) of spans, each as likely as said (N, K); of all spans where none is."""
    total = likely.sum(axis=1)
    values = np.where(total > 0, (likely @ means) / np.where(total > 0, total, 1.0), means.mean())
    return np.asarray(values, np.float64)


def fit_computed(
    column: Column, rule: Computed, plain: Plain, spans: int, inside: Inside, rare: int = 0
) -> ComputedUnit:
    """Fit the unit. Args: plain training rows (N,); the others as for `fit_numbers`."""
    values, rows = plain[column.name], len(plain[column.name])
    free = column.model_copy(update={"minimum": None, "maximum": None})
    nothing = fit_numbers(free.model_copy(update={"missing": 0}), np.zeros(1), rows, spans, inside)
    empty = ComputedUnit(
        rule=rule,
        low=-np.inf if column.minimum is None else column.minimum,
        high=np.inf if column.maximum is None else column.maximum,
        rest=nothing,
        alone=None,
    )
    computed = empty.computed(plain)
    left = empty.left(values, computed)
    alone = ~np.isnan(values) & np.isnan(computed)
    apart = fit_numbers(column.model_copy(update={"missing": 0}), values[alone], rows, spans, inside, rare)
    # a value that stands alone is not a missing rest, so it is not counted as one
    rest = fit_numbers(free, left[~alone], rows, spans, inside, rare)
    return ComputedUnit(rule=rule, low=empty.low, high=empty.high, rest=rest, alone=apart if alone.any() else None)


def rows_to_keep(
    units: Mapping[int, ComputedUnit],
    rules: Sequence[Rule],
    plain: Plain,
    asked: Mapping[int, tuple[Condition, ...]],
    columns: Mapping[str, Column],
) -> NDArray[np.bool_]:
    """Return which decoded rows (N,) keep all rules and conditions on computed columns.

    Besides, their values lie within the ranges that training had, unless less than FEWEST_KEPT of them would be left.

    Args: units by their places; asked the conditions on the columns of each unit.
    """
    computed = {unit.column for unit in units.values()}
    kept = np.ones(row_count(plain), dtype=bool)
    within = kept.copy()
    for place, unit in units.items():
        column, values = columns[unit.column], plain[unit.column]
        kept &= all_of(asked.get(place, ()), column.name).holds(plain) & _storable(values, column)
        within &= np.isnan(values) | seen_in(column).holds(plain)
    for rule in rules:
        if isinstance(rule, Ordered) and {rule.lower, rule.upper} & computed:
            kept &= ~broken_rows(rule, plain, columns)
        elif isinstance(rule, Condition) and rule.column in computed:
            kept &= rule.holds(plain)
    return kept & within if (kept & within).mean() >= FEWEST_KEPT * kept.mean() else kept


def unreachable(
    units: Sequence[Any], asked: Mapping[int, tuple[Condition, ...]], columns: Mapping[str, Column]
) -> ComputedUnit | None:
    """Return a computed column whose conditions no values of the columns that it is computed from lead to.

    Args: units of the codec; asked the conditions on the columns of each unit.
    """
    places = {name: place for place, unit in enumerate(units) for name in unit.columns}

    def spans(name: str) -> Range:
        unit, conditions = units[places[name]], asked.get(places[name], ())
        within = all_of(conditions, name) & seen_in(columns[name])
        if isinstance(unit, NumberUnit):
            may = unit.allowed(conditions)[int(unit.with_missing) :]
            return unit.least[may].clip(within.low, within.high), unit.most[may].clip(within.low, within.high)
        if isinstance(unit, CategoryUnit):
            values = np.unique(unit.values[name][all_of(conditions, name).holds(unit.values)])
            return values, values
        return np.array([within.low]), np.array([within.high])

    for place, conditions in asked.items():
        unit = units[place]
        if isinstance(unit, ComputedUnit):
            wanted = all_of(conditions, unit.column)
            if not unit.reaches(wanted, {name: spans(name) for name in unit.bases}):
                return unit
    return None


def _storable(values: Numbers, column: Column) -> NDArray[np.bool_]:
    """Return which values (N,) the column's dtype can hold."""
    missing, dtype = np.isnan(values), column.dtype.lower()
    if column.kind != "integer" or not re.fullmatch(r"u?int(8|16|32|64)", dtype):
        return ~missing | (column.missing > 0)
    ends = np.iinfo(dtype)
    return np.where(missing, column.missing > 0, (values >= ends.min) & (values <= ends.max))


def computed_content(unit: ComputedUnit, name: str, arrays: Arrays) -> dict[str, Any]:
    """Return a unit's JSON content, and add its arrays under this name. Its rule is among those of the codec."""
    alone = {"alone": numbers_content(unit.alone, f"{name}/alone", arrays)} if unit.alone else {}
    rest = numbers_content(unit.rest, f"{name}/rest", arrays)
    return {"column": unit.column, "range": [unit.low, unit.high], "rest": rest, **alone}


def read_computed(
    content: Mapping[str, Any], name: str, arrays: Mapping[str, NDArray[Any]], rules: Mapping[str, Computed]
) -> ComputedUnit:
    """Build the unit from `computed_content`'s output. Raises: ValueError, KeyError if its parts do not fit."""
    rule = rules[content["column"]]
    low, high = map(float, content["range"])
    rest = read_numbers(content["rest"], f"{name}/rest", arrays)
    alone = read_numbers(content["alone"], f"{name}/alone", arrays) if "alone" in content else None
    exact = not rule.exact or (not rest.least.any() and not rest.most.any())
    parts = [rest] if alone is None else [rest, alone]
    if not exact or any(part.column != rule.target for part in parts) or (alone and alone.with_missing):
        raise ValueError(f"the parts of {rule.target!r} do not fit each other")
    return ComputedUnit(rule=rule, low=low, high=high, rest=rest, alone=alone)
