"""Writing of tables: the format by the file's suffix, values as the columns write them, whole or not at all."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather
import pyarrow.parquet as pq

from ganforge.core.files import refuse_taken, write_through
from ganforge.errors import InputError, did_you_mean
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.arrays import OBJECTS, arrow_from, arrow_type, as_text, from_plain
from ganforge.kinds.tables.reading.frames import as_objects, storable

Frames = Iterable[pd.DataFrame]


def write_table(chunks: Frames, out: str | Path, columns: Sequence[Column], *, force: bool) -> Path:
    """Write frames, one after the other, as one .csv, .tsv, .csv.gz, .tsv.gz, .parquet, .feather or .arrow file.

    Args: chunks frames with `columns` (from_plain), needed one at a time; force replaces a file. Returns: the path.
    Raises: InputError as `check_table_place`, before the first chunk is requested; StorageError. An existing
        file is then unchanged.
    """
    place = check_table_place(out, force=force)
    fill = _WRITERS[_ending(place)]
    write_through(place, lambda file: fill(file, chunks, columns))
    return place


def check_table_place(out: str | Path, *, force: bool) -> Path:
    """Return a table's output path. Raises: InputError for an unknown ending, a folder, or, without force, a file."""
    place = Path(out).expanduser()
    if not _ending(place):
        near = did_you_mean(place.suffix, _WRITERS)
        raise InputError(
            f"A table cannot be written as {place.name!r}.",
            "The ending says which kind of file it becomes.",
            near if "mean" in near else f"Use one of {', '.join(_WRITERS)}.",
        )
    refuse_taken(place, force=force)
    return place


def _ending(place: Path) -> str:
    """Return the longest suffix that has a writer; "" if none."""
    return max((ending for ending in _WRITERS if place.name.lower().endswith(ending)), key=len, default="")


def _text(file: IO[bytes], chunks: Frames, columns: Sequence[Column], delimiter: str) -> None:
    names = [_quoted(pa.array([column.name]), delimiter)[0].as_py() for column in columns]
    file.write(f"{delimiter.join(names)}\n".encode())
    for frame in chunks:
        texts = [_quoted(as_text(arrow_from(frame[column.name]), column), delimiter) for column in columns]
        lonely = '""' if len(texts) == 1 else ""  # an empty line would not be read as a row
        lines = pc.binary_join_element_wise(*texts, delimiter, null_handling="replace", null_replacement=lonely)
        lines = pc.binary_join_element_wise(lines, "", "\n")
        if len(lines):
            whole = pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "")
            file.write(memoryview(whole[0].as_buffer()))


def _packed(file: IO[bytes], chunks: Frames, columns: Sequence[Column], delimiter: str) -> None:
    # without a name or a time inside, so that the same table gives the same bytes
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as packed:
        _text(packed, chunks, columns, delimiter)  # type: ignore[arg-type]


def _quoted(texts: pa.Array, delimiter: str) -> pa.Array:
    """Quote texts that need it (RFC 4180). Blanks at the ends would be stripped."""
    texts = texts.dictionary_decode() if pa.types.is_dictionary(texts.type) else texts
    need = pc.match_substring_regex(texts, f'["\r\n\\x{ord(delimiter):02x}]')
    if not pc.any(need).as_py():
        return texts
    doubled = pc.binary_join_element_wise('"', pc.replace_substring(texts, '"', '""'), '"', "")
    return pc.if_else(need, doubled, texts)


def _parquet(file: IO[bytes], chunks: Frames, columns: Sequence[Column]) -> None:
    first, tables = _tables(chunks, columns)
    with pq.ParquetWriter(file, first.schema) as writer:
        for table in tables:
            writer.write_table(table.cast(first.schema))


def _feather(file: IO[bytes], chunks: Frames, columns: Sequence[Column]) -> None:
    """Write Arrow's file format, with one dictionary for a column: categories not known beforehand become texts."""
    texts = [column.name for column in columns if column.dtype == "category" and column.format is None]
    first, tables = _tables(chunks, columns, texts)
    with pa.ipc.new_file(file, first.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        for table in tables:
            writer.write_table(table.cast(first.schema))


def _tables(
    chunks: Frames, columns: Sequence[Column], texts: Sequence[str] = ()
) -> tuple[pa.Table, Iterator[pa.Table]]:
    """Return the first of the Arrow tables, which has the schema, and all, with the metadata for pandas' dtypes."""
    names = [column.name for column in columns]
    nothing = from_plain({name: np.empty(0, object) for name in names}, columns)  # the types, if there are no rows
    frames = iter(chunks)

    def table(frame: pd.DataFrame) -> pa.Table:
        chosen = as_objects(frame[names].astype(dict.fromkeys(texts, "str")), columns)
        made = pa.Table.from_pandas(storable(chosen), preserve_index=False)
        for place, column in enumerate(columns):
            if column.dtype.startswith(OBJECTS):  # of these Arrow guesses the type, in each part anew
                made = made.set_column(place, column.name, made.column(place).cast(arrow_type(column.dtype)))
        return made

    first = table(next(frames, nothing))
    return first, itertools.chain([first], map(table, frames))


_WRITERS: dict[str, Callable[[Any, Frames, Sequence[Column]], None]] = {
    ".csv": partial(_text, delimiter=","),
    ".tsv": partial(_text, delimiter="\t"),
    ".csv.gz": partial(_packed, delimiter=","),
    ".tsv.gz": partial(_packed, delimiter="\t"),
    ".parquet": _parquet,
    ".feather": _feather,
    ".arrow": _feather,
}
