"""Files of text as records: .txt by lines, .jsonl, .csv, .tsv and .parquet by the column that holds the text.

Files are read in blocks, so that memory stays flat. What was met on the way is counted in Notes, with the first place.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from ganforge.contracts import Observer
from ganforge.core.files import DAMAGED
from ganforge.core.text_file import FALLBACK, WIDE_MARKS, read_text
from ganforge.errors import DataError, InputError, did_you_mean
from ganforge.events import tell_note

BLOCK = 2**20  # bytes that are read at once
MOST_BYTES = 2**16  # of an example: the rest is cut off
MOST_ROW = 2**24  # bytes of a line of .jsonl, .csv and .tsv, which may hold much besides
HEAD = 200  # rows that the columns are found in
HIGH_SHARE = 1 / 3  # of the bytes of lines that are not UTF-8, above which they are not Windows-1252 either
TELLING = 20  # bytes of lines that are not UTF-8, below which their share says nothing
TEXT_NAMES = ("text", "sentence", "caption", "review", "comment", "content", "document", "message", "body")
LABEL_NAMES = ("label", "labels", "class", "category", "style", "sentiment")
PROSE = 20  # characters that values of a column of prose have on average
FOREIGN = "Lines that are not UTF-8, read as Windows-1252"


class Record(NamedTuple):
    """One value of a file."""

    number: int  # of its line or row, from 1 on
    value: bytes  # UTF-8; empty for an empty line or a missing value
    label: str | None = None  # of the label column


@dataclass
class Notes:
    """How often something was met, and where first."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    foreign: int = 0  # bytes but for white space of lines that are not UTF-8
    high: int = 0  # those of them that are not ASCII

    def note(self, what: str, path: Path, number: int, count: int = 1) -> None:
        if count:
            self.counts[what] += count
            self.first.setdefault(what, f"{path.name}, line {number:,}")


@dataclass(frozen=True)
class Columns:
    """The columns that a person named; None where they are to be found, "none" for no label."""

    text: str | None = None
    label: str | None = None

    def refuse_any(self, path: Path, why: str) -> None:
        """Refuse names of columns where there are none. Raises: DataError."""
        label = None if self.label == "none" else self.label
        if (given := self.text or label) is not None:
            flag = "--text" if self.text else "--label"
            raise DataError(f"{flag} {given} was given, and {str(path)!r} has no columns.", why, "Leave it.")


def records_of(path: Path, asked: Columns, notes: Notes) -> Iterator[Record]:
    """Yield the records of a file. Raises: DataError, with file and line, if it cannot be read."""
    rows_of = _READERS.get(path.suffix.lower())
    try:
        if rows_of is not None:
            yield from _columns(path, rows_of(path, notes), asked, notes)
            return
        asked.refuse_any(path, "Its lines are the text.")
        for number, line in enumerate(lines_of(path, notes, MOST_BYTES), 1):
            yield Record(number, b"" if not line.strip() or line.decode(errors="ignore").isspace() else line)
    except DAMAGED as error:
        raise DataError(
            f"{str(path)!r} cannot be read: {str(error).rstrip('.')}.", "It may be damaged.", "Give another file."
        ) from error


# ---- lines, in any encoding ------------------------------------------------------------------------------------------


def lines_of(path: Path, notes: Notes, most: int) -> Iterator[bytes]:
    """Yield lines as UTF-8, without their ends; of a longer one the first `most` + 1 bytes.

    A line that is not UTF-8 is read as Windows-1252, and counted. Raises: DataError for a binary file.
    """
    with path.open("rb") as file:
        mark = file.read(4)
        wide = next((name.upper() for begin, name in WIDE_MARKS.items() if mark.startswith(begin)), None)
        file.seek(len(codecs.BOM_UTF8) if mark.startswith(codecs.BOM_UTF8) else 0)
        if wide or file.tell():
            notes.note(f"Byte order mark of {wide or 'UTF-8'}", path, 1)
        blocks = iter(lambda: file.read(BLOCK), b"")
        if wide:
            blocks = (text.encode() for text in codecs.iterdecode(blocks, wide))
        start = next(blocks, b"")
        end = b"\r" if b"\r" in start and b"\n" not in start else b"\n"
        for number, line in enumerate(_split(chain([start], blocks), end, most), 1):
            if b"\0" in line:
                raise DataError(
                    f"{str(path)!r} is not text: line {number:,} holds a byte of value 0.",
                    "A binary file has such bytes, or UTF-16 without a byte order mark.", "Give text in UTF-8.",
                )  # fmt: skip
            if line.endswith(b"\r"):
                notes.note("Lines that end with CR LF", path, number)
            yield as_utf8(line.removesuffix(b"\r"), path, number, notes)


