"""How sure a number is: 95 % confidence intervals, by the cheapest honest way for each kind of number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ganforge.records import Meaning, Measure

Z95 = 1.959964  # the two-sided 95 % point of the normal distribution


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its 95 % confidence interval, low <= value <= high."""

    value: float
    low: float
    high: float


def measure_of(name: str, estimate: Estimate, floor: float, reference: float, meaning: Meaning) -> Measure:
    """What was estimated, as an evaluation holds it: beside its floor and its reference."""
    ends = estimate.value, estimate.low, estimate.high
    return Measure(name, *ends, floor, reference, meaning.better, meaning.sentence)


def with_ends(scores: Mapping[str, Estimate]) -> dict[str, float]:
    """Each score by its name, with {name}_low and {name}_high: the form that a record's `quality` has (run.py)."""
    return {
        key: value
        for name, score in scores.items()
        for key, value in ((name, score.value), (f"{name}_low", score.low), (f"{name}_high", score.high))
    }


def from_standard_error(
    value: float, standard_error: float, least: float = -math.inf, most: float = math.inf
) -> Estimate:
    """value +- 1.96 standard errors, cut to the range least..most that the quantity can have."""
    half = Z95 * standard_error
    return Estimate(value, max(value - half, min(least, value)), min(value + half, max(most, value)))


def of_share(successes: int, trials: int) -> Estimate:
    """A share with Wilson's interval (1927), which stays honest near 0 and 1 and for few trials. trials >= 1."""
    p, z2 = successes / trials, Z95**2
    centre = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z95 * math.sqrt(p * (1 - p) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    return Estimate(p, max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half)))


def from_jackknife(value: float, without_block: NDArray[np.float64], least: float = 0.0) -> Estimate:
    """The interval of a smooth statistic from its values with one of B blocks left out, each in turn.

    The standard error is sqrt((B-1)/B sum (theta_b - mean)^2) (Efron and Stein 1981), the multiple Student's t with B-1
    degrees of freedom. It needs B evaluations where a bootstrap needs hundreds, and, unlike a bootstrap of a distance,
    it is not shifted by the extra noise of resampling.
    """
    blocks = len(without_block)
    standard_error = math.sqrt((blocks - 1) / blocks * float(((without_block - without_block.mean()) ** 2).sum()))
    return from_standard_error(value, standard_error * float(stats.t.ppf(0.975, blocks - 1)) / Z95, least=least)


def from_bootstrap(
    statistic: Callable[[NDArray[np.int64]], float], count: int, random: np.random.Generator, repeats: int = 200
) -> Estimate:
    """The percentile interval of `statistic(indices)` over `repeats` resamplings of 0..count-1 with replacement."""
    value = statistic(np.arange(count))
    draws = [statistic(random.integers(0, count, count)) for _ in range(repeats)]
    low, high = np.quantile(draws, (0.025, 0.975))
    return Estimate(value, min(float(low), value), max(float(high), value))
