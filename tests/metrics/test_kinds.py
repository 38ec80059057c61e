"""Kinds reached and variety within them: closed forms on points whose kinds are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ganforge.measures.distances import kind_scores


def points(count: int, seed: int, spread: float = 1.0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Four kinds far from each other, each of them normal about its centre."""
    random = np.random.default_rng(seed)
    kinds = np.arange(count) % 4
    return 50.0 * kinds[:, None] + spread * random.standard_normal((count, 8)), kinds


def test_real_examples_of_the_same_kinds_reach_all_and_are_as_varied() -> None:
    (real, kinds), (fake, fake_kinds) = points(400, 0), points(400, 1)
    found = kind_scores(real, fake, kinds, fake_kinds)
    assert found["kinds_reached"].value == 1.0
    assert found["kind_diversity"].value == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("spread", [0.0, 0.25, 0.5])
def test_variety_within_kinds_is_the_ratio_of_the_spreads(spread: float) -> None:
    """However far the kinds lie from each other: a generator of one example a kind gets 0."""
    (real, kinds), (fake, fake_kinds) = points(400, 0), points(400, 1, spread)
    assert kind_scores(real, fake, kinds, fake_kinds)["kind_diversity"].value == pytest.approx(spread, abs=0.03)


def test_a_kind_that_is_hardly_drawn_is_not_reached() -> None:
    (real, kinds), (fake, fake_kinds) = points(400, 0), points(400, 1)
    kept = (fake_kinds < 2) | (np.arange(400) < 12)  # three each of the other two, where a hundred are due
    assert kind_scores(real, fake[kept], kinds, fake_kinds[kept])["kinds_reached"].value == 0.5


def test_examples_too_few_to_compare_say_nothing() -> None:
    (real, kinds), (fake, fake_kinds) = points(12, 0), points(12, 1)
    assert kind_scores(real, fake, kinds, fake_kinds) == {}
