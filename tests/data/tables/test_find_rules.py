import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ganforge.kinds.tables.columns import Column, ColumnKind
from ganforge.kinds.tables.rules import discovery as module
from ganforge.kinds.tables.rules.checks import check_rules
from ganforge.kinds.tables.rules.discovery import find_rules
from ganforge.kinds.tables.rules.rule_text import parse_rules
from ganforge.kinds.tables.rules.rules import rule_in_words

SHARED = Path(os.environ.get("GANFORGE_SHARED_DATA", "nowhere"))
Table = tuple[dict[str, Any], list[Column]]


def found(table: Table) -> list[str]:
    plain, columns = table
    rules = find_rules(plain, columns)
    texts = [rule_in_words(rule, columns) for rule, _ in rules]
    check_rules(parse_rules(texts, columns), plain, columns, first_row=1)  # whatever is found can be kept, and is
    assert all(why for _, why in rules)
    return texts


def table(**columns: tuple[ColumnKind, Any]) -> Table:
    plain, said = {}, []
    for name, (kind, values) in columns.items():
        numbers = kind in ("integer", "decimal", "datetime")
        plain[name] = np.asarray(values, dtype=float if numbers else object)
        more = {"resolution": "s"} if kind == "datetime" else {}
        said.append(Column(name=name, kind=kind, dtype="", distinct=pd.Series(plain[name]).nunique(), **more))
    return plain, said


def words(prefix: str, numbers: Any) -> np.ndarray[Any, Any]:
    return np.array([f"{prefix}{number}" for number in numbers], dtype=object)


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_of_ordered_datetimes_only_neighbours_are_named() -> None:
    rng = random()
    a = rng.uniform(0, 1e6, 500)
    b, c = a + rng.uniform(0, 1e5, 500), a + rng.uniform(2e5, 3e5, 500)
    other = rng.uniform(0, 1e6, 500)
    assert found(table(c=("datetime", c), a=("datetime", a), other=("datetime", other), b=("datetime", b))) == [
        "a <= b",
        "b <= c",
    ]


def test_an_order_is_kept_where_the_column_in_between_is_missing() -> None:
    rng = random()
    a = rng.uniform(0, 1e6, 500)
    b, c = a + rng.uniform(0, 1e5, 500), a + rng.uniform(2e5, 3e5, 500)
    b[:50] = np.nan
    assert found(table(a=("datetime", a), b=("datetime", b), c=("datetime", c))) == ["a <= b", "a <= c", "b <= c"]


def test_datetimes_that_are_equal_far_apart_or_rarely_both_there_are_not_ordered_by_a_rule() -> None:
    rng = random()
    a = rng.uniform(0, 1e6, 500)
    rare = np.where(np.arange(500) < 99, a + 1, np.nan)
    assert found(table(a=("datetime", a), same=("datetime", a))) == ["same = a"]
    later = rng.uniform(1e6, 2e6, 500)
    assert found(table(a=("datetime", a), later=("datetime", later))) == []  # the ranges alone say it
    assert found(table(a=("datetime", a), rare=("datetime", rare))) == ["rare = a + 1"]


def test_numbers_are_ordered_where_their_names_say_so_and_all_rows_agree() -> None:
    rng = random()
    low, start = rng.integers(0, 50, 200), rng.integers(0, 50, 200)
    high, wrong = low + rng.integers(0, 9, 200), start + np.where(np.arange(200) == 77, -1, rng.integers(0, 99, 200))
    columns: dict[str, tuple[ColumnKind, Any]] = {
        "min_price": ("integer", low), "max_price": ("integer", high), "max_size": ("integer", (high + start) % 60),
        "startAge": ("decimal", start), "endAge": ("decimal", wrong),
        "x": ("integer", low * start % 49), "y": ("integer", 50 + high * start % 49),
    }  # fmt: skip
    assert found(table(**columns)) == ["min_price <= max_price"]


def test_a_category_that_decides_others_is_found_and_what_it_decides_hangs_on_it() -> None:
    rng = random()
    city = rng.integers(0, 60, 2000)
    country, continent = city // 5, city // 5 // 4
    columns: dict[str, tuple[ColumnKind, Any]] = {
        "continent": ("category", words("T", continent)),
        "country": ("category", words("C", country)),
        "city": ("category", words("c", city)),
        "number": ("integer", rng.permutation(60)[city]),
        "free": ("category", words("f", rng.integers(0, 5, 2000))),
    }
    assert found(table(**columns)) == ["city -> continent", "city -> country", "city -> number"]


