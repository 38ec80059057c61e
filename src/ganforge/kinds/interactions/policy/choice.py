"""What a policy would have done where a log shows what was done, and the policy that is certainly worth most.

Shape letters here: N draws, B users of a block, I items.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.policy.rewards import Rewards, Rows, blocks_of
from ganforge.kinds.interactions.policy.tilt import CLOSENESS, Array, Closeness, tilted
from ganforge.measures.off_policy import LEAST_SHARE, Draws, Values, Worth, difference, worth

LEAST_CHOSEN = 2 * LEAST_SHARE  # effective share of a policy that is chosen, so that other logs can judge it, too
BETAS = tuple(
    2.0 ** (power / 2) for power in range(-12, 5)
)  # prices that are tried, in spreads of the expected rewards


@dataclass(frozen=True, slots=True)
class Tilt:
    """A policy in closed form beside the base policy; a price of infinity is the base policy itself."""

    closeness: Closeness = "kl"
    beta: float = np.inf  # in units of the reward

    def of(self, base: Array, rewards: Array) -> Array:
        """Return the policy (B, M). Args: base, rewards (B, M)."""
        return base if np.isinf(self.beta) else tilted(base, rewards, self.beta, self.closeness)


BASE = Tilt()
Policies = Callable[[Rows, NDArray[np.float64]], Iterable[Array]]
"""Rows of users (B,), the base policy over their items (B, I) -> the probabilities (B, I) of each policy."""


def tilts(spread: float) -> list[Tilt]:
    """Return the policies that are tried. Args: spread of the expected rewards."""
    return [BASE, *(Tilt(closeness, beta * spread) for closeness in CLOSENESS for beta in BETAS)]


def chosen(tried: Mapping[Tilt, Worth]) -> Tilt:
    """Return the policy with the highest lower end of the interval of its value, of those that a log can judge."""
    judged = {tilt: its for tilt, its in tried.items() if its.share >= LEAST_CHOSEN}
    return max(judged, key=lambda tilt: judged[tilt].value.low, default=BASE)


def is_better(one: Worth, other: Worth) -> bool:
    """Return whether a policy that is the best of several tried ones is certainly better than a simpler one.

    By three standard errors; and its mean weight must not be further from 1. Where propensities are estimated, a policy
    that gives users what they choose anyway looks better than it is, and that is how it shows (docs/log.md).
    """
    gain, near = difference(one, other), (one.weight.high - one.weight.low) / 2
    drifts = abs(one.weight.value - 1) > abs(other.weight.value - 1) + near
    return gain.value > 1.5 * (gain.value - gain.low) and not drifts


@dataclass(frozen=True, slots=True)
class Situations:
    """Draws of a log, each a choice among the items that its user did not have yet."""

    draws: Draws
    item: Rows  # (N,) that was chosen
    shares: Values  # (I,) of items in the log: the base policy, before what a user has is left out
    seen: csr_matrix | None  # (U, I) what users had; None where anything may be chosen again

    @classmethod
    def of(cls, log: Log, shares: Values, seen: csr_matrix | None, rewards: Values, given: Values | None) -> Situations:
        """Return the draws of a log.

        Args: rewards (N,); given propensities (N,), or None: the share of the item among those that the user may get.
            Draws of items that nobody had before are left out then: nothing could be said of how likely they were.
        """
        user, item = log.user.astype(np.int64), log.item.astype(np.int64)
        made = cls(Draws(user, rewards, np.ones(len(user)) if given is None else given), item, shares, seen)
        if given is not None:
            return made
        (propensity,), _ = made.judged(lambda users, base: [base])
        kept = propensity > 0
        return replace(made, draws=Draws(user[kept], rewards[kept], propensity[kept]), item=item[kept])

    @property
    def count(self) -> int:
        """How many draws there are."""
        return len(self.item)

    def as_logged(self) -> Worth:
        """Return what the draws themselves are worth."""
        return worth(self.draws, self.draws.propensity)

    def base(self, users: Rows) -> NDArray[np.float64]:
        """Return the base policy (B, I). Args: users (B,) rows."""
        return base_policy(self.shares, None if self.seen is None else self.seen[users], len(users))

    def judged(self, policies: Policies, rewards: Rewards | None = None) -> tuple[list[Values], list[Values]]:
        """Return the probability of each draw by each policy, and the reward that it expects there, (N,) each."""
        chances, expected = defaultdict[int, Values](self._zeros), defaultdict[int, Values](self._zeros)
        for rows in blocks_of(self.draws.user, len(self.shares)):
            users, place = np.unique(self.draws.user[rows], return_inverse=True)
            predicted = None if rewards is None else rewards.possible(rewards.of(users))
            for number, policy in enumerate(policies(users, self.base(users))):
                chances[number][rows] = policy[place, self.item[rows]]
                if predicted is not None:
                    expected[number][rows] = (policy * predicted).sum(1)[place]
        return list(chances.values()), list(expected.values())

    def _zeros(self) -> Values:
        return np.zeros(self.count)

    def worths(self, policies: Policies, rewards: Rewards) -> list[Worth]:
        """Return what each policy is worth."""
        predicted = rewards.possible(rewards.at(self.draws.user, self.item)).astype(np.float64)
        found = zip(*self.judged(policies, rewards), strict=True)
        return [worth(self.draws, chances, expected, predicted) for chances, expected in found]


def base_policy(shares: Values, seen: csr_matrix | None, count: int) -> NDArray[np.float64]:
    """Return the shares of items among those that a user does not have, (B, I).

    A user who has everything that anybody had may get any of it again. Args: shares (I,); seen (B, I); count B.
    """
    base = np.tile(shares, (count, 1))
    if seen is not None:
        base[np.repeat(np.arange(count), np.diff(seen.indptr)), seen.indices] = 0
    total = base.sum(1, keepdims=True)
    return np.asarray(np.where(total > 0, base, shares) / np.where(total > 0, total, shares.sum()), np.float64)
