import itertools
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from table_frames import column_of, columns_of, source_of

from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.arrays import from_plain, to_plain
from ganforge.kinds.tables.reading.survey import survey_table

ROWS = 30
YEARS = (-(2**31), 2**32)  # 1901 to 2106, in seconds: what every unit holds
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
WHOLE = st.integers(-(2**53), 2**53)


def column(values: st.SearchStrategy[Any], dtype: Any, missing: bool = False) -> st.SearchStrategy[pd.Series]:
    cells = st.one_of(st.none(), values) if missing else values
    return st.lists(cells, min_size=ROWS, max_size=ROWS).map(lambda cells: pd.Series(cells, dtype=dtype))


def moments(unit: str, step: int, zone: str | None) -> st.SearchStrategy[pd.Series]:
    """In whole steps of so many microseconds."""

    def series(seconds: list[int | None]) -> pd.Series:
        counts = pd.Series(pd.array(seconds, "Int64")) * 1_000_000 // step * step
        naive = counts.astype("datetime64[us]")
        return (naive.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else naive).dt.as_unit(unit)

    cells = st.one_of(st.none(), st.integers(*YEARS))
    return st.lists(cells, min_size=ROWS, max_size=ROWS).map(series)


COLUMNS = {
    "int8": column(st.integers(-128, 127), "int8"),
    "int64": column(WHOLE, "int64"),
    "uint64": column(st.integers(0, 2**53), "uint64"),
    "Int64": column(WHOLE, "Int64", missing=True),
    "UInt8": column(st.integers(0, 255), "UInt8", missing=True),
    "float64": column(st.floats(allow_infinity=False), "float64"),
    "two decimals": column(st.integers(-(10**9), 10**9).map(lambda n: n / 100), "float64", missing=True),
    "float32": column(st.floats(width=32, allow_infinity=False), "float32"),
    "float32 with decimals": column(st.integers(-9999, 9999).map(lambda n: n / 10), "float32"),
    "Float64": column(st.floats(allow_infinity=False, allow_nan=False), "Float64", missing=True),
    "bool": column(st.booleans(), "bool"),
    "boolean": column(st.booleans(), "boolean", missing=True),
    "str": column(st.one_of(TEXT, st.sampled_from(["a", "b"])), "str", missing=True),
    "string": column(st.sampled_from(["a", "b", "c"]), "string", missing=True),
    "category": column(
        st.sampled_from(["low", "high"]), pd.CategoricalDtype(["low", "mid", "high"], ordered=True), missing=True
    ),
    "category of numbers": column(st.sampled_from([1, 3]), pd.CategoricalDtype([3, 2, 1]), missing=True),
    "category of truths": column(st.booleans(), pd.CategoricalDtype([True, False])),
    "ns": moments("ns", 1_000, None),
    "us": moments("us", 1, None),
    "minutes in s": moments("s", 60_000_000, None),
    "days with a zone": moments("us", 86_400_000_000, "Europe/Berlin"),
    "hours with an offset": moments("ms", 3_600_000_000, "UTC+05:30"),
    "date": column(st.dates(), pd.ArrowDtype(pa.date32()), missing=True),
    "exact": column(
        st.decimals(-999, 999, places=2, allow_nan=False), pd.ArrowDtype(pa.decimal128(10, 2)), missing=True
    ),
    "arrow": column(WHOLE, "int64[pyarrow]", missing=True),
    "nothing": st.just(pd.Series([None] * ROWS, dtype="object")),
}


