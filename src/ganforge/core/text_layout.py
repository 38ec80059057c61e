"""The layout of a text file: its encoding, delimiter and line of names, found in its first lines."""

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

import pyarrow as pa
import pyarrow.compute as pc

from ganforge.core.text_file import WIDE_MARKS
from ganforge.errors import DataError

DELIMITERS = {  # the first that fits
    ".csv": ",;\t|~^\x01",
    ".txt": "\t,;|~^\x01",
    **dict.fromkeys((".tsv", ".data", ".dat", ".inter", ".item", ".user"), "\t|,;"),
}
BLOCK = 1 << 22  # bytes that are parsed at once; a longer row cannot be read
LISTED = 5  # ragged lines that are shown
IN_PLACE = "\x1f"  # delimiter in the place of two signs
_OTHER_FILES = {  # by their first bytes
    b"\x1f\x8b": "a .gz file", b"PK\x03\x04": "a .zip or .xlsx file", b"BZh": "a .bz2 file", b"\xfd7zXZ": "an .xz file",
    b"\x28\xb5\x2f\xfd": "a .zst file", b"PAR1": "a .parquet file", b"ARROW1": "a .feather file", b"%PDF": "a PDF file",
    b"SQLite format 3": "a SQLite database", b"\xd0\xcf\x11\xe0": "an old .xls file", b"\x89PNG": "a picture",
    b'{"': "JSON", b"[{": "JSON", b"<!DOCTYPE": "a web page", b"<html": "a web page", b"<?xml": "XML",
}  # fmt: skip
TITLES = 10  # lines that are looked at for the names, below a line that has hardly any
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
    wide: str = ""  # utf-16 or utf-32, with a mark at its beginning
    escape: str = ""  # what stands before a quotation mark inside a cell, where that is not a second one
    named: bool = True  # whether the first line holds the names
    pair: str = ""  # the two signs between fields in the file, for which the delimiter is put

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
        return Lines(
            self.delimiter,
            self.names,
            self.before,
            wide=self.wide,
            escape=self.escape,
            named=self.named,
            pair=self.pair,
        )

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


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def is_value(text: str) -> bool:
    """Return whether a text is a number or a date, which is seldom the name of a column."""
    return _VALUE.fullmatch(text) is not None


def first_lines(source: str, path: Path, pair: str = "") -> Lines:
    """Find the delimiter and the column names, from the first 64 KiB and the rest of their last line.

    Args: pair two signs that stand between fields if they are in most of the lines.
    Raises: DataError if a line that begins with # may hold the names as well as a comment.
    """
    with _opened(path) as file:
        begin = file.read(1 << 16) + file.readline(BLOCK)
    wide = next((encoding for mark, encoding in WIDE_MARKS.items() if begin.startswith(mark)), "")
    if what := next((what for bytes_, what in _OTHER_FILES.items() if begin.startswith(bytes_)), None):
        raise DataError(
            f"{source!r} is not a text file, whatever its name says.",
            f"Its first bytes are those of {what}.",
            "Give it the ending that it should have, unpack it, or save it as CSV.",
        )
    if wide:
        begin = begin.decode(wide, errors="replace").encode()
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
    pair = pair if pair and 2 * sum(pair in line for line in text.splitlines()) > text.count("\n") else ""
    if pair:
        text, candidates = text.replace(pair, IN_PLACE), IN_PLACE
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
    table = itertools.islice((row for row in _rows(rest, delimiter) if row), 50)
    names, *below = table
    if len(names) == 1:
        _check_split(source, names[0], [row[0] for row in below])
    elif 2 * sum(map(bool, map(str.strip, names))) <= len(names):
        _check_title(source, names, below)
    names[0] = re.sub(r"^#\s+", "", names[0])
    marks = sum(line.count('"') for line in every[:before])  # that are no part of the table
    return Lines(
        delimiter,
        tuple(name.strip() for name in names),
        before,
        comments if body.strip() else 0,
        marks=-marks,
        wide=wide,
        escape=_escape(rest, delimiter),
        pair=pair,
    )


def _escape(text: str, delimiter: str) -> str:
    """Return the backslash where more of them stand before quotation marks inside cells than at the ends of cells."""
    inside = len(re.findall(rf'\\"(?![\x{ord(delimiter):02x}\r\n]|$)', text))
    return "\\" if inside > len(re.findall(rf'\\"(?=[\x{ord(delimiter):02x}\r\n]|$)', text)) else ""


def _check_split(source: str, names: str, below: Sequence[str]) -> None:
    """Raises: DataError for one column that looks like several with blanks between them, as in files of fixed width."""
    fields = len(names.split())
    rows = [row.split() for row in below]
    alike = rows and all(len(row) == fields for row in rows)
    if fields > 1 and alike and all(any(map(_VALUE.fullmatch, row)) for row in rows) and not _VALUE.fullmatch(below[0]):
        raise DataError(
            f"The fields of {source!r} seem to be separated by blanks: its first line is {names[:60]!r}.",
            "They can be separated by commas, semicolons, tabs or bars.",
            "Write it again so; pandas.read_fwf reads columns of fixed width.",
        )


def _check_title(source: str, names: Sequence[str], below: Sequence[Sequence[str]]) -> None:
    """Raises: DataError for a line of few names, or none, above one that has all: it is a title."""
    for row, next_row in itertools.pairwise(below[:TITLES]):
        whole = len(row) == len(names) and all(map(str.strip, row)) and not any(map(_VALUE.fullmatch, row))
        if whole and any(map(_VALUE.fullmatch, next_row)):
            raise DataError(
                f"The first line of {source!r} has {sum(map(bool, names))} names for {len(names)} columns.",
                f"A line below seems to hold the names: {', '.join(map(repr, row[:5]))}.",
                "Remove the lines above that.",
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


def names_of(source: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns' names; one without a name, such as pandas' row numbers, is named by its place."""
    named = [name or f"column_{i + 1}" for i, name in enumerate(names)]
    check_names(source, named)
    return tuple(named)


def check_names(source: str, names: Sequence[str]) -> None:
    """Check column names. Raises: DataError if there are no columns, or several of one name."""
    if not names:
        raise DataError(f"{source!r} has no columns.", "There is nothing to read.", "Give another table.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"{source!r} has several columns of the name {twice[0]!r}.",
            "They could not be told apart.",
            "Give each its own name; if the file has no line of names, add one.",
        )
