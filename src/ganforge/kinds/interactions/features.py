"""What is known of items or users, from a table beside a log, as numbers: standardised, or 0 and 1 for each word."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ganforge.core.text_file import FALLBACK, read_text
from ganforge.errors import DataError, InputError
from ganforge.kinds.interactions.columns import named_column
from ganforge.kinds.interactions.ids import MISSING, Ids
from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.rows import Rows, open_rows, texts_of
from ganforge.kinds.interactions.values import Times, numbers_of
from ganforge.recipe import Section

LEAST, MOST = 5, 200  # rows with a word, and words of a column, that become features
MOST_CELLS = 1 << 27  # rows times features: half a GiB
SHARE = 0.2  # of cells with a separator, from which on a column holds lists
CATEGORIES = 0.1  # different values for each row, up to which each value is a word of its own
SURE = 0.95  # share of cells that are numbers or dates, from which on a column holds such
YEAR = 365.25 * 86_400
WORDS = "words"
_WORD = re.compile(r"\w+")
_LIST = "[]'\" "  # around the words of a list as Python writes it


class FeatureColumn(Section):
    """How a column becomes features: one number, or a 0 or 1 for each word."""

    name: str
    split: str | None = None  # between words; "" for whole cells, WORDS for those of a sentence; None of a number
    words: tuple[str, ...] = ()
    mean: float = 0.0
    deviation: float = 1.0

    @property
    def features(self) -> tuple[str, ...]:
        """Return the names of the features."""
        return (self.name,) if self.split is None else tuple(f"{self.name}={word}" for word in self.words)

    def words_of(self, cell: str) -> list[str]:
        """Return the words of a cell."""
        if self.split == WORDS:
            return _WORD.findall(cell.lower())
        parts = cell.split(self.split) if self.split else [cell]
        return [word for part in parts if (word := part.strip(_LIST))]


class Coding(Section):
    """How a table of items or users becomes features. It belongs to the model, so that new ones can be read."""

    id: str  # the column of ids
    columns: tuple[FeatureColumn, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """Return the names of the features, (F,)."""
        return tuple(name for column in self.columns for name in column.features)


@dataclass(frozen=True, slots=True)
class Features:
    """What is known of items or of users."""

    ids: NDArray[np.str_]  # (N,), those of the table, each once, in the order of a log's
    names: tuple[str, ...]  # (F,) such as "genre=Comedy"
    values: NDArray[np.float32]  # (N, F)
    missing: NDArray[np.bool_]  # (N, F) where a cell was empty; the value is 0
    coding: Coding
    unknown: Mapping[str, int] = field(default_factory=dict)  # words that the coding does not know -> how often

    def at(self, ids: NDArray[np.str_]) -> Features:
        """Return the features of some ids (M,); of those that are not in the table all are missing."""
        rows = rows_of(ids, self.ids)
        there = rows >= 0
        values = np.zeros((len(ids), len(self.names)), np.float32)
        missing = np.ones((len(ids), len(self.names)), bool)
        values[there], missing[there] = self.values[rows[there]], self.missing[rows[there]]
        return Features(ids, self.names, values, missing, self.coding)


def rows_of(ids: NDArray[np.str_], known: NDArray[np.str_]) -> NDArray[np.int64]:
    """Return the places of ids (M,) among known ones (N,), each once and in any order; -1 for one that is not there."""
    order = np.argsort(known)
    places = np.searchsorted(known, ids, sorter=order)
    found = order[np.minimum(places, len(known) - 1)] if len(known) else np.zeros(len(ids), np.int64)
    same = known[found] == ids if len(known) else np.zeros(len(ids), bool)
    return np.where(same, found, -1)


# ---- reading ---------------------------------------------------------------------------------------------------------


def read_features(place: Path | None, role: str, log: Log, warnings: list[str]) -> Features | None:
    """Read the table of items or users beside a log; None without one, or if it says nothing of them.

    Args: role "item" or "user"; warnings what is told is added to. Raises: DataError if it is one of the other role.
    """
    if place is None:
        return None
    rows = open_rows(place, _encoding(place))
    name = _column_of_ids(rows, role)
    ids, cells, twice = _read(rows, role, name)
    own, other = (log.items, log.users) if role == "item" else (log.users, log.items)
    found = rows_of(own, ids) >= 0
    if 2 * found.sum() < min(len(ids), len(own)) and 2 * (rows_of(other, ids) >= 0).sum() > len(ids):
        raise _of_other_role(place, role, name)
    if not found.any():
        shown = f"there {str(ids[0])!r}, in the log {str(own[0])!r}" if len(ids) else "it is empty"
        warnings.append(f"{place.name!r} is left alone: none of its {role}s is in the log ({shown}).")
        return None
    if twice:
        warnings.append(f"{twice:,} rows of {place.name!r} repeat an id: the last one counts.")
    coding = _coding(name, cells, dict(zip(rows.names, rows.types, strict=True)))
    if not coding.columns:
        warnings.append(f"{place.name!r} is left alone: it says nothing of {role}s but their ids.")
        return None
    if not found.all():
        few = ", ".join(repr(str(each)) for each in own[~found][:3])
        warnings.append(f"The features of {(~found).sum():,} {role}s are missing in {place.name!r}, such as {few}.")
    return _encoded(ids, cells, coding)


def encode(source: Path, role: str, coding: Coding) -> Features:
    """Read a table of new items or users as a model knows such. Raises: DataError if it lacks the columns."""
    rows = open_rows(source, _encoding(source))
    name = coding.id if coding.id in rows.names else _column_of_ids(rows, role)
    lacking = [column.name for column in coding.columns if column.name not in rows.names]
    if len(lacking) == len(coding.columns):
        raise DataError(
            f"{str(source)!r} has none of the columns that the model knows of {role}s.",
            f"They are {', '.join(column.name for column in coding.columns)[:200]}.",
            "Give a table with them.",
        )
    ids, cells, _ = _read(rows, role, name)
    return _encoded(ids, cells, coding)


def read_ids(source: Path, role: str) -> NDArray[np.str_]:
    """Return the ids in a table of users or items, (M,), each once, in the order of the table. Raises: DataError."""
    rows = open_rows(source, _encoding(source))
    found = Ids(role, name := _column_of_ids(rows, role))
    for part in rows.parts([name]):
        found.add(part.column(name))
    ids, codes, _ = found.result()
    codes = codes[codes >= 0]
    _, first = np.unique(codes, return_index=True)
    return ids[codes[np.sort(first)]]


def users_in(source: object) -> list[str]:
    """Return the users of a table, a frame or a list, each once. Raises: InputError, DataError."""
    if isinstance(source, pd.DataFrame) and len(source.columns):
        names = [str(name) for name in source.columns]
        source = source.iloc[:, names.index(named_column(names, "user", set()) or names[0])].tolist()
    if isinstance(source, list | tuple) and len(source):
        return list(dict.fromkeys(map(str, source)))
    if not isinstance(source, str | Path):
        raise InputError("No users were given.", "They stand in a table.", 'Give a file, or --for "user=42".')
    users: list[str] = read_ids(Path(source).expanduser(), "user").tolist()
    if not users:
        raise DataError(f"{str(source)!r} has no users.", "Its column of users is empty.", "Give one with rows.")
    return users


def _encoding(path: Path) -> str:
    """Return the encoding of a text file that is not UTF-8, as MovieLens' are not; "" for others."""
    binary = path.suffix.lower() in (".parquet", ".feather", ".arrow", ".gz")
    return "" if binary or read_text(path)[1] != FALLBACK else FALLBACK


