"""Lossless conversion of frames <-> plain arrays (contracts.Plain), and of values <-> their texts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.core.date_format import parse_dates, write_dates
from ganforge.core.files import parse_json
from ganforge.core.numeric_dates import FORMS, moments_from, numbers_from
from ganforge.kinds.tables.columns import TIMES, Column
from ganforge.kinds.tables.reading.intervals import edges_of, has_intervals, intervals
from ganforge.kinds.tables.reading.number_format import ANY_NUMBER, is_plain
from ganforge.kinds.tables.reading.number_units import read_column, write_column
from ganforge.kinds.tables.reading.time_format import parse_times, time_form, write_times

AT_ONCE = 8_192  # rows that are computed in one pass
MOST_CATEGORIES = 1_000  # of a pandas categorical that are remembered in Column.format
OBJECTS = "object["  # before the dtype of a column that pandas holds as Python's objects: object[date32[day][pyarrow]]
PERIODS = "period["  # before the frequency of a column of periods, which are held as the moments of their beginning
_DECIMAL = re.compile(r"decimal128\((\d+), (-?\d+)\)\[pyarrow\]")


def dtype_named(name: str) -> Any:
    """Return the pandas dtype called `name`; "category" without its categories; of objects the one that holds them.

    Raises: TypeError if there is none.
    """
    if name.startswith(OBJECTS):
        return dtype_named(name[len(OBJECTS) : -1])
    if name.startswith(PERIODS):
        pd.PeriodDtype(name)  # or its error
        return np.dtype("datetime64[s]")
    if name == "string[pyarrow]":  # pandas means its own type of texts, whose name is "string", by it
        return pd.ArrowDtype(pa.string())
    if found := _DECIMAL.fullmatch(name):
        return pd.ArrowDtype(pa.decimal128(int(found[1]), int(found[2])))
    return pd.api.types.pandas_dtype(name)


def dtype_of(column: Column) -> Any:
    """Return the pandas dtype of a column, with its categories if Column.format has them."""
    if column.dtype == "category" and column.format:
        about = parse_json(column.format)
        if str(about.get("dtype", "")).startswith("interval["):
            return pd.CategoricalDtype(intervals(about["categories"], about["dtype"]), ordered=about["ordered"])
        dtype = dtype_named(about["dtype"]) if "dtype" in about else None
        return pd.CategoricalDtype(pd.Index(about["categories"], dtype=dtype), ordered=about["ordered"])
    return dtype_named(column.dtype)


def categories_as_text(dtype: pd.CategoricalDtype) -> str | None:
    """Return the categories, in their order, as Column.format keeps them; None if they are too many."""
    if len(dtype.categories) > MOST_CATEGORIES:
        return None
    if has_intervals(dtype):
        about = {"ordered": bool(dtype.ordered), "categories": edges_of(dtype), "dtype": str(dtype.categories.dtype)}
        return json.dumps(about)
    about = {"ordered": bool(dtype.ordered), "categories": dtype.categories.tolist()}
    if pd.Index(about["categories"]).dtype != dtype.categories.dtype:
        about["dtype"] = str(dtype.categories.dtype)
    return json.dumps(about, ensure_ascii=False)


def _category_texts(dtype: pd.CategoricalDtype) -> pa.Array:
    if has_intervals(dtype):
        return pa.array([str(each) for each in dtype.categories], pa.string())
    return pa.array(dtype.categories).cast(pa.string())


def dtype_for(kind: pa.DataType, pandas_name: str | None, missing: bool) -> Any:
    """Return the dtype of a file's column: that of pandas' metadata, else one that holds all values and missing ones.

    Args: pandas_name is the type in the file's metadata, None if pandas did not write it; missing
        whether it has rows without a value. Categories are ignored.
    """
    if pandas_name and pandas_name.endswith("[pyarrow]") and pandas_name != "string[pyarrow]":
        return pd.ArrowDtype(kind)
    if is_text(kind):
        return pd.StringDtype(na_value=pd.NA if pandas_name in ("string", "string[pyarrow]") else np.nan)
    if pa.types.is_boolean(kind):
        return pd.BooleanDtype() if missing or pandas_name == "boolean" else np.dtype(bool)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        name = kind.to_pandas_dtype().__name__
        whole_with_holes = missing and pa.types.is_integer(kind)
        nullable = whole_with_holes or (pandas_name or "")[:1] in ("I", "U", "F")
        capital = f"UI{name[2:]}" if name.startswith("u") else name.capitalize()
        return dtype_named(capital) if nullable and name != "float16" else np.dtype(name)
    if pa.types.is_timestamp(kind) and kind.tz:
        return pd.DatetimeTZDtype(kind.unit, kind.tz)
    numpys = pa.types.is_timestamp(kind) or pa.types.is_duration(kind) or pa.types.is_null(kind)
    return np.dtype(kind.to_pandas_dtype()) if numpys else pd.ArrowDtype(kind)  # dates, times and exact decimals


def is_text(kind: pa.DataType) -> bool:
    """Return whether an Arrow type is one of its three kinds of text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def column_from(array: pa.Array, dtype: Any) -> Any:
    """Return a pandas or numpy array (N,) of exactly this dtype, from an Arrow array whose type fits it."""
    if isinstance(array, pa.DictionaryArray):
        array = array.dictionary_decode()
    if isinstance(dtype, pd.CategoricalDtype):
        known = _category_texts(dtype) if has_intervals(dtype) else pa.array(dtype.categories)
        return _categorical(array, dtype, known.cast(array.type))
    if isinstance(dtype, pd.ArrowDtype):
        array = pa.nulls(len(array)) if pa.types.is_null(dtype.pyarrow_dtype) else array
        return pd.arrays.ArrowExtensionArray(pa.chunked_array([array.cast(dtype.pyarrow_dtype)]))
    if isinstance(dtype, pd.api.extensions.ExtensionDtype):
        return dtype.__from_arrow__(array)
    values = array.to_numpy(zero_copy_only=False)
    return np.full(len(values), None, object) if dtype.kind == "O" else values.astype(dtype)


