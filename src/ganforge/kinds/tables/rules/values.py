"""Values of a column of numbers or datetimes <-> the texts that a person writes; exact, never approximate.

A column's values are on a grid: whole numbers, whole counts of a datetime's resolution since 1970 (in UTC where it has
a zone), decimals with d digits, or whatever floating point can hold. An end of a range is moved inwards to the grid:
`age>60` begins at 61. A text of a date names a period by its precision: "2024" a year, "2024-01-31" a day. So
`date<=2024-01-31` includes that whole day, whatever the column's resolution.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from fractions import Fraction
from zoneinfo import ZoneInfoNotFoundError

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ganforge.core.date_format import plain_form
from ganforge.core.month_names import in_english, split_names
from ganforge.errors import InputError
from ganforge.kinds.tables.columns import MICROSECONDS, TIMES, Column
from ganforge.kinds.tables.reading.number_format import is_plain
from ganforge.kinds.tables.reading.number_units import form_of
from ganforge.kinds.tables.reading.time_format import parse_times, time_form, write_times

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", re.ASCII)
_ISO = re.compile(
    r"(?!0000)(?P<date>\d{4}(-\d{1,2}){0,2})"
    r"([T ](?P<clock>\d{1,2}(:\d\d(:\d\d(\.\d{1,9})?)?)?)( ?(?P<offset>Z|[+-]\d\d(:?\d\d)?))?)?",
    re.ASCII,
)
# of a format's finest part; without these a day
_UNITS = (("%f", "us"), ("%S", "s"), ("%M", "min"), ("%H", "h"), ("%I", "h"))
_DAY = 86_400_000_000  # microseconds
_EXACT = 1e15  # whole numbers below it are written without an exponent
_Dated = tuple[pd.Period, tzinfo | None, Fraction]  # on the clock; where the text says it; more nanoseconds, in µs


def read_span(text: str, column: Column) -> tuple[Fraction, Fraction]:
    """Return the first and last value that a text means, in plain units: one number, or the span of a datetime.

    Raises: InputError if it is not a number, or not a datetime.
    """
    if column.kind == "datetime":
        return read_datetime(text, column)
    if column.kind in TIMES:
        return _read_time(text, column)
    number = _bare_number(text.strip(), column)
    if not _NUMBER.fullmatch(number) or math.isinf(_nearest(number, column)):
        swapped, bare = re.fullmatch(r"([<>])\s*(.+)", text), number.replace(",", "").replace(" ", "")
        if swapped:
            do = f"Write {column.name}{swapped[1]}={swapped[2]}."
        elif _NUMBER.fullmatch(bare):
            do = f"Write {bare}, with a point for decimals."
        else:
            do = "Give a number such as 60 or 2.5."
        raise InputError(f"{text!r} is not a number.", f"The column {column.name!r} holds numbers.", do)
    value = Fraction(number)
    if _step(column) is None:  # 0.1 means the floating-point number that is written so
        value = Fraction(_nearest(value, column))
    return value, value


def at_least(value: Fraction, column: Column, *, strict: bool) -> float:
    """Return the smallest number of the column's grid that is >= value, or > value if strict."""
    step = _step(column)
    if step is not None:
        count = math.ceil(value / step)
        return float(step * (count + 1 if strict and step * count == value else count))
    near = _nearest(value, column)
    if Fraction(near) > value or (near == value and not strict):
        return near
    single = np.float32(near) if _single(column) else near
    return float(np.nextafter(single, type(single)(math.inf)))


def at_most(value: Fraction, column: Column, *, strict: bool) -> float:
    """Return the largest number of the column's grid that is <= value, or < value if strict."""
    return -at_least(-value, column, strict=strict)


def write_number(plain: float, column: Column) -> str:
    """Format a number of the column's grid as the text that `read_span` reads as exactly this number."""
    if column.kind in TIMES:
        return write_datetime(plain, column) if column.kind == "datetime" else write_time(plain, column)
    return number_text(plain)


def write_time(plain: float, column: Column) -> str:
    """Format a plain time of day or duration, rounded, as the column writes it."""
    times = pa.array([round(plain) * column.unit], pa.int64())
    return str(write_times(times, time_form(column))[0].as_py())


def _read_time(text: str, column: Column) -> tuple[Fraction, Fraction]:
    """Return the first and last moment of the minute, or second, that a text names, in plain units.

    Raises: InputError if it is neither like the column's times nor like 14:05 or 1:23:45.
    """
    own = time_form(column)
    for form in (own, "%-H:%M:%S", "%-H:%M", "%H:%M:%S", "%H:%M", "%-D days %H:%M:%S", "P[%-DD]T[%-HH][%-MM][%-SS]"):
        read = parse_times(pa.array([text.strip()]), form)[0].as_py()
        if read is not None:
            period = 60_000_000 if "%M" in form and "%S" not in form and "[" not in form else 1
            return Fraction(read, column.unit), Fraction(read + period - 1, column.unit)
    raise InputError(
        f"{text!r} is not a time for the column {column.name!r}.",
        f"It holds {'times of day' if column.kind == 'time' else 'lengths of time'}.",
        f"Write it like {write_time(column.minimum or 0, column)} or 14:05:00.",
    )


