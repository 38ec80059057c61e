"""The games of translation: with pairs two players; without pairs four, or three.

paired        discriminator, generator                                   pix2pix (Isola et al. 2017)
cycle         one discriminator and one generator for each direction     CycleGAN (Zhu et al. 2017)
contrastive   discriminator, head, generator: one direction alone        CUT (Park et al. 2020)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.contracts import BoundDiscriminator, Game, Loss, OptimiserSettings, Player, Turn
from ganforge.core.precision import widened
from ganforge.core.seeds import seed_for
from ganforge.networks.augmentation import augment
from ganforge.networks.translator import PatchFeatures, TranslatorGenerator, padded, patch_discriminator, translator
from ganforge.objectives import OBJECTIVES
from ganforge.recipe import Recipe
from ganforge.tasks.from_recipe import changes_of, gamma_of, steps_of

PATCHES = 64  # places that are compared at each of three resolutions, in contrastive translation
TEMPERATURE = 0.07  # of their similarities (CUT, section 3.2)


@dataclass(frozen=True, slots=True)
class _Made:
    """What every game of translation is built from."""

    recipe: Recipe
    seen: Callable[[Turn], Callable[[Tensor, int], Tensor]]
    steps: OptimiserSettings


def build_translation(recipe: Recipe) -> Game:
    """Fresh networks from the recipe's seed, on its device, and what each minimises."""
    chosen = recipe.translate
    assert chosen is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(recipe.seed, "networks"))  # torch's initialisers take no generator
        networks = build_networks(recipe)
    for network in networks.values():
        network.to(device=recipe.compute.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    made = _Made(recipe, lambda turn: _see(turn, recipe), steps_of(recipe))
    if chosen.pairing == "paired":
        players = _paired(made, networks)
    elif chosen.unpaired_by == "cycle":
        players = _cycle(made, networks)
    else:
        players = _contrastive(made, networks)
    return Game(players, product="generator", order=recipe.objective.order)


def build_networks(recipe: Recipe) -> dict[str, nn.Module]:
    """Each player's network, by the player's name, in turn order."""
    chosen, network, data = recipe.translate, recipe.network, recipe.data
    assert chosen is not None
    paired = chosen.pairing == "paired"

    def judge() -> nn.Module:
        return patch_discriminator(network, data, conditional=paired)

    def generator() -> nn.Module:
        return translator(network, data)

    if paired:
        return (
            {"discriminator": judge(), "generator": generator()} if chosen.adversarial else {"generator": generator()}
        )
    if chosen.unpaired_by == "cycle":
        return {
            "discriminator": judge(), "back_discriminator": judge(), "generator": generator(), "back": generator()
        }  # fmt: skip
    return {"discriminator": judge(), "head": PatchFeatures(network.width), "generator": generator()}


def _see(turn: Turn, recipe: Recipe) -> Callable[[Tensor, int], Tensor]:
    """How a discriminator sees pictures in this turn: through random changes, where there are any.

    The second argument is how many pictures stand beside each other on the channels: a condition and its result are
    changed alike.
    """
    changes = changes_of(recipe, turn.levers, len(turn.batch["x"]), turn.random)

    def see(x: Tensor, beside: int) -> Tensor:
        if changes is None:
            return x
        return torch.cat(augment(torch.cat(x.chunk(beside, dim=1)), changes).chunk(beside), dim=1)

    return see


def _bound(network: nn.Module, see: Callable[[Tensor, int], Tensor], beside: int) -> BoundDiscriminator:
    def score(x: Tensor) -> Tensor:
        result: Tensor = network(see(x, beside))
        return result

    return score


def _distance(one: Tensor, other: Tensor) -> Tensor:
    """The mean absolute difference of each example, (B,)."""
    return (widened(one) - widened(other)).abs().flatten(1).mean(1)


def _mirrored(turn: Turn, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """The batch, half its pairs exchanged left and right where that is allowed: twice as many pairs for nothing."""
    x, y = turn.batch["x"], turn.batch["y"]
    if not recipe.objective.flips:
        return x, y
    chosen = (turn.random.uniform(len(x), 1) < 0.5)[:, :, None, None]
    return torch.where(chosen, x.flip(3), x), torch.where(chosen, y.flip(3), y)


def _paired(made: _Made, networks: dict[str, nn.Module]) -> tuple[Player, ...]:
    """pix2pix, equation 4: the adversarial term of (input, result), and the distance to the truth."""
    recipe, generator = made.recipe, networks["generator"]
    chosen, objective, gamma = recipe.translate, OBJECTIVES[recipe.objective.name](), gamma_of(recipe)
    assert chosen is not None

    def discriminator_loss(turn: Turn) -> Loss:
        x, y = _mirrored(turn, recipe)
        with torch.no_grad():
            fake = torch.cat([x, generator(x)], dim=1)
        bound = _bound(networks["discriminator"], made.seen(turn), 2)
        strength = turn.levers.penalty * gamma.at(turn.progress)
        return objective.discriminator_loss(bound, torch.cat([x, y], dim=1), fake, strength, turn.random)

    def generator_loss(turn: Turn) -> Loss:
        x, y = _mirrored(turn, recipe)
        fake = generator(x)
        terms = {"reconstruction": chosen.reconstruction * _distance(fake, y)}
        if chosen.adversarial:
            bound = _bound(networks["discriminator"], made.seen(turn), 2)
            scored = objective.generator_loss(bound, torch.cat([x, y], dim=1), torch.cat([x, fake], dim=1))
            terms |= {name: chosen.adversarial * term for name, term in scored.terms.items()}
        return Loss(terms)

    losses = {"discriminator": discriminator_loss, "generator": generator_loss}
    return tuple(Player(name, network, losses[name], made.steps) for name, network in networks.items())


def _adversary(
    made: _Made, judge: nn.Module, maker: nn.Module, source: str, target: str
) -> tuple[Callable[[Turn], Loss], Callable[[Turn, Tensor], dict[str, Tensor]]]:
    """The loss of a discriminator of `target`, and the adversarial terms of the generator that makes it of `source`.

    Real and made pictures of a batch are no pairs: the real ones are moved on by one, so that not even the order of the
    files can tell which belongs to which.
    """
    recipe, objective, gamma = made.recipe, OBJECTIVES[made.recipe.objective.name](), gamma_of(made.recipe)
    chosen = recipe.translate
    assert chosen is not None

    def discriminator_loss(turn: Turn) -> Loss:
        with torch.no_grad():
            fake = maker(turn.batch[source])
        bound, real = _bound(judge, made.seen(turn), 1), turn.batch[target].roll(1, 0)
        return objective.discriminator_loss(
            bound, real, fake, turn.levers.penalty * gamma.at(turn.progress), turn.random
        )

    def adversarial_terms(turn: Turn, fake: Tensor) -> dict[str, Tensor]:
        scored = objective.generator_loss(_bound(judge, made.seen(turn), 1), turn.batch[target].roll(1, 0), fake)
        return {name: chosen.adversarial * term for name, term in scored.terms.items()}

    return discriminator_loss, adversarial_terms


def _cycle(made: _Made, networks: dict[str, nn.Module]) -> tuple[Player, ...]:
    """CycleGAN, equations 1 to 3, with the identity term of its section 5.2."""
    chosen = made.recipe.translate
    assert chosen is not None
    there, back = networks["generator"], networks["back"]
    judge_there, terms_there = _adversary(made, networks["discriminator"], there, "x", "y")
    judge_back, terms_back = _adversary(made, networks["back_discriminator"], back, "y", "x")

    def direction(
        maker: nn.Module, other: nn.Module, source: str, target: str, terms: Callable[[Turn, Tensor], dict[str, Tensor]]
    ) -> Callable[[Turn], Loss]:
        def loss(turn: Turn) -> Loss:
            given, wanted = turn.batch[source], turn.batch[target]
            made_of, same = maker(torch.cat([given, wanted])).chunk(2)  # one pass for both
            cycle = _distance(other(made_of), given) + _distance(maker(other(wanted)), wanted)
            found = terms(turn, made_of) | {"cycle": chosen.reconstruction * cycle}
            return Loss(found | {"identity": chosen.identity * _distance(same, wanted)})

        return loss

    losses = {
        "discriminator": judge_there,
        "back_discriminator": judge_back,
        "generator": direction(there, back, "x", "y", terms_there),
        "back": direction(back, there, "y", "x", terms_back),
    }
    return tuple(Player(name, network, losses[name], made.steps) for name, network in networks.items())


def _contrastive(made: _Made, networks: dict[str, nn.Module]) -> tuple[Player, ...]:
    """CUT, equations 3 to 5: a patch of the result resembles the patch of the input at its place more than others."""
    chosen = made.recipe.translate
    assert chosen is not None
    generator, head = networks["generator"], networks["head"]
    assert isinstance(generator, TranslatorGenerator)
    judge, terms = _adversary(made, networks["discriminator"], generator, "x", "y")

    def likeness(turn: Turn, given: Tensor, result: Tensor) -> Tensor:
        """(B,) the cross-entropy of telling which patch of the input a patch of the result comes from."""
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
        given, wanted = turn.batch["x"], turn.batch["y"]
        made_of, same = generator(torch.cat([given, wanted])).chunk(2)
        found = terms(turn, made_of)
        found["contrast"] = chosen.reconstruction * likeness(turn, given, made_of)
        return Loss(found | {"identity": chosen.identity * _distance(same, wanted)})

    def head_loss(turn: Turn) -> Loss:
        with torch.no_grad():
            made_of = generator(turn.batch["x"])
        return Loss({"contrast": likeness(turn, turn.batch["x"], made_of)})

    losses = {"discriminator": judge, "head": head_loss, "generator": generator_loss}
    return tuple(Player(name, network, losses[name], made.steps) for name, network in networks.items())
