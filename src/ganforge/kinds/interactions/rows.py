"""Files of rows, read a part at a time: text, Parquet, Arrow and JSON lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
import pyarrow.parquet as pq

from ganforge.core.files import DAMAGED
from ganforge.core.text_file import FALLBACK
from ganforge.core.text_layout import Lines, check_names, first_lines, is_value
from ganforge.core.text_rows import check_lost, check_quotes, in_words, only_ragged, text_batches
from ganforge.errors import DataError

ROWS = 1 << 21  # that are handed on at once: a table of all ids so far is searched for each part
WIDE = 20  # columns from which on names may be numbers: those of the items of a matrix
JSON_BYTES = 1 << 24  # of lines that are parsed at once
UNREADABLE = (*DAMAGED, pa.ArrowException)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a file."""

    path: Path
    names: tuple[str, ...]  # of the columns
    types: tuple[str, ...]  # as a RecBole file names them, such as token_seq; "" elsewhere
    named: bool  # whether the names stand in the file
    read: Callable[[Sequence[str]], Iterator[pa.RecordBatch]]  # the columns of these names, as they come
    ragged: dict[str, int] = field(default_factory=dict)  # "lines" of text that could not be read as rows, once read

    def parts(self, names: Sequence[str], rows: int = ROWS) -> Iterator[pa.Table]:
        """Yield some columns, at least `rows` rows at a time but for the last part. Raises: DataError."""
        waiting: list[pa.Table] = []
        try:
            for batch in self.read(names):
                waiting.append(pa.table(list(batch.columns), names=list(names)))
                if sum(map(len, waiting)) >= rows:
                    yield pa.concat_tables(waiting, promote_options="permissive").combine_chunks()
                    waiting = []
            if any(map(len, waiting)):
                yield pa.concat_tables(waiting, promote_options="permissive").combine_chunks()
        except UNREADABLE as error:
            raise _unreadable(self.path, error) from error

    def head(self, rows: int) -> pa.Table:
        """Return the first rows of every column. Raises: DataError if there are none."""
        first = next(self.parts(self.names, rows), None)
        if first is None:
            raise DataError(f"{str(self.path)!r} has no rows.", "Nothing can be learned.", "Give another file.")
        return first.slice(0, rows)


