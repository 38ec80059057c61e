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

        SNIPS  sum w r / sum w                                 Swaminathan and Joachims 2015, equation 7
        SN-DR  mean of `direct` + sum w (r - r^) / sum w       Dudik et al. 2011, equation 2, normalised as in the
                                                               weighted estimator of Thomas and Brunskill 2016
        share  (sum w)^2 / (N sum w^2)                         Kish 1965, "Survey Sampling", of N

    The intervals are those of ratios by linearisation, from sums over users. Student's degrees of freedom are the
    effective number of users less 1: few users with large weights tell little, also of the spread.

    Args: probability (N,) of the logged actions by the judged policy; direct (N,) the expected reward by the reward
        model, over all actions of the policy, and predicted (N,) of the logged action; neither or both.
    """
    weights = probability / draws.propensity
    total = max(float(weights.sum()), 1e-300)
    _, user = np.unique(draws.user, return_inverse=True)
    least, most = float(draws.reward.min()), float(draws.reward.max())

    def summed(parts: Values) -> Values:
        return np.bincount(user, parts).astype(np.float64)

    def estimate(value: float, parts: Values, least: float = -np.inf, most: float = np.inf) -> Estimate:
        return from_standard_error(value, _standard_error(parts, summed(weights)), least, most)

    value = float(weights @ draws.reward) / total
    parts = summed(weights * (draws.reward - value)) / total
    doubly_robust = None
    if direct is not None and predicted is not None:
        apart, expected = float(weights @ (draws.reward - predicted)) / total, float(direct.mean())
        beyond = summed(weights * (draws.reward - predicted - apart)) / total
        doubly_robust = estimate(expected + apart, beyond + summed(direct - expected) / len(weights), least, most)
    mean = float(weights.mean())
    return Worth(
        value=estimate(value, parts, least, most),
        doubly_robust=doubly_robust,
        share=total**2 / (len(weights) * max(float(weights @ weights), 1e-300)),
        weight=estimate(mean, summed(weights - mean) / len(weights)),
        parts=parts,
    )


def difference(one: Worth, other: Worth) -> Estimate:
    """Return how much more one policy is worth than another one by SNIPS, from the same draws."""
    users = np.ones(len(one.parts))
    return from_standard_error(one.value.value - other.value.value, _standard_error(one.parts - other.parts, users))


def _standard_error(parts: Values, weights: Values) -> float:
    """Return the standard error of a sum of independent parts (U,), for an interval of 1.96 of them on each side.

    It is longer where the weights (U,) leave few degrees of freedom.
    """
    users = len(parts)
    if users < 2:
        return np.inf
    effective = weights.sum() ** 2 / max(float(weights @ weights), 1e-300)
    student = float(stats.t.ppf(0.975, max(1.0, effective - 1))) / Z95
    return student * float(np.sqrt(users / (users - 1) * (parts @ parts)))
