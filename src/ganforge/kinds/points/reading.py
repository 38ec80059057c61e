"""Reading of points from a file or a built-in shape, split into two parts and scaled to unit variance."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.core.seeds import seed_for
from ganforge.engine.feed import TensorFeed
from ganforge.errors import DataError, did_you_mean
from ganforge.kinds.points import BUILT_IN, DIMENSIONS

FEWEST = 100  # different points: a fifth is held out, and the measures need some on either side
HELD_OUT = 0.2  # share of the points that is never trained on
BUILT_IN_POINTS = 20_000  # of a built-in shape
MOST_SKIPPED = 20  # lines that are named
Array = NDArray[np.float64]


def grid25(random: np.random.Generator) -> Array:
    """Sample 25 Gaussians on a 5 x 5 grid of spacing 2, with a standard deviation of 0.05."""
    centres = np.stack(np.meshgrid(np.arange(-4.0, 5, 2), np.arange(-4.0, 5, 2)), axis=-1).reshape(-1, 2)
    chosen = random.integers(0, len(centres), BUILT_IN_POINTS)
    return centres[chosen] + 0.05 * random.standard_normal((BUILT_IN_POINTS, 2))


def ring8(random: np.random.Generator) -> Array:
    """Sample 8 Gaussians on a circle of radius 2, with a standard deviation of 0.02 (Metz et al. 2017, section 3.1)."""
    angle = 2 * math.pi * random.integers(0, 8, BUILT_IN_POINTS) / 8
    centres = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return centres + 0.02 * random.standard_normal((BUILT_IN_POINTS, 2))


def two_moons(random: np.random.Generator) -> Array:
    """Sample two interleaved half circles of radius 1, with a standard deviation of 0.05 around them."""
    angle, lower = math.pi * random.random(BUILT_IN_POINTS), random.random(BUILT_IN_POINTS) < 0.5
    upper_moon = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower_moon = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    moons = np.where(lower[:, None], lower_moon, upper_moon)
    return moons + 0.05 * random.standard_normal((BUILT_IN_POINTS, 2))


SHAPES: Mapping[str, Callable[[np.random.Generator], Array]] = {
    "grid25": grid25,
    "ring8": ring8,
    "two_moons": two_moons,
}
"""How the points of each built-in data set are drawn."""


@dataclass(frozen=True, slots=True)
class Points:
    """Points opened for training. `train` and `held_out` are in the units of the file."""

    train: Array  # (N, F)
    held_out: Array  # (M, F)
    names: tuple[str, ...]  # of the coordinates
    sha256: str  # of all points, in the order of the file
    passport: Mapping[str, Any]

    @property
    def centre(self) -> Array:
        """(F,) mean of the training points."""
        centre: Array = self.train.mean(axis=0)
        return centre

    @property
    def scale(self) -> float:
        """Root mean square of the coordinates' standard deviations: one number, so that shapes keep their shape."""
        return float(np.sqrt(self.train.var(axis=0).mean()))

    def feed(self, part: Array, device: str) -> TensorFeed:
        """Return a feed of a part, scaled as (x - centre) / scale."""
        return TensorFeed(
            device, x=torch.from_numpy(np.ascontiguousarray((part - self.centre) / self.scale, np.float32))
        )


