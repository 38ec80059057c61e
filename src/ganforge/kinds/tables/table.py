"""A table opened for training: split, analysed, and held as codes; in bounded memory for any number of rows.

The rows are read up to three times: to analyse the columns (survey.py), to count what the codec is fitted on, and to
encode them. A table that fits into CACHED_CELLS is kept after the first reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.core.seeds import seed_for
from ganforge.engine.feed import TensorFeed
from ganforge.errors import DataError, InputError, RecipeError
from ganforge.kinds.tables.codec.codec import TableCodec, unit_columns
from ganforge.kinds.tables.codec.fit import fit_codec
from ganforge.kinds.tables.codec.identifiers import fresh_identifiers
from ganforge.kinds.tables.codec.protection import Protection
from ganforge.kinds.tables.columns import FEWEST_COMPARED, NUMBERS, Column, RowSettings, learned
from ganforge.kinds.tables.reading.arrays import joined, row_count, take, to_plain
from ganforge.kinds.tables.reading.source import TableSource, open_source
from ganforge.kinds.tables.reading.survey import TableSurvey, survey_table
from ganforge.kinds.tables.rules.checks import check_rules
from ganforge.kinds.tables.rules.discovery import find_large_keys, find_rules
from ganforge.kinds.tables.rules.expressions import columns_of
from ganforge.kinds.tables.rules.relations import listed
from ganforge.kinds.tables.rules.rule_text import read_rule
from ganforge.kinds.tables.rules.rules import (
    Computed,
    Ordered,
    Rule,
    binned_of,
    combined,
    computed_of,
    joint_of,
    rule_in_words,
)
from ganforge.kinds.tables.rules.values import by_day

CACHED_CELLS = 20_000_000
FITTED_ROWS = 200_000  # training rows that spans and rules are found on
SHOWN_ROWS = 50_000  # training rows that samples are compared with
MOST_HELD_OUT = 10_000
ASKED = "you asked for it"
MEASURED = 32_768  # generated rows, at most, that are compared with real ones: so many identifiers are needed
NEW_COMBINATIONS = 0.02  # share of rows that come once, up to which the combinations count as known
VARIES = 0.5  # times the mean of counts: the variance of independent draws is the mean itself
FEWEST_HELD_OUT = 200  # as long as they are no more than a fifth of the rows


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table ready for training. `train_rows` and `held_out_rows` are plain rows to compare with: random, and few."""

    codec: TableCodec
    train: TensorFeed  # x (N, U) int16: the codes
    held_out: TensorFeed
    train_rows: Plain
    held_out_rows: Plain
    sha256: str
    passport: dict[str, Any]
    protection: Protection


@dataclass(frozen=True, slots=True)
class InspectedTable:
    """A table analysed, not yet encoded: `plan` shows it, and a person may correct it."""

    source: TableSource
    survey: TableSurvey
    kept: Mapping[Rule, str]  # rules that every row of the table keeps, and why each was chosen
    rows: _Rows

    @property
    def rules(self) -> tuple[tuple[str, str], ...]:
        """Return the rules in words, each with its reason."""
        return tuple((rule_in_words(rule, self.survey.columns), why) for rule, why in self.kept.items())


def inspect_table(
    source: str | Path, asked: Sequence[Column] = (), rules: Sequence[str] | None = None, more: Sequence[str] = ()
) -> InspectedTable:
    """Read a table's columns and find its rules.

    Args: asked columns of an edited plan.json; rules in words that replace those that would be found; more
        rules, besides these. Rules that are asked for override found ones.
    Raises: DataError, also where a row breaks a rule that was asked for; RecipeError.
    """
    opened = open_source(source)
    survey = survey_table(opened, asked)
    rows = _Rows(opened, survey)
    sample = random_sample(rows, np.ones(survey.rows, dtype=bool), FITTED_ROWS) if rules is None else None
    kept = agree_rules((*(rules or ()), *more), sample, rows, survey.columns)
    large = find_large_keys(sample, survey.columns) if sample is not None else []
    passport = {**survey.passport, "warnings": [*survey.passport["warnings"], *large]}
    does = {name: f"computed from {listed(columns_of(rule.expression))}" for name, rule in computed_of(kept).items()}
    does |= {name: f"learned, and follows from {rule.base}" for name, rule in binned_of(kept).items()}
    columns = tuple(
        column.model_copy(update={"does": does[column.name]}) if column.name in does else column
        for column in survey.columns
    )
    return InspectedTable(opened, replace(survey, columns=columns, passport=passport), kept, rows)


