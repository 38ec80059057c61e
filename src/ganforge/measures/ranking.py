"""Exact ranking measures over all candidate items: no sampled negatives, ties by the item's row.

Shape letters here: M judged users, B users of a block, I items, K places of a list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Numbers = NDArray[np.int64]
Values = NDArray[np.float64]
Scores = Callable[[Numbers], NDArray[np.float32]]  # rows of users (B,) -> their scores of all items (B, I), a new array

DEPTH = 20  # places of the lists that are kept
BLOCK = 1 << 24  # scores held at once


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best items of users, and at which place each item stands that they did choose."""

    users: Numbers  # (M,) rows of the users with at least one item to find
    top: NDArray[np.int32]  # (M, K) items, the best first; -1 where a user has fewer candidates
    places: csr_matrix  # (M, I) the place, from 1, of each item to find among all candidates

    @property
    def items(self) -> int:
        """How many items there are."""
        return int(self.places.shape[1])

    def of_users(self, kept: NDArray[np.bool_]) -> Ranking:
        """Return the ranking of some of its users. Args: kept (M,)."""
        return Ranking(self.users[kept], self.top[kept], self.places[kept])

    def of_items(self, kept: NDArray[np.bool_]) -> Ranking:
        """Return the same lists with only some items to find, of the users who have any of them. Args: kept (I,)."""
        places = self.places.copy()
        places.data *= kept[places.indices]
        places.eliminate_zeros()
        some = np.diff(places.indptr) > 0
        return Ranking(self.users[some], self.top[some], places[some])

    # ---- of each user, (M,) ------------------------------------------------------------------------------------------

    def precision(self, k: int) -> Values:
        """Return the share of the first k places that are items to find."""
        return self._sums(self.places.data <= k) / k

    def recall(self, k: int) -> Values:
        """Return the share of a user's items to find that are in the first k places."""
        return np.asarray(self._sums(self.places.data <= k) / np.diff(self.places.indptr))

    def ndcg(self, k: int) -> Values:
        """Return the normalised discounted cumulative gain (Järvelin and Kekäläinen 2002) with binary relevance.

        The gain at place p is 1 / log2(1 + p); the ideal list begins with the items to find, at most k.
        """
        places = self.places.data
        ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
        gained = self._sums(np.where(places <= k, 1 / np.log2(1.0 + places), 0.0))
        return np.asarray(gained / ideal[np.minimum(np.diff(self.places.indptr), k)])

    def reciprocal(self, k: int | None = None) -> Values:
        """Return 1 / place of the first item to find. Args: k the last place that counts, by default all count."""
        first = np.minimum.reduceat(self.places.data, self.places.indptr[:-1]) if len(self.users) else np.empty(0)
        return np.where(first <= (k or self.items), 1.0 / first, 0.0)

    def _sums(self, values: NDArray[np.generic]) -> Values:
        starts = self.places.indptr[:-1]
        return np.add.reduceat(values.astype(np.float64), starts) if len(starts) else np.empty(0)


def rank(scores: Scores, known: csr_matrix, relevant: csr_matrix, depth: int = DEPTH) -> Ranking:
    """Rank all items that a user does not have yet, for every user with an item to find.

    Args: scores higher is better; known (U, I) not to be recommended; relevant (U, I) to be found, known ones apart.
    """
    relevant = csr_matrix(relevant - relevant.multiply(known > 0))
    relevant.eliminate_zeros()
    relevant.sort_indices()
    users = np.flatnonzero(np.diff(relevant.indptr))
    tests = relevant[users]
    places = np.empty(tests.nnz, np.int64)
    tops = []
    for rows in blocks(users, relevant.shape[1]):
        own = scores(rows)
        hide(own, known[rows])
        tops.append(top_items(own, depth))
        begin = int(np.searchsorted(users, rows[0]))
        spans = slice(tests.indptr[begin], tests.indptr[begin + len(rows)])
        where = np.repeat(np.arange(len(rows)), np.diff(tests.indptr[begin : begin + len(rows) + 1]))
        places[spans] = _places(own, where, tests.indices[spans])
    top = np.concatenate(tops) if tops else np.empty((0, depth), np.int32)
    return Ranking(users, top, csr_matrix((places, tests.indices, tests.indptr), shape=tests.shape))


