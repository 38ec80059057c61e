"""Rows from given cells: one for each row of a table of some columns, with its cells to the letter, all others drawn.

The generator learned to complete rows from their given cells. Of a few completed candidates for each row one is taken
by chance, those the more often that make the conditions likely and that the referee holds for real.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.core.seeds import generator_for, seed_for
from ganforge.errors import DataError, did_you_mean
from ganforge.kinds.tables.codec.categories import CategoryUnit
from ganforge.kinds.tables.codec.codec import TableCodec
from ganforge.kinds.tables.codec.fill import fill
from ganforge.kinds.tables.codec.gaps import GapUnit
from ganforge.kinds.tables.codec.identifiers import fresh_identifiers
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.complete import exact, opened, plain_like, written_parts
from ganforge.kinds.tables.reading.arrays import AT_ONCE, blank, from_plain, joined, row_count, take
from ganforge.kinds.tables.reading.frames import as_objects
from ganforge.kinds.tables.reading.source import TableSource
from ganforge.kinds.tables.reading.write import check_table_place
from ganforge.kinds.tables.rules.checks import check_rules
from ganforge.kinds.tables.rules.conditions import Condition, all_of, in_words, one_of, seen_in
from ganforge.kinds.tables.rules.rules import rule_columns
from ganforge.kinds.tables.rules.values import seen_range, write_number

if TYPE_CHECKING:
    from ganforge.kinds.tables.generate.model import RowModel

NEVER = 1e6  # taken from the score of a row that breaks a rule
CANDIDATES = 6  # completed rows of which conditions and the referee take one


@dataclass(frozen=True, slots=True)
class SeededRows:
    """Rows that are drawn from given cells when they are requested (contracts.Samples)."""

    model: RowModel
    given: object  # a path, or a frame
    conditions: tuple[Condition, ...]
    seed: int

    def blocks(self) -> Iterator[pd.DataFrame]:
        """Yield some thousand rows at a time, with the dtypes of the table."""
        with opened(self.given, self.model.codec.columns) as source:
            yield from self._parts(source)

    def value(self) -> pd.DataFrame:
        """Return all rows, with the dtypes, order and forms of the table's columns."""
        return as_objects(pd.concat(list(self.blocks()), ignore_index=True), self.model.codec.columns)

    def write(self, out: Path, *, force: bool) -> Path:
        """Write a table's file as the rows are drawn. Raises: InputError, DataError, StorageError."""
        check_table_place(out, force=force)
        with opened(self.given, self.model.codec.columns) as source:
            return written_parts(source, self._parts(source), self._columns(source), out, force=force)

    def _columns(self, source: TableSource) -> list[Column]:
        """Return the columns as they are written: given decimals with all their digits."""
        return [exact(each) if each.name in source.column_names else each for each in self.model.codec.columns]

    def _parts(self, source: TableSource) -> Iterator[pd.DataFrame]:
        columns = _given_columns(source, self.model.codec.columns)
        first_row = 1
        for frame in source.chunks():
            plain = plain_like(frame, columns, first_row)
            refuse_unseen(self.model, plain, self.conditions, first_row)
            made = []
            for first in range(0, len(frame), AT_ONCE):
                part = take(plain, slice(first, first + AT_ONCE))
                made.append(rows_from(self.model, part, self.conditions, self.seed, first_row - 1 + first))
            rows = joined(made)
            check_rules(self.model.codec.rules, rows, self.model.codec.columns, first_row)
            for condition in self.conditions:
                _refuse_first(
                    ~condition.holds(rows), first_row, f"no row with {in_words(condition, self.model.codec.columns)}"
                )
            yield from_plain(rows, self._columns(source))
            first_row += len(frame)


def rows_from(model: RowModel, given: Plain, conditions: Sequence[Condition], seed: int, start: int) -> Plain:
    """Return rows (N,) of all columns with the given cells.

    Args: given plain columns (N,) that training could have had, a missing cell being drawn; start the number of the
        first row from 0, which decides its random numbers and identifiers.
    """
    codec, count = model.codec, row_count(given)
    whole = dict(given)
    for column in codec.columns:
        if column.name not in whole:
            constant = isinstance(codec.constants.get(column.name), float)
            whole[column.name] = np.full(count, np.nan) if constant else blank(column, count)
    whole, asked = dict(codec.solved(whole)), codec.by_unit(conditions)
    random = generator_for(seed, "seeded rows", step=start)
    values = np.random.default_rng(seed_for(seed, "seeded values", step=start))
    candidates, weights = [], []
    some = asked or codec.redraws or model.network.referee is not None
    for _ in range((1 + 3 * codec.redraws) * CANDIDATES if some else 1):
        shares = model.drawn_shares(whole, random)
        candidates.append(fill(codec, whole, shares, values, asked, complete=False))
        kept = codec.keeps(candidates[-1], asked)  # of computed columns
        weights.append(_log_likely(model, whole, shares, asked) + _scores(model, candidates[-1]) - NEVER * ~kept)
    likely = torch.softmax(torch.from_numpy(np.stack(weights, axis=1)), dim=1)  # (N, candidates)
    taken = torch.multinomial(likely, 1, generator=random)[:, 0].numpy()
    rows = {
        name: np.stack([candidate[name] for candidate in candidates])[taken, np.arange(count)] for name in candidates[0]
    }
    for column in codec.columns:
        empty = pd.isna(rows[column.name])
        if column.kind == "identifier" and empty.any():
            rows[column.name] = np.where(
                empty, fresh_identifiers(column, count, values, start=start), rows[column.name]
            )
        elif column.kind == "constant":
            rows[column.name] = np.where(empty, codec.constants[column.name], rows[column.name])
    return rows