def agree_rules(
    asked: Sequence[str], sample: Plain | None, rows: Iterable[tuple[int, Plain]], columns: Sequence[Column]
) -> dict[Rule, str]:
    """Return the rules that are asked for, in words, and those that a sample keeps and every row, each with its reason.

    Args: sample (S,) in which rules are found, None for none; rows the parts of the table, with the number of the first
        row from 0. Raises: RecipeError, also for rules that contradict each other; DataError as `inspect_table`.
    """
    wanted = {rule: ASKED for text in asked for rule in read_rule(text, columns)}
    combined(list(wanted), columns)
    for rule, why in find_rules(sample, columns) if sample is not None else ():
        with suppress(RecipeError):
            combined([*wanted, rule], columns)
            wanted.setdefault(rule, why)
    return _kept_rules(wanted, rows, columns)


def open_table(inspected: InspectedTable, settings: RowSettings, seed: int, device: str) -> Table:
    """Fit the codec on the training rows and encode all rows.

    Args: settings say how many codes numbers are cut into, and how values are drawn within one; seed decides which rows
        are held out.
    Raises: DataError for identifiers whose type does not have room for those of generated rows.
    """
    check_identifiers(inspected.survey.columns)
    survey, rows = inspected.survey, inspected.rows
    held_out = choose_held_out(survey.rows, seed)
    rules = combined(list(inspected.kept), survey.columns)
    sample = random_sample(rows, ~held_out, FITTED_ROWS)
    units = [names for names in unit_columns(survey.columns, rules) if names not in joint_of(rules)]
    counts = count_values(rows, held_out, units, survey.columns)
    codec, protection = fit_codec(survey.columns, rules, sample, counts, settings, seed)
    codes = np.empty((survey.rows, len(codec.units)), np.int16)
    for first, plain in rows:
        part = protection.encode(codec, plain)
        codes[first : first + len(part)] = part
    train_rows = take(sample, slice(0, SHOWN_ROWS))
    passport = {
        **survey.passport,
        "train": int((~held_out).sum()),
        "held_out": int(held_out.sum()),
        **repeats(train_rows, survey.columns),
        "rules": [rule_in_words(rule, survey.columns) for rule in rules],
        "warnings": [*survey.passport["warnings"], *protection.warnings],
    }
    return Table(
        codec=codec,
        train=TensorFeed(device, x=torch.from_numpy(codes[~held_out])),
        held_out=TensorFeed(device, x=torch.from_numpy(codes[held_out])),
        train_rows=train_rows,
        held_out_rows=random_sample(rows, held_out, MOST_HELD_OUT),
        sha256=survey.sha256,
        passport=passport,
        protection=protection,
    )


def split_rows(inspected: InspectedTable, seed: int) -> tuple[Plain, Plain]:
    """Return plain rows to compare with, those that a run with this seed trains on and those that it holds out."""
    held_out = choose_held_out(inspected.survey.rows, seed)
    return random_sample(inspected.rows, ~held_out, SHOWN_ROWS), random_sample(inspected.rows, held_out, MOST_HELD_OUT)


def check_identifiers(columns: Sequence[Column]) -> None:
    """Check that new identifiers can be made. Raises: DataError where their type does not have room."""
    for column in columns:
        if column.kind == "identifier":
            try:
                fresh_identifiers(column, MEASURED, np.random.default_rng(seed_for(0, "data/table/identifiers")))
            except InputError as error:
                raise DataError(error.what, error.why, "Give it a wider type, or another kind in plan.json.") from error


def repeats(rows: Plain, columns: Sequence[Column]) -> dict[str, Any]:
    """Return rows_compared, duplicates, and duplicates_by_chance: those of the same columns, each shuffled by itself.

    Columns of few values repeat by chance, which is not a fault. Nor do rows that are drawn from few combinations,
    though their columns depend on each other: then all are by chance (`_few_combinations`). Identifiers are left out:
    a copy of a row usually has a new one.

    Args: rows (N,) of plain columns.
    """
    frame = pd.DataFrame({column.name: rows[column.name] for column in learned(columns)})
    random = np.random.default_rng(seed_for(0, "data/table/repeats"))
    shuffled = frame.apply(lambda values: random.permutation(values.to_numpy()))
    duplicates, by_chance = int(frame.duplicated().sum()), int(shuffled.duplicated().sum())
    natural = duplicates > by_chance and _few_combinations(frame)
    return {
        "rows_compared": len(frame),
        "duplicates": duplicates,
        "duplicates_by_chance": duplicates if natural else by_chance,
    }


def _few_combinations(frame: pd.DataFrame) -> bool:
    """Return whether equal rows are what draws from few combinations bring, not copies of rows.

    Then hardly a row comes once (the share that does estimates the probability of a new combination: Good 1953), and
    how often each comes varies as independent draws do, or more; rows that were written k times all come k times.
    """
    counts = frame.groupby(list(frame.columns), dropna=False, sort=False).size().to_numpy()
    return bool((counts == 1).sum() <= NEW_COMBINATIONS * len(frame) and counts.var() >= VARIES * counts.mean())


