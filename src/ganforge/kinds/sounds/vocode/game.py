"""The game of a vocoder, on sounds at random levels."""

from __future__ import annotations

from typing import Annotated, ClassVar, TypeAlias

import torch
from pydantic import Field
from torch import Tensor

from ganforge.contracts import Game, Turn
from ganforge.core.seeds import seed_for
from ganforge.kinds.sounds.adversary import BothEnds, Waveforms, game_of_waveforms, product_of
from ganforge.kinds.sounds.features import LogMel, Mel
from ganforge.kinds.sounds.networks import Vocoder
from ganforge.planning.game import initialised
from ganforge.recipe import Network, Recipe, Section

LOUDEST, QUIETEST = 9.0, -21.0  # dB by which an example's level is changed
PEAK = 0.98  # of full scale, which no example exceeds then
Lookahead: TypeAlias = Annotated[int, Field(ge=0, le=128)]  # frames that the network sees ahead
Corrections: TypeAlias = Annotated[int, Field(ge=0, le=16)]  # within the network, which learns through them
Refinements: TypeAlias = Annotated[int, Field(ge=0, le=256)]  # after it, where a sound need not be had at once


class Vocoding(Waveforms):
    """The settings of a vocoder."""

    key: ClassVar[str] = "vocode"

    lookahead: Lookahead
    corrections: Corrections
    refinements: Refinements


class Synthesis(Section):
    """What a model.json says of a vocoder besides its width and depth."""

    mel: Mel
    lookahead: Lookahead
    corrections: Corrections
    refinements: Refinements
    sharp: bool  # whether there are two ends, faithful and sharp


def vocoder_of(chosen: Vocoding | Synthesis, network: Network) -> Vocoder:
    """Build a vocoder."""
    return Vocoder(
        chosen.mel,
        network.need("width"),
        network.need("depth"),
        lookahead=chosen.lookahead,
        corrections=chosen.corrections,
    )


def initial_network(recipe: Recipe) -> Vocoder:
    """Build a new network from the recipe's seed."""
    chosen, seed = recipe.section(Vocoding), seed_for(recipe.seed, "networks")
    return initialised(seed, lambda: vocoder_of(chosen, recipe.network))


def initial_product(recipe: Recipe) -> Vocoder | BothEnds[Vocoder]:
    """Build the network, or both ends with the same initial weights where there is an adversary."""
    return product_of(lambda: initial_network(recipe), both=recipe.objective is not None)


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
