"""The adversarial game: a discriminator tells what a user liked from what the policy would have him get.

The policy plays its best answer, which is known in closed form (tilt.py): base exp((r + f) / beta), for the expected
reward r and the score f of the discriminator. So only the discriminator has weights, and nothing is sampled: the
expectation is over all items, where IRGAN (Wang et al. 2017) draws a few. What the policy would give is not labelled:
some of it would be liked, which is why the loss is that of positive and unlabelled examples.

Shape letters here: B users, I items.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.contracts import Game, Loss, OptimiserSettings, Player, Turn

NEVER = -1e9  # logit of an item that was shown; finite, for a user who was shown all
SHOWN = 0.5  # chance that an interaction is shown to the discriminator; what is not shown is what it must find


class Discriminator(nn.Module):
    """Scores of all items by what a user liked and did not like: x (B, I) of 1, -1 and 0 -> (B, I), at first 0."""

    def __init__(self, items: int, width: int) -> None:
        super().__init__()
        self.encoder = nn.Linear(2 * items, width)
        self.decoder = nn.Linear(width, items)
        nn.init.normal_(self.encoder.weight, std=0.1)
        nn.init.zeros_(self.decoder.weight)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, x: Tensor) -> Tensor:
        length = x.abs().sum(1, keepdim=True).clamp(min=1).sqrt()
        scores: Tensor = self.decoder(
            torch.tanh(self.encoder(torch.cat([x.clamp(min=0), -x.clamp(max=0)], 1) / length))
        )
        return scores


def game_of_policy(
    steps: OptimiserSettings, network: Discriminator, base: Tensor, beta: float, prior: float, weight: float
) -> Game:
    """Return the game of one player, whose opponent is the best answer to it.

    Batches have x (B, I), 1 for what was liked, -1 for what was not, and rewards (B, I) that are expected.

    Args: steps of its optimiser; base (I,) logits of the base policy; beta the price of leaving it; prior the share of
        the policy's items that are liked; weight of the discriminator's score beside the expected reward.
    """

    def loss(turn: Turn) -> Loss:
        """Non-negative risk of positive and unlabelled examples (Kiryo et al. 2017), of each user."""
        x = turn.batch["x"].to(base)
        shown = x * (turn.random.uniform(*x.shape) < SHOWN)
        hidden = (x > 0) & (shown == 0)
        scores = network(shown)
        liked = hidden.to(base) / hidden.sum(1, keepdim=True).clamp(min=1)
        with torch.no_grad():
            logits = base + (turn.batch["rewards"].to(base) + weight * scores) / beta
            policy = torch.softmax(logits.masked_fill(shown != 0, NEVER), 1)
        as_liked = (F.softplus(-scores) * liked).sum(1)
        beyond = (F.softplus(scores) * (policy - prior * liked)).sum(1)
        told = hidden.any(1)
        told_apart = ((scores * liked).sum(1) > (scores * policy).sum(1)).to(base)
        return Loss(
            {"liked": prior * as_liked * told, "unlabelled": beyond.clamp(min=0) * told},
            {"told_apart": told_apart.detach()},
        )

    player = Player("discriminator", network, loss, steps)
    return Game((player,), product="discriminator")
