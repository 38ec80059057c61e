"""The dials of players on pictures: the penalty's weight, and the augmentation that a discriminator sees through."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ganforge.contracts import Dial, Levers, Schedule, is_on
from ganforge.core.draws import Draws
from ganforge.kinds.pictures.networks.augmentation import Changes, draw_changes
from ganforge.recipe import MOST_AUGMENTATION, Recipe


def dials_of(recipe: Recipe) -> Callable[[float, Levers], dict[str, float]]:
    """The dials of players on pictures (contracts.Player).

    `gamma`: the penalty's weight now, geometric between its ends, or linear where one is 0. `change`: the chance, 0..1,
    of each kind of change that a discriminator sees a picture through now.
    """
    start, end = recipe.objective.gamma_start, recipe.objective.gamma_end
    gamma = Schedule(start, end, "geometric" if min(start, end) > 0 else "linear")

    def dials(progress: float, levers: Levers) -> dict[str, float]:
        change = min(levers.seen_through(recipe.objective.augmentation), MOST_AUGMENTATION)
        return {"gamma": levers.penalty * gamma.at(progress), "change": change}

    return dials


def changes_of(recipe: Recipe, dials: Mapping[str, Dial], count: int, random: Draws) -> Changes | None:
    """What a discriminator sees `count` pictures through; None, and nothing drawn, where the dial `change` is off."""
    chance = dials["change"]
    return draw_changes(count, chance, random, recipe.objective.flips) if is_on(chance) else None
