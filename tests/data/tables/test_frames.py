"""Every dtype of pandas, and every type of Arrow: it comes back as it was, or is refused with what to do."""

import datetime
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ganforge.errors import DataError
from ganforge.kinds.tables import keep
from ganforge.kinds.tables.reading.arrays import from_plain, to_plain
from ganforge.kinds.tables.reading.frames import as_objects
from ganforge.kinds.tables.reading.source import open_source
from ganforge.kinds.tables.reading.survey import survey_table
from ganforge.kinds.tables.reading.write import write_table

ROWS = 42
COUNT = np.arange(ROWS)
DAYS = pd.date_range("2024-01-01", periods=ROWS)
DATES = [day.date() for day in DAYS]
DECIMALS = [Decimal(int(number) * 125).scaleb(-2) for number in COUNT]
HOURS = [datetime.time(int(number % 24)) for number in COUNT]


def objects(values: Any) -> Any:
    return pd.Series([None if place % 5 == 4 else value for place, value in enumerate(values)], dtype=object)


def arrow(values: Any, kind: pa.DataType) -> Any:
    return pd.Series(pd.array(list(values), dtype=pd.ArrowDtype(kind)))


def categories(values: Any, ordered: bool = False) -> Any:
    return pd.Series(pd.Categorical(values, ordered=ordered))


