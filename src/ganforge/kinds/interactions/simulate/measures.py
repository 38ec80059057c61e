"""Measures of users that do not exist, beside those of real users. Shape letters: U users, I items, T measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.preprocessing import normalize

from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.scorers import ease
from ganforge.kinds.interactions.simulate.adversary import features
from ganforge.kinds.interactions.simulate.sequences import Users, cut
from ganforge.measures.detection import chance_to_tell
from ganforge.measures.intervals import Estimate, from_jackknife, means_by_bootstrap, of_share
from ganforge.measures.ranking import rank
from ganforge.records import Meaning

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
KNOWN = 0.8  # of what a real user met, drawn at random: the others are to be found
PENALTIES = (100.0, 200.0, 400.0, 800.0)  # of EASE, of which the users that choose take one
NEAR = 0.05  # share of real users who are so near to a training user: nearer is too near
POPULAR = 300  # items whose pairs are compared
MOST_ITEMS = 8_000  # the most popular ones, that a recommender learns
NUMBERS = 2**22  # of a matrix of users and users held at once
BLOCKS = 10  # of users, each left out in turn
MEANINGS = {
    "ndcg": Meaning(
        "higher",
        "How well a recommender (EASE) that learned from these users alone finds what is hidden of real ones: NDCG@10.",
    ),
    "popularity_distance": Meaning("lower", "Share of interactions that would have to be with another item."),
    "detection": Meaning("lower", "Chance that a classifier ranks a real user above one of these."),
    "too_near": Meaning("lower", "Share of users nearer to a training user than 95 % of real users are."),
    "pairs": Meaning("higher", "Correlation of how often two items are met by one user, with that of real users."),
    "length": Meaning("lower", "Distance of the numbers of interactions from those of real users, 0 to 1."),
}


@dataclass(frozen=True, slots=True)
class Judge:
    """Real users, against whom users are measured."""

    users: Users
    items: NDArray[np.int64]  # that a recommender learns
    held_out: Values  # distance of each held-out user to the nearest training user

    @classmethod
    def of(cls, users: Users) -> Judge:
        """Return the judge that held-out users make."""
        train = users.train
        popular = np.argsort(-np.bincount(train.item, minlength=len(train.items)), kind="stable")[:MOST_ITEMS]
        matrix = train.matrix()
        distances = [nearest(part.matrix(), matrix) for part in (users.chooses, users.judges)]
        return cls(users, np.sort(popular), np.concatenate(distances))

    def measure(self, made: Log) -> tuple[dict[str, Estimate], Values]:
        """Return the measures of some users, and the NDCG of each real user by what was learned from them."""
        ndcg = self.found_by(made)
        counts, real = made.counts(), self.users.judges.counts()
        scored = {
            **means_by_bootstrap({"ndcg": ndcg}, "interactions/ndcg"),
            "popularity_distance": popularity_distance(made, self.users.train),
            "detection": self.detection(made),
            "too_near": self.too_near(made),
            "pairs": pairs(made, self.users.train),
            "length": _by_jackknife(lambda kept: _ends_apart(counts[kept], real), len(counts)),
        }
        return scored, ndcg

    def found_by(self, made: Log) -> Values:
        """Return the NDCG@10 of each real user by what was learned from some users."""
        matrix = made.matrix()
        best = max(PENALTIES, key=lambda penalty: float(self._each(matrix, penalty, self.users.chooses).mean()))
        return self._each(matrix, best, self.users.judges)

    def _each(self, matrix: csr_matrix, penalty: float, users: Log) -> Values:
        known, later = (part.matrix()[:, self.items] for part in cut(users, KNOWN, seed=0))
        matrix = matrix[:, self.items]
        scorer = ease(matrix, penalty)
        return rank(lambda rows: scorer.scores(known[rows]), known, later).ndcg(10)

    def detection(self, made: Log) -> Estimate:
        """Return the chance that a classifier of items and of pairs in a row tells real users from these."""
        count = min(len(self.users.judges.users), len(made.users))
        real, theirs = (normalize(features(log).sign()) for log in (self.users.judges, made))
        return chance_to_tell(real, theirs[:count])

    def too_near(self, made: Log) -> Estimate:
        """Return the share of users who are nearer to a training user than NEAR of all held-out ones are."""
        theirs = nearest(made.matrix(), self.users.train.matrix())
        return of_share(int((theirs < np.quantile(self.held_out, NEAR)).sum()), len(theirs))

    def real_too_near(self) -> Estimate:
        """Return the same share of held-out users: about NEAR, and how certain that is."""
        return of_share(int((self.held_out < np.quantile(self.held_out, NEAR)).sum()), len(self.held_out))


def nearest(profiles: csr_matrix, train: csr_matrix) -> Values:
    """Return the Jaccard distance of each profile to the nearest training user, (U,)."""
    sizes, own = (np.asarray(part.sum(1)).ravel() for part in (train, profiles))
    found = np.empty(profiles.shape[0])
    step = max(1, NUMBERS // train.shape[0])
    for first in range(0, len(found), step):
        some = slice(first, first + step)
        both = (profiles[some] @ train.T).toarray()
        found[some] = (1 - both / (own[some, None] + sizes - both)).min(1)
    return found


def popularity_distance(made: Log, real: Log) -> Estimate:
    """Return the total variation between how often items are met."""
    matrix, shares = made.matrix(), np.bincount(real.item, minlength=len(real.items)) / len(real)

    def apart(kept: Mask) -> float:
        counts = kept.astype(np.float64) @ matrix
        return float(0.5 * np.abs(counts / counts.sum() - shares).sum())

    return _by_jackknife(apart, matrix.shape[0])


def pairs(made: Log, real: Log) -> Estimate:
    """Return the correlation of how often pairs of popular items are met by one user."""
    popular = np.argsort(-np.bincount(real.item, minlength=len(real.items)), kind="stable")[:POPULAR]
    upper = np.triu_indices(len(popular), 1)
    there = real.matrix()[:, popular]
    theirs, own = (there.T @ there).toarray()[upper], made.matrix()[:, popular]

    def alike(kept: Mask) -> float:
        some = own[kept]
        both = (some.T @ some).toarray()[upper]
        return float(np.corrcoef(both, theirs)[0, 1]) if both.std() and theirs.std() else 0.0

    return _by_jackknife(alike, own.shape[0], least=-1.0)


def _by_jackknife(statistic: Callable[[Mask], float], count: int, least: float = 0.0) -> Estimate:
    """Return a statistic of users with its interval. Args: statistic of a mask (count,) of those that are kept."""
    block = np.arange(count) % BLOCKS
    without = np.array([statistic(block != left) for left in range(BLOCKS)])
    return from_jackknife(statistic(np.ones(count, bool)), without, least)


def _ends_apart(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Return the largest difference of two distribution functions (Kolmogorov and Smirnov)."""
    values = np.unique(np.concatenate([one, other]))
    sides = [np.searchsorted(np.sort(part), values, side="right") / len(part) for part in (one, other)]
    return float(np.abs(sides[0] - sides[1]).max())


def drawn_again(log: Log, seed: int) -> Log:
    """Return as many users of a log, drawn with replacement: copies."""
    chosen = np.random.default_rng(seed).integers(len(log.users), size=len(log.users))
    starts, counts = log.starts(), log.counts()[chosen]
    places = np.repeat(starts[chosen], counts) + np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    found = log.taken(places)
    return Log(log.users, log.items, np.repeat(np.arange(len(chosen), dtype=np.int32), counts), found.item)
