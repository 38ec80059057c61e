"""The dials of players on pictures: the penalty's weight, and the augmentation of a discriminator's inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ganforge.contracts import Dial, Feed, Game, Levers, is_on
from ganforge.core.seeds import Draws
from ganforge.kinds.pictures.networks import PICTURE_PAIRS
from ganforge.kinds.pictures.networks.augmentation import augment, draw_changes
from ganforge.planning.game import View, adversarial_game, build_pair, gamma_schedule
from ganforge.recipe import MOST_AUGMENTATION, Augmentation, Recipe

NONE = Augmentation()  # of a recipe that has no such section


def dials_of(recipe: Recipe) -> Callable[[float, Levers], dict[str, float]]:
    """Return the dials of players on pictures (contracts.Player).

    `gamma`: the penalty's weight now. `change`: the probability, 0..1, of each kind of augmentation of a
    discriminator's input now.
    """
    gamma, least = gamma_schedule(recipe), (recipe.augmentation or NONE).strength

    def dials(progress: float, levers: Levers) -> dict[str, float]:
        change = min(levers.seen_through(least), MOST_AUGMENTATION)
        return {"gamma": levers.penalty * gamma.at(progress), "change": change}

    return dials


def view_of(recipe: Recipe) -> View:
    """Return the augmentation of a discriminator's inputs; None, and nothing drawn, if `change` is off."""
    flips = (recipe.augmentation or NONE).flips

    def view(dials: Mapping[str, Dial], count: int, random: Draws) -> Callable[[Tensor], Tensor] | None:
        chance = dials["change"]
        if not is_on(chance):
            return None
        changes = draw_changes(count, chance, random, flips)
        return lambda x: augment(x, changes)

    return view


def build_game(recipe: Recipe, held_out: Feed | None = None) -> Game:
    """Build networks from the recipe's seed, on its device, with their losses. held_out: see adversarial_game."""
    generator, discriminator = build_pair(recipe, PICTURE_PAIRS, torch.channels_last)
    return adversarial_game(recipe, generator, discriminator, held_out, view=view_of(recipe), dials=dials_of(recipe))
