"""The game of two on pictures."""

from __future__ import annotations

import torch

from ganforge.contracts import Feed, Game
from ganforge.kinds.pictures.dials import dials_of, view_of
from ganforge.kinds.pictures.networks import PICTURE_PAIRS
from ganforge.planning.game import adversarial_game, build_pair
from ganforge.recipe import Recipe


def build_game(recipe: Recipe, held_out: Feed | None = None) -> Game:
    """Fresh networks from the recipe's seed, on its device, and what each minimises. held_out: see adversarial_game."""
    generator, discriminator = build_pair(recipe, PICTURE_PAIRS, torch.channels_last)
    return adversarial_game(recipe, generator, discriminator, held_out, view=view_of(recipe), dials=dials_of(recipe))
