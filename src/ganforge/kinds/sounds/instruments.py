"""The built-in data set: sounds of three synthetic instruments, each one different in pitch, colour and decay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import lfilter

from ganforge.core.cache import kept
from ganforge.core.files import write_tree
from ganforge.core.seeds import seed_for

RATE, SECONDS, EACH = 8_000, 0.5, 200  # samples a second; of each sound; sounds of each instrument
Samples = NDArray[np.float64]


def pluck(random: np.random.Generator) -> Samples:
    """Play a plucked string: noise in a delay line that a mean of two samples dampens (Karplus and Strong 1983)."""
    period = int(RATE / random.uniform(110, 440))
    noise = np.zeros(int(RATE * SECONDS))
    noise[:period] = random.uniform(-1, 1, period)
    damping = random.uniform(0.97, 0.998) / 2
    loop = np.zeros(period + 2)
    loop[0], loop[period], loop[period + 1] = 1.0, -damping, -damping
    string: Samples = lfilter([1.0], loop, noise)
    return string


def bell(random: np.random.Generator) -> Samples:
    """Strike a bell: a sine whose phase is modulated at an inharmonic ratio (Chowning 1973)."""
    time = np.arange(int(RATE * SECONDS)) / RATE
    pitch, decay = random.uniform(200, 500), random.uniform(4, 9)
    depth = random.uniform(2, 5) * np.exp(-decay * time)
    struck: Samples = np.exp(-decay * time) * np.sin(
        2 * np.pi * pitch * time + depth * np.sin(2 * np.pi * 1.4 * pitch * time)
    )
    return struck


def drum(random: np.random.Generator) -> Samples:
    """Beat a drum: a falling sine, and a burst of noise."""
    time = np.arange(int(RATE * SECONDS)) / RATE
    fall, decay = random.uniform(15, 30), random.uniform(8, 14)
    phase = 2 * np.pi * (60 * time + random.uniform(60, 160) * (1 - np.exp(-fall * time)) / fall)
    noise = random.uniform(0.1, 0.4) * random.standard_normal(len(time)) * np.exp(-60 * time)
    beaten: Samples = np.exp(-decay * time) * np.sin(phase) + noise
    return beaten


PLAYED: Mapping[str, Callable[[np.random.Generator], Samples]] = {"bell": bell, "drum": drum, "pluck": pluck}


def instruments() -> Path:
    """Return the folder of the data set in the cache, written if it is not there: a subfolder for each instrument."""
    folder = kept("sounds-built-in", "instruments 1")

    def fill(temporary: Path) -> None:
        for name, play in PLAYED.items():
            (temporary / name).mkdir()
            for number in range(EACH):
                sound = play(np.random.default_rng(seed_for(0, f"instruments/{name}", step=number)))
                path = temporary / name / f"{number:03d}.wav"
                soundfile.write(path, 0.8 * sound / np.abs(sound).max(), RATE, subtype="PCM_16")

    if not folder.is_dir():
        write_tree(folder, fill)
    return folder
