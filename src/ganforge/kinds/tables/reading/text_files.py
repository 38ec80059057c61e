"""Text files: .csv, .tsv and .txt, compressed or not. Every column is read as text; types come from all of it."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import re
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
from ganforge.kinds.tables.reading.arrays import column_from, fitting, from_text
from ganforge.kinds.tables.reading.source import TableSource, check_names, no_rows, regrouped
from ganforge.kinds.tables.reading.text_values import MISSING, Meaning, Reading, without_missing

DELIMITERS = {".csv": ",;\t|", ".tsv": "\t,;|", ".txt": "\t,;|"}  # the first that fits
BLOCK = 1 << 22  # bytes that are parsed at once; a longer row cannot be read
LISTED = 5  # ragged lines that are shown
FEW_LOST, SHARE_LOST = 3, 1 / 1000  # so many lines may be left out, the larger of the two
_SEPARATOR = re.compile(r'"?sep=([\x01-\x7f])"?', re.IGNORECASE)  # what Excel takes for the delimiter
_VALUE = re.compile(r"\s*([+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?|[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}.*)\s*")


@dataclass
class Lines:
    """The form of a file's lines, and counts made while reading it."""

    delimiter: str
    names: tuple[str, ...]  # as they stand in the file
    before: int = 0  # lines before that of the names: Excel's sep=; and comments
    comments: int = 0  # among these
    ragged: int = 0
    lost: int = 0  # lines of the rows that were skipped, and those inside a cell
    inside: int = 0  # lines inside a cell that look like rows
    first_lost: str = ""  # where, in words
    first_ragged: list[dict[str, Any]] = field(default_factory=list)
    swallowed: int = 0  # ends of lines inside the row that was read last
    ends: int = 0  # of lines, in the bytes read so far
    marks: int = 0  # quotation marks in them
    wide: bool = False  # UTF-16, with a mark at its beginning

    def skip(self, row: Any) -> str:
        """Skip and count a row with too few or too many fields, for pyarrow."""
        self.ragged += 1
        self.lost += 1 + row.text.count("\n")
        wide = f"line {row.number} has {row.actual_columns} fields, and the names are {len(self.names)}"
        self.first_lost = self.first_lost or wide
        self.swallowed = row.text.count("\n") + ("\n" in row.text)  # the end of its last line was cut off
        if len(self.first_ragged) < LISTED:
            text = row.text if len(row.text) <= 80 else row.text[:77] + "..."
            self.first_ragged.append({"line": row.number, "fields": row.actual_columns, "text": text})
        return "skip"

    def anew(self) -> Lines:
        """Return the form of the lines without the counts."""
        return Lines(self.delimiter, self.names, self.before, wide=self.wide)

    def look_inside(self, cells: pa.Array) -> None:
        """Count whole rows inside cells (N,), which a quotation mark at the wrong place has swallowed."""
        between = len(self.names) - 1
        if not between or not pc.any(pc.match_substring(cells, "\n")).as_py():
            return
        inside = rf"\n[^\n]*\x{ord(self.delimiter):02x}[^\n]*\n"
        for cell in cells.filter(pc.match_substring_regex(cells, inside)).to_pylist():
            rows = sum(line.count(self.delimiter) == between for line in cell.split("\n")[1:-1])
            self.lost, self.inside = self.lost + rows, self.inside + rows
            if rows and not self.first_lost:
                self.first_lost = f"{rows:,} of them stand inside one cell that begins with {cell[:20]!r}"


