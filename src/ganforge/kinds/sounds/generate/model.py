"""A trained generator of sounds, and its loading. Nothing here opens the training data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ganforge.contracts import Observer
from ganforge.core.labels import Labels
from ganforge.core.levels import to_uint8
from ganforge.core.model_files import built, read_description
from ganforge.core.seeds import generator_for
from ganforge.errors import InputError, refused
from ganforge.kinds.sounds.features import LogMel
from ganforge.kinds.sounds.generate.grid import Grid, Levels, to_waveform
from ganforge.kinds.sounds.generate.mixture import pairs_for
from ganforge.kinds.sounds.generate.plan import Spectral
from ganforge.kinds.sounds.reading import Samples
from ganforge.kinds.sounds.sound_file import write_sounds
from ganforge.planning.game import network_pair
from ganforge.recipe import Data, Network

BLOCK = 500  # latents drawn at once: another number would give other sounds for the same seed
AT_ONCE = 64  # spectrograms in one pass through the network
PEAK = 0.9  # of full scale
NEXT_STEPS = {"sample RUN -n 20 --out new/": "new sounds, a file each", "sample RUN -n 20 --out new.wav": "in a row"}


@dataclass(frozen=True, slots=True)
class SoundModel:
    """A generator: latents in, spectrograms out, and from these waveforms."""

    network: nn.Module
    latent_size: int
    labels: Labels
    grid: Grid

    def draw(self, count: int, labels: NDArray[np.int64] | None, seed: int) -> Levels:
        """Draw spectrograms as levels (count, 1, M, N). The first ones do not depend on `count`."""
        return np.concatenate([*self.blocks(count, labels, seed)])

    @torch.no_grad()
    def blocks(self, count: int, labels: NDArray[np.int64] | None, seed: int) -> Iterator[Levels]:
        """Yield the spectrograms of `draw`, at most AT_ONCE at a time."""
        device = next(self.network.parameters()).device
        for block in range(0, count, BLOCK):
            random = generator_for(seed, "sample sounds", step=block)
            latents = torch.randn(BLOCK, self.latent_size, generator=random)[: count - block]
            for first in range(0, len(latents), AT_ONCE):
                some = latents[first : first + AT_ONCE].to(device)
                place = slice(block + first, block + first + len(some))
                label = torch.from_numpy(labels[place]).to(device) if labels is not None else None
                yield to_uint8(self.network(some, label)).cpu().numpy()

    # ---- contracts.Model

    def sample(self, count: int, asked: Mapping[str, Any], seed: int) -> SoundSamples:
        """Sample sounds. Args: asked: label. Raises: InputError."""
        if count < 1:
            raise InputError(f"{count} sounds cannot be drawn.", "It must be a whole number from 1 on.")
        label = asked.get("label")
        labels = self.labels.draw(count, seed) if label is None else np.full(count, self.labels.index(label))
        return SoundSamples(self, count, labels, seed)

    def write(self, samples: SoundSamples, out: Path, *, force: bool) -> Path:
        """Write a folder with a file for each sound, named by its label; or one file with all in a row.

        Raises: InputError, StorageError.
        """
        return write_sounds(out, samples.named(), self.grid.mel.rate, force=force)

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Raise InputError: a generator takes no input."""
        raise InputError(
            "This run draws sounds from nothing.",
            "There is nothing that it could be applied to.",
            "Use: ganforge sample RUN --out new.wav",
        )

    def next_steps(self) -> Mapping[str, str]:
        """Commands to use this model (contracts.Model)."""
        return NEXT_STEPS


@dataclass(frozen=True, slots=True)
class SoundSamples:
    """Sounds drawn on demand (contracts.Samples)."""

    model: SoundModel
    count: int
    labels: NDArray[np.int64] | None  # (count,)
    seed: int

    def blocks(self) -> Iterator[Samples]:
        """Yield one waveform (T,) after the other, with a peak of PEAK."""
        features = LogMel(self.model.grid.mel)
        for levels in self.model.blocks(self.count, self.labels, self.seed):
            for one in levels:
                waveform = to_waveform(one[0], self.model.grid, features)
                yield waveform * (PEAK / max(float(np.abs(waveform).max(initial=0.0)), PEAK * 1e-3))

    def named(self) -> Iterator[tuple[str, Samples]]:
        """Yield each waveform with a name for its file."""
        for number, sound in enumerate(self.blocks()):
            label = self.model.labels.names[self.labels[number]] + "-" if self.labels is not None else ""
            yield f"{label.replace('/', '_')}{number:05d}", sound

    def value(self) -> list[Samples]:
        """All waveforms, each (T,)."""
        return list(self.blocks())


def load_generator(folder: Path, device: str = "cpu") -> SoundModel:
    """Load the generator of a run, which may be untrusted; see core/model_files.py.

    Raises: RunError if it is missing or damaged.
    """
    content = read_description(folder)
    with refused(f"The model at {str(folder)!r}"):
        data, network = Data.model_validate(content["data"]), Network.model_validate(content["network"])
        sound = Spectral.model_validate(content["sound"])
        grid = sound.grid
        if data.shape != (1, grid.mel.bands, grid.frames) or grid.frames > 4096:
            raise ValueError(f"its spectrograms have the shape {data.shape}")
        labels = Labels(data.label_names, tuple(content["label_shares"]))
        pair = network_pair(network, data, pairs_for(sound.sorts))
        generator = built(folder, pair.generator).to(device)
    return SoundModel(generator, pair.latent_size, labels, grid)
