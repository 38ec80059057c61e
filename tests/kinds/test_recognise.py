"""What a source is taken for, before anything is read of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import ganforge as gf
from ganforge.contracts import Claim
from ganforge.errors import DataError, InputError
from ganforge.kinds import every_kind, kind_named, recognise
from ganforge.kinds.pictures.reading.array_files import BUILT_IN as LOADERS

ROWS = pa.table({"age": [1, 2], "word": ["a", "b"]})
ENCODED = pa.table({"image": pa.array([b"\x89PNG", b"\x89PNG"], pa.binary()), "label": [0, 1]})
NESTED = pa.table({"image": pa.array([{"bytes": b"\x89PNG", "path": "a.png"}] * 2), "label": [0, 1]})
LARGE = pa.table({"image": pa.array([b"\x89PNG"], pa.large_binary())})
NAMES = [(kind.name, name) for kind in every_kind() for name in kind.built_in]


def picture(path: Path) -> None:
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)


def kind_of(source: object) -> str:
    kind, claim = recognise(source)
    assert claim.why
    return kind.name


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_a_built_in_name_is_of_its_kind_but_not_as_a_path(kind: str, name: str) -> None:
    assert kind_of(name) == kind
    with pytest.raises(DataError, match="nothing at"):
        recognise(Path(name))  # a Path is never a name


def test_built_in_names_are_of_one_kind_each_and_can_be_read() -> None:
    assert len({name for _, name in NAMES}) == len(NAMES)
    assert set(kind_named("pictures").built_in) == set(LOADERS)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "A.CSV", "a.csv.gz", "a.tsv.gz", "a.feather", "a.arrow"])
def test_files_with_a_tables_ending_are_tables(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert kind_of(tmp_path / name) == kind_of(str(tmp_path / name)) == "tables"


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "t10k-images-idx3-ubyte.gz", "a.png", "a.zip"])
def test_arrays_archives_and_picture_files_are_left_to_the_reader_of_pictures(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert kind_of(tmp_path / name) == "pictures"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("dgits", "Did you mean 'digits'?"),
        ("diabetis", "Did you mean 'diabetes'?"),
        ("peple.csv", "Did you mean 'people.csv'?"),
        ("a\0b", "nothing at"),
        ("x" * 5000, "not a usable path"),
        (
            "note.docx",
            "not recognised as pictures or tables or points or sounds or text or interactions. Give a folder",
        ),
    ],
)
def test_what_no_kind_takes_is_refused_with_what_is_near(
    source: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.csv").touch()
    (tmp_path / "note.docx").touch()
    with pytest.raises(DataError) as refused:
        recognise(source)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("table", "kind"), [(ROWS, "tables"), (ENCODED, "pictures"), (NESTED, "pictures"), (LARGE, "pictures")]
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
    assert kind_of(tmp_path / "a.parquet") == "tables"


def test_folders_of_pictures_are_pictures_even_with_a_table_beside_them(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    assert kind_of(folder) == "pictures"  # its reader says that it is empty
    pq.write_table(ROWS, folder / "labels.parquet")
    assert kind_of(folder) == "tables"
    picture(folder / "a.png")
    assert kind_of(folder) == "pictures"
    (folder / "a.png").unlink()
    (folder / "cats").mkdir()
    picture(folder / "cats" / "a.png")
    assert kind_of(folder) == "pictures"


@pytest.mark.parametrize("content", [b"", b"PAR1 but no more", b"\x00" * 200])
def test_parquet_that_cannot_be_read_is_no_traceback(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    assert kind_of(tmp_path / "a.parquet") == "pictures"
    for name in ("a.parquet", "missing.parquet"):
        with pytest.raises(DataError, match=name):
            gf.plan(tmp_path / name)


def test_a_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    pq.write_table(ROWS, tmp_path / "a.parquet")
    assert kind_of("~/a.parquet") == "tables"


def test_values_in_python_are_told_apart_by_what_they_are() -> None:
    frame = pd.DataFrame({"a": [1]})
    for value in (frame, pa.table({"a": [1]}), pa.table({"a": [1]}).to_batches()[0]):
        assert kind_of(value) == "tables"
    grey = np.zeros((4, 8, 8), np.uint8)
    for value in (grey, (grey, [0, 1, 0, 1]), list(grey), grey[..., None]):
        assert kind_of(value) == "pictures"
    with pytest.raises(DataError, match="A dict cannot be trained on"):
        recognise({"x": 1})


def test_a_kind_can_be_asked_for_and_then_says_itself_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="holds pictures for training"):
        gf.plan(tmp_path / "a.csv", kind="pictures")
    with pytest.raises(gf.RecipeError, match=r"no kind of data 'picture'. Did you mean 'pictures'\?"):
        gf.plan(tmp_path / "a.csv", kind="picture")
    with pytest.raises(gf.RecipeError, match="no task 'impute' for pictures"):
        gf.plan("digits8", kind="pictures", task="impute")


def test_of_several_kinds_the_strongest_claim_wins_and_a_tie_is_asked_about(
    tmp_path: Path,
) -> None:
    pictures, tables = kind_named("pictures"), kind_named("tables")
    (tmp_path / "a.txt").touch()
    strength = {"pictures": 3}

    def claim(source: object) -> Claim | None:
        return Claim(strength["pictures"], "it shows a cat")  # type: ignore[arg-type]

    both = [replace(pictures, recognises=claim), tables]
    assert recognise(tmp_path / "a.txt", both)[0].name == "pictures"
    strength["pictures"] = 1
    assert recognise(tmp_path / "a.txt", both)[0].name == "tables"
    strength["pictures"] = 2
    with pytest.raises(InputError) as asked:
        recognise(tmp_path / "a.txt", both)
    for words in ("because it shows a cat", "because its name ends with .txt", "--kind pictures or --kind tables"):
        assert words in str(asked.value)
