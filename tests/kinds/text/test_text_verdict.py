"""What is said of new texts: the worst of detection, copies, and what needs no network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ganforge.kinds.text.generate.curve import MEANINGS, Point
from ganforge.kinds.text.generate.verdict import Compared, evaluate_texts
from ganforge.measures.intervals import Estimate


def near(value: float) -> Estimate:
    return Estimate(value, value - 0.01, value + 0.01)


def said_of(perplexity: float, ngrams: float, detection: float = 0.55, copies: float = 0.01) -> Any:
    scores = {**{name: near(0.5) for name in MEANINGS}, "detection": near(detection), "copies": near(copies)}
    point = Point("", scores, np.zeros(1), ())
    found = Compared(
        mine=point, plain=[point], guided=[], real=point, ngrams=point, held_out_copies=0.0,
        perplexity=near(perplexity), ngram_perplexity=near(ngrams), gains={}, strength=0.0, temperature=0.8,
        ranked=[0.5], unit="word", texts=100,
    )  # fmt: skip
    return evaluate_texts(found, ["a"], ["b"]).verdict


@pytest.mark.parametrize(("detection", "grade"), [(0.55, "excellent"), (0.65, "good"), (0.95, "failed")])
def test_the_grade_is_how_well_drawn_texts_are_told_from_real_ones(detection: float, grade: str) -> None:
    assert said_of(20, 26, detection).grade == grade


def test_texts_of_a_network_that_n_grams_predict_better_are_poor_at_best() -> None:
    said = said_of(270, 60)
    assert said.grade == "poor"
    assert said.headline.startswith("Poor: n-grams, which are no network, predict these texts better")
    assert "you need no network" in said.sentences[0]
    assert said_of(270, 60, 0.95).grade == "failed"


def test_copies_are_poor_at_best() -> None:
    assert said_of(20, 26, copies=0.2).grade == "poor"
