"""What the games of several tasks take from a recipe in the same way."""

from __future__ import annotations

from ganforge.contracts import Levers, OptimiserSettings, Schedule
from ganforge.core.draws import Draws
from ganforge.networks.augmentation import Changes, draw_changes
from ganforge.recipe import MOST_AUGMENTATION, Recipe


def steps_of(recipe: Recipe) -> OptimiserSettings:
    """How a player steps: its learning rate moves along a half cosine."""
    chosen = recipe.optimiser
    rate = Schedule(chosen.learning_rate_start, chosen.learning_rate_end, "cosine", chosen.warmup)
    return OptimiserSettings(rate, chosen.kind, chosen.beta1, chosen.beta2)


def gamma_of(recipe: Recipe) -> Schedule:
    """The penalty's weight: geometric, or linear where an end is 0."""
    start, end = recipe.objective.gamma_start, recipe.objective.gamma_end
    return Schedule(start, end, "geometric" if min(start, end) > 0 else "linear")


def changes_of(recipe: Recipe, levers: Levers, count: int, random: Draws) -> Changes | None:
    """What a discriminator sees `count` pictures through; None, and nothing drawn, where nothing may change."""
    chance = min(levers.seen_through(recipe.objective.augmentation), MOST_AUGMENTATION)
    return draw_changes(count, chance, random, recipe.objective.flips) if chance > 0 else None
