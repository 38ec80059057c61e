"""A residual pair after R3GAN: no normalisation, no attention, bilinear resampling, started as the identity.

Resampling is one kernel each way: torch's bilinear doubling, and the mean of 2x2, which is bilinear halving. Written
as depthwise convolutions with the kernel [1, 3, 3, 1] they give the same numbers and are slower on a CPU
(docs/log.md; benchmarks/gpu_r3gan.py has both for a GPU).

Source: Huang et al. 2024, section 3.4 and appendix; the start is Fixup (Zhang et al. 2019): the last layer of each
block begins at zero, the others are scaled by the number of blocks to the power -1/4.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.errors import RecipeError
from ganforge.networks.conv import (
    SLOPE,
    bounded,
    crop,
    lowest_size,
    pad_to_stages,
    stages_of,
)

EXPANSION = 2  # inner channels of a block over its outer ones
GROUP = 16  # channels in one group of a block's 3x3 convolution
STEP = GROUP // EXPANSION  # channels are a multiple of this, so that a block's inner ones fill whole groups


class Block(nn.Module):
    """x + narrow(activate(3x3 within groups(activate(widen(x))))) on (B, channels, H, W)."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        inner = EXPANSION * channels
        self.widen = nn.Conv2d(channels, inner, 1)
        self.mix = nn.Conv2d(inner, inner, 3, padding=1, groups=inner // GROUP)
        self.narrow = nn.Conv2d(inner, channels, 1, bias=False)
        for layer in (self.widen, self.mix):
            scaled_normal(layer, gain=math.sqrt(2 / (1 + SLOPE**2)) * blocks**-0.25)
        nn.init.zeros_(self.narrow.weight)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.leaky_relu(self.widen(x), SLOPE)
        narrowed: Tensor = self.narrow(F.leaky_relu(self.mix(inner), SLOPE))
        return x + narrowed


def scaled_normal(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> None:
    """Initialise weights from N(0, gain^2 / fan_in), biases with zero."""
    fan_in = layer.weight[0].numel()
    nn.init.normal_(layer.weight, std=gain / math.sqrt(fan_in))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _stages(widths: tuple[int, ...], depth: int) -> tuple[nn.ModuleList, nn.ModuleList]:
    """Return the blocks at each resolution, and the changes of the number of channels between them.

    A change is a 1x1 convolution without bias. It commutes with resampling, so it is placed on the side with
    fewer pixels: before doubling, after halving.
    """
    stages, changes = nn.ModuleList(), nn.ModuleList()
    for width in widths:
        stages.append(nn.Sequential(*(Block(width, depth * len(widths)) for _ in range(depth))))
    for here, after in itertools.pairwise(widths):
        change = nn.Conv2d(here, after, 1, bias=False) if here != after else nn.Identity()
        if isinstance(change, nn.Conv2d):
            scaled_normal(change)
        changes.append(change)
    return stages, changes


class ResnetGenerator(nn.Module):
    """Latent (and label) -> a learned basis at the lowest size -> blocks, doubled stage by stage -> picture."""

    def __init__(self, pair: ResnetPair) -> None:
        super().__init__()
        channels, height, width = pair.shape
        widths = pair.widths()  # lowest size first
        self.size = (height, width)
        lowest = lowest_size(height, width, len(widths) - 1)
        self.embed = nn.Embedding(pair.labels, pair.latent_size) if pair.labels else None
        inputs = pair.latent_size * (2 if pair.labels else 1)
        self.basis = nn.Parameter(torch.randn(1, widths[0], *lowest))
        self.weigh = nn.Linear(inputs, widths[0], bias=False)
        scaled_normal(self.weigh)
        self.stages, self.changes = _stages(widths, pair.depth)
        self.picture = nn.Conv2d(widths[-1], channels, 1)
        scaled_normal(self.picture, gain=0.5)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        if self.embed is not None and label is not None:
            latent = torch.cat([latent, self.embed(label)], dim=1)
        weights: Tensor = self.weigh(latent)[:, :, None, None]
        # In the weights' precision: a sum with float32 would stay float32, at every resolution.
        x = self.basis.to(weights.dtype) * weights  # (B, widths[0], h, w)
        x = x.contiguous(memory_format=torch.channels_last)
        x = self.stages[0](x)
        for change, stage in zip(self.changes, self.stages[1:], strict=True):
            x = stage(F.interpolate(change(x), scale_factor=2, mode="bilinear", align_corners=False))
        return bounded(crop(self.picture(x), *self.size))


class ResnetDiscriminator(nn.Module):
    """Picture -> blocks, halved stage by stage -> one vector, projected on the label's (Miyato and Koyama 2018)."""

    def __init__(self, pair: ResnetPair) -> None:
        super().__init__()
        channels, height, width = pair.shape
        widths = pair.widths()[::-1]  # highest size first
        self.picture = nn.Conv2d(channels, widths[0], 1)
        scaled_normal(self.picture)
        self.stages, self.changes = _stages(widths, pair.depth)
        lowest = lowest_size(height, width, len(self.changes))
        self.gather = nn.Conv2d(widths[-1], widths[-1], lowest, groups=widths[-1], bias=False)  # depthwise, to 1x1
        scaled_normal(self.gather)
        self.score = nn.Linear(widths[-1], max(pair.labels, 1))
        scaled_normal(self.score)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        x = self.stages[0](self.picture(pad_to_stages(x, len(self.changes))))
        for change, stage in zip(self.changes, self.stages[1:], strict=True):
            x = stage(change(F.avg_pool2d(x, 2)))
        scores: Tensor = self.score(self.gather(x).flatten(1))  # (B, max(labels, 1))
        return scores[:, 0] if label is None else scores.gather(1, label[:, None])[:, 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResnetPair:
    """A pair of residual stages from 4..7 pixels up to the picture's size.

    `width` is the number of channels at the lowest size; it is halved with each doubling above 32 pixels,
    as in R3GAN's configuration for 256x256 (768 up to 32 pixels, then 384, 192, 96), and rounded down to a multiple of
    STEP, but GROUP at least. `depth` is the number of blocks in a stage. Raises: RecipeError for data that are not
    pictures, and for a depth of 0.
    """

    shape: tuple[int, ...]  # (C, H, W)
    labels: int = 0
    latent_size: int = 64
    width: int = 64
    depth: int = 1

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise RecipeError(
                f"A resnet of depth {self.depth} cannot be built.",
                "Depth is the number of blocks in a stage, and a stage without any computes nothing.",
                "Say --set network.depth=1 or more.",
            )

    def widths(self) -> tuple[int, ...]:
        """Return the channels of each stage, lowest size first."""
        _, height, width = self.shape
        sizes = [min(height, width) // 2**k for k in range(stages_of(height, width), -1, -1)]
        wanted = [self.width * 32 // max(size, 32) for size in sizes]
        return tuple(max(GROUP, channels // STEP * STEP) for channels in wanted)

    def generator(self) -> nn.Module:
        return ResnetGenerator(self)

    def discriminator(self) -> nn.Module:
        return ResnetDiscriminator(self)
