"""A trained generator of sounds, and its loading. Nothing here opens the training data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ganforge.contracts import Model
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
from ganforge.kinds.sounds.sound_file import MadeSounds
from ganforge.planning.game import network_pair
from ganforge.recipe import Data, Network

BLOCK = 500  # latents drawn at once: another number would give other sounds for the same seed
AT_ONCE = 64  # spectrograms in one pass through the network
PEAK = 0.9  # of full scale
NEXT_STEPS = {"sample RUN -n 20 --out new/": "new sounds, a file each", "sample RUN -n 20 --out new.wav": "in a row"}


@dataclass(frozen=True, slots=True)
class SoundModel(Model):
    """A generator: latents in, spectrograms out, and from these waveforms."""

    steps: ClassVar[Mapping[str, str]] = NEXT_STEPS

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

    def sample(self, count: int, asked: Mapping[str, Any], seed: int) -> MadeSounds:
        """Sample sounds, named by their labels. Args: asked: label. Raises: InputError."""
        if count < 1:
            raise InputError(f"{count} sounds cannot be drawn.", "It must be a whole number from 1 on.")
        label = asked.get("label")
        labels = self.labels.draw(count, seed) if label is None else np.full(count, self.labels.index(label))
        return MadeSounds(self.grid.mel.rate, lambda: self._named(count, labels, seed))

    def _named(self, count: int, labels: NDArray[np.int64] | None, seed: int) -> Iterator[tuple[str, Samples]]:
        """Yield waveforms (T,) with a peak of PEAK, each with a name."""
        features = LogMel(self.grid.mel)
        drawn = (one[0] for block in self.blocks(count, labels, seed) for one in block)
        for number, levels in enumerate(drawn):
            waveform = to_waveform(levels, self.grid, features)
            label = f"{self.labels.names[labels[number]]}-".replace("/", "_") if labels is not None else ""
            yield f"{label}{number:05d}", waveform * (PEAK / max(float(np.abs(waveform).max(initial=0.0)), PEAK * 1e-3))

    def write(self, samples: MadeSounds, out: Path, *, force: bool) -> Path:
        """Write a folder with a file for each sound, or one file with all in a row (contracts.Model)."""
        return samples.write(out, force=force)


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
