import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_frames import columns_of
from test_source import frame as every_type

from ganforge.errors import InputError, StorageError
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.arrays import from_plain, to_plain
from ganforge.kinds.tables.reading.source import open_source
from ganforge.kinds.tables.reading.survey import survey_table
from ganforge.kinds.tables.reading.write import write_table

ROWS = 40
COUNT = np.arange(ROWS)


def chunks(frame: pd.DataFrame, rows: int = 16) -> Iterator[pd.DataFrame]:
    for first in range(0, len(frame), rows):
        yield frame.iloc[first : first + rows].reset_index(drop=True)


def cells() -> dict[str, list[str]]:
    """A text for each way of writing."""
    days = pd.date_range("2023-12-25", periods=ROWS, freq="31h")
    return {
        "number": [str(i % 7) for i in COUNT],
        "holes": ["" if i % 3 else str(i % 5) for i in COUNT],
        "two": [f"{i % 9 / 4:.2f}" for i in COUNT],
        "one": [f"{i % 9}.0" for i in COUNT],
        "least": [repr(float(i % 9 / 4)) for i in COUNT],
        "zeros": [f"{i % 9:03d}" for i in COUNT],
        "truth": ["true" if i % 3 else "false" for i in COUNT],
        "Truth": ["True" if i % 3 else "" for i in COUNT],
        "yes": ["yes" if i % 3 else "no" for i in COUNT],
        "day": days.strftime("%Y-%m-%d").tolist(),
        "german": days.strftime("%d.%m.%Y").tolist(),
        "american": [f"{d.month}/{d.day}/{d.year}" for d in days],
        "time": days.strftime("%Y-%m-%d %H:%M").tolist(),
        "ms": [d.strftime("%Y-%m-%dT%H:%M:%S.") + "250" for d in days],
        "utc": days.strftime("%Y-%m-%dT%H:%M:%SZ").tolist(),
        "us": [d.strftime("%Y-%m-%dT%H:%M:%S.%f") + "-03:30" for d in days],
        "text": [['a, "b"', "new\nline", "?", "ä;|"][i % 4] for i in COUNT],
        "a name, quoted": [f"k{i:04d}" for i in COUNT],
        "same": ["7"] * ROWS,
    }


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz", "t.tsv.gz"])
def test_a_text_file_through_plain_and_back_is_the_same_to_the_byte(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    pd.DataFrame(cells(), dtype="str").to_csv(
        path, index=False, sep="\t" if "tsv" in name else ",", lineterminator="\n", compression="infer"
    )
    source = open_source(path)
    columns = survey_table(source).columns
    made = (from_plain(to_plain(chunk, columns), columns) for chunk in source.chunks(16))
    out = write_table(made, tmp_path / f"out_{name}", columns, force=False)
    opened = gzip.open if name.endswith(".gz") else open
    with opened(path, "rb") as was, opened(out, "rb") as now:  # type: ignore[operator]
        assert now.read() == was.read()


@pytest.mark.parametrize("suffix", ["parquet", "feather", "arrow"])
def test_every_pandas_type_comes_back_from_what_is_written(tmp_path: Path, suffix: str) -> None:
    frame = every_type()
    out = write_table(chunks(frame), tmp_path / f"t.{suffix}", columns_of(frame), force=False)
    read = pd.concat(open_source(out).chunks(), ignore_index=True)
    pd.testing.assert_frame_equal(read, frame)
    other = pd.read_parquet(out) if suffix == "parquet" else pd.read_feather(out)
    pd.testing.assert_frame_equal(other, frame)


def test_moments_without_a_form_are_written_to_their_resolution(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "day": pd.date_range("2020-01-01", periods=ROWS),
            "hour": pd.date_range("2020-01-01", periods=ROWS, freq="h"),
            "ms": pd.date_range("2020-01-01", periods=ROWS, freq="250ms").as_unit("ns"),
            "zone": pd.date_range("2020-01-01", periods=ROWS, freq="h", tz="Asia/Tokyo"),
        }
    )
    write_table([frame], tmp_path / "t.csv", columns_of(frame), force=False)
    assert (tmp_path / "t.csv").read_text().splitlines()[2] == (
        "2020-01-02,2020-01-01 01:00:00,2020-01-01 00:00:00.250,2019-12-31T16:00:00Z"
    )


