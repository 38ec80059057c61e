"""Scorers in closed or simple form: they tell how well every item suits a user by what he has met.

Each function learns from a matrix (U, I) with a value above 0 where a user met an item. Shape letters here: U users,
I items, B users that are scored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.sparse import csr_matrix, diags_array

Rows = NDArray[np.int64]
Floats = NDArray[np.float32]
GRAM_BLOCK = 1 << 24  # products of pairs of items held at once beside the result


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
        product = history @ self.weights
        return np.asarray(product.toarray() if isinstance(self.weights, csr_matrix) else product, np.float32)


@dataclass(frozen=True, slots=True)
class Popularity:
    """The same scores for everybody."""

    counts: Floats  # (I,)

    def scores(self, history: csr_matrix, users: Rows | None = None) -> Floats:
        return np.tile(self.counts, (history.shape[0], 1))


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
    for start, rows in _products(csr_matrix(matrix.T), matrix):
        result[start : start + len(rows)] = rows
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


def rp3beta(matrix: csr_matrix, alpha: float, beta: float, neighbours: int) -> ItemWeights:
    """Return the chances of a walk from item to user to item, those of popular items lowered (Paudel et al. 2017).

    W_ji = sum_u (p(u | j) p(i | u))^alpha / popularity(i)^beta, of which the highest `neighbours` of each j are kept.
    """
    binary = _binary(matrix)
    of_users = np.maximum(1, np.diff(binary.indptr)).astype(np.float32)
    of_items = np.maximum(1, np.bincount(binary.indices, minlength=binary.shape[1])).astype(np.float32)
    there = csr_matrix(diags_array(of_items**-alpha) @ csr_matrix(binary.T))
    back = csr_matrix(diags_array(of_users**-alpha) @ binary)
    return _nearest(there, back, neighbours, of_items**-beta)


def _binary(matrix: csr_matrix) -> csr_matrix:
    return csr_matrix((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def _products(left: csr_matrix, right: csr_matrix) -> Iterator[tuple[int, Floats]]:
    """Yield blocks of rows of the product of two sparse matrices, dense, each with its first row."""
    size = max(1, GRAM_BLOCK // max(1, right.shape[1]))
    for start in range(0, left.shape[0], size):
        yield start, (left[start : start + size] @ right).toarray()


def _nearest(left: csr_matrix, right: csr_matrix, neighbours: int, factor: Floats | None = None) -> ItemWeights:
    """Return the highest products of each row of left (I, U) with right (U, I), without the diagonal."""
    kept = min(neighbours, right.shape[1])
    values, columns = [], []
    for start, products in _products(left, right):
        rows = products if factor is None else products * factor
        rows[np.arange(len(rows)), start + np.arange(len(rows))] = 0
        best = np.argpartition(-rows, kept - 1, axis=1)[:, :kept]
        values.append(np.take_along_axis(rows, best, 1).ravel())
        columns.append(best.astype(np.int32).ravel())
    starts = np.arange(0, left.shape[0] * kept + 1, kept)
    weights = csr_matrix((np.concatenate(values), np.concatenate(columns), starts), shape=(left.shape[0],) * 2)
    weights.eliminate_zeros()
    return ItemWeights(weights)
