"""Frames of pandas, polars and pyarrow: which columns can be read, and how their types survive a Parquet file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ganforge.core.files import parse_json
from ganforge.core.text_layout import check_names
from ganforge.errors import DataError
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.arrays import OBJECTS, PERIODS, arrow_from, is_text, to_plain
from ganforge.kinds.tables.reading.intervals import edges_of, has_intervals
from ganforge.kinds.tables.reading.text_values import TOLERANCE, is_missing

CATEGORIES = "category["  # before the dtype of categories, in the note: category[int8]
_NOTE = b"ganforge"  # in the metadata of a file that was made of a frame: {"dtypes": {name: dtype}, "index": words}
_SIMPLE = {  # what pandas.api.types.infer_dtype calls objects, or categories, of one simple type
    "objects": (
        "string", "integer", "floating", "mixed-integer-float", "boolean", "decimal", "date", "datetime", "datetime64",
        "time", "timedelta", "timedelta64", "empty",
    ),
    "categories": ("string", "integer", "floating", "boolean", "interval", "empty"),
}  # fmt: skip
_TEXTS = "make texts of it (in pandas: .astype('str'))"
_ODD = {  # what a column that cannot be read holds, and what to make of it
    "interval": ("intervals", _TEXTS),
    "period": ("periods", "make dates of it (in pandas: .dt.to_timestamp())"),
    "timedelta": ("lengths of time", "make a number of seconds of it (in pandas: .dt.total_seconds())"),
    "list": ("lists", "make a column of each element"),
    "dict": ("dictionaries", "make a column of each key"),
    "bytes": ("bytes", "make texts of it (in pandas: .str.decode('utf-8'))"),
    "complex": ("complex numbers", "make two columns of it, .real and .imag"),
    "sparse": ("sparse values", "make it dense (in pandas: .sparse.to_dense())"),
    "uuid": ("identifiers in binary form", _TEXTS),
    "coded": ("values that are stored as codes", "make a categorical of it (in pandas: .astype('category'))"),
    "width": ("exact decimals of another width than 128 bits", "convert it to decimal128"),
    "moments": ("days and moments", "make moments of all (in pandas: pd.to_datetime(column))"),
    "zones": ("moments with a zone and others without", "give all of them a zone, or none"),
    "view": ("texts in a form that Arrow computes little with", _TEXTS),
    "scale": ("exact decimals without the digits before the point", "convert it to decimal128(38, 0)"),
    "mixed": ("values of several types, or of none that is simple", "convert it to one type"),
}


# ---- which columns can be read --------------------------------------------------------------------------------------


def check_type(source: str, name: str, kind: pa.DataType) -> None:
    """Check the Arrow type of a column. Raises: DataError if its values are not simple.

    Args: source the file's name, "" for a table that was given in Python.
    """
    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    if odd := _odd_type(held):
        raise _refusal(name, str(held), *_ODD.get(odd, _ODD["mixed"]), source)


def _odd_type(kind: pa.DataType) -> str | None:
    """Return the key in _ODD of an Arrow type that cannot be read, "other" for one that is not there."""
    types = pa.types
    if types.is_decimal128(kind) and kind.scale < 0:
        return "scale"
    simple = (types.is_integer, types.is_floating, types.is_boolean, types.is_timestamp, is_text)
    times = (types.is_date, types.is_time, types.is_duration)
    if any(is_kind(kind) for is_kind in (*simple, *times, types.is_decimal128, types.is_null)):
        return None
    if isinstance(kind, pa.BaseExtensionType):
        return str(kind.extension_name.rpartition(".")[2])
    families = {
        "dict": lambda kind: types.is_struct(kind) or types.is_map(kind),
        "coded": types.is_dictionary,
        "list": types.is_nested,
        "bytes": lambda kind: "binary" in str(kind),
        "width": types.is_decimal,
    }
    return next((odd for odd, belongs in families.items() if belongs(kind)), "other")


def _check_column(name: str, column: pd.Series[Any]) -> None:
    """Check a column of a pandas frame. Raises: DataError if its values are not simple."""
    dtype: Any = column.dtype
    if isinstance(dtype, pd.PeriodDtype):
        return
    if isinstance(dtype, pd.CategoricalDtype):
        found = pd.api.types.infer_dtype(dtype.categories)
        of_others = found == "interval" and dtype.categories.dtype.subtype.kind not in "iuf"
        if found not in _SIMPLE["categories"] or of_others:
            dates = {"datetime64": "dates", "datetime": "dates", "date": "dates", "decimal": "exact decimals"}
            what = dates.get(found) or _ODD.get(found.removesuffix("64"), _ODD["mixed"])[0]
            do = "make texts of the categories (in pandas: .cat.rename_categories(str))"
            raise _refusal(name, f"category of {dtype.categories.dtype}", f"categories that are {what}", do)
        return
    if isinstance(dtype, pd.ArrowDtype):
        odd = _odd_type(dtype.pyarrow_dtype) or ("view" if dtype.pyarrow_dtype == pa.string_view() else None)
    elif isinstance(dtype, pd.SparseDtype):
        odd = "sparse"
    elif dtype.kind in "cmMO":
        odd = _odd_objects(column)
    else:
        odd = None
    if odd:
        raise _refusal(name, str(dtype), *_ODD.get(odd, _ODD["mixed"]))
    try:
        kind = pa.Array.from_pandas(column).type
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        words = str(error).splitlines()[0].rstrip(".")
        raise _refusal(name, str(dtype), f"{_ODD['mixed'][0]} ({words})", _ODD["mixed"][1]) from error
    if odd := _odd_type(kind):
        raise _refusal(name, str(dtype), *_ODD.get(odd, _ODD["mixed"]))


def _odd_objects(column: pd.Series[Any]) -> str | None:
    """Return the key in _ODD of Python's objects that are not all of one simple type."""
    found: str = pd.api.types.infer_dtype(column)
    odd = None if found in _SIMPLE["objects"] else found.removesuffix("64")
    if odd == "mixed" and (first := column.dropna().head(1).tolist()):
        nested: dict[str, str] = dict.fromkeys(("list", "tuple", "set", "frozenset", "ndarray"), "list")
        return {**nested, "dict": "dict", "UUID": "uuid"}.get(type(first[0]).__name__, odd)
    if found in ("datetime", "datetime64") and len({each.tzinfo is None for each in column.dropna()}) > 1:
        return "zones"
    return "moments" if found == "date" and any(isinstance(each, datetime) for each in column) else odd


