"""The game of a vocoder: one player, faithful, or three: faithful, discriminators and sharp.

`faithful` learns from spectrograms alone, from start to end. Where a person asks for an adversary, `sharp` begins as a
copy of it at some progress, and is judged by discriminators too. Then both are kept: which of them sounds better is
measured, and a person may choose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from ganforge.contracts import Game, Levers, Loss, Player, Schedule, Turn, is_on
from ganforge.core.device import widened
from ganforge.core.seeds import seed_for
from ganforge.kinds.sounds.features import LogMel, Mel, stft
from ganforge.kinds.sounds.networks import Discriminators, Vocoder
from ganforge.objectives import OBJECTIVES
from ganforge.planning.game import gamma_dials, initialised, optimiser_settings
from ganforge.recipe import Recipe, TaskSection

LOUDEST, QUIETEST = 9.0, -21.0  # dB by which an example's level is changed
PEAK = 0.98  # of full scale, which no example exceeds then
WINDOWS = (64, 128, 256, 512, 1024)  # samples, at 8 kHz, of the spectrograms that are compared
LEAST = 1e-3  # magnitude below which a difference of logarithms is not counted


class Waveforms(TaskSection):
    """The settings of a network whose results are waveforms, and of its adversary."""

    mel: Mel
    frames: Annotated[int, Field(ge=16, le=1024)] = 64  # of an example
    sharp_from: Annotated[float, Field(ge=0, le=1)] = 1.0  # progress from which an adversary plays; 1: there is none
    adversarial: Annotated[float | None, Field(ge=0)] = None  # weight of the adversarial loss beside the spectral one
    matching: Annotated[float | None, Field(ge=0)] = None  # weight of the distance of the discriminators' features
    sharp_rate: Annotated[float | None, Field(gt=0)] = None  # learning rate of both, falling linearly to 0 at the end


class Vocoding(Waveforms):
    """The settings of a vocoder."""

    key: ClassVar[str] = "vocode"

    lookahead: Annotated[int, Field(ge=0, le=128)]  # frames that the network sees ahead
    corrections: Annotated[int, Field(ge=0, le=16)]  # within the network, which learns through them
    refinements: Annotated[int, Field(ge=0, le=256)]  # iterations after it, where a sound need not be had at once


class BothEnds(nn.Module):
    """Both vocoders. forward returns the faithful one's result."""

    strength: Tensor  # of the end that is used: 0 faithful, 1 sharp

    def __init__(self, faithful: nn.Module, sharp: nn.Module) -> None:
        super().__init__()
        self.faithful, self.sharp = faithful, sharp
        self.register_buffer("strength", torch.zeros(()))

    def forward(self, given: Any) -> Tensor:
        made: Tensor = self.faithful(given)
        return made


def initial_network(recipe: Recipe) -> Vocoder:
    """Build a new network from the recipe's seed."""
    chosen, network = recipe.section(Vocoding), recipe.network

    def build() -> Vocoder:
        return Vocoder(
            chosen.mel,
            network.need("width"),
            network.need("depth"),
            lookahead=chosen.lookahead,
            corrections=chosen.corrections,
        )

    return initialised(seed_for(recipe.seed, "networks"), build)


def initial_product(recipe: Recipe) -> Vocoder | BothEnds:
    """Build the network, or both ends with the same initial weights where there is an adversary."""
    return initial_network(recipe) if recipe.objective is None else initial_ends(recipe)


def initial_ends(recipe: Recipe) -> BothEnds:
    """Build both ends with the same initial weights."""
    return BothEnds(initial_network(recipe), initial_network(recipe))


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


def build_game(recipe: Recipe) -> Game:
    """Build networks on the recipe's device, with their losses. Examples are heard at random levels."""
    features = LogMel(recipe.section(Vocoding).mel).to(recipe.compute.device)
    return game_of_waveforms(recipe, initial_product(recipe), lambda turn: heard(turn, features))


def heard(turn: Turn, features: LogMel) -> tuple[Tensor, Tensor]:
    """Return a turn's waveforms (B, T) at random levels, and their log-mel spectrograms."""
    truth = turn.batch["x"]
    level = 10 ** (turn.random.uniform(len(truth), 1, low=QUIETEST, high=LOUDEST) / 20)
    peak = truth.abs().amax(dim=1, keepdim=True).clamp(min=1e-4)
    truth = truth * torch.minimum(level, PEAK / peak)
    with torch.no_grad():
        return truth, features(truth)