def blocks(users: Numbers, items: int) -> Iterator[Numbers]:
    """Yield users in blocks whose scores fit in memory."""
    size = max(1, BLOCK // max(1, items))
    for start in range(0, len(users), size):
        yield users[start : start + size]


def hide(scores: NDArray[np.float32], known: csr_matrix) -> None:
    """Set the scores (B, I) of known items to minus infinity, in place."""
    scores[np.repeat(np.arange(known.shape[0]), np.diff(known.indptr)), known.indices] = -np.inf


def top_items(scores: NDArray[np.float32], depth: int) -> NDArray[np.int32]:
    """Return the best items of each user, (B, depth), the best first and equal ones by row; -1 where all are hidden."""
    users, items = scores.shape
    kept = min(depth, items)
    values, found = (part.numpy() for part in torch.topk(torch.from_numpy(scores), min(kept + 1, items), dim=1))
    if items > kept:
        for row in np.flatnonzero((values[:, kept - 1] == values[:, kept]) & np.isfinite(values[:, kept])):
            found[row, :kept] = np.argsort(-scores[row], kind="stable")[
                :kept
            ]  # which of equal ones torch takes is open
    found, values = found[:, :kept], np.take_along_axis(scores, found[:, :kept], 1)
    order = np.lexsort((found, -values), axis=1)
    top = np.full((users, depth), -1, np.int32)
    top[:, :kept] = np.where(np.isneginf(np.take_along_axis(values, order, 1)), -1, np.take_along_axis(found, order, 1))
    return top


def _places(scores: NDArray[np.float32], rows: Numbers, items: NDArray[np.int32]) -> Numbers:
    """Return the place, from 1, of items (T,) in the rankings of rows (T,) of scores (B, I)."""
    places = np.empty(len(rows), np.int64)
    size = max(1, BLOCK // scores.shape[1])
    for start in range(0, len(rows), size):
        own, chosen = scores[rows[start : start + size]], items[start : start + size]
        value = own[np.arange(len(own)), chosen][:, None]
        above, equal = np.count_nonzero(own > value, axis=1), np.count_nonzero(own >= value, axis=1)
        for tied in np.flatnonzero(equal - above > 1):
            above[tied] += np.count_nonzero(own[tied, : chosen[tied]] == value[tied])
        places[start : start + size] = above + 1
    return places


def of_each_user(ranking: Ranking) -> dict[str, Values]:
    """Return the usual measures of each user, each (M,)."""
    return {
        "precision@5": ranking.precision(5),
        "recall@10": ranking.recall(10),
        "ndcg@10": ranking.ndcg(10),
        "mrr": ranking.reciprocal(),
    }


# ---- of the lists of all users: which items are shown ----------------------------------------------------------------


def exposure(top: NDArray[np.int32], items: int) -> Numbers:
    """Return how often each item is in the lists (M, K), (I,)."""
    return np.bincount(top[top >= 0], minlength=items)


def coverage(top: NDArray[np.int32], items: int) -> float:
    """Return the share of all items that are in at least one list."""
    return float((exposure(top, items) > 0).mean())


def gini(top: NDArray[np.int32], items: int) -> float:
    """Return Gini's coefficient of how often items are shown: 0 all equally often, near 1 always the same few."""
    shown = np.sort(exposure(top, items)).astype(np.float64)
    total = shown.sum()
    if total == 0:
        return 0.0
    return float((2 * np.arange(1, items + 1) - items - 1) @ shown / (items * total))


def novelty(top: NDArray[np.int32], counts: Numbers) -> Values:
    """Return the mean bits -log2(share of all interactions) of the items of each list (Zhou et al. 2010), (M,).

    Args: counts of interactions of each item (I,); one that nobody met counts as met once.
    """
    bits = -np.log2(np.maximum(counts, 1) / max(1, counts.sum()))
    shown = top >= 0
    return np.asarray((bits[top] * shown).sum(1) / np.maximum(1, shown.sum(1)))


# ---- groups ----------------------------------------------------------------------------------------------------------


def groups_of_users(counts: Numbers) -> dict[str, NDArray[np.bool_]]:
    """Return users in three groups of about the same size by how many interactions they have. Args: counts (M,)."""
    few, many = np.quantile(counts, (1 / 3, 2 / 3)) if len(counts) else (0, 0)
    return {
        "users with few interactions": counts <= few,
        "users in between": (counts > few) & (counts <= many),
        "users with many interactions": counts > many,
    }


def groups_of_items(counts: Numbers) -> dict[str, NDArray[np.bool_]]:
    """Return the most popular items, which hold half of all interactions, and the others. Args: counts (I,)."""
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    popular = np.zeros(len(counts), bool)
    popular[order] = before < counts.sum() / 2
    return {"popular items": popular, "rare items": ~popular}