def _refusal(name: str, dtype: str, what: str, do: str, source: str = "") -> DataError:
    return DataError(
        f"The column {name!r} of type {dtype}{f' in {source!r}' if source else ''} cannot be read: it holds {what}.",
        "A table's cell is a number, a text, a date, or true or false.",
        f"{do[0].upper()}{do[1:]}, or remove the column.",
    )


# ---- to Arrow, and back ---------------------------------------------------------------------------------------------


def as_arrow(value: Any) -> pa.Table:
    """Convert a table of pandas, polars or pyarrow, with the metadata from which its dtypes are restored.

    Raises: DataError if its columns do not have unique names of one level, or hold what is not simple.
    """
    if isinstance(value, pd.DataFrame):
        return _from_pandas(value)
    if isinstance(value, pa.RecordBatch):
        value = pa.Table.from_batches([value])
    table = value if isinstance(value, pa.Table) else value.to_arrow()  # polars
    if not isinstance(table, pa.Table):
        raise DataError(
            f"A {type(value).__name__} cannot be trained on.", "Its to_arrow does not give a table.", "Give a table."
        )
    check_names("the table", table.column_names)
    for field in table.schema:
        check_type("", field.name, field.type)
    return table.replace_schema_metadata({**(table.schema.metadata or {}), _NOTE: b"{}"})


