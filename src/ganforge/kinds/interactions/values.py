"""Columns of ratings and of times as numbers: parts that come one after the other, and what they mean in the end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ganforge.core.date_format import date_forms, named_forms, parse_dates, same_reading, without_digits
from ganforge.core.numeric_dates import days_from
from ganforge.errors import DataError
from ganforge.kinds.interactions.ids import MISSING
from ganforge.kinds.interactions.rows import texts_of

Numbers = NDArray[np.float64]
AT_ONCE = 1 << 21  # numbers that are converted at once
FIRST, LAST = 3e7, 4.1e9  # seconds since 1970 that are moments, from the end of 1970 to 2099
DAY = 86_400.0
FEW = 0.01  # share of values that may be unlike the others: they are left out
NEARLY = 0.5  # share of values that are numbers, or have a form, from which on the column is taken for one of such
MOST_FORMS = 3  # of the texts of one column
MOST_WORDS, MOST_SHAPES = 20_000, 20  # of its first part that the forms are found in
TRUTHS = {"true": "1", "false": "0"}
_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")


def numbers_of(column: pa.ChunkedArray | pa.Array) -> tuple[Numbers, str]:
    """Return a column as numbers (N,), NaN where there is none, and a text that is not a number, "" without one."""
    if _is_numeric(column.type):
        values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return np.where(np.isfinite(values), values, np.nan), ""
    texts = _trimmed(column)
    try:
        values = texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return np.where(np.isfinite(values), values, np.nan), ""
    except pa.ArrowInvalid:
        coded = texts.dictionary_encode()
    words = coded.dictionary.to_pylist()
    known = np.array([*(_number(word) for word in words), np.nan])
    strange = next((word for word, number in zip(words, known, strict=False) if np.isnan(number)), "")
    return known[pc.fill_null(coded.indices, len(words)).to_numpy()], strange


def _number(word: str) -> float:
    word = TRUTHS.get(word.lower(), word)
    try:
        value = float(word.replace(",", ".") if _COMMA.fullmatch(word) else word)
    except ValueError:
        return np.nan
    return value if np.isfinite(value) else np.nan


def _is_numeric(kind: pa.DataType) -> bool:
    types = pa.types
    return any(test(kind) for test in (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal))


def _trimmed(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column's texts without blanks around them, null where one stands for a missing value."""
    texts = pc.utf8_trim_whitespace(texts_of(column))
    return pc.if_else(pc.is_in(texts, value_set=pa.array(MISSING)), pa.scalar(None, pa.string()), texts)


# ---- times -----------------------------------------------------------------------------------------------------------


