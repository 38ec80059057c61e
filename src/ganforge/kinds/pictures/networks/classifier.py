"""A small classifier of pictures: what a data set is worth is what it learns from it."""

from __future__ import annotations

import math
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.kinds.pictures.networks.resnet import SLOPE, lowest_size, pad_to_stages, stages_of

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
