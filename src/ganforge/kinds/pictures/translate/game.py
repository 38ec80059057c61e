"""The games of translation: two players with pairs; four or three without.

paired        discriminator, generator                                   pix2pix (Isola et al. 2017)
cycle         one discriminator and one generator for each direction     CycleGAN (Zhu et al. 2017)
contrastive   discriminator, head, generator: one direction alone        CUT (Park et al. 2020)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.contracts import Game, Loss, Player, Turn
from ganforge.core.device import widened
from ganforge.core.seeds import seed_for
from ganforge.kinds.pictures.game import dials_of, view_of
from ganforge.kinds.pictures.networks.translator import (
    PatchFeatures,
    TranslatorGenerator,
    padded,
    patch_discriminator,
    translator,
)
from ganforge.kinds.pictures.plan import Translation
from ganforge.objectives import OBJECTIVES, softened_error
from ganforge.planning.game import initialised, optimiser_settings
from ganforge.recipe import Recipe

SHIFT = 1 / 16  # of height and width: the largest shift of training pictures
PATCHES = 64  # positions compared at each of three resolutions, in contrastive translation
TEMPERATURE = 0.07  # of their similarities (CUT, section 3.2)
SOFTNESS = 0.1  # of values in -1..1: without a truth, errors up to it cost little


def build_translation(recipe: Recipe) -> Game:
    """Build networks from the recipe's seed, on its device, with their losses."""
    chosen = recipe.section(Translation)
    networks = initialised(seed_for(recipe.seed, "networks"), lambda: build_networks(recipe))
    for network in networks.values():
        network.to(device=recipe.compute.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if chosen.pairing == "paired":
        players = _paired(recipe, networks)
    elif chosen.unpaired_by == "cycle":
        players = _cycle(recipe, networks)
    else:
        players = _contrastive(recipe, networks)
    return Game(players, product="generator", order=recipe.adversary.order)


def build_networks(recipe: Recipe) -> dict[str, nn.Module]:
    """Build each player's network, by the player's name, in turn order."""
    chosen, network, data = recipe.section(Translation), recipe.network, recipe.data

    def judge() -> nn.Module:
        return patch_discriminator(network, data)

    def generator() -> nn.Module:
        return translator(network, data)

    if chosen.pairing == "paired":
        return (
            {"discriminator": judge(), "generator": generator()} if chosen.adversarial else {"generator": generator()}
        )
    if chosen.unpaired_by == "cycle":
        return {
            "discriminator": judge(), "back_discriminator": judge(), "generator": generator(), "back": generator()
        }  # fmt: skip
    return {"discriminator": judge(), "head": PatchFeatures(network.need("width")), "generator": generator()}


def _distance(one: Tensor, other: Tensor) -> Tensor:
    """Return the mean absolute difference of each example, (B,)."""
    return (widened(one) - widened(other)).abs().flatten(1).mean(1)


def moved_alike(turn: Turn, recipe: Recipe) -> dict[str, Tensor]:
    """Shift half of the batch and, if allowed, mirror half of it.

    Both sides of a pair are changed alike: a free augmentation that keeps the generator from memorising
    (pix2pix, section 6.2). A shift repeats the border.
    """
    x = turn.batch["x"]
    height, width = x.shape[2:]
    drawn = turn.random.uniform(len(x), 4, low=-1.0)
    shifts = drawn[:, :2] * (drawn[:, 2:3] > 0) * SHIFT
    rows = (torch.arange(height, device=x.device) + (shifts[:, :1] * height).round().long()).clamp(0, height - 1)
    columns = (torch.arange(width, device=x.device) + (shifts[:, 1:] * width).round().long()).clamp(0, width - 1)
    if recipe.augmentation is not None and recipe.augmentation.flips:
        columns = torch.where(drawn[:, 3:] > 0, columns.flip(1), columns)
    places = torch.arange(len(x), device=x.device)[:, None, None], rows[:, :, None], columns[:, None, :]
    return {name: turn.batch[name].movedim(1, 3)[places].movedim(3, 1) for name in ("x", "y")}


@dataclass(frozen=True, slots=True)
class _Adversary:
    """A discriminator of the side `target`, and its loss for the generator from `source` to `target`.

    It does not see the input, even with pairs. Without pairs, real and generated pictures of a batch are offset
    by one, so that not even the order of the files can reveal a correspondence.
    """

    recipe: Recipe
    judge: nn.Module
    maker: nn.Module
    source: str
    target: str

    def discriminator_loss(self, turn: Turn) -> Loss:
        recipe = self.recipe
        sides = moved_alike(turn, recipe)
        with torch.no_grad():
            fake = self.maker(sides[self.source])
        return OBJECTIVES[recipe.adversary.name]().discriminator_loss(
            self._seeing(turn),
            self._real(sides),
            fake,
            turn.dials["gamma"],
            turn.random,
        )

    def terms(self, turn: Turn, sides: dict[str, Tensor], fake: Tensor) -> dict[str, Tensor]:
        """Return a generator's loss terms on the pictures that it made from sides[source]."""
        weight = self.recipe.section(Translation).adversarial
        objective = OBJECTIVES[self.recipe.adversary.name]()
        scored = objective.generator_loss(self._seeing(turn), self._real(sides), fake)
        return {name: weight * term for name, term in scored.terms.items()}

    def _real(self, sides: dict[str, Tensor]) -> Tensor:
        apart = 0 if self.recipe.section(Translation).pairing == "paired" else 1
        return sides[self.target].roll(apart, 0)

    def _seeing(self, turn: Turn) -> Callable[[Tensor], Tensor]:
        """Return the discriminator, preceded by this turn's augmentation, if any."""
        seen = view_of(self.recipe)(turn.dials, len(turn.batch["x"]), turn.random)
        return self.judge if seen is None else lambda x: self.judge(seen(x))


def _players(
    recipe: Recipe, networks: dict[str, nn.Module], losses: Mapping[str, Callable[[Turn], Loss]]
) -> tuple[Player, ...]:
    """Make each network a player; all have the same dials."""
    steps, dials = optimiser_settings(recipe), dials_of(recipe)
    return tuple(Player(name, network, losses[name], steps, dials=dials) for name, network in networks.items())


def _paired(recipe: Recipe, networks: dict[str, nn.Module]) -> tuple[Player, ...]:
    """Build pix2pix, equation 4: a discriminator that sees only the result, and the distance to the truth."""
    chosen, generator = recipe.section(Translation), networks["generator"]
    judge = networks.get("discriminator")
    adversary = None if judge is None else _Adversary(recipe, judge, generator, "x", "y")

    def generator_loss(turn: Turn) -> Loss:
        sides = moved_alike(turn, recipe)
        fake = generator(sides["x"])
        terms = {"reconstruction": chosen.reconstruction * _distance(fake, sides["y"])}
        return Loss(terms if adversary is None else terms | adversary.terms(turn, sides, fake))

    losses = {"generator": generator_loss}
    if adversary is not None:
        losses = {"discriminator": adversary.discriminator_loss, **losses}
    return _players(recipe, networks, losses)


def _cycle(recipe: Recipe, networks: dict[str, nn.Module]) -> tuple[Player, ...]:
    """Build CycleGAN, equations 1 to 3, with the identity term of its section 5.2."""
    chosen = recipe.section(Translation)
    identity = chosen.need("identity")
    there, back = networks["generator"], networks["back"]
    adversaries = {
        "y": _Adversary(recipe, networks["discriminator"], there, "x", "y"),
        "x": _Adversary(recipe, networks["back_discriminator"], back, "y", "x"),
    }

    def direction(maker: nn.Module, other: nn.Module, source: str, target: str) -> Callable[[Turn], Loss]:
        def loss(turn: Turn) -> Loss:
            sides = moved_alike(turn, recipe)
            given, wanted = sides[source], sides[target]
            made_of, same = maker(torch.cat([given, wanted])).chunk(2)  # one pass for both
            cycle = softened_error(other(made_of), given, SOFTNESS)
            cycle = cycle + softened_error(maker(other(wanted)), wanted, SOFTNESS)
            found = adversaries[target].terms(turn, sides, made_of) | {"cycle": chosen.reconstruction * cycle}
            return Loss(found | {"identity": identity * softened_error(same, wanted, SOFTNESS)})

        return loss

    losses = {
        "discriminator": adversaries["y"].discriminator_loss,
        "back_discriminator": adversaries["x"].discriminator_loss,
        "generator": direction(there, back, "x", "y"),
        "back": direction(back, there, "y", "x"),
    }
    return _players(recipe, networks, losses)


def _contrastive(recipe: Recipe, networks: dict[str, nn.Module]) -> tuple[Player, ...]:
    """Build CUT, equations 3 to 5: a patch of the result resembles the input's patch at its position most."""
    chosen = recipe.section(Translation)
    identity = chosen.need("identity")
    generator, head = networks["generator"], networks["head"]
    assert isinstance(generator, TranslatorGenerator)
    adversary = _Adversary(recipe, networks["discriminator"], generator, "x", "y")

    def likeness(turn: Turn, given: Tensor, result: Tensor) -> Tensor:
        """Return (B,) the cross-entropy of matching patches of the result to patches of the input."""
        losses = []
        pairs = zip(generator.encode(padded(result)), generator.encode(padded(given)), strict=True)
        for level, (query, key) in enumerate(pairs):
            places = turn.random.uniform(len(given), PATCHES, low=0.0).mul(query[0, 0].numel()).long()
            chosen_patches = [
                head(level, features.flatten(2).gather(2, places[:, None].expand(-1, features.shape[1], -1)).mT)
                for features in (query, key.detach())
            ]
            alike = chosen_patches[0] @ chosen_patches[1].mT / TEMPERATURE  # (B, P, P)
            right = torch.arange(PATCHES, device=alike.device).expand(len(alike), -1)
            losses.append(F.cross_entropy(widened(alike).mT, right, reduction="none").mean(1))
        return torch.stack(losses).mean(0)

    def generator_loss(turn: Turn) -> Loss:
        sides = moved_alike(turn, recipe)
        made_of, same = generator(torch.cat([sides["x"], sides["y"]])).chunk(2)
        found = adversary.terms(turn, sides, made_of)
        found["contrast"] = chosen.reconstruction * likeness(turn, sides["x"], made_of)
        return Loss(found | {"identity": identity * softened_error(same, sides["y"], SOFTNESS)})

    def head_loss(turn: Turn) -> Loss:
        with torch.no_grad():
            made_of = generator(turn.batch["x"])
        return Loss({"contrast": likeness(turn, turn.batch["x"], made_of)})

    losses = {"discriminator": adversary.discriminator_loss, "head": head_loss, "generator": generator_loss}
    return _players(recipe, networks, losses)
