"""What a policy would have earned, estimated from what another policy did: off-policy evaluation.

A logging policy chose actions, each with a probability (its propensity), and their rewards are known. The weight of a
draw is the probability with which the judged policy would choose that action, over its propensity.

Shape letters here: N draws, U users with draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ganforge.measures.intervals import Z95, Estimate, from_standard_error

Values = NDArray[np.float64]

LEAST_SHARE = 0.1  # effective sample share, below which the logs cannot support a claim


@dataclass(frozen=True, slots=True)
class Draws:
    """What a logging policy did. Draws of one user depend on each other, those of two users do not."""

    user: NDArray[np.int64]  # (N,) any numbers
    reward: Values  # (N,)
    propensity: Values  # (N,) probability of the action by the logging policy, above 0


@dataclass(frozen=True, slots=True)
class Worth:
    """The estimated value of a policy: its mean reward a draw."""

    value: Estimate  # self-normalised importance sampling
    doubly_robust: Estimate | None  # self-normalised; None without a reward model
    share: float  # effective sample share, 0..1
    weight: Estimate  # mean weight: 1 where the propensities are right and every action of the policy was possible
    parts: Values  # (U,) of the deviation of the value from its expectation, by user; they sum to 0

    @property
    def supported(self) -> bool:
        """Whether the logs can support a claim about the policy."""
        return self.share >= LEAST_SHARE

    @property
    def weights_fit(self) -> bool:
        """Whether the mean weight agrees with 1."""
        return self.weight.low <= 1 <= self.weight.high


def worth(draws: Draws, probability: Values, direct: Values | None = None, predicted: Values | None = None) -> Worth:
    """Estimate the value of a policy.

    With weights w = probability / propensity, rewards r and a reward model r^:

        SNIPS  sum w r / sum w                                 Swaminathan and Joachims 2015
        SN-DR  mean of `direct` + sum w (r - r^) / sum w       Dudik et al. 2011, normalised as in the
                                                               weighted estimator of Thomas and Brunskill 2016
        share  (sum w)^2 / (N sum w^2)                         Kish 1965, "Survey Sampling", of N

    The intervals are by the jackknife over users, with Student's degrees of freedom by the effective number of users:
    few users with large weights tell little, also of the spread. They are symmetric in the log odds of the value within
    the range of the rewards: near its ends a symmetric interval covers too rarely (docs/log.md).

    Args: probability (N,) of the logged actions by the judged policy; direct (N,) the expected reward by the reward
        model, over all actions of the policy, and predicted (N,) of the logged action; neither or both.
    """
    weights = probability / draws.propensity
    total = max(float(weights.sum()), 1e-300)
    _, user = np.unique(draws.user, return_inverse=True)
    least, most = float(draws.reward.min()), float(draws.reward.max())

    def summed(parts: Values) -> Values:
        return np.bincount(user, parts).astype(np.float64)

    masses = summed(weights)
    leverage = np.maximum(1 - masses / total, 1e-9)
    effective = total**2 / max(float(masses @ masses), 1e-300)  # users

    def estimate(value: float, parts: Values) -> Estimate:
        return _within(value, _standard_error(parts, effective), least, most, effective)

    value = float(weights @ draws.reward) / total
    parts = summed(weights * (draws.reward - value)) / total / leverage
    doubly_robust = None
    if direct is not None and predicted is not None:
        apart, expected = float(weights @ (draws.reward - predicted)) / total, float(direct.mean())
        beyond = summed(weights * (draws.reward - predicted - apart)) / total / leverage
        doubly_robust = estimate(expected + apart, beyond + summed(direct - expected) / len(weights))
    mean = float(weights.mean())
    return Worth(
        value=estimate(value, parts),
        doubly_robust=doubly_robust,
        share=total**2 / (len(weights) * max(float(weights @ weights), 1e-300)),
        weight=from_standard_error(mean, _standard_error(summed(weights - mean) / len(weights), effective)),
        parts=parts,
    )


def difference(one: Worth, other: Worth) -> Estimate:
    """Return how much more one policy is worth than another one by SNIPS, from the same draws."""
    error = _standard_error(one.parts - other.parts, len(one.parts))
    return from_standard_error(one.value.value - other.value.value, error)


def _standard_error(parts: Values, effective: float) -> float:
    """Return the standard error of a sum of independent parts (U,), longer where few users are in effect behind it.

    1.96 of them on each side are an interval of 95 %.
    """
    if len(parts) < 2:
        return np.inf
    student = float(stats.t.ppf(0.975, max(1.0, effective - 1))) / Z95
    return student * float(np.sqrt((len(parts) - 1) / len(parts) * (parts @ parts)))


def _within(value: float, error: float, least: float, most: float, effective: float) -> Estimate:
    """Return a value with its interval, symmetric in the log odds of its place in the range least..most.

    At an end of the range the error is 0: then it is Wilson's (1927), of so many users. A doubly robust value may lie
    beyond the range; then it is symmetric.
    """
    if least < value < most and np.isfinite(error):
        place = (value - least) / (most - least)
        half = Z95 * error / (most - least) / (place * (1 - place))
        low, high = 1 / (1 + np.exp(np.log(1 / place - 1) + np.array([half, -half])))
        return Estimate(value, least + (most - least) * float(low), least + (most - least) * float(high))
    if value in (least, most) and least < most:
        reach = (most - least) * Z95**2 / (effective + Z95**2)
        return Estimate(value, max(least, value - reach), min(most, value + reach))
    return from_standard_error(value, error, least, most)
