"""What is beside a log, values in Python, and what a source is taken for."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from scipy.sparse import coo_array, csr_matrix

from ganforge.kinds.interactions import BUILT_IN, KIND, keep, recognises
from ganforge.kinds.interactions.features import encode, read_ids

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fixtures"))

from logs import FORMS, ITEMS, LOG, PAIRS, read, rows_of, written

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
