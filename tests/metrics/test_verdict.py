"""The verdict says what the measures say, and never more."""

from __future__ import annotations

from typing import Any

import pytest

from ganforge.errors import RecipeError
from ganforge.measures.generated import MEANINGS
from ganforge.measures.intervals import Estimate, parse_target
from ganforge.measures.neighbours import Copying
from ganforge.measures.verdict import judge_run, position
from ganforge.records import GRADES, Measure, Verdict

HONEST = Copying(Estimate(0.01, 0.0, 0.02), 0.01, 0.0, False, "There is no sign of copying.")
COPIED = Copying(Estimate(0.9, 0.8, 1.0), 0.01, -40.0, True, "Many samples are training pictures.")
MEASURED = {name: meaning.better for name, meaning in MEANINGS.items()}


def measure(name: str, value: float, spread: float, floor: float, reference: float) -> Measure:
    return Measure(name, value, value - spread, value + spread, floor, reference, MEANINGS[name].better, "")


def verdict(frechet: float, kid: float, *, spread: float = 0.0, copies: Copying = HONEST, **changed: Any) -> Verdict:
    """Frechet distance between a floor of 10 and a Gaussian's 1000, kernel distance between 0 and 1."""
    measures = (
        measure("frechet_distance", frechet, spread, 10.0, 1000.0),
        measure("kid", kid, 0.01, 0.0, 1.0),
        measure("precision", 0.8, 0.01, 0.9, 0.5),
        measure("recall", 0.7, 0.01, 0.9, 0.5),
        measure("coverage", changed.get("coverage", 0.8), 0.01, 0.9, 0.5),
        measure("diversity", changed.get("diversity", 0.9), 0.01, 1.0, 0.9),
    )
    return judge_run(measures, copies, changed.get("classes"), False)


@pytest.mark.parametrize(
    ("frechet", "grade"),
    [
        (10.0, "excellent"),
        (10 * 100**0.25 - 0.1, "excellent"),
        (10 * 100**0.25 + 0.1, "good"),
        (10 * 100**0.55 + 0.1, "fair"),
        (10 * 100**0.85 + 0.1, "poor"),
        (10 * 100**1.15 + 0.1, "failed"),
    ],
)
def test_the_grade_is_where_the_distance_lies_between_floor_and_gaussian(frechet: float, grade: str) -> None:
    said = verdict(frechet, 0.1)
    assert said.grade == grade
    assert said.headline.lower().startswith(grade)


def test_a_gain_counts_only_when_both_whole_intervals_lie_below_the_gaussian() -> None:
    assert verdict(100.0, 0.1).adversarial_helps
    assert not verdict(100.0, 0.1, spread=950.0).adversarial_helps
    assert not verdict(100.0, 1.2).adversarial_helps
    assert not verdict(1100.0, 0.1).adversarial_helps


def test_without_a_gain_it_is_fair_at_best_and_says_so() -> None:
    said = verdict(12.0, 1.2)
    assert said.grade == "fair"
    assert "does not beat a simple Gaussian" in said.headline
    assert any("use the Gaussian" in sentence for sentence in said.sentences)


def test_a_gain_within_the_margin_of_error_is_neither_denied_nor_claimed() -> None:
    said = verdict(12.0, 0.1, spread=990.0)
    assert said.grade == "excellent"
    assert "not for certain" in said.headline
    assert "does not beat" not in said.headline
    assert any("Frechet distance may be as high as 1,002" in sentence for sentence in said.sentences)


def test_copying_collapse_gaps_and_missing_labels_limit_the_grade() -> None:
    assert verdict(11.0, 0.1, copies=COPIED).grade == "poor"
    assert verdict(11.0, 0.1, diversity=0.1).grade == "failed"
    assert verdict(11.0, 0.1, coverage=0.2).grade == "fair"
    classes = {"names": ["cat", "dog"], "training_shares": [0.5, 0.5], "sample_shares": [1.0, 0.0], "missing": ["dog"]}
    said = verdict(11.0, 0.1, classes=classes)
    assert said.grade == "fair"
    assert '"dog" is missing' in said.headline


def test_where_the_gaussian_is_as_good_as_real_only_the_distance_to_the_floor_counts() -> None:
    same = Measure("frechet_distance", 10.0, 10.0, 10.0, 10.0, 10.0, "lower", "")
    assert position(same) == 0.0
    assert position(Measure("frechet_distance", 30.0, 30.0, 30.0, 10.0, 10.0, "lower", "")) > 1.0


def test_grades_go_from_best_to_worst() -> None:
    ranks = [GRADES.index(verdict(frechet, 0.1).grade) for frechet in range(5, 3000, 5)]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize(
    ("text", "quality", "reached"),
    [
        ("kid<0.02", {"kid": 0.01, "kid_high": 0.015}, True),
        ("kid<0.02", {"kid": 0.01, "kid_high": 0.03}, False),  # the interval must lie below as a whole
        (" recall > 0.5 ", {"recall": 0.6, "recall_low": 0.55}, True),
        ("recall>=.5", {"recall": 0.6, "recall_low": 0.4}, False),
        ("frechet distance<40", {"frechet_distance": 39.0}, True),  # no interval: the value itself
        ("kid<0.02", {}, False),
    ],
)
def test_a_target_is_reached_when_the_whole_interval_is_past_it(
    text: str, quality: dict[str, float], reached: bool
) -> None:
    assert parse_target(text, MEASURED).reached(quality) is reached


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("kid", "cannot be read"),
        ("kid<", "cannot be read"),
        ("kid<nan", "cannot be read"),
        ("kid<1e999", "cannot be read"),
        ("<0.5", "cannot be read"),
        ("kids<0.5", "kid"),
        ("kid>0.5", "worse kid"),
        ("recall<0.5", "worse recall"),
    ],
)
def test_a_target_that_cannot_be_meant_is_refused_in_words(text: str, part: str) -> None:
    with pytest.raises(RecipeError, match=part):
        parse_target(text, MEASURED)


def test_few_unseen_pictures_and_labels_of_few_are_said() -> None:
    measures = tuple(
        measure(name, 0.5, 0.01, 0.9, 0.1)
        for name in ("frechet_distance", "kid", "precision", "recall", "coverage", "diversity")
    )
    classes = {"missing": [], "few": ["owl", "emu"]}
    few = judge_run(measures, HONEST, classes, False, compared=12).sentences
    assert any(sentence.startswith('Fewer than 10 training pictures are of "owl" and "emu"') for sentence in few)
    assert few[-1].startswith("Only 12 unseen pictures could be compared: 12 others might lead to another grade.")
    assert len(judge_run(measures, HONEST, None, False, compared=50).sentences) == len(few) - 2