class Times:
    """The times of a column, whatever they are written as."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._forms: list[str] | None = None  # of texts; [] for numbers; None before the first part
        self._sample = ""  # one of the texts
        self._parts: list[Numbers] = []
        self.strange = ""  # a text that is not a time

    def add(self, column: pa.ChunkedArray) -> None:
        """Take the next part of the column."""
        if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            self._forms, moments = ["moments"], column.cast(pa.timestamp("us"), safe=False)
            self._parts.append(_seconds(moments))
            return
        if self._forms is None:
            numbers, texts = numbers_of(column)[0], _trimmed(column)
            there = len(texts) - texts.null_count
            written = not _is_numeric(column.type) and np.isfinite(numbers).sum() < NEARLY * there
            self._forms = _forms_of(texts) if written else []
            self._sample = texts.drop_null()[0].as_py() if there else ""
        if not self._forms:
            numbers, strange = numbers_of(column)
            self.strange = self.strange or strange
        else:
            numbers = self._parsed(_trimmed(column))
        self._parts.append(numbers)

    def _parsed(self, texts: pa.Array) -> Numbers:
        """Return texts (N,) as seconds since 1970, NaN where one is missing or has none of the forms."""
        try:
            return _seconds(texts.cast(pa.timestamp("us")))
        except pa.ArrowInvalid:
            coded = texts.dictionary_encode()
        words = coded.dictionary
        seconds: Numbers = np.full(len(words) + 1, np.nan)
        for form in self._forms or ():
            open_ = np.isnan(seconds[:-1])
            if open_.any():
                seconds[:-1][open_] = _seconds(parse_dates(words.filter(pa.array(open_)), form))
        if np.isnan(seconds[:-1]).any():
            self.strange = self.strange or words[int(np.argmax(np.isnan(seconds)))].as_py()
        places: NDArray[np.int64] = pc.fill_null(coded.indices, len(words)).to_numpy()
        return seconds[places]

    def result(self) -> tuple[Numbers, str]:
        """Return seconds since 1970 (N,), NaN where there is no time, and what the times are written as.

        Numbers that are not moments stay as they are: they are an order. Raises: DataError if they are no times.
        """
        raw = np.concatenate(self._parts) if self._parts else np.empty(0)
        self._parts = []
        there = int(np.isfinite(raw).sum())
        if not there or there < NEARLY * len(raw):
            shown = f"such as {self.strange!r}" if self.strange else "which is mostly empty"
            raise DataError(
                f"The column {self._name!r}, {shown}, cannot be read as times.",
                "A time is a number of seconds or milliseconds, or a date such as 2024-01-31 12:00:00.",
                "Name another column, or --set interactions.time=none to do without.",
            )
        if self._forms == ["moments"]:
            return raw, "moments"
        return (raw, f"texts such as {self._sample!r}") if self._forms else self._from_numbers(raw)

    def _from_numbers(self, raw: Numbers) -> tuple[Numbers, str]:
        """Convert numbers in place into seconds, from a unit, or from days such as 20240131."""
        blocks = [raw[first : first + AT_ONCE] for first in range(0, len(raw), AT_ONCE)]
        there = sum(int(np.isfinite(block).sum()) for block in blocks)
        shares = {
            unit: sum(int(inside(block).sum()) for block in blocks) / there for unit, (inside, _) in _MEANINGS.items()
        }
        large = [unit for unit, share in shares.items() if share > FEW]
        if len(large) > 1:
            raise DataError(
                f"The times in {self._name!r} are partly {large[0]} and partly {large[1]}.",
                f"{shares[large[0]]:.0%} and {shares[large[1]]:.0%} of them would lie between 1970 and 2100.",
                "Write all in one unit, or --set interactions.time=none to do without.",
            )
        if not large or shares[large[0]] < 1 - FEW:
            return raw, "numbers that are an order"
        inside, convert = _MEANINGS[large[0]]
        for block in blocks:
            block[:] = np.where(inside(block), convert(block), np.nan)
        return raw, large[0]


def _in_unit(per: float) -> tuple[Callable[[Numbers], NDArray[np.bool_]], Callable[[Numbers], Numbers]]:
    """Return which numbers are moments in a unit, and their seconds. Args: per second."""

    def inside(numbers: Numbers) -> NDArray[np.bool_]:
        sizes = np.abs(numbers)
        return (sizes >= FIRST * per) & (sizes <= LAST * per)

    return inside, lambda numbers: numbers / per


def _as_days(scale: int) -> tuple[Callable[[Numbers], NDArray[np.bool_]], Callable[[Numbers], Numbers]]:
    """Return which numbers are calendar days, with a clock below `scale`, and their seconds since 1970."""

    def days(numbers: Numbers) -> Numbers:
        return days_from(np.floor(numbers / scale), "%Y%m%d")

    def seconds(numbers: Numbers) -> Numbers:
        clock = np.nan_to_num(numbers).astype(np.int64) % scale
        return days(numbers) * DAY + clock // 10_000 * 3_600 + clock // 100 % 100 * 60 + clock % 100

    return lambda numbers: np.isfinite(days(numbers)), seconds


_MEANINGS = {
    "seconds": _in_unit(1.0),
    "milliseconds": _in_unit(1e3),
    "microseconds": _in_unit(1e6),
    "nanoseconds": _in_unit(1e9),
    "days such as 20240131": _as_days(1),
    "moments such as 20240131120000": _as_days(1_000_000),
}


def _seconds(moments: pa.Array | pa.ChunkedArray) -> Numbers:
    """Return timestamps in microseconds (N,) as seconds since 1970, NaN where there is none."""
    whole = moments.cast(pa.int64()).cast(pa.float64(), safe=False)
    seconds: Numbers = whole.to_numpy(zero_copy_only=False) / 1e6
    return seconds


def _forms_of(texts: pa.Array) -> list[str]:
    """Return the forms that most texts have, the most frequent first, for a column of dates; else ["?"].

    Where the order of day and month cannot be told, the month is first between slashes, the day between points.
    """
    words = pc.unique(texts.drop_null())
    words = words.slice(0, MOST_WORDS)
    shapes = Counter(re.sub("[0-9]", "9", word) for word in words.to_pylist())
    forms: dict[str, str] = {}  # by how they read a text
    for shape, _ in shapes.most_common(MOST_SHAPES):
        for form in map(without_digits, (*date_forms(shape), *named_forms(shape))):
            forms.setdefault(same_reading(form), form)
    found: list[str] = []
    while forms and len(words) and len(found) < MOST_FORMS:
        read = {key: parse_dates(words, form).is_null() for key, form in forms.items()}
        key = min(forms, key=lambda each: read[each].true_count)  # the first of equals
        if read[key].true_count == len(words):
            break
        found.append(forms.pop(key))
        words = words.filter(read[key])
    return found or ["?"]
