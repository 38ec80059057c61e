"""Measures of generated points: distance, neighbours and modes, for samples, a Gaussian, a mixture and real points."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN
from sklearn.mixture import GaussianMixture

from ganforge.core.seeds import seed_for
from ganforge.measures.intervals import Estimate, from_jackknife, of_share
from ganforge.measures.neighbours import neighbour_scores
from ganforge.records import Meaning

Array = NDArray[np.float64]
DIRECTIONS = 64  # on which distances are measured
BLOCKS = 10  # that are left out in turn, for an interval
MOST = 5_000  # points of each side
MOST_CLUSTERED = 5_000  # real points in which modes are sought
LEAST_MODE = 0.01  # share of the real points: fewer are not a mode
DUE = 0.2  # of its share among real points: a mode with more counts as reached
REACH = 0.99  # quantile of the distances of a mode's own points to its centre, within which a point lies on it
SLACK = 1.25  # times that distance
MOST_COMPONENTS = 32  # of the rival mixture

MEANINGS: Mapping[str, Meaning] = {
    "sliced_wasserstein": Meaning(
        "lower", "How far points have to be moved to become the real ones, in standard deviations of the data."
    ),
    "modes_reached": Meaning("higher", "Share of the clusters of the real points on which samples lie, too."),
    "on_modes": Meaning("higher", "Share of the samples that lie on a cluster of the real points, not between them."),
    "precision": Meaning("higher", "Share of samples that lie as near to a real point as real points do."),
    "recall": Meaning("higher", "Share of real points as near to a sample as samples are to each other."),
}


@dataclass(frozen=True, slots=True)
class Modes:
    """Clusters of the real points."""

    centres: Array  # (K, F)
    radii: Array  # (K,), within which a point lies on the mode
    shares: Array  # (K,) of the real points

    @staticmethod
    def find(real: Array, seed: int = 0) -> Modes:
        """Find clusters with HDBSCAN (Campello et al. 2013); a single one with all points if it finds none.

        Args: real (N, F); at most MOST_CLUSTERED of them are used.
        """
        random = np.random.default_rng(seed_for(seed, "points/modes"))
        x = real[random.permutation(len(real))[:MOST_CLUSTERED]]
        least = max(5, round(LEAST_MODE * len(x)))
        label = HDBSCAN(min_cluster_size=least, allow_single_cluster=True, copy=True).fit_predict(x)
        if label.max() < 0:
            label = np.zeros(len(x), np.int64)
        groups = [x[label == number] for number in range(label.max() + 1)]
        centres = np.stack([group.mean(axis=0) for group in groups])
        radii = [np.quantile(np.linalg.norm(g - c, axis=1), REACH) for g, c in zip(groups, centres, strict=True)]
        shares = np.array([len(group) for group in groups], float)
        return Modes(centres, SLACK * np.array(radii), shares / shares.sum())

    def __len__(self) -> int:
        return len(self.centres)

    def of(self, points: Array) -> NDArray[np.int64]:
        """Return (N,) the index of the nearest mode that each point lies on, -1 for none."""
        distance = np.linalg.norm(points[:, None] - self.centres[None], axis=2)  # (N, K)
        nearest = distance.argmin(axis=1)
        on = distance[np.arange(len(points)), nearest] <= self.radii[nearest]
        return np.where(on, nearest, -1)

    def shares_of(self, points: Array) -> Array:
        """Return (K,) the share of the points that lie on each mode."""
        return np.bincount(self.of(points) + 1, minlength=len(self) + 1)[1:] / len(points)

    def missing(self, points: Array) -> NDArray[np.int64]:
        """Return the indices of the modes that get less than DUE of their share of the points, or none."""
        return np.flatnonzero(self.shares_of(points) < np.maximum(1 / len(points), DUE * self.shares))


def scores(real: Array, fake: Array, modes: Modes) -> dict[str, Estimate]:
    """Compute every measure of fake points (M, F) against real ones (N, F), in standard deviations of the data."""
    random = np.random.default_rng(seed_for(0, "points/scores"))
    real, fake = random.permutation(real)[:MOST], random.permutation(fake)[:MOST]
    on = modes.of(fake) >= 0
    near = neighbour_scores(real, fake)
    return {
        "sliced_wasserstein": sliced_wasserstein(real, fake),
        "modes_reached": of_share(len(modes) - len(modes.missing(fake)), len(modes)),
        "on_modes": of_share(int(on.sum()), len(on)),
        "precision": near["precision"],
        "recall": near["recall"],
    }


def sliced_wasserstein(real: Array, fake: Array) -> Estimate:
    """Return the sliced 1-Wasserstein distance (Rabin et al. 2011), averaged over directions, with a jackknife.

    Args: real (N, F), fake (M, F), each in random order: the longer one is cut to the length of the other.
    """
    count = min(len(real), len(fake))
    directions = _directions(real.shape[1])
    sides = real[:count] @ directions, fake[:count] @ directions  # (N, S) each
    block = np.arange(count) * BLOCKS // count
    without = [_distance(*(side[block != left_out] for side in sides)) for left_out in range(BLOCKS)]
    return from_jackknife(_distance(*sides), np.array(without))


def _distance(real: Array, fake: Array) -> float:
    """Return the distance of projections (N, S) and (N, S): in 1-D the optimal transport keeps the order of points."""
    return float(np.abs(np.sort(real, axis=0) - np.sort(fake, axis=0)).mean())


def _directions(dimensions: int) -> Array:
    """Return (F, S) unit vectors, spread evenly over half a circle, or over the sphere along a spiral."""
    place = (np.arange(DIRECTIONS) + 0.5) / DIRECTIONS
    if dimensions == 2:
        return np.stack([np.cos(math.pi * place), np.sin(math.pi * place)])
    height, angle = 1 - 2 * place, math.pi * (1 + math.sqrt(5)) * np.arange(DIRECTIONS)
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height])


def gaussian(train: Array, count: int, seed: int = 0) -> Array:
    """Sample a Gaussian with the mean and covariance of the training points, the simplest generator."""
    random = np.random.default_rng(seed_for(seed, "points/gaussian"))
    return random.multivariate_normal(train.mean(axis=0), np.cov(train.T), count)


def mixture(train: Array, count: int, seed: int = 0) -> tuple[Array, int]:
    """Sample a Gaussian mixture fitted by expectation maximisation, and return its number of components.

    That is the one with the least BIC among 1, 2, 4, 8, ..., then among the numbers around it.
    """
    x = train[:MOST_CLUSTERED]
    tried: dict[int, GaussianMixture] = {}

    def bic(components: int) -> float:
        if components not in tried:
            state = seed_for(seed, "points/mixture") % 2**32
            tried[components] = GaussianMixture(components, n_init=2, random_state=state).fit(x)
        return float(tried[components].bic(x))

    best = min((2**power for power in range(int(math.log2(MOST_COMPONENTS)) + 1)), key=bic)
    best = min(range(max(1, best * 3 // 4), min(MOST_COMPONENTS, best * 3 // 2) + 1, max(1, best // 8)), key=bic)
    fitted = tried[best]
    fitted.random_state = seed_for(seed, "points/mixture samples") % 2**32
    points = fitted.sample(count)[0]  # sorted by component
    return np.random.default_rng(fitted.random_state).permutation(points), best
