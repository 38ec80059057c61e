"""The schedules that a recipe asks for, as the players of its game need them."""

from __future__ import annotations

from ganforge.contracts import OptimiserSettings, Schedule
from ganforge.recipe import Recipe


def optimiser_settings(recipe: Recipe) -> OptimiserSettings:
    """How a player steps: its learning rate moves along a half cosine."""
    chosen = recipe.optimiser
    rate = Schedule(chosen.learning_rate_start, chosen.learning_rate_end, "cosine", chosen.warmup)
    return OptimiserSettings(rate, chosen.kind, chosen.beta1, chosen.beta2)
