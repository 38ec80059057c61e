"""Networks for enhancement: a residual on top of the bicubically enlarged input, and its discriminator.

All convolutions work at low resolution and the last one makes factor x factor pixels of each (sub-pixel convolution,
Shi et al. 2016); blocks are residual and without normalisation (Lim et al. 2017). If nothing is enlarged, the picture
is folded to half its sides first and unfolded last, at a quarter of the cost and twice the receptive field. The last
layer starts at zero: before its first step the network returns the bicubic enlargement.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.core.device import widened
from ganforge.networks.conv import SLOPE, halvings
from ganforge.recipe import Data, Network

FOLD = 2  # how far pictures are folded if nothing is enlarged
HALVINGS = 3  # of the discriminator: it judges patches of about 30 pixels


class Block(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.second(F.relu(self.first(x)))
        return x + changed


class Enhancer(nn.Module):
    """x (B, C, H, W) in about -1..1 -> (B, C, factor * H, factor * W).

    `reach` is in pixels of the input; H and W must be multiples of `multiple`.
    """

    def __init__(self, channels_in: int, channels_out: int, width: int, depth: int, factor: int) -> None:
        super().__init__()
        self.factor, self.fold = factor, FOLD if factor == 1 else 1
        self.multiple = self.fold
        convolutions = 2 * depth + 3
        self.reach = self.fold * convolutions + 2  # 2: of the bicubic enlargement
        grown = factor * self.fold
        self.first = nn.Conv2d(channels_in * self.fold**2, width, 3, padding=1)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(depth)))
        self.middle = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width, channels_out * grown**2, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]  # it has one

    def forward(self, x: Tensor) -> Tensor:
        folded = F.pixel_unshuffle(x, self.fold) if self.fold > 1 else x
        seen = self.first(folded.contiguous(memory_format=torch.channels_last))
        made = self.last(seen + self.middle(self.blocks(seen)))
        residual = widened(F.pixel_shuffle(made, self.factor * self.fold))
        return enlarged(x, self.factor) + residual


def enlarged(x: Tensor, factor: int) -> Tensor:
    """Enlarge bicubically (Keys 1981, a = -1/2), as the initial network does; x itself for factor 1."""
    if factor == 1:
        return x
    size = [factor * side for side in x.shape[-2:]]
    return F.interpolate(x, size, mode="bicubic", antialias=True)


def enhancer(network: Network, data: Data, factor: int, channels_in: int) -> Enhancer:
    """Build a network of a recipe's width and depth. Args: data.shape is (C, H, W) of one training example."""
    return Enhancer(channels_in, data.shape[0], network.need("width"), network.need("depth"), factor)


class Critic(nn.Module):
    """Patches (B, C, H, W) of any size from 8 on -> one score (B,): the mean of the scores of overlapping patches."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        widths = [width * 2**k for k in range(HALVINGS)]
        self.downward = halvings(channels, *widths)
        self.score = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        for layer in self.downward:
            x = F.leaky_relu(layer(x), SLOPE)
        scores: Tensor = self.score(x)
        return scores.mean((1, 2, 3))