def test_categories_that_are_not_known_beforehand_are_written(tmp_path: Path) -> None:
    column = Column(name="c", kind="category", dtype="category")
    parts = [pd.DataFrame({"c": pd.Categorical(part)}) for part in (["b", "a"], ["c", None])]
    for suffix in ("csv", "parquet", "feather"):
        out = write_table(iter(parts), tmp_path / f"t.{suffix}", [column], force=False)
        read = pd.concat(open_source(out).chunks())["c"]
        assert read.astype("object").where(read.notna(), None).tolist() == ["b", "a", "c", None]


@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=5)))
def test_any_text_is_quoted_so_that_others_read_it(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    frame = pd.DataFrame({"a": pd.Series(texts, dtype="str"), "b": pd.Series(texts[::-1], dtype="str")})
    columns = [Column(name=name, kind="category", dtype="str") for name in frame]
    out = write_table([frame], tmp_path_factory.mktemp("q") / "t.csv", columns, force=False)
    pd.testing.assert_frame_equal(pd.read_csv(out, dtype="str", keep_default_na=False), frame)


def test_a_missing_value_in_an_only_column_is_still_a_row(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": pd.Series(["x", None, "y"], dtype="str")})
    out = write_table([frame], tmp_path / "t.csv", [Column(name="a", kind="category", dtype="str")], force=False)
    assert len(pd.concat(open_source(out).chunks())) == 3


SIMPLE = pd.DataFrame({"a": [1, 2, 3] * 10})


def broken() -> Iterator[pd.DataFrame]:
    yield SIMPLE
    raise RuntimeError("the generator is tired")


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet", "t.feather"])
def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, name: str) -> None:
    place, columns = tmp_path / name, columns_of(SIMPLE)
    write_table([SIMPLE], place, columns, force=False)
    before = place.read_bytes()
    with pytest.raises(RuntimeError, match="tired"):
        write_table(broken(), place, columns, force=True)
    assert place.read_bytes() == before and list(tmp_path.iterdir()) == [place]


def untouched() -> Iterator[pd.DataFrame]:
    raise AssertionError("asked for rows that cannot be written")
    yield SIMPLE


@pytest.mark.parametrize(
    ("name", "words"),
    [("t.xlsx", "cannot be written as 't.xlsx'"), ("t", "cannot be written"), ("t.parqet", "Did you mean '.parquet'"),
     ("there.csv", "exists already"), ("folder.csv", "is a folder")],
)  # fmt: skip
def test_a_place_that_cannot_be_is_refused_before_anything_is_generated(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "there.csv").write_text("precious")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match=words):
        write_table(untouched(), tmp_path / name, columns_of(SIMPLE), force=False)
    assert (tmp_path / "there.csv").read_text() == "precious"


def test_force_replaces_and_what_the_system_refuses_is_said(tmp_path: Path) -> None:
    columns = columns_of(SIMPLE)
    (tmp_path / "there.csv").write_text("old")
    assert write_table([SIMPLE], tmp_path / "there.csv", columns, force=True).read_text().startswith("a\n1\n2\n")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not be written"):
        write_table([SIMPLE], tmp_path / "file" / "t.csv", columns, force=False)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "feather"])
def test_no_rows_at_all_are_a_table_with_its_columns_and_types(tmp_path: Path, suffix: str) -> None:
    frame = every_type()
    out = write_table(iter(()), tmp_path / f"t.{suffix}", columns_of(frame), force=False)
    if suffix == "csv":
        assert out.read_text() == ",".join(frame.columns) + "\n"
    else:
        read = pd.read_parquet(out) if suffix == "parquet" else pd.read_feather(out)
        assert len(read) == 0 and read.columns.tolist() == frame.columns.tolist()
        kept = [name for name in frame if name not in ("ordered", "unused")]  # dictionaries without a value
        assert read[kept].dtypes.equals(frame[kept].dtypes)


def test_only_the_columns_that_are_asked_for_are_written_in_their_order(tmp_path: Path) -> None:
    frame: Any = pd.DataFrame({"a": COUNT % 3, "b": COUNT % 4, "c": COUNT % 5})
    a, _, c = columns_of(frame)
    for suffix in ("csv", "parquet"):
        out = write_table([frame], tmp_path / f"t.{suffix}", [c, a], force=False)
        assert open_source(out).column_names == ("c", "a")
