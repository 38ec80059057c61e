"""Predictions of labels for examples that were left out of learning: how many are right, and how certain they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.metrics import confusion_matrix

from ganforge.measures.intervals import Estimate, from_bootstrap, mean_by_bootstrap, of_share
from ganforge.records import Rows

COLDEST, HOTTEST = 0.05, 20.0  # temperatures
MOST_LABELS = 20  # of a whole confusion table; of more labels the most frequent confusions are told
BINS = (0.0, 0.5, 0.7, 0.9, 0.97, 1.0001)  # of certainties
Scores = NDArray[np.float64]  # (N, K), whose softmax are certainties


@dataclass(frozen=True, slots=True)
class Crossed:
    """What methods say of labelled examples that they did not learn from, by cross-validation."""

    scores: Mapping[str, Scores]  # method -> (N, K)
    labels: NDArray[np.int64]  # (N,)
    folds: NDArray[np.int64]  # (N,) in which an example was left out

    def right(self, method: str) -> NDArray[np.float64]:
        """Return 1 for each example whose label was found, else 0 (N,)."""
        found: NDArray[np.float64] = (self.scores[method].argmax(1) == self.labels).astype(np.float64)
        return found

    def accuracy(self, method: str) -> Estimate:
        """Return the share of labels that were found, with its interval over examples."""
        right = self.right(method)
        return of_share(int(right.sum()), len(right))

    def gain(self, method: str, over: str, random: np.random.Generator) -> Estimate:
        """Return the difference of two accuracies, with its interval over pairs."""
        return mean_by_bootstrap(self.right(method) - self.right(over), random)

    def certainties(self, method: str) -> Scores:
        """Return certainties (N, K), each fold's with the temperature that fits the other folds."""
        scores, found = self.scores[method], np.zeros_like(self.scores[method])
        for fold in np.unique(self.folds):
            own = self.folds == fold
            rest = ~own if (~own).any() else own
            found[own] = softmax(scores[own] / temperature_of(scores[rest], self.labels[rest]), axis=1)
        return found


def temperature_of(scores: Scores, labels: NDArray[np.int64]) -> float:
    """Return the temperature that makes certainties most likely (Guo et al. 2017)."""
    rows = np.arange(len(labels))

    def loss(logarithm: float) -> float:
        return float(-np.log(softmax(scores / np.exp(logarithm), axis=1)[rows, labels].clip(1e-12)).mean())

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x))


def calibration_error(certainties: Scores, right: NDArray[np.float64], random: np.random.Generator) -> Estimate:
    """Return how far the mean certainty (N,) is from the share of right labels (N,)."""
    apart = certainties - right
    return from_bootstrap(lambda chosen: float(abs(apart[chosen].mean())), len(apart), random)


def confusions(labels: NDArray[np.int64], found: NDArray[np.int64], names: Sequence[str], nouns: str) -> Rows:
    """Return rows of how often each label (N,) was found to be which (N,); of many labels those most often mistaken."""
    table = confusion_matrix(labels, found, labels=range(len(names)))
    if len(names) <= MOST_LABELS:
        rows = tuple((name, *(str(n or "") for n in row)) for name, row in zip(names, table.tolist(), strict=True))
        return Rows(("true", *names), rows, "", tuple(range(1, len(names) + 1)))
    np.fill_diagonal(table, 0)
    most = np.argsort(-table, axis=None, kind="stable")[:MOST_LABELS]
    pairs = zip(*np.unravel_index(most, table.shape), strict=True)
    rows = tuple((names[a], names[b], str(table[a, b])) for a, b in pairs if table[a, b])
    return Rows(("true", "found", nouns), rows, "The most frequent confusions.", (2,))


def reliability(certainties: Scores, right: NDArray[np.float64], nouns: str) -> Rows:
    """Return rows of the share of right labels (N,) among examples of about one certainty (N,)."""
    rows = []
    for low, high in pairwise(BINS):
        here = (certainties >= low) & (certainties < high)
        if here.any():
            words = f"{low:.0%} to {min(high, 1):.0%}"
            rows.append((words, str(int(here.sum())), f"{certainties[here].mean():.0%}", f"{right[here].mean():.0%}"))
    heads = ("certainty", nouns, "mean certainty", "right")
    return Rows(heads, tuple(rows), "Each fold with the temperature that fits the others.", (1, 2, 3))
