"""EASE where the items are too many for one matrix: exact among popular items, of low rank for other pairs.

Shape letters here: U users, I items, P popular items, D directions, B users that are scored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from ganforge.core.seeds import seed_for
from ganforge.kinds.interactions.scorers import Floats, Rows, gram, invert, rows_summed

BLOCK = 1 << 25  # numbers of a block of users held at once
ROUNDS = 4  # of subspace iteration


@dataclass(frozen=True, slots=True)
class PartWeights:
    """Weights between items: a matrix among popular ones, a product of two thin ones for every other pair."""

    popular: Rows  # (P,) rows of items
    weights: Floats  # (P, P) beside the product
    left: Floats  # (I, D)
    right: Floats  # (D, I)

    def scores(self, history: csr_matrix, users: Rows | None = None) -> Floats:
        result = (history @ self.left) @ self.right
        own = np.einsum("id,di->i", self.left, self.right)  # an item says nothing of itself
        rows = np.repeat(np.arange(history.shape[0]), np.diff(history.indptr))
        result[rows, history.indices] -= history.data * own[history.indices]
        result[:, self.popular] += rows_summed(csr_matrix(history[:, self.popular]), self.weights)
        return np.asarray(result)


def ease_in_part(matrix: csr_matrix, penalty: float, popular: int, rank: int, seed: int = 0) -> PartWeights:
    """Return EASE for a Gram matrix that is exact among the most popular items and on its diagonal, else of low rank.

    With X'X near FF' + T, T what FF' lacks there, and D = T + penalty I, Woodbury's identity gives
    P = (X'X + penalty I)^-1 = D^-1 - D^-1 F (I + F' D^-1 F)^-1 F' D^-1, and EASE's weights are -P_ij / P_jj
    (Steck 2019, equation 8): no matrix (I, I) is made.
    """
    counts = np.bincount(matrix.indices, minlength=matrix.shape[1])
    chosen = np.sort(np.argsort(-counts, kind="stable")[:popular])
    factor = gram_factor(matrix, min(rank, matrix.shape[1]), seed)
    inverse = gram(csr_matrix(matrix[:, chosen]))  # to become the popular part of D^-1
    for start in range(0, len(chosen), 1024):
        inverse[start : start + 1024] -= factor[chosen[start : start + 1024]] @ factor[chosen].T
    inverse[np.diag_indices_from(inverse)] += penalty
    invert(inverse)
    lacking = np.maximum(np.bincount(matrix.indices, matrix.data**2, matrix.shape[1]) - (factor**2).sum(1), 0) + penalty
    scaled = factor / lacking[:, None].astype(np.float32)  # D^-1 F
    scaled[chosen] = inverse @ factor[chosen]
    left = scaled @ np.linalg.inv(np.eye(factor.shape[1]) + factor.T @ scaled).astype(np.float32)
    diagonal = 1 / lacking
    diagonal[chosen] = inverse.diagonal()
    diagonal = (diagonal - np.einsum("id,id->i", left, scaled)).astype(np.float32)  # of P
    np.fill_diagonal(inverse, 0)
    inverse /= -diagonal[chosen]
    return PartWeights(chosen, np.asarray(inverse), left, (scaled / diagonal[:, None]).T.copy())


def gram_factor(matrix: csr_matrix, rank: int, seed: int = 0) -> Floats:
    """Return F (I, D) with FF' near X'X and never above it: Nystroem's approximation at its main directions.

    They are found by subspace iteration (Halko, Martinsson and Tropp 2011, algorithms 4.4 and 5.5) in blocks of users.
    """
    random = np.random.default_rng(seed_for(seed, "interactions/factor"))
    basis = random.standard_normal((matrix.shape[1], min(rank + 10, matrix.shape[1]))).astype(np.float32)
    for _ in range(ROUNDS):
        basis, _ = np.linalg.qr(_times_gram(matrix, basis))
    image = _times_gram(matrix, basis)
    values, turned = np.linalg.eigh(basis.T.astype(np.float64) @ image)
    kept = np.flatnonzero(values > 1e-6 * values[-1])[-rank:]
    return np.asarray(image @ (turned[:, kept] / np.sqrt(values[kept])).astype(np.float32))


def _times_gram(matrix: csr_matrix, basis: Floats) -> Floats:
    """Return X'X times a basis (I, D)."""
    result = np.zeros_like(basis)
    size = max(1, BLOCK // basis.shape[1])
    for start in range(0, matrix.shape[0], size):
        users = matrix[start : start + size]
        result += users.T @ (users @ basis)
    return result
