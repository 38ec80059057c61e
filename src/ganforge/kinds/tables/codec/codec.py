"""A table as codes and back: fitted on the training rows alone, exact about rules and conditions; and as JSON and
arrays, which suffice for a model to write rows.

Every column that is learned belongs to one unit (numbers.py, categories.py); a row is one code for each unit.
Identifiers are generated when rows are written, constants are copied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.core.numeric_dates import FORMS
from ganforge.errors import InputError, RunError
from ganforge.kinds.tables.codec.binned import agreeing, bins_content, read_bins
from ganforge.kinds.tables.codec.categories import CategoryUnit
from ganforge.kinds.tables.codec.computed import (
    ComputedUnit,
    computed_content,
    read_computed,
    rows_to_keep,
)
from ganforge.kinds.tables.codec.gaps import GapUnit, gap_content, read_gap
from ganforge.kinds.tables.codec.identifiers import check_pattern, read_ranges
from ganforge.kinds.tables.codec.joint import JointUnit, joint_content, read_joint
from ganforge.kinds.tables.codec.numbers import (
    Codes,
    NumberUnit,
    numbers_content,
    read_numbers,
)
from ganforge.kinds.tables.codec.stored import Arrays, climbing, listed
from ganforge.kinds.tables.columns import LEARNED, NUMBERS, Column
from ganforge.kinds.tables.reading.arrays import arrow_type, base_of, dtype_of, from_plain, take
from ganforge.kinds.tables.rules.bins import Bins, ordered_bins
from ganforge.kinds.tables.rules.conditions import Condition, all_of, on_grid, seen_in
from ganforge.kinds.tables.rules.expressions import columns_of
from ganforge.kinds.tables.rules.narrowing import narrowed
from ganforge.kinds.tables.rules.rule_text import parse_rules
from ganforge.kinds.tables.rules.rules import (
    Computed,
    Fixed,
    Joint,
    Rule,
    binned_of,
    computed_of,
    joint_of,
    lowers_of,
    rule_in_words,
)

Unit = NumberUnit | CategoryUnit | GapUnit | ComputedUnit | JointUnit
AskedByUnit = Mapping[int, tuple[Condition, ...]]  # unit -> the conditions on its columns


@dataclass(frozen=True, slots=True)
class TableCodec:
    """Rows as codes (N, U), one for each unit. Units are in an order in which they can be decoded."""

    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    units: tuple[Unit, ...]
    constants: Mapping[str, Any]  # name -> the value of every row
    rare: int = 0  # training rows of a value that is drawn as it is: rarer ones are kept back (protection.py)
    bins: tuple[Bins, ...] = ()  # of columns that follow from another one, each after its base

    @property
    def sizes(self) -> tuple[int, ...]:
        """Return the number of codes of each unit."""
        return tuple([unit.size for unit in self.units])

    @property
    def known(self) -> dict[str, tuple[str, ...]]:
        """Return the training values of each category and constant."""
        seen = {
            name: tuple(str(value) for value in pd.unique(pd.Series(values)) if not pd.isna(value))
            for unit in self.units
            if isinstance(unit, CategoryUnit)
            for name, values in unit.values.items()
            if values.dtype == object
        }
        return seen | {name: (str(value),) for name, value in self.constants.items()}

    def unit_of(self, column: str) -> int:
        """Return the place of the unit that a learned column belongs to."""
        return next(place for place, unit in enumerate(self.units) if column in unit.columns)

    def encode(self, plain: Plain) -> Codes:
        """Return the (N, U) codes of rows; -1 where a value, or a combination, was not seen in training."""
        return np.stack([unit.encode(plain) for unit in self.units], axis=1)

    def by_unit(self, conditions: Sequence[Condition]) -> dict[int, tuple[Condition, ...]]:
        """Return the conditions of each unit, with those from rules: a lower column may not rise above its upper one.

        Raises: InputError where conditions and rules leave no value.
        """
        conditions = self._with_bases(conditions)
        ranges = narrowed(conditions, self.rules, self.columns)
        found: dict[int, tuple[Condition, ...]] = {}
        for condition in conditions:
            if condition.column not in self.constants:
                place = self.unit_of(condition.column)
                found[place] = (*found.get(place, ()), condition)
        gaps = [unit for place, unit in enumerate(self.units) if isinstance(unit, GapUnit) and place in found]
        below = {name for gap in gaps for name in self._all_below(gap)}
        for name in sorted(below, key=self.unit_of):  # the order of a set differs between processes
            place = self.unit_of(name)
            found[place] = (*found.get(place, ()), Condition(name, *ranges[name], missing=True))
        return found

    def _with_bases(self, conditions: Sequence[Condition]) -> list[Condition]:
        """Return the conditions, with what those on computed columns leave to the columns they are computed from."""
        found, by_name = list(conditions), {column.name: column for column in self.columns}
        kept = [rule for rule in self.rules if isinstance(rule, Condition)]

        def asked(name: str) -> Condition:
            return all_of([condition for condition in (*found, *kept) if condition.column == name], name)

        for unit in reversed(self.computed):
            if any(condition.column == unit.column for condition in found):
                ranges = [asked(name) & seen_in(by_name[name]) for name in unit.bases]
                ends = {range_.column: (range_.low, range_.high) for range_ in ranges}
                found += [on_grid(each, by_name[each.column]) for each in unit.narrowed(asked(unit.column), ends)]
        return found

    @property
    def computed(self) -> tuple[ComputedUnit, ...]:
        """Return the units of computed columns, each after those that it is computed from."""
        return tuple(unit for unit in self.units if isinstance(unit, ComputedUnit))

    def keeps(self, plain: Plain, asked: AskedByUnit) -> NDArray[np.bool_]:
        """Return which decoded rows (N,) keep all rules and conditions on computed columns: others are drawn again.

        Args: asked as `by_unit` gives it.
        """
        units = {place: unit for place, unit in enumerate(self.units) if isinstance(unit, ComputedUnit)}
        kept = rows_to_keep(units, self.rules, plain, asked, {column.name: column for column in self.columns})
        for bins in self.bins:
            name = bins.rule.target
            kept &= all_of(asked.get(self.unit_of(name), ()), name).holds(plain) & bins.agrees(plain)
        return kept

    @property
    def redraws(self) -> bool:
        """Return whether decoded rows may break a rule or a condition, so that others are drawn (`keeps`)."""
        return bool(self.computed or self.bins)

    def solved(self, plain: Plain) -> Plain:
        """Return the rows with each cell that an exact rule decides, from all the others of its rule, filled."""
        filled, by_name = dict(plain), {column.name: column for column in self.columns}
        for bins in self.bins:
            filled[bins.rule.target] = bins.filled(filled)
        for unit in (*self.computed, *reversed(self.computed)):
            for name, values in unit.solved(filled, by_name):
                filled[name] = values
        return filled

    def decode(
        self,
        codes: Codes,
        random: np.random.Generator,
        conditions: Mapping[int, tuple[Condition, ...]] | None = None,
        *,
        complete: bool = False,
        given: Plain | None = None,
    ) -> Plain:
        """Decode plain rows of all columns but identifiers. Values within a code are drawn as training has them.

        Args: codes (N, U); conditions as `by_unit` gives them, which every row then meets; complete: no value of a
            fixed combination may be missing; given columns (N,) that are known already.
        """
        plain: dict[str, NDArray[Any]] = dict(given or {})
        for place, unit in enumerate(self.units):
            if plain.keys() >= set(unit.columns):
                continue
            asked = (conditions or {}).get(place, ())
            plain |= decode_unit(unit, codes[:, place], asked, random, plain, complete)
            if bins := [each for each in self.bins if each.rule.base in unit.columns]:
                targets = [(each, self.unit_of(each.rule.target)) for each in bins]
                follows = [(each, self.units[at], codes[:, at]) for each, at in targets]
                again = partial(_decode_rows, unit, codes[:, place], asked, random, plain, complete)
                plain |= agreeing(follows, plain, unit.columns, again)
            plain |= {bins.rule.target: bins.replaced(plain) for bins in self.bins if bins.rule.target in unit.columns}
        count = len(codes)
        plain |= {name: np.full(count, value, dtype=type_of(value)) for name, value in self.constants.items()}
        return plain

    def bounds(self, codes: Codes, gap: GapUnit, end: Literal["least", "most"]) -> NDArray[np.float64]:
        """Return the smallest, or largest, base (N,) of rows of codes (N, U) for a gap above other columns."""
        plain: dict[str, NDArray[Any]] = {}
        for name in gap.lowers:
            place = self.unit_of(name)
            unit = self.units[place]
            if isinstance(unit, GapUnit):
                ends = unit.ends(codes[:, place], end, self.bounds(codes, unit, end))
            else:
                assert isinstance(unit, NumberUnit)  # the rules guarantee it
                ends = unit.ends(codes[:, place], end)
            plain[name] = ends
        return gap.base(plain)

    def _all_below(self, gap: GapUnit) -> set[str]:
        """Return every column below the gap's upper one, directly or indirectly."""
        found = set(gap.lowers)
        for name in gap.lowers:
            unit = self.units[self.unit_of(name)]
            found |= self._all_below(unit) if isinstance(unit, GapUnit) else set()
        return found