def _column_of_ids(rows: Rows, role: str) -> str:
    """Return the column of ids: the one that is called so, or the first. Raises: DataError if it is of the others."""
    if not rows.named:
        return rows.names[0]
    own = named_column(rows.names, "item" if role == "item" else "user", set())
    if own:
        return own
    if named_column(rows.names[:1], "user" if role == "item" else "item", set()):
        raise _of_other_role(rows.path, role, rows.names[0])
    return next((name for name in rows.names if name.lower() == "id"), rows.names[0])


def _of_other_role(place: Path, role: str, name: str) -> DataError:
    other = "user" if role == "item" else "item"
    return DataError(
        f"{str(place)!r} was taken for a table of {role}s, and its column {name!r} holds {other}s.",
        f"A table of {role}s has one row for each {role} of the log.",
        f"Name it {other}s{place.suffix}, or give the table of {role}s.",
    )


def _read(rows: Rows, role: str, name: str) -> tuple[NDArray[np.str_], dict[str, pa.Array], int]:
    """Return the ids of a table (N,), its other columns in their order, of an id that comes twice the last row, and how
    many rows repeat an id."""
    parts = list(rows.parts(rows.names))
    if not parts:
        raise DataError(f"{str(rows.path)!r} has no rows.", f"It was taken for a table of {role}s.", "Remove it.")
    table = pa.concat_tables(parts, promote_options="permissive").combine_chunks()
    found = Ids(role, name)
    found.add(table.column(name))
    ids, codes, _ = found.result()
    last = np.zeros(len(ids), np.int64)
    last[codes[codes >= 0]] = np.flatnonzero(codes >= 0)
    cells = {each: table.column(each).combine_chunks().take(pa.array(last)) for each in rows.names if each != name}
    simple = {each: cell for each, cell in cells.items() if not pa.types.is_nested(cell.type)}
    return ids, simple, int((codes >= 0).sum()) - len(ids)


