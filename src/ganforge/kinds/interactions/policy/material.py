"""What a policy learns from and is judged by: a log with rewards, split, and how likely each of its choices was.

Shape letters here: N interactions, U users, I items.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ganforge.errors import DataError
from ganforge.kinds.interactions.columns import LogSettings
from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.policy.choice import Situations
from ganforge.kinds.interactions.policy.rewards import Rewards, fit_rewards
from ganforge.kinds.interactions.reading import Reading, read_log
from ganforge.kinds.interactions.split import Split, split_by, split_log
from ganforge.measures.off_policy import Values

MOST_CELLS = 20_000_000  # users times items that a choice looks at, and that the adversary is shown
FEWEST_USERS = 20  # with interactions to judge by: intervals are over users


class PolicySettings(LogSettings):
    """How a log with rewards is read."""

    propensity: str | None = None  # the column with the probability of each choice; None: it is not known


@dataclass(frozen=True)
class Material:
    """A log with rewards, opened."""

    split: Split
    positive: float | None  # the least rating that is liked; None: the reward is the rating
    propensities: Split | None  # the same parts, with the propensity in place of the rating; None: not known
    reading: Reading

    @cached_property
    def traits(self) -> NDArray[np.float32] | None:
        """What is known of items, (I, F); None for nothing."""
        return None if self.reading.items is None else self.reading.items.at(self.reading.log.items).values

    def reward(self, log: Log) -> Values:
        """Return the reward of each interaction, (N,)."""
        assert log.rating is not None
        return np.asarray(log.rating if self.positive is None else log.rating >= self.positive, np.float64)

    @cached_property
    def liked_from(self) -> float:
        """The least rating that counts as liked: where none was named, one above the mean."""
        rating = self.split.fit.rating
        assert rating is not None
        return float(rating[rating > rating.mean()].min()) if self.positive is None else self.positive

    @cached_property
    def fitted(self) -> Rewards:
        """The reward model of the part `fit`, its parts weighted by the part `validation`."""
        unseen = self.split.validation
        users, items = unseen.user.astype(np.int64), unseen.item.astype(np.int64)
        return fit_rewards(self.split.fit, self.liked_from, self.traits).mixed(users, items, self.reward(unseen))

    @cached_property
    def refitted(self) -> Rewards:
        """The reward model of the part `train`, with the same weights."""
        return replace(
            fit_rewards(self.split.train, self.liked_from, self.traits),
            mixture=self.fitted.mixture,
            ends=self.fitted.ends,
        )

    @cached_property
    def to_choose(self) -> Situations:
        """The draws that everything is chosen by."""
        return self._situations("validation", self.split.fit, most=MOST_CELLS)

    @cached_property
    def to_judge(self) -> Situations:
        """The draws that are judged by once."""
        return self._situations("test", self.split.train, most=5 * MOST_CELLS)

    def _situations(self, part: str, before: Log, most: int) -> Situations:
        log: Log = getattr(self.split, part)
        given = None if self.propensities is None else getattr(self.propensities, part).rating
        users = np.unique(log.user)
        count = max(FEWEST_USERS, most // len(log.items))
        if len(users) > count:
            kept = np.isin(log.user, np.random.default_rng(0).permutation(users)[:count])
            log, given = log.taken(kept), None if given is None else given[kept]
        return Situations.of(
            log, shares_of(before), None if given is not None else before.matrix(), self.reward(log),
            None if given is None else given.astype(np.float64),
        )  # fmt: skip


def shares_of(log: Log) -> Values:
    """Return the share of each item of the interactions, (I,)."""
    return np.bincount(log.item, minlength=len(log.items)) / len(log)


def open_material(source: str | Path, asked: PolicySettings, seed: int) -> Material:
    """Read a log with rewards. Raises: DataError if it has none, or all are the same, or a propensity is not one."""
    whole = asked.model_copy(update={"positive": None})  # what is not liked is learned from, too
    reading = read_log(source, whole)
    log = reading.log
    if log.rating is None:
        raise DataError(
            f"{str(source)!r} has no column of rewards.",
            "A policy learns from what came of each choice: a rating, a purchase, the time that was spent.",
            "Name the column: --set interactions.rating=NAME",
        )
    by = split_by(source, log, asked.split)
    found = Material(split_log(log, by, seed), asked.positive, None, reading)
    reward = found.reward(log)
    if reward.min() == reward.max():
        what = "rating is liked, or none" if asked.positive is not None else "reward is the same"
        do = "Name another --set interactions.positive=" if asked.positive is not None else "Name another column."
        raise DataError(f"Every {what}.", "So no choice is better than another one.", do)
    if len(np.unique(found.split.test.user)) < FEWEST_USERS:
        raise DataError(
            f"Only {len(np.unique(found.split.test.user))} users have at least 3 interactions.",
            f"A policy is judged by intervals over users, of whom at least {FEWEST_USERS} are needed.",
            "Give a longer log.",
        )
    if asked.propensity is None:
        return found
    if reading.passport["duplicates"]:
        raise DataError(
            f"{reading.passport['duplicates']:,} rows repeat a pair of user and item.",
            "Each choice counts by its own propensity, so that none can be left out.",
            "Name a column that tells the visits of a user apart: --set interactions.user=COLUMN",
        )
    given = read_log(source, whole.model_copy(update={"rating": asked.propensity}))
    chances = given.log.rating
    if chances is None or len(chances) != len(log) or not ((chances > 0) & (chances <= 1)).all():
        raise DataError(
            f"The column {asked.propensity!r} does not hold propensities.",
            "Each is the probability with which the item was chosen, above 0 and at most 1, in every row.",
            "Correct it, or leave out interactions.propensity.",
        )
    digest = hashlib.sha256(f"{reading.sha256} {given.sha256}".encode()).hexdigest()
    return replace(found, propensities=split_log(given.log, by, seed), reading=replace(reading, sha256=digest))


def tastes(log: Log, liked_from: float) -> csr_matrix:
    """Return what users liked, 1, and did not like, -1, (U, I)."""
    assert log.rating is not None
    signs = np.where(log.rating >= liked_from, 1, -1).astype(np.float32)
    return csr_matrix((signs, (log.user, log.item)), shape=(len(log.users), len(log.items)))


def dense(rows: csr_matrix) -> NDArray[np.float32]:
    """Return rows as an array (B, I)."""
    return np.asarray(rows.toarray(), np.float32)
