"""Whether the lines of a .txt are text, or the rows of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

from ganforge.core.text_file import WIDE_MARKS

HEAD = 2**16  # bytes of a file that tell whether it is text
CONSTANT = 0.9  # share of lines with as many of a separator, or numbers in the same places, that makes them rows
CELL = 2  # words of a cell on average, above which a comma and a blank are punctuation
DIGITS = 0.5  # share of digits and signs of numbers, from which on lines are numbers
HALF = 0.5  # share of cells with something that marks a column of a table, from which on it is one
MARKS = ".!?\u2026\u3002\uff01\uff1f\uff1b\uff0c\u0964\u061f"  # that close a sentence or verse
QUOTES = "\u201d\u2019\u00bb\u300d\u300f\uff09)"  # that may stand after them
CLOSED, OPEN, SPACED = 3, 5, 2  # least length of a clause: signs of wide letters, with marks and without; words
ALIKE = 2.0  # times another one's length that a clause of verse has at most, on average


def is_text(path: Path) -> bool:
    """Return whether the beginning of a file is text that is not a table of numbers or words."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    encoding = next((name for mark, name in WIDE_MARKS.items() if head.startswith(mark)), "utf-8")
    if b"\0" in head and encoding == "utf-8":
        return False
    text = head.decode(encoding, "replace")
    lines = [line for line in islice(text.splitlines(), 1000) if line.strip()]
    signs = [sign for sign in "".join(lines) if not sign.isspace()]
    if sum(sign.isdecimal() or sign in "+-.,;:" for sign in signs) >= DIGITS * len(signs):  # of an empty file too
        return False
    numbers = [tuple(map(_is_number, line.split())) for line in lines[1:]]  # of each word; about half make rows
    if _mostly(numbers, lambda usual: any(usual) and len(usual) <= 1 + 2 * sum(usual)):
        return False
    return not any(_are_rows(lines, separator) for separator in "\t;|,")


def _are_rows(lines: Sequence[str], separator: str) -> bool:
    """Return whether a separator stands as often in nearly all lines, and is not punctuation."""
    words, commas = sum(len(line.split()) for line in lines), sum(line.count(",") for line in lines)
    if separator == "," and words > CELL * (commas + len(lines)):
        lines = [line.replace(", ", " ") for line in lines]
    constant = _mostly([line.count(separator) for line in lines], bool)
    return constant and not (separator in ",;" and _is_punctuation(lines, separator))


def _is_punctuation(lines: Sequence[str], separator: str) -> bool:
    """Return whether cells are clauses of verse or short sentences: about as long as each other, hardly ever repeated
    or with digits, and with a mark behind the last one of each line only. Verse of wide letters needs no marks if the
    clauses of each line have the same length. Where words have blanks between them a separator has one behind it."""
    usual = Counter(line.count(separator) for line in lines).most_common(1)[0][0]
    rows = [line.split(separator) for line in lines if line.count(separator) == usual]
    if usual == 1 and lines[0].strip()[-1] == separator and not any(row[1].strip() for row in rows):
        return True  # it only ends lines
    signs = [sign for sign in "".join(lines) if not sign.isspace()]
    wide = sum(east_asian_width(sign) in "WF" for sign in signs) >= HALF * len(signs)
    columns = list(zip(*rows, strict=True))
    means = [sum(_length(cell, wide) for cell in column) / len(rows) for column in columns]
    closed = _share(lines, _is_closed) >= CONSTANT
    verse = wide and _share(rows, lambda row: len({_length(cell, wide) for cell in row}) == 1) >= CONSTANT
    least = (CLOSED if closed else OPEN) if wide else SPACED
    header = closed and not _is_closed(lines[0])
    if header or not (closed or verse) or min(means) < least or max(means) > ALIKE * min(means):
        return False
    if not wide and not all(cell.startswith(" ") for row in rows for cell in row[1:]):
        return False
    return not any(map(_is_column, columns)) and not any(_share(column, _is_closed) >= HALF for column in columns[:-1])


def _is_column(cells: Sequence[str]) -> bool:
    """Return whether cells are those of a table: repeated, or with digits."""
    return len(set(cells)) < HALF * len(cells) or _share(cells, lambda cell: any(map(str.isdecimal, cell))) >= HALF


def _share(some: Sequence[Any], has: Callable[[Any], bool]) -> float:
    return sum(map(has, some)) / len(some)


def _is_closed(clause: str) -> bool:
    return clause.strip().rstrip(QUOTES).endswith(tuple(MARKS))


def _length(cell: str, wide: bool) -> int:
    """Return the length of a clause without its marks."""
    return sum(map(str.isalnum, cell)) if wide else len(cell.split())


def _mostly(found: list[Any], marks: Callable[[Any], bool]) -> bool:
    """Return whether what was found in each line is nearly always the same, and marks rows of a table."""
    usual, count = Counter(found).most_common(1)[0] if found else (0, 0)
    return bool(usual) and marks(usual) and len(found) > 1 and count >= CONSTANT * len(found)


def _is_number(word: str) -> bool:
    return word.strip("+-.").replace(".", "", 1).isdecimal()
