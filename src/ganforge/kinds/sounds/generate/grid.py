"""Sounds as log-mel spectrograms of one size, in 256 levels, and the way back to a waveform.

Every sound is scaled to a peak of 1, so that one range of levels suits all, and filled up with silence, which is the
lowest level: else each recording's own noise would fill the rest of its spectrogram.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.core.cache import kept_or_filled
from ganforge.core.levels import HALF
from ganforge.engine.feed import ArrayFeed, Form
from ganforge.errors import DataError
from ganforge.kinds.sounds.features import LogMel, Mel, mel_griffin_lim
from ganforge.kinds.sounds.reading import Part, Samples, Sounds
from ganforge.planning.draft import Choice
from ganforge.recipe import Section

BANDS = 64  # of which a waveform comes back nearly as it was, at the spacing of Mel.at
RANGE = 9.2  # of the natural logarithm (80 dB): what is quieter, beside the loudest cell, is silence
MULTIPLE = 16  # frames: networks halve them
MOST_FRAMES = 256
LONGEST = 0.95  # quantile of the sounds' lengths that fits whole
QUIET_LEVEL = 12  # of 255: frames at the end of a sound that are nowhere louder are cut off
AT_ONCE = 256  # sounds
Levels = NDArray[np.uint8]


class Grid(Section):
    """How a sound becomes an array of levels (M, N)."""

    mel: Mel
    frames: int
    top: float  # the natural logarithm of a magnitude: level 255
    range: float = RANGE  # below it is level 0

    @property
    def samples(self) -> int:
        """Return the samples of a sound of all frames."""
        return (self.frames - 1) * self.mel.hop

    @property
    def shape(self) -> Choice:
        """Return the shape of an example, with its reason."""
        why = f"mel bands and frames, for {self.samples / self.mel.rate:.2f} s"
        return (1, self.mel.bands, self.frames), why


def grid_for(sounds: Sounds) -> Grid:
    """Choose bands, frames and levels for sounds. Raises: DataError if they are too short for two frames."""
    base, longest = Mel.at(sounds.rate), longest_of(sounds)
    hop = base.n_fft // 2
    frames = min(MOST_FRAMES, max(MULTIPLE, -(-int(longest / hop + 1) // MULTIPLE) * MULTIPLE))
    if longest < base.n_fft:
        raise DataError(
            f"The sounds are {longest / sounds.rate * 1000:.0f} ms long or shorter.",
            f"At {sounds.rate:,} Hz a spectrogram needs {base.n_fft / sounds.rate * 1000:.0f} ms.",
            "Give longer sounds.",
        )
    return grid_of(sounds, base.model_copy(update={"bands": BANDS, "hop": hop}), frames)


def longest_of(sounds: Sounds) -> float:
    """Return the samples within which nearly all sounds end."""
    return float(np.quantile(sounds.train.lengths, LONGEST))


def grid_of(sounds: Sounds, mel: Mel, frames: int) -> Grid:
    """Return a grid whose highest level is that of the loudest sounds."""
    grid = Grid(mel=mel, frames=frames, top=0.0)
    chosen = np.linspace(0, len(sounds.train) - 1, min(AT_ONCE, len(sounds.train))).round().astype(int)
    loudest = [float(log_mel_of(sounds.train[int(place)], grid, LogMel(mel)).max()) for place in chosen]
    return grid.model_copy(update={"top": round(float(np.quantile(loudest, 0.99)), 3)})


@torch.no_grad()
def log_mel_of(samples: Samples, grid: Grid, features: LogMel) -> NDArray[np.float32]:
    """Return (M, N) of a sound, scaled to a peak of 1 and cut or filled up to the grid's length."""
    fitted = np.zeros(grid.samples, np.float32)
    part = samples[: grid.samples]
    fitted[: len(part)] = part / max(float(np.abs(samples).max(initial=0.0)), 1e-6)
    log_mel: NDArray[np.float32] = features(torch.from_numpy(fitted)[None])[0].numpy()
    return log_mel


def levels_of(part: Part, grid: Grid, digest: str) -> Levels:
    """Return all sounds of a part as levels (n, 1, M, N), from the cache or into it. Args: digest of its sounds."""
    shape = (len(part), 1, grid.mel.bands, grid.frames)

    def fill(temporary: Path) -> None:
        features = LogMel(grid.mel)
        with (temporary / "levels").open("wb") as file:
            for place in range(len(part)):
                file.write(to_levels(log_mel_of(part[place], grid, features), grid).tobytes())

    words = f"2 {digest} {part.digest} {json.dumps(grid.content(), sort_keys=True)}"
    folder = kept_or_filled("spectrograms", words, fill)
    return np.memmap(folder / "levels", np.uint8, "r", shape=shape)


def to_levels(log_mel: NDArray[np.float32], grid: Grid) -> Levels:
    """Return log-mel spectrograms as levels 0..255 of the same shape."""
    share = (log_mel - (grid.top - grid.range)) / grid.range
    levels: Levels = np.rint(255 * np.clip(share, 0, 1)).astype(np.uint8)
    return levels


@torch.no_grad()
def to_waveform(levels: Levels, grid: Grid, features: LogMel) -> Samples:
    """Return the waveform (T,) of levels (M, N), by `mel_griffin_lim`, with silence at its end cut off."""
    heard = np.flatnonzero((levels > QUIET_LEVEL).any(axis=0))
    length = (int(heard[-1]) + 2 if len(heard) else 1) * grid.mel.hop
    log_mel = torch.from_numpy(levels.astype(np.float32))[None] / 255 * grid.range + grid.top - grid.range
    waveform = mel_griffin_lim(log_mel, features)[0].numpy()
    cut: Samples = waveform[: min(length, len(waveform))]
    return cut


def centred(stored: Tensor) -> Tensor:
    """Return levels (B, 1, M, N) as x in -1..1, channels_last."""
    x = stored.to(torch.get_default_dtype()).sub_(HALF).div_(HALF)
    return x.contiguous(memory_format=torch.channels_last)


SPECTROGRAMS = Form(centred, lambda rows: rows)


def spectrograms_of(sounds: Sounds, grid: Grid, device: torch.device | str = "cpu") -> tuple[ArrayFeed, ArrayFeed]:
    """Return sounds as levels: those that are trained on, and those that are held out."""
    train, held_out = (
        ArrayFeed(levels_of(part, grid, sounds.sha256), part.labels, device, form=SPECTROGRAMS)
        for part in (sounds.train, sounds.held_out)
    )
    return train, held_out