def open_text(source: str, path: Path, known: Sequence[Column]) -> TableSource:
    """Read a file once from end to end, and open it.

    Args: known columns, as `source.open_source`.
    Raises: DataError as `source.open_source`; the libraries' errors on damaged files.
    """
    lines = _first_lines(source, path)
    names = _names(source, lines.names)
    readings = [Reading() for _ in names]
    again = [False for _ in names]  # whether a name is also a value of its column
    stripped, missing_words, rows, last = 0, Counter[str](), 0, ""
    try:
        for batch in _batches(source, path, lines):
            rows += batch.num_rows
            last = "".join(column[-1].as_py() for column in batch.columns) if batch.num_rows else last
            for place, (reading, raw) in enumerate(zip(readings, batch.columns, strict=True)):
                lines.look_inside(raw)
                trimmed = pc.utf8_trim_whitespace(raw)
                again[place] = again[place] or pc.index(trimmed, lines.names[place]).as_py() >= 0
                stripped += pc.sum(pc.not_equal(trimmed, raw)).as_py() or 0
                values = without_missing(trimmed)
                if values.null_count:
                    missing_words.update(trimmed.filter(values.is_null()).to_pylist())
                reading.update(values)
    except pa.ArrowInvalid as error:
        raise _in_words(source, error) from error
    _check_quotes(source, lines, max(lines.swallowed, last.count("\n")))
    if rows == 0:
        raise _only_ragged(source, lines) if lines.ragged else no_rows(source)
    _check_lost(source, lines, rows)
    learned = {column.name: column for column in known}
    meanings = [reading.result(learned.get(name)) for name, reading in zip(names, readings, strict=True)]
    doubtful = _check_names(source, lines.names, meanings, again)
    dtypes = [meaning.dtype(bool(reading.missing)) for meaning, reading in zip(meanings, readings, strict=True)]
    # of times and lengths of time the texts themselves are the column's values
    found = [None if isinstance(d, pd.StringDtype) else m.form for m, d in zip(meanings, dtypes, strict=True)]
    written = [
        Column(name=name, kind=meaning.kind, dtype=str(dtype), format=form, zone=meaning.zone)
        for name, meaning, dtype, form in zip(names, meanings, dtypes, found, strict=True)
    ]
    formats = {column.name: column.format for column in written if column.format}
    typed = [not isinstance(dtype, pd.StringDtype) for dtype in dtypes]
    mended = [bool(meaning.strays) and as_values for meaning, as_values in zip(meanings, typed, strict=True)]

    def read(count: int) -> Iterator[pd.DataFrame]:
        for table in regrouped(_batches(source, path, lines.anew()), count):
            columns = []
            for raw, column, dtype, strays in zip(table.columns, written, dtypes, mended, strict=True):
                texts = without_missing(pc.utf8_trim_whitespace(raw.combine_chunks()))
                texts = fitting(texts, column) if strays else texts
                columns.append(column_from(from_text(texts, column), dtype))
            yield pd.DataFrame(dict(zip(names, columns, strict=True)), copy=False)

    def cells(count: int) -> Iterator[pa.Table]:
        for table in regrouped(_batches(source, path, lines.anew()), count):
            yield table.rename_columns(names)

    understood = {n: meaning for n, meaning, as_values in zip(names, meanings, typed, strict=True) if as_values}
    told = {
        "stripped_blanks": stripped,
        "missing_written_as": dict(missing_words.most_common(LISTED)),
        "ragged_lines": lines.ragged,
        "first_ragged_lines": lines.first_ragged,
        "rows_inside_cells": lines.inside,
        "comment_lines": lines.comments,
        **doubtful,
        "unnamed_columns": lines.names.count(""),
    }
    facts = {"source": source, "format": "text", "bytes": path.stat().st_size, "delimiter": lines.delimiter}
    facts |= {name: value for name, value in told.items() if value}
    return TableSource(source, names, facts, read, formats, cells, meanings=understood)


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


