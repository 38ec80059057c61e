import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.rules.checks import broken, check_rules
from ganforge.kinds.tables.rules.discovery import find_rules
from ganforge.kinds.tables.rules.rule_text import parse_rules
from ganforge.kinds.tables.rules.rules import rule_in_words


@pytest.fixture(scope="module")
def planted() -> ModuleType:
    path = Path(__file__).parents[3] / "benchmarks" / "planted_table.py"
    spec = importlib.util.spec_from_file_location("planted_table", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def frame(planted: ModuleType) -> pd.DataFrame:
    table: pd.DataFrame = planted.planted_table(20_000, seed=0)
    return table


def plain_of(frame: pd.DataFrame) -> dict[str, Any]:
    kinds = {name: frame[name].dtype.kind for name in frame}
    return {
        str(name): frame[name].astype("int64").where(frame[name].notna()).to_numpy(float)
        if kind == "M"
        else frame[name].to_numpy(float)
        if kind in "if"
        else frame[name].astype(object).to_numpy()
        for name, kind in kinds.items()
    }


COLUMNS = [
    Column(name="customer_id", kind="identifier", dtype="str"),
    Column(name="city", kind="category", dtype="str"),
    Column(name="country", kind="category", dtype="str"),
    Column(name="signup", kind="datetime", dtype="datetime64[s]", resolution="s"),
    Column(name="last_order", kind="datetime", dtype="datetime64[s]", resolution="s"),
    Column(name="age", kind="integer", dtype="int64", distinct=73),
    Column(name="income", kind="decimal", dtype="float64", decimals=2),
    Column(name="plan", kind="category", dtype="str"),
    Column(name="active", kind="boolean", dtype="bool"),
    Column(name="product", kind="category", dtype="str"),
    Column(name="discount", kind="decimal", dtype="float64", decimals=3),
    Column(name="currency", kind="constant", dtype="str"),
]


def test_the_planted_rules_hold_and_no_others_are_found(planted: ModuleType, frame: pd.DataFrame) -> None:
    assert [rule_in_words(rule, COLUMNS) for rule, _ in find_rules(plain_of(frame), COLUMNS)] == list(planted.RULES)
    check_rules(parse_rules(planted.RULES, COLUMNS), plain_of(frame), COLUMNS, first_row=1)


def test_shuffled_columns_break_the_planted_rules(planted: ModuleType, frame: pd.DataFrame) -> None:
    """What a model without relations between columns would make."""
    rng = np.random.default_rng(0)
    plain = plain_of(frame)
    shuffled = {name: rng.permutation(values) for name, values in plain.items()}
    counts = broken(parse_rules(planted.RULES, COLUMNS), shuffled, plain, COLUMNS)
    assert counts["unique customer_id"] == 20_000  # each stands in the training rows
    assert counts["city -> country"] > 15_000 and counts["signup <= last_order"] > 5_000


def test_the_planted_table_is_a_function_of_its_seed(planted: ModuleType) -> None:
    first, again, other = (planted.planted_table(500, seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert (first["age"] != other["age"]).any()


def test_the_planted_relations_can_be_seen(planted: ModuleType, frame: pd.DataFrame) -> None:
    assert list(frame.columns) == [column.name for column in COLUMNS] and frame["currency"].nunique() == 1
    assert frame["city"].nunique() == 60 and frame["country"].nunique() == 12
    assert frame["age"].between(18, 90).all() and (frame["income"].dropna().round(2) == frame["income"].dropna()).all()
    missing = frame["income"].isna()
    assert missing[frame["age"] < 25].mean() > 5 * missing[frame["age"] >= 25].mean() > 0
    never = frame["last_order"].isna()
    assert never[frame["plan"] == "free"].mean() == pytest.approx(0.4, abs=0.03)
    assert never[frame["plan"] != "free"].mean() == pytest.approx(0.05, abs=0.01)
    gaps = (frame["last_order"] - frame["signup"]).dropna()
    assert gaps.min() < pd.Timedelta(hours=2) and gaps.quantile(0.99) > pd.Timedelta(days=100)
    by_plan = frame.groupby("plan")["income"].median()
    assert list(by_plan.sort_values().index) == list(planted.PLANS)
    assert frame["last_order"].max() < pd.Timestamp("2025-01-01")
    late = frame["last_order"] >= pd.Timestamp("2024-10-01")
    assert (frame["active"] == late).mean() == pytest.approx(0.97, abs=0.01)
    assert 0.5 < (frame["discount"] == 0).mean() < 0.9 and frame["discount"].nunique() > 1_000
    favourite = frame.groupby("plan")["product"].agg(lambda codes: codes.mode()[0])
    assert favourite.nunique() == 4 and frame["product"].nunique() > 3_000
    assert frame["plan"].value_counts(normalize=True).min() > 0.1


def test_a_hundred_thousand_rows_have_identifiers_and_products_of_their_own(planted: ModuleType) -> None:
    big = planted.planted_table(100_000, seed=0)
    assert big["customer_id"].is_unique and big["product"].nunique() > 7_000
