"""A mixture of Gaussians as a generator: latent and label in, picture out. Its numbers are released ones alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganforge.kinds.pictures.private.coefficients import basis
from ganforge.kinds.pictures.private.mixture import Mixture


class MixtureGenerator(nn.Module):
    """Latent (B, 1 + R): the first number chooses a centre by its normal quantile, the others move away from it."""

    def __init__(self, shape: tuple[int, ...], labels: int, components: int, directions: int, kept: int) -> None:
        super().__init__()
        channels, height, width = shape
        self.shape = (channels, min(kept, height), min(kept, width))
        size, known = math.prod(self.shape), max(labels, 1)
        self.centres = nn.Parameter(torch.zeros(known, components, size), requires_grad=False)
        self.factors = nn.Parameter(torch.zeros(known, size, directions), requires_grad=False)
        self.shares = nn.Parameter(torch.ones(known, components), requires_grad=False)  # of centres, by noisy counts
        self.register_buffer("rows", torch.from_numpy(basis(height, self.shape[1])).float(), persistent=False)
        self.register_buffer("columns", torch.from_numpy(basis(width, self.shape[2])).float(), persistent=False)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        if label is None:
            label = latent.new_zeros(len(latent), dtype=torch.int64)
        place = torch.special.ndtr(latent[:, 0])[:, None]  # (B, 1) in 0..1
        ends = self.shares.cumsum(1) / self.shares.sum(1, keepdim=True)
        chosen = (place > ends[label][:, :-1]).sum(1)  # (B,)
        away = torch.einsum("bdr,br->bd", self.factors[label], latent[:, 1:])
        found = (self.centres[label, chosen] + away).view(-1, *self.shape)  # (B, C, K, K)
        pictures = torch.einsum("bckl,kh,lw->bchw", found, self.rows, self.columns)
        return pictures.clamp(0, 1) * 2 - 1


def generator_of(mixture: Mixture, shape: tuple[int, ...], labels: int, kept: int) -> MixtureGenerator:
    """Return the generator of a released mixture. Args: shape (C, H, W); labels 0 without any; kept coefficients."""
    _, components, _ = mixture.centres.shape
    made = MixtureGenerator(shape, labels, components, mixture.factors.shape[2], kept)
    shares = mixture.counts / mixture.counts.sum()
    for parameter, value in ((made.centres, mixture.centres), (made.factors, mixture.factors), (made.shares, shares)):
        parameter.copy_(torch.from_numpy(value))
    return made.eval()


@dataclass(frozen=True, slots=True, kw_only=True)
class MixturePair:
    """The network `mixture`, as a recipe names it: `width` centres of each label, `depth` coefficients a side."""

    shape: tuple[int, ...]
    labels: int = 0
    latent_size: int
    width: int
    depth: int

    def generator(self) -> nn.Module:
        return MixtureGenerator(self.shape, self.labels, self.width, self.latent_size - 1, self.depth)

    def discriminator(self) -> nn.Module:
        raise RuntimeError("a release has no discriminator")
