"""Numbers, dates and times in the forms in which people write them: what is read is written back to the letter."""

import itertools
import re
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_frames import column_of

from ganforge.core.date_format import CLOCKS, DAYS, date_forms, parse_dates, write_dates
from ganforge.kinds.tables.reading.arrays import from_plain, to_plain
from ganforge.kinds.tables.reading.number_format import SIGNED, NumberFormat, Shape, find_number_format
from ganforge.kinds.tables.reading.text_values import Meaning, Reading
from ganforge.kinds.tables.reading.time_format import DAY, FORMS, parse_times, write_times

RANDOM = np.random.default_rng(0)
AFFIXES = [("", ""), ("$", ""), ("€ ", ""), ("USD ", ""), ("", "%"), ("", " €"), ("", " kg"), ("", " km/h"), ("", "°C")]
MARKS = [(".", ""), (",", ""), (".", ","), (",", "."), (",", "\u202f"), (".", "'")]
GRID = [
    NumberFormat(prefix=p, suffix=s, decimal=d, thousands=t, fewest=few, most=most, negative=sign, plus=plus)
    for (p, s), (d, t), (few, most), sign, plus in itertools.product(
        AFFIXES, MARKS, [(0, 0), (2, 2), (0, 3), (1, 2)], SIGNED, [False, True]
    )
]
VALUES = [0.0, 1.0, -1.0, 12.5, -999.0, 1000.0, 1234.5, -1234.25, 1234567.0, -987654321.0, 0.125, -0.5]


def meaning_of(texts: list[str]) -> Meaning:
    reading = Reading()
    reading.update(pa.array(texts, pa.string()))
    return reading.result()


def within(values: list[float], form: NumberFormat) -> list[float]:
    return [round(value, form.most) + 0.0 for value in values]


def test_every_form_of_numbers_reads_what_it_writes_and_its_pattern_says_all_of_it() -> None:
    for form in GRID:
        values = within(VALUES, form)
        texts = form.write(pa.array([*values, None], pa.float64()))
        assert form.parse(texts).to_pylist() == [*values, None]
        again = NumberFormat.of(form.pattern)
        assert again.write(pa.array(values)).equals(texts.slice(0, len(values)))
        assert again.pattern == form.pattern and len(set(texts.to_pylist())) == len({*values, None})


@pytest.mark.parametrize("marks", MARKS)
@pytest.mark.parametrize("decimals", [(2, 2), (0, 3), (0, 0)])
def test_a_form_is_found_in_its_texts_and_gives_them_back(marks: tuple[str, str], decimals: tuple[int, int]) -> None:
    values = np.round(RANDOM.normal(0, 4000, 300), decimals[1]).tolist()
    for (prefix, suffix), negative in itertools.product(AFFIXES, SIGNED):
        form = NumberFormat(
            prefix=prefix, suffix=suffix, decimal=marks[0], thousands=marks[1], fewest=decimals[0], most=decimals[1],
            negative=negative,
        )  # fmt: skip
        texts = form.write(pa.array(values, pa.float64()))
        found = meaning_of(texts.to_pylist())
        assert found.sort == ("number" if decimals[1] else "integer") and not found.strays and not found.ambiguous
        if known := found.number_format:
            assert known.write(pa.array(values)).to_pylist() == texts.to_pylist()


@given(
    value=st.floats(-1e12, 1e12, allow_nan=False),
    form=st.sampled_from(GRID),
)
def test_a_number_with_more_decimals_than_were_seen_is_written_with_all_of_them(value: float, form: Any) -> None:
    if abs(value) >= 1e-9 or value == 0:
        assert form.parse(form.write(pa.array([value]))).to_pylist() == [value]


