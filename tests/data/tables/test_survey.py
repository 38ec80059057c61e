import os
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from table_frames import column_of, columns_of, source_of

from ganforge.errors import DataError
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.arrays import from_plain, to_plain
from ganforge.kinds.tables.reading.source import open_source
from ganforge.kinds.tables.reading.survey import Distinct, survey_table

ROWS = 200
COUNT = np.arange(ROWS)
UUIDS = [str(uuid.UUID(int=i * 7**40 % 2**128)) for i in range(1, ROWS + 1)]
NAMES = [chr(97 + i % 20) + chr(97 + i // 20) for i in COUNT]
RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("age", COUNT % 50 + 17, {"kind": "integer", "minimum": 17, "maximum": 66, "distinct": 50}),
        ("few", COUNT % 2, {"kind": "integer", "distinct": 2}),
        ("whole", (COUNT % 50).astype(float), {"kind": "integer", "dtype": "float64"}),
        ("price", (COUNT % 70) / 4, {"kind": "decimal", "decimals": 2, "maximum": 17.25}),
        ("price32", (COUNT / 10).astype("float32"), {"kind": "decimal", "decimals": 1}),
        ("noise", RANDOM.normal(size=ROWS), {"kind": "decimal", "decimals": None}),
        ("huge", 1e300 * (1 + COUNT % 3), {"kind": "decimal", "decimals": 0}),
        ("id", COUNT / 8, {"kind": "decimal", "decimals": 3}),
        ("n", COUNT + 5, {"kind": "identifier", "minimum": 5, "maximum": 204}),
        ("shuffled", RANDOM.permutation(COUNT), {"kind": "identifier"}),
        ("customerID", COUNT**2, {"kind": "identifier"}),
        ("paid", COUNT**2, {"kind": "integer"}),
        ("customer_id", COUNT // 2, {"kind": "integer"}),
        ("far_id", 2**60 + COUNT**2, {"kind": "identifier"}),
        ("sex", np.where(COUNT % 2, "m", "f"), {"kind": "category", "distinct": 2}),
        ("code", [f"C-{i:06d}" for i in COUNT], {"kind": "identifier", "format": "C-{000000}", "maximum": 199}),
        (
            "uuid",
            UUIDS,
            {"kind": "identifier", "format": "uuid"},
        ),
        ("name", NAMES, {"kind": "identifier"}),
        ("text", [f"the {i % 120} words of a rather long text" for i in COUNT], {"kind": "identifier"}),
        ("truth", COUNT % 2 == 0, {"kind": "boolean"}),
        ("same", np.full(ROWS, 7), {"kind": "constant"}),
        ("same_text", np.full(ROWS, "x"), {"kind": "constant"}),
        ("day", pd.date_range("2020-01-01", periods=ROWS), {"kind": "datetime", "resolution": "D", "minimum": 18262}),
        ("hour", pd.date_range("2020-01-01", periods=ROWS, freq="h"), {"kind": "datetime", "resolution": "h"}),
        ("minute", pd.date_range("2020-01-01", periods=ROWS, freq="min"), {"kind": "datetime", "resolution": "min"}),
        ("ms", pd.date_range("2020-01-01", periods=ROWS, freq="ms"), {"kind": "datetime", "resolution": "ms"}),
        (
            "zone",
            pd.date_range("2020-01-01", periods=ROWS, freq="h", tz="Asia/Tokyo"),
            {"kind": "datetime", "zone": "Asia/Tokyo", "minimum": 18262 * 24 - 9},
        ),
    ],
)
def test_the_kind_is_what_a_person_would_say(name: str, values: Any, expected: dict[str, Any]) -> None:
    column = column_of(pd.Series(values), name)
    assert {key: getattr(column, key) for key in expected} == expected
    assert column.name == name and column.why and column.does and column.missing == 0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pd.Series(["x", None] * 100, dtype="str"), {"kind": "category", "missing": 100, "distinct": 1}),
        (pd.Series([None] * 200, dtype="object"), {"kind": "constant", "missing": 200, "distinct": 0}),
        (pd.Series([3.0, np.nan] * 100), {"kind": "category", "missing": 100}),
        (pd.Series([3.0, 4.0, np.nan, 5.0] * 50), {"kind": "integer", "missing": 50}),
        (pd.Series([True, None] * 100, dtype="boolean"), {"kind": "category"}),
        (pd.Series(pd.Categorical(map(str, COUNT))), {"kind": "category", "distinct": 200}),
    ],
)
def test_what_is_missing_is_counted_and_a_categorical_stays_one(values: Any, expected: dict[str, Any]) -> None:
    column = column_of(values)
    assert {key: getattr(column, key) for key in expected} == expected


