"""Faults of the data are read from the passport, from what the judge learned, and from the evaluation."""

from __future__ import annotations

from typing import Any

import pytest

from ganforge.diagnosis import CHECKS
from ganforge.records import History

PICTURES: dict[str, Any] = {"count": 1000, "train": 900, "held_out": 100, "duplicates": 3, "constant": 2}
TABLE: dict[str, Any] = {
    "rows": 1000, "train": 900, "held_out": 100, "columns": 6, "kinds": {"decimal": 4, "constant": 2},
    "rows_compared": 900, "duplicates": 12, "duplicates_by_chance": 0,
}  # fmt: skip


@pytest.mark.parametrize("passport", [{}, PICTURES, TABLE], ids=["none", "pictures", "table"])
def test_sound_data_has_no_finding(passport: dict[str, Any]) -> None:
    history = History((), passport=passport)
    assert [ailment for ailment, check in CHECKS.items() if check(history)] == []


@pytest.mark.parametrize(
    ("passport", "number"),
    [
        (PICTURES | {"duplicates": 500}, "500 of 1,000 pictures"),
        (PICTURES | {"constant": 400}, "400 of 1,000 pictures"),
        (TABLE | {"duplicates": 600}, "600 of 900 rows"),
        (TABLE | {"kinds": {"decimal": 2, "constant": 4}}, "4 of 6 columns"),
    ],
    ids=["repeated pictures", "plain pictures", "repeated rows", "constant columns"],
)
def test_repeated_and_constant_examples_are_found_with_their_number(passport: dict[str, Any], number: str) -> None:
    finding = CHECKS["wrong_data"](History((), passport=passport))
    assert finding is not None and number in finding.evidence


def test_rows_that_repeat_by_chance_are_no_fault() -> None:
    """Four yes-or-no columns have sixteen different rows, however many people answered."""
    assert CHECKS["wrong_data"](History((), passport=TABLE | {"duplicates": 884, "duplicates_by_chance": 884})) is None


@pytest.mark.parametrize("passport", [PICTURES, TABLE], ids=["pictures", "table"])
def test_fewer_than_a_hundred_examples_are_too_few(passport: dict[str, Any]) -> None:
    def found(train: int) -> bool:
        return CHECKS["too_little_data"](History((), passport=passport | {"train": train})) is not None

    assert (found(99), found(100)) == (True, False)


@pytest.mark.parametrize(
    ("accuracy", "chance", "checked", "meaningless"),
    [
        (0.11, 0.1, 500, True),  # ten labels, thrown with dice
        (0.82, 0.8, 500, True),  # one label has four fifths of all
        (0.93, 0.1, 500, False),
        (0.35, 0.1, 500, False),  # hard to tell, and yet they mean something
        (0.2, 0.1, 10, False),  # ten pictures say nothing
    ],
)
def test_labels_that_cannot_be_read_in_unseen_pictures_mean_nothing(
    accuracy: float, chance: float, checked: int, meaningless: bool
) -> None:
    judged = {"kind": "judged", "step": 0, "accuracy": accuracy, "chance": chance, "checked": checked}
    finding = CHECKS["meaningless_labels"](History((), (judged,)))
    assert (finding is not None) == meaningless


@pytest.mark.parametrize(("skill", "high", "meaningless"), [(0.02, 0.1, True), (0.3, 0.5, False), (0.1, 0.6, False)])
def test_a_label_that_no_other_column_predicts_means_nothing(skill: float, high: float, meaningless: bool) -> None:
    label = {"name": "outcome", "skill": skill, "low": skill - 0.1, "high": high, "held_out": 200}
    finding = CHECKS["meaningless_labels"](History((), evaluation={"label": label}))
    assert (finding is not None) == meaningless
