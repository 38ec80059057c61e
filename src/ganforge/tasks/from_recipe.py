"""What the games of several tasks take from a recipe in the same way."""

from __future__ import annotations

from collections.abc import Mapping

from ganforge.contracts import Dial, Levers, OptimiserSettings, Schedule, is_on
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


def gamma_dial(recipe: Recipe, progress: float, levers: Levers) -> dict[str, float]:
    """The dial `gamma`: the penalty's weight now."""
    return {"gamma": levers.penalty * gamma_of(recipe).at(progress)}


def change_dial(recipe: Recipe, levers: Levers) -> dict[str, float]:
    """The dial `change`: the chance, 0..1, of each kind of change that a discriminator sees a picture through now."""
    return {"change": min(levers.seen_through(recipe.objective.augmentation), MOST_AUGMENTATION)}


def changes_of(recipe: Recipe, dials: Mapping[str, Dial], count: int, random: Draws) -> Changes | None:
    """What a discriminator sees `count` pictures through; None, and nothing drawn, where the dial `change` is off."""
    chance = dials["change"]
    return draw_changes(count, chance, random, recipe.objective.flips) if is_on(chance) else None
