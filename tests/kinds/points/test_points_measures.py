"""Measures of points against closed forms and planted faults, and the verdict that follows from them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from interval_checks import assert_intervals_hold

from ganforge.kinds.points.measures import Modes, gaussian, mixture, scores, sliced_wasserstein
from ganforge.kinds.points.reading import open_points
from ganforge.kinds.points.verdict import evaluate_points

RANDOM = np.random.default_rng(0)


def scaled(name: str) -> tuple[np.ndarray, np.ndarray]:
    points = open_points(name, 0)
    return (points.train - points.centre) / points.scale, (points.held_out - points.centre) / points.scale


def test_a_shift_moves_the_sliced_distance_by_its_mean_projection() -> None:
    """Of a shift by d, the mean over directions of |d cos angle| is 2 |d| / pi."""
    x = RANDOM.normal(size=(2000, 2))
    assert sliced_wasserstein(x, x + np.array([3.0, 0.0])).value == pytest.approx(2 * 3 / math.pi, rel=1e-3)
    y = RANDOM.normal(size=(2000, 3))  # on the sphere it is |d| / 2
    assert sliced_wasserstein(y, y + np.array([0.0, 0.0, 2.0])).value == pytest.approx(1.0, rel=2e-2)


@pytest.mark.slow
def test_the_interval_of_the_distance_holds_the_distance_of_large_samples() -> None:
    truth = sliced_wasserstein(RANDOM.normal(size=(50_000, 2)), RANDOM.normal(size=(50_000, 2)) * 1.5).value
    found = [sliced_wasserstein(RANDOM.normal(size=(1000, 2)), RANDOM.normal(size=(1000, 2)) * 1.5) for _ in range(40)]
    assert_intervals_hold(found, truth)


@pytest.mark.parametrize(("name", "count"), [("grid25", 25), ("ring8", 8), ("two_moons", 2)])
def test_the_modes_of_the_built_in_shapes_are_found(name: str, count: int) -> None:
    train, held_out = scaled(name)
    modes = Modes.find(train)
    assert len(modes) == count
    assert len(modes.missing(held_out)) == 0
    assert (modes.of(held_out) >= 0).mean() > 0.97


def test_one_cluster_is_found_where_there_is_one() -> None:
    assert len(Modes.find(RANDOM.normal(size=(3000, 2)))) == 1


def test_a_dropped_mode_is_missing_and_points_between_modes_are_not_on_them() -> None:
    train, held_out = scaled("ring8")
    modes = Modes.find(train)
    dropped = held_out[modes.of(held_out) != 3]
    assert list(modes.missing(dropped)) == [3]
    assert scores(held_out, dropped, modes)["modes_reached"].value == 7 / 8
    between = np.concatenate([held_out[:2000], RANDOM.normal(size=(2000, 2)) * 0.1])
    assert scores(held_out, between, modes)["on_modes"].value == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("name", "least", "most"), [("ring8", 8, 8), ("grid25", 25, 32)])
def test_the_mixture_has_about_as_many_components_as_there_are_modes(name: str, least: int, most: int) -> None:
    train, held_out = scaled(name)
    points, components = mixture(train, 3000)
    assert least <= components <= most
    assert scores(held_out, points, Modes.find(train))["on_modes"].value > 0.95


@pytest.mark.slow
def test_real_points_are_excellent_a_gaussian_fails_and_half_the_modes_are_poor_at_best() -> None:
    train, held_out = scaled("ring8")
    modes = Modes.find(train)

    def grade(samples: np.ndarray) -> tuple[str, bool]:
        found = evaluate_points(train, held_out, samples, modes, str, ())
        assert all(math.isfinite(measure.floor) and math.isfinite(measure.reference) for measure in found.measures)
        return found.verdict.grade, found.verdict.adversarial_helps

    assert grade(train[:4000]) == ("excellent", True)
    assert grade(gaussian(train, 4000, seed=5))[0] == "failed"
    assert grade(held_out[modes.of(held_out) < 3])[0] in ("poor", "failed")
    seven = evaluate_points(train, held_out, held_out[modes.of(held_out) != 3], modes, str, ())
    assert seven.verdict.grade in ("fair", "poor")
    assert "Missing: the modes at" in " ".join(seven.verdict.sentences)
    assert "need no GAN" in " ".join(seven.verdict.sentences)


def test_of_one_cluster_the_headline_speaks_of_nearness_and_not_of_modes() -> None:
    x = np.random.default_rng(3).normal(size=(3000, 2))
    found = evaluate_points(x[:2000], x[2000:], x[:1000], Modes.find(x[:2000]), str, ())
    assert "of the points lie where real ones do." in found.verdict.headline
    assert "mode" not in found.verdict.headline
