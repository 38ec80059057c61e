"""The game of one on rows of a table: the generator maximises the likelihood of each unit given those before it."""

from __future__ import annotations

import torch
from torch import Tensor

from ganforge.contracts import Feed, Game, Loss, Player, Turn
from ganforge.core.seeds import Draws
from ganforge.kinds.tables.autoregressive import AutoregressiveGenerator
from ganforge.kinds.tables.columns import RowSettings
from ganforge.kinds.tables.networks import RowLayout
from ganforge.planning.game import optimiser_settings
from ganforge.recipe import Recipe


def likelihood_game(recipe: Recipe, generator: AutoregressiveGenerator, layout: RowLayout) -> Game:
    """Build the game. A share `rows.whole` of the steps teaches the order of drawing, the others one of their own."""
    whole: float = recipe.section(RowSettings).need("whole")

    def loss(turn: Turn) -> Loss:
        x = layout.one_hot(turn.batch["x"])
        told = generator(x, layout, draw_order(len(layout.sizes), whole, turn.random))
        return Loss({"surprise": -log_likelihood(layout, told, x)})

    player = Player("generator", generator, loss, optimiser_settings(recipe))
    return Game((player,), product="generator")


def draw_order(units: int, whole: float, random: Draws) -> Tensor:
    """Draw which units come before which, (U, U): in the units' order by chance `whole`, else in a random order.

    It is the same in all processes that share a batch.
    """
    drawn = torch.rand(units + 1, generator=random.generator, device=random.device)
    places = torch.arange(units, device=random.device)
    ranks = torch.where(drawn[0] < whole, places, drawn[1:].argsort())
    return (ranks[:, None] < ranks).float()


def log_likelihood(layout: RowLayout, logits: Tensor, x: Tensor) -> Tensor:
    """Return the logarithm of the chance of the codes x (B, P) by logits (B, P), summed over units: (B,)."""
    return (layout.log_probabilities(logits) * x).sum(dim=1)


@torch.no_grad()
def held_out_likelihood(generator: AutoregressiveGenerator, layout: RowLayout, held_out: Feed, most: int) -> float:
    """Return the mean log-likelihood of held-out rows, in nats a row. Args: most rows, the first ones."""
    chosen = torch.arange(min(most, len(held_out)))
    x = layout.one_hot(held_out.batch(chosen)["x"])
    before = torch.ones(len(layout.sizes), len(layout.sizes), device=x.device).triu(1)
    return float(log_likelihood(layout, generator(x, layout, before), x).mean())
