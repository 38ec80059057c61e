"""The three-player game of restoration: faithful, discriminator and sharp.

`faithful` trains from start to end with the error to the truth alone: where several truths are possible it returns
their mean, which is blurred. `sharp` starts as a copy of it, at some progress, and is also trained against the
discriminator, so it chooses one truth. Both ends are kept; the user applies a network between them, by
interpolating the weights (Wang et al. 2018, "ESRGAN", section 3.4).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ganforge.contracts import BoundDiscriminator, Game, Loss, Player, Turn
from ganforge.core.device import widened
from ganforge.core.seeds import Draws, seed_for
from ganforge.kinds.pictures.enhance.degradation import Degradation, read_degradation
from ganforge.kinds.pictures.game import dials_of, view_of
from ganforge.kinds.pictures.networks.enhancer import Critic, Enhancer, enhancer
from ganforge.kinds.pictures.plan import Enhancement
from ganforge.networks.ends import BothEnds
from ganforge.objectives import OBJECTIVES, softened_error
from ganforge.planning.game import copies_until, copy_weights, falling, initialised, late_players, optimiser_settings
from ganforge.recipe import Data, Network, Recipe

SOFTNESS = 1e-3  # of values in -1..1: errors below it count squared


def enhancer_for(chosen: Enhancement, network: Network, data: Data) -> Enhancer:
    """Build a new network for a recipe's section. Raises: RecipeError for an unknown degradation."""
    return enhancer(network, data, read_degradation(chosen.degradation).factor, data.shape[0])


def initial_ends(recipe: Recipe) -> BothEnds[Enhancer]:
    """Build both ends with the same initial weights, from the recipe's seed."""
    chosen, seed = recipe.section(Enhancement), seed_for(recipe.seed, "networks")
    faithful, sharp = (initialised(seed, lambda: enhancer_for(chosen, recipe.network, recipe.data)) for _ in range(2))
    return BothEnds(faithful, sharp, chosen=False)


def build_game(recipe: Recipe) -> Game:
    """Build networks on the recipe's device, with their losses. Every player sees newly drawn damage."""
    chosen = recipe.section(Enhancement)
    damage, view = read_degradation(chosen.degradation), view_of(recipe)
    dial = initial_ends(recipe)
    critic = initialised(
        seed_for(recipe.seed, "networks/critic"),
        lambda: Critic(recipe.data.shape[0], max(1, recipe.network.need("width") // 2)),
    )
    for network in (dial, critic):
        network.to(device=recipe.compute.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    objective = OBJECTIVES[recipe.adversary.name]()

    def views(turn: Turn) -> tuple[Tensor, Tensor]:
        return training_pair(turn.batch["x"], chosen.patch, damage, turn.random)

    def bind(turn: Turn, count: int) -> BoundDiscriminator:
        seen = view(turn.dials, count, turn.random)

        def score(x: Tensor) -> Tensor:
            result: Tensor = critic(x if seen is None else seen(x))
            return result

        return score

    def faithful_loss(turn: Turn) -> Loss:
        copy_weights(turn, dial.faithful, dial.sharp)
        truth, given = views(turn)
        return Loss({"error": softened_error(dial.faithful(given), truth, SOFTNESS)})

    def discriminator_loss(turn: Turn) -> Loss:
        truth, given = views(turn)
        with torch.no_grad():
            made = widened(dial.sharp(given))
        return objective.discriminator_loss(bind(turn, len(truth)), truth, made, turn.dials["gamma"], turn.random)

    def sharp_loss(turn: Turn) -> Loss:
        truth, given = views(turn)
        made = widened(dial.sharp(given))
        judged = objective.generator_loss(bind(turn, len(truth)), truth, made)
        terms = {name: chosen.adversarial * term for name, term in judged.terms.items()}
        return Loss({"error": softened_error(made, truth, SOFTNESS), **terms}, judged.notes)

    alone = optimiser_settings(recipe)
    against = replace(falling(alone, chosen.sharp_rate), beta1=0.0)
    faithful = Player("faithful", dial.faithful, faithful_loss, alone, dials=copies_until(chosen.sharp_from))
    # The dial, not its sharp end, so that both ends are the product.
    late = late_players(against, chosen.sharp_from, dials_of(recipe), (critic, discriminator_loss), (dial, sharp_loss))
    return Game((faithful, *late), product="sharp")


def training_pair(tiles: Tensor, patch: int, damage: Degradation, draws: Draws) -> tuple[Tensor, Tensor]:
    """Cut random patches from tiles (B, C, H, W), turn and mirror them, and degrade them.

    Returns: the truth (B, C, patch, patch), and the damaged (B, C, patch / factor, patch / factor).
    """
    count, _, height, width = tiles.shape
    drawn = draws.uniform(count, 5)
    here = torch.arange(patch, device=tiles.device)[None, :]
    rows = (drawn[:, :1] * (height - patch + 1)).floor().long() + torch.where(drawn[:, 1:2] < 0.5, here, here.flip(1))
    columns = (drawn[:, 2:3] * (width - patch + 1)).floor().long() + torch.where(
        drawn[:, 3:4] < 0.5, here, here.flip(1)
    )
    examples = torch.arange(count, device=tiles.device)[:, None, None]
    cut = tiles[examples, :, rows[:, :, None], columns[:, None, :]]  # (B, patch, patch, C)
    turned = torch.where(drawn[:, 4, None, None, None] < 0.5, cut, cut.transpose(1, 2))
    truth = turned.permute(0, 3, 1, 2)
    with torch.no_grad():
        return truth, damage(truth, draws)
