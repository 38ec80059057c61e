"""The ruler's own test: faults planted on purpose in real pictures, and the measures that must notice them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ganforge.measures.intervals import Estimate

Pictures = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A way to spoil pictures, growing levels of it, and the measures that must get worse with every level."""

    plant: Callable[[Pictures, NDArray[np.int64], float, np.random.Generator], Pictures]  # pictures, labels, level
    levels: tuple[float, ...]
    unit: str
    noticed_by: tuple[str, ...]


def noise(pictures: Pictures, labels: NDArray[np.int64], level: float, random: np.random.Generator) -> Pictures:
    """Adds Gaussian noise of standard deviation `level`, of 255."""
    return _bytes(pictures.astype(np.float32) + random.normal(0, level, pictures.shape).astype(np.float32))


def blur(pictures: Pictures, labels: NDArray[np.int64], level: float, random: np.random.Generator) -> Pictures:
    """Averages 3x3 neighbours, `level` times."""
    x = torch.from_numpy(pictures.astype(np.float32))
    for _ in range(int(level)):
        x = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return _bytes(x.numpy())


def brightness(pictures: Pictures, labels: NDArray[np.int64], level: float, random: np.random.Generator) -> Pictures:
    """Moves every value towards white by the share `level`."""
    return _bytes(pictures + level * (255 - pictures.astype(np.float32)))


def dropped_classes(
    pictures: Pictures, labels: NDArray[np.int64], level: float, random: np.random.Generator
) -> Pictures:
    """Leaves out the first `level` (a share) of the labels; the others fill their place."""
    kinds = np.unique(labels)
    kept = np.flatnonzero(labels >= kinds[min(len(kinds) - 1, round(level * len(kinds)))])
    rows = np.concatenate([kept, random.choice(kept, len(pictures) - len(kept))])
    return _rows(pictures, rows)


def repeats(pictures: Pictures, labels: NDArray[np.int64], level: float, random: np.random.Generator) -> Pictures:
    """Leaves each picture `level` times on average, so that only 1 / level of them are different."""
    few = max(1, round(len(pictures) / level))
    rows = np.concatenate([np.arange(few), random.integers(0, few, len(pictures) - few)])
    return _rows(pictures, rows)


def swapped_patches(
    pictures: Pictures, labels: NDArray[np.int64], level: float, random: np.random.Generator
) -> Pictures:
    """Exchanges the upper left with the lower right quarter, in the share `level` of the pictures."""
    result = pictures.copy()
    some = random.random(len(pictures)) < level
    h, w = pictures.shape[2] // 2, pictures.shape[3] // 2
    result[some, :, :h, :w] = pictures[some, :, -h:, -w:]
    result[some, :, -h:, -w:] = pictures[some, :, :h, :w]
    return result


FAULTS: dict[str, Fault] = {
    "noise": Fault(
        plant=noise, levels=(10, 30, 80), unit="of 255", noticed_by=("frechet_distance", "kid", "precision", "density")
    ),
    "blur": Fault(plant=blur, levels=(1, 2, 4), unit="times 3x3", noticed_by=("frechet_distance", "kid")),
    "brightness": Fault(
        plant=brightness, levels=(0.1, 0.25, 0.5), unit="towards white", noticed_by=("frechet_distance", "kid")
    ),
    "dropped classes": Fault(
        plant=dropped_classes,
        levels=(0.2, 0.5, 0.8),
        unit="of the labels",
        noticed_by=("frechet_distance", "kid", "recall", "coverage"),
    ),
    "repeats": Fault(
        plant=repeats,
        levels=(4, 16, 64),
        unit="times each",
        noticed_by=("frechet_distance", "kid", "recall", "coverage"),
    ),
    "swapped patches": Fault(
        plant=swapped_patches,
        levels=(0.2, 0.5, 1.0),
        unit="of the pictures",
        noticed_by=("frechet_distance", "kid", "precision", "density"),
    ),
}


def grows_worse(estimates: Sequence[Estimate], better: Literal["lower", "higher"]) -> bool:
    """Whether a measure notices a fault, from its estimates at rising levels (unspoiled first).

    No step may go the wrong way by more than the two intervals allow (a share that has reached 0 can only stay there),
    and the last level must be worse than unspoiled with the intervals apart.
    """
    sign = 1 if better == "lower" else -1
    ends = [(min(sign * e.low, sign * e.high), max(sign * e.low, sign * e.high)) for e in estimates]
    never_back = all(later[1] >= earlier[0] for earlier, later in pairwise(ends))
    return never_back and ends[-1][0] > ends[0][1]


def _bytes(values: NDArray[np.float32]) -> Pictures:
    result: Pictures = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return result


def _rows(pictures: Pictures, rows: NDArray[np.int64]) -> Pictures:
    result: Pictures = pictures[rows]
    return result
