"""The choice among methods by cross-validation on the labelled sounds alone, and how sure the chosen one is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from ganforge.core.seeds import seed_for
from ganforge.kinds.sounds.generate.grid import Levels
from ganforge.kinds.sounds.recognise.game import FULL, LINEAR, METHODS, Recogniser
from ganforge.kinds.sounds.recognise.labelled import EVERY, Labelled
from ganforge.kinds.sounds.recognise.networks import Linear, summary_of
from ganforge.measures.intervals import Estimate, mean_by_bootstrap, of_share

AT_ONCE = 256  # sounds in one pass
INVERSE_PENALTY = 0.1  # of the linear model: best of .01 to 10 on spoken digits
COLDEST, HOTTEST = 0.05, 20.0  # temperatures
Scores = NDArray[np.float64]  # (N, K)


@torch.no_grad()
def scores_of(network: Callable[[Tensor], Tensor], levels: Levels, device: torch.device) -> Scores:
    """Return what a network on a device says of levels 0..255 (N, 1, M, frames), taken as 0..1."""
    parts = [
        network(torch.from_numpy(np.array(levels[first : first + AT_ONCE])).to(device) / FULL)
        for first in range(0, len(levels), AT_ONCE)
    ]
    scores: Scores = torch.cat(parts).double().cpu().numpy()
    return scores


@torch.no_grad()
def fit_linear(product: Recogniser, found: Labelled) -> None:
    """Fit the linear models, of all labels and of each fold's others. Every sound tells the scale of the features."""
    every = scores_of(summary_of, np.concatenate([found.levels, found.others]), torch.device("cpu"))
    mean, scale = every.mean(0), every.std(0).clip(1e-3)
    known = (every[: len(found.levels)] - mean) / scale
    for member, model in enumerate(product.of(LINEAR)):
        assert isinstance(model, Linear)
        seen = found.folds != member - 1 if member else np.ones(len(known), bool)
        fitted = LogisticRegression(C=INVERSE_PENALTY, max_iter=1000).fit(known[seen], found.labels[seen])
        weight, bias = fitted.coef_, fitted.intercept_
        if len(weight) == 1:  # of two labels scikit-learn tells the second one's alone
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        for buffer, values in ((model.mean, mean), (model.scale, scale), (model.weight, weight), (model.bias, bias)):
            buffer.copy_(torch.from_numpy(values))


@dataclass(frozen=True, slots=True)
class Crossed:
    """What networks say of labelled sounds that they did not learn from."""

    scores: Mapping[str, Scores]  # method -> (n, K)
    labels: NDArray[np.int64]  # (n,)
    folds: NDArray[np.int64]  # (n,)
    places: NDArray[np.int64]  # (n,) among the labelled sounds

    def right(self, method: str) -> NDArray[np.float64]:
        """Return 1 for each sound whose label was found, else 0 (n,)."""
        found: NDArray[np.float64] = (self.scores[method].argmax(1) == self.labels).astype(np.float64)
        return found

    def accuracy(self, method: str) -> Estimate:
        """Return the share of labels that were found, with its interval over sounds."""
        right = self.right(method)
        return of_share(int(right.sum()), len(right))

    def gain(self, method: str, over: str) -> Estimate:
        """Return the difference of two accuracies, with its interval over pairs."""
        random = np.random.default_rng(seed_for(0, "recognise/bootstrap"))
        return mean_by_bootstrap(self.right(method) - self.right(over), random)

    def certainties(self, method: str) -> Scores:
        """Return certainties (n, K), each fold's with the temperature that fits the other folds."""
        found = np.zeros_like(self.scores[method])
        for fold in np.unique(self.folds):
            own = self.folds == fold
            rest = ~own if (~own).any() else own
            found[own] = softmax(
                self.scores[method][own] / temperature_of(self.scores[method][rest], self.labels[rest])
            )
        return found


def crossed(product: Recogniser, found: Labelled, methods: Sequence[str] | None = None) -> Crossed | None:
    """Recognise each labelled sound with the networks that never saw its label; None where every sound was learned."""
    places = np.flatnonzero(found.folds != EVERY)
    if not len(places):
        return None
    scores: dict[str, Scores] = {}
    for method in methods or product.methods:
        own = np.zeros((len(places), len(found.names)))
        for fold in np.unique(found.folds[places]):
            here = found.folds[places] == fold
            own[here] = scores_of(product.of(method)[int(fold) + 1], found.levels[places[here]], product.device)
        scores[method] = own
    return Crossed(scores, found.labels[places], found.folds[places], places)


def choose(found: Crossed) -> str:
    """Return the method of the highest accuracy; of equal ones the simpler."""
    return max(found.scores, key=lambda method: (found.right(method).mean(), -METHODS.index(method)))


def temperature_of(scores: Scores, labels: NDArray[np.int64]) -> float:
    """Return the temperature that makes certainties most likely (Guo et al. 2017)."""
    rows = np.arange(len(labels))

    def loss(logarithm: float) -> float:
        return float(-np.log(softmax(scores / np.exp(logarithm))[rows, labels].clip(1e-12)).mean())

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x))


def softmax(scores: Scores) -> Scores:
    """Return certainties (N, K) that add up to 1."""
    shifted: Scores = np.exp(scores - scores.max(1, keepdims=True))
    shifted /= shifted.sum(1, keepdims=True)
    return shifted