def open_rows(path: Path, encoding: str = "") -> Rows:
    """Open a file. Args: encoding that it is known to have, "" for UTF-8. Raises: DataError if it cannot be read."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    try:
        if suffixes[-1:] == [".parquet"]:
            file = pq.ParquetFile(path)
            return _typed(path, file.schema_arrow.names, partial(_parquet, path))
        if suffixes[-1:] in ([".feather"], [".arrow"]):
            with pa.memory_map(str(path)) as mapped:
                names = pa.ipc.open_file(mapped).schema.names
            return _typed(path, names, partial(_arrow, path))
        if ".jsonl" in suffixes[-2:]:
            names = list(dict.fromkeys(name for batch in _json_head(path) for name in batch.schema.names))
            return _typed(path, names, partial(_json, path))
        return _text(path, encoding)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def _typed(path: Path, names: Sequence[str], read: Callable[[Sequence[str]], Iterator[pa.RecordBatch]]) -> Rows:
    check_names(str(path), names)
    return Rows(path, tuple(names), ("",) * len(names), True, read)


def _parquet(path: Path, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    yield from pq.ParquetFile(path).iter_batches(1 << 18, columns=list(names))


def _arrow(path: Path, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    with pa.memory_map(str(path)) as mapped:
        file = pa.ipc.open_file(mapped)
        for place in range(file.num_record_batches):
            yield file.get_batch(place).select(list(names))


# ---- JSON lines ------------------------------------------------------------------------------------------------------


def _json_head(path: Path) -> Iterator[pa.RecordBatch]:
    return (batch for _, batch in zip(range(1), _json_batches(path), strict=False))


def _json(path: Path, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for batch in _json_batches(path):
        there = set(batch.schema.names)
        columns = [batch.column(name) if name in there else pa.nulls(len(batch)) for name in names]
        yield pa.record_batch(columns, names=list(names))


def _json_batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.input_stream(str(path), compression="gzip" if path.suffix.lower() == ".gz" else None) as stream:
        rest = b""
        while block := stream.read(JSON_BYTES):
            whole, _, rest = (rest + block).rpartition(b"\n")
            if whole:
                yield from _json_block(path, whole)
        if rest.strip():
            yield from _json_block(path, rest)


def _json_block(path: Path, lines: bytes) -> list[pa.RecordBatch]:
    try:
        batches: list[pa.RecordBatch] = pa.json.read_json(pa.BufferReader(lines)).to_batches()
    except pa.ArrowException as error:
        what = f"{str(path)!r} cannot be read as JSON lines: {str(error).splitlines()[0].rstrip('.')}."
        do = 'Each line is one object, such as {"user": "7", "item": "42"}.'
        raise DataError(what, "Each key holds values of one type in all lines.", do) from error
    return batches


# ---- text ------------------------------------------------------------------------------------------------------------


def _text(path: Path, encoding: str) -> Rows:
    source = str(path)
    lines = first_lines(source, path, pair="::")
    lines.wide = lines.wide or (encoding if encoding == FALLBACK else "")
    lines.named = _are_names(lines.names)
    given = [name.rpartition(":") if path.suffix.lower() in RECBOLE else (name, "", "") for name in lines.names]
    names = [(name or last if colon else last or name) for name, colon, last in given]
    types = tuple(last if colon else "" for _, colon, last in given)
    names = [name if name and lines.named else f"column_{place + 1}" for place, name in enumerate(names)]
    check_names(source, names)
    ragged: dict[str, int] = {}
    read = partial(_text_parts, path, lines, tuple(names), ragged)
    return Rows(path, tuple(names), types, lines.named, read, ragged)


RECBOLE = (".inter", ".item", ".user")  # whose names end with a type: user_id:token


def _are_names(words: Sequence[str]) -> bool:
    """Return whether a first line holds names: not a number or date among few, nor one twice among many."""
    there = [word for word in words if word]
    if len(words) <= WIDE:
        return not any(map(is_value, there))
    return len(set(there)) == len(there) and not all(map(is_value, there))


def _text_parts(
    path: Path, lines: Lines, every: tuple[str, ...], ragged: dict[str, int], names: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    source, lines = str(path), lines.anew()
    rows, last = 0, ""
    try:
        for batch in text_batches(source, path, lines, [every.index(name) for name in names]):
            for column in batch.columns:
                lines.look_inside(column)
            rows += batch.num_rows
            last = "".join(column[-1].as_py() for column in batch.columns) if batch.num_rows else last
            yield batch
    except pa.ArrowInvalid as error:
        raise in_words(source, error) from error
    check_quotes(source, lines, max(lines.swallowed, last.count("\n")))
    if not rows and lines.ragged:
        raise only_ragged(source, lines)
    check_lost(source, lines, rows)
    ragged["lines"] = lines.ragged


def _unreadable(path: Path, error: BaseException) -> DataError:
    if isinstance(error, PermissionError):
        return DataError(f"{str(path)!r} cannot be read.", "The system does not permit it.", "Check its permissions.")
    words = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    return DataError(
        f"{str(path)!r} cannot be read: {words[:200]}.", "It may be damaged.", "Check that it opens elsewhere."
    )


def texts_of(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column as texts, null where there is none. Whole numbers that are stored as 7.0 are written as 7."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_finite(array), array, pa.scalar(None, array.type))
        whole = array.drop_null()
        if pc.all(pc.equal(pc.round(whole), whole)).as_py() is not False:
            array = pc.round(array).cast(pa.int64(), safe=False)
    return array.cast(pa.string())