def _split(blocks: Iterator[bytes], end: bytes, most: int) -> Iterator[bytes]:
    """Split blocks at line ends. Of a line of any length at most `most` + 1 bytes and a block are held."""
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(end)
        for line in whole:
            yield line[: most + 1]
        rest = rest[: most + 1]
    if rest:
        yield rest


def as_utf8(line: bytes, path: Path, number: int, notes: Notes) -> bytes:
    """Return a line in UTF-8: one that is not is taken for Windows-1252, and counted."""
    if line.isascii():
        return line
    try:
        line.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and len(line) > MOST_BYTES:  # it is cut there
            return line
        notes.note(FOREIGN, path, number)
        notes.foreign += len(line) - line.count(b" ")
        notes.high += len(line) - len(line.decode("ascii", "ignore"))
        try:
            return line.decode("cp1252").encode()
        except UnicodeDecodeError:
            return line.decode("latin-1").encode()
    return line


def refuse_other_encodings(notes: Notes, source: str) -> None:
    """Refuse text whose lines are neither UTF-8 nor likely to be Windows-1252. Raises: DataError."""
    if notes.foreign >= TELLING and notes.high > HIGH_SHARE * notes.foreign:
        raise DataError(
            f"{source!r} is not UTF-8 ({notes.first[FOREIGN]}).",
            "Most of its letters are not ASCII, so it is not Windows-1252 either: its encoding is not known.",
            "Convert it, for example: iconv -f GB18030 -t UTF-8 old.txt > new.txt",
        )


# ---- columns ---------------------------------------------------------------------------------------------------------

Row = tuple[int, Mapping[str, Any]]  # number of its line, cells by name


