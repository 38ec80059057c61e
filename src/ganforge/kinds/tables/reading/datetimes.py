"""Datetimes as a person writes them <-> plain numbers: counts of a column's resolution since 1970, UTC where it has a
zone.

A text names a span of time, as long as it is vague: "2024" a year, "2024-01-31" a day, "2024-01-31 12:30" a minute. So
`date<=2024-01-31` includes that whole day, whatever the column's resolution.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ganforge.errors import InputError
from ganforge.kinds.tables.columns import Column

MICROSECONDS = {"D": 86_400_000_000, "h": 3_600_000_000, "min": 60_000_000, "s": 1_000_000, "ms": 1_000, "us": 1}
_EPOCH = datetime(1970, 1, 1)
_TIMESPEC = {"D": "hours", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds", "us": "microseconds"}
_ISO = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d{1,2})(-(?P<day>\d{1,2})([T ](?P<hour>\d{1,2})"
    r"(:(?P<minute>\d{2})(:(?P<second>\d{2})(\.(?P<fraction>\d{1,9}))?)?)? ?(?P<offset>Z|[+-]\d{2}(:?\d{2})?)?)?)?)?",
    re.ASCII,
)
_FORMAT_PARTS = (("%f", 1), ("%S", 1_000_000), ("%M", 60_000_000), ("%H", 3_600_000_000))


class _Local(NamedTuple):
    """A span of time on the clock on the wall: `start` and `length` in microseconds, the rest of it in `extra`."""

    start: datetime  # without a zone
    length: int
    zone: tzinfo | None  # where the text says it
    extra: Fraction = Fraction(0)  # of a microsecond


def read_datetime(text: str, column: Column) -> tuple[Fraction, Fraction]:
    """The first and the last moment of the span that a text names, in plain units of the column, exactly.

    Args: text as ISO 8601 writes it, shortened at will, or in the column's own format. Without an offset it is local
        time of the column's zone.
    Raises: InputError if it is no such text, no such day, or a time that the clock shows twice or never.
    """
    local = _by_format(text.strip(), column.format) or _by_iso(text.strip(), column)
    unit = MICROSECONDS[column.resolution or "D"]
    if local.zone is not None and column.zone is None:
        raise InputError(
            f"{text!r} has an offset, but the column {column.name!r} has no zone.",
            "So the two cannot be compared.",
            "Leave the offset out.",
        )
    zone = local.zone or (zone_of(column) if column.zone else UTC)
    last = local.start + timedelta(microseconds=local.length - 1)
    if local.length < MICROSECONDS["D"] and _twice_or_never(local.start, zone):
        raise InputError(
            f"{text!r} is no certain time in the column {column.name!r}.",
            f"The clocks of {column.zone} were changed then, so they show it twice or never.",
            "Add the offset, such as +01:00.",
        )
    first_at = _microseconds(local.start, zone) + local.extra
    last_at = _microseconds(last.replace(fold=1), zone) + local.extra
    return first_at / unit, last_at / unit


def write_datetime(plain: float, column: Column) -> str:
    """A plain datetime as the text that `read_datetime` reads as just this value; in UTC with a Z where it has a zone.

    Args: plain a whole number within the years 1 to 9999.
    """
    resolution = column.resolution or "D"
    when = _EPOCH + timedelta(microseconds=int(plain) * MICROSECONDS[resolution])
    if column.zone is not None:
        return when.isoformat(timespec=_TIMESPEC[resolution]) + "Z"
    return when.date().isoformat() if resolution == "D" else when.isoformat(timespec=_TIMESPEC[resolution])


def zone_of(column: Column) -> tzinfo:
    """The zone of a column that has one. Raises: InputError if this machine does not know it."""
    name = column.zone or "UTC"
    fixed = re.fullmatch(r"(?:UTC)?([+-])(\d{2}):?(\d{2})", name)
    if fixed:
        minutes = int(fixed[2]) * 60 + int(fixed[3])
        return timezone(timedelta(minutes=-minutes if fixed[1] == "-" else minutes))
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InputError(
            f"The column {column.name!r} is in the zone {name!r}, which this machine does not know.",
            "Its times cannot be compared.",
            "Install the Python package tzdata.",
        ) from error


def _by_format(text: str, form: str | None) -> _Local | None:
    """A text in the column's own format, or in its beginning; None if it is not."""
    for shorter in _shortened(form or ""):
        try:
            when = datetime.strptime(text, shorter)
        except ValueError:
            continue
        length = next((length for part, length in _FORMAT_PARTS if part in shorter), MICROSECONDS["D"])
        return _Local(when.replace(tzinfo=None), length, when.tzinfo)
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


def _by_iso(text: str, column: Column) -> _Local:
    found = _ISO.fullmatch(text)
    own = datetime(2024, 1, 31, 12, 30).strftime(column.format.replace("%-", "%")) if column.format else "2024-01-31"
    problem = InputError(
        f"{text!r} is no date for the column {column.name!r}.",
        "It holds dates and times.",
        f"Write it like {own} or 2024-01-31T12:30.",
    )
    if found is None:
        raise problem
    part = found.groupdict()
    year, month, day, hour, minute, second = (
        int(part[name] or low)
        for name, low in (("year", 1), ("month", 1), ("day", 1), ("hour", 0), ("minute", 0), ("second", 0))
    )
    fraction = (part["fraction"] or "").ljust(9, "0")
    try:
        start = datetime(year, month, day, hour, minute, second, int(fraction[:6]))
        zone = _offset(part["offset"]) if part["offset"] else None
    except ValueError as error:
        raise problem from error
    digits = len(part["fraction"] or "")
    lengths = (
        (part["second"], 1 if digits > 3 else 1_000 if digits else 1_000_000),
        (part["minute"], 60_000_000),
        (part["hour"], 3_600_000_000),
        (part["day"], MICROSECONDS["D"]),
    )
    length = next((length for there, length in lengths if there), MICROSECONDS["D"] * _days(start, bool(part["month"])))
    return _Local(start, length, zone, Fraction(int(fraction[6:]), 1000))


def _offset(text: str) -> tzinfo | None:
    return datetime.strptime(text + "00" if len(text) == 3 else text, "%z").tzinfo


def _days(start: datetime, month: bool) -> int:
    """In the month of `start`, else in its year."""
    return calendar.monthrange(start.year, start.month)[1] if month else 365 + calendar.isleap(start.year)


def _twice_or_never(when: datetime, zone: tzinfo) -> bool:
    return when.replace(tzinfo=zone, fold=0).utcoffset() != when.replace(tzinfo=zone, fold=1).utcoffset()


def _microseconds(when: datetime, zone: tzinfo) -> Fraction:
    """Since 1970 in UTC. In whole numbers: the year 9999 and a negative offset would be too much for datetime."""
    offset = when.replace(tzinfo=zone).utcoffset() or timedelta(0)
    return Fraction((when - _EPOCH - offset) // timedelta(microseconds=1))
