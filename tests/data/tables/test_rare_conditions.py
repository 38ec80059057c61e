"""A condition that few training rows met is said; that every row meets it is not all that a person hopes for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from codec_world import table_of

from ganforge.kinds.tables.codec.codec import TableCodec
from ganforge.kinds.tables.generate.rare import rare_conditions, rows_meeting
from ganforge.kinds.tables.measures.rare_values import rare_sentences
from ganforge.kinds.tables.rules.conditions import parse_where

ROWS = 4_000


def payments(frauds: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    fraud = np.arange(ROWS) < frauds
    amount = np.where(fraud, random.normal(9_000, 300, ROWS), random.gamma(2, 20, ROWS)).round(2)
    kind = np.where(fraud, "transfer", random.choice(["card", "cash"], ROWS))
    return pd.DataFrame(
        {"amount": amount, "fraud": fraud.astype(int), "kind": kind, "hour": random.integers(0, 24, ROWS)}
    )


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> TableCodec:
    return table_of(payments(18), tmp_path_factory.mktemp("rare")).codec


@pytest.mark.parametrize(
    ("where", "few"),
    [
        ("fraud=1", True),
        ("fraud=0", False),
        ("kind=transfer", True),
        ("kind=card", False),
        ("kind in {transfer, card}", False),
        ("amount>=8000", True),
        ("amount>=20", False),
        ("hour=3", False),
        ("hour in {3, 4}", False),
    ],
)
def test_conditions_are_counted_exactly(codec: TableCodec, where: str, few: bool) -> None:
    conditions = parse_where(where, codec.columns, codec.known)
    rows = rows_meeting(codec, conditions[0])
    assert rows is not None and (rows <= 18) == few
    said = rare_conditions(codec, conditions)
    assert said == () or said[0].startswith(f"{rows} training rows met ")
    assert bool(said) == few


def test_each_rare_condition_is_said_and_a_smooth_column_is_not_counted(tmp_path: Path) -> None:
    codec = table_of(payments(18), tmp_path, inside="smooth").codec
    (amount, kind) = parse_where(["amount>=8000", "kind=transfer"], codec.columns, codec.known)
    assert rows_meeting(codec, amount) is None and len(rare_conditions(codec, (amount, kind))) == 1


def plain(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    return {name: values.to_numpy(float if values.dtype.kind in "if" else object) for name, values in frame.items()}


def test_a_rare_class_whose_other_columns_are_wrong_is_named_with_the_worst(codec: TableCodec) -> None:
    real, wrong = plain(payments(18)), plain(payments(18, seed=1))
    wrong["amount"] = np.random.default_rng(0).permutation(wrong["amount"])
    told = rare_sentences(real, wrong, codec.columns)
    assert len(told) == 2  # of fraud, and of the kind of payment
    assert told[0].startswith("fraud is 1 in 18 training rows, too few to learn from: with it the median of amount is ")
    assert told[1].startswith("kind is transfer in 18 training rows")


def test_a_rare_class_that_is_right_and_a_frequent_one_that_is_wrong_are_not_named(codec: TableCodec) -> None:
    assert rare_sentences(plain(payments(18)), plain(payments(18, seed=1)), codec.columns) == []
    wrong = plain(payments(400, seed=1))
    wrong["amount"] = np.random.default_rng(0).permutation(wrong["amount"])
    assert rare_sentences(plain(payments(400)), wrong, codec.columns) == []
