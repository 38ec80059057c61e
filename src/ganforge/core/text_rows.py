"""The rows of a text file as Arrow's batches of texts, and what is wrong with its lines."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from ganforge.core.text_layout import BLOCK, IN_PLACE, Lines
from ganforge.errors import DataError

FEW_LOST, SHARE_LOST = 3, 1 / 1000  # so many lines may be left out, the larger of the two


def text_batches(
    source: str, path: Path, lines: Lines, places: Sequence[int] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the file's columns as text, without the line of names. Args: places of the columns; None for all."""
    columns = [f"column {i}" for i in range(len(lines.names))]  # names in the file may be empty
    chosen = columns if places is None else [columns[place] for place in places]
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
                newlines_in_values=not lines.pair,
                quote_char=False if lines.pair else '"',
                escape_char=lines.escape or False,
                invalid_row_handler=lines.skip,
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False, include_columns=chosen
            ),
        )
        first = True
        for batch in reader:
            yield batch.slice(1) if first and lines.named else batch
            first = False


class _Decodable(io.RawIOBase):
    """A file whose bytes are checked as UTF-8 before Arrow reads them: a row with too few or too many fields would else
    be decoded where Python can only print the error."""

    def __init__(self, source: str, stream: Any, lines: Lines) -> None:
        self._source, self._stream, self._lines = source, stream, lines
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._pair, self._held = lines.pair.encode(), b""

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
        return self._separated(block, size) if self._pair else block

    def _separated(self, block: bytes, size: int) -> bytes:
        """Return a block with a delimiter for each pair of signs. One that may be cut in two is held back."""
        whole, end = self._held + block, not block
        kept = whole if end else whole.rstrip(self._pair[-1:])
        self._held = whole[len(kept) :]
        return kept.replace(self._pair, IN_PLACE.encode()) or (b"" if end else self.read(size))

    def close(self) -> None:
        self._stream.close()
        super().close()


def check_lost(source: str, lines: Lines, rows: int) -> None:
    """Raises: DataError if more than a few lines were left out, or swallowed by a quotation mark."""
    if lines.lost > max(FEW_LOST, (rows + lines.lost) * SHARE_LOST):
        raise DataError(
            f"{lines.lost:,} of {rows + lines.lost:,} lines of {source!r} cannot be read as rows: {lines.first_lost}.",
            f'A separator ({lines.delimiter!r}) in a text without quotation marks, or a single quotation mark ("), '
            "is the usual cause.",
            'Quote such texts and double the marks inside them (""), or remove the lines.',
        )


def only_ragged(source: str, lines: Lines) -> DataError:
    """Return the error for a file whose lines are all unlike its first one."""
    first = lines.first_ragged[0]
    return DataError(
        f"No line of {source!r} has as many fields as its first line, which has {len(lines.names)}: "
        f"line {first['line']} has {first['fields']}.",
        f"The fields seem to be separated by {lines.delimiter!r}, and the first line to hold the names.",
        "Mend the first line, or write the file again.",
    )


def in_words(source: str, error: pa.ArrowInvalid) -> DataError:
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


def check_quotes(source: str, lines: Lines, swallowed: int) -> None:
    """Raises: DataError if the last row has ends of lines inside because a quotation mark was never closed.

    The parser accepts such a row, and would not report the rows inside.
    """
    if swallowed and lines.marks % 2:
        raise DataError(
            f'A quotation mark (") is opened near line {lines.ends - swallowed + 1} of {source!r} and never closed.',
            "Every line from there on would be read as one single cell.",
            "Close it, or remove it.",
        )