def _batches(source: str, path: Path, lines: Lines) -> Iterator[pa.RecordBatch]:
    """Yield the file's columns as text, without its first line."""
    columns = [f"column {i}" for i in range(len(lines.names))]  # names in the file may be empty
    stream = pa.input_stream(str(path), compression="gzip" if path.suffix.lower() == ".gz" else None)
    stream = codecs.EncodedFile(stream, "utf-8", "utf-16") if lines.wide else stream
    with pa.PythonFile(_Decodable(source, stream, lines), mode="r") as file:
        reader = pa.csv.open_csv(
            file,
            read_options=pa.csv.ReadOptions(
                use_threads=False, block_size=BLOCK, column_names=columns, skip_rows=lines.before
            ),
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
        try:
            block: bytes = self._stream.read(size)
        except UnicodeDecodeError as error:
            raise DataError(
                f"{self._source!r} cannot be read as text behind line {self._lines.ends}.",
                "It begins as UTF-16, but its bytes do not go on as that.",
                "Save it again as UTF-8; spreadsheets call it 'CSV UTF-8'.",
            ) from error
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
    """Find the delimiter and the column names, from the first 64 KiB and the rest of their last line.

    Raises: DataError if a line that begins with # may hold the names as well as a comment.
    """
    with _opened(path) as file:
        begin = file.read(1 << 16) + file.readline(BLOCK)
    wide = begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if wide:
        begin = begin.decode("utf-16", errors="replace").encode()
    elif 4 * begin.count(0) > len(begin) > 3:
        raise DataError(
            f"{source!r} cannot be read as text: many of its bytes are zero.",
            "It looks like UTF-16 without the mark that begins such a file.",
            "Save it as UTF-8; spreadsheets call it 'CSV UTF-8'.",
        )
    text = codecs.getincrementaldecoder("utf-8-sig")(errors="replace").decode(begin)
    if not text.strip():
        raise DataError(f"{source!r} cannot be read as a table: it is empty.", do="Give another file.")
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    candidates = DELIMITERS.get(suffix, DELIMITERS[".csv"])
    every = io.StringIO(text, newline="").readlines()
    before = next(place for place, line in enumerate(every) if line.strip())
    if said := _SEPARATOR.fullmatch(every[before].strip("\r\n")):
        before, candidates = before + 1, said[1]
    rest = "".join(every[before:])
    comments = len(list(itertools.takewhile(lambda line: line.startswith("#"), every[before:])))
    body = "".join(every[before + comments :])
    delimiter = _delimiter(body if body.strip() else rest, candidates)
    if comments and body.strip():
        comments -= _names_behind_mark(source, every[before + comments - 1], body, delimiter)
        before, rest = before + comments, "".join(every[before + comments :])
    names = next(row for row in _rows(rest, delimiter) if row)
    names[0] = re.sub(r"^#\s+", "", names[0])
    marks = sum(line.count('"') for line in every[:before])  # that are no part of the table
    return Lines(
        delimiter,
        tuple(name.strip() for name in names),
        before,
        comments if body.strip() else 0,
        marks=-marks,
        wide=wide,
    )


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _names_behind_mark(source: str, marked: str, body: str, delimiter: str) -> bool:
    """Return whether a line that begins with # holds the names of the columns, and not a comment.

    It does if it has as many fields as the line below and that holds a number; if only lines further below hold
    numbers, that one holds the names.

    Raises: DataError if none holds any.
    """
    below = [row for row in itertools.islice(_rows(body, delimiter), 50) if row]
    if len(next(_rows(marked, delimiter))) != len(below[0]):
        return False
    if any(map(_VALUE.fullmatch, below[0])):
        return True
    if any(_VALUE.fullmatch(cell) for row in below for cell in row):
        return False
    raise DataError(
        f"The line {marked.strip()[:60]!r} of {source!r} may hold the names of the columns, or a comment.",
        "It begins with #, and has as many fields as the lines below.",
        "Remove the # if it holds the names, else the whole line.",
    )


def _delimiter(text: str, candidates: str) -> str:
    """Find the delimiter that splits most of the first lines into as many fields as the very first, more than one."""

    def agreement(delimiter: str) -> float:
        rows = [row for row in _rows(text, delimiter) if row][:50]
        width = len(rows[0])
        return sum(len(row) == width for row in rows) / len(rows) if width > 1 else 0.0

    return max(candidates, key=agreement)  # the first of equals


def _names(source: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns' names; one without a name, such as pandas' row numbers, is named by its place."""
    named = [name or f"column_{i + 1}" for i, name in enumerate(names)]
    check_names(source, named)
    return tuple(named)


def _check_names(
    source: str, names: Sequence[str], meanings: Sequence[Meaning], again: Sequence[bool]
) -> dict[str, list[str]]:
    """Return the names that may be values, as facts. Raises: DataError if the first line seems to hold values.

    Names of columns of numbers, dates or booleans are values if all of them fit the columns, unless they count, such as
    years do; names of texts alone if half of them, and more than one, come again as values.
    """
    there = [place for place, name in enumerate(names) if name not in MISSING]
    typed = [place for place in there if meanings[place].sort != "text"]
    like = [names[place] for place in typed if meanings[place].takes(names[place])]
    repeated = [names[place] for place in there if again[place]]
    if len(like) < len(typed) or (not typed and 2 * len(repeated) < max(len(there), 1)):
        return {}
    if typed and _count(like):
        return {"numbers_as_names": like}
    if not typed and len(repeated) == 1:
        return {"names_as_values": repeated}
    raise DataError(
        f"The first line of {source!r} seems to hold values, not names: {', '.join(map(repr, names[:5]))}.",
        "They are like the values below." if typed else "They come again as values below.",
        "Add a line of names before it; if it does hold the names, write them with letters, such as y2020.",
    )


def _count(names: Sequence[str]) -> bool:
    """Return whether names are numbers that count: 0, 1 or 1, 2, 3, or years."""
    if len(names) < 2 or not all(re.fullmatch("[0-9]{1,9}", name) for name in names):
        return False
    numbers = list(map(int, names))
    steps = {later - earlier for earlier, later in itertools.pairwise(numbers)}
    years = all(1000 <= number < 3000 for number in numbers)
    return len(steps) == 1 and steps != {0} and (len(names) > 2 or years or numbers == [0, 1])


def _check_lost(source: str, lines: Lines, rows: int) -> None:
    """Raises: DataError if more than a few lines were left out, or swallowed by a quotation mark."""
    if lines.lost > max(FEW_LOST, (rows + lines.lost) * SHARE_LOST):
        raise DataError(
            f"{lines.lost:,} of {rows + lines.lost:,} lines of {source!r} cannot be read as rows: {lines.first_lost}.",
            f'A separator ({lines.delimiter!r}) in a text without quotation marks, or a single quotation mark ("), '
            "is the usual cause.",
            'Quote such texts and double the marks inside them (""), or remove the lines.',
        )


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
