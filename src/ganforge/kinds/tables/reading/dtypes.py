"""Column types by their pandas names, and the one way from Arrow arrays to columns of such a type."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ganforge.core.files import parse_json
from ganforge.kinds.tables.columns import Column

MOST_CATEGORIES = 1_000  # of a pandas categorical that are remembered in Column.format
_DECIMAL = re.compile(r"decimal128\((\d+), (-?\d+)\)\[pyarrow\]")


def dtype_named(name: str) -> Any:
    """The pandas dtype that writes itself as `name`; "category" without its categories.

    Raises: TypeError if there is none.
    """
    if found := _DECIMAL.fullmatch(name):
        return pd.ArrowDtype(pa.decimal128(int(found[1]), int(found[2])))
    return pd.api.types.pandas_dtype(name)


def dtype_of(column: Column) -> Any:
    """The pandas dtype of a column, with its categories where Column.format remembers them."""
    if column.dtype == "category" and column.format:
        about = parse_json(column.format)
        return pd.CategoricalDtype(pd.Index(about["categories"]), ordered=about["ordered"])
    return dtype_named(column.dtype)


def categories_as_text(dtype: pd.CategoricalDtype) -> str | None:
    """The categories, in their order, as Column.format keeps them; None if they are too many."""
    if len(dtype.categories) > MOST_CATEGORIES:
        return None
    return json.dumps({"ordered": bool(dtype.ordered), "categories": dtype.categories.tolist()}, ensure_ascii=False)


def dtype_for(kind: pa.DataType, pandas_name: str | None, missing: bool) -> Any:
    """What a column of a file becomes: what pandas says that it was, else what holds every value and what is missing.

    Args: pandas_name is what the file's metadata calls its type, None if it was not pandas that wrote it; missing
        whether it has rows without a value. Categories are not looked at.
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
    if pa.types.is_timestamp(kind):
        return pd.DatetimeTZDtype(kind.unit, kind.tz) if kind.tz else np.dtype(f"datetime64[{kind.unit}]")
    return np.dtype(object) if pa.types.is_null(kind) else pd.ArrowDtype(kind)  # dates and exact decimals


def is_text(kind: pa.DataType) -> bool:
    """Whether an Arrow type is one of its three kinds of text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def column_from(array: pa.Array, dtype: Any) -> Any:
    """A pandas or numpy array (N,) of just this dtype, from an Arrow array whose type fits it."""
    if isinstance(array, pa.DictionaryArray):
        array = array.dictionary_decode()
    if isinstance(dtype, pd.CategoricalDtype):
        return _categorical(array, dtype, pa.array(dtype.categories).cast(array.type))
    if isinstance(dtype, pd.ArrowDtype):
        return pd.arrays.ArrowExtensionArray(pa.chunked_array([array.cast(dtype.pyarrow_dtype)]))
    if isinstance(dtype, pd.api.extensions.ExtensionDtype):
        return dtype.__from_arrow__(array)
    values = array.to_numpy(zero_copy_only=False)
    return np.full(len(values), None, object) if dtype.kind == "O" else values.astype(dtype)


def arrow_type(dtype: Any) -> pa.DataType:
    """The Arrow type that holds the values of a pandas dtype; of a categorical, text."""
    if isinstance(dtype, pd.ArrowDtype):
        return dtype.pyarrow_dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        zone = str(dtype.tz)
        return pa.timestamp(dtype.unit, zone.removeprefix("UTC") or zone)
    if isinstance(dtype, pd.StringDtype | pd.CategoricalDtype):
        return pa.string()
    numpy_dtype = getattr(dtype, "numpy_dtype", dtype)
    if numpy_dtype.kind == "M":
        return pa.timestamp(np.datetime_data(numpy_dtype)[0])
    return pa.null() if numpy_dtype.kind == "O" else pa.from_numpy_dtype(numpy_dtype)


def arrow_from(column: pd.Series[Any]) -> pa.Array:
    """A column of a frame (N,) as one Arrow array, null for every kind of missing value; a categorical as text.

    Raises: what Arrow raises on columns of several types.
    """
    array = pa.Array.from_pandas(column)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    if isinstance(array, pa.DictionaryArray):
        words = array.dictionary.cast(pa.string())
        return pa.DictionaryArray.from_arrays(array.indices, words)
    return array.cast(pa.string()) if is_text(array.type) else array


def words_from(array: pa.Array) -> NDArray[Any]:
    """Object (N,): the texts of an Arrow array of text, None for what is missing; equal texts share their memory."""
    if not isinstance(array, pa.DictionaryArray):
        array = array.dictionary_encode()
    known = np.array([*array.dictionary.to_pylist(), None], object)
    places = array.indices.fill_null(len(known) - 1).to_numpy(zero_copy_only=False)
    return np.asarray(known[places], object)


def categorical_of_words(words: pa.Array, dtype: pd.CategoricalDtype) -> pd.Categorical:
    """Categories, of whatever type, from their texts (N,); None among the categories: what comes makes them.

    Raises: ValueError for a text that is no category.
    """
    if dtype.categories is None:
        dtype = pd.CategoricalDtype(pd.Index(sorted(pc.unique(words).drop_null().to_pylist()), dtype="str"))
    texts = pa.array(dtype.categories).cast(pa.string())
    strange = pc.invert(pc.is_in(words.drop_null(), value_set=texts))
    if pc.any(strange).as_py():
        raise ValueError(f"{words.drop_null().filter(strange)[0].as_py()!r} is no category")
    return _categorical(words, dtype, texts)


def _categorical(values: pa.Array, dtype: pd.CategoricalDtype, known: pa.Array) -> pd.Categorical:
    """Args: values (N,); known (K,) the categories as they stand there. What is none of them is missing."""
    codes = pc.index_in(values, value_set=known).fill_null(-1)
    return pd.Categorical.from_codes(codes.to_numpy(zero_copy_only=False), dtype=dtype)
