"""Memory of sounds: a file of hours through a vocoder, and a hundred thousand short files.

    python benchmarks/sounds_memory.py hours RUN [--hours 2]     # apply: peak memory, and whether there is a seam
    python benchmarks/sounds_memory.py files [--count 100000]    # opening: peak memory, and again from the cache

Each is measured in a process of its own; the sounds are synthetic, and gone afterwards.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from ganforge.kinds.sounds.reading import open_sounds
from ganforge.kinds.sounds.vocode.model import load_vocoder, stream_of

RATE = 8_000
MINUTE = 60 * RATE
WINDOW = 40  # seconds of the long file that are compared with one pass, at several places


def peak() -> float:
    """Return the peak of this process's memory in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def minute_of(number: int) -> np.ndarray:
    """A minute of a gliding harmonic tone in noise, with pauses."""
    random, time_ = np.random.default_rng(number), np.arange(MINUTE) / RATE
    phase = 2 * np.pi * np.cumsum(150 + 60 * np.sin(2 * np.pi * (0.3 + 0.01 * (number % 7)) * time_)) / RATE
    tone = sum(np.sin(k * phase) / k for k in range(1, 12))
    loud = np.clip(np.sin(2 * np.pi * 0.7 * time_) + 0.5, 0, 1)
    return (0.15 * loud * tone + 0.003 * random.standard_normal(MINUTE)).astype(np.float32)


def write_long(path: Path, hours: float) -> None:
    with soundfile.SoundFile(path, "w", RATE, 1, "FLOAT") as file:
        for number in range(round(60 * hours)):
            file.write(minute_of(number))


def apply(run: Path, source: Path, out: Path) -> None:
    begun, before = time.process_time(), peak()
    load_vocoder(run / "model").apply(source, out, {}, ())
    seconds = soundfile.info(source).duration
    spent = time.process_time() - begun
    print(f"{seconds / 3600:.2f} h: {peak():.0f} MiB at most ({before:.0f} before), {spent:.0f} CPU s,", end=" ")
    print(f"{seconds / spent:.0f} times real time")


def seams(run: Path, source: Path, out: Path) -> float:
    """Return the largest difference from one pass over a stretch, away from the stretch's own ends."""
    model, worst, edge = load_vocoder(run / "model"), 0.0, 2 * RATE
    total = soundfile.info(source).frames
    for first in np.linspace(0, total - WINDOW * RATE, 12).astype(int) // 64 * 64:
        given, made = (soundfile.read(path, WINDOW * RATE, int(first), dtype="float32")[0] for path in (source, out))
        whole = stream_of(model.network, model.refinements, chunk=10**6).whole(given)
        worst = max(worst, float(np.abs(whole - made)[edge:-edge].max()))
    return worst


def open_files(folder: Path) -> None:
    begun = time.process_time()
    passport = open_sounds(str(folder)).passport
    print(f"{passport['sounds']:,} sounds: {peak():.0f} MiB at most, {time.process_time() - begun:.0f} CPU s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["hours", "files", "apply", "open"])
    parser.add_argument("paths", type=Path, nargs="*")
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--count", type=int, default=100_000)
    asked = parser.parse_args()
    if asked.what == "apply":
        return apply(*asked.paths)
    if asked.what == "open":
        return open_files(*asked.paths)

    def in_its_own_process(*words: object) -> None:
        subprocess.run([sys.executable, __file__, *map(str, words)], check=True, env=environment)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {**os.environ, "GANFORGE_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
        if asked.what == "hours":
            write_long(folder / "long.wav", asked.hours)
            in_its_own_process("apply", asked.paths[0], folder / "long.wav", folder / "made.wav")
            print(f"{seams(asked.paths[0], folder / 'long.wav', folder / 'made.wav'):.1g} from one pass at most")
        else:
            (folder / "sounds").mkdir()
            random = np.random.default_rng(0)
            for number in range(asked.count):
                x = 0.1 * random.standard_normal(RATE // 4)
                soundfile.write(folder / "sounds" / f"{number:06d}.wav", x, RATE)
            for _ in range(2):
                in_its_own_process("open", folder / "sounds")
    return None


if __name__ == "__main__":
    main()
