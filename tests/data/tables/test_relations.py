"""Columns that are computed from others are found as they were made, and only those."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ganforge.errors import DataError
from ganforge.kinds.tables.rules.curves import find_curve
from ganforge.kinds.tables.rules.expressions import Curve, evaluate, narrowed_by, range_of
from ganforge.kinds.tables.rules.rule_text import parse_rules
from ganforge.kinds.tables.rules.rules import Computed, rule_in_words
from ganforge.kinds.tables.table import inspect_table

Columns = dict[str, Any]


def rules_of(columns: Columns, folder: Path, *, more: tuple[str, ...] = ()) -> list[str]:
    frame = pd.DataFrame(columns)
    frame.to_csv(folder / "table.csv", index=False)
    return [rule for rule, _ in inspect_table(folder / "table.csv", more=more).rules]


def celsius(rng: np.random.Generator) -> Columns:
    c = rng.normal(15, 8, 900).round(1)
    return {"c": c, "f": (1.8 * c + 32).round(1), "copy": c, "free": rng.normal(size=900).round(2)}


def holes(rng: np.random.Generator) -> Columns:
    made = celsius(rng)
    for name in ("c", "f"):
        made[name] = np.where(rng.random(900) < 0.1, np.nan, made[name])
    return {name: made[name] for name in ("c", "f", "free")}


def exceptions(rng: np.random.Generator) -> Columns:
    made = celsius(rng)
    made["f"][::100] = 999.9
    return {name: made[name] for name in ("c", "f", "free")}


def bill(rng: np.random.Generator) -> Columns:
    net = rng.gamma(2, 50, 900).round(2)
    tax = (0.19 * net).round(2)
    return {"total": (net + tax).round(2), "tax": tax, "net": net}


def months(rng: np.random.Generator) -> Columns:
    made: Columns = {f"m{month}": rng.integers(0, 1000, 900) for month in range(12)}
    return {**made, "year": sum(made.values())}


def order(rng: np.random.Generator) -> Columns:
    quantity, price = rng.integers(1, 20, 900), rng.gamma(2, 20, 900).round(2)
    return {"quantity": quantity, "price": price, "amount": (quantity * price).round(2)}


def body(rng: np.random.Generator) -> Columns:
    height, weight = rng.normal(1.7, 0.1, 900).round(2), rng.normal(75, 12, 900).round(1)
    return {"height": height, "weight": weight, "bmi": (weight / height**2).round(1)}


def dates(rng: np.random.Generator) -> Columns:
    day, days = np.datetime64("2024-01-01") + rng.integers(0, 300, 900), rng.integers(0, 30, 900)
    return {"ordered": day, "days": days, "due": day + days}


def shares(rng: np.random.Generator) -> Columns:
    yes = rng.integers(0, 101, 900)
    return {"yes": yes, "no": 100 - yes}


def floats(rng: np.random.Generator) -> Columns:
    x = rng.normal(size=900)
    return {"x": x, "y": 3.7 * x - 1.25}


def noisy(rng: np.random.Generator) -> Columns:
    x = rng.normal(size=900).round(3)
    return {"x": x, "y": (2 * x + 0.05 * rng.normal(size=900)).round(3)}


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (celsius, {"f = 1.8 * c + 32", "copy = c"}),
        (holes, {"f = 1.8 * c + 32"}),
        (exceptions, {"f ~ 1.8 * c + 32"}),
        (bill, {"total = tax + net", "tax = 0.19 * net"}),
        (months, {"year = " + " + ".join(f"m{month}" for month in range(12))}),
        (order, {"amount = quantity * price"}),
        (body, {"bmi = weight / height ^ 2"}),
        (dates, {"ordered <= due", "due = ordered + days"}),
        (shares, {"no = 100 - yes"}),
        (floats, {"y = 3.7 * x - 1.25"}),
    ],
)
def test_relations_are_found_as_they_were_made(
    made: Callable[[np.random.Generator], Columns], wanted: set[str], tmp_path: Path
) -> None:
    found = rules_of(made(np.random.default_rng(0)), tmp_path)
    assert set(found) == wanted
    again = [rule for rule, _ in inspect_table(tmp_path / "table.csv", rules=found).rules]
    assert again == found  # a plan.json, or the recipe of a run, gives them back


def test_what_is_left_of_a_noisy_relation_is_learned(tmp_path: Path) -> None:
    (rule,) = rules_of(noisy(np.random.default_rng(0)), tmp_path)
    assert rule.startswith(("y ~ ", "x ~ "))


def test_columns_that_do_not_depend_on_each_other_are_not_computed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    columns: Columns = {f"v{place}": rng.normal(size=200).round(1) for place in range(30)}
    columns |= {f"w{place}": rng.integers(0, 2, 200) for place in range(6)}
    columns |= {f"rare{place}": (rng.random(200) < 0.01).astype(int) for place in range(3)}  # nearly always equal
    assert rules_of(columns, tmp_path) == []
    assert rules_of({"a": np.arange(20) * 7 % 13, "b": np.arange(20) * 14 % 26}, tmp_path) == []  # too few rows


def test_a_row_that_the_search_did_not_see_makes_a_rule_inexact_and_one_that_is_asked_for_is_refused(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    made = order(rng)
    made["amount"][17] += 1
    assert rules_of(made, tmp_path) == ["amount ~ quantity * price"]
    with pytest.raises(DataError, match=r"Row 18 breaks the rule 'amount = quantity \* price'.*'amount' is") as caught:
        rules_of(made, tmp_path, more=("amount = quantity * price",))
    assert caught.value.why and caught.value.do


def test_a_key_of_two_values_or_of_thousands_decides_other_columns(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    two, many = rng.integers(0, 2, 4000), rng.integers(0, 1500, 4000)
    price = rng.gamma(2, 20, 1500).round(2)
    columns: Columns = {
        "code": np.array(["A", "B"])[two],
        "name": np.array(["on", "off"])[two],
        "product": [f"tea {number}" for number in many],
        "price": price[many],
        "grade": rng.integers(1, 7, 4000),
    }
    columns["word"] = np.array(["zero", "one", "two", "three", "four", "five", "six"])[columns["grade"]]
    assert set(rules_of(columns, tmp_path)) == {"code -> name", "product -> price", "grade -> word"}


def test_rows_that_are_once_more_in_a_table_do_not_make_a_key_of_a_nearly_unique_column(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"t": [f"t {n}" for n in rng.permutation(600)], "g": rng.integers(0, 9, 600)})
    twice = pd.concat([frame, frame.iloc[:300]])
    assert rules_of({name: twice[name].to_numpy() for name in twice}, tmp_path) == []


def test_answers_from_one_to_five_that_are_alike_do_not_make_each_other(tmp_path: Path) -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        mood = rng.normal(size=100)
        answers = {f"q{i}": (3 + mood + rng.normal(0, 0.2, 100)).round().clip(1, 5) for i in range(12)}
        assert not rules_of(answers, tmp_path)


def bins(x: np.ndarray) -> np.ndarray:
    return np.digitize(x, [5, 10, 20, 40, 80])


CURVES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "y = log(x)": (np.log, "="),
    "y = log10(x)": (lambda x: np.log10(x).round(4), "="),
    "y = exp(x)": (lambda x: np.exp(-x / 10).round(6), "~"),
    "y = curve(x, ": (bins, "="),
    "y = 0.5 * log(x) + 3": (lambda x: (3 + np.log(x) / 2).round(3), "="),
    "y ~ curve(x, ": (lambda x: (1 / (1 + np.exp(1 - x / 20))).round(5), "~"),
    "y ~ curve(x, -": (lambda x: -np.cbrt(x), "~"),
}


@pytest.mark.parametrize("name", CURVES)
def test_a_monotone_function_of_another_column_is_found_and_holds(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.lognormal(3, 1, 900).round(2)
    made, sign = CURVES[name]
    (rule,) = rules_of({"x": x, "y": made(x), "free": rng.normal(size=900).round(2)}, tmp_path)
    if sign == "=":
        assert rule.startswith(name)
    assert f" {sign} " in rule and len(rule) < 8_000
    columns = inspect_table(tmp_path / "table.csv", rules=[rule]).survey.columns
    (computed,) = parse_rules([rule], columns)
    assert isinstance(computed, Computed) and rule_in_words(computed, columns) == rule
    rows = {"x": x, "y": made(x).astype(float)}
    assert np.corrcoef(evaluate(computed.expression, rows), rows["y"])[0, 1] > 0.9999
    low, high = range_of(computed.expression, {"x": (5.0, 50.0)})
    inside = rows["y"][(x >= 5) & (x <= 50)]
    assert low <= inside.min() + 1e-2 and high >= inside.max() - 1e-2
    ((_, before),) = narrowed_by(computed.expression, (low, high), {"x": (0.1, 9e3)})
    assert before[0] <= 5.01 and before[1] >= 49.9


def test_columns_that_are_nearly_or_hardly_a_function_of_another_are_no_curves() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=200).round(2)
    assert find_curve("x", x, x**2, np.full(200, 0.005)) is None
    assert find_curve("x", x, np.exp(x) + rng.normal(size=200), np.full(200, 0.005)) is None
    assert find_curve("x", x, np.ones(200), np.full(200, 0.005)) is None
    with pytest.raises(ValueError, match="ascending"):
        Curve("x", (1.0, 1.0), (0.0, 2.0))


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (lambda a, b: {"c": a, "k": (a + 273.15).round(2)}, "k = c + 273.15"),  # not c = k - 273.1, halfway everywhere
        (lambda a, b: {"a": a, "b": b, "mean": ((a + b) / 2).round(1)}, "mean = 0.5 * a + 0.5 * b"),
        (lambda a, b: {"a": a, "b": b, "m": ((a + b) / 3).round(1)}, "m = a / 3 + b / 3"),
        (lambda a, b: {"km": np.rint(a), "miles": np.rint(np.rint(a) / 1.609344)}, "miles = 0.6214 * km"),
    ],
)
def test_coefficients_are_those_that_all_rows_agree_with_to_the_digit(
    made: Callable[[Any, Any], Columns], wanted: str, tmp_path: Path
) -> None:
    a, b = np.random.default_rng(1).gamma(4, 20, (2, 900)).round(1)
    assert rules_of(made(a, b), tmp_path) == [wanted]


def test_what_is_halfway_in_every_row_is_not_decided_by_a_rule(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    born = rng.integers(1930, 2010, 900)
    (rule,) = rules_of({"born": born, "age": 2024 - born - rng.integers(0, 2, 900)}, tmp_path)
    assert " ~ " in rule


def test_a_key_decides_a_column_that_is_missing_here_and_there(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    product = rng.integers(0, 60, 900)
    price = np.where(rng.random(900) < 0.1, np.nan, rng.gamma(2, 20, 60).round(2)[product])
    name = np.where(rng.random(900) < 0.1, None, np.array([f"tea {k}" for k in range(60)], object)[product])
    code = np.where(rng.random(900) < 0.1, None, np.array([f"P{k:03}" for k in range(60)], object)[product])
    assert set(rules_of({"code": code, "name": name, "price": price}, tmp_path)) == {"code -> name", "code -> price"}


def test_bands_of_a_column_are_a_curve_though_rounded_sums_hit_most_of_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.lognormal(6.5, 0.8, 400).round(2)
    columns: Columns = {"x": x, "root": np.sqrt(x).round(3), "band": np.digitize(x, [200, 500, 1000])}
    found = {rule.split(" ")[0]: rule for rule in rules_of(columns, tmp_path)}
    assert found["band"].startswith("band = curve(")
