"""Frames <-> plain arrays (contracts.Plain), there and back without a difference, and values <-> their texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.errors import DataError, did_you_mean
from ganforge.kinds.tables.columns import LEARNED, Column
from ganforge.kinds.tables.reading.dtypes import (
    arrow_from,
    arrow_type,
    categorical_of_words,
    column_from,
    dtype_named,
    dtype_of,
    is_text,
    words_from,
)
from ganforge.kinds.tables.reading.profile import base_of
from ganforge.kinds.tables.reading.reader import TableSource
from ganforge.kinds.tables.reading.text_values import dates_from
from ganforge.kinds.tables.rules.values import number_text

_OFFSET = re.compile(r"(Z|[+-]\d\d:\d\d)$")
_EXACT = 1e15  # numbers up to here have all their digits written


def row_count(table: Plain) -> int:
    """Rows of a table; 0 without columns."""
    return len(next(iter(table.values()), ()))


def take(table: Plain, rows: NDArray[np.int64] | slice) -> Plain:
    """Some rows of every column."""
    return {name: values[rows] for name, values in table.items()}


def joined(parts: Sequence[Plain]) -> Plain:
    """The rows of several tables of the same columns, one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def to_plain(frame: pd.DataFrame, columns: Sequence[Column]) -> Plain:
    """Args: frame with these columns, as a source's chunks give them. Returns: one array (N,) for each."""
    return {column.name: _plain(arrow_from(frame[column.name]), column) for column in columns}


def from_plain(plain: Plain, columns: Sequence[Column]) -> pd.DataFrame:
    """The frame with the columns' dtypes, order, decimals and forms.

    Numbers are rounded to the column's decimals and moments to its resolution, so generated ones look like read ones.
    A categorical has the categories that Column.format remembers; without them those that stand in `plain`, sorted.

    Raises: ValueError if a value cannot be in a column: one missing in a dtype that has no missing values, a text that
        is no category.
    """
    made = {column.name: _column(plain[column.name], column) for column in columns}
    return pd.DataFrame(made, copy=False)


def _plain(array: pa.Array, column: Column) -> NDArray[Any]:
    if column.kind == "datetime":
        zone = getattr(array.type, "tz", None)
        moments = array.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64())
        counts = moments.fill_null(0).to_numpy(zero_copy_only=False)
        # exact: microseconds after 2255 are beyond a float's digits
        values = counts // column.unit + (counts % column.unit) / column.unit
        return np.where(moments.is_null().to_numpy(zero_copy_only=False), np.nan, values)
    if column.is_number:
        values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        # 0.1 in float32 is 0.10000000149: the digits beyond are not the data's
        short = array.type == pa.float32() and column.kind == "decimal" and column.decimals is not None
        return np.round(values, column.decimals or 0) if short else np.asarray(values, np.float64)
    return words_from(array if pa.types.is_dictionary(array.type) else as_text(array, column))


def _column(values: NDArray[Any], column: Column) -> Any:
    dtype = dtype_of(column)
    if column.is_number:
        array = _moments(values, column) if column.kind == "datetime" else _numbers(values, column)
    else:
        words = pa.array(values, pa.string())
        if isinstance(dtype, pd.CategoricalDtype):
            return categorical_of_words(words, dtype)
        array = from_text(words, column)
    if array.null_count and isinstance(dtype, np.dtype) and dtype.kind in "iub":
        raise ValueError(f"the column {column.name!r} of {column.dtype} has no missing values")
    return column_from(array, dtype)


def _numbers(values: NDArray[Any], column: Column) -> pa.Array:
    values = values.astype(np.float64, copy=False)
    if column.kind == "integer":
        values = np.rint(values)
    elif column.decimals is not None:
        # A float from 2**53 on has no fraction to round, and rounding the largest ones overflows.
        values, fractional = values.copy(), np.abs(values) < 2**53
        values[fractional] = np.round(values[fractional], column.decimals)
    array = pa.array(values, from_pandas=True)
    kind = arrow_type(dtype_named(column.dtype))
    return numbers_as_text(array, column) if is_text(kind) else array.cast(kind)