def _decode_rows(
    unit: Unit,
    codes: Codes,
    asked: tuple[Condition, ...],
    random: np.random.Generator,
    plain: Plain,
    complete: bool,
    rows: NDArray[np.int64],
) -> dict[str, NDArray[Any]]:
    return decode_unit(unit, codes[rows], asked, random, take(plain, rows), complete)


def decode_unit(
    unit: Unit,
    codes: Codes,
    asked: tuple[Condition, ...],
    random: np.random.Generator,
    plain: Plain,
    complete: bool = False,
) -> dict[str, NDArray[Any]]:
    """Decode the columns of one unit. Args: codes (N,); plain the columns (N,) that are decoded; others as `decode`."""
    match unit:
        case NumberUnit() | JointUnit():
            return unit.decode(codes, asked, random)
        case CategoryUnit():
            return unit.decode(codes, asked, random, complete=complete)
        case GapUnit() | ComputedUnit():
            return unit.decode(codes, asked, random, plain)


def type_of(value: object) -> Any:
    """Return the type of plain arrays: float64 for numbers, object for texts."""
    return np.float64 if isinstance(value, float) else object


def unit_columns(columns: Sequence[Column], rules: Sequence[Rule]) -> list[tuple[str, ...]]:
    """Return the columns of each unit, in an order of decoding: lower columns and bases come first."""
    fixed = {name: rule.columns for rule in rules if isinstance(rule, Fixed | Joint) for name in rule.columns}
    lowers, computed, binned = lowers_of(rules), computed_of(rules), binned_of(rules)
    order: list[tuple[str, ...]] = []

    def add(name: str) -> None:
        bases = columns_of(computed[name].expression) if name in computed else ()
        bases = (binned[name].base,) if name in binned else bases
        for before in (*lowers.get(name, ()), *bases):
            add(before)
        names = fixed.get(name, (name,))
        if names not in order:
            order.append(names)

    for column in columns:
        if column.kind in LEARNED:
            add(column.name)
    return order


