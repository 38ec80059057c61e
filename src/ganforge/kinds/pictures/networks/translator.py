"""The pair for translating pictures: a generator that changes its input, and a patch discriminator.

The generator is a U-Net (Ronneberger et al. 2015; as a generator: Isola et al. 2017, pix2pix) whose result is its input
plus a change, and whose last layer is zero at the start: it begins as the identity. Full resolution is
never convolved: blocks of 2x2 pixels become channels. Nothing is normalised over a picture or a batch, so that a part
of a picture gives the same result as the whole, and real and fake may share one pass.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.networks.conv import SLOPE, bounded, halvings, pad_to_stages
from ganforge.recipe import Data, Network

FEATURES = 64  # of a patch, in contrastive translation
PATCHES_ACROSS = 3  # about so many discriminator patches fit side by side in a picture
WIDEST = 3  # most doublings of a discriminator's width
STAGES = 3  # halvings of height and width at the U-Net's bottleneck
MULTIPLE = 2**STAGES  # pixels


class _Residual(nn.Module):
    """x plus two 3x3 convolutions, the last of which is zero at the start."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.last = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.last(F.leaky_relu(self.first(F.leaky_relu(x, SLOPE)), SLOPE))
        return x + change


class TranslatorGenerator(nn.Module):
    """Pictures (B, C, H, W) in -1..1 -> pictures of the same shape."""

    factor = 1
    multiple = MULTIPLE

    def __init__(self, channels: int, width: int, depth: int) -> None:
        """Args: channels C; width the channels at half resolution; depth the residual blocks at the bottleneck."""
        super().__init__()
        self.enter = nn.Conv2d(4 * channels, width, 3, padding=1)
        self.down = halvings(width, 2 * width, 4 * width)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(width * 2 ** (k + 1), width * 2**k, 4, stride=2, padding=1) for k in (1, 0)
        )
        self.before = nn.ModuleList(_Residual(width * 2**k) for k in (0, 1))
        self.narrow = nn.ModuleList(_Residual(4 * width) for _ in range(depth))
        self.after = nn.ModuleList(_Residual(width * 2**k) for k in (1, 0))
        self.leave = nn.Conv2d(width, 4 * channels, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # type: ignore[arg-type]
        # Pixels per step of each layer times its reach in steps: at 1/2, 1/4, 1/8, and back.
        self.reach = 2 * (1 + 2) + 4 * (1 + 2) + 8 * (1 + 2 * depth) + 8 * 1 + 4 * (2 + 1) + 2 * (2 + 1)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return features at 1/2, 1/4 and 1/8 of the resolution: (B, width 2^k, H / 2^(k+1), W / 2^(k+1))."""
        half = self.before[0](self.enter(F.pixel_unshuffle(x, 2)))
        quarter = self.before[1](self.down[0](F.leaky_relu(half, SLOPE)))
        eighth = self.down[1](F.leaky_relu(quarter, SLOPE))
        for block in self.narrow:
            eighth = block(eighth)
        return half, quarter, eighth

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        x = padded(x)
        half, quarter, eighth = self.encode(x)
        quarter = self.after[0](quarter + self.up[0](F.leaky_relu(eighth, SLOPE)))
        half = self.after[1](half + self.up[1](F.leaky_relu(quarter, SLOPE)))
        change = F.pixel_shuffle(self.leave(F.leaky_relu(half, SLOPE)), 2)
        return bounded(x + change)[:, :, :height, :width]


class MirrorAveraged(nn.Module):
    """The mean of the results of a picture and of its mirror image, mirrored back: the errors of the two differ.

    Source: Timofte, Rothe and Van Gool 2016, "Seven ways to improve example-based single image super resolution",
    section 3.6, of whose eight views these are the two without turns.
    """

    def __init__(self, network: TranslatorGenerator) -> None:
        super().__init__()
        self.network = network
        self.factor, self.multiple, self.reach = network.factor, network.multiple, network.reach

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        x = padded(x)  # first, so that the blocks of pixels are the same from both sides
        both: Tensor = (self.network(x) + self.network(x.flip(3)).flip(3)) / 2
        return both[:, :, :height, :width]


class PatchDiscriminator(nn.Module):
    """Pictures (B, C, H, W) -> (B,): the mean of the scores of overlapping patches (pix2pix, section 3.2.2).

    It sees only a patch at a time, and never the input: it can learn a style, but cannot memorise pictures
    (docs/log.md).
    """

    def __init__(self, channels: int, width: int, levels: int) -> None:
        """Args: levels, each halves the resolution; a patch has 3 * 2^levels - 2 pixels a side."""
        super().__init__()
        widths = [channels, *(width * 2 ** min(level, WIDEST) for level in range(levels))]
        self.down = halvings(*widths)
        self.score = nn.Conv2d(widths[-1], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.down:
            x = F.leaky_relu(layer(x), SLOPE)
        patches: Tensor = self.score(x)
        return patches.flatten(1).mean(1)


class PatchFeatures(nn.Module):
    """The head of contrastive translation (Park et al. 2020, CUT, section 3): encoded patches -> points on a sphere."""

    def __init__(self, width: int) -> None:
        """Args: width of the generator whose features it takes."""
        super().__init__()
        self.first = nn.ModuleList(nn.Linear(width * 2**k, FEATURES) for k in range(3))
        self.last = nn.ModuleList(nn.Linear(FEATURES, FEATURES) for _ in range(3))

    def forward(self, level: int, patches: Tensor) -> Tensor:
        """Args: level 0..2, the half, quarter or eighth; patches (B, P, width 2^level). Returns: (B, P, FEATURES)."""
        return F.normalize(self.last[level](F.relu(self.first[level](patches))), dim=2)


def padded(x: Tensor) -> Tensor:
    """Pad pictures (B, C, H, W) by repeating the last row and column until both sides are divisible by MULTIPLE."""
    return pad_to_stages(x, STAGES)


def translator(network: Network, data: Data) -> TranslatorGenerator:
    """Build the generator of a recipe."""
    return TranslatorGenerator(data.shape[0], network.need("width"), network.need("depth"))


def patch_discriminator(network: Network, data: Data) -> nn.Module:
    """Build a discriminator of patches of about a third of the side: 10 pixels of 32, 22 of 64, 94 of 256."""
    channels, *sides = data.shape
    levels = round(math.log2((min(sides) / PATCHES_ACROSS + 2) / 3))
    return PatchDiscriminator(channels, network.need("width"), max(1, levels))
