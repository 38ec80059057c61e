"""Measures of sequences of units, such as texts: overlap, variety, detection by a classifier, copies of training ones.

BLEU here is the mean over texts of BLEU-4 (Papineni et al. 2002), smoothed as method 1 of Chen and Cherry 2014, against
all references. Self-BLEU takes the other texts as references, never the text itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import sacrebleu
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import logit
from sklearn.preprocessing import normalize

from ganforge.core.sequences import BEGIN, END, Ids
from ganforge.measures.detection import chance_to_tell
from ganforge.measures.intervals import Estimate, from_bootstrap

FACTOR, SPREAD = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)  # odd numbers that mix bits
LONGEST_BLEU, LEAST_MATCH = 4, 0.1  # n-grams; what no match at all counts as
BLOCK = 50_000  # training texts that are compared at once
FEW, MOST_CHANGE = 10.0, 2.0  # texts of the usual length added at each length; of the logit of an end
LENGTH = 100  # in place of n: buckets of how many units a text has
Shares = NDArray[np.float64]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Grams:
    """The n-grams of texts: a hash for each place, and the text it stands in."""

    hashes: Hashes  # (G,)
    text: NDArray[np.int64]  # (G,)
    place: NDArray[np.int64]  # (G,) of its first unit, in all texts one after the other


def longer(hashes: Hashes, units: Hashes) -> Hashes:
    """Return the hashes of n-grams that are one unit longer; those of none are 0."""
    mixed = (hashes + units + np.uint64(1)) * FACTOR
    return mixed ^ (mixed >> np.uint64(29))


def bucket_of(hashes: Hashes, n: int, bits: int, salt: int = 0) -> NDArray[np.int64]:
    """Return the bucket 0..2 ** bits - 1 of n-grams by their hashes."""
    found = ((hashes + np.uint64(n + 1000 * salt)) * SPREAD) >> np.uint64(64 - bits)
    return found.astype(np.int64)


def buckets_of_lengths(count: int, bits: int) -> NDArray[np.int64]:
    """Return the buckets of texts of 0..count - 1 units."""
    return bucket_of(longer(np.zeros(count, np.uint64), np.arange(count, dtype=np.uint64)), LENGTH, bits)


def grams_of(texts: Sequence[Ids], most: int, *, ends: bool = False, pairs: bool = False) -> Iterator[Grams]:
    """Yield the n-grams of texts for n = 1..most. Args: ends whether BEGIN and END belong to a text.

    With `pairs`, then the pairs of units with one unit between them, whatever that is.
    """
    edge = np.array([BEGIN], np.int32), np.array([END], np.int32)
    whole = [np.concatenate([edge[0], text, edge[1]]) if ends else text for text in texts]
    lengths = np.array([len(text) for text in whole], np.int64)
    flat = np.concatenate([*whole, np.zeros(0, np.int32)]).astype(np.uint64)
    text = np.repeat(np.arange(len(whole)), lengths)
    left = np.repeat(lengths.cumsum(), lengths) - np.arange(len(flat))  # units from here to the end of the text
    hashes = np.zeros(len(flat), np.uint64)
    for n in range(1, most + 1):
        hashes[: max(0, len(flat) - n + 1)] = longer(hashes[: max(0, len(flat) - n + 1)], flat[n - 1 :])
        there = np.flatnonzero(left >= n)
        yield Grams(hashes[there], text[there], there)
    if pairs:
        there = np.flatnonzero(left >= 3)
        first = longer(np.zeros(len(there), np.uint64), flat[there])
        yield Grams(longer(first, flat[there + 2]), text[there], there)


def bleu(texts: Sequence[Ids], references: Sequence[Ids] | None = None) -> Shares:
    """Return the BLEU-4 of each text (N,). Args: references None for the other texts: Self-BLEU."""
    logs, orders = np.zeros(len(texts)), np.zeros(len(texts))
    every = grams_of([*texts, *(references or ())], LONGEST_BLEU)
    for grams in every:
        pairs, counts = np.unique(
            np.stack([grams.hashes, grams.text.astype(np.uint64)], axis=1), axis=0, return_counts=True
        )
        _, gram = np.unique(pairs[:, 0], return_inverse=True)
        owner, mine = pairs[:, 1].astype(np.int64), pairs[:, 1] < len(texts)
        asked = ~mine if references is not None else np.ones(len(pairs), bool)
        allowed = _most_elsewhere(gram, owner, counts, asked)
        matched = np.bincount(owner[mine], np.minimum(counts, allowed)[mine], minlength=len(texts))
        total = np.bincount(owner[mine], counts[mine], minlength=len(texts))
        has = total > 0
        logs[has] += np.log(np.where(matched[has] > 0, matched[has], LEAST_MATCH) / total[has])
        orders += has
    scores: Shares = np.where(orders > 0, np.exp(logs / np.maximum(orders, 1)), 0.0)
    return scores


def _most_elsewhere(
    gram: NDArray[np.int64], owner: NDArray[np.int64], counts: NDArray[np.int64], asked: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return, for each pair of a gram and its text, the most often that the gram stands in another text of `asked`."""
    kinds = int(gram.max(initial=-1)) + 1
    order = np.lexsort((counts, gram))
    order = order[asked[order]]
    last = np.flatnonzero(np.r_[gram[order][1:] != gram[order][:-1], True]) if len(order) else order
    top, second, whose = np.zeros(kinds, np.int64), np.zeros(kinds, np.int64), np.full(kinds, -1)
    top[gram[order[last]]], whose[gram[order[last]]] = counts[order[last]], owner[order[last]]
    again = last[(last > 0) & (gram[order[last - 1]] == gram[order[last]])]
    second[gram[order[again]]] = counts[order[again - 1]]
    return np.where(whose[gram] == owner, second[gram], top[gram])