@lru_cache(maxsize=1024)
def arrow_type(name: str) -> pa.DataType:
    """Return the Arrow type that holds the values of a pandas dtype of this name; text for a categorical.

    Raises: TypeError if there is none.
    """
    dtype = dtype_named(name)
    kind = pa.string() if isinstance(dtype, pd.CategoricalDtype) else pa.Array.from_pandas(pd.Series(dtype=dtype)).type
    if isinstance(kind, pa.BaseExtensionType):
        raise TypeError(f"a table has no column of {dtype}")
    return pa.string() if is_text(kind) else kind


def arrow_from(column: pd.Series[Any]) -> pa.Array:
    """Convert a frame's column (N,) to one Arrow array, null for every kind of missing value; a categorical to text.

    Raises: Arrow's errors on columns of several types.
    """
    if has_intervals(column.dtype):
        column = column.cat.rename_categories(str)
    array = whole_array(pa.Array.from_pandas(column))
    if isinstance(array, pa.DictionaryArray):
        words = array.dictionary.cast(pa.string())
        return pa.DictionaryArray.from_arrays(array.indices, words)
    return array.cast(pa.string()) if is_text(array.type) else array


def whole_array(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return an array (N,) in one chunk."""
    if not isinstance(array, pa.ChunkedArray):
        return array
    array = array.unify_dictionaries() if pa.types.is_dictionary(array.type) else array
    return array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)


def words_from(array: pa.Array) -> NDArray[Any]:
    """Convert an Arrow array of text to objects (N,), None for missing ones; equal texts share their memory."""
    if not isinstance(array, pa.DictionaryArray):
        array = array.dictionary_encode()
    known = np.array([*array.dictionary.to_pylist(), None], object)
    places = array.indices.fill_null(len(known) - 1).to_numpy(zero_copy_only=False)
    return np.asarray(known[places], object)


def categorical_of_words(words: pa.Array, dtype: pd.CategoricalDtype) -> pd.Categorical:
    """Return categories of any type from their texts (N,); without known categories the texts define them.

    Raises: ValueError for a text that is not a category.
    """
    if dtype.categories is None:
        dtype = pd.CategoricalDtype(pd.Index(sorted(pc.unique(words).drop_null().to_pylist()), dtype="str"))
    texts = _category_texts(dtype)
    strange = pc.invert(pc.is_in(words.drop_null(), value_set=texts))
    if pc.any(strange).as_py():
        raise ValueError(f"{words.drop_null().filter(strange)[0].as_py()!r} is not a category")
    return _categorical(words, dtype, texts)


def _categorical(values: pa.Array, dtype: pd.CategoricalDtype, known: pa.Array) -> pd.Categorical:
    """Args: values (N,); known (K,) the categories as in `values`. Other values become missing."""
    codes = pc.index_in(values, value_set=known).fill_null(-1)
    return pd.Categorical.from_codes(codes.to_numpy(zero_copy_only=False), dtype=dtype)


Base = Literal["number", "truth", "datetime", "time", "text"]


def base_of(kind: pa.DataType) -> Base:
    """Return the family of an Arrow type; categoricals are text, and so is a column without values."""
    if pa.types.is_boolean(kind):
        return "truth"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "datetime"
    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        return "time"
    return "text" if pa.types.is_dictionary(kind) or pa.types.is_null(kind) or is_text(kind) else "number"


def row_count(table: Plain) -> int:
    """Return the number of rows of a table; 0 without columns."""
    return len(next(iter(table.values()), ()))


def blank(column: Column, count: int) -> NDArray[Any]:
    """Return a plain column (N,) without a value."""
    return np.full(count, np.nan) if column.is_number else np.full(count, None, object)


def take(table: Plain, rows: NDArray[np.int64] | slice) -> Plain:
    """Return some rows of every column."""
    return {name: values[rows] for name, values in table.items()}


def joined(parts: Sequence[Plain]) -> Plain:
    """Concatenate the rows of several tables of the same columns."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def to_plain(frame: pd.DataFrame, columns: Sequence[Column]) -> Plain:
    """Convert a frame. Args: frame with these columns, as from a source's chunks. Returns: one array (N,) for each."""
    return {column.name: _plain(arrow_from(frame[column.name]), column) for column in columns}


def from_plain(plain: Plain, columns: Sequence[Column]) -> pd.DataFrame:
    """Return a frame with the columns' dtypes, order, decimals and forms.

    Numbers are rounded to the column's decimals and moments to its resolution, so generated values look like read ones.
    A categorical has the categories in Column.format; without them those in `plain`, sorted.

    Raises: ValueError if a value cannot be in a column: one missing in a dtype that has no missing values, a text that
        is not a category.
    """
    made = {column.name: _column(plain[column.name], column) for column in columns}
    return pd.DataFrame(made, copy=False)


def _plain(array: pa.Array, column: Column) -> NDArray[Any]:
    if column.is_number:
        array = parsed(array, column) if is_text(array.type) else moments_from(array, column.format)
    if column.kind in TIMES:
        moments = microseconds(array)
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


def microseconds(array: pa.Array) -> pa.Array:
    """Convert timestamps and dates (N,) to int64 since 1970, in UTC if they have a zone; times to their length."""
    if pa.types.is_duration(array.type):
        return array.cast(pa.duration("us"), safe=False).cast(pa.int64())
    if pa.types.is_time(array.type):
        return array.cast(pa.time64("us"), safe=False).cast(pa.int64())
    return array.cast(pa.timestamp("us", getattr(array.type, "tz", None)), safe=False).cast(pa.int64())


def _column(values: NDArray[Any], column: Column) -> Any:
    dtype = dtype_of(column)
    if column.is_number:
        array = _moments(values, column) if column.kind in TIMES else _numbers(values, column)
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
        # A float from 2**53 on does not have a fraction to round, and rounding the largest ones overflows.
        values, fractional = values.copy(), np.abs(values) < 2**53
        values[fractional] = np.round(values[fractional], column.decimals)
    array = pa.array(values, from_pandas=True)
    kind = arrow_type(column.dtype)
    return as_text(array, column) if is_text(kind) else array.cast(kind)


def _moments(values: NDArray[Any], column: Column) -> pa.Array:
    kind = arrow_type(column.dtype)
    values = values.astype(np.float64, copy=False)
    if column.format in FORMS:
        numbers = pa.array(numbers_from(values, column.format or ""), from_pandas=True)
        return numbers.cast(pa.int64()).cast(kind)
    missing = np.isnan(values)
    counts = np.rint(np.where(missing, 0.0, values)).astype(np.int64) * column.unit
    array = pa.array(counts, pa.int64(), mask=missing)
    if pa.types.is_time(kind):
        return array.cast(pa.time64("us")).cast(kind, safe=False)
    array = array.cast(_microseconds_of(column, kind))
    return as_text(array, column) if is_text(kind) else array.cast(kind, safe=False)


def _microseconds_of(column: Column, kind: pa.DataType) -> pa.DataType:
    """Return the Arrow type in which a column of moments or times is counted in microseconds."""
    if column.kind != "datetime":
        return pa.duration("us")
    return pa.timestamp("us", getattr(kind, "tz", column.zone))


# ---- values as a column writes them: dates in their form, booleans in their words ------------------------------------


def as_text(array: pa.Array, column: Column) -> pa.Array:
    """Format values. Args: array (N,) of the column's values. Returns: text (N,), null where missing."""
    match base_of(array.type):
        case "truth":
            return pc.if_else(array, *_truths(column))
        case "datetime" if form := _date_form(column):
            # a text's fraction has as many digits as its unit; of a text that was not read, as many as values need
            typed = column.format is not None and "[" in column.dtype
            milliseconds = "[ms" in column.dtype if typed else column.resolution != "us"
            return write_dates(microseconds(array), form, 3 if milliseconds else 6, column.zone)
        case "time" if column.kind in TIMES:
            return write_times(microseconds(array), time_form(column))
        case "number" if column.format in FORMS:
            return array.cast(pa.int64()).cast(pa.string())
        case "number":
            return write_column(array, column.format or "", whole=column.kind == "integer")
    return array.cast(pa.string())


def from_text(texts: pa.Array, column: Column) -> pa.Array:
    """Parse texts (N,) as the column writes them, in the Arrow type of its dtype.

    Raises: ValueError for a text that is something else.
    """
    kind = arrow_type(column.dtype)
    match base_of(kind):
        case "truth":
            return pc.equal(texts, _truths(column)[0])
        case "datetime" if form := _date_form(column):
            values = parse_dates(texts, form).cast(pa.timestamp("us", getattr(kind, "tz", None)))
        case "time" if column.kind in TIMES:
            values = parse_times(texts, time_form(column)).cast(pa.duration("us"))
        case "text":
            return texts
        case _:
            values = read_column(texts, column.format or "")
    if values.null_count > texts.null_count:
        raise ValueError(f"a text of the column {column.name!r} is not like {column.format or column.dtype}")
    return values.cast(kind, safe=base_of(kind) == "number")


def parsed(texts: pa.Array, column: Column) -> pa.Array:
    """Return the values (N,) that texts mean in a column of numbers, moments or times, null for other texts."""
    texts = texts.dictionary_decode() if pa.types.is_dictionary(texts.type) else texts
    texts = pc.utf8_trim_whitespace(texts.cast(pa.string()))
    if column.kind in TIMES and column.format not in FORMS:
        if column.kind == "datetime":
            return parse_dates(texts, _date_form(column) or "").cast(pa.timestamp("us", column.zone))
        return parse_times(texts, time_form(column)).cast(pa.duration("us"))
    pattern = column.format or ""
    if is_plain(pattern) or pattern in FORMS:
        texts = pc.if_else(pc.match_substring_regex(texts, ANY_NUMBER), texts, pa.scalar(None, pa.string()))
    if pattern in FORMS:
        return moments_from(texts, column.format)
    return read_column(texts, pattern).cast(pa.float64())


def fitting(texts: pa.Array, column: Column) -> pa.Array:
    """Return texts (N,), null in the place of those that mean nothing in the column."""
    return pc.if_else(parsed(texts, column).is_valid(), texts, pa.scalar(None, pa.string()))


def _truths(column: Column) -> tuple[str, str]:
    yes, _, no = (column.format or "True/False").partition("/")
    return yes, no


def _date_form(column: Column) -> str | None:
    """Return the form of dates: as found, else ISO 8601 to the column's resolution; in UTC if it has a zone."""
    if column.format and "%" in column.format:
        return column.format
    if column.resolution is None:
        return None
    if column.resolution == "D" and column.zone is None:
        return "%Y-%m-%d"
    fraction = ".%f" if column.resolution in ("ms", "us") else ""
    return f"%Y-%m-%d %H:%M:%S{fraction}" if column.zone is None else f"%Y-%m-%dT%H:%M:%S{fraction}Z"
