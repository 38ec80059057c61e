"""Scorers in closed or simple form: they tell how well every item suits a user by what he has met.

Each function learns from a matrix (U, I) with a value above 0 where a user met an item. Shape letters here: U users,
I items, B users that are scored.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.sparse import csr_matrix, diags_array, vstack
from scipy.special import expit

from ganforge.core.seeds import seed_for

T = TypeVar("T")
Rows = NDArray[np.int64]
Floats = NDArray[np.float32]
BATCH = 1024  # pairs of a step of BPR
GRAM_BLOCK = 1 << 23  # products of pairs of items that a thread holds at once


class Scorer(Protocol):
    """Scores of all items for users."""

    def scores(self, history: csr_matrix, users: Rows | None = None) -> Floats:
        """Return a new array (B, I): the higher, the better an item suits.

        Args: history (B, I) what the users have met; users their rows in the matrix that was learned from, or None
            where they were not in it.
        """
        ...


@dataclass(frozen=True, slots=True)
class ItemWeights:
    """A score is the sum of the weights from the items that a user has met."""

    weights: Floats | csr_matrix  # (I, I) from an item that was met to the one that is scored

    def scores(self, history: csr_matrix, users: Rows | None = None) -> Floats:
        if isinstance(self.weights, csr_matrix):
            return np.asarray((history @ self.weights).toarray(), np.float32)
        return rows_summed(history, self.weights)


def rows_summed(history: csr_matrix, weights: Floats) -> Floats:
    """Return history (B, I) times dense weights (I, K), on all threads: SciPy's product has one."""
    values = history.data.astype(np.float32, copy=False)
    places, starts, values = (torch.from_numpy(part) for part in (history.indices, history.indptr, values))
    summed = F.embedding_bag(
        places, torch.from_numpy(weights), starts, mode="sum", include_last_offset=True, per_sample_weights=values
    )
    return np.asarray(summed.numpy())


@dataclass(frozen=True, slots=True)
class Popularity:
    """The same scores for everybody."""

    counts: Floats  # (I,)

    def scores(self, history: csr_matrix, users: Rows | None = None) -> Floats:
        return np.tile(self.counts, (history.shape[0], 1))


@dataclass(frozen=True, slots=True)
class LikeUsers:
    """A score is the summed likeness of the nearest users who have met the item."""

    matrix: csr_matrix  # (U, I) what the others have met
    neighbours: int
    shrink: float

    def scores(self, history: csr_matrix, users: Rows | None = None) -> Floats:
        lengths = [np.sqrt(np.diff(one.indptr)).astype(np.float32) for one in (history, self.matrix)]
        likeness = (_binary(history) @ csr_matrix(self.matrix.T)).toarray()
        likeness /= np.maximum(lengths[0][:, None] * lengths[1] + self.shrink, 1)
        if users is not None:
            likeness[np.arange(len(users)), users] = 0  # nobody is a neighbour of himself
        return np.asarray((_highest(likeness, self.neighbours) @ self.matrix).toarray())


@dataclass(frozen=True, slots=True)
class Factors:
    """A score is the product of a user's factors with an item's; those of a user are solved from what he has met."""

    items: Floats  # (I, D)
    unobserved: float  # weight of every pair of user and item that is not known, whose target is 0
    penalty: float

    def scores(self, history: csr_matrix, users: Rows | None = None) -> Floats:
        factors = _solved(history, self.items, self.unobserved, self.penalty)
        return np.asarray(factors @ self.items.T)


@dataclass(frozen=True, slots=True)
class RankedFactors:
    """A score is an item's own one and the product of a user's factors with the item's."""

    users: Floats  # (U, D)
    items: Floats  # (I, D)
    own: Floats  # (I,) of each item, for everybody

    def scores(self, history: csr_matrix, users: Rows | None = None) -> Floats:
        if users is not None:
            return np.asarray(self.users[users] @ self.items.T + self.own)
        # He was not learned from: he points to what he has met, as far as users do on average.
        met = _binary(history) @ self.items
        length = np.linalg.norm(self.users, axis=1).mean() / np.maximum(
            np.linalg.norm(met, axis=1, keepdims=True), 1e-9
        )
        return np.asarray((met * length) @ self.items.T + self.own)


def popularity(matrix: csr_matrix) -> Popularity:
    """Return scores by how many users met an item."""
    return Popularity(np.bincount(matrix.indices, minlength=matrix.shape[1]).astype(np.float32))


def ease(matrix: csr_matrix, penalty: float, dtype: type[np.floating] = np.float32) -> ItemWeights:
    """Return the weights B that give each column of X back best from the others (Steck 2019, "Embarrassingly Shallow").

    They minimise |X - XB|^2 + penalty |B|^2 with a diagonal of 0. With P = (X'X + penalty I)^-1 it is
    B_ij = -P_ij / P_jj off the diagonal (equation 8). One matrix (I, I) is held, and it is inverted in its place.
    """
    weights = gram(matrix, dtype)
    weights[np.diag_indices_from(weights)] += penalty
    invert(weights)
    diagonal = weights.diagonal().copy()
    weights /= -diagonal
    np.fill_diagonal(weights, 0)
    return ItemWeights(weights.astype(np.float32, copy=False))


