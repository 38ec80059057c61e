"""Fully connected networks: mlp, and linear (one layer each)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganforge.errors import RecipeError


def hidden_layers(inputs: int, width: int, depth: int) -> nn.Sequential:
    """Build `depth` layers of `width` with leaky ReLU, initialised for it (He et al. 2015, equation 15).

    Raises: RecipeError for a depth of 0.
    """
    if depth < 1:
        raise RecipeError(
            f"A fully connected network of depth {depth} cannot be built.",
            "Depth is the number of its hidden layers.",
            "Say --set network.depth=1 or more, or --set network.name=linear for none.",
        )
    layers: list[nn.Module] = []
    for _ in range(depth):
        layer = nn.Linear(inputs, width)
        nn.init.kaiming_normal_(layer.weight, a=0.2)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.LeakyReLU(0.2, inplace=True)]
        inputs = width
    return nn.Sequential(*layers)


class MlpDiscriminator(nn.Module):
    """x flattened -> hidden layers -> one score per label, of which the requested one counts (a projection head)."""

    def __init__(self, features: int, labels: int, width: int, depth: int) -> None:
        super().__init__()
        self.hidden = hidden_layers(features, width, depth)
        self.score = nn.Linear(width, max(labels, 1))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        scores: Tensor = self.score(self.hidden(x.flatten(1)))  # (B, max(labels, 1))
        return scores[:, 0] if label is None else scores.gather(1, label[:, None])[:, 0]


class MlpGenerator(nn.Module):
    """Latent, and the label as one-hot -> hidden layers -> x, without a last nonlinearity."""

    def __init__(self, latent_size: int, shape: tuple[int, ...], labels: int, width: int, depth: int) -> None:
        super().__init__()
        self.shape, self.labels = shape, labels
        self.hidden = hidden_layers(latent_size + labels, width, depth)
        self.draw = nn.Linear(width, math.prod(shape))

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        if label is not None:
            latent = torch.cat([latent, nn.functional.one_hot(label, self.labels).to(latent.dtype)], dim=1)
        x: Tensor = self.draw(self.hidden(latent))  # (B, F)
        return x.view(-1, *self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class MlpPair:
    """A pair with `depth` hidden layers of `width` in either network."""

    shape: tuple[int, ...]
    labels: int = 0
    latent_size: int = 64
    width: int = 256
    depth: int = 3

    def generator(self) -> nn.Module:
        return MlpGenerator(self.latent_size, self.shape, self.labels, self.width, self.depth)

    def discriminator(self) -> nn.Module:
        return MlpDiscriminator(math.prod(self.shape), self.labels, self.width, self.depth)


# ---- linear: D(x) = sigmoid(W x + b) and G(z) = sigmoid(W z + b) -----------------------------------------------------


class LinearDiscriminator(nn.Module):
    """W x + b, the score BEFORE the sigmoid, because every objective here takes scores."""

    def __init__(self, features: int, labels: int) -> None:
        super().__init__()
        self.score = nn.Linear(features, max(labels, 1))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        scores: Tensor = self.score(x.flatten(1))  # (B, ...) -> (B, max(labels, 1))
        return scores[:, 0] if label is None else scores.gather(1, label[:, None])[:, 0]


class LinearGenerator(nn.Module):
    """sigmoid(W z + b), mapped from 0..1 to the -1..1 of ganforge's pictures."""

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
    """A pair of one layer each. With labels each label has its own row of weights."""

    shape: tuple[int, ...]
    labels: int = 0
    latent_size: int = 64

    def generator(self) -> nn.Module:
        return LinearGenerator(self.latent_size, self.shape, self.labels)

    def discriminator(self) -> nn.Module:
        return LinearDiscriminator(math.prod(self.shape), self.labels)
