"""Whole numbers that are calendar days, such as 20240131: learned as days, written back as the same numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from codec_world import random_codes, table_of

from ganforge.core.numeric_dates import FORMS, NumericDates, days_from, numbers_from
from ganforge.errors import DataError
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.arrays import from_plain, to_plain
from ganforge.kinds.tables.reading.plan_file import read_plan, write_plan
from ganforge.kinds.tables.rules.conditions import in_words, parse_where
from ganforge.kinds.tables.table import inspect_table

ROWS = 400


def written(days: pd.DatetimeIndex, form: str) -> np.ndarray:
    return days.strftime(form).astype(np.int64).to_numpy()


def some_days(rows: int = ROWS, seed: int = 0) -> pd.DatetimeIndex:
    random = np.random.default_rng(seed)
    return pd.to_datetime("2019-11-03") + pd.to_timedelta(random.integers(0, 1_500, rows), unit="D")


@pytest.mark.parametrize("form", FORMS)
def test_every_day_of_four_centuries_is_the_number_that_the_standard_library_writes(form: str) -> None:
    days = pd.date_range("1800-01-01", "2199-12-31", unit="s")
    numbers = written(days, form).astype(float)
    since = days.to_numpy().astype("M8[D]").astype(np.int64).astype(float)
    begin = days.to_numpy().astype("M8[M]").astype("M8[D]").astype(np.int64) if form == "%Y%m" else since
    np.testing.assert_array_equal(days_from(numbers, form), begin)
    np.testing.assert_array_equal(numbers_from(since, form), numbers)


@pytest.mark.parametrize("form", [pytest.param("%Y%m%d", marks=pytest.mark.slow), "%Y%m", "%Y%j"])
def test_every_other_number_is_no_day(form: str) -> None:
    last = {"%Y%m%d": 22_000_000, "%Y%m": 220_000, "%Y%j": 2_200_000}[form]
    numbers = np.arange(last // 22 * 17, last + last // 22)
    known = ~np.isnan(days_from(numbers.astype(float), form))
    all_days = written(pd.date_range("1800-01-01", "2199-12-31", unit="s"), form)
    np.testing.assert_array_equal(known, np.isin(numbers, all_days))


def kinds(tmp_path: Path, **columns: object) -> dict[str, Column]:
    frame = pd.DataFrame({**columns, "other": np.random.default_rng(0).normal(size=ROWS)})
    frame.to_parquet(tmp_path / "table.parquet", index=False)
    return {column.name: column for column in inspect_table(tmp_path / "table.parquet").survey.columns}


DAY = written(some_days(), "%Y%m%d")


def test_days_months_and_days_of_a_year_are_recognised_in_every_dtype(tmp_path: Path) -> None:
    holes = np.where(np.arange(ROWS) % 7 == 0, np.nan, DAY)
    found = kinds(
        tmp_path,
        day=DAY,
        small=DAY.astype(np.int32),
        month=written(some_days(), "%Y%m"),
        ordinal=written(some_days(), "%Y%j"),
        text=DAY.astype(str),
        floats=holes,
        nullable=pd.array(holes, dtype="Int64"),
        open_end=np.where(np.arange(ROWS) % 3 == 0, 99991231, DAY),
        calendar=np.sort(written(pd.date_range("2023-01-01", periods=ROWS), "%Y%m%d")),  # each day once
    )
    assert {column.kind for name, column in found.items() if name != "other"} == {"datetime"}
    assert found["day"].format == "%Y%m%d" and found["month"].format == "%Y%m" and found["ordinal"].format == "%Y%j"
    assert found["day"].why == "whole numbers that are calendar days (%Y%m%d): 344 different"
    assert found["day"].does == "learned as a moment in time, written as a number like 20240131"
    assert (found["small"].dtype, found["floats"].dtype, found["nullable"].dtype) == ("int32", "float64", "Int64")


def test_numbers_that_only_may_be_days_stay_numbers(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    found = kinds(
        tmp_path,
        one_month=20240100 + random.integers(1, 29, ROWS),
        few=np.array([20230101, 20240229, 20240301])[random.integers(0, 3, ROWS)],
        eight_digits=random.integers(18_000_101, 22_000_000, ROWS),
        one_wrong=np.where(np.arange(ROWS) == 50, 20230229, DAY),
        years=random.integers(1990, 2024, ROWS),
        one_year=202400 + random.integers(1, 13, ROWS),
        unix=1_700_000_000 + random.integers(0, 10**7, ROWS),
        zip=random.integers(10_000, 99_999, ROWS),
        price=random.integers(180_000, 220_000, ROWS),
        negative=-DAY,
        fractions=DAY + 0.5,
        category=pd.Categorical(DAY.astype(str)),
    )
    assert [name for name, column in found.items() if column.kind == "datetime"] == []


def test_one_cell_that_is_not_a_day_is_named_in_a_warning(tmp_path: Path) -> None:
    frame = pd.DataFrame({"day": np.where(np.arange(ROWS) == 50, 0, DAY), "x": np.arange(ROWS) % 7})
    frame.to_csv(tmp_path / "table.csv", index=False)
    (warning,) = inspect_table(tmp_path / "table.csv").survey.passport["warnings"]
    assert warning.startswith("Most numbers of 'day' are calendar days (%Y%m%d), but 0 is not")


def test_chunks_are_read_as_one() -> None:
    dates = NumericDates()
    for part in np.array_split(DAY.astype(float), 7):
        dates.update(part)
    assert dates.by_nature(300) == "%Y%m%d" and dates.ends["%Y%m%d"] == tuple(
        np.array([some_days().min(), some_days().max()]).astype("M8[D]").astype(int)
    )
    dates.update(np.append(DAY, 20240230.0))
    assert dates.form is None and dates.nearly(300) == ("%Y%m%d", 20240230.0)


@pytest.mark.parametrize("dtype", ["int64", "int32", "Int64", "float64", "str", "int64[pyarrow]"])
@pytest.mark.parametrize("form", FORMS)
def test_whatever_is_drawn_is_a_day_and_written_as_it_was(dtype: str, form: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    start = some_days()
    end = start + pd.to_timedelta(random.integers(0, 90, ROWS), unit="D")
    frame = pd.DataFrame({"start": written(start, form), "end": written(end, form), "x": random.normal(size=ROWS)})
    frame = frame.astype({"start": dtype, "end": dtype})
    codec = table_of(frame, tmp_path, ["start <= end"], inside="smooth").codec
    back = from_plain(to_plain(frame, codec.columns), codec.columns)
    pd.testing.assert_frame_equal(back, frame)
    drawn = from_plain(codec.decode(random_codes(codec, 2_000, 1), random), codec.columns)
    assert drawn["start"].dtype == frame["start"].dtype and drawn["end"].dtype == frame["end"].dtype
    assert (drawn["start"].astype(np.int64) <= drawn["end"].astype(np.int64)).all()
    for name in ("start", "end"):
        assert not np.isnan(days_from(drawn[name].astype(float).to_numpy(float), form)).any()


def test_conditions_are_typed_as_dates_or_as_the_numbers(tmp_path: Path) -> None:
    found = kinds(tmp_path, day=DAY, month=written(some_days(), "%Y%m"))
    columns = tuple(found.values())
    same = [parse_where(text, columns, {}) for text in ("day>=20210131", "day>=2021-01-31")]
    assert same[0] == same[1] and in_words(same[0][0], columns) == "day >= 2021-01-31"
    assert parse_where("day=2021", columns, {})[0].high - parse_where("day=2021", columns, {})[0].low == 364
    (one,) = parse_where("month=202011", columns, {})
    assert (one.low, one.high) == (18567.0, 18596.0)  # all days of November 2020


def test_a_person_may_make_it_a_whole_number_and_a_whole_number_a_date(tmp_path: Path) -> None:
    frame = pd.DataFrame({"day": DAY, "few": np.array([20230101, 20240229])[DAY % 2], "x": DAY % 7})
    frame.to_csv(tmp_path / "table.csv", index=False)
    inspected = inspect_table(tmp_path / "table.csv")
    write_plan(tmp_path / "plan.json", inspected.survey.columns, (), "table.csv")
    content = json.loads((tmp_path / "plan.json").read_text())
    assert [column["kind"] for column in content["columns"]] == ["datetime", "integer", "integer"]
    content["columns"][0]["kind"], content["columns"][1]["kind"] = "integer", "datetime"
    (tmp_path / "plan.json").write_text(json.dumps(content))
    asked, _ = read_plan(tmp_path / "plan.json")
    day, few, _ = inspect_table(tmp_path / "table.csv", asked).survey.columns
    assert (day.kind, day.minimum, day.format) == ("integer", float(DAY.min()), None)
    assert (few.kind, few.format, few.minimum) == ("datetime", "%Y%m%d", 19358.0)
    content["columns"][2]["kind"] = "datetime"
    (tmp_path / "plan.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="The column 'x' cannot be a datetime"):
        inspect_table(tmp_path / "table.csv", read_plan(tmp_path / "plan.json")[0])


def test_a_table_to_be_filled_that_has_another_number_is_refused_with_it(tmp_path: Path) -> None:
    (day, _) = kinds(tmp_path, day=DAY).values()
    with pytest.raises(ValueError, match="20230229 is not a calendar day"):
        to_plain(pd.DataFrame({"day": [20230101, 20230229]}), [day])
