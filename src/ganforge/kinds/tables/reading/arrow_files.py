"""Parquet and Feather (Arrow IPC) files, and folders of Parquet parts; read a batch at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather
import pyarrow.parquet as pq

from ganforge.core.files import parse_json
from ganforge.core.text_layout import check_names
from ganforge.errors import DataError
from ganforge.kinds.tables.reading.arrays import (
    PERIODS,
    column_from,
    dtype_for,
    dtype_named,
    is_text,
    whole_array,
)
from ganforge.kinds.tables.reading.frames import CATEGORIES, check_type, note_of
from ganforge.kinds.tables.reading.intervals import intervals
from ganforge.kinds.tables.reading.source import TableSource, no_rows, regrouped

INDEX = re.compile(r"__index_level_\d+__")  # what pandas calls the row numbers that it writes as a column
MOST_CATEGORIES = 100_000  # of a categorical; with more it is read as the texts or numbers that it holds


@dataclass(frozen=True)
class Parts:
    """Files of one schema, one after the other."""

    source: str
    paths: Sequence[Path]
    schema: pa.Schema  # of the columns that are read
    rows: int

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of all files in order, by default of every column."""
        names = list(columns if columns is not None else self.schema.names)
        schema = pa.schema([self.schema.field(name).remove_metadata() for name in names])
        for path in self.paths:
            for batch in _batches(path, names):
                yield pa.RecordBatch.from_arrays([_as(batch.column(n), schema.field(n).type) for n in names], names)


def open_arrow(source: str, paths: Sequence[Path]) -> TableSource:
    """Open files of one schema as one table.

    Raises: DataError as `source.open_source`; Arrow's errors on damaged files.
    """
    parts = _parts(source, paths)
    pandas_names = _pandas_names(parts.schema)
    with_holes = _with_missing(parts)
    given = note_of(parts.schema)
    note = given or {}
    own: dict[str, str] = note.get("dtypes", {})
    dtypes: dict[str, Any] = {}
    objects, periods = set[str](), dict[str, str]()
    for field in parts.schema:
        name = field.name
        pandas_name = pandas_names.get(name)
        dtypes[name] = dtype_for(_held(field.type), pandas_name, name in with_holes)
        exact = any(is_kind(field.type) for is_kind in (pa.types.is_decimal, pa.types.is_date, pa.types.is_time))
        if own.get(name) == "object" or (exact and pandas_name == "object" and name not in own):
            objects.add(name)
        elif name in own and not own[name].startswith(CATEGORIES):
            dtypes[name] = dtype_named(own[name])
            if own[name].startswith(PERIODS):
                periods[name] = own[name]
        if pa.types.is_dictionary(field.type) or pandas_name == "categorical":
            dtype = own.get(name, "")[len(CATEGORIES) : -1]
            edges = note.get("edges", {}).get(name)
            categories = _categories(parts, name, dtype) if edges is None else intervals(edges, dtype)
            if categories is not None:
                ordered = bool(pa.types.is_dictionary(field.type) and field.type.ordered)
                dtypes[name] = pd.CategoricalDtype(categories, ordered=ordered)

    def read(rows: int) -> Iterator[pd.DataFrame]:
        for table in regrouped(parts.batches(), rows):
            columns = {n: column_from(whole_array(table.column(n)), dtypes[n]) for n in parts.schema.names}
            yield pd.DataFrame(columns, copy=False)

    suffix = "feather" if paths[0].suffix.lower() in (".feather", ".arrow") else "parquet"
    facts: dict[str, Any] = {"source": source, "format": suffix, "bytes": sum(path.stat().st_size for path in paths)}
    if len(paths) > 1:
        facts["parts"] = len(paths)
    if "index" in note:
        facts["index_left_out"] = note["index"]
    name = source if given is None else "the table"  # the file of one that was given in Python means nothing to anybody
    return TableSource(name, tuple(parts.schema.names), facts, read, objects=frozenset(objects), periods=periods)


def _parts(source: str, paths: Sequence[Path]) -> Parts:
    schemas, rows = [], 0
    for path in paths:
        schema, count = _schema(path)
        schemas.append(schema)
        rows += count
    names = [name for name in schemas[0].names if not INDEX.fullmatch(name)]
    check_names(source, names)
    for path, schema in zip(paths[1:], schemas[1:], strict=True):
        _check_part(path, schema, paths[0], schemas[0])
    for name in names:
        check_type(source, name, schemas[0].field(name).type)
    if rows == 0:
        raise no_rows(source)
    fields = [_with_wide_codes(schemas[0].field(name)) for name in names]
    return Parts(source, paths, pa.schema(fields, metadata=schemas[0].metadata), rows)


