"""After the game: the generator's columns, one by one, brought to the shares that they have in the training rows.

A game settles how columns belong together; how often each single value comes it only ever approaches. Given its latent,
a unit's code is drawn from a softmax, so adding log(wanted share / present share) to the code's bias moves its share
there, and what depends on the latent stays (in the manner of iterative proportional fitting; Deming and Stephan 1940).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ganforge.core.seeds import generator_for
from ganforge.kinds.tables.networks import RowGenerator, RowLayout

ROUNDS = 6
LATENTS, AT_ONCE = 32_768, 8_192  # latents over which shares are averaged; so many in one pass
RAREST = 1e-6  # share below which a code is not moved: its logarithm would be noise


@torch.no_grad()
def match_shares(generator: RowGenerator, layout: RowLayout, wanted: Tensor, latent_size: int, seed: int) -> None:
    """Moves the biases of the generator's logits in place.

    Args: wanted (P,) the share of each code in its unit.
    """
    for number in range(ROUNDS):
        present = _shares(generator, layout, latent_size, seed, number)
        step = wanted.clamp_min(RAREST).log() - present.clamp_min(RAREST).log()
        generator.logits.bias.add_(torch.where(layout.real, step, 0.0))


def _shares(generator: RowGenerator, layout: RowLayout, latent_size: int, seed: int, number: int) -> Tensor:
    """(P,) how likely each code is, on average over latents."""
    device, total = layout.starts.device, torch.zeros(layout.width, device=layout.starts.device)
    for first in range(0, LATENTS, AT_ONCE):
        random = generator_for(seed, f"shares of round {number}", step=first)
        latent = torch.randn(AT_ONCE, latent_size, generator=random).to(device)
        total += layout.probabilities(generator(latent)).sum(dim=0)
    return total / LATENTS