@pytest.mark.parametrize("name", COLUMNS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_what_goes_to_plain_comes_back_the_same(name: str, data: st.DataObject) -> None:
    frame = data.draw(COLUMNS[name]).to_frame("value")
    columns = columns_of(frame)
    plain = to_plain(frame, columns)
    pd.testing.assert_frame_equal(from_plain(plain, columns), frame, check_exact=True)
    assert plain["value"].shape == (ROWS,)
    numeric = columns[0].kind in ("integer", "decimal", "datetime")
    assert plain["value"].dtype == (np.float64 if numeric else object)
    if not numeric:
        assert {type(value) for value in plain["value"]} <= {str, type(None)}


def test_the_largest_numbers_beside_decimals_come_back_the_same() -> None:
    frame = pd.DataFrame({"value": [1.79e308, -1.79e308, 2.0**53 + 2, 0.25, np.nan] * 4})
    columns = columns_of(frame)
    assert columns[0].decimals == 2
    pd.testing.assert_frame_equal(from_plain(to_plain(frame, columns), columns), frame, check_exact=True)


@settings(max_examples=10, deadline=None, phases=[Phase.generate])
@given(data=st.data(), names=st.lists(st.sampled_from(list(COLUMNS)), min_size=2, max_size=6, unique=True))
def test_columns_keep_their_order_side_by_side(data: st.DataObject, names: list[str]) -> None:
    frame = pd.DataFrame({name: data.draw(COLUMNS[name]) for name in names})
    columns = columns_of(frame)
    pd.testing.assert_frame_equal(from_plain(to_plain(frame, columns), columns), frame, check_exact=True)


CHANGES = [
    ("integer", "category"), ("decimal", "category"), ("datetime", "category"),
    ("identifier", "category"), ("identifier", "integer"), ("integer", "decimal"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "asked"), CHANGES)
def test_a_column_of_another_kind_than_found_comes_back_the_same(found: str, asked: Any) -> None:
    count = np.arange(ROWS)
    frame = pd.DataFrame(
        {
            "integer": count % 7,
            "decimal": np.where(count % 5, count % 7 / 8, np.nan),
            "datetime": pd.Series(pd.date_range("2020-01-01", periods=ROWS, freq="us", tz="Asia/Tokyo").as_unit("ns")),
            "category": np.where(count < 26, "x", "y"),
            "identifier": count,
        }
    )
    columns = list(columns_of(frame))
    place = list(frame).index(found)
    columns[place] = columns[place].model_copy(update={"kind": asked})
    columns = list(survey_table(source_of(frame), columns).columns)
    assert columns[place].kind == asked
    pd.testing.assert_frame_equal(from_plain(to_plain(frame, columns), columns), frame)


def test_texts_with_leading_zeros_can_be_learned_as_numbers() -> None:
    frame = pd.DataFrame({"zip": [f"{i * 37 % 90:03d}" for i in range(ROWS)], "x": np.arange(ROWS) % 4})
    zip_code, x = columns_of(frame)
    columns = survey_table(source_of(frame), [zip_code.model_copy(update={"kind": "integer"}), x]).columns
    plain = to_plain(frame, columns)
    assert plain["zip"][:3].tolist() == [0.0, 37.0, 74.0]
    pd.testing.assert_frame_equal(from_plain(plain, columns), frame)


def test_plain_units_are_those_of_the_contract() -> None:
    frame = pd.DataFrame(
        {
            "hour": pd.date_range("1970-01-02", periods=ROWS, freq="h"),
            "zone": pd.date_range("1970-01-02", periods=ROWS, freq="h", tz="UTC+02:00"),
            "truth": [True, False] * (ROWS // 2),
            "float32": np.array([0.1, 2.5, np.nan] * (ROWS // 3), "float32"),
        }
    )
    plain = to_plain(frame, columns_of(frame))
    assert plain["hour"][:2].tolist() == [24.0, 25.0] and plain["zone"][:2].tolist() == [22.0, 23.0]
    assert plain["truth"][:2].tolist() == ["True", "False"]
    assert plain["float32"][:2].tolist() == [0.1, 2.5] and np.isnan(plain["float32"][2])


def test_what_is_generated_is_rounded_as_the_column_writes_it() -> None:
    count = np.arange(ROWS)
    frame = pd.DataFrame({"n": count % 7, "x": count % 7 / 4, "day": pd.date_range("2020-01-01", periods=ROWS)})
    made = from_plain({"n": np.array([1.6]), "x": np.array([0.126]), "day": np.array([18262.4])}, columns_of(frame))
    assert made.iloc[0].tolist() == [2, 0.13, pd.Timestamp("2020-01-01")]


def test_values_that_a_column_cannot_hold_are_refused() -> None:
    whole = column_of(pd.Series(np.arange(ROWS) % 3))
    with pytest.raises(ValueError, match="no missing values"):
        from_plain({"value": np.array([1.0, np.nan])}, [whole])
    category = column_of(pd.Series(list("ab") * 15, dtype="category"))
    with pytest.raises(ValueError, match="'c' is not a category"):
        from_plain({"value": np.array(["a", "c"], object)}, [category])


def test_a_categorical_of_too_many_categories_gets_those_that_come() -> None:
    values = pd.Series([f"c{i:05d}" for i in range(3000)] * 2, dtype="category")
    column: Column = column_of(values)
    assert column.format is None
    made = from_plain({"value": np.array(["c00002", None, "c00001"], object)}, [column])["value"]
    assert made.tolist()[0] == "c00002" and list(made.cat.categories) == ["c00001", "c00002"]


def test_equal_texts_share_their_memory() -> None:
    frame = pd.DataFrame({"value": ["a long text that repeats", "another"] * 500})
    words = to_plain(frame, columns_of(frame))["value"]
    assert len({id(word) for word in words}) == 2
    assert all(a is b for a, b in itertools.pairwise(words[::2]))
