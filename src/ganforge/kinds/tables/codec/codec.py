"""A table as codes and back: fitted on the training rows alone, exact about rules and conditions.

Every column that is learned belongs to one unit (numbers.py, categories.py, gaps.py); a row is one code for each unit.
Identifiers are made anew when rows are written, constants are copied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.kinds.tables.codec.categories import CategoryUnit, fit_categories, grouped
from ganforge.kinds.tables.codec.numbers import Codes, GapUnit, Inside, NumberUnit, fit_gaps, fit_numbers
from ganforge.kinds.tables.columns import LEARNED, Column
from ganforge.kinds.tables.rules.conditions import Condition, seen_in
from ganforge.kinds.tables.rules.rules import Fixed, Rule, Seen, lowers_of, narrowed

Unit = NumberUnit | CategoryUnit | GapUnit


@dataclass(frozen=True, slots=True)
class TableCodec:
    """Rows as codes (N, U), one for each unit. Units stand in an order in which they can be decoded."""

    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    units: tuple[Unit, ...]
    constants: Mapping[str, Any]  # name -> the value of every row

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many codes each unit has."""
        return tuple(unit.size for unit in self.units)

    @property
    def known(self) -> dict[str, tuple[str, ...]]:
        """The values that training has of each category and constant."""
        seen = {
            name: tuple(str(value) for value in pd.unique(pd.Series(values)) if not pd.isna(value))
            for unit in self.units
            if isinstance(unit, CategoryUnit)
            for name, values in unit.values.items()
            if values.dtype == object
        }
        return seen | {name: (str(value),) for name, value in self.constants.items()}

    def unit_of(self, column: str) -> int:
        """The place of the unit that a learned column belongs to."""
        return next(place for place, unit in enumerate(self.units) if column in unit.columns)

    def encode(self, plain: Plain) -> Codes:
        """(N, U) codes of rows; -1 where a value, or a combination, was not seen in training."""
        return np.stack([unit.encode(plain) for unit in self.units], axis=1)

    def by_unit(self, conditions: Sequence[Condition]) -> dict[int, tuple[Condition, ...]]:
        """Which conditions bind which unit, with what the rules add: a lower column may not rise above its upper one.

        Raises: InputError where conditions and rules leave no value.
        """
        ranges = narrowed(conditions, self.rules, self.columns)
        found: dict[int, tuple[Condition, ...]] = {}
        for condition in conditions:
            if condition.column not in self.constants:
                place = self.unit_of(condition.column)
                found[place] = (*found.get(place, ()), condition)
        gaps = [unit for place, unit in enumerate(self.units) if isinstance(unit, GapUnit) and place in found]
        below = {name for gap in gaps for name in self._all_below(gap)}
        for name in sorted(below, key=self.unit_of):  # a set's own order is another one in each process
            place = self.unit_of(name)
            found[place] = (*found.get(place, ()), Condition(name, *ranges[name], missing=True))
        return found

    def decode(
        self,
        codes: Codes,
        random: np.random.Generator,
        conditions: Mapping[int, tuple[Condition, ...]] | None = None,
        *,
        complete: bool = False,
    ) -> Plain:
        """Plain rows of all columns but identifiers. Values within a code are drawn as training has them.

        Args: codes (N, U); conditions as `by_unit` gives them, which every row then meets; complete: no value of a
            fixed combination may be missing.
        """
        plain: dict[str, NDArray[Any]] = {}
        for place, unit in enumerate(self.units):
            mine, asked = codes[:, place], (conditions or {}).get(place, ())
            match unit:
                case NumberUnit():
                    plain |= unit.decode(mine, asked, random)
                case CategoryUnit():
                    plain |= unit.decode(mine, asked, random, complete=complete)
                case GapUnit():
                    plain |= unit.decode(mine, asked, random, plain)
        count = len(codes)
        plain |= {name: np.full(count, value, dtype=type_of(value)) for name, value in self.constants.items()}
        return plain

    def bounds(self, codes: Codes, gap: GapUnit, end: Literal["least", "most"]) -> NDArray[np.float64]:
        """The smallest, or largest, base (N,) that rows of codes (N, U) can have for a gap above other columns."""
        plain: dict[str, NDArray[Any]] = {}
        for name in gap.lowers:
            place = self.unit_of(name)
            unit = self.units[place]
            if isinstance(unit, GapUnit):
                ends = unit.gap.ends(codes[:, place], end) + self.bounds(codes, unit, end)
            else:
                assert isinstance(unit, NumberUnit)  # the rules see to it
                ends = unit.ends(codes[:, place], end)
            plain[name] = ends
        return gap.base(plain)

    def _all_below(self, gap: GapUnit) -> set[str]:
        """Every column that lies below the gap's upper one, at first or second hand."""
        found = set(gap.lowers)
        for name in gap.lowers:
            unit = self.units[self.unit_of(name)]
            found |= self._all_below(unit) if isinstance(unit, GapUnit) else set()
        return found


