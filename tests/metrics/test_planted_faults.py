"""The ruler is proved on faults planted in real pictures: every measure notices what it must, in order."""

from __future__ import annotations

import numpy as np
import pytest
from metrics_world import World
from planted_faults import FAULTS, grows_worse, noise

from ganforge.measures.gaussian import gaussian_reference
from ganforge.measures.generated import MEANINGS, feature_scores, small_versions
from ganforge.measures.intervals import Estimate
from ganforge.measures.neighbours import Space, copying


@pytest.mark.parametrize("name", FAULTS)
def test_measures_grow_worse_with_a_planted_fault(world: World, name: str) -> None:
    fault = FAULTS[name]
    real = world.judge.features(world.real)
    scores = [feature_scores(real, world.judge.features(world.other))]
    for level in fault.levels:
        spoiled = fault.plant(world.other, world.other_labels, level, np.random.default_rng(1))
        assert spoiled.shape == world.other.shape
        scores.append(feature_scores(real, world.judge.features(spoiled)))
    for measure in fault.noticed_by:
        estimates = [score[measure] for score in scores]
        assert grows_worse(estimates, MEANINGS[measure].better), (measure, estimates)


@pytest.mark.parametrize(
    ("values", "better", "worse"),
    [
        ((1.0, 2.0, 3.0), "lower", True),
        ((1.0, 3.0, 2.0), "lower", False),
        ((1.0, 1.05, 1.1), "lower", False),
        ((0.9, 0.4, 0.0), "higher", True),
        ((0.0, 0.4, 0.9), "higher", False),
    ],
)
def test_growing_worse_needs_steps_beyond_the_intervals(values: tuple[float, ...], better: str, worse: bool) -> None:
    assert grows_worse([Estimate(v, v - 0.1, v + 0.1) for v in values], better) is worse  # type: ignore[arg-type]


def test_unseen_real_pictures_score_better_than_a_gaussian_everywhere(world: World) -> None:
    """Beyond the intervals of both, but for the Frechet distance of a few hundred pictures.

    Its intervals are as wide there as the way between the two: with another seed they overlapped.
    """
    labels = world.train_labels
    rival = gaussian_reference(world.train, labels, len(world.real), 0)
    real = world.judge.features(world.real)
    floor = feature_scores(real, world.judge.features(world.other))
    gaussian = feature_scores(real, world.judge.features(rival))
    assert floor["frechet_distance"].value < gaussian["frechet_distance"].value
    if len(world.real) >= 1000:
        assert floor["frechet_distance"].high < gaussian["frechet_distance"].low
    assert floor["kid"].high < gaussian["kid"].low
    for measure in ("density", "coverage"):
        assert floor[measure].low > gaussian[measure].high


def _copying(world: World, pictures: np.ndarray) -> tuple[bool, float, float]:
    see, small = world.judge.features, small_versions
    result = copying(
        [
            Space(see(world.train), see(world.real), see(pictures)),
            Space(small(world.train), small(world.real), small(pictures)),
        ]
    )
    return result.suspected, result.share.value, result.z


def test_training_pictures_are_called_copies(world: World) -> None:
    copies = world.train[: len(world.other)]
    assert _copying(world, copies)[0]
    suspected, share, z = _copying(world, noise(copies, world.other_labels, 8, np.random.default_rng(0)))
    assert suspected and share > 0.9 and z < -10


def test_one_copy_in_five_is_enough(world: World) -> None:
    mixed = world.other.copy()
    mixed[::5] = world.train[: len(mixed[::5])]
    suspected, share, _ = _copying(world, mixed)
    assert suspected and 0.15 < share < 0.3


def test_unseen_and_blurred_pictures_are_not_called_copies(world: World) -> None:
    suspected, share, z = _copying(world, world.other)
    assert not suspected and share < 0.04 and abs(z) < 4
    blurred = FAULTS["blur"].plant(world.other, world.other_labels, 1, np.random.default_rng(0))
    assert not _copying(world, blurred)[0]
    rival = gaussian_reference(world.train, world.train_labels, len(world.real), 0)
    assert not _copying(world, rival)[0]