def _log_likely(
    model: RowModel, plain: Plain, shares: Sequence[NDArray[Any]], asked: dict[int, tuple[Condition, ...]]
) -> NDArray[np.float64]:
    """Return the logarithm of the probability that rows meet the conditions on cells that are drawn, (N,)."""
    total = np.zeros(row_count(plain))
    for place, conditions in asked.items():
        unit = model.codec.units[place]
        if not isinstance(unit, GapUnit):  # what a gap meets depends on the lower cells, which are not drawn yet
            drawn = np.any([pd.isna(plain[name]) for name in unit.columns], axis=0)
            met = shares[place][:, unit.allowed(conditions)].sum(axis=1)
            total += np.where(drawn, np.log(np.maximum(met, 1e-12)), 0.0)
    return total


def _scores(model: RowModel, rows: Plain) -> NDArray[np.float64]:
    """Return the referee's scores (N,) of whole rows; zeros without one."""
    referee, layout = model.network.referee, model.layout
    if referee is None:
        return np.zeros(row_count(rows))
    codes = torch.from_numpy(model.codec.encode(rows)).long().clamp_min(0).to(layout.starts.device)
    scores: NDArray[np.float64] = referee.score_whole(codes + layout.starts).cpu().double().numpy()
    return scores


# ---- what cannot be given -------------------------------------------------------------------------------------------


def _given_columns(source: TableSource, columns: Sequence[Column]) -> list[Column]:
    """Return the model's columns that a table has. Raises: DataError for another one."""
    names = [column.name for column in columns]
    for name in source.column_names:
        if name not in names:
            raise DataError(
                f"The model has no column {name!r}, which {source.name!r} gives.",
                did_you_mean(name, names),
                "Give columns of the training table.",
            )
    return [column for column in columns if column.name in source.column_names]


def refuse_unseen(model: RowModel, given: Plain, conditions: Sequence[Condition], first_row: int) -> None:
    """Refuse cells (N,) from which no row can be made. Raises: DataError naming the row and its values.

    Args: first_row the number of the first row.
    """
    codec = model.codec
    by_name = {column.name: column for column in codec.columns}
    for name, values in given.items():
        column, there = by_name[name], ~pd.isna(values)
        if column.is_number:
            strange = there & ~_givable(column, codec).holds({name: values})
            known = f"It is drawn from {seen_range(column)}."
        elif column.kind == "identifier":
            continue
        else:
            strange = there & ~np.isin(values.astype(str), codec.known.get(name, ()))
            known = did_you_mean(str(values[np.argmax(strange)]), codec.known.get(name, ())) if strange.any() else ""
        if strange.any():
            row = int(np.argmax(strange))
            word = write_number(values[row], column) if column.is_number else repr(values[row])
            raise DataError(
                f"The column {name!r} holds {word} in row {first_row + row:,}.",
                "Training never saw it, or in fewer rows than rows.rare.",
                known,
            )
    for condition in conditions:
        if condition.column in given:
            values = given[condition.column]
            strange = ~pd.isna(values) & ~condition.holds({condition.column: values})
            _refuse_first(strange, first_row, f"another value than {in_words(condition, codec.columns)}")
    _refuse_combinations(model, given, first_row)
    ordered = [
        rule for rule in codec.rules if set(rule_columns(rule)) <= set(given) and not isinstance(rule, Condition)
    ]
    check_rules(ordered, given, codec.columns, first_row)  # ranges were checked above, where a cell is there


def _givable(column: Column, codec: TableCodec) -> Condition:
    """Return the range of numbers that can be given: that of training rows, which is wider than what is drawn."""
    drawn = seen_in(column)
    if codec.rare < 2:
        return drawn
    width = drawn.high - drawn.low
    wider = Condition(column.name, drawn.low - width, drawn.high + width, missing=True)
    ranges = [rule for rule in codec.rules if isinstance(rule, Condition) and rule.column == column.name]
    return all_of([wider, *ranges], column.name)


def _refuse_combinations(model: RowModel, given: Plain, first_row: int) -> None:
    """Raises: DataError for parts of a fixed combination that training never saw together."""
    for unit in model.codec.units:
        names = [name for name in unit.columns if name in given]
        if not isinstance(unit, CategoryUnit) or len(names) < 2:
            continue
        for cells, rows in (
            pd.DataFrame({name: given[name] for name in names}).groupby(names, dropna=False).indices.items()
        ):
            parts = [(name, cell) for name, cell in zip(names, cells, strict=True) if not pd.isna(cell)]
            if not unit.allowed(tuple(one_of(name, [cell]) for name, cell in parts)).any():
                words = " and ".join(f"{name}={cell}" for name, cell in parts)
                raise DataError(
                    f"Row {first_row + min(rows):,} has {words}.",
                    "The training rows have no such combination, or fewer than rows.rare.",
                    "Leave one of these cells empty, or correct it.",
                )


def _refuse_first(strange: NDArray[np.bool_], first_row: int, words: str) -> None:
    if strange.any():
        raise DataError(
            f"Row {first_row + int(np.argmax(strange)):,} of the given rows allows {words}.",
            "Every row meets every condition.",
            "Correct the cell, or leave the condition out.",
        )
