"""Files of text as records: .txt by lines, .jsonl, .csv, .tsv and .parquet by the column that holds the text.

Files are read in blocks, so that memory stays flat. What was met on the way is counted in Notes, with the first place.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from ganforge.core.files import DAMAGED
from ganforge.errors import DataError, did_you_mean

BLOCK = 2**20  # bytes that are read at once
MOST_BYTES = 2**16  # of an example: the rest is cut off
MOST_ROW = 2**24  # bytes of a line of .jsonl, .csv and .tsv, which may hold much besides
HEAD = 200  # rows that a column is chosen from
WIDE_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
HIGH_SHARE = 1 / 3  # of the bytes of lines that are not UTF-8, above which they are not Western European either
TEXT_NAMES = ("text", "sentence", "caption", "review", "comment", "content", "document", "message", "body")
LABEL_NAMES = ("label", "labels", "class", "category", "style", "sentiment")
PROSE = 20  # characters that values of a column of prose have on average


class Record(NamedTuple):
    """One value as it was read."""

    number: int  # of its line or row in the file, from 1 on
    value: bytes  # UTF-8; empty for an empty line or a missing value
    label: str | None = None  # of the label column


@dataclass
class Notes:
    """How often something was met, and where first."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    high: int = 0  # bytes from 128 on, of lines that are not UTF-8
    foreign: int = 0  # all bytes of such lines but for white space

    def note(self, what: str, path: Path, number: int, count: int = 1) -> None:
        if count:
            self.counts[what] += count
            self.first.setdefault(what, f"{path.name}, line {number:,}")


@dataclass(frozen=True)
class Columns:
    """The columns that a person named; None where they are to be found, "none" for no label."""

    text: str | None = None
    label: str | None = None


def records_of(path: Path, asked: Columns, notes: Notes) -> Iterator[Record]:
    """Yield the records of a file. Raises: DataError, with file and line, if it cannot be read."""
    try:
        yield from _READERS.get(path.suffix.lower(), _plain)(path, asked, notes)
    except (OSError, UnicodeError, csv.Error, *DAMAGED) as error:
        raise DataError(
            f"{str(path)!r} cannot be read: {error}.", "It may be damaged.", "Give another file."
        ) from error


# ---- lines, in any encoding ------------------------------------------------------------------------------------------


def lines_of(path: Path, notes: Notes, most: int) -> Iterator[bytes]:
    """Yield lines as UTF-8, without their ends; of a longer one the first `most` + 1 bytes.

    A line that is not UTF-8 is read as Windows-1252, and counted. Raises: DataError for a binary file.
    """
    with path.open("rb") as file:
        start = file.read(BLOCK)
        blocks: Iterator[bytes] = chain([start], iter(lambda: file.read(BLOCK), b""))
        if start.startswith(WIDE_MARKS):
            wide = "UTF-32" if start.startswith(WIDE_MARKS[:2]) else "UTF-16"
            notes.note(wide, path, 1)
            blocks = (text.encode() for text in codecs.iterdecode(blocks, wide))
        elif start.startswith(codecs.BOM_UTF8):
            notes.note("UTF-8 with a byte order mark", path, 1)
            blocks = chain([start[len(codecs.BOM_UTF8) :]], iter(lambda: file.read(BLOCK), b""))
        returns = b"\r" in start and b"\n" not in start
        for number, line in enumerate(_split(blocks, b"\r" if returns else b"\n", most), 1):
            if b"\0" in line:
                raise _binary(path, number)
            if line.endswith(b"\r"):
                notes.note("lines that end with CR LF", path, number)
                line = line[:-1]  # noqa: PLW2901
            yield line if line.isascii() else _utf8(line, path, number, notes)


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


def _utf8(line: bytes, path: Path, number: int, notes: Notes) -> bytes:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and len(line) > MOST_BYTES:  # a longer line, which is cut
            return line
        notes.note("lines that are not UTF-8, read as Windows-1252", path, number)
        notes.high += sum(byte >= 128 for byte in line)
        notes.foreign += len(line) - sum(map(line.count, (b" ", b"\t")))
        try:
            return line.decode("cp1252").encode()
        except UnicodeDecodeError:
            return line.decode("latin-1").encode()
    return line


def refuse_other_encodings(notes: Notes, source: str) -> None:
    """Refuse text whose lines are neither UTF-8 nor likely to be Windows-1252. Raises: DataError."""
    what = "lines that are not UTF-8, read as Windows-1252"
    if notes.counts[what] and notes.high > HIGH_SHARE * notes.foreign:
        raise DataError(
            f"{source!r} is not UTF-8 ({notes.first[what]}).",
            "Most of its letters are not ASCII, so it is not Windows-1252 either: its encoding is not known.",
            "Convert it, for example: iconv -f GB18030 -t UTF-8 old.txt > new.txt",
        )


def _binary(path: Path, number: int) -> DataError:
    return DataError(
        f"{str(path)!r} is not text: line {number:,} holds a byte of value 0.",
        "A binary file has such bytes, or UTF-16 without a byte order mark.",
        "Give text in UTF-8.",
    )


def _plain(path: Path, asked: Columns, notes: Notes) -> Iterator[Record]:
    if asked.text is not None or asked.label not in (None, "none"):
        given = f"--text {asked.text}" if asked.text is not None else f"--label {asked.label}"
        raise DataError(f"{given} was given, and {str(path)!r} has no columns.", "Its lines are the text.", "Leave it.")
    for number, line in enumerate(lines_of(path, notes, MOST_BYTES), 1):
        yield Record(number, b"" if not line.strip() or line.decode(errors="ignore").isspace() else line)


# ---- columns ---------------------------------------------------------------------------------------------------------

Row = tuple[int, Mapping[str, Any]]  # number of its line, cells by name


