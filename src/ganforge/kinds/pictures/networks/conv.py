"""The default pair for pictures on a processor: few, cheap convolutions, and no wide one at full resolution.

The discriminator halves the picture with 4x4 convolutions until 4 to 7 pixels are left; the generator mirrors it.
No normalisation and no layer that ties the examples of a batch together, so that real and fake may share one pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.kinds.pictures.networks.output import bounded
from ganforge.kinds.pictures.networks.resnet import (
    SLOPE,
    crop,
    lowest_size,
    pad_to_stages,
    refuse_what_is_no_picture,
    stages_of,
)

WIDEST = 4  # channels at the lowest size are at most this many times `width`


class ConvGenerator(nn.Module):
    """Latent (and label) -> linear -> lowest size -> doubled by 4x4 transposed convolutions -> picture."""

    def __init__(self, pair: ConvPair) -> None:
        super().__init__()
        channels, height, width = pair.shape
        widths = pair.widths()[::-1]  # lowest size first
        self.size = (height, width)
        self.lowest = (widths[0], *lowest_size(height, width, len(widths)))
        self.embed = nn.Embedding(pair.labels, pair.latent_size) if pair.labels else None
        self.start = nn.Linear(pair.latent_size * (2 if pair.labels else 1), math.prod(self.lowest))
        outputs = (*widths[1:], channels)
        self.upward = nn.ModuleList(
            nn.ConvTranspose2d(here, after, 4, stride=2, padding=1) for here, after in zip(widths, outputs, strict=True)
        )

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        if self.embed is not None and label is not None:
            latent = torch.cat([latent, self.embed(label)], dim=1)
        x: Tensor = self.start(latent).view(-1, *self.lowest)  # (B, 2Z) -> (B, widths[0], h, w)
        x = x.contiguous(memory_format=torch.channels_last)
        for layer in self.upward:
            x = layer(F.leaky_relu(x, SLOPE))
        return bounded(crop(x, *self.size))


class ConvDiscriminator(nn.Module):
    """Picture -> halved by 4x4 convolutions -> linear: one score per label, of which the asked one counts."""

    def __init__(self, pair: ConvPair) -> None:
        super().__init__()
        channels, height, width = pair.shape
        widths = pair.widths()
        self.downward = nn.ModuleList(
            nn.Conv2d(before, here, 4, stride=2, padding=1)
            for before, here in zip((channels, *widths), widths, strict=False)
        )
        lowest = lowest_size(height, width, len(widths))
        self.score = nn.Linear(widths[-1] * math.prod(lowest), max(pair.labels, 1))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        x = pad_to_stages(x, len(self.downward))
        for layer in self.downward:
            x = F.leaky_relu(layer(x), SLOPE)
        scores: Tensor = self.score(x.flatten(1))  # (B, max(labels, 1))
        return scores[:, 0] if label is None else scores.gather(1, label[:, None])[:, 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvPair:
    """`width` is the number of channels at half the picture's size; doubled with each halving, up to WIDEST.

    Raises: RecipeError for what is no picture.
    """

    shape: tuple[int, ...]  # (C, H, W)
    labels: int = 0
    latent_size: int = 64
    width: int = 32

    def __post_init__(self) -> None:
        refuse_what_is_no_picture("conv", self.shape)

    def widths(self) -> tuple[int, ...]:
        """Channels after each halving, highest size first."""
        _, height, width = self.shape
        return tuple(self.width * min(2**k, WIDEST) for k in range(stages_of(height, width)))

    def generator(self) -> nn.Module:
        return ConvGenerator(self)

    def discriminator(self) -> nn.Module:
        return ConvDiscriminator(self)
