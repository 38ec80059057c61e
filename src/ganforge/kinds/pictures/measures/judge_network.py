"""The two networks of the judge: one that is trained on the person's pictures, one whose filters are random."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

LARGEST = 64  # pixels; larger pictures are averaged down for the judge
LEARNED = 64  # features of the trained network
RANDOM = 32  # features of the random one


def prepare(pictures: NDArray[np.uint8], largest: int = LARGEST) -> Tensor:
    """uint8 (N, C, H, W) -> float32 (N, C, h, w) in -1..1, longer side at most `largest`, averaged over areas."""
    x = torch.from_numpy(np.ascontiguousarray(pictures)).float().div_(127.5).sub_(1)
    longer = max(x.shape[2:])
    if longer > largest:
        size = [max(1, round(side * largest / longer)) for side in x.shape[2:]]
        x = F.interpolate(x, size=size, mode="area")
    return x


class Trunk(nn.Module):
    """Picture (B, C, h, w) -> features (B, LEARNED): four convolutions that halve the picture down to about 4 pixels.

    The features keep the places (flattened, not averaged over the picture), so that parts that changed places differ.
    """

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        widths = (24, 48, 96, 96)
        layers: list[nn.Module] = []
        side = max(height, width)
        for index, out in enumerate(widths):
            stride = 2 if side > 4 else 1
            kernel = 5 if index == 0 else 3
            layers += [
                nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False),
                nn.BatchNorm2d(out),
                nn.ReLU(),
            ]
            height, width = -(-height // stride), -(-width // stride)
            channels, side = out, max(height, width)
            if side <= 4 and index >= 2:
                break
        self.layers = nn.Sequential(*layers)
        self.last = nn.Linear(channels * height * width, LEARNED)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.last(self.layers(x).flatten(1)))  # (B, C, h, w) -> (B, LEARNED)


class RandomFilters(nn.Module):
    """Picture (B, C, h, w) -> features (B, RANDOM): how strongly random filters answer, never trained.

    A trained classifier learns to overlook what does not tell classes apart: brightness, noise, sharpness. These
    filters do not (Naeem et al. 2020 and 2208.09218 found random features usable and complementary).
    """

    def __init__(self, channels: int, random: torch.Generator) -> None:
        super().__init__()
        half = RANDOM // 2
        fine = torch.randn(half, channels, 3, 3, generator=random) / (9 * channels) ** 0.5
        fine[: half // 2] -= fine[: half // 2].mean((1, 2, 3), keepdim=True)  # half of them see edges only
        self.register_buffer("fine", fine)
        self.register_buffer("coarse", torch.randn(half, half, 3, 3, generator=random) / (9 * half) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        assert isinstance(self.fine, Tensor) and isinstance(self.coarse, Tensor)  # buffers are untyped
        fine = F.relu(F.conv2d(x, self.fine))  # (B, 16, h-2, w-2): no padding, its rim would outshine the rest
        pooled = F.avg_pool2d(fine, 2, ceil_mode=True)
        coarse = F.relu(F.conv2d(pooled, self.coarse))
        return torch.cat([fine.mean((2, 3)), coarse.mean((2, 3))], dim=1)


def orient(x: Tensor, orientation: Tensor) -> Tensor:
    """Each picture (B, C, h, w) as it is (0), mirrored (1), upside down (2) or half turned (3), by orientation (B,)."""
    mirrored = (orientation % 2 == 1)[:, None, None, None]
    turned = (orientation >= 2)[:, None, None, None]
    x = torch.where(mirrored, x.flip(3), x)
    return torch.where(turned, x.flip(2), x)


def shift(x: Tensor, most: int, random: torch.Generator) -> Tensor:
    """Moves the whole batch (B, C, h, w) by up to `most` pixels each way; the border repeats."""
    if most < 1:
        return x
    down, right = (int(v) for v in torch.randint(0, 2 * most + 1, (2,), generator=random))
    padded = F.pad(x, (most, most, most, most), mode="replicate")
    return padded[:, :, down : down + x.shape[2], right : right + x.shape[3]]
