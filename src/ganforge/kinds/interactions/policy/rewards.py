"""The reward model: what a user would give an item, from what he and others gave.

It is a weighted sum of parts: the means of item and user; of what those leave, likeness of items, factors, and what is
known of items; and EASE on what users liked. Ratings are learned from even where only "liked" counts: they tell more.

Shape letters here: U users, I items, B users of a block, F factors, P parts, N pairs of user and item.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.scorers import ease

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

DAMPING = 5.0  # ratings of the overall mean, added to those of each user and item
SHRINKAGE = 30.0  # users who rated both items, at which a likeness counts half
FACTORS, PENALTY = 10, 10.0
TRAITS, TRAIT_PENALTY = 20, 5.0  # of what is known of items
EASE_PENALTY = 300.0
SWEEPS = 12
MOST_ALIKE = 10_000  # items, beyond which a weight for each pair of them would take gigabytes
PARTS = 5


@dataclass(frozen=True, slots=True)
class Rewards:
    """A reward model of known users and items. A part that was not learned has no columns, and is 0."""

    item_means: Floats  # (I,) with the overall mean
    user_means: Floats  # (U,) beyond it
    left: csr_matrix  # (U, I) ratings less both
    liked: csr_matrix  # (U, I)
    likeness: Floats  # (I, I) or (0, 0)
    weights: Floats  # (I, I) or (0, 0) of EASE
    user_factors: Floats  # (U, F)
    item_factors: Floats  # (I, F)
    user_traits: Floats  # (U, F)
    item_traits: Floats  # (I, F)
    mixture: NDArray[np.float64]  # (1 + P,) a constant, and the weight of each part
    ends: NDArray[np.float64]  # (2,) the least and the greatest reward

    def parts(self, users: Rows) -> Floats:
        """Return the parts for all items, (P, B, I). Args: users (B,) rows; -1 for one who is not known."""
        known = np.maximum(users, 0)
        parts = np.zeros((PARTS, len(users), len(self.item_means)), np.float32)
        parts[0] = self.user_means[known][:, None]
        if len(self.likeness):
            left = self.left[known]
            near = (left != 0).astype(np.float32) @ np.abs(self.likeness)
            parts[1] = left @ self.likeness / (1 + near)
            parts[2] = self.liked[known] @ self.weights
        parts[3] = self.user_factors[known] @ self.item_factors.T
        parts[4] = self.user_traits[known] @ self.item_traits.T
        parts[:, users < 0] = 0
        parts[0] += self.item_means
        return parts

    def of(self, users: Rows) -> Floats:
        """Return the expected rewards of all items, (B, I). Args: users (B,) rows; -1 for one who is not known.

        A sum may lie beyond every reward (`possible`); it orders items all the same.
        """
        constant, *weights = self.mixture.astype(np.float32)
        rewards: Floats = constant + np.tensordot(np.array(weights), self.parts(users), 1)
        return rewards

    def at(self, users: Rows, items: Rows) -> Floats:
        """Return the expected rewards of pairs (N,)."""
        return np.asarray(self.mixture[0] + self.mixture[1:] @ self._parts_at(users, items), np.float32)

    def possible(self, expected: Floats) -> Floats:
        """Return expected rewards within the range of rewards."""
        return np.asarray(expected.clip(*self.ends), np.float32)

    def _parts_at(self, users: Rows, items: Rows) -> Floats:
        """Return the parts of pairs, (P, N)."""
        found = np.empty((PARTS, len(users)), np.float32)
        for rows in blocks_of(users, PARTS * len(self.item_means)):
            own, place = np.unique(users[rows], return_inverse=True)
            found[:, rows] = self.parts(own)[:, place, items[rows]]
        return found

    def mixed(self, users: Rows, items: Rows, rewards: NDArray[np.float64]) -> Rewards:
        """Return the model with the weights that give rewards (N,) back best, by least squares on pairs (N,).

        They must be pairs that no part has learned from: the others are given back too well.
        """
        columns = np.vstack([np.ones(len(users)), self._parts_at(users, items)]).T
        mixture, *_ = np.linalg.lstsq(columns, rewards, rcond=1e-6)
        return replace(self, mixture=mixture, ends=np.array([rewards.min(), rewards.max()]))


def blocks_of(users: Rows, items: int, size: int = 1 << 24) -> list[Rows]:
    """Return places 0..N-1 in blocks whose scores of all items fit in memory, those of one user together."""
    order = np.argsort(users, kind="stable")
    return np.array_split(order, max(1, len(np.unique(users)) * items // size))


def fit_rewards(log: Log, liked_from: float, traits: Floats | None = None) -> Rewards:
    """Learn a reward model from the ratings of a log.

    Args: liked_from the least rating that is liked; traits (I, F) what is known of items, None for nothing.
    """
    assert log.rating is not None
    user, item, shape = log.user, log.item, (len(log.users), len(log.items))
    left, user_means, item_means = _means(user, item, log.rating.astype(np.float64), shape)
    ratings = csr_matrix((left.astype(np.float32), (user, item)), shape=shape)
    liked = log.taken(log.rating >= liked_from).matrix()
    user_factors, item_factors = _factors(ratings)
    known = np.zeros((shape[1], 1), np.float32) if traits is None else _traits(traits)
    alike, none = shape[1] <= MOST_ALIKE, np.empty((0, 0), np.float32)
    return Rewards(
        item_means.astype(np.float32),
        user_means.astype(np.float32),
        ratings,
        liked,
        _likeness(ratings) if alike else none,
        np.asarray(ease(liked, EASE_PENALTY).weights) if alike else none,
        user_factors,
        item_factors,
        _solved(ratings, _ones(ratings), known, TRAIT_PENALTY),
        known,
        np.array([0.0, 1.0, 0.5, 0.0, 0.5, 0.0]),
        np.array([-np.inf, np.inf]),
    )


def _traits(values: Floats) -> Floats:
    """Return the first principal components of features (I, F), of a mean squared length of 1."""
    centred = values - values.mean(0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    found: Floats = (left * size)[:, :TRAITS]
    return found / max(float(np.sqrt((found**2).sum(1).mean())), 1e-9)


def _ones(matrix: csr_matrix) -> csr_matrix:
    return csr_matrix((np.ones_like(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)


def _means(
    user: NDArray[np.int32], item: NDArray[np.int32], rating: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[NDArray[np.float64], ...]:
    """Return what is left of ratings (N,), the means of users (U,) and of items (I,), each damped (Koren 2010)."""
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
    rated = _ones(left)
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
    rated = _ones(left)
    transposed = csr_matrix(left.T), csr_matrix(rated.T)
    for _ in range(SWEEPS):
        users = _solved(left, rated, items)
        items = _solved(*transposed, users)
    return users, items


def _solved(left: csr_matrix, rated: csr_matrix, factors: Floats, penalty: float = PENALTY) -> Floats:
    """Return the ridge regressions of each row of left (N, M) on the factors (M, F) of what it rated, (N, F)."""
    size = factors.shape[1]
    products = (factors[:, :, None] * factors[:, None, :]).reshape(len(factors), -1)
    grams = (rated @ products).reshape(-1, size, size) + penalty * np.eye(size, dtype=np.float32)
    solved: Floats = np.linalg.solve(grams, (left @ factors)[..., None])[..., 0]
    return solved
