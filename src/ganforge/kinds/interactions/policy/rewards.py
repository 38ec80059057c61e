"""The reward model: what a user would give an item, from what he and others gave.

It is the sum of the means of item and user, and of two models of what those leave, half of each: likeness of items, and
factors. Learned from ratings even where only "liked" counts: ratings tell more (docs/log.md).

Shape letters here: U users, I items, B users of a block, F factors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ganforge.kinds.interactions.log import Log

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

DAMPING = 5.0  # ratings of the overall mean, added to those of each user and item
SHRINKAGE = 30.0  # users who rated both items, at which a likeness counts half
FACTORS, PENALTY = 10, 10.0
SWEEPS = 12
MOST_ALIKE = 10_000  # items, beyond which their likeness would take gigabytes


@dataclass(frozen=True, slots=True)
class Rewards:
    """A reward model of known users and items."""

    item_means: Floats  # (I,) with the overall mean
    user_means: Floats  # (U,) beyond it
    left: csr_matrix  # (U, I) ratings less both
    likeness: Floats | None  # (I, I); None where there are too many items
    user_factors: Floats  # (U, F)
    item_factors: Floats  # (I, F)
    slope: float = 1.0  # from a rating to a reward
    intercept: float = 0.0

    def of(self, users: Rows) -> Floats:
        """Return the expected rewards of all items, (B, I). Args: users (B,) rows; -1 for one who is not known."""
        known = np.maximum(users, 0)
        beyond = self.user_factors[known] @ self.item_factors.T
        if self.likeness is not None:
            left = self.left[known]
            alike = left @ self.likeness / (1 + (left != 0).astype(np.float32) @ np.abs(self.likeness))
            beyond = (beyond + alike) / 2
        beyond += self.user_means[known][:, None]
        beyond[users < 0] = 0
        rewards: Floats = np.float32(self.intercept) + np.float32(self.slope) * (self.item_means + beyond)
        return rewards

    def at(self, users: Rows, items: Rows) -> Floats:
        """Return the expected rewards of pairs (N,)."""
        found = np.empty(len(users), np.float32)
        for rows in blocks_of(users, len(self.item_means)):
            own, place = np.unique(users[rows], return_inverse=True)
            found[rows] = self.of(own)[place, items[rows]]
        return found

    def fitted(self, users: Rows, items: Rows, rewards: Floats) -> Rewards:
        """Return the model in units of the reward, by least squares on pairs (N,) that it has not learned from."""
        rated = (self.at(users, items) - self.intercept) / self.slope
        spread = float(rated.var())
        slope = float(((rated - rated.mean()) * (rewards - rewards.mean())).mean()) / spread if spread > 0 else 0.0
        slope = max(slope, 1e-6)  # a model that has learned nothing still orders nothing the wrong way round
        return replace(self, slope=slope, intercept=float(rewards.mean()) - slope * float(rated.mean()))


def blocks_of(users: Rows, items: int, size: int = 1 << 24) -> list[Rows]:
    """Return places 0..N-1 in blocks whose scores of all items fit in memory, those of one user together."""
    order = np.argsort(users, kind="stable")
    return np.array_split(order, max(1, len(np.unique(users)) * items // size))


def fit_rewards(log: Log) -> Rewards:
    """Learn a reward model from the ratings of a log."""
    assert log.rating is not None
    user, item, shape = log.user, log.item, (len(log.users), len(log.items))
    left, user_means, item_means = _means(user, item, log.rating.astype(np.float64), shape)
    ratings = csr_matrix((left.astype(np.float32), (user, item)), shape=shape)
    user_factors, item_factors = _factors(ratings)
    likeness = _likeness(ratings) if shape[1] <= MOST_ALIKE else None
    means = item_means.astype(np.float32), user_means.astype(np.float32)
    return Rewards(*means, ratings, likeness, user_factors, item_factors)


def _means(
    user: NDArray[np.int32], item: NDArray[np.int32], rating: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[NDArray[np.float64], ...]:
    """Return what is left of ratings (N,), the means of users (U,) and those of items (I,), each damped (Koren 2010)."""
    overall = rating.mean()
    counts = [np.bincount(own, minlength=size) + DAMPING for own, size in zip((user, item), shape, strict=True)]
    users, items = np.zeros(shape[0]), np.zeros(shape[1])
    for _ in range(SWEEPS):
        items = np.bincount(item, rating - overall - users[user], shape[1]) / counts[1]
        users = np.bincount(user, rating - overall - items[item], shape[0]) / counts[0]
    left = rating - overall - users[user] - items[item]
    left[left == 0] = 1e-6  # a rating that is just as expected is one, too
    return left, users, overall + items


def _likeness(left: csr_matrix) -> Floats:
    """Return the correlations of items over the users who rated both, shrunk (Sarwar et al. 2001; Koren 2010), (I, I).

    They are c_ij n_ij / (n_ij + shrinkage), with the cosine c_ij of what is left and the number n_ij of such users.
    """
    rated = csr_matrix((np.ones_like(left.data), left.indices, left.indptr), shape=left.shape)
    squares = csr_matrix((left.data**2, left.indices, left.indptr), shape=left.shape)
    together = (rated.T @ rated).toarray()
    lengths = np.sqrt((squares.T @ rated).toarray())
    likeness: Floats = (left.T @ left).toarray() / np.maximum(lengths * lengths.T, 1e-9)
    likeness *= together / (together + SHRINKAGE)
    np.fill_diagonal(likeness, 0)
    return likeness


def _factors(left: csr_matrix) -> tuple[Floats, Floats]:
    """Return factors of users (U, F) and items (I, F) by alternating least squares (Zhou et al. 2008)."""
    random = np.random.default_rng(0)
    items = (0.1 * random.standard_normal((left.shape[1], FACTORS))).astype(np.float32)
    rated = csr_matrix((np.ones_like(left.data), left.indices, left.indptr), shape=left.shape)
    transposed = csr_matrix(left.T), csr_matrix(rated.T)
    for _ in range(SWEEPS):
        users = _solved(left, rated, items)
        items = _solved(*transposed, users)
    return users, items


def _solved(left: csr_matrix, rated: csr_matrix, factors: Floats) -> Floats:
    """Return the ridge regressions of each row of left (N, M) on the factors (M, F) of what it rated, (N, F)."""
    size = factors.shape[1]
    products = (factors[:, :, None] * factors[:, None, :]).reshape(len(factors), -1)
    grams = (rated @ products).reshape(-1, size, size) + PENALTY * np.eye(size, dtype=np.float32)
    solved: Floats = np.linalg.solve(grams, (left @ factors)[..., None])[..., 0]
    return solved
