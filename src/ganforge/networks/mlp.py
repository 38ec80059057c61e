"""Fully connected networks: mlp, linear (the textbook's, one layer each) and points."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganforge.errors import RecipeError


def hidden_layers(inputs: int, width: int, depth: int) -> nn.Sequential:
    """`depth` layers of `width` with leaky rectifiers, initialised for them (He et al. 2015, equation 15).

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
    """x flattened -> hidden layers -> one score per label, of which the asked one counts (a projection head)."""

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
    """`depth` hidden layers of `width` in either network."""

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


# ---- points: few numbers per example, in clusters or on thin curves --------------------------------------------------
# Two things make them sharp where a plain network is blurred (docs/log.md has the figures). The discriminator sees
# sines and cosines of random projections beside the point itself, so that it can tell distances far below the whole
# extent (Tancik et al. 2020, "Fourier features"). The generator turns some of its latents into signs, so that it can
# jump from one cluster to another; a continuous function of a continuous latent must draw a bridge between any two.


FREQUENCIES = 32  # random projections
RADIANS = 2.0  # standard deviation of a projection of data of unit variance
SIGNS = 8  # latents of which only the sign counts


class FourierDiscriminator(nn.Module):
    """x (B, F) -> [x, sin(x P), cos(x P)] -> a fully connected discriminator."""

    projections: Tensor

    def __init__(self, features: int, labels: int, width: int, depth: int) -> None:
        super().__init__()
        projections = torch.randn(features, FREQUENCIES) * RADIANS * math.sqrt(2 / features)
        self.register_buffer("projections", projections)  # fixed, and stored with the weights
        self.judge = MlpDiscriminator(features + 2 * FREQUENCIES, labels, width, depth)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        angle = x @ self.projections  # (B, F) -> (B, FREQUENCIES)
        score: Tensor = self.judge(torch.cat([x, angle.sin(), angle.cos()], dim=1), label)
        return score


class JumpingGenerator(nn.Module):
    """The last SIGNS latents as their signs, the others as they are -> a fully connected generator."""

    def __init__(self, latent_size: int, shape: tuple[int, ...], labels: int, width: int, depth: int) -> None:
        super().__init__()
        self.draw = MlpGenerator(latent_size, shape, labels, width, depth)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        smooth, jumps = latent[:, :-SIGNS], latent[:, -SIGNS:]
        x: Tensor = self.draw(torch.cat([smooth, jumps.sign()], dim=1), label)
        return x


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsPair:
    """For data of unit variance. `latent_size` counts both kinds of latents and is larger than SIGNS.

    Raises: RecipeError for pictures, and for fewer latents.
    """

    shape: tuple[int, ...]  # (F,)
    labels: int = 0
    latent_size: int = 2 + SIGNS
    width: int = 128
    depth: int = 3

    def __post_init__(self) -> None:
        if len(self.shape) != 1:
            raise RecipeError(
                f"The network 'points' cannot be used for examples of shape {'x'.join(map(str, self.shape))}.",
                "It draws rows of numbers.",
                "Say --set network.name=conv for pictures, or mlp.",
            )
        if self.latent_size <= SIGNS:
            raise RecipeError(
                f"The network 'points' cannot be built with latent_size {self.latent_size}.",
                f"Of {SIGNS} latents only the sign counts, and it needs others besides.",
                f"Say --set network.latent_size={SIGNS + 1} or more.",
            )

    def generator(self) -> nn.Module:
        return JumpingGenerator(self.latent_size, self.shape, self.labels, self.width, self.depth)

    def discriminator(self) -> nn.Module:
        return FourierDiscriminator(math.prod(self.shape), self.labels, self.width, self.depth)