@pytest.mark.parametrize(
    ("texts", "value"),
    [
        (["1.234"], 1.234),  # nothing says otherwise: a point is that of decimals, and it is said
        (["1,234"], 1234),  # and a comma that of thousands
        (["1.234", "950", "1.230"], 1234),
        (["1,234", "950", "1,230"], 1234),
        (["1,234", "0,950"], 1.234),
        (["1,234", "12,5"], 1.234),
        (["1,234", "1234"], 1.234),
        (["1.234", "1.234.567"], 1234),
        (["1,234", "1,234.5"], 1234),
        (["1.234", "1.234,5"], 1234),
    ],
)
def test_what_a_mark_means_is_told_by_the_whole_column(texts: list[str], value: float) -> None:
    found = meaning_of(texts)
    read = found.number_format.parse(pa.array(texts[:1]))[0].as_py() if found.number_format else float(texts[0])
    assert read == value and found.ambiguous == (len(texts) == 1)


@pytest.mark.parametrize("pattern", ["", "x", "0" * 200, "#,##0,00", "0.0000000000000000", "0;0-0", "$0;-€0", "#0"])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a format of numbers"):
        NumberFormat.of(pattern)


@pytest.mark.parametrize(
    ("texts", "pattern"),
    [
        ([f"{n} day{'' if abs(n) == 1 else 's'}" for n in range(-3, 40)], "0 day(s)"),
        ([f"{n} Tag{'' if n == 1 else 'e'}" for n in (0, 1, 1, 1, 1, 2)], "0 Tag(e)"),
        (["1 box", "12 boxes", "1,200 boxes"], "#,##0 box(es)"),
        (["12.5 m2", "0.4 m2"], "0.0 m2"),
        (["350cm3", "1,200cm3"], "#,##0cm3"),
    ],
)
def test_units_have_a_plural_and_squares(texts: list[str], pattern: str) -> None:
    meaning = meaning_of(texts)
    assert meaning.form == pattern and not meaning.strays
    form = NumberFormat.of(pattern)
    assert form.pattern == pattern and form.write(form.parse(pa.array(texts))).to_pylist() == texts


@pytest.mark.parametrize("texts", [["5 item", "50 item", "7 items"], ["12 m2", "30 m3"], ["3 m", "20 ms"]])
def test_units_that_differ_have_no_form_together(texts: list[str]) -> None:
    assert meaning_of(texts).sort == "text"


def test_codes_and_identifiers_have_no_form_of_numbers() -> None:
    for texts in (["C-12", "C-13"], ["007", "12"], ["A12", "A13"], ["1-2", "3-4"], ["10.0.0.1", "10.0.0.22"], ["#12"]):
        shapes = Counter(Shape(re.sub("[0-9]", "9", t), bool(re.match("0[0-9.,]", t)), t[-1] == "0") for t in texts)
        found = find_number_format(shapes)
        assert found is None or sum(shapes[shape] for shape in found.shapes) < len(texts)


# ---- dates and times -------------------------------------------------------------------------------------------------

MOMENTS = pd.date_range("2019-02-03 00:05:07", "2025-11-29 23:59:59", periods=97).floor("s")


@pytest.mark.parametrize("day", DAYS)
def test_every_form_of_dates_is_written_as_it_is_read(day: str) -> None:
    some = CLOCKS if day in DAYS[:4] else CLOCKS[DAYS.index(day) % 4 :: 4]
    clocks = ("", *(f" {clock}" for clock in some)) if day.endswith(("%d", "%Y", "%y")) else ("",)
    for form in (f"{day}{clock}" for clock in clocks):
        texts = write_dates(pa.array(MOMENTS.as_unit("us").asi8), form, 6, None)
        moments = parse_dates(texts, form)
        assert moments.null_count == 0 and write_dates(moments.cast(pa.int64()), form, 6, None).equals(texts)
        shapes = {re.sub("[0-9]", "9", text) for text in texts.to_pylist()}
        assert all(any(known.startswith(form) for known in date_forms(shape)) for shape in shapes)
        found = meaning_of(texts.to_pylist())
        assert found.sort == "date" and not found.strays
        again = parse_dates(texts, found.form or "").cast(pa.int64())
        assert write_dates(again, found.form or "", found.digits, None).equals(texts)


