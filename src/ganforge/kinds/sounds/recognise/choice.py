"""The choice among methods by cross-validation on the labelled sounds alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from ganforge.kinds.sounds.generate.grid import Levels
from ganforge.kinds.sounds.recognise.game import FULL, LINEAR, METHODS, Recogniser
from ganforge.kinds.sounds.recognise.labelled import EVERY, Labelled
from ganforge.kinds.sounds.recognise.networks import Linear, summary_of
from ganforge.measures.classification import Crossed, Scores

AT_ONCE = 256  # sounds in one pass
INVERSE_PENALTY = 0.1  # of the linear model: best of .01 to 10 on spoken digits


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
    return Crossed(scores, found.labels[places], found.folds[places])


def choose(found: Crossed) -> str:
    """Return the method of the highest accuracy; of equal ones the simpler."""
    return max(found.scores, key=lambda method: (found.right(method).mean(), -METHODS.index(method)))
