"""Each measure against numbers that are known without it."""

from __future__ import annotations

import numpy as np
import pytest
from interval_checks import assert_intervals_hold
from scipy import linalg

from ganforge.measures.distances import (
    Moments,
    _leave_blocks_out,
    distance_of_gaussians,
    diversity,
    frechet_distance,
    kernel_distance,
    moments,
)
from ganforge.measures.intervals import from_bootstrap, of_share
from ganforge.measures.neighbours import Space, copying, mann_whitney_z, nearest_with_index, neighbour_scores


def _normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_the_frechet_distance_of_two_diagonal_gaussians_is_the_closed_form() -> None:
    a, b = np.array([1.0, 4.0, 9.0]), np.array([4.0, 4.0, 1.0])
    shift = np.array([1.0, -2.0, 0.0])
    closed = 5 + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    found = distance_of_gaussians(Moments(np.zeros(3), np.diag(a)), Moments(shift, np.diag(b)))
    assert found == pytest.approx(closed, abs=1e-12)


def test_the_frechet_distance_agrees_with_the_matrix_root() -> None:
    a = moments(_normal(0, 500, 12) @ _normal(1, 12, 12))
    b = moments(_normal(2, 500, 12) @ _normal(3, 12, 12) + 1)
    root = linalg.sqrtm(a.covariance @ b.covariance).real
    expected = ((a.mean - b.mean) ** 2).sum() + np.trace(a.covariance + b.covariance - 2 * root)
    assert distance_of_gaussians(a, b) == pytest.approx(expected, rel=1e-9)
    assert distance_of_gaussians(b, a) == pytest.approx(expected, rel=1e-9)
    assert distance_of_gaussians(a, a) == pytest.approx(0, abs=1e-6)


def test_fewer_samples_than_features_give_a_finite_frechet_distance() -> None:
    estimate = frechet_distance(_normal(0, 20, 64), _normal(1, 20, 64) + 1)
    assert np.isfinite([estimate.value, estimate.low, estimate.high]).all()
    assert estimate.value > 30  # the shift alone is 64, the spans of the samples hardly meet


def test_moments_without_a_block_are_those_of_the_other_rows() -> None:
    x = _normal(0, 103, 7) + 1e3  # far from 0, where careless sums lose digits
    for left_out, block in zip(_leave_blocks_out(x, 5), np.array_split(np.arange(103), 5), strict=True):
        direct = moments(np.delete(x, block, axis=0))
        np.testing.assert_allclose(left_out.mean, direct.mean)
        np.testing.assert_allclose(left_out.covariance, direct.covariance, atol=1e-9)


def test_the_kernel_distance_is_the_plain_double_sum() -> None:
    x, y = _normal(0, 30, 5), _normal(1, 40, 5) + 0.5
    kernel = lambda a, b: (a @ b.T / 5 + 1) ** 3  # noqa: E731 - one formula, used thrice
    xx, yy = kernel(x, x), kernel(y, y)
    expected = (xx.sum() - np.trace(xx)) / (30 * 29) + (yy.sum() - np.trace(yy)) / (40 * 39) - 2 * kernel(x, y).mean()
    assert kernel_distance(x, y).value == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_kernel_distance_is_unbiased(shift: float) -> None:
    # In one dimension the distance is a sum over the first three moments, with the cube's binomial weights.
    moment = [(shift, 0.0), (1 + shift**2, 1.0), (shift**3 + 3 * shift, 0.0)]
    truth = sum(weight * (a - b) ** 2 for weight, (a, b) in zip((3, 3, 1), moment, strict=True))
    found = [kernel_distance(_normal(2 * i, 200, 1), _normal(2 * i + 1, 200, 1) + shift).value for i in range(200)]
    assert abs(np.mean(found) - truth) < 3.5 * np.std(found) / 200**0.5


@pytest.mark.parametrize("shift", [0.0, 0.2])
def test_the_kernel_interval_covers_the_truth(shift: float) -> None:
    # Also for equal distributions, where the first-order variance vanishes.
    found = [kernel_distance(_normal(2 * i, 300, 16), _normal(2 * i + 1, 300, 16) + shift) for i in range(200)]
    assert_intervals_hold(found, truth=0.0 if shift == 0 else None)


def test_the_frechet_interval_covers_repeated_measurements() -> None:
    found = [frechet_distance(_normal(2 * i, 400, 8), _normal(2 * i + 1, 400, 8) * 1.3) for i in range(100)]
    assert_intervals_hold(found)


