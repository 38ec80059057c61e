"""Text files: .csv, .tsv and .txt, compressed or not. Every column is read as text; types come from all of it."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from ganforge.errors import DataError
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.arrays import column_from, from_text
from ganforge.kinds.tables.reading.source import TableSource, check_names, no_rows, regrouped
from ganforge.kinds.tables.reading.text_values import Reading, is_missing

DELIMITERS = {".csv": ",;\t|", ".tsv": "\t,;|", ".txt": "\t,;|"}  # the first that fits
BLOCK = 1 << 22  # bytes that are parsed at once; a longer row cannot be read
LISTED = 5  # ragged lines that are shown


@dataclass
class Lines:
    """The form of a file's lines, and counts made while reading it."""

    delimiter: str
    names: tuple[str, ...]  # as they stand in the file
    ragged: int = 0
    first_ragged: list[dict[str, Any]] = field(default_factory=list)
    swallowed: int = 0  # ends of lines inside the row that was read last
    ends: int = 0  # of lines, in the bytes read so far
    marks: int = 0  # quotation marks in them

    def skip(self, row: Any) -> str:
        """Skip and count a row with too few or too many fields, for pyarrow."""
        self.ragged += 1
        self.swallowed = row.text.count("\n") + ("\n" in row.text)  # the end of its last line was cut off
        if len(self.first_ragged) < LISTED:
            text = row.text if len(row.text) <= 80 else row.text[:77] + "..."
            self.first_ragged.append({"line": row.number, "fields": row.actual_columns, "text": text})
        return "skip"


def open_text(source: str, path: Path) -> TableSource:
    """Read a file once from end to end, and open it.

    Raises: DataError as `source.open_source`; the libraries' errors on damaged files.
    """
    lines = _first_lines(source, path)
    names = _names(source, lines.names)
    readings = [Reading() for _ in names]
    stripped, missing_words, rows, last = 0, Counter[str](), 0, ""
    try:
        for batch in _batches(source, path, lines):
            rows += batch.num_rows
            last = "".join(column[-1].as_py() for column in batch.columns) if batch.num_rows else last
            for reading, raw in zip(readings, batch.columns, strict=True):
                trimmed = pc.utf8_trim_whitespace(raw)
                stripped += pc.sum(pc.not_equal(trimmed, raw)).as_py() or 0
                values = _without_missing(trimmed)
                if values.null_count:
                    missing_words.update(trimmed.filter(values.is_null()).to_pylist())
                reading.update(values)
    except pa.ArrowInvalid as error:
        raise _in_words(source, error) from error
    _check_quotes(source, lines, max(lines.swallowed, last.count("\n")))
    if rows == 0:
        raise _only_ragged(source, lines) if lines.ragged else no_rows(source)
    settled = [reading.result() for reading in readings]
    written = [
        Column(name=n, kind="category", dtype=str(t), format=f) for n, (t, f) in zip(names, settled, strict=True)
    ]
    formats = {column.name: column.format for column in written if column.format}

    def read(count: int) -> Iterator[pd.DataFrame]:
        again = Lines(lines.delimiter, lines.names)
        for table in regrouped(_batches(source, path, again), count):
            texts = [_without_missing(pc.utf8_trim_whitespace(column.combine_chunks())) for column in table.columns]
            typed = (from_text(text, column) for text, column in zip(texts, written, strict=True))
            columns = [column_from(array, dtype) for array, (dtype, _) in zip(typed, settled, strict=True)]
            yield pd.DataFrame(dict(zip(names, columns, strict=True)), copy=False)

    def cells(count: int) -> Iterator[pa.Table]:
        for table in regrouped(_batches(source, path, Lines(lines.delimiter, lines.names)), count):
            yield table.rename_columns(names)

    ambiguous = [name for name, reading in zip(names, readings, strict=True) if reading.ambiguous]
    told = {
        "stripped_blanks": stripped,
        "missing_written_as": dict(missing_words.most_common(LISTED)),
        "ragged_lines": lines.ragged,
        "first_ragged_lines": lines.first_ragged,
        "unnamed_columns": lines.names.count(""),
        "numbers_with_commas": [n for n, reading in zip(names, readings, strict=True) if reading.numbers_with_commas],
        "day_or_month_first": {name: formats[name] for name in ambiguous},
    }
    facts = {"source": source, "format": "text", "bytes": path.stat().st_size, "delimiter": lines.delimiter}
    facts |= {name: value for name, value in told.items() if value}
    return TableSource(source, names, facts, read, formats, cells)


