"""Predictions by cross-validation: temperatures, confusions and certainties with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from ganforge.measures.classification import Crossed, calibration_error, confusions, reliability, temperature_of


def test_the_temperature_undoes_scores_that_are_three_times_too_large() -> None:
    random = np.random.default_rng(0)
    scores = random.normal(size=(4_000, 3))
    labels = np.array([random.choice(3, p=one) for one in softmax(scores, axis=1)])
    assert temperature_of(3 * scores, labels) == pytest.approx(3, rel=0.15)


def test_the_temperature_of_a_fold_is_found_in_the_other_folds() -> None:
    sure = np.array([[4.0, 0.0], [0.0, 4.0]] * 20)
    labels = np.tile([0, 1], 20)
    folds = np.repeat([0, 1], 20)
    labels[20:30] = 1 - labels[20:30]  # half of the second fold is wrong: it teaches the first to be unsure
    certain = Crossed({"m": sure}, labels, folds).certainties("m").max(1)
    assert certain[:20].max() < 0.6 and certain[20:].min() > 0.99


def test_a_gain_is_the_difference_of_two_accuracies_over_the_same_examples() -> None:
    scores = {name: np.eye(2)[[0] * right + [1] * (10 - right)] for name, right in (("one", 9), ("other", 6))}
    found = Crossed(scores, np.zeros(10, np.int64), np.arange(10) % 3)
    gain = found.gain("one", "other", np.random.default_rng(0))
    assert found.accuracy("one").value == 0.9 and gain.value == pytest.approx(0.3) and gain.low >= 0


def test_a_table_of_few_labels_is_whole_and_of_many_the_most_frequent_confusions_are_told() -> None:
    few = confusions(np.array([0, 0, 1]), np.array([0, 1, 1]), ["a", "b"], "sounds")
    assert few.heads == ("true", "a", "b") and few.rows == (("a", "1", "1"), ("b", "", "1"))
    names, truth = [f"l{number}" for number in range(30)], np.repeat(np.arange(30), 4)
    found = truth.copy()
    found[:3], found[8] = 7, 1  # three of l0 for l7, and one of l2 for l1
    many = confusions(truth, found, names, "sounds")
    assert many.heads == ("true", "found", "sounds") and many.rows == (("l0", "l7", "3"), ("l2", "l1", "1"))


def test_certainties_are_told_beside_the_share_that_is_right() -> None:
    certainties, right = np.array([0.6, 0.6, 0.95, 0.95, 1.0]), np.array([1.0, 0.0, 1.0, 1.0, 1.0])
    assert reliability(certainties, right, "sounds").rows == (
        ("50% to 70%", "2", "60%", "50%"),
        ("90% to 97%", "2", "95%", "100%"),
        ("97% to 100%", "1", "100%", "100%"),
    )
    assert calibration_error(certainties, right, np.random.default_rng(0)).value == pytest.approx(0.02)