def _bare_number(text: str, column: Column) -> str:
    """Return a number without the affixes and marks with which the column writes it; another text as it is."""
    if is_plain(column.format or "") or _NUMBER.fullmatch(text) or column.kind not in ("integer", "decimal"):
        return text
    read = form_of(column.format or "").parse(pa.array([text]))[0].as_py()
    return text if read is None else number_text(read)


def number_text(plain: float) -> str:
    """Return the shortest text of a number: 60, 2.5."""
    return str(int(plain)) if float(plain).is_integer() and abs(plain) < _EXACT else repr(float(plain))


def seen_range(column: Column) -> str:
    """Format the range seen in training: `17 to 90`."""
    ends = (column.minimum, column.maximum)
    return " to ".join("?" if end is None else write_number(end, column) for end in ends)


def _step(column: Column) -> Fraction | None:
    """Return the distance of two neighbours on the column's grid; None for floating point."""
    if column.kind != "decimal":
        return Fraction(1)
    return None if column.decimals is None else Fraction(1, 10**column.decimals)


def _nearest(value: Fraction | str, column: Column) -> float:
    with np.errstate(over="ignore"):  # beyond the column's floating point is infinite, and refused by read_span
        return float(np.float32(float(value))) if _single(column) else float(value)


def _single(column: Column) -> bool:
    return column.dtype.lower().startswith("float32")


# ---- datetimes ------------------------------------------------------------------------------------------------------


def read_datetime(text: str, column: Column) -> tuple[Fraction, Fraction]:
    """Return the first and the last moment of the span that a text names, in plain units of the column.

    Args: text in ISO 8601, which may be shortened, or in the column's own format. Without an offset it is local
        time of the column's zone.
    Raises: InputError if it is not such a text, not a valid day, or a time that the clock shows twice or never.
    """
    period, offset, extra = _by_format(text.strip(), column.format) or _by_iso(text.strip(), column)
    if offset is not None and column.zone is None:
        raise InputError(
            f"{text!r} has an offset, but the column {column.name!r} has no zone.",
            "So the two cannot be compared.",
            "Leave the offset out.",
        )
    zone = offset or (zone_of(column) if column.zone else UTC)
    first, last = (period.asfreq("us", end).ordinal for end in ("start", "end"))  # microseconds since 1970
    if last - first < _DAY - 1 and _utc(first, zone, 0) != _utc(first, zone, 1):
        raise InputError(
            f"{text!r} is not a certain time in the column {column.name!r}.",
            f"The clocks of {column.zone} were changed then, so they show it twice or never.",
            "Add the offset, such as +01:00.",
        )
    return (_utc(first, zone, 0) + extra) / column.unit, (_utc(last, zone, 1) + extra) / column.unit


def write_datetime(plain: float, column: Column) -> str:
    """Format a plain datetime, a whole number, as the text that `read_datetime` reads as exactly this value; in UTC
    with a Z if it has a zone."""
    text = str(moment(plain, column))
    return text if column.zone is None else text + ("Z" if "T" in text else "T00Z")


def moment(plain: float, column: Column) -> NDArray[np.datetime64]:
    """Convert a plain datetime, rounded, to numpy's of the column's resolution, ()."""
    return np.array(round(plain), f"M8[{(column.resolution or 'D').replace('min', 'm')}]")  # numpy calls a minute m