LENGTHS = [0, 1, 59, 60, 61, 3599, 3600, 3661, 86_399, 86_400, 90_061, 200_000, 1_000_000]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("digits", [0, 3])
def test_every_form_of_times_is_written_as_it_is_read(form: str, digits: int) -> None:
    form = f"{form}.%{digits or 1}f" if digits or form in ("%-M:%S", "%M:%S") else form
    seconds = pa.array([second * 1_000_000 + 125_000 * bool(digits) for second in LENGTHS], pa.int64())
    texts = write_times(seconds, form)
    times = parse_times(texts, form)
    assert times.null_count == 0 and write_times(times, form).equals(texts)
    assert meaning_of(texts.to_pylist()).sort in ("time", "length")


@pytest.mark.parametrize(
    ("texts", "sort", "seconds"),
    [
        (["14:05", "09:30"], "time", 50_700),
        (["9:30 pm", "12:05 am"], "time", 77_400),
        (["12:05 AM", "12:05 PM"], "time", 300),
        (["27:00:01", "03:04:05"], "length", 97_201),
        (["1:23:45", "0:00:07"], "length", 5025),
        (["2 days 03:04:05", "0 days 00:00:00"], "length", 183_845),
        (["-1 days +23:00:00", "0 days 00:00:00"], "length", -3600),
        (["1 day, 3:04:05", "3:04:05"], "length", 97_445),
        (["PT1H30M", "PT45M", "P1DT1S"], "length", 5400),
        (["P0DT1H30M0S", "P1DT0H0M1S"], "length", 5400),
        (["2h 50m", "19h", "5m"], "length", 10_200),
        (["1 hr 5 mins", "2 hrs 1 min"], "length", 3900),
        (["1:23.4", "12:03.5"], "length", 83.4),
    ],
)
def test_times_and_lengths_of_time_are_columns_with_numbers_behind_them(
    texts: list[str], sort: str, seconds: float
) -> None:
    found = meaning_of(texts)
    assert found.sort == sort and parse_times(pa.array(texts), found.form or "")[0].as_py() == seconds * 1_000_000
    column = column_of(pd.Series(texts * 20))
    assert column.kind == {"time": "time", "length": "duration"}[sort] and column.dtype == "str"
    plain = to_plain(pd.DataFrame({"value": texts}), [column])
    assert plain["value"][0] * column.unit == seconds * 1_000_000
    assert from_plain(plain, [column])["value"].tolist() == texts


@pytest.mark.parametrize("form", ["x", "%H:%M.%9f", "", "%-H:%M:%S.%f"])
def test_a_form_that_is_none_is_refused(form: str) -> None:
    with pytest.raises(ValueError, match="is not a form of times"):
        parse_times(pa.array(["12:00"]), form)


def test_a_time_of_day_ends_with_the_day() -> None:
    assert meaning_of(["14:05", "23:59"]).sort == "time" and meaning_of(["14:05", "24:00"]).sort == "length"
    assert DAY == 24 * 3600 * 10**6


@pytest.mark.parametrize(
    ("zone", "expected"),
    [("Europe/Berlin", "Europe/Berlin"), ("America/New_York", "America/New_York"), ("Asia/Tokyo", "UTC+09:00")],
)
def test_offsets_that_change_with_the_clocks_are_those_of_a_zone(zone: str, expected: str) -> None:
    texts = [moment.isoformat() for moment in MOMENTS.tz_localize("UTC").tz_convert(zone)]
    found = meaning_of(texts)
    assert found.zone == expected
    moments = parse_dates(pa.array(texts), found.form or "").cast(pa.int64())
    assert moments.to_pylist() == MOMENTS.as_unit("us").asi8.tolist()
    assert write_dates(moments, found.form or "", 0, found.zone).to_pylist() == texts


def test_offsets_of_no_zone_are_read_as_moments_and_written_in_utc() -> None:
    texts = ["2024-01-31T12:00:00+01:00", "2024-01-31T12:00:00+05:30", "2024-01-31T12:00:00-08:00"]
    found = meaning_of(texts)
    assert (found.zone, found.several) == ("UTC", 3)
    moments = parse_dates(pa.array(texts), found.form or "").cast(pa.int64())
    assert write_dates(moments, found.form or "", 0, found.zone).to_pylist()[1] == "2024-01-31T06:30:00+00:00"