def _from_pandas(given: pd.DataFrame) -> pa.Table:
    if given.columns.nlevels > 1:
        raise DataError(
            f"The columns of the table have names of {given.columns.nlevels} levels, such as {given.columns[0]!r}.",
            "The name of a column is one text.",
            'Join them: frame.columns = ["_".join(map(str, name)) for name in frame.columns]',
        )
    frame = given.rename(columns=str)
    check_names("the table", list(frame.columns))
    for name, column in frame.items():
        _check_column(str(name), column)
    note: dict[str, Any] = {"dtypes": {name: own for name, dtype in frame.dtypes.items() if (own := _not_kept(dtype))}}
    if edges := {name: edges_of(dtype) for name, dtype in frame.dtypes.items() if has_intervals(dtype)}:
        note["edges"] = edges
    table = pa.Table.from_pandas(storable(frame), preserve_index=False)
    for place, field in enumerate(table.schema):
        if pa.types.is_decimal128(field.type) and frame[field.name].dtype == object:  # as wide as the widest to come
            wide = pa.decimal128(38, field.type.scale)
            table = table.set_column(place, field.name, table.column(place).cast(wide))
    if isinstance(given.index, pd.MultiIndex) or any(given.index.names) or given.index.inferred_type != "integer":
        note["index"] = [str(name) for name in given.index.names if name is not None]
    return table.replace_schema_metadata({**(table.schema.metadata or {}), _NOTE: json.dumps(note).encode()})


def storable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with periods as the moments of their beginning, and categories that are intervals as texts."""
    made: dict[str, Any] = {}
    for name, dtype in frame.dtypes.items():
        if isinstance(dtype, pd.PeriodDtype):
            made[str(name)] = frame[name].dt.to_timestamp().dt.as_unit("s")
        elif has_intervals(dtype):
            made[str(name)] = frame[name].cat.rename_categories(str)
    return frame.assign(**made) if made else frame


def _not_kept(dtype: Any) -> str | None:
    """Return the name of a dtype that pandas does not restore from Parquet; None for others."""
    if isinstance(dtype, pd.CategoricalDtype):
        return f"{CATEGORIES}{dtype.categories.dtype}]"
    kept = (
        not isinstance(dtype, pd.ArrowDtype | pd.PeriodDtype) and dtype.kind not in "mM" and dtype != np.dtype(object)
    )
    return None if kept else str(dtype)


def note_of(schema: pa.Schema) -> dict[str, Any] | None:
    """Return what `as_arrow` noted of a frame: dtypes by name, and the names of an index that was left out.

    None if the file was not made of a table that was given in Python.
    """
    note = (schema.metadata or {}).get(_NOTE)
    return dict(parse_json(note)) if note else None


def as_objects(frame: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """Return the frame with Python's objects, such as Decimal, and periods in the columns that had them when read."""
    objects = [column.name for column in columns if column.dtype.startswith(OBJECTS)]
    made = {name: _objects(frame[name]) for name in objects}
    for column in columns:
        if column.dtype.startswith(PERIODS):
            made[column.name] = frame[column.name].dt.to_period(pd.PeriodDtype(column.dtype).freq)
    return frame.assign(**made) if made else frame


def _objects(values: pd.Series[Any]) -> pd.Series[Any]:
    cells = [None if missing else cell for cell, missing in zip(values.astype(object), values.isna(), strict=True)]
    return pd.Series(cells, values.index, dtype=object)


def values_of(frame: pd.DataFrame, column: Column) -> NDArray[Any]:
    """Return a column of a frame as a plain array (N,). Raises: ValueError if it holds values of another kind."""
    try:
        values: NDArray[Any] = to_plain(frame, (column,))[column.name]
    except (pa.ArrowException, TypeError) as error:
        raise ValueError(str(error)) from error
    if column.is_number:
        _check_texts(arrow_from(frame[column.name]), values)
    return values


def _check_texts(given: pa.Array, values: NDArray[np.float64]) -> None:
    """Raises: ValueError if more texts (N,) than a few mean nothing in their column. Args: values what they mean."""
    if is_text(given.type):
        there = pc.and_(given.is_valid(), pc.invert(is_missing(given))).to_numpy(zero_copy_only=False)
        strange = there & np.isnan(values)
        if strange.sum() > (1 - TOLERANCE) * there.sum():
            raise ValueError(f"it holds {given[int(np.argmax(strange))].as_py()!r}")
