"""Logs from files, folders and values in Python: what is read of them, in which order, and what is told."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from scipy.sparse import coo_array, csr_matrix

from ganforge.kinds.interactions import BUILT_IN, KIND, keep, recognises
from ganforge.kinds.interactions import reading as module
from ganforge.kinds.interactions.columns import LogSettings
from ganforge.kinds.interactions.features import encode, read_ids
from ganforge.kinds.interactions.reading import Reading, read_log
from ganforge.kinds.interactions.values import Times

RANDOM = np.random.default_rng(0)
LOG = pd.DataFrame(
    {
        "user": RANDOM.integers(1, 40, 400),
        "item": RANDOM.integers(100, 130, 400),
        "rating": RANDOM.integers(1, 6, 400),
        "time": 1_600_000_000 + RANDOM.integers(0, 10**7, 400),
    }
).drop_duplicates(["user", "item"])
INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
ITEMS = pd.DataFrame(
    {
        "item": range(100, 130),
        "genre": [("Comedy|War", "War", "Drama|Comedy")[k % 3] for k in range(30)],
        "year": [1990.0 + k if k else None for k in range(30)],
        "title": [f"film {k} of {'love' if k % 2 else 'hate'}" for k in range(30)],
    }
)


def read(path: Path | str, **asked: Any) -> Reading:
    return read_log(path, LogSettings(**asked))


def written(folder: Path, frame: pd.DataFrame = LOG, name: str = "log.csv", **how: Any) -> Path:
    frame.to_csv(folder / name, index=False, **how)
    return folder / name


def rows_of(reading: Reading) -> set[tuple[str, str]]:
    log = reading.log
    return set(zip(log.users[log.user].tolist(), log.items[log.item].tolist(), strict=True))


PAIRS = {(str(user), str(item)) for user, item in LOG[["user", "item"]].to_numpy()}


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


FORMS: dict[str, bytes] = {
    "semicolons.csv": LOG.to_csv(index=False, sep=";").encode(),
    "tabs.txt": LOG.to_csv(index=False, sep="\t").encode(),
    "bars.csv": LOG.to_csv(index=False, sep="|").encode(),
    "mark.csv": LOG.to_csv(index=False).encode("utf-8-sig"),
    "wide.csv": LOG.to_csv(index=False).encode("utf-16"),
    "windows.csv": LOG.to_csv(index=False).replace("\n", "\r\n").encode(),
    "excel.csv": b"sep=;\n" + LOG.to_csv(index=False, sep=";").encode(),
    "quoted.csv": LOG.astype(str).to_csv(index=False, quoting=1).encode(),
    "single.csv": LOG.assign(user=LOG["user"].map(lambda user: f"'{user}'")).to_csv(index=False).encode(),
    "blanks.csv": LOG.assign(user=LOG["user"].map(lambda user: f" {user} ")).to_csv(index=False).encode(),
    "floats.csv": LOG.assign(user=LOG["user"].astype(float)).to_csv(index=False).encode(),
    "packed.csv.gz": gzip.compress(LOG.to_csv(index=False).encode()),
    "u.data": LOG.to_csv(index=False, header=False, sep="\t").encode(),
    "ratings.dat": "\n".join("::".join(map(str, row)) for row in LOG.to_numpy()).encode(),
    "log.inter": INTER.encode() + LOG.to_csv(index=False, header=False, sep="\t").encode(),
    "log.jsonl": "\n".join(json.dumps(row) for row in LOG.to_dict("records")).encode(),
}


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


# ---- what is known of items and users --------------------------------------------------------------------------------


def test_tables_beside_a_log_become_features(tmp_path: Path) -> None:
    written(tmp_path, ITEMS, "items.csv")
    written(tmp_path, pd.DataFrame({"user": range(1, 40), "sex": ["m", "f", None] * 13}), "users.csv")
    path = written(tmp_path, name="ratings.csv")
    reading = read(path)
    items, users = reading.items, reading.users
    assert items is not None and users is not None
    assert {"genre=Comedy", "genre=War", "genre=Drama", "year", "title=love"} <= set(items.names)
    comedy, year = (items.values[:, items.names.index(name)] for name in ("genre=Comedy", "year"))
    assert comedy[:3].tolist() == [1, 0, 1]
    assert abs(year[1:].mean()) < 1e-5 and abs(year[1:].std() - 1) < 1e-5
    assert items.missing[0, items.names.index("year")] and not items.missing[1:].any()
    assert users.missing.any(axis=1).sum() == 13 and users.names == ("sex=f", "sex=m")
    aligned = items.at(np.array(["101", "7"]))
    assert aligned.values[0].tolist() == items.values[1].tolist() and aligned.missing[1].all()
    assert read(tmp_path).sha256 == reading.sha256 != read(written(tmp_path, name="alone.csv"), time="none").sha256


def test_new_items_are_read_as_the_model_knows_items(tmp_path: Path) -> None:
    written(tmp_path, ITEMS, "items.csv")
    items = read(written(tmp_path)).items
    assert items is not None
    new = pd.DataFrame({"item": ["n1", "n2"], "genre": ["War|Western", None], "year": [2000, 2001]})
    found = encode(written(tmp_path, new, "new.csv"), "item", items.coding)
    assert found.ids.tolist() == ["n1", "n2"] and found.names == items.names
    assert found.values[0, items.names.index("genre=War")] == 1 and found.missing[1, items.names.index("genre=War")]
    assert found.missing[:, items.names.index("title=love")].all()
    assert type(items.coding).model_validate(items.coding.content()) == items.coding


def test_items_without_a_row_and_rows_without_an_item_are_told(tmp_path: Path) -> None:
    written(tmp_path, pd.concat([ITEMS.head(20), ITEMS.head(2), ITEMS.head(3).assign(item=[7, 8, 9])]), "items.csv")
    reading = read(written(tmp_path, name="ratings.csv"))
    assert reading.items is not None and len(reading.items.ids) == 23
    told = " ".join(reading.passport["warnings"])
    assert "The features of 10 items are missing in 'items.csv', such as '120'" in told
    assert "2 rows of 'items.csv' repeat an id" in told


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (ITEMS.assign(item=ITEMS["item"] + 900), "none of its items is in the log (there '1000', in the log '100')"),
        (ITEMS.assign(item=ITEMS["item"].map("{:05d}".format)), "(there '00100', in the log '100')"),
        (ITEMS[["item"]], "it says nothing of items but their ids"),
    ],
)
def test_a_table_that_does_not_belong_to_the_log_is_left_alone_and_told(
    tmp_path: Path, table: pd.DataFrame, why: str
) -> None:
    written(tmp_path, table, "items.csv")
    reading = read(written(tmp_path, name="ratings.csv"))
    assert reading.items is None and any(why in told for told in reading.passport["warnings"])


def test_movielens_as_it_is_distributed_is_read(tmp_path: Path) -> None:
    (tmp_path / "ratings.dat").write_bytes(FORMS["ratings.dat"])
    names = ('"Café" de Flore', "Bar")
    rows = [f"{item}::{names[item % 2]} {item}::{genre}" for item, genre in ITEMS[["item", "genre"]].to_numpy()]
    (tmp_path / "movies.dat").write_bytes("\n".join(rows).encode("latin-1"))
    items = read(tmp_path).items
    assert items is not None
    assert {"column_2=café", "column_3=War"} <= set(items.names) and len(items.ids) == 30


def test_ids_of_a_table_are_read_in_its_order(tmp_path: Path) -> None:
    path = written(tmp_path, pd.DataFrame({"name": ["x", "y", "z"], "user": ["b", "a", "b"]}), "who.csv")
    assert read_ids(path, "user").tolist() == ["b", "a"]


# ---- values in Python, and what a source is taken for ----------------------------------------------------------------


def test_frames_matrices_and_dictionaries_are_kept_as_files(tmp_path: Path) -> None:
    for name, value in {
        "pandas": LOG,
        "arrow": pa.Table.from_pandas(LOG, preserve_index=False),
        "mixed": LOG.assign(user=LOG["user"].astype(object)),
        "parts": {"interactions": LOG, "items": ITEMS},
    }.items():
        (tmp_path / name).mkdir()
        reading = read(keep(value, tmp_path / name))
        assert rows_of(reading) == PAIRS and (reading.items is not None) == (name == "parts")
    texts = LOG.assign(user=[user if user % 2 else f"u{user}" for user in LOG["user"]])
    (tmp_path / "texts").mkdir()
    assert {"u2", "1"} <= set(read(keep(texts, tmp_path / "texts")).log.users.tolist())


def test_a_sparse_matrix_is_a_log_of_its_rows_and_columns(tmp_path: Path) -> None:
    dense = np.array([[1, 0, 2, 0], [3, 1, 1, 0], [0, 1, 0, 5]])
    for number, matrix in enumerate((csr_matrix(dense), coo_array(dense))):
        (tmp_path / str(number)).mkdir()
        log = read(keep(matrix, tmp_path / str(number))).log
        assert log.rating is not None
        np.testing.assert_array_equal(log.matrix().toarray(), dense != 0)
        assert log.rating.tolist() == [1, 2, 3, 1, 1, 1, 5]
    (tmp_path / "ones").mkdir()
    assert read(keep(csr_matrix(dense > 0), tmp_path / "ones")).log.rating is None


def strength(source: object) -> int:
    claim = recognises(source)
    return claim.strength if claim else 0


def test_how_strongly_a_source_is_claimed(tmp_path: Path) -> None:
    for name, content in FORMS.items():
        (tmp_path / name).write_bytes(content)
    assert strength(tmp_path / "log.inter") == strength(tmp_path / "ratings.dat") == 3
    assert strength(tmp_path / "u.data") == 2
    assert (
        strength(tmp_path / "mark.csv") == strength(tmp_path / "log.jsonl") == strength(tmp_path / "packed.csv.gz") == 1
    )
    (tmp_path / "other.dat").write_bytes(b"\x00\x01")
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1")
    assert strength(tmp_path / "damaged.parquet") == 0  # another kind tells it
    assert strength(tmp_path / "other.dat") == strength(tmp_path / "a.png") == strength([1, 2]) == 0
    assert strength(csr_matrix(np.eye(4))) == strength({"interactions": LOG}) == 3
    assert strength(LOG) == 1 and strength({"x": 1}) == 0


def test_a_folder_is_claimed_by_the_log_in_it(tmp_path: Path) -> None:
    assert strength(tmp_path) == 0
    written(tmp_path, name="ratings.csv")
    assert strength(tmp_path) == 1
    (tmp_path / "ratings.csv").rename(tmp_path / "other.csv")
    (tmp_path / "log.inter").write_bytes(FORMS["log.inter"])
    assert strength(tmp_path) == 3


def test_the_built_in_data_set_has_tastes_that_can_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path))
    assert list(BUILT_IN) == list(KIND.built_in) == ["clubs"]
    reading = read("clubs")
    log, items = reading.log, reading.items
    assert items is not None and reading.users is not None and log.time is not None
    assert (len(log.users), len(log.items)) == (600, 200) and 11_000 < len(log) < 13_000
    assert reading.passport["warnings"] == [] and reading.sha256 == read("clubs").sha256
    clubs = items.values[:, [name.startswith("club=") for name in items.names]]
    shares = log.matrix() @ clubs
    shares /= shares.sum(1, keepdims=True)
    assert np.sort(shares, 1)[:, -2:].sum(1).mean() > 0.7  # two of eight clubs hold most of what a user met
