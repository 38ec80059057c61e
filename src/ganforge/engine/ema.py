"""The exponential moving average of the product's weights: what a person samples from."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

RAMP = 0.05  # while young, the half-life is this share of the examples shown (Karras et al. 2020, EMA ramp-up)


class MovingAverage:
    """A copy of a network that follows it with a half-life in examples."""

    def __init__(self, network: nn.Module, half_life_examples: float) -> None:
        """Args: half_life_examples > 0; 0 means that the average is the network itself, without a copy of the past."""
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.half_life_examples = half_life_examples
        self._pairs = (_tensors(self.network), _tensors(network))
        self._buffers = (list(self.network.buffers()), list(network.buffers()))

    def weight(self, examples: int, batch_size: int, half_life_examples: float | None = None) -> float:
        """Return the share, 0..1, of the newest weights in the next average.

        Args: examples shown so far, after this step; batch_size the examples of this step; half_life_examples
        another half-life than the one it was made with.
        """
        longest = self.half_life_examples if half_life_examples is None else half_life_examples
        half_life = min(longest, RAMP * examples)
        return 1.0 - (0.5 ** (batch_size / half_life) if half_life > 0 else 0.0)

    @torch.no_grad()
    def follow(self, weight: Tensor | float) -> None:
        """Update: average <- average + weight * (newest - average). Args: weight a number, or () on the device."""
        average, newest = self._pairs
        told = weight if isinstance(weight, Tensor) else torch.tensor(weight, device=average[0].device)
        torch._foreach_lerp_(average, newest, [told.to(kept.dtype) for kept in average])
        for kept, new in zip(*self._buffers, strict=True):
            kept.copy_(new)


def _tensors(network: nn.Module) -> list[torch.Tensor]:
    return list(network.parameters())