def distinct(texts: Sequence[Ids], n: int) -> float:
    """Return the share of different n-grams among all; it falls with the number of texts."""
    *_, grams = grams_of(texts, n)
    return len(np.unique(grams.hashes)) / max(1, len(grams.hashes))


def features(texts: Sequence[Ids], most: int, bits: int, salt: int = 0, *, pairs: bool = False) -> csr_matrix:
    """Return how often n-grams up to `most`, and pairs, stand in each text, (N, 2 ** bits), in buckets by a hash."""
    found = csr_matrix((len(texts), 2**bits), dtype=np.float32)
    for n, grams in enumerate(grams_of(texts, most, ends=True, pairs=pairs), 1):
        places = (grams.text, bucket_of(grams.hashes, n, bits, salt))
        found = found + csr_matrix((np.ones(len(grams.text), np.float32), places), shape=found.shape)
    return found


def end_logits(real: Sequence[Ids], drawn: Sequence[Ids]) -> Shares:
    """Return by how much the logit of an end after 0, 1, ... units is higher in real texts than in drawn ones, (L,)."""
    longest = max(map(len, [*real, *drawn]), default=0)
    sides = []
    for texts in (real, drawn):
        ended = np.bincount([len(text) for text in texts], minlength=longest + 1)
        left = ended[::-1].cumsum()[::-1]
        usual = ended.sum() / left.sum()
        sides.append(logit(np.clip((ended + FEW * usual) / (left + FEW), 1e-6, 1 - 1e-6))[:longest])
    change: Shares = np.clip(sides[0] - sides[1], -MOST_CHANGE, MOST_CHANGE)
    return change


def detection(real: Sequence[Ids], made: Sequence[Ids], most: int = 3) -> Estimate:
    """Return the chance that a classifier ranks a real text above a made one, neither of which it learned from.

    It is a logistic regression on which n-grams a text has, each text's features of length 1 (detection.py).
    """
    sides = [normalize(features(texts, most, bits=18, salt=1).sign()) for texts in (real, made)]
    return chance_to_tell(*sides)


@dataclass(frozen=True, slots=True)
class Copies:
    """What texts share with the training texts."""

    whole: NDArray[np.bool_]  # (N,) whether the text is one of them
    run: NDArray[np.int64]  # (N,) units of the longest run that also stands in one of them


def copies_of(texts: Sequence[Ids], train: Iterable[Sequence[Ids]]) -> Copies:
    """Find copies. Args: train blocks of training texts, of which one at a time is in memory."""
    whole, run = np.zeros(len(texts), bool), np.zeros(len(texts), np.int64)
    longest = max((len(text) for text in texts), default=0)
    mine = {text.tobytes() for text in texts}
    for block in train:
        there = mine.intersection(np.asarray(text, np.int32).tobytes() for text in block)
        whole |= np.array([text.tobytes() in there for text in texts], bool)
        ours, other = np.ones(sum(map(len, texts)), bool), np.ones(sum(map(len, block)), bool)  # where a run may go on
        for n, (own, theirs) in enumerate(zip(grams_of(texts, longest), grams_of(block, longest), strict=True), 1):
            mine_at, theirs_at = ours[own.place], other[theirs.place]
            found = mine_at.copy()
            found[mine_at] = np.isin(own.hashes[mine_at], theirs.hashes[theirs_at])
            if not found.any():
                break
            shared = np.unique(own.text[found])
            run[shared] = np.maximum(run[shared], n)
            theirs_at[theirs_at] = np.isin(theirs.hashes[theirs_at], own.hashes[found])
            ours, other = _marked(own.place[found], len(ours)), _marked(theirs.place[theirs_at], len(other))
    return Copies(whole, run)


def _marked(places: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    marked = np.zeros(count, bool)
    marked[places] = True
    return marked


def chrf(made: str, reference: str) -> float:
    """Return the character F-score of a text (Popovic 2015), 0..1."""
    return float(sacrebleu.sentence_chrf(made, [reference]).score) / 100


def chrf_of_each(made: Sequence[str], references: Sequence[str]) -> Shares:
    """Return `chrf` of each text beside one reference, (N,)."""
    return np.array([chrf(one, other) for one, other in zip(made, references, strict=True)])


def corpus_bleu(made: Sequence[str], references: Sequence[str], random: np.random.Generator) -> Estimate:
    """Return BLEU-4 of texts beside one reference each (Papineni et al. 2002; Post 2018), 0..1, with its interval."""
    scored = [sacrebleu.sentence_bleu(one, [other]) for one, other in zip(made, references, strict=True)]
    counts = np.array([[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in scored])

    def bleu(chosen: NDArray[np.int64]) -> float:
        sums = counts[chosen].sum(0).tolist()
        return (
            float(sacrebleu.BLEU.compute_bleu(sums[:4], sums[4:8], sums[8], sums[9], smooth_method="exp").score) / 100
        )

    return from_bootstrap(bleu, len(counts), random)