def test_whole_numbers_that_cannot_be_learned_exactly_are_identifiers_where_none_comes_twice() -> None:
    far = 2**60 + np.random.default_rng(3).permutation(ROWS) ** 2
    survey = survey_table(source_of(pd.DataFrame({"tweet": far, "x": COUNT % 7})))
    assert survey.columns[0].kind == "identifier"
    assert any("'tweet' was taken for an identifier" in sentence for sentence in survey.passport["warnings"])


def test_short_floats_and_nanoseconds_are_understood() -> None:
    half = column_of(pd.Series((COUNT % 50 / 4).astype("float16")))
    assert half.kind == "decimal" and half.decimals == 2 and half.dtype == "float16"
    moments = column_of(pd.Series(pd.date_range("2020-01-01", periods=ROWS, freq="1500ns").as_unit("ns")))
    assert moments.resolution == "us" and "digits beyond are left out" in moments.does


def test_chunks_do_not_change_what_is_found() -> None:
    frame = pd.DataFrame({"n": COUNT, "x": RANDOM.normal(size=ROWS), "s": pd.Series(np.where(COUNT % 9, "a", None))})
    source = source_of(frame)
    in_pieces = source_of(frame)
    object.__setattr__(in_pieces, "read", lambda rows: source.read(7))
    one, many = survey_table(source), survey_table(in_pieces)
    assert one.columns == many.columns and one.rows == many.rows == ROWS


def test_the_hash_is_of_the_contents(tmp_path: Path) -> None:
    def digest(frame: pd.DataFrame, name: str = "t.parquet") -> str:
        frame.to_parquet(tmp_path / name)
        return survey_table(open_source(tmp_path / name)).sha256

    frame = pd.DataFrame({"a": COUNT % 5 / 2, "b": np.where(COUNT % 2, "x", "yz"), "c": COUNT % 3 == 0})
    first = digest(frame)
    assert first == digest(frame, "other.parquet") and len(first) == 64
    changes: list[tuple[str, Any]] = [("a", 99.5), ("a", np.nan), ("b", "xy"), ("b", None), ("c", True)]
    changed = [frame.copy() for _ in changes]
    for copy, (name, value) in zip(changed, changes, strict=True):
        copy.loc[1, name] = value
    others = [digest(copy) for copy in (*changed, frame[::-1].reset_index(drop=True), frame.rename(columns={"a": "d"}))]
    assert len({first, *others}) == 1 + len(others)


def test_distinct_values_are_counted_exactly_until_they_are_too_many() -> None:
    distinct = Distinct(most=1000)
    numbers = np.random.default_rng(0).integers(0, 900, 5000).astype(np.uint64)
    for part in np.array_split(numbers, 17):
        distinct.add(part, len(part))
    assert distinct.count == len(np.unique(numbers)) and not distinct.full and distinct.looked_at == 5000
    distinct.add(np.arange(5000, dtype=np.uint64), 5000)
    distinct.add(np.arange(9000, dtype=np.uint64), 9000)
    assert distinct.count == 1000 and distinct.full and distinct.looked_at == 10_000


