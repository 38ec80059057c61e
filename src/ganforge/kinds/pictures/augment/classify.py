"""A game of one player: a small classifier, taught by plain backpropagation on pictures seen through small changes.

It measures what a labelled data set is worth: the same classifier, the same number of examples, other data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ganforge.contracts import Batch, Game, Loss, OptimiserSettings, Player, Schedule, Turn
from ganforge.core.seeds import seed_for
from ganforge.engine.fit import FitSettings, fit
from ganforge.kinds.pictures.networks.augmentation import augment, draw_changes
from ganforge.kinds.pictures.networks.resnet import SLOPE, lowest_size, pad_to_stages, stages_of
from ganforge.kinds.pictures.reading.feed import HALF

WIDTH, WIDEST = 24, 4  # channels at half the picture's size; at the lowest size at most so many times as many


class Classifier(nn.Module):
    """Pictures (B, C, H, W) in -1..1 -> logits (B, labels): halved by convolutions to 4 to 7 pixels, then linear."""

    def __init__(self, shape: tuple[int, int, int], labels: int) -> None:
        super().__init__()
        channels, height, width = shape
        widths = [WIDTH * min(2**k, WIDEST) for k in range(stages_of(height, width))]
        self.down = nn.ModuleList(
            nn.Conv2d(before, here, 4, stride=2, padding=1) for before, here in pairwise((channels, *widths))
        )
        self.logits = nn.Linear(widths[-1] * math.prod(lowest_size(height, width, len(widths))), labels)

    def forward(self, x: Tensor) -> Tensor:
        x = pad_to_stages(x, len(self.down))
        for layer in self.down:
            x = F.leaky_relu(layer(x), SLOPE)
        logits: Tensor = self.logits(x.flatten(1))
        return logits


BATCH, RATE = 64, 2e-3
EXAMPLES = 24_000  # shown to a classifier: enough for a few hundred pictures as for some thousands
CHANCE = 0.5  # with which each kind of classical change is made to a picture: shift, zoom, turn, brightness, contrast
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Labelled:
    """Pictures uint8 (N, C, H, W) with labels (N,), as examples (contracts.Feed)."""

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]

    @property
    def resident(self) -> bool:
        """Whether all examples live on the training device (contracts.Feed)."""
        return False

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, indices: Tensor) -> Batch:
        """x (B, C, H, W) in -1..1, label (B,)."""
        places = indices.numpy()
        x = torch.from_numpy(self.pictures[places]).float().sub_(HALF).div_(HALF)
        return {"x": x.contiguous(memory_format=torch.channels_last), "label": torch.from_numpy(self.labels[places])}

    def raw(self, first: int, last: int) -> Batch:
        """The pictures and labels first..last-1."""
        return {
            "pixels": torch.from_numpy(self.pictures[first:last]),
            "label": torch.from_numpy(self.labels[first:last]),
        }

    def with_more(self, other: Labelled) -> Labelled:
        """Both, one after the other."""
        return Labelled(np.concatenate([self.pictures, other.pictures]), np.concatenate([self.labels, other.labels]))


def accuracy_after_learning(train: Labelled, held_out: Labelled, labels: int, *, seed: int, examples: int) -> float:
    """Share 0..1 of held-out pictures whose label a fresh classifier reads rightly, after learning from `train`.

    A function of its arguments, to the bit, with the same number of threads.
    """
    shape = train.pictures.shape[1:]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "classifier"))
        network = Classifier((shape[0], shape[1], shape[2]), labels)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss(turn: Turn) -> Loss:
        x, label = turn.batch["x"], turn.batch["label"]
        changes = draw_changes(len(x), CHANCE, turn.random)
        classical = replace(changes, cut=torch.zeros_like(changes.cut), saturation=torch.ones_like(changes.turn))
        return Loss({"cross_entropy": F.cross_entropy(network(augment(x, classical)), label, reduction="none")})

    steps = OptimiserSettings(Schedule(RATE, 0.0), beta1=0.9, beta2=0.99)
    game = Game((Player("classifier", network, loss, steps),), product="classifier")
    batch = min(BATCH, len(train))
    settings = FitSettings(
        seed=seed, batch_size=batch, length_examples=examples, half_life_examples=0.02 * examples,
        record_every_steps=max(1, examples // batch // 4),
    )  # fmt: skip
    product = fit(game, train, settings).product
    right = 0
    with torch.no_grad():
        for first in range(0, len(held_out), AT_ONCE):
            batch_of = held_out.batch(torch.arange(first, min(first + AT_ONCE, len(held_out))))
            right += int((product(batch_of["x"]).argmax(1) == batch_of["label"]).sum())
    return right / len(held_out)
