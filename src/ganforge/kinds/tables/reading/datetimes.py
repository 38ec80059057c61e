"""Datetimes as a person writes them <-> plain numbers: counts of a column's resolution since 1970, UTC where it has a
zone.

A text names a span of time, as long as it is vague: "2024" a year, "2024-01-31" a day, "2024-01-31 12:30" a minute. So
`date<=2024-01-31` includes that whole day, whatever the column's resolution. numpy's datetimes of that unit count it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from fractions import Fraction
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from ganforge.errors import InputError
from ganforge.kinds.tables.columns import Column

_ISO = re.compile(
    r"(?!0000)(?P<date>\d{4}(-\d{1,2}){0,2})"
    r"([T ](?P<clock>\d{1,2}(:\d\d(:\d\d(\.\d{1,9})?)?)?)( ?(?P<offset>Z|[+-]\d\d(:?\d\d)?))?)?",
    re.ASCII,
)
_FORMAT_UNITS = (("%f", "us"), ("%S", "s"), ("%M", "m"), ("%H", "h"))  # numpy calls a minute m
_Span = tuple[np.datetime64, tzinfo | None, Fraction]  # of its own unit; where the text says it; of a microsecond


def read_datetime(text: str, column: Column) -> tuple[Fraction, Fraction]:
    """The first and the last moment of the span that a text names, in plain units of the column, exactly.

    Args: text as ISO 8601 writes it, shortened at will, or in the column's own format. Without an offset it is local
        time of the column's zone.
    Raises: InputError if it is no such text, no such day, or a time that the clock shows twice or never.
    """
    span, offset, extra = _by_format(text.strip(), column.format) or _by_iso(text.strip(), column)
    if offset is not None and column.zone is None:
        raise InputError(
            f"{text!r} has an offset, but the column {column.name!r} has no zone.",
            "So the two cannot be compared.",
            "Leave the offset out.",
        )
    zone = offset or (zone_of(column) if column.zone else UTC)
    first, last = span.astype("M8[us]"), (span + 1).astype("M8[us]") - 1
    if last - first + 1 < np.timedelta64(1, "D") and _in_utc(first, zone, 0) != _in_utc(first, zone, 1):
        raise InputError(
            f"{text!r} is no certain time in the column {column.name!r}.",
            f"The clocks of {column.zone} were changed then, so they show it twice or never.",
            "Add the offset, such as +01:00.",
        )
    return (_in_utc(first, zone, 0) + extra) / column.unit, (_in_utc(last, zone, 1) + extra) / column.unit


def write_datetime(plain: float, column: Column) -> str:
    """A plain datetime as the text that `read_datetime` reads as just this value; in UTC with a Z where it has a zone.

    Args: plain a whole number.
    """
    text = str(moment(plain, column))
    return text if column.zone is None else text + ("Z" if "T" in text else "T00Z")


def moment(plain: float, column: Column) -> NDArray[np.datetime64]:
    """A plain datetime, rounded, as numpy's of the column's resolution, ()."""
    return np.array(round(plain), f"M8[{(column.resolution or 'D').replace('min', 'm')}]")  # numpy calls a minute m


def zone_of(column: Column) -> tzinfo:
    """The zone of a column that has one. Raises: InputError if this machine does not know it."""
    name = column.zone or "UTC"
    fixed = re.fullmatch(r"(?:UTC)?([+-]\d{2}:?\d{2})", name)
    try:
        return _offset(fixed[1]) if fixed else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InputError(
            f"The column {column.name!r} is in the zone {name!r}, which this machine does not know.",
            "Its times cannot be compared.",
            "Install the Python package tzdata.",
        ) from error


def _by_format(text: str, form: str | None) -> _Span | None:
    """A text in the column's own format, or in its beginning; None if it is not."""
    for shorter in _shortened(form or ""):
        try:
            when = datetime.strptime(text, shorter)
        except ValueError:
            continue
        unit = next((unit for part, unit in _FORMAT_UNITS if part in shorter), "D")
        return np.datetime64(when.replace(tzinfo=None)).astype(f"M8[{unit}]"), when.tzinfo, Fraction(0)
    return None


def _shortened(form: str) -> Iterator[str]:
    """A format, then without its offset, fraction, seconds and clock: a person seldom writes all of it."""
    form = form.replace("%-", "%")  # strptime reads 1 and 01 alike
    if not all(part in form for part in ("%Y", "%m", "%d")):
        return
    without_offset = re.sub(r"(Z|%z|[+-]\d\d:?\d\d)$", "", form)
    if without_offset != form:
        yield without_offset + "%z"
    yield without_offset
    for end in (".%f", ":%S", "%H"):
        if end in without_offset:
            yield without_offset[: without_offset.index(end)].rstrip(" T")


def _by_iso(text: str, column: Column) -> _Span:
    own = datetime(2024, 1, 31, 12, 30).strftime(column.format.replace("%-", "%")) if column.format else "2024-01-31"
    try:
        found = _ISO.fullmatch(text)
        if found is None:
            raise ValueError(text)
        when = found["date"] + (f"T{found['clock']}" if found["clock"] else "")
        when = re.sub(r"(?<![\d.])(\d)(?!\d)", r"0\1", when)  # numpy reads 01 only
        span = np.datetime64(when[:26])  # to the microsecond
        return span, _offset(found["offset"]) if found["offset"] else None, Fraction(int(when[26:].ljust(3, "0")), 1000)
    except ValueError as error:
        raise InputError(
            f"{text!r} is no date for the column {column.name!r}.",
            "It holds dates and times.",
            f"Write it like {own} or 2024-01-31T12:30.",
        ) from error


def _offset(text: str) -> tzinfo:
    zone = datetime.strptime(text + "00" if len(text) == 3 else text, "%z").tzinfo
    assert zone is not None
    return zone


def _in_utc(moment: np.datetime64, zone: tzinfo, fold: int) -> Fraction:
    """Microseconds since 1970 in UTC. In whole numbers: the year 9999 and a negative offset would be too much for
    datetime."""
    clock: datetime = moment.astype(object)
    offset = clock.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta(0)
    return Fraction(int(moment.astype(np.int64)) - offset // timedelta(microseconds=1))
