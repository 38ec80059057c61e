"""New sounds of labels, read by an independent classifier, beside real takes and what needs no training.

    python benchmarks/sounds_generate.py RECORDINGS --minutes 10 --seeds 0 1 2

RECORDINGS has a subfolder a label. Files whose name's md5 begins with 0, 1 or 2 are held out, and never copied into the
training folder. Everything is judged as the waveform that `ganforge sample` writes. The judge is a convolutional
network of this file, trained on the training takes with a window and bands of its own; its own score on held-out takes
is printed first. Distances are those of its features (32), of half of the held-out takes; the other half is the floor.

Columns: right (share read as the label asked for), frechet and kernel distance, copies (share nearer to a training take
than 99 of 100 held-out takes are), spread (mean distance of two sounds of a label, that of real takes is 1).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

import ganforge as gf
from ganforge.engine.feed import ArrayFeed
from ganforge.kinds.sounds.features import LogMel, Mel
from ganforge.kinds.sounds.generate.grid import (
    Grid,
    grid_for,
    log_mel_of,
    spectrograms_of,
    to_levels,
    to_waveform,
)
from ganforge.kinds.sounds.generate.mixture import Refiner
from ganforge.kinds.sounds.generate.model import load_generator
from ganforge.kinds.sounds.reading import open_sounds
from ganforge.kinds.sounds.sound_file import read_sound
from ganforge.measures.distances import frechet_distance, kernel_distance
from ganforge.measures.neighbours import nearest

BANDS, FRAMES, RANGE = 40, 64, 7.0  # of the judge; the natural logarithm (61 dB) below the loudest cell
FEATURES, STEPS, BATCH = 32, 1500, 64
Sound = NDArray[np.float32]


@dataclass(frozen=True)
class Takes:
    """Waveforms (T,) and their labels."""

    sounds: list[Sound]
    labels: NDArray[np.int64]

    def of(self, chosen: NDArray[np.integer] | NDArray[np.bool_]) -> Takes:
        places = np.arange(len(self.labels))[chosen]
        return Takes([self.sounds[place] for place in places], self.labels[places])


def held_out(path: Path) -> bool:
    return hashlib.md5(path.name.encode()).hexdigest()[0] in "012"


def read(files: Sequence[Path], names: Sequence[str], rate: int) -> Takes:
    labels = np.array([names.index(path.parent.name) for path in files])
    return Takes([read_sound(path, rate).mean(axis=1) for path in files], labels)


class Pictures:
    """What the judge sees of a sound: a log-mel spectrogram of FRAMES frames, its loudest cell at 1."""

    def __init__(self, rate: int, seconds: float) -> None:
        n_fft = 2 ** round(np.log2(0.05 * rate))
        self.length = int(seconds * rate)
        self.features = LogMel(Mel(rate=rate, n_fft=n_fft, hop=max(4, self.length // FRAMES), bands=BANDS))

    @torch.no_grad()
    def of(self, sounds: Sequence[Sound]) -> Tensor:
        """Return (n, 1, BANDS, FRAMES) in 0..1."""
        fitted = torch.zeros(len(sounds), self.length)
        for row, sound in enumerate(sounds):
            fitted[row, : len(sound)] = torch.from_numpy(sound[: self.length] / max(np.abs(sound).max(), 1e-6))
        log_mel = torch.cat([self.features(part) for part in fitted.split(100)])[..., :FRAMES]
        top = log_mel.amax(dim=(1, 2), keepdim=True)
        return (1 + (log_mel - top) / RANGE).clamp(0, 1)[:, None]


class Judge(nn.Module):
    """Pictures -> features (B, FEATURES) -> scores of labels."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        widths = (1, 24, 48, 64, 64)
        self.layers = nn.Sequential()
        for into, out in pairwise(widths):
            self.layers += nn.Sequential(nn.Conv2d(into, out, 3, 2, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU())
        self.last = nn.Linear(64 * -(-BANDS // 16) * -(-FRAMES // 16), FEATURES)
        self.head = nn.Linear(FEATURES, labels)

    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.last(F.dropout(self.layers(x).flatten(1), 0.3, self.training)))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.features(x))
        return scores


def changed(x: Tensor, random: torch.Generator) -> Tensor:
    """Shift each spectrogram a little in time, and hide a band of frequencies and one of frames in it."""
    for one in x:
        shift = int(torch.randint(-3, 4, (1,), generator=random))
        one[:] = torch.roll(one, shift, dims=2)
        low, first = (int(torch.randint(0, side - 5, (1,), generator=random)) for side in (BANDS, FRAMES))
        one[:, low : low + 5] = 0
        one[:, :, first : first + 5] = 0
    return x


def train_judge(x: Tensor, labels: NDArray[np.int64]) -> Judge:
    torch.manual_seed(0)
    random = torch.Generator().manual_seed(0)
    judge, y = Judge(int(labels.max()) + 1), torch.from_numpy(labels)
    optimiser = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=0.02)
    steps = min(STEPS, 5 * len(x))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, steps)
    for _ in range(steps):
        chosen = torch.randint(0, len(x), (min(BATCH, len(x)),), generator=random)
        loss = F.cross_entropy(judge(changed(x[chosen].clone(), random)), y[chosen], label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return judge.eval()


class Scores:
    """Scores of takes by a judge that is trained on the training takes."""

    def __init__(self, train: Takes, kept: Takes, rate: int) -> None:
        self.pictures = Pictures(rate, float(np.quantile([len(x) for x in train.sounds], 0.95)) / rate)
        self.judge = train_judge(self.pictures.of(train.sounds), train.labels)
        self.train, self.kept = self.features(train), self.features(kept)
        self.scale = 1 / np.sqrt(self.train.var(axis=0).mean())  # one for all: a feature that hardly varies stays small
        order = np.random.default_rng(0).permutation(len(kept.labels))
        self.reference, self.floor = order[::2], order[1::2]
        self.near = float(np.quantile(nearest(self.kept, self.train, 1)[:, 0], 0.01))
        self.spread = spread(self.kept, kept.labels)

    @torch.no_grad()
    def features(self, takes: Takes) -> NDArray[np.float32]:
        return self.judge.features(self.pictures.of(takes.sounds)).numpy()

    @torch.no_grad()
    def of(self, takes: Takes) -> dict[str, float]:
        """Return the scores of takes. Distances are means over parts as large as the reference."""
        features = self.features(takes)
        read_as = self.judge.head(torch.from_numpy(features)).argmax(1).numpy()
        real, size = self.kept[self.reference] * self.scale, len(self.reference)
        order = np.random.default_rng(1).permutation(len(features))
        parts = [order[first : first + size] for first in range(0, max(1, len(order) - size + 1), size)]
        return {
            "right": float((read_as == takes.labels).mean()),
            "frechet": float(np.mean([frechet_distance(real, features[one] * self.scale).value for one in parts])),
            "kernel": float(kernel_distance(real, features * self.scale).value),
            "copies": float((nearest(features, self.train, 1)[:, 0] < self.near).mean()),
            "spread": spread(features, takes.labels) / self.spread,
        }


def spread(features: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the mean distance of two sounds of one label."""
    own = [torch.from_numpy(features[labels == label]) for label in np.unique(labels)]
    return float(torch.cat([F.pdist(part) for part in own if len(part) > 1]).mean())


def gaussian(x: NDArray[np.float32], labels: NDArray[np.int64], asked: NDArray[np.int64], most: int) -> Sound:
    """Draw from a Gaussian in the principal components of each label: x (N, P) -> (n, P)."""
    random, drawn = np.random.default_rng(0), np.empty((len(asked), x.shape[1]), np.float32)
    for label in np.unique(asked):
        own = x[labels == label]
        _, sizes, directions = np.linalg.svd(own - own.mean(axis=0), full_matrices=False)
        count = min(most, len(own) - 1)
        noise = random.standard_normal((int((asked == label).sum()), count)) * sizes[:count] / np.sqrt(len(own) - 1)
        drawn[asked == label] = own.mean(axis=0) + noise @ directions[:count]
    return drawn


def mixed(x: NDArray[np.float32], labels: NDArray[np.int64], asked: NDArray[np.int64], share: float) -> Sound:
    """Draw a take of the label, and mix it with another one in up to a share."""
    random = np.random.default_rng(0)
    pairs = np.stack([random.choice(np.flatnonzero(labels == label), 2) for label in asked])
    part = random.uniform(0, share, (len(asked), 1)).astype(np.float32)
    return (1 - part) * x[pairs[:, 0]] + part * x[pairs[:, 1]]


def untrained_rivals(
    train: ArrayFeed, grid: Grid, asked: NDArray[np.int64], kept: Takes
) -> dict[str, Callable[[], Takes]]:
    """Return what needs no network, as takes made through the same levels and phases. Args: kept held-out takes."""
    labels = train.labels if train.labels is not None else np.zeros(len(train), np.int64)
    x = train.examples().astype(np.float32).reshape(len(train), -1)
    features = LogMel(grid.mel)

    def heard(drawn: NDArray[np.float32], of: NDArray[np.int64]) -> Takes:
        levels = np.rint(drawn.clip(0, 255)).astype(np.uint8).reshape(-1, grid.mel.bands, grid.frames)
        return Takes([to_waveform(one, grid, features) for one in levels], of)

    def through() -> Takes:
        levels = [to_levels(log_mel_of(one, grid, features), grid).reshape(-1) for one in kept.sounds]
        return heard(np.stack(levels).astype(np.float32), kept.labels)

    return {
        "held-out takes, through levels": through,
        **{
            f"Gaussian a label, {count} components": lambda count=count: heard(gaussian(x, labels, asked, count), asked)  # type: ignore[misc]
            for count in (10, 30, 100)
        },
        "two takes mixed": lambda: heard(mixed(x, labels, asked, 0.5), asked),
    }


def report(name: str, told: dict[str, float], seconds: float) -> None:
    print(
        f"{name:44}", " ".join(f"{key} {value:.3f}" for key, value in told.items()), f"CPU {seconds:.0f} s", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--examples", type=int, help="instead of minutes")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--no-rivals", action="store_true", help="judge ganforge's sounds alone")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    names = sorted(path.name for path in asked.recordings.iterdir() if path.is_dir())
    files = sorted(path for path in asked.recordings.rglob("*") if path.is_file())
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "train"
        for path in files:
            if not held_out(path):
                (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
                shutil.copy(path, folder / path.parent.name)
        sounds = open_sounds(str(folder), labelled=True)
        train = read([path for path in files if not held_out(path)], names, sounds.rate)
        kept = read([path for path in files if held_out(path)], names, sounds.rate)
        start = time.process_time()
        scores = Scores(train, kept, sounds.rate)
        report("held-out takes", scores.of(kept.of(scores.floor)), time.process_time() - start)
        read_rightly = scores.of(kept)["right"]
        print(
            f"{len(train.labels)} takes to learn from, {len(kept.labels)} held out, {read_rightly:.3f} read rightly",
            flush=True,
        )
        wanted = np.random.default_rng(0).choice(train.labels, asked.count)
        if not asked.no_rivals:
            grid = grid_for(sounds)
            found, _ = spectrograms_of(sounds, grid)
            for name, make in untrained_rivals(found, grid, wanted, kept.of(scores.floor)).items():
                start = time.process_time()
                report(name, scores.of(make()), time.process_time() - start)
        settings = dict(one.split("=", 1) for one in asked.set)
        for seed in asked.seeds:
            length = {"examples": asked.examples} if asked.examples else {"minutes": asked.minutes}
            start = time.process_time()
            run = gf.train(folder, run=Path(scratch) / f"run{seed}", seed=seed, settings=settings, **length)
            spent = time.process_time() - start
            model = load_generator(run.folder / "model")
            assert isinstance(model.network, Refiner)
            chosen = float(model.network.strength)
            for strength, side in ((0.0, "mixture alone"), (1.0, "refined")):
                model.network.strength.fill_(strength)
                made: list[Sound] = []
                for label in np.unique(wanted):
                    made += model.sample(int((wanted == label).sum()), {"label": names[label]}, seed).value()
                mark = ", which `sample` draws" if strength == chosen else ""
                report(f"seed {seed}: {side}{mark}", scores.of(Takes(made, np.sort(wanted))), spent)
            print(f"   {run.verdict}", flush=True)


if __name__ == "__main__":
    main()
