"""The three-player game of a vocoder: faithful, discriminators and sharp.

`faithful` learns from spectrograms alone, from start to end. `sharp` begins as a copy of it at some progress, and is
judged by discriminators too. Both are kept: which of them sounds better is measured, and a person may choose.
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


class TwoEnds(TaskSection):
    """The settings of a faithful and a sharp network whose results are waveforms."""

    mel: Mel
    frames: Annotated[int, Field(ge=16, le=1024)] = 64  # of an example
    sharp_from: Annotated[float, Field(ge=0, le=1)] = 0.7  # progress from which discriminators and the sharp end play
    adversarial: Annotated[float, Field(ge=0)] = 0.05  # weight of the adversarial loss beside the spectral one
    matching: Annotated[float, Field(ge=0)] = 0.1  # weight of the distance of the discriminators' features
    sharp_rate: Annotated[float, Field(gt=0)] = 5e-4  # learning rate of both, falling linearly to 0 at the end


class Vocoding(TwoEnds):
    """The settings of a vocoder."""

    key: ClassVar[str] = "vocode"


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


def vocoder_for(recipe: Recipe) -> Vocoder:
    """Build a new network for a recipe."""
    return Vocoder(recipe.section(Vocoding).mel, recipe.network.need("width"), recipe.network.need("depth"))


def initial_ends(recipe: Recipe) -> BothEnds:
    """Build both ends with the same initial weights, from the recipe's seed."""
    seed = seed_for(recipe.seed, "networks")
    return BothEnds(*(initialised(seed, lambda: vocoder_for(recipe)) for _ in range(2)))


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

    def examples(turn: Turn) -> tuple[Tensor, Tensor]:
        truth = turn.batch["x"]
        level = 10 ** (turn.random.uniform(len(truth), 1, low=QUIETEST, high=LOUDEST) / 20)
        peak = truth.abs().amax(dim=1, keepdim=True).clamp(min=1e-4)
        truth = truth * torch.minimum(level, PEAK / peak)
        with torch.no_grad():
            return truth, features(truth)

    return game_of_ends(recipe, initial_ends(recipe), examples)


def game_of_ends(recipe: Recipe, ends: BothEnds, examples: Examples) -> Game:
    """Build the game of any two networks with the same initial weights, whose results are waveforms."""
    chosen, device = recipe.section(TwoEnds), recipe.compute.device
    ends.to(device)
    width = max(4, recipe.network.need("width") // 8)
    critic = initialised(seed_for(recipe.seed, "networks/critic"), lambda: Discriminators(chosen.mel.rate, width))
    critic.to(device)
    distance = SpectralDistance(chosen.mel).to(device)
    objective = OBJECTIVES[recipe.adversary.name]()

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
                **{name: chosen.adversarial * term for name, term in judged.terms.items()},
                "matching": chosen.matching * apart.mean(0),
            }.items():
                terms[name] = terms.get(name, 0.0) + of_examples(value, len(truth)) / len(critic.parts)
        return Loss(terms)

    def plays_late(progress: float) -> bool:
        return progress >= chosen.sharp_from

    def copies(progress: float, levers: Levers) -> dict[str, float]:
        return {"copies": float(not plays_late(progress))}

    alone, dials = optimiser_settings(recipe), gamma_dials(recipe)
    against = replace(alone, learning_rate=Schedule(chosen.sharp_rate, 0.0, "linear"))
    players = (
        Player("faithful", ends.faithful, faithful_loss, alone, dials=copies),
        Player("discriminator", critic, discriminator_loss, against, plays_late, dials=dials),
        Player("sharp", ends, sharp_loss, against, plays_late, dials=dials),
    )
    return Game(players, product="sharp")
