"""Seen values or a curve: chosen so that drawn rows are no training rows, and said where a person chose otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rows_world import SMALL, known, planned

from ganforge.kinds.tables.columns import RowSettings
from ganforge.kinds.tables.generate.task import SMOOTHER
from ganforge.kinds.tables.measures.copies import row_hashes
from ganforge.run import Run

ROWS = 600
RANDOM = np.random.default_rng(0)
NUMBERS = RANDOM.normal(size=ROWS)
LETTERS = RANDOM.choice(list("ab"), ROWS)

COPYING = {
    "one column": {"x": NUMBERS},
    "a column and a label": {"x": NUMBERS, "label": LETTERS},
    "a column and what follows from it": {"x": NUMBERS, "sign": np.where(NUMBERS > 0, "plus", "minus")},
    "days of a year that come once": {"day": np.datetime64("2024-01-01") + RANDOM.permutation(ROWS), "l": LETTERS},
}
NEW = {
    "two columns": {"x": NUMBERS, "y": RANDOM.normal(size=ROWS)},
    "few values": {"x": RANDOM.integers(0, 9, ROWS), "label": LETTERS},
    "categories": {"a": LETTERS, "b": RANDOM.choice(list("xyz"), ROWS)},
    "known": known(ROWS).to_dict("series"),
}


@pytest.mark.parametrize("name", COPYING)
def test_a_curve_where_every_seen_value_would_make_a_training_row(name: str, tmp_path: Path) -> None:
    recipe = planned(pd.DataFrame(COPYING[name]), tmp_path, settings={"rows.rare": "0"}).recipe
    assert recipe.section(RowSettings).values == "smooth"
    assert "of the rows would be training rows again" in recipe.reasons["rows.values"]


def test_none_where_rare_values_are_kept_back_anyway(tmp_path: Path) -> None:
    job = planned(pd.DataFrame(COPYING["a column and a label"]), tmp_path)
    assert job.recipe.section(RowSettings).values == "seen"
    drawn = job.model(job.game().players[1].network).draw(500)
    made, real = (row_hashes(rows, job.table.codec.columns) for rows in (drawn, job.table.train_rows))
    assert not np.isin(made, real).any()


@pytest.mark.parametrize("name", NEW)
def test_seen_values_where_rows_of_them_are_new_or_repeat_by_nature(name: str, tmp_path: Path) -> None:
    recipe = planned(pd.DataFrame(NEW[name]), tmp_path).recipe
    assert recipe.section(RowSettings).values == "seen"


@pytest.fixture
def judged(tmp_path: Path) -> Callable[[str], tuple[str, ...]]:
    def judge(values: str) -> tuple[str, ...]:
        frame = pd.DataFrame(COPYING["a column and a label"])
        job = planned(frame, tmp_path, settings={"rows.values": values, "rows.rare": "0", **SMALL})
        run = Run(tmp_path / "run")
        found = job.evaluate(run, job.game().players[1].network)
        return found.verdict.sentences

    return judge


def test_a_person_s_choice_is_kept_and_the_verdict_names_the_other_one(judged) -> None:  # type: ignore[no-untyped-def]
    assert SMOOTHER in judged("seen")


def test_a_curve_is_not_suspected_of_copying(judged) -> None:  # type: ignore[no-untyped-def]
    sentences = judged("smooth")
    assert SMOOTHER not in sentences and "no sign that training rows are copied" in " ".join(sentences)
