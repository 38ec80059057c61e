"""Matching the words of two languages: best pairs by CSLS, rotations, self-learning, and where it may begin.

Shape letters here: V and U words of the two languages, F dimensions, P pairs. Vectors are of norm 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.core.seeds import generator_for
from ganforge.kinds.text.dictionary.vectors import Array

NEIGHBOURS = 10  # of CSLS
BEST = 5  # translations that are kept of a word
KEPT, FEWEST_KEPT = 0.1, 150  # share of the similarities that count at first in self-learning; of each word at least
PATIENCE = 5  # rounds without a gain of GAIN, after which twice as many count
GAIN = 1e-4
MOST_ROUNDS = 200
ROWS = 2_000  # words whose similarities are held at once
HIDDEN = -9.0  # similarity of a pair that does not count
Pairs = NDArray[np.int64]
"""(P, 2) indices of words of the one language and of the other."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """A rotation of one language's vectors onto another's, and how well they match."""

    rotation: Array  # (F, F): vectors @ rotation
    criterion: float  # mean CSLS of best matches


def procrustes(one: Array, other: Array) -> Array:
    """Return the rotation (F, F) that brings vectors (P, F) nearest to others (Schonemann 1966)."""
    left, _, right = np.linalg.svd(one.T @ other)
    rotation: Array = left @ right
    return rotation


def csls(similarity: Tensor) -> Tensor:
    """Return cross-domain similarity local scaling (V, U): twice the cosine less the mean of the nearest of either.

    Source: Conneau et al. 2018, "Word translation without parallel data", equation 5.
    """
    return 2 * similarity - _nearest(similarity, 1)[:, None] - _nearest(similarity, 0)


def _nearest(similarity: Tensor, dim: int) -> Tensor:
    return similarity.topk(min(NEIGHBOURS, similarity.shape[dim]), dim).values.mean(dim)


def best_pairs(scores: Tensor) -> Pairs:
    """Return the best match of every word of either language. Args: scores (V, U)."""
    forward, back = scores.argmax(1).numpy(), scores.argmax(0).numpy()
    rows, columns = np.arange(len(forward)), np.arange(len(back))
    return np.stack([np.append(rows, back), np.append(forward, columns)], axis=1)


def criterion_of(scores: Tensor) -> float:
    """Return the mean score of the best matches of both sides. Args: scores (V, U) by CSLS."""
    return float(scores.amax(1).mean() + scores.amax(0).mean()) / 2


def matching(one: Array, other: Array) -> Pairs:
    """Return best pairs by traits (V, M) and (U, M): the smallest distances, scaled as CSLS does."""
    a, b = torch.from_numpy(np.ascontiguousarray(one)), torch.from_numpy(np.ascontiguousarray(other))
    return best_pairs(csls(-torch.cdist(a, b).square()))


def self_learning(one: Array, other: Array, pairs: Pairs, seed: int, rounds: int = MOST_ROUNDS) -> Mapped:
    """Find a rotation and a dictionary in turn, each from the other, beginning with pairs.

    The dictionary is the best pairs of both directions among a random share of the similarities, which doubles whenever
    the criterion stops growing. Source: Artetxe, Labaka and Agirre 2018, section 3.3.
    Args: one (V, F), other (U, F) of the most frequent words; pairs (P, 2) to begin with; seed of the shares.
    """
    x, y = torch.from_numpy(np.ascontiguousarray(one)), torch.from_numpy(np.ascontiguousarray(other))
    random, best = generator_for(seed, "translate/self-learning"), Mapped(np.eye(1), -np.inf)
    share, stale = min(1.0, max(KEPT, FEWEST_KEPT / min(len(x), len(y)))), 0
    for _ in range(rounds):
        rotation = procrustes(one[pairs[:, 0]], other[pairs[:, 1]])
        scores = csls(x @ torch.from_numpy(rotation) @ y.T)
        found = criterion_of(scores)
        stale = 0 if found > best.criterion + GAIN else stale + 1
        if found > best.criterion:
            best = Mapped(rotation, found)
        if stale >= PATIENCE:
            if share >= 1:
                break
            share, stale = min(1.0, 2 * share), 0
        if share < 1:
            scores = scores.where(torch.rand(scores.shape, generator=random) < share, HIDDEN)
        pairs = best_pairs(scores)
    return best


def refined(one: Array, other: Array, pairs: Pairs, rounds: int) -> Array:
    """Return a rotation after rounds of Procrustes and best pairs, beginning with pairs."""
    x, y = torch.from_numpy(np.ascontiguousarray(one)), torch.from_numpy(np.ascontiguousarray(other))
    for _ in range(rounds):
        rotation = procrustes(one[pairs[:, 0]], other[pairs[:, 1]])
        pairs = best_pairs(csls(x @ torch.from_numpy(rotation) @ y.T))
    return procrustes(one[pairs[:, 0]], other[pairs[:, 1]])


def pairs_of(one: Array, other: Array, rotation: Array) -> Pairs:
    """Return the best pairs under a rotation."""
    return best_pairs(csls(torch.from_numpy(one @ rotation) @ torch.from_numpy(np.ascontiguousarray(other)).T))


def forward_of(pairs: Pairs, count: int) -> NDArray[np.int64]:
    """Return the match of each of `count` words of the one language. Args: pairs of `best_pairs`."""
    return pairs[:count, 1]


# ---- the dictionary itself -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Translations:
    """The best translations of the words of one language."""

    words: NDArray[np.int64]  # (V, BEST) of the other language, the best first
    scores: NDArray[np.float32]  # (V, BEST) by CSLS


def translations(one: Array, other: Array) -> tuple[Translations, Translations]:
    """Return the best translations of all words in both directions. Args: one (V, F), other (U, F), rotated already."""
    x, y = torch.from_numpy(np.ascontiguousarray(one)), torch.from_numpy(np.ascontiguousarray(other))
    near_x = torch.cat([_nearest(block, 1) for block in _similarities(x, y)])
    near_y = torch.cat([_nearest(block, 1) for block in _similarities(y, x)])
    return _best(x, y, near_x, near_y), _best(y, x, near_y, near_x)


def led_by(found: Translations, pairs: Pairs) -> Translations:
    """Put the translations of known pairs first, with the score of the best. Args: pairs, the surest first."""
    words, scores = found.words.copy(), found.scores.copy()
    for word, other in pairs[::-1].tolist():
        own = words[word]
        place = int(np.argmax(own == other)) if other in own else len(own) - 1
        words[word, : place + 1] = np.roll(own[: place + 1], 1)
        words[word, 0] = other
        scores[word, 1 : place + 1] = scores[word, :place]
    return Translations(words, scores)


def _similarities(x: Tensor, y: Tensor) -> Iterator[Tensor]:
    return (block @ y.T for block in torch.split(x, ROWS))


def _best(x: Tensor, y: Tensor, near_x: Tensor, near_y: Tensor) -> Translations:
    found = [
        (2 * block - near[:, None] - near_y).topk(BEST, 1)
        for block, near in zip(_similarities(x, y), torch.split(near_x, ROWS), strict=True)
    ]
    scores, words = torch.cat([one.values for one in found]), torch.cat([one.indices for one in found])
    return Translations(words.numpy(), scores.numpy())
