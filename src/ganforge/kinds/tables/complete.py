"""Imputation of missing cells by a model; other cells stay, and every rule is kept.

First rows of codes, then whole tables: those are read in parts, and every present cell is written as it was.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.core.seeds import seed_for
from ganforge.errors import DataError, did_you_mean
from ganforge.kinds.tables import TEXT, keep
from ganforge.kinds.tables.codec.categories import CategoryUnit
from ganforge.kinds.tables.codec.codec import TableCodec
from ganforge.kinds.tables.codec.computed import ComputedUnit
from ganforge.kinds.tables.codec.gaps import GapUnit
from ganforge.kinds.tables.codec.joint import JointUnit
from ganforge.kinds.tables.codec.numbers import Codes, NumberUnit
from ganforge.kinds.tables.columns import LEARNED, TIMES, Column
from ganforge.kinds.tables.reading.arrays import (
    arrow_from,
    arrow_type,
    as_text,
    column_from,
    dtype_of,
    from_plain,
    parsed,
    whole_array,
)
from ganforge.kinds.tables.reading.frames import as_objects, values_of
from ganforge.kinds.tables.reading.source import ROWS_AT_ONCE, TableSource, open_source
from ganforge.kinds.tables.reading.text_values import is_missing
from ganforge.kinds.tables.reading.write import check_table_place, write_table
from ganforge.kinds.tables.rules.conditions import Condition, one_of
from ganforge.kinds.tables.rules.values import number_text

if TYPE_CHECKING:
    from ganforge.kinds.tables.generate.model import RowModel

Shares = NDArray[np.floating]


def given_cells(codec: TableCodec, plain: Plain, codes: Codes) -> NDArray[np.bool_]:
    """Return which units of which rows are given (N, U): every column present, with a value seen in training.

    Args: codes (N, U) of the rows, as the codec gives them.
    """
    there = [
        ~np.any([pd.isna(plain[name]) for name in unit.columns], axis=0) & (codes[:, place] >= 0)
        for place, unit in enumerate(codec.units)
    ]
    return np.stack(there, axis=1)


def fill(
    codec: TableCodec,
    plain: Plain,
    shares: Sequence[Shares],
    random: np.random.Generator | None,
    asked: Mapping[int, tuple[Condition, ...]] | None = None,
    *,
    complete: bool = True,
) -> Plain:
    """Fill every missing cell of the learned columns.

    Args: plain rows (N,) of all columns; shares for each unit (N, K) how likely each code is; random draws a value for
        each missing cell, None takes the best guess: the mean of a number, the most likely category; asked conditions
        by unit, on cells that are drawn; complete: False if what is drawn may be a missing value again.
    """
    filled = dict(plain)
    for place, unit in enumerate(codec.units):
        filled = dict(codec.solved(filled))
        rows = np.flatnonzero(np.any([pd.isna(filled[name]) for name in unit.columns], axis=0))
        if not len(rows):
            continue
        conditions = (asked or {}).get(place, ())
        may = (unit.complete if complete else np.ones(unit.size, bool)) & unit.allowed(conditions)
        likely = shares[place][rows] * may
        likely = np.where(likely.sum(axis=1, keepdims=True) > 0, likely, may.astype(np.float64))
        if isinstance(unit, CategoryUnit):
            _fill_categories(unit, filled, rows, likely, random, conditions, complete=complete)
            continue
        here = {name: values[rows] for name, values in filled.items()}
        if isinstance(unit, JointUnit):
            given = np.stack([filled[name][rows] for name in unit.columns], axis=1)
            made = unit.filled(given, likely, conditions, random)
            for axis, name in enumerate(unit.columns):
                filled[name] = filled[name].copy()
                filled[name][rows] = made[:, axis]
            continue
        if isinstance(unit, ComputedUnit):
            filled[unit.column] = filled[unit.column].copy()
            filled[unit.column][rows] = (
                unit.expected(likely, here)
                if random is None
                else unit.decode(_drawn(likely, random), conditions, random, here)[unit.column]
            )
            continue
        ceiling = _ceiling(codec, unit.columns[0], here)
        filled[unit.columns[0]] = filled[unit.columns[0]].copy()
        filled[unit.columns[0]][rows] = _numbers(unit, likely, here, ceiling, random, conditions)
    return filled


def _numbers(
    unit: NumberUnit | GapUnit,
    likely: Shares,
    here: Plain,
    ceiling: NDArray[np.float64],
    random: np.random.Generator | None,
    conditions: tuple[Condition, ...],
) -> NDArray[np.float64]:
    """Return a value for each row, not above `ceiling` (N,)."""
    base = unit.base(here) if isinstance(unit, GapUnit) else np.zeros(len(likely))
    if random is not None:
        if isinstance(unit, GapUnit):
            if conditions:
                likely = (likely + 1e-12) * unit.allowed_above(base, base, conditions)
            codes = _drawn(likely, random)
            above = unit.decode(codes, conditions, random, here)[unit.upper]
            filled: NDArray[np.float64] = np.fmax(base, np.minimum(above, ceiling))  # no room above: the base
            filled = unit.fitting(filled, base, np.maximum(ceiling, base))
            return np.where(codes < unit.gap.with_missing, np.nan, filled)
        codes = _drawn(likely, random)
        drawn: NDArray[np.float64] = unit.decode(codes, conditions, random, high=ceiling)[unit.column]
        return drawn
    if isinstance(unit, GapUnit):
        return unit.fitting(unit.expected(likely, base), base, np.maximum(np.minimum(unit.high, ceiling), base))
    spans = likely[:, int(unit.with_missing) :]
    values = (spans @ unit.means) / spans.sum(axis=1)
    return unit.rounded(values, unit.low, np.maximum(np.minimum(unit.high, ceiling), unit.low))


def _fill_categories(
    unit: CategoryUnit,
    filled: dict[str, NDArray[Any]],
    rows: NDArray[np.int64],
    likely: Shares,
    random: np.random.Generator | None,
    asked: tuple[Condition, ...],
    *,
    complete: bool,
) -> None:
    """Fill each group of rows that have the same parts of a combination with values that fit those parts."""
    columns = {name: filled[name][rows] for name in unit.columns}
    for name in unit.columns:
        filled[name] = filled[name].copy()
    patterns = pd.DataFrame(columns).groupby(list(unit.columns), dropna=False, sort=False).indices
    for mine in patterns.values():
        given = tuple(
            one_of(name, [values[mine[0]]]) for name, values in columns.items() if not pd.isna(values[mine[0]])
        )
        conditions = (*asked, *given)
        may = likely[mine] * unit.allowed(conditions, complete=complete)
        if not may.any():  # parts that training never saw together: missing ones are filled as if nothing was given
            conditions, may = asked, likely[mine]
        may = np.where(may.sum(axis=1, keepdims=True) > 0, may, unit.allowed(conditions, complete=complete) * 1.0)
        codes = may.argmax(axis=1).astype(np.int32) if random is None else _drawn(may, random)
        made = (
            unit.most_frequent(codes, conditions)
            if random is None
            else unit.decode(codes, conditions, random, complete=complete)
        )
        for name in unit.columns:
            there = ~pd.isna(columns[name][mine])
            filled[name][rows[mine]] = np.where(there, columns[name][mine], made[name])


def _drawn(likely: Shares, random: np.random.Generator) -> Codes:
    """Draw a code for each row (N,), with the probabilities of its shares."""
    cumulative = np.cumsum(likely, axis=1)
    aim = random.random((len(likely), 1)) * cumulative[:, -1:]
    codes: Codes = np.minimum((cumulative <= aim).sum(axis=1), likely.shape[1] - 1).astype(np.int32)
    return codes


def _ceiling(codec: TableCodec, column: str, here: Plain) -> NDArray[np.float64]:
    """Return the smallest value (N,) of the columns that may not be below this one, in its own units; else infinity.

    For one that is missing too, and is filled after this one: the largest value that it can be given.
    """
    lowest = np.full(len(here[column]), np.inf)
    for unit in codec.units:
        if isinstance(unit, GapUnit) and column in unit.lowers:
            place = unit.lowers.index(column)
            (mine, theirs), days = unit.scales[place], unit.days[place]
            upper = here[unit.upper]
            upper = np.where(np.isnan(upper), np.minimum(unit.high, _ceiling(codec, unit.upper, here)), upper)
            least = np.floor(upper * theirs / mine) if mine != theirs else upper
            lowest = np.fmin(lowest, days.most(upper) if days else least)
    return lowest


# ---- whole tables ---------------------------------------------------------------------------------------------------


def plain_like(frame: pd.DataFrame, columns: Sequence[Column], first_row: int) -> Plain:
    """Return the learned columns of a frame as plain arrays.

    Args: first_row the number of its first row, where the table's is 1.
    Raises: DataError naming a column of another kind, or one whose dtype cannot hold the value of a row.
    """
    plain: dict[str, Any] = {}
    for column in columns:
        try:
            plain[column.name] = values_of(frame, column)
        except ValueError as error:
            raise DataError(
                f"The column {column.name!r} of type {frame[column.name].dtype} is not {column.kind}: {error}.",
                f"The model learned it as {column.kind}.",
                "Give a table like the one that it was trained on.",
            ) from error
        _refuse_strangers(plain[column.name], column, first_row)
    return plain


def _refuse_strangers(values: Any, column: Column, first_row: int) -> None:
    """Raises: DataError for a value that could not be written again unchanged."""
    if column.kind in ("integer", *TIMES):
        strange = ~np.isnan(values) & (values != np.rint(values))
        learned = "whole numbers" if column.kind == "integer" else f"moments in units of {column.resolution}"
    elif column.dtype == "category" and column.format:
        known = dtype_of(column).categories.astype(str)
        strange = ~pd.isna(values) & ~np.isin(values.astype(str), known)
        learned = f"the categories {', '.join(known[:10])}"
    elif column.kind == "decimal" and pa.types.is_decimal(kind := arrow_type(column.dtype)):
        apart = np.abs(values - np.round(values, kind.scale))
        strange = apart > 10.0**-kind.scale / 1000  # a decimal as a float is a little off
        learned = f"numbers with at most {kind.scale} decimals"
    else:
        return
    if strange.any():
        row = int(np.argmax(strange))
        told = repr(values[row]) if values.dtype == object else number_text(float(f"{values[row]:.15g}"))
        what = "a part of a unit" if column.kind in TIMES else told
        raise DataError(
            f"The column {column.name!r} holds {what} in row {first_row + row:,}.",
            f"The model learned {learned}, and no cell that is there is changed.",
            "Correct it, or train again on a table that has such values.",
        )


def with_filled(frame: pd.DataFrame, plain: Plain, filled: Plain, columns: Sequence[Column]) -> pd.DataFrame:
    """Return the frame with the missing cells of learned columns filled; every other cell stays as it is.

    Args: plain rows (N,), of plain_like; filled the same, with every cell. Decimals may have more digits than those of
        training had.
    Raises: DataError for a value that the learned dtype does not hold.
    """
    written = [exact(column) for column in columns]
    decimals = [column.name for column in written if column.kind == "decimal"]
    cells = {name: np.where(np.isnan(plain[name]), filled[name], plain[name]) for name in decimals}
    whole: dict[str, pd.Series[Any]] = {}
    for column in written:
        name = column.name
        try:
            made = from_plain({**filled, **cells}, [column])[name]
        except (pa.ArrowException, ValueError) as error:
            raise DataError(
                f"The column {name!r} holds a value that {column.dtype} does not hold: {error}.",
                "The model learned it in this type, and no cell that is there is changed.",
                "Correct it, or train again on a table that has such values.",
            ) from error
        there = ~pd.isna(plain[name])  # a text that means nothing in the column is not
        whole[name] = frame[name].where(there, made) if frame[name].dtype == made.dtype else made
    return frame.assign(**whole)


def exact(column: Column) -> Column:
    """Return a column that writes all digits of its decimals."""
    if column.kind != "decimal":
        return column
    form = "0.0#" if re.fullmatch(r"0\.0+", column.format or "") else column.format
    return column.model_copy(update={"decimals": None, "format": form})


def columns_like(source: TableSource, columns: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns of a table as they are written again: the learned ones as learned, others unchanged.

    Raises: DataError if a learned column is missing.
    """
    learned = {column.name: exact(column) for column in columns if column.kind in LEARNED}
    for name in learned:
        if name not in source.column_names:
            raise DataError(
                f"{source.name!r} has no column {name!r}, which the model learned.",
                did_you_mean(name, source.column_names),
                "Give a table like the one that it was trained on.",
            )
    dtypes = {str(name): source.as_given(name, str(dtype)) for name, dtype in next(source.chunks()).dtypes.items()}
    return tuple(
        learned.get(name) or Column(name=name, kind="category", dtype=dtypes[name]) for name in source.column_names
    )


