"""A table understood before it is encoded: whose rules count, and that each holds in every row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ganforge.errors import DataError, RecipeError
from ganforge.kinds.tables import table
from ganforge.kinds.tables.columns import RowSettings
from ganforge.kinds.tables.rules import discovery
from ganforge.kinds.tables.table import ASKED, inspect_table, open_table

RANDOM = np.random.default_rng(0)
START = RANDOM.integers(0, 100, 400)
FRAME = pd.DataFrame({"start": START, "end": START + RANDOM.integers(0, 50, 400), "other": START // 10 + 60})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    FRAME.to_csv(tmp_path / "spans.csv", index=False)
    return tmp_path / "spans.csv"


def test_found_rules_stand_with_their_reason_beside_those_asked_for(source: Path) -> None:
    rules = dict(inspect_table(source, more=["0 <= start <= 99"]).rules)
    assert rules["0 <= start <= 99"] == ASKED
    assert "start is never above end" in rules["start <= end"]


def test_given_rules_stand_in_place_of_found_ones(source: Path) -> None:
    assert inspect_table(source, rules=[]).rules == ()
    assert inspect_table(source, rules=["start <= end"], more=["end <= 500"]).rules == (
        ("start <= end", ASKED),
        ("end <= 500", ASKED),
    )


def test_a_found_rule_gives_way_to_one_asked_for_that_it_cannot_stand_beside(source: Path) -> None:
    assert [words for words, _ in inspect_table(source, more=["start -> other"]).rules] == ["start -> other"]


def test_a_found_rule_that_a_row_beyond_the_sample_breaks_is_dropped_and_one_asked_for_is_an_error(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = source.read_text().splitlines()
    at = table.random_sample(inspect_table(source).rows, np.ones(400, dtype=bool), 300)  # where rules are found
    seen = set(zip(*(at[name].astype(int) for name in FRAME), strict=True))
    unseen = next(i for i, row in enumerate(FRAME.itertuples(index=False)) if tuple(row) not in seen)
    text[1 + unseen] = "99,1,65"
    source.write_text("\n".join(text) + "\n")
    monkeypatch.setattr(table, "FITTED_ROWS", 300)
    assert "start <= end" not in dict(inspect_table(source).rules)
    with pytest.raises(DataError, match=rf"Row {unseen + 1} breaks the rule 'start <= end'"):
        inspect_table(source, more=["start <= end"])


def test_every_kept_rule_is_in_the_opened_table(source: Path) -> None:
    inspected = inspect_table(source)
    opened = open_table(inspected, RowSettings(spans=16), seed=0, device="cpu")
    assert opened.passport["rules"] == [words for words, _ in inspected.rules]


def test_rules_that_contradict_each_other_are_refused_before_any_row_is_checked(source: Path) -> None:
    with pytest.raises(RecipeError, match="go round in a circle"):
        inspect_table(source, more=["start <= end", "end <= start"])


def test_a_key_with_too_many_values_for_a_rule_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "MOST_DECIDING", 100)
    key = np.arange(600) % 150
    frame = pd.DataFrame({"shop": [f"shop {k * 7 % 150}" for k in key], "town": key % 9, "x": RANDOM.normal(size=600)})
    frame.to_csv(tmp_path / "shops.csv", index=False)
    inspected = inspect_table(tmp_path / "shops.csv")
    assert inspected.rules == ()
    told = [sentence for sentence in inspected.survey.passport["warnings"] if "decides" in sentence]
    assert len(told) == 1 and told[0].startswith("'shop' decides town, but has more than 100 values")
