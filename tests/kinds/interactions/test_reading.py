"""Logs from files, folders and values in Python: what is read of them, in which order, and what is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from ganforge.kinds.interactions import reading as module
from ganforge.kinds.interactions.values import Times

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fixtures"))

from logs import FORMS, LOG, PAIRS, read, rows_of, written


def test_a_log_is_in_the_order_of_users_and_then_of_time(tmp_path: Path) -> None:
    reading = read(written(tmp_path))
    log = reading.log
    assert rows_of(reading) == PAIRS and len(log) == len(LOG)
    assert log.users.tolist() == [str(user) for user in sorted(set(LOG["user"]))]  # numbers by their value
    assert log.rating is not None and log.time is not None
    sorted_ = LOG.sort_values(["user", "time"])
    np.testing.assert_array_equal(log.users[log.user], sorted_["user"].astype(str))
    np.testing.assert_array_equal(log.time, sorted_["time"])
    np.testing.assert_array_equal(log.rating, sorted_["rating"])
    assert read(written(tmp_path)).sha256 == reading.sha256
    shuffled = written(tmp_path, LOG.sample(frac=1, random_state=1), "shuffled.csv")
    assert read(shuffled).sha256 == reading.sha256  # no time comes twice here


def test_without_times_a_users_rows_stay_in_the_order_of_the_file(tmp_path: Path) -> None:
    log = read(written(tmp_path), time="none").log
    stable = LOG.sort_values("user", kind="stable")
    np.testing.assert_array_equal(log.items[log.item], stable["item"].astype(str))


def test_many_parts_and_blocks_give_the_same_log_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = pd.concat([LOG, LOG.head(60).assign(time=LOG["time"] + 7)])
    whole = read(written(tmp_path, again))
    monkeypatch.setattr(module, "AT_ONCE", 16)
    monkeypatch.setattr("ganforge.core.text_rows.BLOCK", 512)
    monkeypatch.setattr("ganforge.kinds.interactions.rows.Rows.parts.__defaults__", (32,))
    assert read(written(tmp_path, again)).sha256 == whole.sha256
    assert whole.passport["duplicates"] == 60


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_file_holds_the_same_log(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FORMS[name])
    reading = read(tmp_path / name)
    assert rows_of(reading) == PAIRS
    assert reading.sha256 == read(written(tmp_path, name="plain_log.csv")).sha256


def test_arrow_and_parquet_hold_the_same_log_whatever_the_types(tmp_path: Path) -> None:
    plain = read(written(tmp_path)).sha256
    typed = LOG.assign(user=LOG["user"].astype("category"), time=pd.to_datetime(LOG["time"], unit="s"))
    typed.to_parquet(tmp_path / "a.parquet")
    pa.feather.write_feather(LOG.astype({"user": "float64", "item": "str"}), str(tmp_path / "a.feather"))
    assert read(tmp_path / "a.parquet").sha256 == read(tmp_path / "a.feather").sha256 == plain
    table = pa.table({name: pa.array(LOG[name].astype(str), pa.large_string()) for name in LOG})
    pa.parquet.write_table(table, tmp_path / "b.parquet")
    assert read(tmp_path / "b.parquet").sha256 == plain
    days = LOG.assign(time=pd.to_datetime(LOG["time"], unit="s").dt.tz_localize("Europe/Paris").dt.date)
    days.to_parquet(tmp_path / "c.parquet")
    assert set(read(tmp_path / "c.parquet").log.time % 86_400) == {0.0}


def test_ids_with_leading_zeros_are_kept_as_texts(tmp_path: Path) -> None:
    frame = LOG.assign(user=[f"{user:05d}" if user > 9 else str(user) for user in LOG["user"]])
    assert {"00010", "9"} <= set(read(written(tmp_path, frame)).log.users.tolist())


def test_huge_ids_and_hashes_are_ids(tmp_path: Path) -> None:
    frame = LOG.assign(user=LOG["user"] * 10**15, item=LOG["item"].map("{:032x}".format))
    log = read(written(tmp_path, frame)).log
    assert len(log.users) == LOG["user"].nunique() and log.users[0] == str(10**15 * LOG["user"].min())


# ---- times -----------------------------------------------------------------------------------------------------------


def seconds(values: pd.Series) -> tuple[np.ndarray, str]:
    times = Times("time")
    times.add(pa.chunked_array([pa.array(values)]))
    return times.result()


@pytest.mark.parametrize(("unit", "factor"), [("seconds", 1), ("milliseconds", 10**3), ("microseconds", 10**6)])
def test_times_in_every_unit_are_recognised(unit: str, factor: int) -> None:
    for values in (LOG["time"] * factor, (LOG["time"] * factor).astype(str)):
        found, said = seconds(values)
        assert said == unit
        np.testing.assert_allclose(found, LOG["time"])


@pytest.mark.parametrize(
    ("form", "unit"),
    [
        ("%Y-%m-%d %H:%M:%S", "s"),
        ("%Y-%m-%dT%H:%M:%SZ", "s"),
        ("%Y-%m-%dT%H:%M:%S.%f+00:00", "s"),
        ("%d.%m.%Y %H:%M", "min"),
        ("%m/%d/%Y", "D"),
        ("%d/%m/%Y", "D"),
        ("%d-%b-%Y", "D"),
        ("%b %d, %Y", "D"),
        ("%Y%m%d", "D"),
        ("%Y%m%d%H%M%S", "s"),
    ],
)
def test_times_written_as_texts_are_recognised(form: str, unit: str) -> None:
    when = pd.to_datetime(LOG["time"], unit="s")
    found, _ = seconds(when.dt.strftime(form))
    np.testing.assert_allclose(found, when.dt.floor(unit).astype("datetime64[s]").astype("int64"))


def test_two_forms_in_one_column_are_read_and_an_offset_counts() -> None:
    found, _ = seconds(pd.Series(["2020-01-01", "2020-01-01T12:00:00+02:00"] * 10))
    assert found[1] - found[0] == 10 * 3_600


def test_numbers_that_are_no_moments_are_an_order() -> None:
    found, said = seconds(pd.Series(range(400)))
    assert said == "numbers that are an order" and found.tolist() == list(range(400))


# ---- duplicates, holes and what counts -------------------------------------------------------------------------------


def test_duplicates_are_folded_as_asked_and_told(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "user": [1, 1, 1, 1, 2, 2],
            "item": [5, 5, 6, 7, 6, 7],
            "rating": [2, 4, 1, 1, 1, 1],
            "time": [9, 8, 1, 2, 3, 4],
        }
    )
    path = written(tmp_path, frame)
    ratings = {}
    for how in ("last", "sum", "count"):
        reading = read(path, duplicates=how)
        log = reading.log
        assert log.rating is not None and log.time is not None
        assert len(log) == 5 and reading.passport["duplicates"] == 1
        assert any("1 row repeated a pair" in told for told in reading.passport["warnings"])
        ratings[how] = float(log.rating[(log.user == 0) & (log.item == 0)][0])
        assert log.time[(log.user == 0) & (log.item == 0)][0] == 9  # the last in time, not in the file
    assert ratings == {"last": 2.0, "sum": 6.0, "count": 2.0}


def test_only_well_rated_interactions_count_where_asked(tmp_path: Path) -> None:
    frame = pd.concat(
        [LOG, pd.DataFrame({"user": [999] * 3, "item": [100, 101, 102], "rating": 1, "time": 1_600_000_000})]
    )
    reading = read(written(tmp_path, frame), positive=4)
    assert rows_of(reading) == {(str(u), str(i)) for u, i, r, _ in LOG.to_numpy() if r >= 4}
    assert "999" not in reading.log.users and reading.passport["not_liked"] == (frame["rating"] < 4).sum()


def test_rows_with_holes_are_left_out_and_counted(tmp_path: Path) -> None:
    frame = LOG.astype(object).reset_index(drop=True)
    for row, name in enumerate(frame.columns):
        frame.loc[row * 2, name] = None
    frame.loc[20, "rating"] = "bad"
    reading = read(written(tmp_path, frame))
    assert len(reading.log) == len(LOG) - 5
    assert reading.passport["left_out"] == {f"without a usable {n}": 1 + (n == "rating") for n in frame.columns}


def test_a_line_that_was_cut_off_is_left_out_and_told(tmp_path: Path) -> None:
    path = written(tmp_path, LOG.head(40))
    path.write_text(path.read_text()[:-16])
    reading = read(path)
    assert len(reading.log) == 39 and reading.passport["left_out"] == {"with too few or too many fields": 1}
    assert "1 row with too few or too many fields was left out." in reading.passport["warnings"]


def test_the_passport_says_what_is_in_the_log(tmp_path: Path) -> None:
    full = pd.DataFrame(
        {"user": [1] * 4 + [2] * 4 + [3], "item": [*"abcd", *"abcd", "a"], "time": [5, 5, 6, 7] * 2 + [1]}
    )
    passport = read(written(tmp_path, full.assign(rating=[1, 2] * 4 + [5]))).passport
    assert (passport["users"], passport["items"], passport["interactions"]) == (3, 4, 9)
    assert passport["density"] == 0.75 and passport["users_with_few"] == 3 and passport["users_with_all"] == 2
    assert passport["per_item"] == {"least": 2, "median": 2.0, "most": 3}
    assert passport["time"] == {"first": 1.0, "last": 7.0, "tied": 2 / 8}
    assert passport["ratings"]["values"] == [1.0, 2.0, 5.0] and passport["ratings"]["counts"] == [4, 4, 1]
    assert "2 users have met every item: nothing is left to recommend." in passport["warnings"]
    json.dumps(passport)
