"""Which items are shown how often: lists are chosen again among the best candidates, at prices that items have.

An item that lists show more often than it should gets a price, which is taken off its scores; one that is shown too
rarely gets a bonus. At the right prices no linear discriminator of lists can tell from how often items are in them
whether a list was recommended or is what a user went on to meet: prices are what such a discriminator has learned
when its game is over, found here by ascent of the dual problem without one.

Shape letters here: U users, I items, B users of a block, C candidates of a user.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ganforge.kinds.interactions.scorers import Floats, Rows, Scorer
from ganforge.measures.ranking import blocks, hide, top_items

CANDIDATES = 200  # best items of a user among which prices choose
SHOWN = 10  # places of the lists that prices are made for
KNOTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)  # exposures that prices are found for; between them, a mixture
ROUNDS, STEP, FALL = 40, 0.2, 0.05  # of the ascent: its steps, and how they shrink


class Residual(Protocol):
    """What is added to the scores of candidates."""

    def __call__(self, history: csr_matrix, candidates: Rows) -> Floats:
        """Args: history (B, I); candidates (B, C). Returns: (B, C)."""
        ...


@dataclass(frozen=True, slots=True)
class Shelf:
    """A scorer, what scores are multiplied by, what each item costs, and what is added to the best candidates.

    Prices and what is added are in spreads of a user's candidates.
    """

    scorer: Scorer
    factor: Floats  # (I,)
    prices: Floats | None = None  # (I,)
    residual: Residual | None = None

    def scores(self, history: csr_matrix, users: Rows | None = None, seen: bool = False) -> Floats:
        """Return a new array (B, I) by which a user's items are ranked.

        Args: seen whether what a user has met may be shown again; else its scores are minus infinity.
        """
        scores = self.scorer.scores(history, users)
        scores *= self.factor
        if not seen:
            hide(scores, history)
        if self.prices is None and self.residual is None:
            return scores
        candidates = top_items(scores, min(CANDIDATES, scores.shape[1])).astype(np.int64)
        there = candidates >= 0
        own = np.take_along_axis(scores, candidates, 1)
        added = np.zeros_like(own) if self.prices is None else -self.prices[candidates]
        if self.residual is not None:
            added += self.residual(history, candidates)
        added *= spreads_of(np.where(there, own, -np.inf))
        added[~there] = 0
        scores += np.minimum(added.min(1, keepdims=True), 0)  # the others stay behind
        rows = np.broadcast_to(np.arange(len(scores))[:, None], candidates.shape)
        scores[rows[there], candidates[there]] = (own + added)[there]
        return scores


def spreads_of(values: Floats) -> Floats:
    """Return the standard deviation of each user's candidates, (B, 1): the unit of prices and of the residual.

    The scores of a user who met little are near to each other, and a price must not weigh more for him.
    Args: values (B, C), -inf where there is no candidate.
    """
    here = np.isfinite(values)
    count = np.maximum(here.sum(1, keepdims=True), 1)
    mean = np.where(here, values, 0).sum(1, keepdims=True) / count
    spread = np.sqrt((np.where(here, values - mean, 0) ** 2).sum(1, keepdims=True) / count)
    return np.asarray(np.maximum(spread, 1e-9), np.float32)


def candidates_of(shelf: Shelf, history: csr_matrix) -> tuple[Rows, Floats]:
    """Return the best items of users and their scores in spreads, each (U, C); of empty places -inf."""
    users, items = history.shape
    best, values = [], []
    for rows in blocks(np.arange(users), items):  # a matrix of all users and items is large
        scores = shelf.scores(history[rows])
        best.append(top_items(scores, min(CANDIDATES, items)).astype(np.int64))
        values.append(np.take_along_axis(scores, best[-1], 1))
    candidates, found = np.concatenate(best), np.concatenate(values)
    found[candidates < 0] = -np.inf
    return candidates, found / spreads_of(found)


def prices_for(candidates: Rows, values: Floats, met: Floats, exposure: float) -> Floats:
    """Return the prices (I,) at which lists show items between as often as without prices, and as users meet them.

    Args: candidates, values (U, C) as `candidates_of` gives them; met (I,) how often users meet each item.
    """
    items, shown = len(met), min(SHOWN, candidates.shape[1])
    here = candidates >= 0
    before = np.bincount(candidates[:, :shown][here[:, :shown]], minlength=items)
    wanted = (1 - exposure) * before + exposure * before.sum() * met / met.sum()
    prices = np.zeros(items, np.float32)
    for turn in range(ROUNDS):
        reached = np.where(here, values - prices[candidates], -np.inf)
        chosen = np.argpartition(-reached, shown - 1, axis=1)[:, :shown]
        listed = np.take_along_axis(candidates, chosen, 1)
        often = np.bincount(listed[listed >= 0], minlength=items)
        step = STEP / (1 + FALL * turn)
        prices += (step * np.log((often + 0.5) / (wanted + 0.5))).astype(np.float32)
    prices[np.bincount(candidates[here], minlength=items) == 0] = 0  # what nobody could be shown
    return prices


def price_table(shelf: Shelf, history: csr_matrix, met: Floats) -> Floats:
    """Return the prices at each of KNOTS, (K, I). Args: history (U, I) of some users; met as in `prices_for`."""
    candidates, values = candidates_of(shelf, history)
    return np.stack([np.zeros_like(met)] + [prices_for(candidates, values, met, knot) for knot in KNOTS[1:]])


def prices_at(table: Floats, exposure: float) -> Floats:
    """Return the prices (I,) at an exposure, a mixture of the two nearest of KNOTS. Args: table (K, I)."""
    above = min(int(np.searchsorted(KNOTS, exposure)), len(KNOTS) - 1)
    below = max(0, above - 1)
    share = 0.0 if above == below else (exposure - KNOTS[below]) / (KNOTS[above] - KNOTS[below])
    mixed: NDArray[np.float32] = ((1 - share) * table[below] + share * table[above]).astype(np.float32)
    return mixed


def factor_of(counts: Floats, correction: float) -> Floats:
    """Return what scores are multiplied by, (I,): 1 / popularity^correction. Args: counts (I,) of users who met it."""
    return np.asarray((counts + 1) ** -correction, np.float32)