def gram(matrix: csr_matrix, dtype: type[np.floating] = np.float32) -> NDArray[np.floating]:
    """Return X'X (I, I), dense, filled in blocks of rows."""
    result = np.empty((matrix.shape[1], matrix.shape[1]), dtype)

    def write(start: int, rows: Floats) -> None:
        result[start : start + len(rows)] = rows

    _products(csr_matrix(matrix.T), matrix, write)
    return result


def invert(symmetric: NDArray[np.floating]) -> None:
    """Replace a positive definite matrix (I, I) by its inverse, by Cholesky (LAPACK's potrf and potri) in its place."""
    double = symmetric.dtype == np.float64
    factorise, inverse = (lapack.dpotrf, lapack.dpotri) if double else (lapack.spotrf, lapack.spotri)
    own = symmetric.T  # LAPACK's order of columns: the same memory, and the same matrix
    own, failed = factorise(own, lower=1, clean=0, overwrite_a=1)
    if failed:
        raise np.linalg.LinAlgError(f"The leading minor of order {failed} is not positive definite.")
    own, _ = inverse(own, lower=1, overwrite_c=1)
    size = len(symmetric)
    block = 1024
    for start in range(0, size, block):  # potri writes one triangle; the other one is copied from it
        stop = min(size, start + block)
        square = symmetric[start:stop, start:stop]
        square[:] = np.triu(square) + np.triu(square, 1).T
        symmetric[stop:, start:stop] = symmetric[start:stop, stop:].T


def item_knn(matrix: csr_matrix, neighbours: int, shrink: float) -> ItemWeights:
    """Return each item's likeness to its nearest ones (Sarwar et al. 2001), the cosine of their users with shrinkage.

    W_ji = |users of both| / (sqrt(n_i n_j) + shrink), the shrinkage as in Bell and Koren (2007, section 4.1).
    """
    binary = _binary(matrix)
    lengths = np.sqrt(np.bincount(binary.indices, minlength=binary.shape[1])).astype(np.float32)

    def cosine(products: Floats, start: int) -> Floats:
        own = lengths[start : start + len(products), None]
        return np.asarray(products / np.maximum(own * lengths + np.float32(shrink), 1))

    nearest = _nearest(csr_matrix(binary.T), binary, neighbours, cosine)
    return ItemWeights(csr_matrix(nearest.T))  # those of the item that is scored, not of the one that was met


def user_knn(matrix: csr_matrix, neighbours: int, shrink: float) -> LikeUsers:
    """Return scores by the nearest users (Resnick et al. 1994), of the same likeness as `item_knn` has it."""
    return LikeUsers(_binary(matrix), neighbours, shrink)


def rp3beta(matrix: csr_matrix, alpha: float, beta: float, neighbours: int) -> ItemWeights:
    """Return the chances of a walk from item to user to item, those of popular items lowered (Paudel et al. 2017).

    W_ji = sum_u (p(u | j) p(i | u))^alpha / popularity(i)^beta, of which the highest `neighbours` of each j are kept.
    """
    binary = _binary(matrix)
    of_users = np.maximum(1, np.diff(binary.indptr)).astype(np.float32)
    of_items = np.maximum(1, np.bincount(binary.indices, minlength=binary.shape[1])).astype(np.float32)
    there = csr_matrix(diags_array(of_items**-alpha) @ csr_matrix(binary.T))
    back = csr_matrix(diags_array(of_users**-alpha) @ binary)
    factor = of_items**-beta
    return ItemWeights(_nearest(there, back, neighbours, lambda products, _: products * factor))


def ials(
    matrix: csr_matrix, factors: int, unobserved: float, penalty: float, rounds: int = 10, seed: int = 0
) -> Factors:
    """Return factors by alternating least squares (Hu, Koren and Volinsky 2008, in the form of Rendle et al. 2022).

    They minimise sum over known pairs (1 - uv)^2 + unobserved * sum over all pairs (uv)^2 + penalty * |u|^2 times
    (known pairs of u + unobserved * all its pairs), and the same for v (Rendle's equations 2 and 5 with nu = 1).
    """
    random = np.random.default_rng(seed_for(seed, "interactions/ials"))
    binary = _binary(matrix)
    turned = csr_matrix(binary.T)
    items = (random.standard_normal((binary.shape[1], factors)) * 0.1 / factors**0.5).astype(np.float32)
    for _ in range(rounds):
        users = _solved(binary, items, unobserved, penalty)
        items = _solved(turned, users, unobserved, penalty)
    return Factors(items, unobserved, penalty)


