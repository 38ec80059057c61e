"""Tables and texts as cells in columns, and back to bytes in which nothing else has changed."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from ganforge.core.files import DAMAGED
from ganforge.core.text_file import FALLBACK, WIDE_MARKS
from ganforge.core.text_layout import first_lines, is_value
from ganforge.errors import DataError

TABLES, JSON, TEXTS = (".csv", ".tsv"), (".jsonl", ".ndjson", ".json"), (".txt", ".md")
ARROW = (".parquet", ".feather", ".arrow")
ENDINGS = (*(f"{ending}{gz}" for ending in (*TABLES, *JSON, *TEXTS) for gz in ("", ".gz")), *ARROW)
LINES = ""  # the only column of a text

Change = Callable[[str, str], str]  # column and cell -> the new cell


class Document(Protocol):
    """A file as cells in columns."""

    @property
    def columns(self) -> dict[str, Counter[str]]:
        """Return how often each value occurs, by the names of the columns."""

    def rewritten(self, change: Change) -> bytes:
        """Return the content of the file with changed cells."""


def ending_of(path: Path) -> str:
    """Return the ending by which a file is read; "" if it is neither a table nor a text."""
    return max((ending for ending in ENDINGS if path.name.lower().endswith(ending)), key=len, default="")


def open_document(path: Path) -> Document:
    """Read a file. Raises: DataError if it cannot be read, with the reason."""
    ending = ending_of(path)
    try:
        if ending in ARROW:
            from ganforge.privacy.anonymise.arrow import ArrowDocument  # pyarrow is not needed for a text

            return ArrowDocument(path)
        content = path.read_bytes()
        packed = ending.endswith(".gz")
        text, encoding = decoded(path, gzip.decompress(content) if packed else content)
        plain = ending.removesuffix(".gz")
        if plain in TABLES and text.strip():
            document: TextDocument = Delimited(path, text)
        else:
            document = JsonText(path, text) if plain in JSON else Lines(text)
    except DAMAGED as error:
        why = getattr(error, "strerror", None) or str(error).split("\n")[0] or type(error).__name__
        raise DataError(f"{str(path)!r} cannot be read: {why}.", "It may be damaged.", "Leave it out.") from error
    document.encoding, document.packed = encoding, packed
    return document


def decoded(path: Path, content: bytes) -> tuple[str, str]:
    """Return a text and its encoding: that of its mark, else UTF-8, else Windows-1252 if every byte has a letter there.

    Raises: DataError for another one.
    """
    marks = {**WIDE_MARKS, b"\xef\xbb\xbf": "utf-8-sig"}
    encoding = next((name for mark, name in marks.items() if content.startswith(mark)), "utf-8")
    for each in (encoding, FALLBACK) if encoding == "utf-8" else (encoding,):
        try:
            text = content.decode(each)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text, each
    raise DataError(
        f"{str(path)!r} has an unknown encoding.", f"It is neither UTF-8 nor {FALLBACK}.", "Save it as UTF-8."
    )


class TextDocument:
    """A text cut into pieces, of which some are cells: (column, cell as it stands there)."""

    encoding, packed = "utf-8", False

    def _pieces(self) -> Iterator[tuple[str | None, str]]:
        """Yield all of the text: a column's name with each cell, None with what stands between them."""
        raise NotImplementedError

    def _value(self, raw: str) -> str:
        return raw

    def _written(self, raw: str, value: str) -> str:
        """Return a changed cell as it stands in the file. Args: raw: as it stood there."""
        return value

    @property
    def columns(self) -> dict[str, Counter[str]]:
        found: dict[str, Counter[str]] = {}
        for column, raw in self._pieces():
            if column is not None:
                found.setdefault(column, Counter())[self._value(raw)] += 1
        return found

    def rewritten(self, change: Change) -> bytes:
        file = io.StringIO(newline="")
        for column, raw in self._pieces():
            made = raw
            if column is not None:
                value = self._value(raw)
                new = change(column, value)
                made = raw if new == value else self._written(raw, new)
            file.write(made)
        content = file.getvalue().encode(self.encoding, "replace" if self.encoding == FALLBACK else "strict")
        return gzip.compress(content, mtime=0) if self.packed else content


