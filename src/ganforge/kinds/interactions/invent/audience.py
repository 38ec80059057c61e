"""The audience of an item by its features: tastes of users, and similarity of items.

An audience is what the users who met an item have in common, D numbers: its users' summed tastes. A user's chance to
meet an item is the product of his tastes with its audience. Shape letters here: N items, U users, F codes, D numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

from ganforge.kinds.interactions.invent.codes import Codes
from ganforge.measures.kernel_ridge import KernelRidge, fit_kernel_ridge

Array = NDArray[np.float64]
Form = Literal["joint", "linear"]
BINS = 10


def tastes_of(matrix: csr_matrix, dimensions: int) -> Array:
    """Return the tastes of users (U, D): the first left singular vectors of what they met (U, N)."""
    count = min(dimensions, min(matrix.shape) - 1)
    start = np.full(min(matrix.shape), min(matrix.shape) ** -0.5)
    vectors, values, _ = svds(matrix.astype(np.float64), k=count, v0=start)
    vectors = vectors[:, np.argsort(-values)]
    signs = np.where(vectors.sum(0) < 0, -1.0, 1.0)
    return np.ascontiguousarray(vectors * signs)


@dataclass(frozen=True, slots=True)
class Similarity:
    """How alike items are by their codes.

    "joint" is the sum of three parts: words, numbers, and both together. "linear" is the product of words, and of
    numbers in BINS equal parts: a regression on it is a ridge.
    """

    numbers: NDArray[np.bool_]  # (F,) which codes are ranks of numbers
    form: Form
    width: float  # of ranks: so far apart, numbers are alike by 1 / e
    norm: float  # the mean squared length of the words of an item

    @classmethod
    def of(cls, codes: Codes, known: Array, form: Form, width: float) -> Similarity:
        """Return the similarity for items. Args: known (N, F) their codes."""
        words = known[:, ~codes.numbers]
        return cls(codes.numbers, form, width, max(1e-9, float((words**2).sum(1).mean())) if words.size else 1.0)

    def __call__(self, one: Array, other: Array) -> Array:
        """Return the similarities (A, B) of items (A, F) with others (B, F)."""
        if self.form == "linear":
            return np.asarray(1 + in_parts(one, self.numbers) @ in_parts(other, self.numbers).T)
        apart = np.zeros((len(one), len(other)))
        for code in np.flatnonzero(self.numbers):
            apart += np.abs(one[:, code, None] - other[None, :, code])
        near = np.exp(-apart / self.width)
        ours, theirs = one[:, ~self.numbers], other[:, ~self.numbers]
        if not ours.shape[1]:
            return near
        products = ours @ theirs.T
        squares = np.maximum(0, (ours**2).sum(1)[:, None] + (theirs**2).sum(1) - 2 * products)
        together = np.exp(-squares / (1.2 * self.norm)) * near
        return np.asarray(0.5 * products / self.norm + 0.5 * near * self.numbers.any() + together)


def in_parts(codes: Array, numbers: NDArray[np.bool_]) -> Array:
    """Return codes for linear methods (N, F + BINS for each number): numbers also as which of equal parts they are."""
    bins = np.minimum((codes[:, numbers] * BINS).astype(int), BINS - 1)
    return np.concatenate([codes, (bins[:, :, None] == np.arange(BINS)).reshape(len(codes), -1)], 1)


@dataclass(frozen=True)
class Audiences:
    """The audiences of known items, and the regression that predicts those of new ones by their codes."""

    codes: Array  # (N, F) of the known items
    similarity: Similarity
    tastes: Array  # (U, D)
    targets: Array  # (N, D) their audiences
    fitted: KernelRidge

    @classmethod
    def fit(cls, codes: Array, similarity: Similarity, tastes: Array, targets: Array, penalty: float) -> Audiences:
        """Fit the regression."""
        return cls(codes, similarity, tastes, targets, fit_kernel_ridge(similarity, codes, targets, [penalty])[0])

    def predict(self, codes: Array) -> Array:
        """Return the expected audiences (Q, D) of items by their codes (Q, F)."""
        return self.fitted.predict(self.similarity(codes, self.codes[self.fitted.landmarks]))

    @cached_property
    def residuals(self) -> Array:
        """What the regression on the other items did not know of each item's audience, (N, D)."""
        return self.targets - self.fitted.left_out

    @cached_property
    def everybody(self) -> Array:
        """The sum of all tastes, (D,): its product with an audience is how many users that has."""
        return np.asarray(self.tastes.sum(0))

    def sizes(self, audiences: Array) -> Array:
        """Return how many users audiences (..., D) have, at least one."""
        return np.maximum(1.0, audiences @ self.everybody)
