"""Text files: .csv, .tsv and .txt, compressed or not. Every column is read as text; types come from all of it."""

from __future__ import annotations

import codecs
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from ganforge.errors import DataError
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.arrays import column_from, fitting, from_text
from ganforge.kinds.tables.reading.source import TableSource, no_rows, regrouped
from ganforge.kinds.tables.reading.text_layout import (
    BLOCK,
    LISTED,
    Lines,
    check_first_line,
    check_units,
    first_lines,
    names_of,
)
from ganforge.kinds.tables.reading.text_values import Reading, without_missing

FEW_LOST, SHARE_LOST = 3, 1 / 1000  # so many lines may be left out, the larger of the two


def open_text(source: str, path: Path, known: Sequence[Column]) -> TableSource:
    """Read a file once from end to end, and open it.

    Args: known columns, as `source.open_source`.
    Raises: DataError as `source.open_source`; the libraries' errors on damaged files.
    """
    lines = first_lines(source, path)
    names = names_of(source, lines.names)
    readings = [Reading() for _ in names]
    again = [False for _ in names]  # whether a name is also a value of its column
    stripped, missing_words, rows, last = 0, Counter[str](), 0, ""
    first: list[str] = []
    try:
        for batch in _batches(source, path, lines):
            first = first or [column[0].as_py().strip() for column in batch.columns if batch.num_rows]
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
    check_units(source, first, meanings)
    doubtful = check_first_line(source, lines.names, meanings, again)
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
    stream = codecs.EncodedFile(stream, "utf-8", lines.wide) if lines.wide else stream
    with pa.PythonFile(_Decodable(source, stream, lines), mode="r") as file:
        reader = pa.csv.open_csv(
            file,
            read_options=pa.csv.ReadOptions(
                use_threads=False, block_size=BLOCK, column_names=columns, skip_rows=lines.before
            ),
            parse_options=pa.csv.ParseOptions(
                delimiter=lines.delimiter,
                newlines_in_values=True,
                escape_char=lines.escape or False,
                invalid_row_handler=lines.skip,
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
                f"It begins as {self._lines.wide.upper()}, but its bytes do not go on as that.",
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