def complete_table(
    model: RowModel, source: object, out: Path | None, *, draw: bool, seed: int, force: bool
) -> pd.DataFrame | Path:
    """Fill the missing cells of a table, a path or a frame; return a frame, or write the file `out`.

    From a text file to a text file, every cell that is there is written to the letter.

    Raises: InputError for the output path, before anything is read; DataError if the table is not like the learned one;
        StorageError.
    """
    if out is not None:
        check_table_place(out, force=force)
    with opened(source, model.codec.columns) as table:
        columns = columns_like(table, model.codec.columns)
        parts = _filled(model, table, draw, seed)
        if out is None:
            return as_objects(pd.concat(list(parts), ignore_index=True), columns)
        return written_parts(table, parts, columns, out, force=force)


def written_parts(
    source: TableSource, parts: Iterator[pd.DataFrame], columns: Sequence[Column], out: Path, *, force: bool
) -> Path:
    """Write a source again, with its missing cells filled or with more columns: its own cells to the letter in text."""
    if source.cells is None or not out.name.lower().endswith(TEXT):
        return write_table(parts, out, columns, force=force)
    texts = [Column(name=column.name, kind="category", dtype="str") for column in columns]
    return write_table(_as_written(source, parts, columns), out, texts, force=force)


def _as_written(
    source: TableSource, parts: Iterator[pd.DataFrame], columns: Sequence[Column]
) -> Iterator[pd.DataFrame]:
    """Yield the parts of a text file as texts: what stands in the file, and other cells in its forms."""
    assert source.cells is not None
    for frame, cells in zip(parts, source.cells(ROWS_AT_ONCE), strict=True):
        texts = {}
        for column in columns:
            form = source.formats.get(column.name)
            own = form and column.kind in ("datetime", "boolean")  # the form of a number may have too few digits
            filled = as_text(
                arrow_from(frame[column.name]), column.model_copy(update={"format": form}) if own else column
            )
            filled = filled.dictionary_decode() if pa.types.is_dictionary(filled.type) else filled
            if column.name not in source.column_names:
                texts[column.name] = column_from(filled, pd.StringDtype(na_value=np.nan))
                continue
            raw = whole_array(cells.column(column.name))
            there = pc.if_else(pc.equal(raw, ""), pa.scalar(None, pa.string()), raw)
            known = column.model_copy(update={"format": form or column.format})
            missing = parsed(raw, known).is_null() if column.is_number else is_missing(raw)
            whole = pc.if_else(pc.and_(missing, filled.is_valid()), filled, there)
            texts[column.name] = column_from(whole, pd.StringDtype(na_value=np.nan))
        yield pd.DataFrame(texts, copy=False)


