"""A rhythm is told from drift and from noise."""

from __future__ import annotations

import math
import random

import pytest

from ganforge.diagnosis.balance import find_cycle


@pytest.mark.parametrize("period", [6, 11, 20])
def test_a_rhythm_is_found_under_noise_and_drift(period: int) -> None:
    draw = random.Random(period)
    values = [math.sin(2 * math.pi * i / period) + 0.05 * i + 0.3 * draw.gauss(0, 1) for i in range(100)]
    cycle = find_cycle(values)
    assert cycle is not None and abs(cycle.turns - 100 / period) <= 2


def test_a_wave_that_grows_and_changes_its_pace_is_one() -> None:
    values = [i * math.sin(0.5 * i + math.sin(0.1 * i)) for i in range(90)]
    assert find_cycle(values) is not None


def test_noise_has_a_rhythm_less_than_once_in_a_hundred_times() -> None:
    draw = random.Random(1)
    assert sum(find_cycle([draw.gauss(0, 1) for _ in range(60)]) is not None for _ in range(300)) < 3


@pytest.mark.parametrize(
    "values",
    [
        [1.0] * 60,
        [0.5**i for i in range(60)],
        [math.sqrt(i) for i in range(60)],
        [math.nan] * 60,
        [math.sin(i) for i in range(10)],
    ],
    ids=["constant", "falling", "rising", "not a number", "short"],
)
def test_a_series_without_a_rhythm_has_none(values: list[float]) -> None:
    assert find_cycle(values) is None
