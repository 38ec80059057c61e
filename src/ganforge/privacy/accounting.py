"""What releases of private data cost together: the epsilon at a delta.

A release adds noise to something computed from the records. Its neighbour relation: one record is added or removed.
Gaussian releases without sampling compose into one Gaussian release, whose epsilon is known exactly (Balle and Wang
2018, Theorem 8). With Poisson sampling Renyi divergences at integer orders are added (Mironov, Talwar and Zhang 2019,
Theorem 11) and converted (Canonne, Kamath and Steinke 2020, Proposition 12). An exponential mechanism of epsilon e has
a Renyi divergence of at most e^2 a / 8 (Cesar and Rogers 2021).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.optimize import brentq
from scipy.special import gammaln, log_ndtr, logsumexp

ORDERS = (*range(2, 65), *range(72, 257, 8), *range(288, 1025, 32))  # of the Renyi divergence
LARGEST = 1e6  # a multiplier of noise, beyond which nothing is left of what is released


@dataclass(frozen=True, slots=True)
class Release:
    """One thing that was computed from the records and published with noise, or one rule of sampled steps."""

    name: str  # in words: "second moments of each class"
    mechanism: Literal["gaussian", "exponential"]
    multiplier: float  # gaussian: deviation of the noise / L2 sensitivity
    rate: float = 1.0  # of Poisson sampling: the chance of each record to be in a step
    steps: int = 1
    epsilon: float | None = None  # of one exponential mechanism, whose multiplier is 0

    def renyi(self, order: int) -> float:
        """Return the Renyi divergence of all steps at an integer order >= 2."""
        if self.mechanism == "exponential":
            assert self.epsilon is not None
            return self.steps * min(order * self.epsilon**2 / 8, self.epsilon)
        return self.steps * _renyi_sampled(self.rate, self.multiplier, order)


def _renyi_sampled(rate: float, multiplier: float, order: int) -> float:
    """Return the Renyi divergence of one Gaussian release of a Poisson sample, at an integer order."""
    if multiplier <= 0:
        return math.inf
    if rate >= 1:
        return order / (2 * multiplier**2)
    if rate <= 0:
        return 0.0
    terms = [
        float(gammaln(order + 1) - gammaln(k + 1) - gammaln(order - k + 1))
        + (order - k) * math.log1p(-rate)
        + k * math.log(rate)
        + (k * k - k) / (2 * multiplier**2)
        for k in range(order + 1)
    ]
    return float(logsumexp(terms)) / (order - 1)


def epsilon_of(releases: Sequence[Release], delta: float) -> float:
    """Return the epsilon of all releases together: exact for Gaussian ones without sampling, else from Renyi."""
    if not releases:
        return 0.0
    if all(release.mechanism == "gaussian" and release.rate >= 1 for release in releases):
        if any(release.multiplier <= 0 for release in releases):
            return math.inf
        together = math.fsum(release.steps / release.multiplier**2 for release in releases)
        return gaussian_epsilon(1 / math.sqrt(together), delta)
    found: list[float] = [
        math.fsum(release.renyi(order) for release in releases)
        + math.log((order - 1) / order)
        - (math.log(delta) + math.log(order)) / (order - 1)
        for order in ORDERS
    ]
    return min(found)


def gaussian_delta(epsilon: float, multiplier: float) -> float:
    """Return the exact delta of a Gaussian release at an epsilon (Balle and Wang 2018, equation 6)."""
    half, whole = 1 / (2 * multiplier), epsilon * multiplier
    first, second = float(log_ndtr(half - whole)), epsilon + float(log_ndtr(-half - whole))
    return math.exp(first) * -math.expm1(min(second - first, 0.0))


def gaussian_epsilon(multiplier: float, delta: float) -> float:
    """Return the exact epsilon of a Gaussian release at a delta."""
    if multiplier >= LARGEST or gaussian_delta(0.0, multiplier) <= delta:
        return 0.0
    most = 1.0
    while gaussian_delta(most, multiplier) > delta:
        most *= 2
    return float(brentq(lambda epsilon: gaussian_delta(epsilon, multiplier) - delta, 0.0, most, xtol=1e-10))


def gaussian_multiplier(epsilon: float, delta: float) -> float:
    """Return the least multiplier of the noise of one Gaussian release. Args: epsilon > 0; delta in (0, 1)."""
    return least_multiplier(lambda multiplier: gaussian_epsilon(multiplier, delta), epsilon)


def sampled_multiplier(epsilon: float, delta: float, rate: float, steps: int) -> float:
    """Return the least multiplier for `steps` Gaussian releases of Poisson samples. Args: rate in (0, 1]."""
    return least_multiplier(lambda m: epsilon_of([Release("", "gaussian", m, rate, steps)], delta), epsilon)


def least_multiplier(cost: Callable[[float], float], epsilon: float) -> float:
    """Return the least multiplier whose cost, which falls with it, is at most epsilon."""
    low, high = 1e-3, 1.0
    while cost(high) > epsilon:
        low, high = high, 2 * high
        if high > LARGEST:
            return math.inf
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if cost(middle) <= epsilon else (middle, high)
    return high
