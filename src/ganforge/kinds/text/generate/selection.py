"""Adversarial selection of units: discriminators of real and drawn texts change the chances of each next unit.

A discriminator, a logistic regression of hashed n-grams and gapped pairs, calibrated (Platt 1999) on texts that it
did not learn from, gives log p(real) / p(drawn) of a text as a sum over them. While a text is drawn, each unit's chance
is multiplied by the exponential of what those that it would end add to that sum: a residual energy (Deng et al. 2020)
normalised at each unit, so nothing is drawn in vain. As that is blind to what comes later, the chance of an end is
corrected by the length so far. The next round learns from texts drawn so, until there is next to nothing to correct.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganforge.core.sequences import END, Ids
from ganforge.kinds.text.generate.vocabulary import known
from ganforge.measures import detection
from ganforge.measures.sequences import bucket_of, buckets_of_lengths, end_logits, features, longer

BITS = 17  # of the number of buckets that n-grams are hashed into
NOTHING = 0.55  # chance to rank a real text above a drawn one, below which there is nothing to correct
FRESH = 0.13  # share of drawn texts that calibrate
Weights = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Guide:
    """The weights of n-grams, pairs and lengths, which change the chances of units (networks.Steering)."""

    weights: Weights  # (2 ** BITS,)
    most: int  # units of the longest n-grams

    def raised(self, before: NDArray[np.int64], units: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the sum of the weights of all that each candidate would end, (N, K), as networks.Steering."""
        ends = units.astype(np.uint64)
        total: Weights = self.weights[buckets_of_lengths(before.shape[1], BITS)[-1]] * (units == END)
        total = total + self._of(np.zeros((1, 1), np.uint64), ends, 1)
        for length in range(1, min(self.most, before.shape[1] + 1)):
            hashes = np.zeros(len(before), np.uint64)
            for unit in before[:, before.shape[1] - length :].astype(np.uint64).T:
                hashes = longer(hashes, unit)
            total = total + self._of(hashes[:, None], ends, length + 1)
        if before.shape[1] > 1:
            first = before[:, -2:-1].astype(np.uint64)
            total = total + self._of(longer(np.zeros_like(first), first), ends, self.most + 1)
        return total

    def _of(self, hashes: NDArray[np.uint64], ends: NDArray[np.uint64], n: int) -> Weights:
        return self.weights[bucket_of(longer(hashes, ends), n, BITS)]


def discriminate(
    real: Sequence[Ids], drawn: Sequence[Ids], unseen: Sequence[Ids], fresh: Sequence[Ids], most: int
) -> tuple[Weights, float]:
    """Fit a calibrated discriminator. Args: unseen, fresh other real and drawn texts, to calibrate with.

    Returns: the weights (2 ** BITS,), and the chance that it ranks an unseen text above a fresh one.
    """
    sides = [features(texts, most, BITS, pairs=True) for texts in (real, drawn, unseen, fresh)]
    return detection.discriminate(*sides)


def learn_guide(
    draw: Callable[[Guide | None, int], list[Ids]], real: Sequence[Ids], unseen: Sequence[Ids], most: int, rounds: int
) -> tuple[Weights, list[float]]:
    """Learn a guide in rounds. Args: draw (guide, round) -> texts; real training texts; unseen others, to calibrate.

    Returns: its weights, and how well each round's discriminator ranked texts. The last one below NOTHING is not used.
    """
    weights, found = np.zeros(2**BITS, np.float32), list[float]()
    for number in range(rounds + 1):  # the last one corrects lengths alone
        drawn = draw(Guide(weights, most) if number else None, number)
        if number < rounds:
            cut = max(1, round(FRESH * len(drawn)))
            more, auc = discriminate(known(real), drawn[cut:], unseen, drawn[:cut], most)
            found.append(auc)
            if auc < NOTHING:
                break
            weights = weights + more
        change = end_logits(real, drawn)
        weights[buckets_of_lengths(len(change), BITS)] += change
    return weights, found
