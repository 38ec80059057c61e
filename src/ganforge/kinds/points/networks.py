"""Fully connected networks for points: few numbers per example, in clusters or on thin curves.

Two things make samples sharper than a plain network's (docs/log.md has the figures). The discriminator sees sines
and cosines of random projections beside the point itself, so that it resolves distances far below the whole extent
(Tancik et al. 2020, "Fourier features"). The generator turns some of its latents into signs, so that it can jump from
one cluster to another; a continuous function of a continuous latent connects any two clusters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganforge.errors import RecipeError
from ganforge.networks import PAIRS, Pairs
from ganforge.networks.mlp import MlpDiscriminator, MlpGenerator

FREQUENCIES = 32  # random projections
RADIANS = 2.0  # standard deviation of a projection of data of unit variance
SIGNS = 8  # latents of which only the sign counts


class FourierDiscriminator(nn.Module):
    """A fully connected discriminator of [x, sin(x P), cos(x P)], x (B, F)."""

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
    """A fully connected generator that takes the last SIGNS latents as their signs."""

    def __init__(self, latent_size: int, shape: tuple[int, ...], labels: int, width: int, depth: int) -> None:
        super().__init__()
        self.draw = MlpGenerator(latent_size, shape, labels, width, depth)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        smooth, jumps = latent[:, :-SIGNS], latent[:, -SIGNS:]
        x: Tensor = self.draw(torch.cat([smooth, jumps.sign()], dim=1), label)
        return x


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsPair:
    """The pair for points of unit variance. `latent_size` counts both kinds of latents and exceeds SIGNS.

    Raises: RecipeError for fewer latents.
    """

    shape: tuple[int, ...]  # (F,)
    labels: int = 0
    latent_size: int = 2 + SIGNS
    width: int = 128
    depth: int = 3

    def __post_init__(self) -> None:
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


POINT_PAIRS: Pairs = {"points": PointsPair, **PAIRS}
