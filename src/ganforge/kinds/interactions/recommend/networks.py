"""The two networks of the game: what is added to the scores of candidates, and who judges lists.

Shape letters here: B users, L items that a user has met, C candidates, I items, F traits of an item, W width.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ResidualScores(nn.Module):
    """What is added to the scores of a user's candidates: 0 at the beginning."""

    def __init__(self, items: int, width: int) -> None:
        super().__init__()
        self.met = nn.Parameter(torch.randn(items + 1, width) * 0.1)  # the last row is of no item
        self.taste = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.bias = nn.Parameter(torch.zeros(items))
        self.item = nn.Parameter(torch.zeros(items, width))

    def forward(self, met: Tensor, candidates: Tensor) -> Tensor:
        """Args: met (B, L) int64, filled up with I; candidates (B, C) int64. Returns: (B, C)."""
        there = (met < len(self.bias)).to(self.met)  # (B, L)
        mean = torch.einsum("bl,blw->bw", there, F.embedding(met, self.met)) / there.sum(1, keepdim=True).clamp(min=1)
        return self.of_mean(mean, candidates)

    def of_mean(self, mean: Tensor, candidates: Tensor) -> Tensor:
        """Args: mean (B, W) of the vectors of the items met. Returns: (B, C)."""
        taste = self.taste(len(self.bias) ** 0.5 * mean)
        added: Tensor = self.bias[candidates] + torch.einsum("bw,bcw->bc", taste, F.embedding(candidates, self.item))
        return added


class ListDiscriminator(nn.Module):
    """Scores a list beside what its user had met: x (B, 3F), means and squares of traits of one, means of the other."""

    def __init__(self, traits: int, width: int) -> None:
        super().__init__()
        sizes = (3 * traits, width, width)
        layers = [nn.Sequential(nn.Linear(*ends), nn.LeakyReLU(0.2)) for ends in pairwise(sizes)]
        self.layers = nn.Sequential(*layers, nn.Linear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.layers(x)[:, 0]
        return scores


def described(weights: Tensor, items: Tensor, traits: Tensor, beside: Tensor) -> Tensor:
    """Return what a discriminator sees of lists, (B, 3F).

    Args: weights (B, C) how far each item is in its list, 0 to 1; items (B, C); traits (I + 1, F), the last row of no
        item; beside (B, F) the mean traits of what each user had met.
    """
    own = F.embedding(items, traits)  # (B, C, F)
    count = weights.sum(1, keepdim=True).clamp(min=1)
    parts = [torch.einsum("bc,bcf->bf", weights, power) / count for power in (own, own.square())]
    return torch.cat([*parts, beside], 1)
