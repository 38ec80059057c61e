"""The game of one player: a network, and the squared error of what it predicts."""

from __future__ import annotations

import torch

from ganforge.contracts import Game, Loss, Player, Turn
from ganforge.core.seeds import seed_for
from ganforge.kinds.tables.regress.model import build_regressor
from ganforge.objectives import squared_error
from ganforge.planning.game import optimiser_settings
from ganforge.recipe import Recipe


def build_game(recipe: Recipe, features: int) -> Game:
    """One player, which minimises 1/(2m) sum (h(x) - y)^2.

    When a batch is as large as the table, it holds every row once (core/seeds.py), as the textbook writes the sum.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(recipe.seed, "networks"))  # torch's initialisers take no generator
        network = build_regressor(recipe.network, features)
    network.to(recipe.compute.device)

    def loss(turn: Turn) -> Loss:
        return squared_error(network(turn.batch["x"]), turn.batch["y"])

    return Game((Player("regressor", network, loss, optimiser_settings(recipe)),), product="regressor")
