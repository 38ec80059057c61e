"""Frames <-> plain arrays (contracts.Plain), there and back without a difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.kinds.tables.columns import Column
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
from ganforge.kinds.tables.reading.formats import as_text, from_text, numbers_as_text


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
