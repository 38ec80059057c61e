"""ConvNeXt blocks over frames, of sequences of different lengths at once.

Shape letters: N frames, W width; S places of packed sequences (see `Packed`).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KERNEL = 7  # frames that a block sees
GROWTH = 3  # of a block's hidden layer


class FrameConv(nn.Conv1d):
    """A convolution over frames (B, C, N) -> (B, W, N) that sees `ahead` frames ahead, and the others behind."""

    def __init__(self, into: int, out: int, ahead: int, groups: int = 1) -> None:
        super().__init__(into, out, KERNEL, groups=groups)
        self.sides = (KERNEL - 1 - ahead, ahead)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.sides))


class ConvNeXt(nn.Module):
    """x (B, W, N) + a depthwise convolution over frames, normalised, and two linear layers (Liu et al. 2022)."""

    def __init__(self, width: int, scale: float, ahead: int) -> None:
        super().__init__()
        self.depthwise = FrameConv(width, width, ahead, groups=width)
        self.norm = nn.LayerNorm(width)
        self.grow, self.shrink = nn.Linear(width, GROWTH * width), nn.Linear(GROWTH * width, width)
        self.scale = nn.Parameter(torch.full((width,), scale))

    def forward(self, x: Tensor) -> Tensor:
        inside = self.norm(self.depthwise(x).transpose(1, 2))
        changed: Tensor = self.shrink(F.gelu(self.grow(inside))) * self.scale
        return x + changed.transpose(1, 2)


class Packed:
    """Sequences of different lengths one after the other, with gaps of zeros as wide as a convolution reaches.

    What a layer computes of a sequence is then the same as for the sequence alone, and padding costs nothing.
    """

    def __init__(self, lengths: Tensor) -> None:
        """Args: lengths (B,)."""
        gap = KERNEL // 2
        longest = int(lengths.max())
        self.lengths = lengths
        places = torch.arange(longest + gap, device=lengths.device)
        self.padded = places < (lengths + gap)[:, None]  # (B, longest + gap): what is packed
        inside = places < lengths[:, None]
        self.inside = inside[self.padded]  # (S,) bool: not a gap
        self.mask = self.inside.float()[None, None]  # (1, 1, S)
        self.owner = torch.arange(len(lengths), device=lengths.device).repeat_interleave(lengths + gap)  # (S,)
        self.longest, self.gap = longest, gap

    def pack(self, x: Tensor) -> Tensor:
        """Return (1, C, S) of x (B, longest or more, C)."""
        return F.pad(x[:, : self.longest], (0, 0, 0, self.gap))[self.padded].T[None] * self.mask

    def unpack(self, x: Tensor) -> Tensor:
        """Return (B, longest, C) of x (1, C, S), zeros where a sequence has ended."""
        inside = (x * self.mask)[0].T
        out = inside.new_zeros(*self.padded.shape, x.shape[1])
        out[self.padded] = inside
        return out[:, : self.longest]

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean (B,) over each sequence of values (S,)."""
        total = values.new_zeros(len(self.lengths)).index_add(0, self.owner, values * self.inside)
        return total / self.lengths


class Stack(nn.Module):
    """x (1, into, S) -> (1, out, S): blocks of convolutions between two linear layers."""

    def __init__(self, into: int, width: int, depth: int, out: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(into, width, 1)
        self.blocks = nn.ModuleList(ConvNeXt(width, 1 / max(1, depth), KERNEL // 2) for _ in range(depth))
        self.norm, self.last = nn.LayerNorm(width), nn.Linear(width, out)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.first(x) * mask
        for block in self.blocks:
            x = block(x) * mask
        found: Tensor = self.last(self.norm(x.transpose(1, 2))).transpose(1, 2)
        return found * mask
