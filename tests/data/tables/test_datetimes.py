from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganforge.errors import InputError
from ganforge.kinds.tables.columns import MICROSECONDS, Column
from ganforge.kinds.tables.rules.values import read_datetime, write_datetime


def column(**more: Any) -> Column:
    return Column(**{"name": "when", "kind": "datetime", "dtype": "", "resolution": "us", **more})


def moments(first: str, last: str) -> tuple[Fraction, Fraction]:
    """In microseconds."""
    return tuple((datetime.fromisoformat(text) - datetime(1970, 1, 1)) // timedelta(microseconds=1)
                 for text in (first, last))  # type: ignore[return-value]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2024", "2024-01-01", "2024-12-31T23:59:59.999999"),
        ("2024-02", "2024-02-01", "2024-02-29T23:59:59.999999"),
        ("2024-2-9", "2024-02-09", "2024-02-09T23:59:59.999999"),
        ("2024-02-09 7", "2024-02-09T07:00", "2024-02-09T07:59:59.999999"),
        ("2024-02-09T07:30", "2024-02-09T07:30", "2024-02-09T07:30:59.999999"),
        ("2024-02-09T07:30:05", "2024-02-09T07:30:05", "2024-02-09T07:30:05.999999"),
        ("2024-02-09T07:30:05.12", "2024-02-09T07:30:05.12", "2024-02-09T07:30:05.120999"),
        ("2024-02-09T07:30:05.1234", "2024-02-09T07:30:05.1234", "2024-02-09T07:30:05.1234"),
        ("9999-12-31", "9999-12-31", "9999-12-31T23:59:59.999999"),
        ("0001-01-01", "0001-01-01", "0001-01-01T23:59:59.999999"),
    ],
)
def test_a_text_means_all_the_time_it_leaves_open(text: str, first: str, last: str) -> None:
    assert read_datetime(text, column()) == moments(first, last)


def test_nanoseconds_are_not_rounded_away() -> None:
    first, last = read_datetime("1970-01-01T00:00:00.000000500", column())
    assert first == last == Fraction(1, 2)


@pytest.mark.parametrize(
    ("form", "text", "first", "last"),
    [
        ("%d.%m.%Y", "09.02.2024", "2024-02-09", "2024-02-09T23:59:59.999999"),
        ("%-m/%-d/%Y", "2/9/2024", "2024-02-09", "2024-02-09T23:59:59.999999"),
        ("%d/%m/%Y %H:%M:%S", "09/02/2024 07:30:05", "2024-02-09T07:30:05", "2024-02-09T07:30:05.999999"),
        ("%d/%m/%Y %H:%M:%S", "09/02/2024 07:30", "2024-02-09T07:30", "2024-02-09T07:30:59.999999"),
        ("%d/%m/%Y %H:%M:%S", "09/02/2024", "2024-02-09", "2024-02-09T23:59:59.999999"),
        ("%d/%m/%YT%H:%M:%S.%f", "09/02/2024T07:30:05.5", "2024-02-09T07:30:05.5", "2024-02-09T07:30:05.5"),
        ("%d/%m/%Y", "2024-02-09", "2024-02-09", "2024-02-09T23:59:59.999999"),
    ],
)
def test_the_columns_own_format_is_read_whole_or_shortened(form: str, text: str, first: str, last: str) -> None:
    assert read_datetime(text, column(format=form)) == moments(first, last)


@pytest.mark.parametrize(
    "text", ["09.02.2024 07:30+02:00", "09.02.2024 07:30", "2024-02-09T05:30Z", "2024-02-09T07:30+02"]
)
def test_a_format_with_an_offset_is_read_with_and_without_it(text: str) -> None:
    zoned = column(format="%d.%m.%Y %H:%M+02:00", zone="UTC+02:00", resolution="min")
    assert read_datetime(text, zoned)[0] == moments("2024-02-09T05:30", "2024-02-09")[0] / Fraction(60_000_000)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2024-03-31", 23),
        ("Europe/Berlin", "2024-10-27", 25),
        ("America/Sao_Paulo", "2018-11-04", 23),  # its midnight never was
        ("Asia/Kolkata", "2024-03-31", 24),
    ],
)
def test_a_day_is_as_long_as_the_clocks_made_it(zone: str, day: str, hours: int) -> None:
    first, last = read_datetime(day, column(zone=zone))
    assert last + 1 - first == hours * MICROSECONDS["h"]


def test_a_time_that_the_clocks_showed_twice_or_never_is_asked_again() -> None:
    for text in ("2024-10-27T02:30", "2024-03-31T02:30"):
        with pytest.raises(InputError, match=r"twice or never.*Add the offset"):
            read_datetime(text, column(zone="Europe/Berlin"))
    assert read_datetime("2024-10-27T02:30+01:00", column(zone="Europe/Berlin"))


@pytest.mark.parametrize(
    "text", ["yesterday", "2024-13", "2024-02-30", "24:00", "2024-01-31T25", "2024-01-31+01:00", ""]
)
def test_what_is_no_date_is_refused_with_an_example_in_the_columns_format(text: str) -> None:
    with pytest.raises(InputError, match=r"not a date for the column 'when'.*like 31/01/2024 or 2024-01-31T12:30"):
        read_datetime(text, column(format="%d/%m/%Y"))


def test_an_unknown_zone_is_said() -> None:
    with pytest.raises(InputError, match="'Mars/Olympus', which this machine does not know"):
        read_datetime("2024", column(zone="Mars/Olympus"))


@given(
    when=st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),
    resolution=st.sampled_from(list(MICROSECONDS)),
    zone=st.sampled_from([None, "UTC", "UTC-03:30", "America/New_York"]),
)
def test_every_moment_is_written_as_the_text_that_means_it(when: datetime, resolution: Any, zone: str | None) -> None:
    plain = (when - datetime(1970, 1, 1)) // timedelta(microseconds=MICROSECONDS[resolution])
    zoned = column(resolution=resolution, zone=zone)
    first, last = read_datetime(write_datetime(plain, zoned), zoned)
    assert first == plain and plain <= last < plain + 1


@given(when=st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(ZoneInfo("Europe/Berlin"))))
def test_an_offset_decides_whatever_the_zone(when: datetime) -> None:
    offset = when.utcoffset()
    assert offset is not None
    expected = (when.replace(tzinfo=None) - offset - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    text = when.isoformat(timespec="microseconds")
    assert read_datetime(text, column(zone="Asia/Tokyo")) == (expected, expected)
