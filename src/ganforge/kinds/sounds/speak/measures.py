"""How near spoken sentences are to recordings of them: spectrograms, durations, smoothness, and what a reader hears."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.core.seeds import seed_for
from ganforge.kinds.sounds.speak.networks import RANGE
from ganforge.measures.intervals import Estimate, mean_by_bootstrap
from ganforge.records import Meaning

DECIBELS = 20 / np.log(10)  # of one unit of the natural logarithm
LEAST_VARIANCE = 1e-4  # of levels in a band
Values = Mapping[str, NDArray[np.float64]]  # a measure of each sentence, by its name
MEANINGS = {
    "mel_distance": Meaning("lower", "How far spectrograms are from the recordings', at equal durations, in dB."),
    "reading_errors": Meaning("lower", "Share of signs that a reader, trained on recordings, hears wrongly."),
    "duration_error": Meaning("lower", "How far the length of a sentence is from the recording's, as a share of it."),
    "variance_gap": Meaning("lower", "How much less or more spectra vary over a sentence, such as by smoothing."),
}


def mel_distance(made: Tensor, truth: Tensor) -> float:
    """Return the mean difference of levels (N, M) in dB."""
    return float((made - truth).abs().mean()) * RANGE / 2 * float(DECIBELS)


def variance_gap(made: Tensor, truth: Tensor) -> float:
    """Return the absolute log ratio of the variances over time of levels (N, M), as a mean over bands.

    Source: Toda and Tokuda 2007, "global variance".
    """
    ours, theirs = (x.var(0, unbiased=False).clamp(min=LEAST_VARIANCE).log() for x in (made, truth))
    return float((ours - theirs).abs().mean())


def heard(signs: Tensor, letters: frozenset[int]) -> list[int]:
    """Return the letters among signs (N,), one for several of a kind that follow each other: a reader cannot tell."""
    return [sign for sign in torch.unique_consecutive(signs).tolist() if sign in letters]


def error_rate(said: Sequence[int], meant: Sequence[int]) -> float:
    """Return the insertions, deletions and replacements from one to the other, for each sign that was meant.

    Source: Levenshtein 1966.
    """
    row = np.arange(len(said) + 1)
    for number, sign in enumerate(meant, 1):
        kept = row[:-1] + (np.array(said) != sign) if said else row[:0]
        best = np.concatenate([[number], np.minimum(row[1:] + 1, kept)])
        row = np.minimum.accumulate(best - np.arange(len(best))) + np.arange(
            len(best)
        )  # insertions, from left to right
    return float(row[-1]) / max(1, len(meant))


def estimates(values: Values) -> dict[str, Estimate]:
    """Return the mean of each measure over sentences, with a bootstrap interval."""
    seed = seed_for(0, "sentences/bootstrap")
    return {name: mean_by_bootstrap(own, np.random.default_rng(seed)) for name, own in values.items()}
