"""Does the generator return training pictures? Distances to the nearest one, calibrated by unseen real pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ganforge.measures.intervals import Estimate, of_share
from ganforge.measures.neighbours import nearest

FAR = 10  # the neighbour whose distance says how crowded a place is
RARE = 0.01  # the share of unseen real pictures that may look like copies
SUSPICIOUS = 0.05  # the share of samples from which on copying is called out


@dataclass(frozen=True, slots=True)
class Copying:
    """What the distances say. `share`: samples nearer to one training picture than 99 % of unseen real ones are."""

    share: Estimate
    unseen: float  # the same share among unseen real pictures, each half judged by the other
    z: float  # Meehan's C_T in the first space; far below 0 where samples as a whole lie too near
    suspected: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Space:
    """The same pictures as vectors of one kind (judge features, or small pixels): (N, D), (H, D), (M, D)."""

    train: NDArray[np.floating]
    held_out: NDArray[np.floating]
    samples: NDArray[np.floating]


def copying(spaces: Sequence[Space], train_count: int | None = None) -> Copying:
    """Looks for training pictures among the samples.

    Args: spaces hold the training pictures that are searched; train_count how many the generator was trained on, by
        default those. Where only a part is searched, only that part of the copies can be found.

    A picture's closeness is d1 / d10: the distance to its nearest training picture relative to its tenth nearest. A
    plain distance would also be small for samples that are merely blurred or simple, near to everything; a copy is near
    to ONE picture. (Carlini et al. 2023 normalise likewise.) In each space the threshold is the closeness below which
    RARE / len(spaces) of the unseen real pictures lie; a sample that is below it in any space counts. Suspected, when
    the share's lower end is above what the calibration leaves possible and the share is at least SUSPICIOUS, times the
    part of the training pictures that was searched.
    """
    unseen = [_closeness(space.held_out, space.train) for space in spaces]
    fake = [_closeness(space.samples, space.train) for space in spaces]
    counted = _rare(unseen, fake)
    share = of_share(int(counted.sum()), len(counted))
    half = len(unseen[0]) // 2
    halves = (
        _rare([u[:half] for u in unseen], [u[half:] for u in unseen]),
        _rare([u[half:] for u in unseen], [u[:half] for u in unseen]),
    )
    floor = float(np.concatenate(halves).mean()) if half else RARE
    below = int(_rare(unseen, unseen).sum())
    possible = float(stats.beta.ppf(0.975, below + 1, len(unseen[0]) - below + 1))  # of the true unseen share
    searched = len(spaces[0].train)
    part = min(1.0, searched / (train_count or searched))
    suspected = share.value >= SUSPICIOUS * part and share.low > possible
    z = mann_whitney_z(
        nearest(spaces[0].samples, spaces[0].train, 1)[:, 0], nearest(spaces[0].held_out, spaces[0].train, 1)[:, 0]
    )
    return Copying(share, floor, z, suspected, _sentence(share, floor, suspected, searched, train_count or searched))


def mann_whitney_z(fake_distances: NDArray[np.floating], unseen_distances: NDArray[np.floating]) -> float:
    """C_T of Meehan et al. 2020: how many standard deviations the rank sum of distances to the training pictures lies
    above (> 0, farther: underfitting) or below (< 0, nearer: copying) that of unseen real pictures."""
    m, n = len(fake_distances), len(unseen_distances)
    u = float(stats.mannwhitneyu(fake_distances, unseen_distances, method="asymptotic").statistic)
    return (u - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)


def _closeness(pictures: NDArray[np.floating], train: NDArray[np.floating]) -> NDArray[np.float64]:
    distances = nearest(pictures, train, FAR).astype(np.float64)
    return distances[:, 0] / np.maximum(distances[:, -1], 1e-12)


def _rare(unseen: Sequence[NDArray[np.float64]], pictures: Sequence[NDArray[np.float64]]) -> NDArray[np.bool_]:
    """Which pictures are at or below the threshold in any space; at, because data may hold repeats at distance 0."""
    marks = np.zeros(len(pictures[0]), dtype=bool)
    for u, p in zip(unseen, pictures, strict=True):
        marks |= p <= np.quantile(u, RARE / len(unseen), method="lower")
    return marks


def _sentence(share: Estimate, floor: float, suspected: bool, searched: int, train_count: int) -> str:
    among = f" (among {searched:,} of the {train_count:,} that it was trained on)" if searched < train_count else ""
    numbers = (
        f"{share.value:.1%} of the samples lie unusually close to one training picture{among}; "
        f"of real pictures that were never shown, {floor:.1%} do."
    )
    if suspected:
        return numbers + " That is far more than chance: the generator returns training pictures."
    return numbers + " There is no sign that training pictures are copied."