def _check_part(path: Path, schema: pa.Schema, first_path: Path, first: pa.Schema) -> None:
    """Raises: DataError if a part has other columns, or columns of another type, than the first part."""
    here, there = [set(s.names) - {n for n in s.names if INDEX.fullmatch(n)} for s in (schema, first)]
    if here != there:
        differences = {"lacks": sorted(there - here), "adds": sorted(here - there)}
        words = [f"{word} {', '.join(map(repr, names))}" for word, names in differences.items() if names]
        raise DataError(
            f"The part {path.name!r} {' and '.join(words)}.",
            f"The parts of one table have the same columns, and {first_path.name!r} has {', '.join(sorted(there))}.",
            "Write the parts again, or move this one elsewhere.",
        )
    for name in sorted(here):
        kinds = [_simple(s.field(name).type) for s in (schema, first)]
        if kinds[0] != kinds[1] and pa.null() not in kinds:
            raise DataError(
                f"The column {name!r} is {kinds[0]} in the part {path.name!r}, but {kinds[1]} in {first_path.name!r}.",
                "The parts of one table have columns of the same types.",
                "Write the parts again, or move this one elsewhere.",
            )


def _with_wide_codes(field: pa.Field) -> pa.Field:
    """Number dictionaries in int32: those of several parts together may outgrow the first one's int8."""
    if not pa.types.is_dictionary(field.type):
        return field
    return field.with_type(pa.dictionary(pa.int32(), field.type.value_type, field.type.ordered))


def _simple(kind: pa.DataType) -> pa.DataType:
    """Return a type without differences in storage that do not change the values."""
    kind = _held(kind)
    return pa.string() if is_text(kind) else kind


def _held(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values in a dictionary; another type as it is."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _schema(path: Path) -> tuple[pa.Schema, int]:
    if path.suffix.lower() == ".parquet":
        file = pq.ParquetFile(path)
        return file.schema_arrow, file.metadata.num_rows
    with pa.memory_map(str(path)) as mapped, pa.ipc.open_file(mapped) as reader:
        return reader.schema, sum(reader.get_batch(i).num_rows for i in range(reader.num_record_batches))


def _batches(path: Path, names: list[str]) -> Iterator[pa.RecordBatch]:
    if path.suffix.lower() == ".parquet":
        # pre-buffering would hold whole row groups, which some writers make from a million rows
        with pq.ParquetFile(path, pre_buffer=False) as file:
            yield from file.iter_batches(16_384, columns=names, use_threads=False)
        return
    with pa.memory_map(str(path)) as mapped, pa.ipc.open_file(mapped) as reader:
        for i in range(reader.num_record_batches):
            batch = reader.get_batch(i).select(names)
            batch.validate(full=True)  # offsets outside a damaged file would crash the whole process
            yield batch


def _pandas_names(schema: pa.Schema) -> dict[str, str]:
    """Return the columns' types in pandas' metadata, {} if pandas did not write the file."""
    try:
        about = parse_json((schema.metadata or {})[b"pandas"])["columns"]
        return {
            column["field_name"]: "categorical" if column["pandas_type"] == "categorical" else column["numpy_type"]
            for column in about
        }
    except (KeyError, TypeError, ValueError):
        return {}


def _with_missing(parts: Parts) -> set[str]:
    """Return the columns with a missing value: from the files' statistics, or without them by reading."""
    found, unknown = set[str](), set[str]()
    for path in parts.paths:
        if path.suffix.lower() != ".parquet":
            unknown = set(parts.schema.names)
            break
        metadata = pq.ParquetFile(path).metadata
        for group in (metadata.row_group(i) for i in range(metadata.num_row_groups)):
            for column in (group.column(i) for i in range(group.num_columns)):
                statistics = column.statistics
                if statistics is None or not statistics.has_null_count:
                    unknown.add(column.path_in_schema)
                elif statistics.null_count:
                    found.add(column.path_in_schema)
    ask = [name for name in parts.schema.names if name in unknown - found]
    for batch in parts.batches(ask) if ask else ():
        found |= {name for name, column in zip(ask, batch.columns, strict=True) if column.null_count}
    return found


def _categories(parts: Parts, name: str, dtype: str) -> pd.Index[Any] | None:
    """Return the categories over all parts: first the declared ones, in their order, then others as they occur.

    Args: dtype of the categories, "" where it is not known.
    """
    known: dict[Any, None] = {}
    declared = pa.types.is_dictionary(parts.schema.field(name).type)
    for batch in parts.batches([name]):
        values = batch.column(0).dictionary if declared else pc.unique(batch.column(0).drop_null())
        known.update(dict.fromkeys(values.drop_null().to_pylist()))
        if len(known) > MOST_CATEGORIES:
            return None
    if dtype:
        return pd.Index(list(known) if declared else sorted(known), dtype=dtype_named(dtype))
    kinds = {type(value) for value in known}
    if not known or len(kinds) > 1 or kinds.pop() not in (str, int, float, bool):
        return None
    return pd.Index(list(known) if declared else sorted(known))


def _as(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Convert an array to the first part's type: same values, other storage."""
    if array.type == kind:
        return array
    if pa.types.is_dictionary(kind):
        array = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
        return pa.DictionaryArray.from_arrays(
            array.indices.cast(kind.index_type), array.dictionary.cast(kind.value_type), ordered=kind.ordered
        )
    return (array.dictionary_decode() if pa.types.is_dictionary(array.type) else array).cast(kind)