def type_of(value: object) -> Any:
    """float64 for numbers, object for texts: the types of plain arrays."""
    return np.float64 if isinstance(value, float) else object


@dataclass(frozen=True, slots=True)
class Tally:
    """What a codec is fitted on: a sample of the training rows, and how often each category was seen in all of them."""

    sample: Plain  # (S,)
    rows: int
    counts: Mapping[tuple[str, ...], tuple[Plain, NDArray[np.float64]]]  # columns of a unit -> distinct values, rows


def fit_codec(
    columns: Sequence[Column], rules: Sequence[Rule], tally: Tally, *, spans: int, inside: Inside, seed: int
) -> TableCodec:
    """Args: spans into how many codes numbers are cut; inside how a value within a span is drawn."""
    columns = _within(columns, rules)
    by_name = {column.name: column for column in columns}
    below = lowers_of(rules)
    keys = {rule.column for rule in rules if isinstance(rule, Seen)}
    units: list[Unit] = []
    for names in unit_columns(columns, rules):
        column, size = by_name[names[0]], len(tally.sample[names[0]])
        if len(names) > 1 or not column.is_number:
            units.append(fit_categories(names, *tally.counts[names]))
        elif column.name in below:
            lowers = [by_name[name] for name in below[column.name]]
            units.append(fit_gaps(lowers, column, tally.sample, size, spans, inside))
        else:
            drawn: Inside = "seen" if column.name in keys else inside
            units.append(fit_numbers(column, tally.sample[column.name], size, spans, drawn))
    codes = np.stack([unit.encode(tally.sample) for unit in units], axis=1)
    for place, unit in enumerate(units):
        if isinstance(unit, CategoryUnit):
            units[place] = grouped(unit, tally.sample, np.delete(codes, place, axis=1), seed)
    constants = {column.name: tally.sample[column.name][0] for column in columns if column.kind == "constant"}
    return TableCodec(tuple(columns), tuple(rules), tuple(units), constants)


def unit_columns(columns: Sequence[Column], rules: Sequence[Rule]) -> list[tuple[str, ...]]:
    """The columns of each unit, in an order in which they can be decoded: a lower column before its upper one."""
    fixed = {name: rule.columns for rule in rules if isinstance(rule, Fixed) for name in rule.columns}
    lowers = lowers_of(rules)
    order: list[tuple[str, ...]] = []

    def add(name: str) -> None:
        for lower in lowers.get(name, ()):
            add(lower)
        names = fixed.get(name, (name,))
        if names not in order:
            order.append(names)

    for column in columns:
        if column.kind in LEARNED:
            add(column.name)
    return order


def _within(columns: Sequence[Column], rules: Sequence[Rule]) -> list[Column]:
    """The columns with the ranges that rules ask for."""
    asked = {rule.column: rule for rule in rules if isinstance(rule, Condition)}
    cut = {column.name: seen_in(column) & asked[column.name] for column in columns if column.name in asked}
    return [
        column.model_copy(update={"minimum": float(cut[column.name].low), "maximum": float(cut[column.name].high)})
        if column.name in cut
        else column
        for column in columns
    ]
