"""The default pair for examples on a grid, such as pictures, on a CPU, and parts shared by convolutional networks.

The pair has few, cheap convolutions, and no wide one at full resolution.

The discriminator halves the picture with 4x4 convolutions until 4 to 7 pixels are left; the generator mirrors it.
No normalisation and no layer that couples the examples of a batch, so that real and fake may share one pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2  # of the leaky rectifier for negative inputs
WIDEST = 4  # channels at the lowest size are at most this many times `width`


# ---- shared ----------------------------------------------------------------------------------------------------------


def stages_of(height: int, width: int, smallest: int = 4) -> int:
    """Return the number of halvings: until the shorter side is below 2 * `smallest`, but at least two."""
    return max(2, int(math.log2(min(height, width) / smallest)))


def lowest_size(height: int, width: int, stages: int) -> tuple[int, int]:
    """Return height and width after `stages` halvings, rounded up: generators start here and crop at the end."""
    return -(-height // 2**stages), -(-width // 2**stages)


def crop(x: Tensor, height: int, width: int) -> Tensor:
    """Crop to the top left part (B, C, height, width); the rest exists only because stages double."""
    return x[..., :height, :width]


def pad_to_stages(x: Tensor, stages: int) -> Tensor:
    """Pad (B, C, H, W) at the bottom and right by repeating its edge, to allow `stages` halvings."""
    multiple = 2**stages
    bottom, right = -x.shape[-2] % multiple, -x.shape[-1] % multiple
    return F.pad(x, (0, right, 0, bottom), mode="replicate") if bottom or right else x


def halvings(*widths: int) -> nn.ModuleList:
    """Build 4x4 convolutions that each halve height and width. Args: widths the channels before, between and after."""
    return nn.ModuleList(nn.Conv2d(before, after, 4, stride=2, padding=1) for before, after in pairwise(widths))


class Bounded(torch.autograd.Function):
    """Clipping to -1..1 whose gradient passes wherever it leads back inside, as in projected gradient descent.

    Plain clipping would stop the gradient of a value outside for good. tanh never reaches the white and black common
    in pictures, which the discriminator learns to detect: on MNIST, Frechet distance 52 without
    a bound, 17 with tanh, 10.5 with this, after 150,000 pictures shown (docs/log.md).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.to(torch.promote_types(x.dtype, torch.float32)).clamp(-1.0, 1.0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        outward = ((x > 1.0) & (gradient < 0)) | ((x < -1.0) & (gradient > 0))  # a descent step would go further out
        return gradient.masked_fill(outward, 0.0).to(x.dtype)


def bounded(x: Tensor) -> Tensor:
    """Clip x (B, C, H, W) to -1..1, in float32 at least: values outside are not pictures."""
    picture: Tensor = Bounded.apply(x)  # type: ignore[no-untyped-call]
    return picture


# ---- the pair --------------------------------------------------------------------------------------------------------


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
    """Picture -> halved by 4x4 convolutions -> linear: one score per label, of which the requested one counts."""

    def __init__(self, pair: ConvPair) -> None:
        super().__init__()
        channels, height, width = pair.shape
        widths = pair.widths()
        self.downward = halvings(channels, *widths)
        lowest = lowest_size(height, width, len(widths))
        self.score = nn.Linear(widths[-1] * math.prod(lowest), max(pair.labels, 1))

    def scores(self, x: Tensor) -> Tensor:
        """Picture (B, C, H, W) -> (B, max(labels, 1))."""
        x = pad_to_stages(x, len(self.downward))
        for layer in self.downward:
            x = F.leaky_relu(layer(x), SLOPE)
        scores: Tensor = self.score(x.flatten(1))
        return scores

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        scores = self.scores(x)
        return scores[:, 0] if label is None else scores.gather(1, label[:, None])[:, 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvPair:
    """A pair with `width` channels at half the picture's size, doubled with each halving, up to WIDEST."""

    shape: tuple[int, ...]  # (C, H, W)
    labels: int = 0
    latent_size: int = 64
    width: int = 32

    def widths(self) -> tuple[int, ...]:
        """Return the channels after each halving, highest size first."""
        _, height, width = self.shape
        return tuple(self.width * min(2**k, WIDEST) for k in range(stages_of(height, width)))

    def generator(self) -> nn.Module:
        return ConvGenerator(self)

    def discriminator(self) -> nn.Module:
        return ConvDiscriminator(self)