def test_a_counter_beyond_what_is_counted_is_an_identifier_and_other_numbers_are_not() -> None:
    rows = 1_200_000
    frame = pd.DataFrame({"row": np.arange(rows), "x": np.arange(rows) * 7 % rows, "y": np.arange(rows) % 5})
    found = {column.name: column for column in survey_table(source_of(frame)).columns}
    assert [found[name].kind for name in frame] == ["identifier", "integer", "integer"]
    assert found["row"].distinct == 1_000_000 and found["row"].maximum == rows - 1


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pd.DataFrame({"a": range(5)}), "has 5 rows"),
        (pd.DataFrame({"a": COUNT, "b": 1}), "nothing to learn"),
        (pd.DataFrame({"a": np.where(COUNT == 20, np.inf, COUNT / 2)}), "column 'a' holds inf in row 21"),
        (pd.DataFrame({"a": np.where(COUNT == 20, 2**53 + 2, COUNT // 2)}), "'a' holds 9007199254740994 in row 21"),
    ],
)
def test_tables_that_cannot_be_learned_are_refused_with_column_and_row(frame: pd.DataFrame, words: str) -> None:
    with pytest.raises(DataError, match=words):
        survey_table(source_of(frame))


def test_the_passport_warns_of_what_may_be_a_mistake(tmp_path: Path) -> None:
    lines = ["1,when,3,4", *(f'{i % 7},0{i % 9 + 1}/02/2024,n{i},"1,5"' for i in range(50)), "1,2"]
    lines.append('n1,01/02/2024,n1,"2,5"')
    (tmp_path / "t.csv").write_text("\n".join(lines))
    passport = survey_table(open_source(tmp_path / "t.csv")).passport
    warnings = " ".join(passport["warnings"])
    assert "1 lines have too few or too many fields" in warnings and "line 52" in warnings
    assert "could have the day or the month first" in warnings
    assert "'3' was taken for an identifier, though 1 of its 51 values come again" in warnings
    assert passport["rows"] == 51 and passport["kinds"]["datetime"] == 1
    (tmp_path / "n.csv").write_text("\n".join(["0,1", *(f"{i},{(i + 1) % 3}" for i in range(1, 50))]))
    assert "names of the columns are numbers" in survey_table(open_source(tmp_path / "n.csv")).passport["warnings"][0]


@pytest.mark.shared
@pytest.mark.skipif("GANFORGE_SHARED_DATA" not in os.environ, reason="no shared data sets here")
def test_adult_is_six_numbers_and_nine_categories_and_comes_back() -> None:
    source = open_source(Path(os.environ["GANFORGE_SHARED_DATA"], "adult", "adult.csv"))
    survey = survey_table(source)
    assert survey.rows == 32_561 and survey.passport["kinds"] == {"integer": 6, "category": 9}
    workclass = {column.name: column for column in survey.columns}["workclass"]
    assert workclass.missing == 0 and workclass.distinct == 9  # "?" is one of them
    for chunk in source.chunks():
        pd.testing.assert_frame_equal(from_plain(to_plain(chunk, survey.columns), survey.columns), chunk)


# ---- corrections ----------------------------------------------------------------------------------------------------

FRAME = pd.DataFrame(
    {
        "age": COUNT % 50,
        "price": (COUNT % 70) / 4,
        "day": pd.date_range("2020-01-01", periods=ROWS),
        "zip": [f"{i % 90:03d}" for i in COUNT],
        "key": COUNT,
        "sex": np.where(COUNT % 2, "m", "f"),
    }
)
FOUND = {column.name: column for column in columns_of(FRAME)}


def asked(name: str, **changes: Any) -> Column:
    column = FOUND[name].model_copy(update=changes)
    return {c.name: c for c in survey_table(source_of(FRAME), [column]).columns}[name]


def test_a_plan_that_was_not_edited_changes_nothing() -> None:
    assert survey_table(source_of(FRAME), list(FOUND.values())).columns == tuple(FOUND.values())


def test_what_a_person_set_wins() -> None:
    category = asked("age", kind="category")
    assert category.kind == "category" and category.minimum == 0 and "you asked for it" in category.why
    assert asked("key", kind="integer").kind == "integer" and asked("age", kind="decimal").decimals == 0
    wider = asked("price", minimum=-5.0, decimals=1)
    assert (wider.minimum, wider.maximum, wider.decimals) == (-5.0, 17.25, 1)
    number = asked("zip", kind="integer")
    assert (number.dtype, number.minimum, number.maximum, number.format) == ("str", 0, 89, "000")
    hours = asked("day", resolution="h")
    assert (hours.minimum, hours.maximum) == (18262 * 24, (18262 + ROWS - 1) * 24)


def test_counts_and_types_are_those_of_the_data_whatever_a_plan_says() -> None:
    column = asked("age", missing=77, distinct=3, dtype="float16")
    assert column == FOUND["age"]


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("sex", {"kind": "integer"}, "'sex' cannot be an integer: row 1 holds 'f'"),
        ("price", {"kind": "integer"}, "'price' cannot be an integer: row 2 holds '0.25'"),
        ("sex", {"kind": "datetime"}, "'sex' cannot be a datetime: row 1"),
        ("age", {"kind": "boolean"}, "'age' cannot be a boolean"),
        ("age", {"kind": "constant"}, "'age' cannot be a constant: row 2 holds '1'"),
        ("age", {"kind": "identifier"}, "'age' cannot be an identifier: row 51 holds '0'"),
        ("price", {"kind": "identifier"}, "'price' cannot be an identifier"),
        ("age", {"minimum": 5}, "'age' cannot have the minimum 5: row 1 holds '0'"),
        ("age", {"maximum": 30}, "'age' cannot have the maximum 30: row 32 holds '31'"),
        ("day", {"maximum": 18300}, "'day' cannot have the maximum 18300: row 40 holds '2020-02-09"),
    ],
)
def test_what_the_data_cannot_be_is_refused_with_the_first_row(name: str, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        asked(name, **changes)


def test_a_column_that_is_not_there_gets_a_suggestion() -> None:
    with pytest.raises(DataError, match="Did you mean 'price'"):
        survey_table(source_of(FRAME), [FOUND["price"].model_copy(update={"name": "prize"})])


def test_the_pattern_of_an_identifier_can_be_set() -> None:
    texts = pd.Series(NAMES)
    found = column_of(texts)
    assert found.format == "value-{000000}" and "value-000001" in found.does
    frame = texts.to_frame("value").assign(x=COUNT % 3)
    wanted = found.model_copy(update={"format": "person {000}"})
    assert survey_table(source_of(frame), [wanted]).columns[0].format == "person {000}"
    with pytest.raises(DataError, match="cannot have the pattern 'person'"):
        survey_table(source_of(frame), [found.model_copy(update={"format": "person"})])