def open_points(source: str, seed: int) -> Points:
    """Read all points and hold out a fifth of them.

    Args: source a .csv or .npy file, or a name of SHAPES; seed of the split, not of the built-in shapes.
    Raises: DataError if the data is missing, does not have 2 or 3 numbers a row, or too little is usable.
    """
    skipped: list[str] = []
    names: tuple[str, ...] = ("x", "y")
    if source in SHAPES:
        x = SHAPES[source](np.random.default_rng(seed_for(0, f"points/{source}")))
    else:
        x, names = _read(Path(source).expanduser(), skipped)
    finite = np.isfinite(x).all(axis=1)
    x = x[finite]
    skipped += [f"{int((~finite).sum()):,} points with a coordinate that is not a finite number"] * (not finite.all())
    distinct = len(np.unique(x, axis=0))
    if distinct < FEWEST:
        raise DataError(
            f"{source!r} holds {distinct:,} different points.",
            f"At least {FEWEST} are needed: a fifth is held out, to judge with.",
            "Give more points, or try a built-in shape: " + ", ".join(SHAPES) + ".",
        )
    order = np.random.default_rng(seed_for(seed, "points/split")).permutation(len(x))
    held = max(1, round(HELD_OUT * len(x)))
    train, held_out = x[np.sort(order[held:])], x[np.sort(order[:held])]
    if not train.std(axis=0).all():
        flat = names[int(np.argmin(train.std(axis=0)))]
        raise DataError(f"The coordinate {flat!r} of {source!r} never changes.", "There is nothing to learn of it.")
    passport = {
        "source": source,
        "points": len(x),
        "training_points": len(train),
        "held_out_points": len(held_out),
        "coordinates": list(names),
        "range": {name: [float(low), float(high)] for name, low, high in zip(names, x.min(0), x.max(0), strict=True)},
        "repeated_points": len(x) - distinct,
        "skipped": skipped[:MOST_SKIPPED],
        "skipped_count": len(skipped),
        "warnings": _warnings(len(x), distinct),
    }
    return Points(train, held_out, names, hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest(), passport)


def _warnings(count: int, distinct: int) -> list[str]:
    if distinct < count / 2:
        return [f"{count - distinct:,} of {count:,} points repeat others: the model can learn them by heart."]
    return []


def _read(path: Path, skipped: list[str]) -> tuple[Array, tuple[str, ...]]:
    if not path.is_file():
        raise DataError(f"There is no file {str(path)!r}.", did_you_mean(str(path), BUILT_IN))
    return _read_array(path) if path.suffix.lower() == ".npy" else _read_text(path, skipped)


def _read_array(path: Path) -> tuple[Array, tuple[str, ...]]:
    try:
        x = np.load(path, allow_pickle=False, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}.", "It is not an array of numpy.") from error
    if x.ndim != 2 or x.shape[1] not in DIMENSIONS or x.dtype.kind not in "iuf":
        raise DataError(
            f"{str(path)!r} holds {x.dtype} of shape {x.shape}.",
            "Points are numbers of shape (N, 2) or (N, 3).",
            "Save them so with numpy.save.",
        )
    return np.asarray(x, np.float64), tuple("xyz"[: x.shape[1]])


def _read_text(path: Path, skipped: list[str]) -> tuple[Array, tuple[str, ...]]:
    """Read lines of 2 or 3 numbers; a first line of words names the coordinates."""
    names: tuple[str, ...] = ()
    rows: list[list[float]] = []
    for number, cells in _lines(path):
        values = [_float(cell) for cell in cells]
        if not names and not rows and all(value is None for value in values) and len(cells) in DIMENSIONS:
            names = tuple(cell.strip() for cell in cells)
        elif len(cells) == (len(rows[0]) if rows else len(cells)) in DIMENSIONS and None not in values:
            rows.append([value for value in values if value is not None])
        else:
            skipped.append(f"line {number}: {','.join(cells)[:60]!r}")
    if not rows:
        raise DataError(
            f"{str(path)!r} holds no points.",
            "A line of points is two or three numbers, separated by commas, semicolons, tabs or blanks.",
            "Give such a file; other tables are learned with --kind tables.",
        )
    x = np.array(rows, np.float64)
    return x, names if len(names) == x.shape[1] else tuple("xyz"[: x.shape[1]])


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number from 1 on, cells) of every non-empty line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            start = file.read(4096)
            file.seek(0)
            separator = next((mark for mark in (",", ";", "\t") if mark in start), " ")
            for number, cells in enumerate(csv.reader(file, delimiter=separator, skipinitialspace=True), 1):
                if cells:
                    yield number, cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}.", "It is not a text file of numbers.") from error


def _float(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
