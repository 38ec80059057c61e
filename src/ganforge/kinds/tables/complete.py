"""Imputation of missing cells of whole tables by a model: they are read in parts, and every present cell is written as
it was."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ganforge.contracts import Plain
from ganforge.core.seeds import seed_for
from ganforge.errors import DataError, did_you_mean
from ganforge.kinds.tables import TEXT, keep
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
from ganforge.kinds.tables.rules.values import number_text

if TYPE_CHECKING:
    from ganforge.kinds.tables.generate.model import RowModel


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
