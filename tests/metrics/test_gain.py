"""Which of two results of the same pictures lies nearer to real ones, and the verdict that follows."""

from __future__ import annotations

import numpy as np
import pytest
from interval_checks import assert_intervals_hold

from ganforge.kinds.pictures.measures.restoration import FAITHFUL, SHARP, judge_restoration
from ganforge.measures.distances import kernel_distance, kernel_gain
from ganforge.measures.intervals import Estimate


def some(count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, (count, 8)).astype(np.float32)


def test_the_gain_is_the_difference_of_two_kernel_distances() -> None:
    real, one, other = some(200, 0), some(150, 1, 0.4), some(150, 2, 0.1)
    gain = kernel_gain(real, one, other)
    assert gain.value == pytest.approx(kernel_distance(real, one).value - kernel_distance(real, other).value, abs=1e-9)


def test_two_equal_results_gain_nothing_for_certain() -> None:
    one = some(150, 1, 0.4)
    gain = kernel_gain(some(200, 0), one, one)
    assert (gain.value, gain.low, gain.high) == (0, 0, 0)


def test_pairs_show_a_gain_that_two_intervals_beside_each_other_hide() -> None:
    real, one = some(300, 0), some(300, 1, 0.25)
    other = one - 0.05
    apart = kernel_distance(real, one), kernel_distance(real, other)
    assert apart[1].high > apart[0].low
    assert kernel_gain(real, one, other).low > 0


@pytest.mark.parametrize(("reals", "pairs"), [(120, 120), (40, 400)])
def test_the_interval_holds_the_true_gain_as_often_as_it_says(reals: int, pairs: int) -> None:
    """Also where few real examples decide for many pairs."""

    def drawn(seed: int) -> Estimate:
        base = some(pairs, 3 * seed + 1)
        return kernel_gain(some(reals, 3 * seed), base + np.float32(0.3), base + np.float32(0.15))

    assert_intervals_hold([drawn(seed) for seed in range(200)])


def judged(ahead: Estimate, gain: Estimate, compared: int = 100) -> dict[str, object]:
    def scores(psnr: float, kid: float) -> dict[str, Estimate]:
        return {
            "psnr": Estimate(psnr, psnr - 3, psnr + 3),
            "ssim": Estimate(0.9, 0.8, 1.0),
            "kid": Estimate(kid, -1, 1),
        }

    ends = {FAITHFUL: scores(32, 0.2), SHARP: scores(31, 0.1)}
    return judge_restoration(ends, {"bicubic": {"psnr": 32 - ahead.value}}, {"bicubic": ahead}, gain, compared)


@pytest.mark.parametrize(
    ("ahead", "grade"),
    [
        (Estimate(-0.1, -0.2, 0.0), "failed"),
        (Estimate(1.0, -0.1, 2.1), "fair"),
        (Estimate(0.3, 0.2, 0.4), "fair"),
        (Estimate(1.0, 0.9, 1.1), "good"),
        (Estimate(2.5, 2.4, 2.6), "excellent"),
    ],
)
def test_the_grade_follows_from_what_is_gained_picture_by_picture(ahead: Estimate, grade: str) -> None:
    verdict = judged(ahead, Estimate(0.1, 0.05, 0.15))
    assert verdict.grade == grade
    assert verdict.adversarial_helps is True
    if grade == "failed":
        assert "bicubic, which is no network" in str(verdict.headline)


def test_of_a_few_tiles_no_gain_is_certain() -> None:
    verdict = judged(Estimate(2.5, 2.4, 2.6), Estimate(0.1, 0.05, 0.15), compared=11)
    assert verdict.grade == "fair" and "not for certain" in verdict.headline
    assert verdict.sentences[-1].startswith("Only 11 unseen parts")


@pytest.mark.parametrize(
    ("gain", "said"),
    [(Estimate(0.1, -0.1, 0.3), "not for certain"), (Estimate(-0.1, -0.2, 0.0), "turn the dial to faithful")],
)
def test_it_says_by_itself_when_the_adversarial_part_does_not_help(gain: Estimate, said: str) -> None:
    verdict = judged(Estimate(1.0, 0.9, 1.1), gain)
    assert verdict.adversarial_helps is False
    assert said in str(verdict.sentences)
