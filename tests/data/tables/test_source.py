import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ganforge.errors import DataError
from ganforge.kinds.tables import BUILT_IN
from ganforge.kinds.tables.reading.source import open_source

SHAPES = ((442, 11), (178, 14), (569, 31))


def frame(rows: int = 60) -> pd.DataFrame:
    """Every type that pandas keeps in a Parquet file, with and without missing values."""
    count = np.arange(rows)
    holes = count % 7 == 0
    return pd.DataFrame(
        {
            "int8": (count % 100).astype("int8"),
            "uint32": count.astype("uint32"),
            "Int64": pd.array(count, "Int64"),
            "holes": pd.array(np.where(holes, None, count), "Int16"),
            "float32": (count / 10).astype("float32"),
            "float64": np.where(holes, np.nan, count / 4),
            "Float64": pd.array(count / 8, "Float64"),
            "bool": count % 2 == 0,
            "boolean": pd.array(np.where(holes, None, count % 2 == 0), "boolean"),
            "str": pd.Series(np.where(holes, None, "x"), dtype="str"),
            "string": pd.array(np.where(holes, None, "y"), "string"),
            "ordered": pd.Categorical.from_codes(count % 3, ["low", "mid", "high"], ordered=True),
            "unused": pd.Categorical.from_codes(np.where(holes, -1, count % 2), ["b", "a", "never"]),
            "ns": pd.Series(pd.date_range("2020-01-01", periods=rows, freq="h")).astype("datetime64[ns]"),
            "us": pd.Series(pd.date_range("2020-01-01", periods=rows, freq="min")).astype("datetime64[us]"),
            "zone": pd.Series(pd.date_range("2020-03-29", periods=rows, freq="h", tz="Europe/Berlin")),
            "arrow": pd.array(count, "int64[pyarrow]"),
        }
    )


def whole(source: str | Path, rows: int = 7) -> pd.DataFrame:
    return pd.concat(open_source(source).chunks(rows), ignore_index=True)


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
@pytest.mark.parametrize("rows", [7, 60, 1000])
def test_every_pandas_type_comes_back_from_a_file_in_chunks_of_any_size(tmp_path: Path, suffix: str, rows: int) -> None:
    path = tmp_path / f"t.{suffix}"
    if suffix == "parquet":
        frame().to_parquet(path, row_group_size=25)
    else:
        frame().to_feather(path)
    pd.testing.assert_frame_equal(whole(path, rows), frame())


def test_chunks_come_again_and_have_the_size_that_was_asked_for(tmp_path: Path) -> None:
    frame().to_parquet(tmp_path / "t.parquet", row_group_size=25)
    source = open_source(tmp_path / "t.parquet")
    assert [len(chunk) for chunk in source.chunks(16)] == [16, 16, 16, 12] == [len(c) for c in source.chunks(16)]
    assert source.column_names == tuple(frame().columns)
    assert len({tuple(map(str, chunk.dtypes)) for chunk in source.chunks(4)}) == 1


def test_a_row_index_is_left_out_but_a_named_one_is_a_column(tmp_path: Path) -> None:
    given = pd.DataFrame({"a": range(4)}, index=[4, 7, 9, 1])
    given.to_parquet(tmp_path / "t.parquet")
    assert open_source(tmp_path / "t.parquet").column_names == ("a",)
    given.rename_axis("key").to_parquet(tmp_path / "k.parquet")
    assert whole(tmp_path / "k.parquet")["key"].tolist() == [4, 7, 9, 1]