def _columns(path: Path, rows: Iterator[Row], asked: Columns, notes: Notes) -> Iterator[Record]:
    """Yield the text and the label of rows."""
    head = list(islice(rows, HEAD))
    names = list(dict.fromkeys(name for _, row in head for name in row))
    text = _text_column(path, names, [row for _, row in head], asked.text)
    label = _label_column(path, names, asked.label)
    for number, row in chain(head, rows):
        value = row.get(text)
        if not isinstance(value, str) or not value.strip():
            notes.note("rows without a text", path, number, count=isinstance(value, str) or value is None)
            if not isinstance(value, str | None):
                raise DataError(
                    f"{text!r} of {str(path)!r}, line {number:,}, is {value!r:.60}.", "A text was expected.",
                    "Name another column with --text, or mend the line.",
                )  # fmt: skip
            continue
        own = None if label is None or row.get(label) is None else str(row[label])
        yield Record(number, value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode(), own)


def _text_column(path: Path, names: list[str], head: list[Mapping[str, Any]], asked: str | None) -> str:
    """Find the column of the text: the one that is named, called so, or alone of its kind. Raises: DataError."""
    if asked is not None:
        if asked not in names:
            raise DataError(f"{str(path)!r} has no column {asked!r}.", did_you_mean(asked, names))
        return asked
    values = {
        name: [row[name] for row in head if isinstance(row.get(name), str) and row[name].strip()] for name in names
    }
    words = {name: own for name, own in values.items() if own and not all(map(_is_number, own))}
    called = [name for name in words if name.lower() in TEXT_NAMES]
    prose = [name for name, own in words.items() if _is_prose(own)]
    found = called if len(called) == 1 else prose if prose else list(words)
    if len(found) != 1:
        several = f"several columns that may be the text: {', '.join(found)}" if found else "no column of text"
        raise DataError(
            f"{str(path)!r} has {several}.",
            f"Its columns are {', '.join(names)}." if names else "It has no rows.",
            "Name one with --text." if names else "Give another file.",
        )
    return found[0]


def _label_column(path: Path, names: list[str], asked: str | None) -> str | None:
    if asked == "none":
        return None
    if asked is not None and asked not in names:
        raise DataError(f"{str(path)!r} has no column {asked!r}.", did_you_mean(asked, names))
    return asked or next((name for name in names if name.lower() in LABEL_NAMES), None)


def _is_prose(values: Sequence[str]) -> bool:
    return sum(map(len, values)) >= PROSE * len(values) and 2 * len(set(values)) > len(values)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _json_lines(path: Path, asked: Columns, notes: Notes) -> Iterator[Record]:
    def rows() -> Iterator[Row]:
        for number, line in enumerate(_whole_lines(path, notes), 1):
            if not line.strip():
                continue
            try:
                content = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise DataError(
                    f"Line {number:,} of {str(path)!r} is not JSON: {error}.", "Each line is one object.", "Mend it."
                ) from error
            if not isinstance(content, dict | str):
                raise DataError(
                    f"Line {number:,} of {str(path)!r} holds {line[:40].decode(errors='replace')}.",
                    'A line is an object, such as {"text": "..."}, or a string.', "Mend it.",
                )  # fmt: skip
            yield number, content if isinstance(content, dict) else {"text": content}

    yield from _columns(path, rows(), asked, notes)


def _table(path: Path, asked: Columns, notes: Notes) -> Iterator[Record]:
    lines = (line.decode() for line in _whole_lines(path, notes))
    first = next(lines, "")
    separator = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=first.count)
    reader = csv.reader((f"{line}\n" for line in chain([first], lines)), delimiter=separator, strict=True)

    def rows() -> Iterator[Row]:
        try:
            names = [name.strip() for name in next(reader, [])]
            for cells in reader:
                if len(cells) > len(names):
                    raise DataError(
                        f"Line {reader.line_num:,} of {str(path)!r} has {len(cells)} cells, the first {len(names)}.",
                        "A text with commas stands in quotation marks.", "Mend the line.",
                    )  # fmt: skip
                yield reader.line_num, dict(zip(names, cells, strict=False))
        except csv.Error as error:
            raise DataError(
                f"Line {reader.line_num:,} of {str(path)!r} cannot be read: {error}.",
                "A quotation mark may not be closed, or a cell is longer than 131,072 characters.", "Mend it.",
            ) from error  # fmt: skip

    yield from _columns(path, rows(), asked, notes)


def _whole_lines(path: Path, notes: Notes) -> Iterator[bytes]:
    """Yield lines that must not be cut. Raises: DataError for one that is too long."""
    for number, line in enumerate(lines_of(path, notes, MOST_ROW), 1):
        if len(line) > MOST_ROW:
            raise DataError(
                f"Line {number:,} of {str(path)!r} has more than {MOST_ROW:,} bytes.",
                "It may have lost its line ends.",
                "Write one example a line.",
            )  # fmt: skip
        yield line


def _parquet(path: Path, asked: Columns, notes: Notes) -> Iterator[Record]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    first = next(file.iter_batches(HEAD), None)
    names = [] if first is None else first.schema.names
    text = _text_column(path, names, [] if first is None else first.to_pylist(), asked.text)
    label = _label_column(path, names, asked.label)
    chosen = [text] if label is None else [text, label]

    def rows() -> Iterator[Row]:
        batches = file.iter_batches(8192, columns=chosen)
        yield from enumerate((row for batch in batches for row in batch.to_pylist()), 1)

    yield from _columns(path, rows(), Columns(text, label or "none"), notes)


_READERS: dict[str, Callable[[Path, Columns, Notes], Iterator[Record]]] = {
    ".jsonl": _json_lines,
    ".csv": _table,
    ".tsv": _table,
    ".parquet": _parquet,
}
