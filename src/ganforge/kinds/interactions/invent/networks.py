"""The networks: a generator of audiences from features and of features from audiences, and their discriminators.

Shape letters here: B batch, F codes, D numbers of an audience, Z noise.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.networks.mlp import hidden_layers

SHARP = 1e-6  # from 0 and 1: uniform numbers whose logarithm is finite


class Inventor(nn.Module):
    """The generator: corrects the residual of an audience, and draws the codes of an item that has an audience."""

    def __init__(self, forms: Sequence[tuple[str, int]], dimensions: int, latent: int, width: int, depth: int) -> None:
        """Args: forms of each column "number", "one" or "several", and how many codes it has."""
        super().__init__()
        self.forms, self.latent = tuple(forms), latent
        codes = sum(count for _, count in forms)
        raw = codes + sum(form == "one" for form, _ in forms)  # and one for none of its words
        self.audience = nn.Sequential(
            hidden_layers(codes + 2 * dimensions + latent, width, depth), nn.Linear(width, dimensions)
        )
        self.item = nn.Sequential(hidden_layers(dimensions + latent, width, depth), nn.Linear(width, raw))
        for weight in self.audience[-1].parameters():
            nn.init.zeros_(weight)  # it begins as the residuals that it is given

    def residual(self, codes: Tensor, expected: Tensor, start: Tensor, noise: Tensor) -> Tensor:
        """Return residuals (B, D). Args: codes (B, F); expected audience, start: a residual of a like item (B, D)."""
        change: Tensor = self.audience(torch.cat([codes, expected, start, noise], 1))
        return start + change

    def codes(self, audience: Tensor, noise: Tensor, uniform: Tensor) -> Tensor:
        """Return codes (B, F) of items, words as exactly 0 or 1, with the gradient of their chances.

        Args: audience (B, D); noise (B, Z); uniform (B, F + columns of one word) in 0..1.
        """
        raw = self.item(torch.cat([audience, noise], 1))
        uniform = uniform.clamp(SHARP, 1 - SHARP)
        parts, first = list[Tensor](), 0
        for form, count in self.forms:
            place = slice(first, first + count + (form == "one"))
            first = place.stop
            logits, draws = raw[:, place], uniform[:, place]
            if form == "number":
                parts.append(torch.sigmoid(logits))
            elif form == "one":  # Gumbel-softmax, straight through (Jang et al. 2017)
                soft = F.softmax(logits - torch.log(-torch.log(draws)), 1)
                hard = F.one_hot(soft.argmax(1), count + 1).to(soft)
                parts.append((hard + soft - soft.detach())[:, :count])
            else:
                soft = torch.sigmoid(logits + torch.log(draws) - torch.log1p(-draws))
                parts.append((soft > 0.5).to(soft) + soft - soft.detach())
        return torch.cat(parts, 1)

    @property
    def draws(self) -> int:
        """How many uniform numbers the codes of an item take."""
        return sum(count + (form == "one") for form, count in self.forms)


class Discriminators(nn.Module):
    """Two scores of pairs of features and audience, one for each thing that is generated."""

    def __init__(self, codes: int, dimensions: int, width: int, depth: int) -> None:
        super().__init__()
        inputs = {"audience": codes + 3 * dimensions, "item": codes + dimensions}
        self.score = nn.ModuleDict(
            {
                name: nn.Sequential(hidden_layers(size, width, depth), nn.Linear(width, 1))
                for name, size in inputs.items()
            }
        )

    def of_audience(self, x: Tensor) -> Tensor:
        """Score x (B, F + 3 D): codes, expected audience, residual, and the sum of both."""
        scores: Tensor = self.score["audience"](x)[:, 0]
        return scores

    def of_item(self, x: Tensor) -> Tensor:
        """Score x (B, F + D): codes and audience."""
        scores: Tensor = self.score["item"](x)[:, 0]
        return scores