def _solved(history: csr_matrix, others: Floats, unobserved: float, penalty: float) -> Floats:
    """Return the factors (B, D) that are best for histories (B, N) at given factors of the others (N, D)."""
    count, size = others.shape
    outer = (others[:, :, None] * others[:, None, :]).reshape(count, -1)  # (N, D D)
    everybody = unobserved * (others.T @ others)
    result = np.empty((history.shape[0], size), np.float32)
    block = max(1, GRAM_BLOCK // size**2)
    for start in range(0, len(result), block):
        own = _binary(history[start : start + block])
        known = np.diff(own.indptr)
        squares = (own @ outer).reshape(-1, size, size) + everybody
        places = np.arange(size)
        squares[:, places, places] += (penalty * (known + unobserved * count))[:, None].astype(np.float32)
        result[start : start + block] = np.linalg.solve(squares, (own @ others)[:, :, None])[:, :, 0]
    return result


def bpr(
    matrix: csr_matrix, factors: int, penalty: float, rounds: int, rate: float = 0.05, seed: int = 0
) -> RankedFactors:
    """Return factors by Bayesian personalised ranking (Rendle et al. 2009, algorithm LearnBPR).

    They maximise sum ln sigmoid(x_ui - x_uj) - penalty |parameters|^2 over known items i and random other items j of a
    user, by steepest ascent in small batches; a round is as many draws as there are interactions.
    """
    random = np.random.default_rng(seed_for(seed, "interactions/bpr"))
    size, (user_of, item_of) = matrix.shape[1], matrix.nonzero()
    known = np.sort(user_of.astype(np.int64) * size + item_of)
    users, items = ((0.1 * random.standard_normal((n, factors))).astype(np.float32) for n in matrix.shape)
    own = np.zeros((size, 1), np.float32)
    steps = rounds * -(-len(known) // BATCH)
    for step in range(steps):
        user, met = np.divmod(known[random.integers(0, len(known), BATCH)], size)
        other = random.integers(0, size, BATCH)
        drawn = user * size + other
        new = known[np.minimum(np.searchsorted(known, drawn), len(known) - 1)] != drawn  # he has not met it
        user, both = user[new], np.concatenate([met[new], other[new]])
        of_user, of_items, of_both = users[user], items[both], own[both]
        apart, apart_own = (np.subtract(*np.split(values, 2)) for values in (of_items, of_both))
        gain = expit(-(of_user * apart).sum(1, keepdims=True) - apart_own)
        signed = np.concatenate([gain, -gain])
        now = rate * (1 - step / steps)
        _add(users, user, gain * apart - penalty * of_user, now)
        _add(items, both, signed * np.tile(of_user, (2, 1)) - penalty * of_items, now)
        _add(own, both, signed - penalty * of_both, now)
    return RankedFactors(users, items, own[:, 0])


def _add(to: Floats, rows: Rows, values: Floats, rate: float) -> None:
    """Add rate times values (N, D) to rows (N,), some of them more than once, in place."""
    moved, place = np.unique(rows, return_inverse=True)
    rates = np.full(len(rows), rate, np.float32)
    to[moved] += csr_matrix((rates, (place, np.arange(len(rows)))), shape=(len(moved), len(rows))) @ values


def _binary(matrix: csr_matrix) -> csr_matrix:
    return csr_matrix((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def _products(left: csr_matrix, right: csr_matrix, use: Callable[[int, Floats], T]) -> list[T]:
    """Return what is made of each block of rows of the product of two sparse matrices: its first row, the rows dense.

    The blocks are shared among as many threads as torch uses: SciPy's product holds no lock.
    """
    size = max(1, GRAM_BLOCK // max(1, right.shape[1]))

    def block(start: int) -> T:
        return use(start, (left[start : start + size] @ right).toarray())

    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        return list(threads.map(block, range(0, left.shape[0], size)))


def _nearest(
    left: csr_matrix, right: csr_matrix, neighbours: int, weigh: Callable[[Floats, int], Floats]
) -> csr_matrix:
    """Return the highest products of each row of left (I, U) with right (U, I), without the diagonal.

    Args: weigh what becomes of a block of products and the first of its rows.
    """

    def highest(start: int, products: Floats) -> csr_matrix:
        rows = weigh(products, start)
        rows[np.arange(len(rows)), start + np.arange(len(rows))] = 0
        return _highest(rows, neighbours)

    return csr_matrix(vstack(_products(left, right, highest)))


def _highest(values: Floats, count: int) -> csr_matrix:
    """Return the highest values above 0 of each row, sparse."""
    kept = min(count, values.shape[1])
    best = np.argpartition(-values, kept - 1, axis=1)[:, :kept].astype(np.int32)
    starts = np.arange(0, best.size + 1, kept)
    result = csr_matrix((np.take_along_axis(values, best, 1).ravel(), best.ravel(), starts), shape=values.shape)
    result.eliminate_zeros()
    return result