def test_missing_values_are_decided_but_do_not_decide() -> None:
    rng = random()
    city = rng.integers(0, 20, 1000)
    country = words("C", city // 4)
    country[city == 3] = None
    unknown = rng.random(1000) < 0.1
    columns: dict[str, tuple[ColumnKind, Any]] = {
        "city": ("category", np.where(unknown, None, words("c", city))),
        "country": ("category", country),
    }
    assert found(table(**columns)) == ["city -> country"]


def test_of_two_columns_that_decide_a_third_one_rule_is_kept() -> None:
    rng = random()
    city, store = rng.integers(0, 12, 3000), rng.integers(0, 6, 3000)
    keep = city // 6 == store // 3  # both say the country, and else have nothing to do with each other
    city, store = city[keep], store[keep]
    columns: dict[str, tuple[ColumnKind, Any]] = {
        "city": ("category", words("c", city)), "store": ("category", words("s", store)),
        "country": ("category", words("C", city // 6)),
    }  # fmt: skip
    assert found(table(**columns)) == ["store -> country"]


def test_one_wrong_row_is_enough_for_no_rule() -> None:
    city = random().integers(0, 20, 5000)
    country = city // 4
    country[4321] = (country[4321] + 1) % 5
    assert found(table(city=("category", words("c", city)), country=("category", words("C", country)))) == []


def test_what_independent_columns_could_look_like_is_no_rule() -> None:
    rng = random()
    rare = np.full(600, "no", dtype=object)
    rare[5] = "yes"  # one row: whichever column had a value of its own there would decide it
    columns: dict[str, tuple[ColumnKind, Any]] = {
        "group": ("category", words("g", np.where(np.arange(600) == 5, 99, rng.integers(0, 50, 600)))),
        "rare": ("boolean", rare),
        "nearly_unique": ("category", words("u", np.arange(600) // 2)),
        "half": ("category", words("h", rng.integers(0, 7, 600))),
        "two": ("category", words("t", rng.integers(0, 2, 600))),
    }
    assert found(table(**columns)) == []


def test_found_rules_do_not_contradict_each_other() -> None:
    rng = random()
    band = rng.integers(0, 8, 1000)
    columns: dict[str, tuple[ColumnKind, Any]] = {
        "band": ("category", words("b", band)),
        "min_age": ("integer", 10 * band),
        "max_age": ("integer", 10 * band + 15),
    }
    assert found(table(**columns)) == ["max_age = min_age + 15", "band -> min_age"]


def test_identifiers_without_repeats_are_unique() -> None:
    name = words("n", np.arange(200))
    again = np.where(np.arange(200) == 7, "n0", name)
    some = np.where(np.arange(200) < 9, None, name)
    columns = table(id=("identifier", name), again=("identifier", again), some=("identifier", some))
    assert found(columns) == ["unique id", "unique some"]


def test_columns_that_do_not_decide_each_other_are_compared_on_a_thousand_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that fifty thousand rows of twenty columns, or ten thousand of a thousand, cost a second."""
    whole: list[int] = []
    decides = module.decides

    def counted(deciding: Any, first: Any, other: Any, count: int) -> bool:
        whole.append(len(deciding))
        return decides(deciding, first, other, count)

    monkeypatch.setattr(module, "decides", counted)
    rng = random()
    columns: dict[str, tuple[ColumnKind, Any]] = {}
    for i in range(8):
        columns[f"word{i}"] = ("category", words("w", rng.integers(0, (3, 40, 90, 400)[i % 4], 50_000)))
        columns[f"whole{i}"] = ("integer", rng.integers(0, (3, 40, 90, 400)[i % 4], 50_000))
    for i in range(4):
        columns[f"when{i}"] = ("datetime", rng.uniform(0, 1e6, 50_000))
    assert found(table(**columns)) == [] and whole == []
    key = rng.integers(0, 40, 50_000)
    columns |= {"key": ("category", words("k", key)), "kept": ("category", words("v", key % 7))}
    assert found(table(**columns)) == ["key -> kept"] and whole == [50_000]


@pytest.mark.shared
def test_in_adult_the_one_rule_there_is_is_found() -> None:
    path = SHARED / "adult" / "adult.csv"
    if not path.is_file():
        pytest.skip("GANFORGE_SHARED_DATA names no folder with adult/adult.csv")
    frame = pd.read_csv(path, skipinitialspace=True, keep_default_na=False)
    columns: dict[str, tuple[ColumnKind, Any]] = {
        str(name): ("integer" if frame[name].dtype.kind == "i" else "category", frame[name]) for name in frame
    }
    assert found(table(**columns)) == ["education -> education-num"]


def test_numbers_of_thousands_of_students_decide_their_year_and_hardly_anything_else() -> None:
    rng = random()
    student = rng.integers(1, 3_001, 30_000)
    year, mark = rng.integers(1, 5, 3_001)[student], rng.integers(1, 6, 30_000)
    assert found(table(student=("integer", student), year=("integer", year), mark=("integer", mark))) == [
        "student -> year"
    ]


def test_a_column_that_is_first_broken_in_a_late_row_is_not_decided() -> None:
    rng = random()
    key = rng.integers(0, 20, 5_000)
    late = words("v", key % 7)
    late[4_990] = f"v{(key[4_990] + 1) % 7}"
    rules = found(
        table(key=("category", words("k", key)), kept=("category", words("v", key % 7)), late=("category", late))
    )
    assert rules == ["key -> kept"]
