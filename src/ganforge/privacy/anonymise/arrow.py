"""Parquet and Feather files as cells in columns."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq

from ganforge.core.files import is_encoded
from ganforge.errors import DataError
from ganforge.privacy.anonymise.documents import Change


class ArrowDocument:
    """A table of Arrow. A column inside a struct is a path: address.street."""

    def __init__(self, path: Path) -> None:
        self._parquet = path.suffix.lower() == ".parquet"
        self._table = pq.read_table(path) if self._parquet else pyarrow.feather.read_table(path)
        if encoded := [field.name for field in self._table.schema if is_encoded(field.type)]:
            why = "What it holds cannot be searched; a picture may say where it was taken."
            raise DataError(f"{str(path)!r} has a column of bytes, {encoded[0]!r}.", why, "Give its pictures as files.")

    @property
    def columns(self) -> dict[str, Counter[str]]:
        found: dict[str, Counter[str]] = {}
        for name, column in zip(self._table.column_names, self._table.columns, strict=True):
            for path, value in _leaves(name, column.to_pylist()):
                found.setdefault(path, Counter())[_text(value)] += 1
        return found

    def rewritten(self, change: Change) -> bytes:
        names = [change("", name) for name in self._table.column_names]
        columns = [
            _changed(name, column, change)
            for name, column in zip(self._table.column_names, self._table.columns, strict=True)
        ]
        table = pa.table(columns, names=names)
        if note := (self._table.schema.metadata or {}).get(b"pandas"):  # others may hold anything
            table = table.replace_schema_metadata({b"pandas": note} if names == self._table.column_names else None)
        file = io.BytesIO()
        if self._parquet:
            pq.write_table(table, file)
        else:
            pyarrow.feather.write_feather(table, file)
        return file.getvalue()


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    match value:
        case None | bool():
            return
        case dict():
            for key, inner in value.items():
                yield from _leaves(f"{path}.{key}", inner)
        case list() | tuple():
            for inner in value:
                yield from _leaves(path, inner)
        case _:
            yield path, value


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _value(text: str, like: Any) -> Any:
    """Return a changed cell as a value of the same type; None if it is not one."""
    if isinstance(like, str):
        return text
    readers: dict[type, Any] = {
        int: int, float: float, Decimal: Decimal, datetime: datetime.fromisoformat, date: date.fromisoformat,
    }  # fmt: skip
    try:
        return next(read for kind, read in readers.items() if isinstance(like, kind))(text)
    except (ValueError, ArithmeticError, StopIteration):
        return None


def _changed(name: str, column: pa.ChunkedArray, change: Change) -> pa.Array:
    """Return a column with changed cells. A type that cannot hold them is widened."""

    def other(path: str, value: Any) -> Any:
        match value:
            case None | bool():
                return value
            case dict():
                return {key: other(f"{path}.{key}", inner) for key, inner in value.items()}
            case list() | tuple():
                return [other(path, inner) for inner in value]
        text = _text(value)
        new = change(path, text)
        return value if new == text else _value(new, value)

    old = column.to_pylist()
    made = [other(name, value) for value in old]
    coded = pa.types.is_dictionary(column.type)
    kind = column.type.value_type if coded else column.type
    if made == old and not coded:  # unchanged, but for NaN
        return column
    for wider in (kind, pa.int64(), pa.string()):
        try:
            array = pa.array(list(map(_text, made)) if wider == pa.string() and kind != wider else made, wider)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            continue
        return array.dictionary_encode() if coded else array  # of a dictionary only what is still used
    raise DataError(f"The column {name!r} cannot be written again.", f"Its type is {column.type}.", "Leave it out.")
