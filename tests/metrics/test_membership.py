"""Membership: intervals that hold, attacks that are worth one half where nothing leaks, and columns by hand."""

from __future__ import annotations

import numpy as np
import pytest
from interval_checks import CHANCE, assert_intervals_hold
from scipy.stats import binom, norm
from sklearn.metrics import roc_auc_score

from ganforge.measures import membership
from ganforge.measures.disclosure import inferred, linked, singled_out
from ganforge.measures.intervals import of_share, wilson
from ganforge.measures.membership import (
    density_ratio,
    least_area,
    log_density,
    monte_carlo,
    nearness,
    nearness_to_others,
    telling,
    z_of,
)
from ganforge.measures.neighbours import authentic, nearer_share

SEEDS = 200


def _normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.0])
def test_the_area_between_two_gaussians_is_the_closed_form_and_its_interval_holds_it(shift: float) -> None:
    """P(x + shift > y) of two standard normals is the normal distribution at shift / sqrt 2."""
    found = [telling(_normal(2 * seed, 150) + shift, _normal(2 * seed + 1, 100)).area for seed in range(SEEDS)]
    assert_intervals_hold(found, float(norm.cdf(shift / 2**0.5)))


def test_the_area_is_that_of_scikit_learn_also_with_ties() -> None:
    one, other = np.round(_normal(0, 80) + 0.4, 1), np.round(_normal(1, 50), 1)
    expected = roc_auc_score(np.repeat([1, 0], [80, 50]), np.concatenate([one, other]))
    assert telling(one, other).area.value == pytest.approx(expected, abs=1e-12)


def test_the_false_positives_of_the_threshold_are_within_their_interval_as_often_as_it_says() -> None:
    """The threshold's true rate is known here: it is one minus the normal distribution at the threshold."""
    held = 0
    for seed in range(SEEDS):
        others = _normal(seed, 300)
        rate, threshold = telling(_normal(seed + 10_000, 100), others).false_positives, np.sort(others)[-3]
        assert rate.value == 3 / 301
        held += rate.low <= norm.sf(threshold) <= rate.high
    assert binom.ppf(CHANCE, SEEDS, 0.95) <= held <= binom.ppf(1 - CHANCE, SEEDS, 0.95)


def test_perfect_scores_have_an_interval_and_leak_and_equal_ones_do_not() -> None:
    perfect = telling(np.arange(30.0) + 100, np.arange(30.0))
    assert perfect.area.value == perfect.area.high == 1 > perfect.area.low > 0.8
    assert perfect.leaks and perfect.differs
    same = telling(np.zeros(30), np.zeros(30))
    assert same.area.value == 0.5 and not same.leaks and not same.differs


def test_a_leak_of_a_few_members_alone_shows_in_the_true_positive_rate() -> None:
    members, others = _normal(0, 500), _normal(1, 500)
    members[:50] += 10
    found = telling(members, others)
    assert found.true_positives.low > found.false_positives.high


def test_intervals_that_hold_together_are_wider_and_a_share_is_wilsons() -> None:
    assert z_of(1) == pytest.approx(1.96, abs=1e-3)
    assert z_of(10) == pytest.approx(norm.ppf(0.9975))
    assert wilson(3 / 20, 20, z_of(1)).low == pytest.approx(of_share(3, 20).low, abs=1e-5)


def test_what_could_not_be_told_from_chance_is_the_standard_error_of_the_rank_sum() -> None:
    areas = [telling(_normal(seed, 60), _normal(seed + 5_000, 40)).area.value for seed in range(400)]
    assert least_area(60, 40, 1.0) - 0.5 == pytest.approx(np.std(areas), rel=4 / (2 * 400) ** 0.5)


# ---- attacks ---------------------------------------------------------------------------------------------------------


def _mean_area(attack: str, members: int = 60, others: int = 20) -> tuple[float, float]:
    """The mean area over seeds, and its standard error. Nothing leaks, and the model is bad: it varies too little."""
    areas, seeds = [], 100
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        x, y, made = (random.normal(size=(n, 10)) * scale for n, scale in ((members, 1), (others, 1), (150, 0.6)))
        near = nearness(x, made), nearness(y, made)
        alone = nearness_to_others(x, y, random)
        scores = {
            "nearness": lambda near=near: near,
            "without a model": lambda alone=alone: alone,
            "calibrated": lambda near=near, alone=alone: (near[0] - alone[0], near[1] - alone[1]),
            "monte carlo": lambda x=x, y=y, made=made: monte_carlo(x, y, made),
            "density ratio": lambda x=x, y=y, made=made, random=random: density_ratio(x, y, made, random),
        }[attack]()
        areas.append(telling(*scores).area.value)
    return float(np.mean(areas)), float(np.std(areas) / seeds**0.5)


