"""Policies in closed form: those that expect the most reward, less a price for leaving a base policy.

Shape letters here: B users, M actions of each. Actions that a user does not have are 0 in the base policy.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Closeness = Literal["kl", "chi2"]
CLOSENESS: tuple[Closeness, ...] = get_args(Closeness)


def tilted(base: Array, rewards: Array, beta: float, closeness: Closeness) -> NDArray[np.float64]:
    """Return the policy p that maximises sum p r - beta D(p, base), for each user, (B, M).

    kl    D = sum p log(p / base): p = base exp(r / beta), normalised.
    chi2  D = sum (p - base)^2 / (2 base): p = base max(0, r - nu) / beta, with nu such that it sums to 1. The effective
          sample share of p under the base policy is 1 / (1 + the mean of 2 D): of all policies with that share this one
          expects the most. It leaves out actions of low reward altogether.

    Args: base, rewards (B, M); beta the price, above 0, in units of the reward.
    """
    within = base > 0
    if closeness == "kl":
        logits = np.where(within, np.log(np.where(within, base, 1)) + rewards / beta, -np.inf)
        policy = np.exp(logits - logits.max(1, keepdims=True))
    else:
        policy = base * np.maximum(0, rewards - _threshold(base, np.where(within, rewards, -np.inf), beta))
    return np.asarray(policy / policy.sum(1, keepdims=True), np.float64)


def _threshold(base: Array, rewards: Array, beta: float) -> NDArray[np.float64]:
    """Return nu (B, 1) with sum base max(0, r - nu) = beta, where the k best actions are above it, by trying all k."""
    order = np.argsort(-rewards, axis=1)
    best = np.take_along_axis(rewards, order, 1).astype(np.float64)
    mass = np.take_along_axis(base, order, 1).astype(np.float64)
    reached = np.cumsum(mass * np.where(np.isfinite(best), best, 0), axis=1)
    thresholds = (reached - beta) / np.cumsum(mass, axis=1)
    following = np.concatenate([best[:, 1:], np.full((len(best), 1), -np.inf)], axis=1)
    return np.take_along_axis(thresholds, (thresholds >= following).argmax(1)[:, None], 1)