KEPT = {
    "Decimal": objects(DECIMALS),
    "date": objects(DATES),
    "datetime": objects(DAYS.to_pydatetime()),
    "datetime of a zone": objects(DAYS.tz_localize("UTC").to_pydatetime()),
    "text": objects([f"k{number % 3}" for number in COUNT]),
    "int": objects(COUNT.tolist()),
    "float": objects((COUNT / 4).tolist()),
    "bool": objects((COUNT % 2 == 0).tolist()),
    "nothing": pd.Series([None] * ROWS, dtype=object),
    "Int16": pd.Series(pd.array(np.where(COUNT % 5, COUNT, None), "Int16")),
    "UInt8": pd.Series(pd.array(COUNT % 9, "UInt8")),
    "Float32": pd.Series(pd.array(COUNT / 4, "Float32")),
    "boolean": pd.Series(pd.array(np.where(COUNT % 5, COUNT % 2 == 0, None), "boolean")),
    "string": pd.Series(pd.array([f"k{number % 3}" for number in COUNT], "string")),
    "float16": pd.Series(COUNT.astype("float16")),
    "datetime64[s]": pd.Series(DAYS.as_unit("s")),
    "datetime64[s] of a zone": pd.Series(DAYS.as_unit("s").tz_localize("Europe/Berlin")),
    "arrow text": arrow([f"k{number % 3}" for number in COUNT], pa.string()),
    "arrow long text": arrow([f"k{number % 3}" for number in COUNT], pa.large_string()),
    "arrow int": arrow(COUNT, pa.int32()),
    "arrow float": arrow((COUNT / 4).astype("float16"), pa.float16()),
    "arrow bool": arrow(COUNT % 2 == 0, pa.bool_()),
    "arrow date": arrow(DATES, pa.date32()),
    "arrow date64": arrow(DATES, pa.date64()),
    "arrow decimal": arrow(DECIMALS, pa.decimal128(10, 2)),
    "arrow time": arrow(DAYS.tz_localize("UTC"), pa.timestamp("ms", "UTC")),
    "arrow nothing": arrow([None] * ROWS, pa.null()),
    "category": categories([f"k{number % 3}" for number in COUNT], ordered=True),
    "category of int8": categories((COUNT % 3).astype("int8")),
    "category of Int64": categories(pd.array(COUNT % 3, "Int64")),
    "category of arrow text": categories(pd.array(["b", "a"] * (ROWS // 2), pd.ArrowDtype(pa.string()))),
    "category of float": categories(COUNT % 3 / 2),
    "category of bool": categories(COUNT % 3 == 0),
    "category of string": categories(pd.array([f"k{number % 3}" for number in COUNT], "string")),
    "category of objects": categories(pd.Index(["b", "a"], dtype=object).take(COUNT % 2)),
    "category of nothing": categories([None] * ROWS),
    "category of intervals": pd.Series(pd.cut(COUNT, 4)),
    "category of whole intervals": pd.Series(pd.cut(COUNT, [0, 10, 20, 50], right=False)),
    "category of quantiles": pd.Series(pd.qcut(COUNT**1.5, 5)),
    "timedelta64[ns]": pd.Series(pd.to_timedelta(COUNT * 90, "min").as_unit("ns")),
    "timedelta64[s] with holes": pd.Series(pd.to_timedelta(np.where(COUNT % 5, COUNT, np.nan), "h").as_unit("s")),
    "timedelta": objects([datetime.timedelta(hours=int(number)) for number in COUNT]),
    "arrow duration": arrow(pd.to_timedelta(COUNT, "h"), pa.duration("s")),
    "time": objects(HOURS),
    "arrow time of day": arrow(HOURS, pa.time64("us")),
    "arrow time of day in s": arrow(HOURS, pa.time32("s")),
    "period of days": pd.Series(DAYS.to_period("D")),
    "period of months": pd.Series(pd.period_range("2020-01", periods=ROWS, freq="M")),
    "period of quarters with holes": pd.Series(pd.period_range("2020-01", periods=ROWS, freq="Q")).where(COUNT % 5 > 0),
}
REFUSED = {
    "categories that are intervals": (
        categories([*pd.interval_range(DAYS[0], DAYS[-1]), None]),
        r"rename_categories\(str\)",
    ),
    "periods": (pd.Series(DAYS.to_period("D")).astype(object), r"\.dt\.to_timestamp\(\)"),
    "intervals": (pd.Series(pd.arrays.IntervalArray.from_breaks(range(ROWS + 1))), r"\.astype\('str'\)"),
    "categories that are dates": (categories(DAYS), r"rename_categories\(str\)"),
    "categories that are exact decimals": (categories(DECIMALS), r"rename_categories\(str\)"),
    "categories that are lengths of time": (categories(pd.to_timedelta(COUNT, "h")), r"rename_categories\(str\)"),
    "categories that are periods": (categories(DAYS.to_period("D")), r"rename_categories\(str\)"),
    "categories that are values of several types": (categories([(1, 2)] * ROWS), r"rename_categories\(str\)"),
    "values of several types": (pd.Series([1, "x"] * (ROWS // 2), dtype=object), "one type"),
    "lists": (pd.Series([[1]] * ROWS), "column of each element"),
    " lists": (arrow([[1]] * ROWS, pa.list_(pa.int64())), "column of each element"),
    "lists ": (pd.Series([np.zeros(2)] * ROWS), "column of each element"),
    "dictionaries": (pd.Series([{"a": 1}] * ROWS), "column of each key"),
    " dictionaries": (arrow([{"a": 1}] * ROWS, pa.struct([("a", pa.int64())])), "column of each key"),
    "texts in a form": (arrow(["a"] * ROWS, pa.string_view()), r"\.astype\('str'\)"),
    "bytes": (pd.Series([b"a"] * ROWS), r"\.str\.decode"),
    " bytes": (arrow([b"a"] * ROWS, pa.binary()), r"\.str\.decode"),
    "complex numbers": (pd.Series(COUNT + 1j), r"\.real and \.imag"),
    "complex numbers ": (pd.Series([1j] * ROWS, dtype=object), r"\.real and \.imag"),
    "sparse values": (pd.Series(pd.arrays.SparseArray(COUNT % 3)), r"\.sparse\.to_dense\(\)"),
    "identifiers in binary form": (pd.Series([uuid.UUID(int=1)] * ROWS), r"\.astype\('str'\)"),
    "values that are stored as codes": (
        pd.Series(pd.arrays.ArrowExtensionArray(pa.array(["a", "b"] * (ROWS // 2)).dictionary_encode())),
        r"\.astype\('category'\)",
    ),
    "exact decimals without": (arrow([Decimal(100)] * ROWS, pa.decimal128(10, -2)), "decimal128"),
    " exact decimals of another width": (pd.Series([Decimal("1" * 45)] * ROWS), "decimal128"),
    "moments with a zone and others without": (
        pd.Series([DAYS[0].to_pydatetime(), DAYS.tz_localize("UTC")[0].to_pydatetime()] * (ROWS // 2), dtype=object),
        "Give all of them a zone",
    ),
    "exact decimals of another width": (arrow(DECIMALS, pa.decimal256(50, 2)), "decimal128"),
}


@pytest.mark.parametrize("name", KEPT)
def test_a_column_comes_back_from_a_frame_and_from_a_file_as_it_was(name: str, tmp_path: Path) -> None:
    given = pd.DataFrame({"odd": KEPT[name], "fine": COUNT % 3})
    source = open_source(keep(given, tmp_path))
    columns = survey_table(source).columns
    read = pd.concat(source.chunks(16), ignore_index=True)
    made = from_plain(to_plain(read, columns), columns)
    for frame in (as_objects(read, columns), as_objects(made, columns)):
        pd.testing.assert_frame_equal(frame, given)
    parts = (made.iloc[first : first + 16].reset_index(drop=True) for first in range(0, ROWS, 16))
    out = write_table(parts, tmp_path / "out.parquet", columns, force=False)
    if name in ("Decimal", "date"):  # of all objects pandas itself restores these
        pd.testing.assert_frame_equal(pd.read_parquet(out), given)
        again = survey_table(open_source(out)).columns
        assert again[0].dtype == columns[0].dtype


@pytest.mark.parametrize("what", REFUSED)
def test_a_column_that_cannot_be_read_is_named_with_its_dtype_and_what_to_do(what: str, tmp_path: Path) -> None:
    values, do = REFUSED[what]
    with pytest.raises(DataError, match=rf"^The column 'odd' of type \S.* holds {what.strip()}.*{do}") as caught:
        keep(pd.DataFrame({"odd": values, "fine": COUNT}), tmp_path)
    shown = str(values.dtype) if values.dtype != "category" else f"category of {values.cat.categories.dtype}"
    assert f" of type {shown} " in caught.value.what and "table.parquet" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (pa.array([[1], [2]], pa.list_(pa.int64(), 1)), "lists"),
        (pa.array([b"a", b"b"], pa.binary_view()), "bytes"),
    ],
)
def test_tables_of_arrow_and_polars_are_refused_in_the_same_words(values: pa.Array, what: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"^The column 'odd' of type .* cannot be read: it holds {what}"):
        keep(pa.table({"fine": [1, 2], "odd": values}), tmp_path)


def test_names_of_several_levels_are_refused_with_the_line_that_joins_them(tmp_path: Path) -> None:
    given = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]))
    with pytest.raises(DataError, match=r"names of 2 levels, such as \('a', 'x'\).*frame\.columns = "):
        keep(given, tmp_path)


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (pd.Index(COUNT, name="key"), "index 'key' was left out"),
        (pd.MultiIndex.from_arrays([COUNT, COUNT], names=["a", "b"]), "index 'a' and 'b' was left out"),
        (DAYS, "index of texts or dates was left out"),
        (pd.Index(COUNT[::-1]), None),
    ],
)
def test_an_index_that_means_something_is_left_out_and_said(index: Any, words: str | None, tmp_path: Path) -> None:
    given = pd.DataFrame({"a": COUNT % 3}).set_index(index)
    source = open_source(keep(given, tmp_path))
    assert source.column_names == ("a",)
    warnings = survey_table(source).passport["warnings"]
    assert any(words in warning for warning in warnings) if words else not warnings
