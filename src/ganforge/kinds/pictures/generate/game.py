"""The game of two that every adversarial task of one generator plays, built from a recipe."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ganforge.contracts import BoundDiscriminator, Dial, Feed, Game, Loss, Player, Turn
from ganforge.core.draws import Draws
from ganforge.core.precision import widened
from ganforge.core.seeds import generator_for, seed_for
from ganforge.kinds.pictures.dials import changes_of, dials_of
from ganforge.kinds.pictures.networks import PICTURE_PAIRS
from ganforge.kinds.pictures.networks.augmentation import Changes, augment
from ganforge.networks import network_pair
from ganforge.objectives import OBJECTIVES
from ganforge.planning.schedules import optimiser_settings
from ganforge.recipe import Recipe

WATCHED = 256  # held-out examples that the discriminator scores at each look


def build_game(recipe: Recipe, held_out: Feed | None = None) -> Game:
    """Fresh networks from the recipe's seed, on its device, and what each minimises. held_out: see adversarial_game."""
    pair = network_pair(recipe.network, recipe.data, PICTURE_PAIRS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(recipe.seed, "networks"))  # torch's initialisers take no generator
        generator, discriminator = pair.generator(), pair.discriminator()
    for network in (generator, discriminator):
        network.to(device=recipe.compute.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return adversarial_game(recipe, generator, discriminator, held_out)


def adversarial_game(
    recipe: Recipe, generator: nn.Module, discriminator: nn.Module, held_out: Feed | None = None
) -> Game:
    """The game of two on pictures or rows, with or without labels: discriminator first, then generator.

    held_out: real examples that are never trained on; the discriminator's score of them is noted at each look, and
    tells whether it has begun to know the training examples by heart.
    """
    objective = OBJECTIVES[recipe.objective.name]()
    latent_size = recipe.network.latent_size

    def draw(turn: Turn) -> Tensor:
        real, label = turn.batch["x"], turn.batch.get("label")
        latent = turn.random.normal(len(real), latent_size)
        fake: Tensor = generator(latent, label)
        return widened(fake)

    def view(x: Tensor, dials: Mapping[str, Dial], random: Draws) -> Changes | None:
        """What examples are seen through; rows of a table as they are."""
        return changes_of(recipe, dials, len(x), random) if x.dim() == 4 else None

    def bind(turn: Turn) -> BoundDiscriminator:
        label, changes = turn.batch.get("label"), view(turn.batch["x"], turn.dials, turn.random)

        def score(x: Tensor) -> Tensor:
            if changes is not None:
                x = augment(x, changes)
            bound = label.repeat(len(x) // len(label)) if label is not None else None  # real and fake share labels
            result: Tensor = discriminator(x, bound)
            return result

        return score

    def discriminator_loss(turn: Turn) -> Loss:
        with torch.no_grad():
            fake = draw(turn)
        return objective.discriminator_loss(bind(turn), turn.batch["x"], fake, turn.dials["gamma"], turn.random)

    def generator_loss(turn: Turn) -> Loss:
        return objective.generator_loss(bind(turn), turn.batch["x"], draw(turn))

    def score_held_out(dials: Mapping[str, float]) -> dict[str, Tensor]:
        """Seen through changes of the same kind as the training examples, or the two scores could not be compared."""
        assert held_out is not None
        batch = held_out.batch(torch.randperm(len(held_out), generator=generator_for(0, "held out"))[:WATCHED])
        x = batch["x"]
        changes = view(x, dials, Draws(generator_for(0, "held out/view", device=x.device)))
        score: Tensor = discriminator(x if changes is None else augment(x, changes), batch.get("label"))
        return {"score_held_out": score.float()}

    steps, dials = optimiser_settings(recipe), dials_of(recipe)
    players = (
        Player(
            "discriminator",
            discriminator,
            discriminator_loss,
            steps,
            dials=dials,
            watch=score_held_out if held_out is not None else None,
        ),
        Player("generator", generator, generator_loss, steps, dials=dials),
    )
    return Game(players, product="generator", order=recipe.objective.order)