# ---- as JSON and arrays, and back ---------------------------------------------------------------------------------


def codec_content(codec: TableCodec) -> tuple[dict[str, Any], Arrays]:
    """Return the codec's JSON content, and its arrays of numbers by name."""
    arrays: Arrays = {}
    units = [_unit_content(unit, f"unit{place}", arrays) for place, unit in enumerate(codec.units)]
    content = {
        "columns": [column.model_dump(mode="json") for column in codec.columns],
        "rules": [rule_in_words(rule, codec.columns) for rule in codec.rules],
        "constants": dict(codec.constants),
        "units": units,
    }
    bins = [bins_content(each, f"bins{place}", arrays) for place, each in enumerate(codec.bins)]
    return content | ({"rare": codec.rare} if codec.rare else {}) | ({"bins": bins} if bins else {}), arrays


def restore_codec(content: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> TableCodec:
    """Build the codec from `codec_content`'s output. Raises: RunError if parts are missing or do not fit each other."""
    try:
        columns = tuple(Column.model_validate(column) for column in content["columns"])
        computed = computed_of(parse_rules(content["rules"], columns))
        units = tuple(_unit(unit, f"unit{place}", arrays, computed) for place, unit in enumerate(content["units"]))
        days = [pair for unit in units if isinstance(unit, GapUnit) for pair in unit.by_day]
        rules = parse_rules(content["rules"], columns, days)
        stored = content.get("bins", [])
        bins = tuple(read_bins(each, f"bins{place}", arrays, rules, columns) for place, each in enumerate(stored))
        codec = TableCodec(columns, rules, units, dict(content["constants"]), content.get("rare", 0), bins)
        _check_parts(codec)
        return codec
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, InputError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else str(error).splitlines()[0].rstrip(".")
        raise RunError(f"The model's table description is damaged: {why}.", do="Train again.") from error


def _check_parts(codec: TableCodec) -> None:
    """Raises: ValueError if units, columns and rules do not match, so that rows could not be written."""
    kinds = {column.name: column.kind for column in codec.columns}
    expected = unit_columns(codec.columns, codec.rules)
    if [unit.columns for unit in codec.units] != expected:
        raise ValueError(f"its units do not stand for the columns {', '.join(map('+'.join, expected))}")
    if [bins.rule for bins in codec.bins] != ordered_bins(codec.rules):
        raise ValueError("its bins are not those of its rules")
    if set(codec.constants) != {name for name, kind in kinds.items() if kind == "constant"}:
        raise ValueError("its constants are not those of its columns")
    if not isinstance(codec.rare, int):
        raise ValueError(f"its values have {codec.rare!r} rows")
    if not all(value is None or isinstance(value, str | int | float) for value in codec.constants.values()):
        raise ValueError("its constants are not numbers or texts")
    for column in codec.columns:
        dtype_of(column)  # or rows could not be written
        kind = arrow_type(column.dtype)
        if column.kind == "datetime" and base_of(kind) == "number" and column.format not in FORMS:
            raise ValueError(f"the dates of {column.name!r} have the form {column.format!r}")
        if column.is_number:
            from_plain({column.name: np.zeros(1)}, (column,))
        if column.kind == "identifier" and column.format and not check_pattern(column.format):
            raise ValueError(f"the identifiers of {column.name!r} have the pattern {column.format!r}")
        read_ranges(column.unused)
    computed = computed_of(codec.rules)
    joint = joint_of(codec.rules)
    for unit in codec.units:
        name, numeric = unit.columns[0], len(unit.columns) == 1 and kinds[unit.columns[0]] in NUMBERS
        lowers = lowers_of(codec.rules).get(name, ()) if numeric else ()
        plain = ComputedUnit if name in computed else NumberUnit
        joined = JointUnit if unit.columns in joint else CategoryUnit
        right = isinstance(unit, GapUnit if lowers else plain if numeric else joined)
        if not right or (isinstance(unit, GapUnit) and unit.lowers != lowers):
            raise ValueError(f"the unit of {name!r} is of another kind than its column and rules")


def _unit_content(unit: Unit, name: str, arrays: Arrays) -> dict[str, Any]:
    match unit:
        case NumberUnit():
            return {"kind": "numbers", **numbers_content(unit, name, arrays)}
        case ComputedUnit():
            return {"kind": "computed", **computed_content(unit, name, arrays)}
        case JointUnit():
            return {"kind": "joint", **joint_content(unit, name, arrays)}
        case GapUnit():
            return {"kind": "gap", **gap_content(unit, name, arrays)}
        case CategoryUnit():
            arrays |= {f"{name}/counts": unit.counts, f"{name}/starts": unit.starts}
            texts = {column: values.tolist() for column, values in unit.values.items() if values.dtype == object}
            numbers = {column: values for column, values in unit.values.items() if values.dtype != object}
            arrays |= {f"{name}/values/{column}": values for column, values in numbers.items()}
            return {"kind": "categories", "columns": list(unit.columns), "texts": texts, "numbers": list(numbers)}


def _unit(
    content: Mapping[str, Any], name: str, arrays: Mapping[str, NDArray[Any]], computed: Mapping[str, Computed]
) -> Unit:
    if content["kind"] == "computed":
        return read_computed(content, name, arrays, computed)
    readers: dict[str, Callable[..., Unit]] = {
        "numbers": read_numbers,
        "gap": read_gap,
        "categories": _categories,
        "joint": read_joint,
    }
    if content["kind"] not in readers:
        raise ValueError(f"there is no unit of kind {content['kind']!r}")
    return readers[content["kind"]](content, name, arrays)


def _categories(content: Mapping[str, Any], name: str, arrays: Mapping[str, NDArray[Any]]) -> CategoryUnit:
    columns = tuple(content["columns"])
    counts, starts = listed(arrays, f"{name}/counts", np.float64), listed(arrays, f"{name}/starts", np.int64)
    values: Arrays = {}
    for column in columns:
        if column in content["numbers"]:
            values[column] = listed(arrays, f"{name}/values/{column}", np.float64)
            continue
        texts = content["texts"][column]
        if not isinstance(texts, list) or not all(text is None or isinstance(text, str) for text in texts):
            raise ValueError(f"the values of {column!r} are not texts")
        values[column] = np.array(texts, dtype=object)
    lengths = {len(column) for column in values.values()}
    if lengths != {len(counts)} or not climbing(starts, len(counts)):
        raise ValueError(f"the values of {', '.join(columns)} do not fit each other")
    return CategoryUnit(columns=columns, values=values, counts=counts, starts=starts)
