"""What vocoders, converters and voices choose and play alike: features, network, adversary, length.

The adversary: `faithful` learns without one, and a copy, `sharp`, goes on against discriminators from some progress.
Both are kept: which of them is used is measured, and a person may choose. One of waveforms is there where a person asks
for it; a voice, whose spectrograms are judged, has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, TypeVar

import torch
from pydantic import Field
from torch import Tensor, nn

from ganforge.contracts import Feed, Game, Loss, Player, Tell, Turn
from ganforge.core.device import widened
from ganforge.core.seeds import seed_for
from ganforge.errors import InputError
from ganforge.kinds.sounds.features import DERIVED, Mel
from ganforge.kinds.sounds.networks import Discriminators, SpectralDistance
from ganforge.networks.ends import FAITHFUL, SHARP, BothEnds, Ends, interpolated
from ganforge.objectives import OBJECTIVES
from ganforge.objectives.patches import judged_by, mean_of, of_examples, told_apart
from ganforge.planning.compute import Pace, choose_length, choose_pieces, for_two_phases
from ganforge.planning.draft import Choice, Draft
from ganforge.planning.game import (
    choose_objective,
    choose_optimiser,
    copies_until,
    copy_weights,
    falling,
    gamma_dials,
    initialised,
    late_players,
    optimiser_settings,
    refuse_unbuildable_game,
    size_of,
)
from ganforge.recipe import Network, Recipe, Size, TaskSection

FRAMES = 64  # of an example: half a second at 8 kHz
SIZES: dict[Size, tuple[int, int]] = {  # width and depth
    "tiny": (32, 2), "small": (128, 6), "medium": (192, 6), "base": (256, 8), "large": (512, 8),
}  # fmt: skip
AGAINST: dict[str, Choice] = {
    "adversarial": (0.05, "small beside the spectral distance (docs/log.md)"),
    "matching": (0.1, "small beside the spectral distance (docs/log.md)"),
    "sharp_rate": (5e-4, "found on speech (docs/log.md)"),
}
ABSENT = {
    "network.latent_size": "Nothing is drawn from noise.",
    "records.look_samples": "A look takes the same held-out sounds each time.",
}
WARMUP: Choice = (0.02, "the first steps are small, until the size of the gradients is known")
MOST_DEPTH = 64  # of a model file that is read
Kept = TypeVar("Kept", bound=nn.Module)
Examples = Callable[[Turn], tuple[Tensor, Any]]
"""A turn -> true waveforms (B, T), and what a network makes them of."""


def pace_of(examples: str, seconds_per_look: float, steady_rate: float, marks: tuple[float, ...]) -> Pace:
    """Return the intervals of records and looks. Args: examples what is shown; marks the progress of looks."""
    return Pace(
        examples=examples,
        looks="looks",
        seconds_per_look=seconds_per_look,
        steady_rate=steady_rate,
        half_life_share=0.01,
        most_steps=50,
        marks=lambda seconds: marks,
        why_marks=f"few: a look at results takes about {seconds_per_look:g} seconds",
    )


WAVEFORM_PACE = pace_of("examples", 2.0, 50.0, (0.0, 0.05, 0.2, 0.5, 0.7, 0.85, 1.0))


def features_of(mel: Mel) -> dict[str, Choice]:
    """Return the choices of spectrograms, of which a network makes waveforms, and of the length of an example."""
    why = f"for {mel.rate:,} Hz: a window of about 32 ms, and bands as wide as 40 are at 8 kHz"
    return {"mel": (mel, why), "frames": (FRAMES, "what a batch of this machine's speed holds")}


def adversary_asked(draft: Draft, task: str, why_none: str) -> Mapping[str, Choice]:
    """Return the choices of an adversary of waveforms, which is there where a person set `sharp_from`.

    Args: why_none the reason for none. Raises: RecipeError where it is absent and a setting of it was pinned.
    """
    asked = draft.pinned.get(f"{task}.sharp_from", 1.0) < 1
    if not asked:
        absent = f"Nothing judges the network but the spectral distance: --set {task}.sharp_from=0.7 adds an adversary."
        draft.leave_out(dict.fromkeys(("objective", *(f"{task}.{name}" for name in AGAINST)), absent))
    return {"sharp_from": (1.0, why_none), **(AGAINST if asked else {})}


def choose_adversary(draft: Draft) -> None:
    """Choose the section `objective` of discriminators that judge patches."""
    choose_objective(
        draft,
        (0.0, "none: discriminators of many scores are held by their margin"),
        (0.0, "none"),
        name=("hinge", "each of many scores has a margin, beyond which it is left alone"),
        order="the players follow each other; nothing else is possible where one network holds another",
    )


def waveforms_of(
    draft: Draft, feed: Feed, build: Callable[[Recipe], Game], batch: int, sharp_from: float, tell: Tell
) -> Recipe:
    """Return the recipe of a network that makes waveforms, which is chosen, after the rest is. Args as of `timed`."""
    if sharp_from < 1:
        choose_adversary(draft)
    choose_optimiser(
        draft,
        rate=(1e-3, "found on speech (docs/log.md); falls along a half cosine"),
        warmup=WARMUP,
        beta1=(0.8, "as in HiFi-GAN"),
        batch_size=(batch, f"{batch} examples of {FRAMES} frames each"),
    )
    return timed(draft, feed, build, WAVEFORM_PACE, sharp_from, tell)


def timed(
    draft: Draft,
    feed: Feed,
    build: Callable[[Recipe], Game],
    pace: Pace,
    joined: float,
    tell: Tell,
    *,
    name: str = "sharp_from",
    **records: Choice,
) -> Recipe:
    """Return the recipe with the length that fits this machine, on which a few steps of each phase are timed.

    Args: joined the progress at which later players join, 1: none does; name of that setting; records more choices.
    """
    refuse_unbuildable_game(draft, build)
    tell("timing", size=size_of(draft))
    choose_pieces(draft, feed, build=build)
    choose_length(draft, pace, for_two_phases(draft, pace, feed, joined, build=build, name=name), **records)
    return draft.recipe()


class Waveforms(TaskSection):
    """The settings of a network whose results are waveforms, and of its adversary."""

    derived: ClassVar[Mapping[str, str]] = DERIVED

    mel: Mel
    frames: Annotated[int, Field(ge=16, le=1024)] = 64  # of an example
    sharp_from: Annotated[float, Field(ge=0, le=1)] = 1.0  # progress from which an adversary plays; 1: there is none
    adversarial: Annotated[float | None, Field(ge=0)] = None  # weight of the adversarial loss beside the spectral one
    matching: Annotated[float | None, Field(ge=0)] = None  # weight of the distance of the discriminators' features
    sharp_rate: Annotated[float | None, Field(gt=0)] = None  # learning rate of both, falling linearly to 0 at the end


def check_sizes(mel: Mel, network: Network) -> None:
    """Check what a model file says of a network that ends with an inverse STFT. Raises: ValueError."""
    if mel.hop > mel.n_fft // 2 or network.need("depth") > MOST_DEPTH:
        raise ValueError(f"hop {mel.hop} of {mel.n_fft} samples, depth {network.need('depth')}")


def at_strength(network: Kept, ends: Ends | None, strength: float, noun: str, task: str) -> Kept:
    """Return a network at a strength between faithful (0) and sharp (1). Raises: InputError where there is one end."""
    if ends is None:
        raise InputError(
            f"The strength {strength:g} was given, and this {noun} has one end.",
            "It was trained without an adversary, which is the default.",
            f"Leave it out, or train with: --set {task}.sharp_from=0.7",
        )
    return interpolated(network, ends, strength)


def game_of_waveforms(recipe: Recipe, product: nn.Module, examples: Examples) -> Game:
    """Build the game of a network whose results are waveforms: one player, or with both ends and an adversary three."""
    device, chosen = recipe.compute.device, recipe.section(Waveforms)
    distance = SpectralDistance(chosen.mel).to(device)
    faithful, sharp = (product.faithful, product.sharp) if isinstance(product, BothEnds) else (product, None)
    product.to(device)

    def faithful_loss(turn: Turn) -> Loss:
        if sharp is not None:
            copy_weights(turn, faithful, sharp)
        truth, given = examples(turn)
        return Loss(distance(faithful(given), truth))

    alone = Player(FAITHFUL, faithful, faithful_loss, optimiser_settings(recipe))
    if sharp is None:
        return Game((alone,), product=FAITHFUL)
    critic = critic_for(recipe, lambda width: Discriminators(chosen.mel.rate, width))
    objective = OBJECTIVES[recipe.adversary.name]()
    adversarial, matching = chosen.need("adversarial"), chosen.need("matching")

    def discriminator_loss(turn: Turn) -> Loss:
        truth, given = examples(turn)
        with torch.no_grad():
            made = widened(sharp(given))
        judged = [told_apart(objective, part, truth, made, turn) for part in critic.parts]
        return Loss(mean_of([one.terms for one in judged]), mean_of([one.notes for one in judged]))

    def sharp_loss(turn: Turn) -> Loss:
        truth, given = examples(turn)
        made = widened(sharp(given))
        terms, found = distance(made, truth), []
        for part in critic.parts:
            judged, apart = judged_by(objective, part, truth, made)
            weighted = {name: adversarial * term for name, term in judged.items()} | {"matching": matching * apart}
            found.append({name: of_examples(value, len(truth)) for name, value in weighted.items()})
        return Loss(terms | mean_of(found))

    against, dials = falling(alone.optimiser, chosen.need("sharp_rate")), gamma_dials(recipe)
    late = late_players(against, chosen.sharp_from, dials, (critic, discriminator_loss), (product, sharp_loss))
    return Game((replace(alone, dials=copies_until(chosen.sharp_from)), *late), product=SHARP)


def critic_for(recipe: Recipe, build: Callable[[int], Kept]) -> Kept:
    """Build discriminators from the recipe's seed, an eighth as wide as its network."""
    width = max(4, recipe.network.need("width") // 8)
    return initialised(seed_for(recipe.seed, "networks/critic"), lambda: build(width)).to(recipe.compute.device)