def _columns(path: Path, rows: Iterator[Row], asked: Columns, notes: Notes) -> Iterator[Record]:
    """Yield the text and the label of rows."""
    head = list(islice(rows, HEAD))
    names = list(dict.fromkeys(name for _, row in head for name in row))
    for given in (asked.text, None if asked.label == "none" else asked.label):
        if given is not None and given not in names:
            raise DataError(f"{str(path)!r} has no column {given!r}.", did_you_mean(given, names))
    text = asked.text or _text_column(path, names, [row for _, row in head])
    label = asked.label or next((name for name in names if name.lower() in LABEL_NAMES and name != text), None)
    for number, row in chain(head, rows):
        value = row.get(text)
        if not isinstance(value, str | None):
            raise DataError(
                f"{text!r} of {str(path)!r}, line {number:,}, is {value!r:.60}.", "A text was expected.",
                "Name another column with --text, or mend the line.",
            )  # fmt: skip
        value = (value or "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # no half characters
        own = None if label in (None, "none") else str("" if row.get(label) is None else row[label])
        if own == "":
            notes.note("Rows without a label, which were left out", path, number)
        else:
            yield Record(number, value.encode() if value.strip() else b"", own)


def _text_column(path: Path, names: list[str], head: list[Mapping[str, Any]]) -> str:
    """Find the column of the text: the one that is called so, or alone of its kind. Raises: DataError."""
    values = {name: [one for row in head if isinstance(one := row.get(name), str) and one.strip()] for name in names}
    words = {name: own for name, own in values.items() if own and not all(map(_is_number, own))}
    called = [name for name in words if name.lower() in TEXT_NAMES]
    long = [name for name, own in words.items() if sum(map(len, own)) >= PROSE * len(own)]
    prose = [name for name in long if 2 * len(set(words[name])) > len(words[name])]
    found = called if len(called) == 1 else prose or list(words)
    if len(found) != 1:
        several = f"several columns that may be the text: {', '.join(found)}" if found else "no column of text"
        raise DataError(
            f"{str(path)!r} has {several}.",
            f"Its columns are {', '.join(names)}." if names else "It has no rows.",
            "Name one with --text." if names else "Give another file.",
        )
    return found[0]


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _whole_lines(path: Path, notes: Notes) -> Iterator[bytes]:
    """Yield lines that must not be cut. Raises: DataError for one that is too long."""
    for number, line in enumerate(lines_of(path, notes, MOST_ROW), 1):
        if len(line) > MOST_ROW:
            raise DataError(
                f"Line {number:,} of {str(path)!r} has more than {MOST_ROW:,} bytes.",
                "It may have lost its line ends.", "Write one example a line.",
            )  # fmt: skip
        yield line


def _json_rows(path: Path, notes: Notes) -> Iterator[Row]:
    for number, line in enumerate(_whole_lines(path, notes), 1):
        try:
            content = json.loads(line) if line.strip() else {}
        except (json.JSONDecodeError, RecursionError) as error:
            what = f"Line {number:,} of {str(path)!r} is not JSON: {error}."
            raise DataError(what, "Each line is one object.", "Mend it.") from error
        if not isinstance(content, dict | str):
            what = f"Line {number:,} of {str(path)!r} holds {line[:40].decode(errors='replace')}."
            raise DataError(what, 'A line is an object, such as {"text": "..."}, or a string.', "Mend it.")
        yield number, content if isinstance(content, dict) else {"text": content}


def _csv_rows(path: Path, notes: Notes) -> Iterator[Row]:
    lines = (line.decode() for line in _whole_lines(path, notes))
    first = next(lines, "")
    separator = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=first.count)
    reader = csv.reader((f"{line}\n" for line in chain([first], lines)), delimiter=separator, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        for cells in reader:
            if len(cells) > len(names):
                what = f"Line {reader.line_num:,} of {str(path)!r} has {len(cells)} cells, the first {len(names)}."
                raise DataError(what, "A text with commas stands in quotation marks.", "Mend the line.")
            yield reader.line_num, dict(zip(names, cells, strict=False))
    except csv.Error as error:
        raise DataError(
            f"Line {reader.line_num:,} of {str(path)!r} cannot be read: {error}.",
            "A quotation mark may not be closed, or a cell is longer than 131,072 characters.", "Mend it.",
        ) from error  # fmt: skip


def _parquet_rows(path: Path, notes: Notes) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    simple = (pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary, pa.types.is_integer)
    names = [column.name for column in file.schema_arrow if any(is_simple(column.type) for is_simple in simple)]
    batches = file.iter_batches(8192, columns=names)
    return enumerate((row for batch in batches for row in batch.to_pylist()), 1)


_READERS: dict[str, Callable[[Path, Notes], Iterator[Row]]] = {
    ".jsonl": _json_rows,
    ".csv": _csv_rows,
    ".tsv": _csv_rows,
    ".parquet": _parquet_rows,
}


def given_lines(source: object, observers: Sequence[Observer], what: str) -> list[str]:
    """Return a list of texts, or the lines of a text file with their ends. One that is not UTF-8 is taken for
    Windows-1252, and told.

    Args: what they are for, "translated". Raises: InputError, DataError if a file cannot be read or is not text.
    """
    if isinstance(source, list | tuple) and all(isinstance(one, str) for one in source):
        return list(source)
    if not isinstance(source, str | Path):
        raise InputError(f"A {type(source).__name__} cannot be {what}.", "Lines can.", "Give texts.")
    path, notes = Path(source).expanduser(), Notes()
    text, encoding = read_text(path)
    if encoding != FALLBACK:
        return re.findall(r"[^\n]*\n|[^\n]+", text)
    lines = re.findall(rb"[^\n]*\n|[^\n]+", path.read_bytes())
    found = [as_utf8(line, path, number, notes).decode() for number, line in enumerate(lines, 1)]
    refuse_other_encodings(notes, str(path))
    for note, count in notes.counts.items():
        tell_note(observers, f"{note} (first: {notes.first[note]}); the result is in UTF-8", count)
    return found
