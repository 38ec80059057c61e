"""The adversary of a network that makes sounds: a copy, `sharp`, goes on against discriminators from some progress.

`faithful` learns without one, from start to end. Both are kept: which of them is used is measured, and a person may
choose. An adversary of waveforms is there where a person asks for it; a voice, whose spectrograms are judged, has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, TypeVar

import torch
from pydantic import Field
from torch import Tensor, nn

from ganforge.contracts import Game, Loss, Player, Turn
from ganforge.core.device import widened
from ganforge.core.seeds import seed_for
from ganforge.errors import InputError
from ganforge.kinds.sounds.features import DERIVED, LogMel, Mel, stft
from ganforge.kinds.sounds.networks import Discriminators
from ganforge.networks.ends import FAITHFUL, SHARP, BothEnds, Ends, interpolated
from ganforge.objectives import OBJECTIVES
from ganforge.objectives.patches import judged_by, mean_of, of_examples, told_apart
from ganforge.planning.game import (
    copies_until,
    copy_weights,
    falling,
    gamma_dials,
    initialised,
    late_players,
    optimiser_settings,
)
from ganforge.recipe import Network, Recipe, TaskSection

MOST_DEPTH = 64  # of a model file that is read
WINDOWS = (64, 128, 256, 512, 1024)  # samples, at 8 kHz, of the spectrograms that are compared
LEAST = 1e-3  # magnitude below which a difference of logarithms is not counted
Kept = TypeVar("Kept", bound=nn.Module)


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


class SpectralDistance(nn.Module):
    """Made and true waveforms (B, T) -> (B,): how far their spectrograms are apart, at several resolutions.

    The mean over windows of spectral convergence and of the difference of log magnitudes (Yamamoto et al. 2020,
    equations 5 and 6), and the difference of log-mel spectrograms.
    """

    def __init__(self, mel: Mel) -> None:
        super().__init__()
        self.features = LogMel(mel)
        grown = mel.n_fft // 256 or 1
        self.windows = [window * grown for window in WINDOWS]
        for window in self.windows:
            self.register_buffer(f"window_{window}", torch.hann_window(window), persistent=False)

    def forward(self, made: Tensor, truth: Tensor) -> dict[str, Tensor]:
        mel = (self.features(made) - self.features(truth)).abs().mean((1, 2))
        convergence, logarithm = torch.zeros_like(mel), torch.zeros_like(mel)
        for size in self.windows:
            window = getattr(self, f"window_{size}")
            ours, theirs = (stft(x, size, size // 4, window).abs() for x in (made, truth))
            gap = (ours - theirs).square().sum((1, 2)).sqrt()
            convergence = convergence + gap / theirs.square().sum((1, 2)).sqrt().clamp(min=LEAST)
            logarithm = logarithm + ((ours + LEAST).log() - (theirs + LEAST).log()).abs().mean((1, 2))
        return {"mel": mel, "convergence": convergence / len(self.windows), "logarithm": logarithm / len(self.windows)}


Examples = Callable[[Turn], tuple[Tensor, Any]]
"""A turn -> true waveforms (B, T), and what a network makes them of."""


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