@pytest.mark.slow
@pytest.mark.parametrize("attack", ["nearness", "without a model", "calibrated", "monte carlo", "density ratio"])
def test_an_attack_is_worth_one_half_where_nothing_leaks_even_if_the_model_is_bad(attack: str) -> None:
    """Twenty non-members calibrate themselves: the one that is scored must not be among them in any way."""
    mean, error = _mean_area(attack)
    assert abs(mean - 0.5) < 4 * error


@pytest.mark.slow
def test_that_test_fails_where_the_density_holds_the_example_that_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    density = membership.log_density
    monkeypatch.setattr(membership, "log_density", lambda at, known, skipped=None: density(at, known))
    mean, error = _mean_area("density ratio")
    assert mean - 0.5 > 4 * error


def test_a_density_is_the_sum_of_its_kernels_with_and_without_one() -> None:
    known, at = _normal(0, 30, 3), _normal(1, 5, 3)
    width = 30 ** (-1 / 7)
    kernels = np.array([[np.exp(-((x - k) ** 2).sum() / 2 / width**2) for k in known] for x in at])
    kernels /= (2 * np.pi * width**2) ** 1.5
    assert log_density(at, known) == pytest.approx(np.log(kernels.mean(1)), abs=1e-9)
    kernels[np.arange(5), [3, 1, 4, 1, 5]] = 0
    assert log_density(at, known, np.array([3, 1, 4, 1, 5])) == pytest.approx(np.log(kernels.sum(1) / 29), abs=1e-9)


def test_the_monte_carlo_attack_counts_what_is_within_the_median_distance() -> None:
    made = np.array([[0.0], [1.0], [10.0]])
    members, others = np.array([[0.0], [0.5]]), np.array([[12.0], [30.0]])  # nearest at 0, 0.5, 2 and 20: median 1.25
    first, second = monte_carlo(members, others, made)
    assert first == pytest.approx([2 / 3, 2 / 3]) and second == pytest.approx([0, 0])


def test_a_collapsed_model_and_a_single_feature_can_be_attacked() -> None:
    random = np.random.default_rng(0)
    for size in (1, 12):
        x, y, made = random.normal(size=(40, size)), random.normal(size=(40, size)), np.zeros((50, size))
        for scores in (monte_carlo(x, y, made), density_ratio(x, y, made, random)):
            assert np.isfinite(np.concatenate(scores)).all()


# ---- copies ----------------------------------------------------------------------------------------------------------


def test_nearer_and_authentic_by_hand() -> None:
    train, unseen = np.array([[0.0], [10.0]]), np.array([[5.0], [20.0]])
    points = np.array([[1.0], [4.0], [11.0], [2.5]])  # nearer to 0, to 5, to 10, and as near to 0 as to 5
    share, trials = nearer_share(points, train, unseen)
    assert share == (1 + 0 + 1 + 0.5) / 4
    assert trials == pytest.approx(16 / (2**2 + 1 + 1))  # two points are nearest to 0, a tie to the training side
    assert authentic(np.array([[9.0], [-11.0]]), train).tolist() == [False, True]  # 1 < 10, and 11 > 10


# ---- columns ---------------------------------------------------------------------------------------------------------


def test_copied_rows_are_singled_out_linked_and_inferred_and_others_are_not() -> None:
    random, numeric = np.random.default_rng(0), (True, True, False, False, True, False)
    rows = np.where(numeric, random.normal(size=(300, 6)).round(2), random.integers(0, 5, (300, 6)))
    copied, others = rows[:100], rows[100:200]
    first, second = singled_out([copied, others], copied, numeric, random)
    assert first.mean() > second.mean() + 0.3
    assert linked(copied, copied, numeric, random).mean() > 0.7
    assert linked(others, copied, numeric, random).mean() < 0.1
    assert inferred(copied, copied, numeric).mean() > 0.9
    assert inferred(others, copied, numeric).mean() < 0.4
    apart = singled_out([rows[200:], others], copied, numeric, random)
    assert abs(apart[0].mean() - apart[1].mean()) < 4 * (2 * apart[1].mean() / 100) ** 0.5


def test_a_cell_is_inferred_from_the_row_nearest_to_the_others() -> None:
    made = np.array([[0.0, 1.0, 7.0, 5.0], [9.0, 2.0, 3.0, 4.0]])
    target = np.array([[0.1, 1.0, 3.0, 5.0], [np.nan, 2.0, 3.0, 4.0]])
    found = inferred(target, made, (True, False, False, False))
    assert found[0].tolist() == [1, 1, 0, 1]  # all from the first row, whose third cell is another one
    assert found[1].tolist() == [0, 1, 1, 1]  # a missing number is guessed as 9


def test_a_missing_value_is_apart_from_others_and_equal_to_another() -> None:
    made = np.array([[np.nan, 1.0], [0.0, 2.0]])
    assert inferred(np.array([[np.nan, 1.0]]), made, (True, False)).tolist() == [[1, 1]]
    assert singled_out([made, made], made, (True, False), np.random.default_rng(0))[0].tolist() == [1, 1]
