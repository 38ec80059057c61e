"""From a picture back to the latent that a generator would draw it from, guessed in one pass."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.kinds.pictures.networks.resnet import SLOPE, lowest_size, pad_to_stages, stages_of

WIDEST = 4  # channels at the lowest size are at most this many times `width`
HIDDEN = 256


class Encoder(nn.Module):
    """Picture (B, C, H, W) in -1..1 (and label (B,)) -> latent (B, Z).

    The label enters before the last layer but one: the same strokes are another latent under another label.
    """

    def __init__(self, shape: tuple[int, ...], latent_size: int, labels: int, width: int) -> None:
        """Args: shape (C, H, W); labels how many there are, 0 for none; width channels at half the picture's size."""
        super().__init__()
        channels, height, size = shape
        widths = [width * min(2**k, WIDEST) for k in range(stages_of(height, size))]
        self.downward = nn.ModuleList(
            nn.Conv2d(before, here, 4, stride=2, padding=1)
            for before, here in zip((channels, *widths), widths, strict=False)
        )
        self.gather = nn.Linear(widths[-1] * math.prod(lowest_size(height, size, len(widths))), HIDDEN)
        self.embed = nn.Embedding(labels, HIDDEN) if labels else None
        self.mix = nn.Linear(HIDDEN, HIDDEN)
        self.latent = nn.Linear(HIDDEN, latent_size)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        x = pad_to_stages(x, len(self.downward))
        for layer in self.downward:
            x = F.leaky_relu(layer(x), SLOPE)
        hidden = self.gather(x.flatten(1))
        if self.embed is not None and label is not None:
            hidden = hidden + self.embed(label)
        hidden = F.leaky_relu(self.mix(F.leaky_relu(hidden, SLOPE)), SLOPE)
        latent: Tensor = self.latent(hidden)
        return latent


def build_encoder(shape: tuple[int, ...], latent_size: int, labels: int, width: int, seed: int) -> Encoder:
    """A fresh encoder that depends on its arguments alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # torch's initialisers take no generator
        return Encoder(shape, latent_size, labels, width)