def _moments(values: NDArray[Any], column: Column) -> pa.Array:
    kind = arrow_type(dtype_named(column.dtype))
    values = values.astype(np.float64, copy=False)
    missing = np.isnan(values)
    counts = np.rint(np.where(missing, 0.0, values)).astype(np.int64) * column.unit
    array = pa.array(counts, pa.int64(), mask=missing).cast(pa.timestamp("us", getattr(kind, "tz", None)))
    return array.cast(kind, safe=False)


# ---- values as a column writes them: dates in their form, truths in their words --------------------------------------


def as_text(array: pa.Array, column: Column) -> pa.Array:
    """Args: array (N,) of the column's values. Returns: text (N,), null where missing."""
    match base_of(array.type):
        case "truth":
            return pc.if_else(array, *_truths(column))
        case "datetime" if form := _date_form(column):
            return _dates_as_text(array, form, column)
        case "number":
            return numbers_as_text(array, column)
    return array.cast(pa.string())


def from_text(texts: pa.Array, column: Column) -> pa.Array:
    """The values (N,) of texts as the column writes them, in the Arrow type of its dtype."""
    kind = arrow_type(dtype_named(column.dtype))
    match base_of(kind):
        case "truth":
            return pc.equal(texts, _truths(column)[0])
        case "datetime" if form := _date_form(column):
            when = dates_from(texts, *_split(form))
            if when is None:
                raise ValueError(f"a text of the column {column.name!r} is no date like {form}")
            return when.cast(pa.timestamp("us", getattr(kind, "tz", None))).cast(kind, safe=False)
        case "text":
            return texts
    return pc.replace_substring_regex(texts, r"^\+", "").cast(kind)  # Arrow reads no plus sign


def numbers_as_text(array: pa.Array, column: Column) -> pa.Array:
    """Numbers as the column writes them: Column.format "0.00" is two decimals in every row, "0.0#" at least one, "000"
    leading zeros; else the shortest text that gives the same number."""
    form = column.format or ""
    floating = pa.types.is_floating(array.type)
    small = floating and (pc.max(pc.abs(array)).as_py() or 0) < _EXACT
    if small and (column.kind == "integer" and "." not in form):
        return _padded(array.cast(pa.int64()).cast(pa.string()), form)
    if small and re.fullmatch(r"0\.0+", form):
        return array.cast(pa.float64()).cast(pa.decimal128(38, len(form) - 2)).cast(pa.string())
    texts = array.cast(pa.string())
    if form == "0.0#":
        whole = pc.invert(pc.match_substring_regex(texts, r"[.e]"))
        return pc.if_else(whole, pc.binary_join_element_wise(texts, ".0", ""), texts)
    return _padded(texts, form)


def _padded(texts: pa.Array, form: str) -> pa.Array:
    return pc.utf8_lpad(texts, width=len(form), padding="0") if re.fullmatch("0+", form) else texts


def _truths(column: Column) -> tuple[str, str]:
    yes, _, no = (column.format or "True/False").partition("/")
    return yes, no


def _date_form(column: Column) -> str | None:
    """How dates are written: as they were found, else ISO 8601 to the column's resolution; in UTC if it has a zone."""
    if column.format and "%" in column.format:
        return column.format
    if column.resolution is None:
        return None
    if column.resolution == "D" and column.zone is None:
        return "%Y-%m-%d"
    fraction = ".%f" if column.resolution in ("ms", "us") else ""
    return f"%Y-%m-%d %H:%M:%S{fraction}" if column.zone is None else f"%Y-%m-%dT%H:%M:%S{fraction}Z"


def _split(form: str) -> tuple[str, str]:
    found = _OFFSET.search(form)
    return (form[: found.start()], found[1]) if found and "%H" in form else (form, "")


