"""The textbook's networks: one layer each, D(x) = sigmoid(W x + b) and G(z) = sigmoid(W z + b)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn


class LinearDiscriminator(nn.Module):
    """W x + b: the score BEFORE the textbook's sigmoid, because every objective here is written from scores."""

    def __init__(self, features: int, labels: int) -> None:
        super().__init__()
        self.score = nn.Linear(features, max(labels, 1))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        scores: Tensor = self.score(x.flatten(1))  # (B, ...) -> (B, max(labels, 1))
        return scores[:, 0] if label is None else scores.gather(1, label[:, None])[:, 0]


class LinearGenerator(nn.Module):
    """sigmoid(W z + b), moved from 0..1 to the -1..1 of ganforge's pictures."""

    def __init__(self, latent_size: int, shape: tuple[int, ...], labels: int) -> None:
        super().__init__()
        self.shape = shape
        self.draw = nn.Linear(latent_size + labels, math.prod(shape))
        self.labels = labels

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        if label is not None:
            latent = torch.cat([latent, nn.functional.one_hot(label, self.labels).to(latent.dtype)], dim=1)
        x: Tensor = 2.0 * torch.sigmoid(self.draw(latent)) - 1.0
        return x.view(-1, *self.shape)  # (B, F) -> (B, ...)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearPair:
    """One layer each. With labels each label has its own row of weights."""

    shape: tuple[int, ...]
    labels: int = 0
    latent_size: int = 64

    def generator(self) -> nn.Module:
        return LinearGenerator(self.latent_size, self.shape, self.labels)

    def discriminator(self) -> nn.Module:
        return LinearDiscriminator(math.prod(self.shape), self.labels)
