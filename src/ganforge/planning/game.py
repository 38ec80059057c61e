"""The game of two that every adversarial task of one generator plays, of whatever kind its examples are.

A new kind of data has its game in three lines:

    def build_game(recipe: Recipe, held_out: Feed | None = None) -> Game:
        generator, discriminator = build_pair(recipe, PAIRS)
        return adversarial_game(recipe, generator, discriminator, held_out)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn

from ganforge.contracts import BoundDiscriminator, Dial, Feed, Game, Levers, Loss, Player, Turn
from ganforge.core.draws import Draws
from ganforge.core.precision import widened
from ganforge.core.seeds import generator_for, seed_for
from ganforge.networks import Pairs, network_pair
from ganforge.objectives import OBJECTIVES
from ganforge.planning.objective import gamma_schedule
from ganforge.planning.optimiser import optimiser_settings
from ganforge.recipe import Recipe

WATCHED = 256  # held-out examples that the discriminator scores at each look

View: TypeAlias = Callable[[Mapping[str, Dial], int, Draws], Callable[[Tensor], Tensor]]
"""What a discriminator sees examples through: where the dials stand, how many examples, random numbers -> a function of
x (B, ...) or (2B, ...) that keeps its shape. It draws once a turn: real and generated ones are changed alike."""

Dials: TypeAlias = Callable[[float, Levers], Mapping[str, float]]
"""Progress (0..1) and levers -> where each dial of a player stands (contracts.Player)."""


def build_pair(
    recipe: Recipe, pairs: Pairs, memory_format: torch.memory_format = torch.preserve_format
) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator of a recipe, freshly initialised from its seed, on its device."""
    pair = network_pair(recipe.network, recipe.data, pairs)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(recipe.seed, "networks"))  # torch's initialisers take no generator
        generator, discriminator = pair.generator(), pair.discriminator()
    for network in (generator, discriminator):
        network.to(device=recipe.compute.device, memory_format=memory_format)  # type: ignore[call-overload]
    return generator, discriminator


def gamma_dials(recipe: Recipe) -> Dials:
    """The dial that every adversarial game has: `gamma`, the penalty's weight now."""
    gamma = gamma_schedule(recipe)
    return lambda progress, levers: {"gamma": levers.penalty * gamma.at(progress)}


def adversarial_game(
    recipe: Recipe,
    generator: nn.Module,
    discriminator: nn.Module,
    held_out: Feed | None = None,
    *,
    view: View | None = None,
    dials: Dials | None = None,
) -> Game:
    """The game of two on any examples, with or without labels: discriminator first, then generator.

    Args:
        generator: latent (B, Z), label (B,) or None -> x (B, ...). discriminator: x, label -> score (B,).
        held_out: real examples that are never trained on; the discriminator's score of them is noted at each look, and
            tells whether it has begun to know the training examples by heart.
        view: what the discriminator sees examples through; None shows them as they are.
        dials: of both players, `gamma` among them; None for `gamma` alone.
    """
    objective = OBJECTIVES[recipe.adversary.name]()
    latent_size: int = recipe.network.need("latent_size")

    def draw(turn: Turn) -> Tensor:
        real, label = turn.batch["x"], turn.batch.get("label")
        latent = turn.random.normal(len(real), latent_size)
        fake: Tensor = generator(latent, label)
        return widened(fake)

    def bind(turn: Turn) -> BoundDiscriminator:
        label = turn.batch.get("label")
        seen = view(turn.dials, len(turn.batch["x"]), turn.random) if view is not None else None

        def score(x: Tensor) -> Tensor:
            bound = label.repeat(len(x) // len(label)) if label is not None else None  # real and fake share labels
            result: Tensor = discriminator(x if seen is None else seen(x), bound)
            return result

        return score

    def discriminator_loss(turn: Turn) -> Loss:
        with torch.no_grad():
            fake = draw(turn)
        return objective.discriminator_loss(bind(turn), turn.batch["x"], fake, turn.dials["gamma"], turn.random)

    def generator_loss(turn: Turn) -> Loss:
        return objective.generator_loss(bind(turn), turn.batch["x"], draw(turn))

    def score_held_out(stands: Mapping[str, float]) -> dict[str, Tensor]:
        """Seen through changes of the same kind as the training examples, or the two scores could not be compared."""
        assert held_out is not None
        batch = held_out.batch(torch.randperm(len(held_out), generator=generator_for(0, "held out"))[:WATCHED])
        x = batch["x"]
        if view is not None:
            x = view(stands, len(x), Draws(generator_for(0, "held out/view", device=x.device)))(x)
        score: Tensor = discriminator(x, batch.get("label"))
        return {"score_held_out": score.float()}

    steps, moving = optimiser_settings(recipe), dials or gamma_dials(recipe)
    watch = score_held_out if held_out is not None else None
    players = (
        Player("discriminator", discriminator, discriminator_loss, steps, dials=moving, watch=watch),
        Player("generator", generator, generator_loss, steps, dials=moving),
    )
    return Game(players, product="generator", order=recipe.adversary.order)