@contextmanager
def opened(source: object, known: Sequence[Column]) -> Iterator[TableSource]:
    """Open a table that is written again: a path, or a frame as a temporary file.

    Args: known columns, as `open_source`.
    Raises: DataError if a line has another number of fields, and would be left out.
    """
    with tempfile.TemporaryDirectory(prefix="ganforge-") as folder:
        table = open_source(source if isinstance(source, str | Path) else keep(source, Path(folder)), known)
        if lines := table.facts.get("first_ragged_lines"):
            where, fields = f"Line {lines[0]['line']} of {table.name!r}", lines[0]["fields"]
            raise DataError(
                f"{where} has {fields} fields, not {len(table.column_names)}.",
                "It cannot be filled, and would be missing in the filled table.",
                "Mend it, or remove it.",
            )
        yield table


def _filled(model: RowModel, source: TableSource, draw: bool, seed: int) -> Iterator[pd.DataFrame]:
    """Yield the table in parts, with its missing cells filled."""
    learned = [
        column for column in model.codec.columns if any(column.name in unit.columns for unit in model.codec.units)
    ]
    first_row = 1
    for number, frame in enumerate(source.chunks()):
        plain = plain_like(frame, learned, first_row)
        filled = model.complete(plain, draw=draw, seed=seed_for(seed, "filled rows", step=number))
        yield with_filled(frame, plain, filled, learned)
        first_row += len(frame)
