"""The codec of a table is fitted on its training rows alone; what few of them have is kept back (protection.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.kinds.tables.codec.breaks import cuts_of_rare, rare_categories
from ganforge.kinds.tables.codec.categories import MOST, CategoryUnit, fit_categories, grouped
from ganforge.kinds.tables.codec.codec import TableCodec, Unit, unit_columns
from ganforge.kinds.tables.codec.computed import fit_computed
from ganforge.kinds.tables.codec.gaps import GapUnit, fit_gaps
from ganforge.kinds.tables.codec.joint import JointUnit, fit_joint
from ganforge.kinds.tables.codec.numbers import Inside, NumberUnit, fit_numbers
from ganforge.kinds.tables.codec.protection import KeptBack, Protection, kept_categories, kept_numbers
from ganforge.kinds.tables.codec.rare_categories import fit_rare, without_rare
from ganforge.kinds.tables.codec.rare_numbers import ends_kept
from ganforge.kinds.tables.columns import Column, RowSettings
from ganforge.kinds.tables.reading.arrays import arrow_type, dtype_named, is_text
from ganforge.kinds.tables.rules.bins import fit_bins, ordered_bins
from ganforge.kinds.tables.rules.conditions import Condition, seen_in
from ganforge.kinds.tables.rules.rules import Rule, Seen, computed_of, daily, joint_of, lowers_of


def fit_codec(
    columns: Sequence[Column],
    rules: Sequence[Rule],
    sample: Plain,
    counts: Mapping[tuple[str, ...], tuple[Plain, NDArray[np.float64]]],
    settings: RowSettings,
    seed: int,
) -> tuple[TableCodec, Protection]:
    """Fit the units on training rows; return also what they keep back of these.

    Args: sample of the training rows (S,); counts of all of them: columns of a unit of categories -> its distinct
        values, and the number of rows of each; settings the number of codes for numbers, how a value within a span is
        drawn, and how many rows a value has that is drawn as it is.
    """
    spans, inside, rare = settings.spans, settings.values, settings.rare or 0
    below, computed = lowers_of(rules), computed_of(rules)
    keys = {rule.column for rule in rules if isinstance(rule, Seen)}
    joint = joint_of(rules)
    columns = _without_ends(_within(columns, rules), keys, sample, rare)
    by_name = {column.name: column for column in columns}
    days = daily(rules, by_name)
    units: list[Unit] = []
    hidden: dict[int, Plain] = {}
    kept: list[KeptBack] = []
    for names in unit_columns(columns, rules):
        column, size = by_name[names[0]], len(sample[names[0]])
        if names in joint:
            units.append(fit_joint((column, by_name[names[1]]), sample, spans, rare, seed))
        elif len(names) > 1 or not column.is_number:
            word = len(names) == 1 and column.name not in keys and _holds_words(column)
            values, rows, theirs, their_rows = without_rare(*counts[names], rare, has_word=word)
            if len(their_rows):
                hidden[len(units)] = theirs
            units.append(fit_categories(names, values, rows))
            kept += kept_categories(names, values, rows, their_rows, rare)
        elif column.name in computed:
            units.append(fit_computed(column, computed[column.name], sample, spans, inside, rare))
        elif column.name in below:
            lowers = [by_name[name] for name in below[column.name]]
            compared = [days.get((lower.name, column.name)) for lower in lowers]
            units.append(fit_gaps(lowers, column, sample, size, spans, inside, compared, rare))
        elif column.name in keys:
            units.append(fit_numbers(column, sample[column.name], size, spans, "seen"))
        else:
            cuts = np.zeros(0) if settings.rare_classes else None
            units.append(fit_numbers(column, sample[column.name], size, spans, inside, rare, cuts))
        if isinstance(units[-1], NumberUnit | GapUnit | JointUnit) and column.name not in keys:
            kept += kept_numbers(names, sample, rare)
    codes = _fit_again(units, by_name, sample, settings, keys, seed)
    codes = np.stack([unit.encode(sample) for unit in units], axis=1) if hidden else codes
    found = [
        fit_rare(place, unit, hidden[place], sample, codes, seed)
        for place, unit in enumerate(units)
        if isinstance(unit, CategoryUnit) and place in hidden
    ]
    constants = {column.name: sample[column.name][0] for column in columns if column.kind == "constant"}
    bins = tuple(fit_bins(rule, by_name, sample) for rule in ordered_bins(rules))
    codec = TableCodec(tuple(columns), tuple(rules), tuple(units), constants, rare, bins)
    return codec, Protection(tuple(found), tuple(kept))


def _fit_again(
    units: list[Unit], columns: Mapping[str, Column], sample: Plain, settings: RowSettings, keys: set[str], seed: int
) -> NDArray[np.int32]:
    """Fit again what depends on the codes of other units: spans around rare categories, and groups of categories.

    Returns: the codes (N, U) of the sample before categories were grouped.
    """
    codes = np.stack([unit.encode(sample) for unit in units], axis=1)
    categories = [codes[:, place] for place, unit in enumerate(units) if isinstance(unit, CategoryUnit)]
    groups = rare_categories(categories) if settings.rare_classes else []
    for place, unit in enumerate(units):
        if isinstance(unit, NumberUnit) and len(cuts := cuts_of_rare(sample[unit.column], codes[:, place], groups)):
            column, values = columns[unit.column], sample[unit.column]
            how: tuple[Inside, int] = ("seen", 0) if unit.column in keys else (settings.values, settings.rare or 0)
            units[place] = fit_numbers(column, values, len(codes), settings.spans, *how, cuts)
            codes[:, place] = units[place].encode(sample)
    for place, unit in enumerate(units):
        if isinstance(unit, CategoryUnit) and len(unit.counts) > MOST:
            units[place] = grouped(unit, sample, np.delete(codes, place, axis=1), seed)
    return codes


def _within(columns: Sequence[Column], rules: Sequence[Rule]) -> list[Column]:
    """Return the columns with the ranges that rules require."""
    asked = {rule.column: rule for rule in rules if isinstance(rule, Condition)}
    cut = {column.name: seen_in(column) & asked[column.name] for column in columns if column.name in asked}
    return [
        column.model_copy(update={"minimum": float(cut[column.name].low), "maximum": float(cut[column.name].high)})
        if column.name in cut
        else column
        for column in columns
    ]


def _without_ends(columns: Sequence[Column], keys: set[str], sample: Plain, rare: int) -> list[Column]:
    """Return the columns of numbers with the ranges that are left without the lowest and highest training rows."""

    def narrowed(column: Column) -> Column:
        if rare < 2 or not column.is_number or column.name in keys or column.minimum is None or column.maximum is None:
            return column
        low, high = ends_kept(sample[column.name], rare)
        return column.model_copy(update={"minimum": max(column.minimum, low), "maximum": min(column.maximum, high)})

    return [narrowed(column) for column in columns]


def _holds_words(column: Column) -> bool:
    """Return whether a column of categories can hold any text: booleans and categoricals have a list of values."""
    dtype = dtype_named(column.dtype)
    text = is_text(arrow_type(column.dtype)) and not isinstance(dtype, pd.CategoricalDtype)
    return column.kind == "category" and text and column.format is None