def _check_quotes(source: str, lines: Lines, swallowed: int) -> None:
    """Raises: DataError if the last row has ends of lines inside because a quotation mark was never closed.

    The parser accepts such a row, and would not report the rows inside.
    """
    if swallowed and lines.marks % 2:
        raise DataError(
            f'A quotation mark (") is opened near line {lines.ends - swallowed + 1} of {source!r} and never closed.',
            "Every line from there on would be read as one single cell.",
            "Close it, or remove it.",
        )


def _without_missing(texts: pa.Array) -> pa.Array:
    return pc.if_else(is_missing(texts), pa.scalar(None, pa.string()), texts)


def _batches(source: str, path: Path, lines: Lines) -> Iterator[pa.RecordBatch]:
    """Yield the file's columns as text, without its first line."""
    columns = [f"column {i}" for i in range(len(lines.names))]  # names in the file may be empty
    stream = pa.input_stream(str(path), compression="gzip" if path.suffix.lower() == ".gz" else None)
    with pa.PythonFile(_Decodable(source, stream, lines), mode="r") as file:
        reader = pa.csv.open_csv(
            file,
            read_options=pa.csv.ReadOptions(use_threads=False, block_size=BLOCK, column_names=columns),
            parse_options=pa.csv.ParseOptions(
                delimiter=lines.delimiter, newlines_in_values=True, invalid_row_handler=lines.skip
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
            ),
        )
        first = True
        for batch in reader:
            yield batch.slice(1) if first else batch
            first = False


class _Decodable(io.RawIOBase):
    """A file whose bytes are checked as UTF-8 before Arrow reads them: a row with too few or too many fields would else
    be decoded where Python can only print the error."""

    def __init__(self, source: str, stream: Any, lines: Lines) -> None:
        self._source, self._stream, self._lines = source, stream, lines
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Raises: DataError."""
        block: bytes = self._stream.read(size if size >= 0 else None)
        try:
            self._decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            while self._stream.read(BLOCK):  # to the end: of a damaged .gz, which raises there, no byte means anything
                pass
            line = 1 + self._lines.ends + error.object.count(b"\n", 0, error.start)
            why = "It looks like Latin-1 or Windows-1252."
            raise _not_utf8(self._source, line, error.object[error.start : error.start + 1], why) from error
        self._lines.ends += block.count(b"\n")
        self._lines.marks += block.count(b'"')
        return block

    def close(self) -> None:
        self._stream.close()
        super().close()


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def _first_lines(source: str, path: Path) -> Lines:
    """Find the delimiter and the column names, from the first 64 KiB and the rest of their last line."""
    with _opened(path) as file:
        begin = file.read(1 << 16) + file.readline(BLOCK)
    if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _not_utf8(source, 1, begin[:1], "It begins like UTF-16.")
    text = codecs.getincrementaldecoder("utf-8-sig")(errors="replace").decode(begin)
    if not text.strip():
        raise DataError(f"{source!r} cannot be read as a table: it is empty.", do="Give another file.")
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    delimiter = _delimiter(text, DELIMITERS.get(suffix, DELIMITERS[".csv"]))
    names = next(row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row)
    return Lines(delimiter, tuple(name.strip() for name in names))


def _delimiter(text: str, candidates: str) -> str:
    """Find the delimiter that splits most of the first lines into as many fields as the very first, more than one."""

    def agreement(delimiter: str) -> float:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row][:50]
        width = len(rows[0])
        return sum(len(row) == width for row in rows) / len(rows) if width > 1 else 0.0

    return max(candidates, key=agreement)  # the first of equals


def _names(source: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns' names; one without a name, such as pandas' row numbers, is named by its place."""
    named = [name or f"column_{i + 1}" for i, name in enumerate(names)]
    check_names(source, named)
    return tuple(named)


def _only_ragged(source: str, lines: Lines) -> DataError:
    first = lines.first_ragged[0]
    return DataError(
        f"No line of {source!r} has as many fields as its first line, which has {len(lines.names)}: "
        f"line {first['line']} has {first['fields']}.",
        f"The fields seem to be separated by {lines.delimiter!r}, and the first line to hold the names.",
        "Mend the first line, or write the file again.",
    )


def _in_words(source: str, error: pa.ArrowInvalid) -> DataError:
    """Describe Arrow's error about the form of a file."""
    if "straddling" in str(error):
        return DataError(
            f"{source!r} cannot be read as a table: a row is longer than {BLOCK:,} bytes.",
            'A quotation mark (") may have been opened and never closed.',
            "Mend that row.",
        )
    return DataError(f"{source!r} cannot be read as a table: {error}.", "It is damaged.", "Write it again.")


def _not_utf8(source: str, line: int, byte: bytes, why: str) -> DataError:
    return DataError(
        f"Line {line} of {source!r} holds the byte 0x{byte.hex()}, which is not UTF-8.",
        why,
        "Save the file as UTF-8; spreadsheets call it 'CSV UTF-8'.",
    )
