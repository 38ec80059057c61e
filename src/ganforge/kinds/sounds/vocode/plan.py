"""The plan and the game of a vocoder, which hears sounds at random levels."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from ganforge.contracts import Game, Tell, Turn
from ganforge.core.seeds import seed_for
from ganforge.engine.feed import ArrayFeed
from ganforge.kinds.sounds.features import LogMel, Mel
from ganforge.kinds.sounds.networks import Vocoder
from ganforge.kinds.sounds.plan import (
    ABSENT,
    FRAMES,
    SIZES,
    Waveforms,
    adversary_asked,
    features_of,
    game_of_waveforms,
    waveforms_of,
)
from ganforge.kinds.sounds.reading import Segments, Sounds
from ganforge.networks.ends import BothEnds, product_of
from ganforge.planning.compute import choose_compute
from ganforge.planning.draft import ASKED, Draft, choose_data
from ganforge.planning.game import choose_sized, initialised
from ganforge.recipe import Network, Recipe

BATCH = 6  # more examples in a step learn less in the same time (docs/log.md)
LOOKAHEAD = 2  # frames: a stream stays below a tenth of a second
REFINEMENTS = 16
LOUDEST, QUIETEST = 9.0, -21.0  # dB by which an example's level is changed
PEAK = 0.98  # of full scale, which no example exceeds then
OVERLAP = 4  # examples that hold a given sample
NOT_HERE = {**ABSENT, "augmentation": "Examples are cut anywhere and heard at random levels."}


class Vocoding(Waveforms):
    """The settings of a vocoder."""

    key: ClassVar[str] = "vocode"

    lookahead: Annotated[int, Field(ge=0, le=128)]  # frames that the network sees ahead
    corrections: Annotated[int, Field(ge=0, le=16)]  # within the network, which learns through them
    refinements: Annotated[int, Field(ge=0, le=256)]  # iterations after it, where a sound need not be had at once


def vocoder_of(chosen: Vocoding, network: Network) -> Vocoder:
    """Build a vocoder."""
    width, depth = network.need("width"), network.need("depth")
    return Vocoder(chosen.mel, width, depth, lookahead=chosen.lookahead, corrections=chosen.corrections)


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


def feed_of(sounds: Sounds, chosen: Vocoding, device: str) -> ArrayFeed:
    """Return the training examples: stretches of a fixed number of frames."""
    length = (chosen.frames - 1) * chosen.mel.hop
    return ArrayFeed(Segments(sounds.train, length, max(1, length // OVERLAP)), device=device)


def plan_vocoder(draft: Draft, sounds: Sounds, tell: Tell) -> Recipe:
    """Choose every setting, with its reason, and time a few steps. Raises: RecipeError for settings that do not fit."""
    draft.explain({"task": ASKED})
    mel = Mel.at(sounds.rate)
    shape = f"{mel.bands} mel bands, and frames of which one comes every {mel.hop} samples"
    choose_data(draft, "sounds", ((mel.bands, FRAMES), shape), sounds.sha256)
    choose_compute(draft)
    no_adversary = "no adversary: in the same time it makes nothing certainly better (docs/log.md)"
    chosen = draft.choose(
        Vocoding,
        **features_of(mel),
        lookahead=(LOOKAHEAD, "so few that a stream waits about a tenth of a second, at little cost"),
        corrections=(1, "the bands are known exactly: one correction is worth more than all other settings"),
        refinements=(REFINEMENTS, "where a sound need not be had at once; more are slower and little better"),
        **adversary_asked(draft, "vocode", no_adversary),
    )
    choose_sized(draft, "vocoder", "works frame by frame, with an inverse STFT at the end", SIZES)
    return waveforms_of(draft, feed_of(sounds, chosen, draft.device), build_game, BATCH, chosen.sharp_from, tell)
