"""From the fewest rows on there are enough on both sides to be compared, and fewer are refused before training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ganforge.errors import DataError
from ganforge.kinds.tables.columns import FEWEST_COMPARED, RowSettings
from ganforge.kinds.tables.measures.evaluate import evaluate_table
from ganforge.kinds.tables.reading.survey import FEWEST_ROWS
from ganforge.kinds.tables.table import Table, choose_held_out, inspect_table, open_table


def opened(rows: int, folder: Path) -> Table:
    random = np.random.default_rng(rows)
    x = random.normal(size=rows).round(2)
    z = np.where(random.random(rows) < 0.4, np.nan, random.integers(0, 5, rows))
    frame = pd.DataFrame(
        {"x": x, "y": (2 * x + random.normal(size=rows)).round(2), "c": np.where(x > 0, "a", "b"), "z": z}
    )
    frame.to_csv(folder / "table.csv", index=False)
    return open_table(inspect_table(folder / "table.csv"), RowSettings(), 0, "cpu")


@pytest.mark.parametrize("rows", [*range(FEWEST_ROWS, 120), 1_000, 10**6])
def test_every_table_that_is_taken_has_rows_to_learn_from_and_to_measure_with(rows: int) -> None:
    held_out = choose_held_out(rows, 0)
    assert len(held_out) == rows and FEWEST_COMPARED <= held_out.sum() <= max(rows // 2, FEWEST_COMPARED)
    assert held_out.sum() == max(round(0.2 * rows), FEWEST_COMPARED) or rows > 1_000 or held_out.sum() == 200


@pytest.mark.parametrize("rows", [FEWEST_ROWS, 29, 47])
def test_few_rows_get_a_verdict_that_says_how_few_they_are(rows: int, tmp_path: Path) -> None:
    table = opened(rows, tmp_path)
    codes = table.train.tensors["x"].numpy()
    random = np.random.default_rng(0)
    drawn = np.stack([random.choice(column, 1_000) for column in codes.T], axis=1).astype(np.int32)
    samples = table.codec.decode(drawn, random)
    found = evaluate_table(table.train_rows, table.held_out_rows, samples, table.codec.columns, label=None, seed=0)
    assert any(sentence.startswith("Only 10 real rows were held out") for sentence in found.verdict.sentences)


def test_fewer_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 19 rows") as caught:
        opened(FEWEST_ROWS - 1, tmp_path)
    assert caught.value.why == "At least 20 are needed: 10 to learn from, and as many to measure with."