def zone_of(column: Column) -> tzinfo:
    """Return the zone of a column that has one. Raises: InputError if this machine does not know it."""
    try:
        return _zone(column.zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InputError(
            f"The column {column.name!r} is in the zone {column.zone!r}, which this machine does not know.",
            "Its times cannot be compared.",
            "Install the Python package tzdata.",
        ) from error


def _zone(name: str) -> tzinfo:
    name = re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", name)  # pandas reads -0330 as three hours
    zone: tzinfo = pd.DatetimeTZDtype("us", name).tz
    return zone


@dataclass(frozen=True, slots=True)
class ByDay:
    """`lower <= upper` between moments and days: a moment counts as its day on the calendar of its zone."""

    unit: int  # of the moments, in microseconds
    zone: str  # theirs, "" for none
    below: bool  # whether the lower column holds the days, and the upper one the moments

    def __post_init__(self) -> None:
        """Raises: ValueError for what a stranger's model may hold."""
        if self.unit not in MICROSECONDS.values() or not isinstance(self.zone, str) or self.below not in (True, False):
            raise ValueError(f"{self} compares nothing by the day")
        try:
            _zone(self.zone or "UTC")
        except ZoneInfoNotFoundError as error:
            raise ValueError(f"the zone {self.zone!r} is not known on this machine") from error

    def least(self, lower: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the smallest values of the upper column that are not below those of the lower one, (N,)."""
        return self._begin(lower) if self.below else self._day(lower)

    def most(self, upper: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the largest values of the lower column that are not above those of the upper one, (N,)."""
        return self._day(upper) if self.below else self._begin(upper + 1) - 1

    def _day(self, moments: NDArray[np.float64]) -> NDArray[np.float64]:
        known = np.isfinite(moments)
        clock = pd.DatetimeIndex((np.where(known, moments, 0).astype(np.int64) * self.unit).astype("M8[us]"))
        if self.zone:
            clock = clock.tz_localize("UTC").tz_convert(_zone(self.zone)).tz_localize(None)
        return np.where(known, clock.asi8 // _DAY, moments)

    def _begin(self, days: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the first moment of each day."""
        known = np.isfinite(days)
        midnight = pd.DatetimeIndex((np.where(known, days, 0).astype(np.int64) * _DAY).astype("M8[us]"))
        if self.zone:  # a midnight that the clock shows twice begins with the first, one that it skips when it goes on
            first = np.ones(len(days), dtype=bool)
            midnight = midnight.tz_localize(_zone(self.zone), ambiguous=first, nonexistent="shift_forward")
        return np.where(known, -(-midnight.asi8 // self.unit), days)


def by_day(lower: Column, upper: Column) -> ByDay | None:
    """Return how two columns compare by the day; None unless one holds days, without a zone, and the other moments.

    Raises: InputError if this machine does not know the zone.
    """
    days = [column.kind == "datetime" and column.resolution == "D" and column.zone is None for column in (lower, upper)]
    moments = upper if days[0] else lower
    if sum(days) != 1 or moments.kind != "datetime":
        return None
    zone_of(moments)  # or its error in words
    return ByDay(moments.unit, moments.zone or "", days[0])


def _by_format(text: str, form: str | None) -> _Dated | None:
    """Parse a text in the column's own format, or in its beginning; None if it is not."""
    key, _ = split_names(form or "")
    text = in_english(text, key) if key else text
    for shorter in _shortened(form or ""):
        week = "%V" in shorter and "%u" not in shorter
        try:
            when = datetime.strptime(text + "-1" * week, shorter + "-%u" * week)
        except ValueError:
            continue
        if re.fullmatch(r"(%[A-Za-z])+", shorter) and when.strftime(shorter) != text:
            continue  # strptime reads 202411 as the first of January
        longest = "W" if week else "Q" if key.startswith("quarter") else "M"
        unit = next(
            (unit for part, unit in _UNITS if part in shorter), "D" if re.search("%d|%j|%u", shorter) else longest
        )
        return pd.Period(when.replace(tzinfo=None), freq=unit), when.tzinfo, Fraction(0)
    return None


def _shortened(form: str) -> Iterator[str]:
    """Yield a format, then without its offset, fraction, seconds and clock: a person seldom writes all of it."""
    form = plain_form(form)  # strptime reads 1 and 01 alike
    if not all(part in form for part in ("%Y", "%m", "%d")):
        yield form
        return
    without_offset = re.sub(r"( ?(?:Z|UTC|GMT)|%z|[+-]\d\d(?::?\d\d)?)$", "", form)
    if without_offset != form:
        yield without_offset + "%z"
    yield without_offset
    for end in (".%f", ":%S", "%H"):
        if end in without_offset:
            yield without_offset[: without_offset.index(end)].rstrip(" T")


def _by_iso(text: str, column: Column) -> _Dated:
    try:
        found = _ISO.fullmatch(text)
        if found is None:
            raise ValueError(text)
        when = found["date"] + (f"T{found['clock']}" if found["clock"] else "")
        when = re.sub(r"(?<![\d.])(\d)(?!\d)", r"0\1", when)  # pandas reads an hour alone as 07 only
        offset = pd.Timestamp(f"2024-01-01T00:00{found['offset']}").tzinfo if found["offset"] else None
        return pd.Period(when[:26]), offset, Fraction(int(when[26:].ljust(3, "0")), 1000)
    except ValueError as error:
        own = datetime(2024, 1, 31, 12, 30).strftime(plain_form(column.format)) if column.format else "2024-01-31"
        raise InputError(
            f"{text!r} is not a date for the column {column.name!r}.",
            "It holds dates and times.",
            f"Write it like {own} or 2024-01-31T12:30.",
        ) from error


def _utc(clock: int, zone: tzinfo, fold: int) -> Fraction:
    """Convert a clock's microseconds since 1970 to UTC. In whole numbers: the year 9999 and a negative offset would
    overflow datetime."""
    shown = datetime(1970, 1, 1) + timedelta(microseconds=clock)
    offset = shown.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta(0)
    return Fraction(clock - offset // timedelta(microseconds=1))