def test_equal_distributions_get_the_golden_density_and_coverage() -> None:
    found = [neighbour_scores(_normal(2 * i, 1000, 16), _normal(2 * i + 1, 1000, 16)) for i in range(4)]
    n = m = 1000
    golden = 1 - np.prod([(n - i) / (n + m - i) for i in range(1, 6)])
    assert golden == pytest.approx(0.969, abs=1e-3)
    assert np.mean([f["coverage"].value for f in found]) == pytest.approx(golden, abs=0.01)
    assert np.mean([f["density"].value for f in found]) == pytest.approx(1, abs=0.05)


def test_coverage_with_unequal_sizes_is_golden_too() -> None:
    golden = 1 - np.prod([(800 - i) / (800 + 200 - i) for i in range(1, 6)])
    found = [neighbour_scores(_normal(2 * i, 800, 8), _normal(2 * i + 1, 200, 8))["coverage"].value for i in range(8)]
    assert np.mean(found) == pytest.approx(golden, abs=0.025)


def test_neighbour_scores_are_the_definitions_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganforge.measures.neighbours.NUMBERS", 2_000)  # several chunks
    x, y = _normal(0, 60, 3), _normal(1, 50, 3) * 0.7 + 0.5
    distance = np.linalg.norm(x[:, None] - y[None], axis=2)
    radius_x = np.sort(np.linalg.norm(x[:, None] - x[None], axis=2), axis=1)[:, 5]
    radius_y = np.sort(np.linalg.norm(y[:, None] - y[None], axis=2), axis=1)[:, 5]
    inside, reached = distance < radius_x[:, None], distance < radius_y[None]
    found = neighbour_scores(x, y)
    assert found["precision"].value == pytest.approx(inside.any(0).mean())
    assert found["recall"].value == pytest.approx(reached.any(1).mean())
    assert found["density"].value == pytest.approx(inside.sum(0).mean() / 5)
    assert found["coverage"].value == pytest.approx(inside.any(1).mean())


def test_neighbour_intervals_cover_repeated_measurements() -> None:
    found = [neighbour_scores(_normal(2 * i, 300, 4), _normal(2 * i + 1, 300, 4) * 0.8 + 0.3) for i in range(100)]
    for name in ("precision", "recall", "density", "coverage"):
        assert_intervals_hold([f[name] for f in found], label=name)


def test_the_nearest_of_a_training_picture_is_itself() -> None:
    base = _normal(0, 100, 6)
    distances, indices = nearest_with_index(base[[3, 50]], base, 2)
    assert indices[:, 0].tolist() == [3, 50]
    assert distances.shape == (2, 2) and (distances[:, 0] < 1e-2).all() and (distances[:, 1] > 0.1).all()


def test_diversity_is_the_ratio_of_spreads() -> None:
    x = _normal(0, 500, 10)
    assert diversity(x, x * 0.5).value == pytest.approx(0.5, rel=1e-3)
    assert diversity(x, np.repeat(x[:1], 50, axis=0)).value == pytest.approx(0, abs=1e-3)
    other = diversity(x, _normal(1, 500, 10))
    assert other.low < 1 < other.high


def test_mann_whitney_is_the_textbook_formula_and_negative_for_copies() -> None:
    near, far = np.arange(10) / 100, 1 + np.arange(20) / 100
    expected = -10 * 20 / 2 / (10 * 20 * 31 / 12) ** 0.5
    assert mann_whitney_z(near, far) == pytest.approx(expected)
    assert mann_whitney_z(far, near) == pytest.approx(-expected)


def test_copies_are_still_found_where_the_data_holds_repeats() -> None:
    train = np.repeat(_normal(0, 300, 8), 2, axis=0)
    unseen = np.concatenate([train[:10], _normal(1, 290, 8)])  # 3 % of what was held out is in the training part
    assert copying([Space(train, unseen, train[100:400])]).suspected
    assert not copying([Space(train, unseen, _normal(2, 300, 8))]).suspected


def test_wilson_and_bootstrap_intervals() -> None:
    assert of_share(0, 100).high == pytest.approx(0.037, abs=1e-3)
    assert of_share(0, 100).value == of_share(0, 100).low == 0
    assert of_share(50, 100).low == pytest.approx(0.404, abs=1e-3)
    x = _normal(0, 400)
    mean = from_bootstrap(lambda rows: float(x[rows].mean()), 400, np.random.default_rng(0), repeats=500)
    assert mean.high - mean.low == pytest.approx(2 * 1.96 * x.std() / 20, rel=0.15)
