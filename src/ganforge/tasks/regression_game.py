"""The game of one player: a network, and the squared error of what it predicts."""

from __future__ import annotations

import torch

from ganforge.contracts import Game, Loss, OptimiserSettings, Player, Schedule, Turn
from ganforge.core.seeds import seed_for
from ganforge.data.tables.numeric import NumericTable
from ganforge.objectives import squared_error
from ganforge.recipe import Recipe
from ganforge.tasks.regression_model import build_regressor


def build_game(recipe: Recipe, table: NumericTable) -> Game:
    """One player, which minimises 1/(2m) sum (h(x) - y)^2.

    When a batch is as large as the table, the sum runs over every row once, as the textbook writes it: the engine draws
    with replacement, and a drawn table would hold some rows twice and leave others out.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(recipe.seed, "networks"))  # torch's initialisers take no generator
        network = build_regressor(recipe.network, len(table.feature_names))
    network.to(recipe.compute.device)
    every_row = table.train.batch(torch.arange(len(table.train)))
    whole = recipe.optimiser.batch_size >= len(table.train)

    def loss(turn: Turn) -> Loss:
        rows = every_row if whole else turn.batch
        return squared_error(network(rows["x"]), rows["y"])

    chosen = recipe.optimiser
    rate = Schedule(chosen.learning_rate_start, chosen.learning_rate_end, "cosine", chosen.warmup)
    steps = OptimiserSettings(rate, chosen.kind, chosen.beta1, chosen.beta2)
    return Game((Player("regressor", network, loss, steps),), product="regressor")
