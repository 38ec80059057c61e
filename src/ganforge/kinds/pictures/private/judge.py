"""How useful samples are: what a classifier that learned from them alone says of the private pictures.

Everything here but `flags` is post-processing: classifiers learn from samples. A flag depends on one record and on what
was released, so that a noisy count of flags has a known sensitivity.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from ganforge.core.seeds import generator_for, seed_for
from ganforge.kinds.pictures.private.coefficients import Coefficients
from ganforge.measures.judge import Trunk, prepare
from ganforge.measures.neighbours import nearest_with_index

LARGEST = 32  # pixels that are looked at
EPOCHS, BATCH, RATE = 3, 64, 2e-3
BLOCK = 2_000


class Classifier:
    """A small convolutional network that learned labels from samples (N, C, H, W) uint8 with labels (N,)."""

    def __init__(self, samples: NDArray[np.uint8], labels: NDArray[np.int64], classes: int, seed: int) -> None:
        random = generator_for(seed, "private/judge")
        x, y = prepare(samples, LARGEST), torch.from_numpy(labels)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(seed, "private/judge"))
            trunk = Trunk(*x.shape[1:])
            self._network = nn.Sequential(trunk, nn.Linear(trunk.last.out_features, classes))
        optimiser = torch.optim.Adam(self._network.parameters(), RATE)
        for _ in range(EPOCHS):
            for chosen in torch.split(torch.randperm(len(x), generator=random), BATCH):
                if len(chosen) < 2:  # batch norm needs two
                    continue
                optimiser.zero_grad()
                torch.autograd.backward(F.cross_entropy(self._network(x[chosen]), y[chosen]))
                optimiser.step()
        self._network.eval()

    @torch.no_grad()
    def labels_of(self, pictures: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the label (N,) that each picture has in its eyes."""
        found = [
            self._network(prepare(pictures[first : first + BLOCK], LARGEST)).argmax(1)
            for first in range(0, len(pictures), BLOCK)
        ]
        labels: NDArray[np.int64] = torch.cat(found).numpy()
        return labels


def nearest_mean(vectors: Coefficients, means: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the label (N,) whose released mean (L, D) is nearest."""
    distances = np.square(means).sum(1)[None] - 2 * vectors @ means.T
    nearest: NDArray[np.int64] = distances.argmin(1)
    return nearest


def reach_of(samples: Coefficients) -> float:
    """Return the median distance of a sample to the nearest other one: half of the samples have one within it."""
    half = len(samples) // 2
    distances, _ = nearest_with_index(samples[:half].astype(np.float32), samples[half:].astype(np.float32), k=1)
    return float(np.median(distances))


def reached(vectors: Coefficients, samples: Coefficients, reach: float) -> NDArray[np.bool_]:
    """Return which vectors (N,) have a sample within reach: half of them, if they are spread as the samples are."""
    half = samples[len(samples) // 2 :].astype(np.float32)
    distances, _ = nearest_with_index(vectors.astype(np.float32), half, k=1)
    near: NDArray[np.bool_] = distances[:, 0] <= reach
    return near