class Lines(TextDocument):
    """A text whose lines are the cells of one column."""

    def __init__(self, text: str) -> None:
        self._text = text

    def _pieces(self) -> Iterator[tuple[str | None, str]]:
        for line in self._text.splitlines(keepends=True):
            words = line.rstrip("\r\n")
            yield LINES, words
            yield None, line[len(words) :]


class Delimited(TextDocument):
    """A table with a delimiter. Its quotation marks, ends of lines and unchanged cells stay as they are."""

    def __init__(self, path: Path, text: str) -> None:
        lines = first_lines(str(path), path)
        self._text, self._delimiter, self._skipped = text, lines.delimiter, lines.before
        sign = re.escape(lines.delimiter)
        inside = r'[^"\\]*(?:(?:""|\\.)[^"\\]*)*' if lines.escape else r'[^"]*(?:""[^"]*)*'
        self._cell = re.compile(rf'("{inside}"(?=[{sign}\r\n]|\Z)|[^{sign}\r\n]*)([{sign}]|\r\n|\n|\r|\Z)', re.DOTALL)
        self._begin = sum(map(len, text.splitlines(keepends=True)[: self._skipped]))
        first = [self._value(raw).strip() for row, _, raw, _ in self._cells() if row == 0]
        self.named = sum(map(is_value, first)) <= len(first) / 2 and not any("@" in name for name in first)
        self._names = [name if self.named and name else f"column {place + 1}" for place, name in enumerate(first)]

    def _cells(self) -> Iterator[tuple[int, int, str, str]]:
        """Yield (row, place, cell, what follows it)."""
        row = place = 0
        for match in self._cell.finditer(self._text, self._begin):
            raw, end = match.groups()
            if match.start() == match.end() == len(self._text) and place == 0:
                return
            yield row, place, raw, end
            if end == "" and match.end() == len(self._text):
                return
            row, place = (row, place + 1) if end == self._delimiter else (row + 1, 0)

    def _pieces(self) -> Iterator[tuple[str | None, str]]:
        yield None, self._text[: self._begin]
        for row, place, raw, end in self._cells():
            named = place < len(self._names) and (row > 0 or not self.named)
            yield self._names[place] if named else LINES, raw
            yield None, end

    def _value(self, raw: str) -> str:
        return raw[1:-1].replace('""', '"') if len(raw) > 1 and raw[0] == raw[-1] == '"' else raw

    def _written(self, raw: str, value: str) -> str:
        needs = raw[:1] == '"' or any(sign in value for sign in (self._delimiter, '"', "\n", "\r"))
        return '"{}"'.format(value.replace('"', '""')) if needs else value


class JsonText(TextDocument):
    """JSON, one value or one a line. A column is a path of keys: address.street."""

    _TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+|\s+', re.DOTALL)

    def __init__(self, path: Path, text: str) -> None:
        self._text = text
        whole = path.name.lower().removesuffix(".gz").endswith(".json")
        for number, line in enumerate([text] if whole else text.split("\n"), 1):
            if line.strip():
                try:
                    json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise DataError(
                        f"{str(path)!r} cannot be read: line {number} is not JSON.", f"{error}.", "Leave it out."
                    ) from error

    def _pieces(self) -> Iterator[tuple[str | None, str]]:
        keys: list[str | None] = []  # of the objects and lists around a place; None for a list
        tokens = [match[0] for match in self._TOKEN.finditer(self._text)]
        followers = [*(token for token in tokens if not token.isspace()), ""][1:]
        place = -1
        for token in tokens:
            if token.isspace():
                yield None, token
                continue
            place += 1
            if token in "{[":
                keys.append("" if token == "{" else None)
            elif token in "}]":
                keys.pop()
            if token in ("{", "[", "}", "]", ",", ":", "true", "false", "null"):
                yield None, token
            elif token[0] == '"' and followers[place] == ":" and keys and keys[-1] is not None:
                keys[-1] = json.loads(token)
                yield LINES, token  # a key may be an e-mail
            else:
                yield ".".join(key for key in keys if key), token

    def _value(self, raw: str) -> str:
        return str(json.loads(raw)) if raw[0] == '"' else raw

    def _written(self, raw: str, value: str) -> str:
        if raw[0] != '"':
            try:
                json.loads(value)
            except ValueError:
                return json.dumps(value) if value else "null"
            return value
        return json.dumps(value, ensure_ascii=raw.isascii())