class _Rows:
    """The plain rows of a table in parts, (number of the first row from 0, rows), as often as they are needed."""

    def __init__(self, source: TableSource, survey: TableSurvey) -> None:
        self._source, self._survey = source, survey
        self._kept: list[Plain] | None = None

    def __iter__(self) -> Iterator[tuple[int, Plain]]:
        columns, first = self._survey.columns, 0
        small = self._survey.rows * len(columns) <= CACHED_CELLS
        if small and self._kept is None:
            self._kept = [to_plain(frame, columns) for frame in self._source.chunks()]
        for plain in self._kept or (to_plain(frame, columns) for frame in self._source.chunks()):
            yield first, plain
            first += row_count(plain)
        if first != self._survey.rows:
            raise DataError(
                f"{self._source.name!r} had {self._survey.rows:,} rows and now has {first:,}.",
                "It was changed while it was read.",
                "Try again.",
            )


def choose_held_out(rows: int, seed: int) -> NDArray[np.bool_]:
    """Choose the held-out rows, (N,): a tenth, within limits; of few rows up to half, so that they can be compared."""
    count = min(max(round(0.1 * rows), min(round(0.2 * rows), FEWEST_HELD_OUT), FEWEST_COMPARED), MOST_HELD_OUT)
    chosen = np.random.default_rng(seed_for(seed, "data/table/held_out")).permutation(rows)[:count]
    mask = np.zeros(rows, dtype=bool)
    mask[chosen] = True
    return mask


def random_sample(rows: Iterable[tuple[int, Plain]], wanted: NDArray[np.bool_], most: int) -> Plain:
    """Return at most `most` of the wanted rows, (S,) in random order."""
    places = np.flatnonzero(wanted)
    random = np.random.default_rng(seed_for(0, "data/table/sample"))
    if len(places) > most:
        places = np.sort(random.choice(places, most, replace=False))
    parts: list[Plain] = []
    for first, plain in rows:
        last = first + row_count(plain)
        parts.append(take(plain, places[np.searchsorted(places, first) : np.searchsorted(places, last)] - first))
    return take(joined(parts), random.permutation(len(places)))


def _kept_rules(
    wanted: Mapping[Rule, str], rows: Iterable[tuple[int, Plain]], columns: Sequence[Column]
) -> dict[Rule, str]:
    """Check the rules on every row: a broken one that was asked for is an error, a found one is dropped."""
    kept, by_name = dict(wanted), {column.name: column for column in columns}
    for first, plain in rows if wanted else ():
        for rule, why in tuple(kept.items()):
            try:
                check_rules([rule], plain, columns, first + 1)
            except DataError:
                if why != ASKED and isinstance(rule, Computed):  # the sample had no row that breaks it
                    near = replace(rule, exact=False)
                    kept = {near if each == rule else each: reason for each, reason in kept.items()}
                elif why != ASKED:
                    del kept[rule]
                elif (
                    not isinstance(rule, Ordered) or rule.by_day or not by_day(by_name[rule.lower], by_name[rule.upper])
                ):
                    raise
                else:  # due on a day, submitted at a moment of it
                    whole = replace(rule, by_day=True)
                    check_rules([whole], plain, columns, first + 1)
                    kept = {whole if each == rule else each: reason for each, reason in kept.items()}
    return kept


def count_values(
    rows: Iterable[tuple[int, Plain]],
    held_out: NDArray[np.bool_],
    units: Sequence[tuple[str, ...]],
    columns: Sequence[Column],
) -> dict[tuple[str, ...], tuple[Plain, NDArray[np.float64]]]:
    """Return the distinct training values of each unit of categories, and the number of rows of each."""
    kinds = {column.name: column.kind for column in columns}
    wanted = [names for names in units if len(names) > 1 or kinds[names[0]] not in NUMBERS]
    found: dict[tuple[str, ...], list[pd.Series[Any]]] = {names: [] for names in wanted}
    for first, plain in rows:
        training = ~held_out[first : first + row_count(plain)]
        for names in wanted:
            frame = pd.DataFrame({name: plain[name][training] for name in names})
            found[names].append(frame.groupby(list(names), dropna=False, sort=False).size())
    return {names: _summed(names, parts, kinds) for names, parts in found.items()}


def _summed(
    names: tuple[str, ...], parts: Sequence[pd.Series[Any]], kinds: Mapping[str, str]
) -> tuple[Plain, NDArray[np.float64]]:
    whole = pd.concat(parts).groupby(level=list(range(len(names))), dropna=False, sort=True).sum()
    values: dict[str, NDArray[Any]] = {}
    for place, name in enumerate(names):
        level = pd.Series(whole.index.get_level_values(place))
        if kinds[name] in NUMBERS:
            values[name] = level.to_numpy(np.float64)
        else:
            values[name] = level.astype(object).where(level.notna(), None).to_numpy(object)
    return values, whole.to_numpy(np.float64)