def _dates_as_text(array: pa.Array, form: str, column: Column) -> pa.Array:
    """Each distinct moment is written once."""
    plain_form, offset = _split(form)
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp("us", array.type.tz), safe=False).cast(pa.int64())  # in UTC
    coded = array.cast(pa.timestamp("us")).dictionary_encode()
    moments = coded.dictionary
    if offset not in ("", "Z"):
        minutes = int(offset[0] + "1") * (60 * int(offset[1:3]) + int(offset[4:]))
        moments = pc.add(moments, pa.scalar(minutes * 60_000_000, pa.duration("us")))
    # a text's fraction has as many digits as its unit; without a text that was read, as many as the values need
    milliseconds = "[ms" in column.dtype or (column.format is None and column.resolution == "ms")
    unit = "s" if "%f" not in form else "ms" if milliseconds else "us"
    moments = moments.cast(pa.timestamp(unit), safe=False)
    texts = pc.strftime(moments, format=plain_form.replace("%S.%f", "%S").replace("%-", "%"))
    if "%-" in form:
        texts = pc.replace_substring_regex(texts, r"(^|[/.])0", r"\1")
    return pc.binary_join_element_wise(texts, offset, "").take(coded.indices) if offset else texts.take(coded.indices)


# ---- another table with the columns of one that was learned ---------------------------------------------------------


def plain_like(frame: pd.DataFrame, columns: Sequence[Column], first_row: int) -> Plain:
    """The learned columns of a frame as plain arrays.

    Args: first_row the number of its first row, where the table's is 1.
    Raises: DataError naming a column of another kind, or one whose dtype cannot hold what stands in a row.
    """
    plain: dict[str, Any] = {}
    for column in columns:
        try:
            plain |= to_plain(frame, (column,))
        except (pa.ArrowException, ValueError, TypeError) as error:
            raise DataError(
                f"The column {column.name!r} of type {frame[column.name].dtype} is no {column.kind}: {error}.",
                f"The model learned it as {column.kind}.",
                "Give a table like the one that it was trained on.",
            ) from error
        _refuse_strangers(plain[column.name], column, first_row)
    return plain


def _refuse_strangers(values: Any, column: Column, first_row: int) -> None:
    """Raises: DataError for a value that could not be written again as it is."""
    if column.kind in ("integer", "datetime"):
        strange = ~np.isnan(values) & (values != np.rint(values))
        learned = "whole numbers" if column.kind == "integer" else f"moments in units of {column.resolution}"
    elif column.dtype == "category" and column.format:
        known = dtype_of(column).categories.astype(str)
        strange = ~pd.isna(values) & ~np.isin(values.astype(str), known)
        learned = f"the categories {', '.join(known[:10])}"
    else:
        return
    if strange.any():
        row = int(np.argmax(strange))
        told = repr(values[row]) if values.dtype == object else number_text(values[row])
        what = "a part of a unit" if column.kind == "datetime" else told
        raise DataError(
            f"The column {column.name!r} holds {what} in row {first_row + row:,}.",
            f"The model learned {learned}, and no cell that is there is changed.",
            "Correct it, or train again on a table that has such values.",
        )


def with_filled(frame: pd.DataFrame, filled: Plain, columns: Sequence[Column]) -> pd.DataFrame:
    """The frame with the cells of learned columns that were missing; every other cell stays as it is.

    Args: filled plain rows (N,), made of plain_like's. Decimals may have more digits than those of training had.
    """
    written = [_exact(column) for column in columns]
    decimals = to_plain(frame, [column for column in written if column.kind == "decimal"])
    cells = {name: np.where(np.isnan(values), filled[name], values) for name, values in decimals.items()}
    made = from_plain({**filled, **cells}, written)
    return frame.assign(**{column.name: made[column.name] for column in columns})


def _exact(column: Column) -> Column:
    """A column that writes all digits of its decimals."""
    if column.kind != "decimal":
        return column
    form = "0.0#" if re.fullmatch(r"0\.0+", column.format or "") else column.format
    return column.model_copy(update={"decimals": None, "format": form})


def columns_like(source: TableSource, columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns of a table as they are written again: the learned ones as learned, others as they are.

    Raises: DataError if a learned column is not there.
    """
    learned = {column.name: _exact(column) for column in columns if column.kind in LEARNED}
    for name in learned:
        if name not in source.column_names:
            raise DataError(
                f"{source.name!r} has no column {name!r}, which the model learned.",
                did_you_mean(name, source.column_names),
                "Give a table like the one that it was trained on.",
            )
    dtypes = next(source.chunks()).dtypes
    return tuple(
        learned.get(name) or Column(name=name, kind="category", dtype=str(dtypes[name])) for name in source.column_names
    )