# ---- columns of features ---------------------------------------------------------------------------------------------


def _coding(name: str, cells: Mapping[str, pa.Array], types: Mapping[str, str]) -> Coding:
    """Choose how each column becomes features; one with a single value says nothing."""
    rows = max(map(len, cells.values()), default=1)
    most = min(MOST, MOST_CELLS // (rows * max(1, len(cells))))
    columns = [_column(each, cell, types.get(each, ""), max(1, most)) for each, cell in cells.items()]
    return Coding(id=name, columns=tuple(column for column in columns if column is not None))


def _column(name: str, cells: pa.Array, kind: str, most: int) -> FeatureColumn | None:
    numbers = _numbers(cells)
    if numbers is not None:
        there = numbers[np.isfinite(numbers)]
        if not len(there) or (there == there[0]).all():
            return None
        if set(np.unique(there)) == {0.0, 1.0}:
            return FeatureColumn(name=name)
        return FeatureColumn(name=name, mean=float(there.mean()), deviation=float(there.std()))
    texts = _texts(cells)
    column = FeatureColumn(
        name=name, split=_separator([text for text in texts if text], " " if kind.endswith("_seq") else "|;,")
    )
    counts = Counter(word for text in texts if text for word in dict.fromkeys(column.words_of(text)))
    least = min(LEAST, max(2, len(texts) // 20))
    words = [word for word, count in counts.most_common(most) if least <= count < len(texts)]
    return column.model_copy(update={"words": tuple(sorted(words))}) if words else None


def _numbers(cells: pa.Array) -> NDArray[np.float64] | None:
    """Return a column of numbers (N,), or of dates in years; None for words. A few strange cells are missing ones."""
    texts = sum(text is not None for text in _texts(cells))
    if not pa.types.is_temporal(cells.type):
        numbers, strange = numbers_of(cells)
        if not strange or np.isfinite(numbers).sum() >= SURE * texts:
            return numbers
    times = Times("")
    times.add(pa.chunked_array([cells]))
    try:
        seconds, _ = times.result()
    except DataError:
        return None
    return seconds / YEAR + 1970 if np.isfinite(seconds).sum() >= SURE * texts else None


def _texts(cells: pa.Array) -> list[str | None]:
    words = (None if text is None or text.strip() in MISSING else text.strip() for text in texts_of(cells).to_pylist())
    return list(words)


def _separator(texts: Sequence[str], signs: str) -> str:
    """Return what stands between the words of cells: one of the signs, nothing, or WORDS for those of sentences."""
    for sign in signs:
        lists = sum(sign in text for text in texts) > SHARE * len(texts)
        if lists and 2 * len({part.strip() for text in texts for part in text.split(sign)}) < len(texts):
            return sign
    return "" if len(set(texts)) <= max(20, CATEGORIES * len(texts)) else WORDS


def _encoded(ids: NDArray[np.str_], cells: Mapping[str, pa.Array], coding: Coding) -> Features:
    """Return the features of a table. Words that the coding does not know count as absent; a column may be absent."""
    unknown: Counter[str] = Counter()
    values = np.zeros((len(ids), len(coding.features)), np.float32)
    missing = np.zeros(values.shape, bool)
    first = 0
    for column in coding.columns:
        place = slice(first, first + len(column.features))
        first = place.stop
        if column.name not in cells:
            missing[:, place] = True
        elif column.split is None:
            numbers = _numbers(cells[column.name])
            scaled = np.full(len(ids), np.nan) if numbers is None else (numbers - column.mean) / column.deviation
            missing[:, place] = np.isnan(scaled)[:, None]
            values[:, place] = np.nan_to_num(scaled)[:, None]
        else:
            known = {word: place.start + number for number, word in enumerate(column.words)}
            for row, text in enumerate(_texts(cells[column.name])):
                if text is None:
                    missing[row, place] = True
                else:
                    words = column.words_of(text)
                    values[row, [known[word] for word in words if word in known]] = 1.0
                    unknown.update(f"{column.name}={word}" for word in words if word not in known)
    return Features(ids, coding.features, values, missing, coding, unknown)
