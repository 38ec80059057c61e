"""What a source is taken for, before anything is read of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import ganforge as gf
from ganforge.errors import DataError
from ganforge.kinds.pictures.reading import BUILT_IN
from ganforge.kinds.recognise import kind_of
from ganforge.kinds.tables.reading.source import BUILT_IN_TABLES

ROWS = pa.table({"age": [1, 2], "word": ["a", "b"]})
ENCODED = pa.table({"image": pa.array([b"\x89PNG", b"\x89PNG"], pa.binary()), "label": [0, 1]})
NESTED = pa.table({"image": pa.array([{"bytes": b"\x89PNG", "path": "a.png"}] * 2), "label": [0, 1]})
LARGE = pa.table({"image": pa.array([b"\x89PNG"], pa.large_binary())})


def picture(path: Path) -> None:
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)


@pytest.mark.parametrize("name", BUILT_IN_TABLES)
def test_built_in_tables_are_tables_by_their_name_but_not_as_a_path(name: str) -> None:
    assert kind_of(name) == "table"
    assert kind_of(Path(name)) == "pictures"  # a Path is never a name


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_pictures_are_pictures(name: str) -> None:
    assert kind_of(name) == "pictures"


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "A.CSV", "a.csv.gz", "a.tsv.gz", "a.feather", "a.arrow"])
@pytest.mark.parametrize("there", [True, False])
def test_files_with_a_tables_ending_are_tables_even_if_they_are_missing(tmp_path: Path, name: str, there: bool) -> None:
    if there:
        (tmp_path / name).write_bytes(b"")
    assert kind_of(tmp_path / name) == kind_of(str(tmp_path / name)) == "table"


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "t10k-images-idx3-ubyte.gz", "photos", "a.png", "nowhere/at/all"])
def test_what_has_no_tables_ending_is_left_to_the_reader_of_pictures(tmp_path: Path, name: str) -> None:
    assert kind_of(tmp_path / name) == "pictures"


@pytest.mark.parametrize(
    ("table", "kind"), [(ROWS, "table"), (ENCODED, "pictures"), (NESTED, "pictures"), (LARGE, "pictures")]
)
def test_parquet_is_told_apart_by_its_columns(tmp_path: Path, table: pa.Table, kind: str) -> None:
    pq.write_table(table, tmp_path / "a.parquet")
    assert kind_of(tmp_path / "a.parquet") == kind
    (tmp_path / "parts").mkdir()
    pq.write_table(table, tmp_path / "parts" / "part-0.parquet")
    pq.write_table(table, tmp_path / "parts" / "part-1.parquet")
    (tmp_path / "parts" / "_SUCCESS").touch()
    assert kind_of(tmp_path / "parts") == kind


def test_parquet_written_by_pandas_with_categories_and_moments_is_a_table(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"word": pd.Categorical(["a", "b"]), "day": pd.to_datetime(["2024-01-01", None]), "flag": [True, None]}
    )
    frame.to_parquet(tmp_path / "a.parquet")
    assert kind_of(tmp_path / "a.parquet") == "table"


def test_folders_of_pictures_are_pictures_even_with_a_table_beside_them(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    assert kind_of(folder) == "pictures"  # its reader says that it is empty
    pq.write_table(ROWS, folder / "labels.parquet")
    assert kind_of(folder) == "table"
    picture(folder / "a.png")
    assert kind_of(folder) == "pictures"
    (folder / "a.png").unlink()
    (folder / "cats").mkdir()
    picture(folder / "cats" / "a.png")
    assert kind_of(folder) == "pictures"


@pytest.mark.parametrize("content", [b"", b"PAR1 but no more", b"\x00" * 200])
def test_parquet_that_cannot_be_read_is_no_traceback(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    assert kind_of(tmp_path / "a.parquet") == kind_of(tmp_path / "missing.parquet") == "pictures"
    for name in ("a.parquet", "missing.parquet"):
        with pytest.raises(DataError, match=name):
            gf.plan(tmp_path / name)


def test_a_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    pq.write_table(ROWS, tmp_path / "a.parquet")
    assert kind_of("~/a.parquet") == "table"
