"""The plan and the game of a voice converter: a vocoder's, on frames that neighbours have rebuilt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ganforge.contracts import Feed, Game, Tell, Turn
from ganforge.core.seeds import seed_for
from ganforge.errors import RecipeError
from ganforge.kinds.sounds.convert.corpus import ALL_SECONDS, ENOUGH_SECONDS, Heard
from ganforge.kinds.sounds.convert.network import SourceFilter, Spoken
from ganforge.kinds.sounds.convert.voices import LEVEL, Target
from ganforge.kinds.sounds.features import Mel
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
from ganforge.kinds.sounds.reading import Sounds
from ganforge.networks.ends import BothEnds, product_of
from ganforge.planning.compute import choose_compute
from ganforge.planning.draft import ASKED, Draft, choose_data
from ganforge.planning.game import choose_sized, initialised
from ganforge.recipe import Recipe

BATCH = 12
NOT_HERE = {**ABSENT, "augmentation": "Examples are cut anywhere."}


class Converting(Waveforms):
    """The settings of a voice converter: of its two ends, and of its neighbours."""

    key: ClassVar[str] = "convert"

    neighbours: Annotated[int, Field(ge=1, le=64)] = 4  # frames whose mean is taken
    kept: Annotated[float, Field(ge=0, le=1)] = 0.6  # share of the source's own envelopes, with the target's statistics
    seconds: Annotated[float, Field(ge=1, le=3600)] = 360.0  # of each voice that are kept


class SpokenFeed:
    """Stretches of recordings, drawn by index (contracts.Feed), beside their frames as neighbours rebuild them."""

    resident = True

    def __init__(self, waveform: Tensor, frames: Tensor, voice: Tensor, starts: Tensor, count: int, hop: int) -> None:
        """Args: waveform (n * hop,), frames (M + 2, n), voice (n,) of all; starts (N,) of stretches of count frames."""
        self._waveform, self._frames, self._voice, self._starts = waveform, frames, voice, starts
        self._count, self._hop = count, hop

    @classmethod
    def of(cls, heard: Sequence[Heard], targets: Sequence[Target], chosen: Converting, device: str) -> SpokenFeed:
        """Rebuild the frames of every piece from those of the same voice's others, and cover all with stretches."""
        hop, waveforms, frames, voice, starts, place = chosen.mel.hop, [], [], [], [], 0
        for label, (own, target) in enumerate(zip(heard, targets, strict=True)):
            for piece, loudness, made in zip(own.pieces, own.loudness, own.rebuilt(target), strict=True):
                scaled = torch.from_numpy(piece) * float(np.exp(LEVEL - loudness))
                waveforms.append(torch.nn.functional.pad(scaled, (0, made.shape[1] * hop - len(piece))))
                frames.append(made)
                voice.append(torch.full((made.shape[1],), label))
            end = sum(made.shape[1] for made in frames)
            if (last := end - chosen.frames) < place:
                raise RecipeError(
                    f"convert.frames is {chosen.frames}, and of a voice there are {end - place} frames.",
                    "An example is a stretch of one voice.",
                    "Choose fewer frames, or give more of each voice.",
                )
            starts += [*range(place, last, chosen.frames // 4), last]
            place = end
        whole = torch.cat(waveforms).to(device), torch.cat(frames, 1).to(device), torch.cat(voice).to(device)
        return cls(*whole, torch.tensor(starts, device=device), chosen.frames, hop)

    def __len__(self) -> int:
        return len(self._starts)

    def batch(self, indices: Tensor) -> dict[str, Tensor]:
        """Args: indices (B,). Returns: x (B, T), frames (B, M + 2, N), voice and first (B,), on the device."""
        start = self._starts.index_select(0, indices.to(self._starts.device))
        places = start[:, None] + torch.arange(self._count, device=start.device)
        first = start * self._hop
        samples = first[:, None] + torch.arange((self._count - 1) * self._hop, device=start.device)
        return {
            "x": self._waveform[samples],
            "frames": self._frames[:, places].transpose(0, 1),
            "voice": self._voice[start],
            "first": first,
        }

    def raw(self, first: int, last: int) -> dict[str, Tensor]:
        """Return the stretches first..last-1, on the CPU."""
        return {name: tensor.cpu() for name, tensor in self.batch(torch.arange(first, last)).items()}


def initial_network(recipe: Recipe) -> SourceFilter:
    """Build a new network from the recipe's seed."""
    chosen, network = recipe.section(Converting), recipe.network
    sizes = network.need("width"), network.need("depth"), len(recipe.data.label_names)
    return initialised(seed_for(recipe.seed, "networks"), lambda: SourceFilter(chosen.mel, *sizes))


def initial_product(recipe: Recipe) -> SourceFilter | BothEnds[SourceFilter]:
    """Build the network, or both ends with the same initial weights where there is an adversary."""
    return product_of(lambda: initial_network(recipe), both=recipe.objective is not None)


def build_game(recipe: Recipe) -> Game:
    """Build networks on the recipe's device, with their losses. Pulses begin anywhere in a period."""

    def examples(turn: Turn) -> tuple[Tensor, Spoken]:
        batch = turn.batch
        turns = turn.random.uniform(len(batch["x"]), 1)[:, 0].double()
        return batch["x"], Spoken(batch["frames"], batch["voice"], batch["first"], turns)

    return game_of_waveforms(recipe, initial_product(recipe), examples)


def choose_features(draft: Draft, sounds: Sounds) -> Converting:
    """Choose what is kept of each voice, which must be known before anything is timed. Raises: RecipeError."""
    draft.explain({"task": ASKED})
    mel, count = Mel.at(sounds.rate), len(sounds.label_names)
    shape = ((mel.bands + 2, FRAMES), f"{mel.bands} mel bands, pitch and periodicity, every {mel.hop} samples")
    names = (sounds.label_names, "each subfolder is a voice")
    choose_data(draft, "sounds", shape, sounds.sha256, label_names=names)
    choose_compute(draft)
    seconds = min(1.2 * ENOUGH_SECONDS, max(ENOUGH_SECONDS / 5, ALL_SECONDS / count))
    no_adversary = "no adversary: it changed nothing that could be measured (docs/benchmarks.md)"
    return draft.choose(
        Converting,
        **features_of(mel),
        **adversary_asked(draft, "convert", no_adversary),
        neighbours=(4, "fewer jump from frame to frame, more are over-smoothed (Baas et al. 2023)"),
        kept=(0.6, "digits read in six pairs of voices: .92, of neighbours alone .87, which sound .03 more alike"),
        seconds=(seconds, "of each voice: more find hardly nearer neighbours, and the model holds the frames"),
    )


def plan_converter(draft: Draft, feed: Feed, tell: Tell) -> Recipe:
    """Choose every other setting, with its reason; times a few steps of both phases on this machine."""
    why = "filters pulses and noise, frame by frame, with an inverse STFT at the end"
    choose_sized(draft, "source-filter", why, {**SIZES, "small": (128, 4)})
    return waveforms_of(draft, feed, build_game, BATCH, draft[Converting].sharp_from, tell)