def game_of_waveforms(recipe: Recipe, product: nn.Module, examples: Examples) -> Game:
    """Build the game of a network whose results are waveforms, or of both ends, which an adversary then judges."""
    device = recipe.compute.device
    product.to(device)
    distance = SpectralDistance(recipe.section(Waveforms).mel).to(device)
    if isinstance(product, BothEnds):
        return _three_players(recipe, product, distance, examples)

    def loss(turn: Turn) -> Loss:
        truth, given = examples(turn)
        return Loss(distance(product(given), truth))

    return Game((Player("faithful", product, loss, optimiser_settings(recipe)),), product="faithful")


def _three_players(recipe: Recipe, ends: BothEnds, distance: SpectralDistance, examples: Examples) -> Game:
    chosen, device = recipe.section(Waveforms), recipe.compute.device
    width = max(4, recipe.network.need("width") // 8)
    critic = initialised(seed_for(recipe.seed, "networks/critic"), lambda: Discriminators(chosen.mel.rate, width))
    critic.to(device)
    objective = OBJECTIVES[recipe.adversary.name]()
    adversarial, matching = chosen.need("adversarial"), chosen.need("matching")

    def of_examples(terms: Tensor, count: int) -> Tensor:
        return terms.reshape(count, -1).mean(1)  # scores of an example's patches follow each other

    def faithful_loss(turn: Turn) -> Loss:
        if is_on(turn.dials["copies"]):  # so that evaluations, and a player that joins, find a copy one step old
            with torch.no_grad():
                for ours, theirs in zip(ends.sharp.parameters(), ends.faithful.parameters(), strict=True):
                    ours.copy_(theirs)
        truth, given = examples(turn)
        return Loss(distance(ends.faithful(given), truth))

    def discriminator_loss(turn: Turn) -> Loss:
        truth, given = examples(turn)
        with torch.no_grad():
            made = widened(ends.sharp(given))
        terms: dict[str, Tensor] = {}
        notes: dict[str, Tensor] = {}
        for part in critic.parts:
            judged = objective.discriminator_loss(
                lambda x, part=part: part(x)[0].reshape(-1),  # type: ignore[misc]
                truth,
                made,
                turn.dials["gamma"],
                turn.random,
            )
            for kept, found in ((terms, judged.terms), (notes, judged.notes)):
                for name, value in found.items():
                    kept[name] = kept.get(name, 0.0) + of_examples(value, len(truth)) / len(critic.parts)
        return Loss(terms, notes)

    def sharp_loss(turn: Turn) -> Loss:
        truth, given = examples(turn)
        made = widened(ends.sharp(given))
        terms = distance(made, truth)
        for part in critic.parts:
            features: list[list[Tensor]] = []

            def score(x: Tensor, part: nn.Module = part, features: list[list[Tensor]] = features) -> Tensor:
                scores, found = part(x)
                features.append(found)
                flat: Tensor = scores.reshape(-1)
                return flat

            judged = objective.generator_loss(score, truth, made)
            with torch.no_grad():
                _, real = part(truth)
            apart = torch.stack([(a - b).flatten(1).abs().mean(1) for a, b in zip(features[-1], real, strict=True)])
            for name, value in {
                **{name: adversarial * term for name, term in judged.terms.items()},
                "matching": matching * apart.mean(0),
            }.items():
                terms[name] = terms.get(name, 0.0) + of_examples(value, len(truth)) / len(critic.parts)
        return Loss(terms)

    def plays_late(progress: float) -> bool:
        return progress >= chosen.sharp_from

    def copies(progress: float, levers: Levers) -> dict[str, float]:
        return {"copies": float(not plays_late(progress))}

    alone, dials = optimiser_settings(recipe), gamma_dials(recipe)
    against = replace(alone, learning_rate=Schedule(chosen.need("sharp_rate"), 0.0, "linear"))
    players = (
        Player("faithful", ends.faithful, faithful_loss, alone, dials=copies),
        Player("discriminator", critic, discriminator_loss, against, plays_late, dials=dials),
        Player("sharp", ends, sharp_loss, against, plays_late, dials=dials),
    )
    return Game(players, product="sharp")
