"""18 frauds of 4,000 rows: what goes with them is drawn under the condition, before a network has learned anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from codec_world import table_of

from ganforge.kinds.tables.autoregressive import AutoregressiveGenerator
from ganforge.kinds.tables.generate.game import code_shares
from ganforge.kinds.tables.generate.model import RowModel
from ganforge.kinds.tables.generate.rare_codes import rare_codes
from ganforge.kinds.tables.networks import RowProduct

ROWS, FRAUDS = 4_000, 18


def payments(mean: float, spread: float) -> pd.DataFrame:
    """Frauds of about `mean`, in the night, at two of a thousand shops; others up to 250."""
    random = np.random.default_rng(0)
    fraud = np.arange(ROWS) < FRAUDS
    shop = np.where(fraud, random.integers(0, 2, ROWS), random.integers(2, 1_000, ROWS))
    return pd.DataFrame(
        {
            "amount": np.where(fraud, random.normal(mean, spread, ROWS), random.gamma(2, 20, ROWS)).round(2),
            "hour": np.where(fraud, random.integers(1, 4, ROWS), random.integers(7, 23, ROWS)),
            "shop": np.char.add("s", shop.astype(str)),
            "fraud": np.where(fraud, "yes", "no"),
            "age": random.integers(18, 80, ROWS),
        }
    ).sample(frac=1, random_state=0)


def model_of(frame: pd.DataFrame, folder: Path) -> RowModel:
    table = table_of(frame, folder, spans=32, rare=5)
    torch.manual_seed(0)
    generator = AutoregressiveGenerator(table.codec.sizes, 16, 1)
    generator.start_from(code_shares(table.codec.sizes, table.train), *rare_codes(table.codec, table.train))
    return RowModel(RowProduct(generator.requires_grad_(False), None), 0, table.codec)


@pytest.mark.parametrize(("mean", "spread"), [(9_000.0, 300.0), (200.0, 5.0)], ids=["apart", "within a span"])
def test_what_goes_with_a_rare_class_is_drawn_with_it(mean: float, spread: float, tmp_path: Path) -> None:
    frame = payments(mean, spread)
    model, real = model_of(frame, tmp_path), frame[frame.fraud == "yes"]
    rows = model.draw(2_000, conditions=model.conditions("fraud=yes"))
    error = 1.25 * spread / FRAUDS**0.5  # of the median of 18
    assert abs(np.median(rows["amount"]) - real.amount.median()) < 4 * error
    assert np.isin(rows["hour"], [1, 2, 3]).mean() > 0.85
    assert abs(np.median(rows["age"]) - np.median(frame.age)) < 8  # does not depend on it: as in all rows


def test_a_rare_range_has_its_class_and_rows_are_not_copied(tmp_path: Path) -> None:
    frame = payments(9_000.0, 300.0)
    model = model_of(frame, tmp_path)
    rows = model.draw(2_000, conditions=model.conditions("amount>=8000"))
    assert (rows["fraud"] == "yes").mean() > 0.8
    real = frame[frame.fraud == "yes"]
    assert np.isin(rows["amount"], real.amount).mean() < 0.2  # numbers near them are drawn


def test_a_condition_in_the_middle_of_a_span_counts_as_likely_as_its_rows_are(tmp_path: Path) -> None:
    frame = payments(200.0, 5.0)
    model = model_of(frame, tmp_path)
    for end in (20.0, 60.0, 120.0):
        real = frame.amount[frame.amount >= end]
        rows = model.draw(4_000, conditions=model.conditions(f"amount>={end}"))["amount"]
        for share in (0.25, 0.5, 0.75):
            below = (rows < real.quantile(share)).mean()
            assert abs(below - share) < 0.05 + 2 / len(real) ** 0.5