def test_files_that_pandas_did_not_write_become_what_holds_every_value(tmp_path: Path) -> None:
    table = pa.table(
        {
            "whole": pa.array([1, None, 3]),
            "truth": pa.array([True, None, False]),
            "day": pa.array([0, 1, None], pa.date32()),
            "exact": pa.array(["1.50", "2.25", None]).cast(pa.decimal128(10, 2)),
            "nothing": pa.nulls(3),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    read = whole(tmp_path / "t.parquet", 1)
    assert [str(dtype) for dtype in read.dtypes] == [
        "Int64", "boolean", "date32[day][pyarrow]", "decimal128(10, 2)[pyarrow]", "object",
    ]  # fmt: skip
    assert pa.Table.from_pandas(read, preserve_index=False).cast(table.schema).equals(table)


def test_missing_values_are_found_where_a_file_has_no_statistics(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": pa.array([1, 2, None])}), tmp_path / "t.parquet", write_statistics=False)
    assert str(whole(tmp_path / "t.parquet")["a"].dtype) == "Int64"


def test_parts_are_one_table_with_one_set_of_categories(tmp_path: Path) -> None:
    parts = [pd.Categorical(["b", "a"]), pd.Categorical(["c", "b"])]
    for number, part in enumerate(parts):
        pd.DataFrame({"x": part}).to_parquet(tmp_path / f"{number}.parquet")
    (tmp_path / "_SUCCESS").write_text("")
    source = open_source(tmp_path)
    chunks = list(source.chunks(1))
    assert [chunk["x"][0] for chunk in chunks] == ["b", "a", "c", "b"] and source.facts["parts"] == 2
    assert {tuple(chunk["x"].cat.categories) for chunk in chunks} == {("a", "b", "c")}


def test_categories_of_numbers_stay_categories(tmp_path: Path) -> None:
    given = pd.DataFrame({"x": pd.Categorical([3, 1, 3])})
    given.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(whole(tmp_path / "t.parquet", 2), given)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({"a": [1], "c": ["x"]}, r"part '2.parquet' lacks 'b' and adds 'c'"),
        ({"a": [1]}, r"part '2.parquet' lacks 'b'"),
        ({"a": ["1"], "b": ["x"]}, r"column 'a' is string in the part '2.parquet', but int64 in '1.parquet'"),
    ],
)
def test_a_part_that_differs_is_named_with_its_columns(
    tmp_path: Path, second: dict[str, list[object]], words: str
) -> None:
    pd.DataFrame({"a": [1], "b": ["x"]}).to_parquet(tmp_path / "1.parquet")
    pd.DataFrame(second).to_parquet(tmp_path / "2.parquet")
    with pytest.raises(DataError, match=words):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (pa.array([[1], [2]]), "lists"),
        (pa.array([{"a": 1}, {"a": 2}]), "dictionaries"),
        (pa.array([b"a", b"b"]), "bytes"),
    ],
)
def test_columns_that_no_table_has_are_refused_by_name(tmp_path: Path, values: pa.Array, what: str) -> None:
    pq.write_table(pa.table({"fine": [1, 2], "odd": values}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=rf"column 'odd' .* holds .*{what}"):
        open_source(tmp_path / "t.parquet")


def test_duplicate_empty_and_columnless_tables_are_refused(tmp_path: Path) -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    pq.write_table(twice, tmp_path / "twice.parquet")
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "empty.parquet")
    pd.DataFrame(index=range(3)).to_parquet(tmp_path / "none.parquet")
    (tmp_path / "folder").mkdir()
    for name, words in [
        ("twice.parquet", "several columns of the name 'a'"),
        ("empty.parquet", "no rows"),
        ("none.parquet", "no columns"),
        ("folder", "no .parquet files"),
    ]:
        with pytest.raises(DataError, match=words):
            open_source(tmp_path / name)


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_a_damaged_file_is_said_in_words(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    getattr(frame(), f"to_{suffix}")(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=rf"t\.{suffix}' cannot be read as a table"):
        whole(path)


def test_a_part_that_is_damaged_after_its_footer_is_said_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": np.random.default_rng(0).random(5000)}).to_parquet(path)
    content = bytearray(path.read_bytes())
    content[4:64] = b"\xff" * 60
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as a table"):
        whole(path)


def test_a_missing_file_and_a_strange_name_are_explained(tmp_path: Path) -> None:
    (tmp_path / "adult.csv").write_text("a\n1\n")
    (tmp_path / "note.doc").write_text("a\n1\n")
    with pytest.raises(DataError, match=r"Did you mean .*adult\.csv"):
        open_source(tmp_path / "adlt.csv")
    with pytest.raises(DataError, match="Did you mean 'wine'"):
        open_source("wein")
    with pytest.raises(DataError, match="not a table by its name"):
        open_source(tmp_path / "note.doc")


def test_a_name_that_no_system_allows_is_refused_too() -> None:
    with pytest.raises(DataError, match="cannot be read as a table"):
        open_source("x" * 5000 + ".csv")


@pytest.mark.parametrize(("name", "shape"), list(zip(BUILT_IN, SHAPES, strict=True)))
def test_built_in_tables_have_their_classes_by_name(name: str, shape: tuple[int, int]) -> None:
    read = whole(name, 100)
    assert read.shape == shape
    expected = {"diabetes": None, "wine": {"class_0", "class_1", "class_2"}, "breast_cancer": {"malignant", "benign"}}
    assert expected[name] is None or set(read["target"]) == expected[name]


def test_memory_does_not_grow_with_the_number_of_rows(tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        path = tmp_path / f"{rows}.parquet"
        schema = pa.schema([("a", pa.float64()), ("b", pa.string())])
        with pq.ParquetWriter(path, schema) as writer:  # one row group of all rows
            column = pa.chunked_array([pa.array(np.arange(rows) / 3)])
            writer.write_table(pa.table({"a": column, "b": pa.array(["word"]).take(pa.array(np.zeros(rows, int)))}))
        before = pa.total_allocated_bytes()
        pool_peak = 0
        tracemalloc.start()
        for _ in open_source(path).chunks(10_000):
            pool_peak = max(pool_peak, pa.total_allocated_bytes() - before)
        python = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return pool_peak + python

    peak(1_000)
    small, large = peak(100_000), peak(1_000_000)
    assert large < 2 * small + 4_000_000 and large < 1_000_000 * 8  # bytes: less than half of the table
