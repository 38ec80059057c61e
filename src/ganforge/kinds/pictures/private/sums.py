"""Noisy sums over pictures, each of sensitivity 1: adding or removing one record moves them by at most 1 in L2 norm.

A record is a coefficient vector with its cell: its label, or its label and the centre it is nearest to. Each function
gives exact sums scaled by `multiplier`-free weights, to which `noisy` adds N(0, multiplier^2). A record is in one cell
alone, so sums over cells have the sensitivity of one cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganforge.core.noise import PrivateNoise
from ganforge.kinds.pictures.private.coefficients import Coefficients, clipped

COUNT_WEIGHT = 0.3  # of a count in [count, sum]: the rest, sqrt(1 - 0.3^2), is the sum's
BINS = 48  # of norms
SMALLEST = 0.02  # of the largest norm that a picture can have: where the bins begin
INSIDE = 0.95  # of the records that a bound on norms should leave as they are

Cells = NDArray[np.int64]  # (N,)


@dataclass(frozen=True, slots=True)
class Sums:
    """Counts (G,) and means (G, D) of cells."""

    counts: NDArray[np.float64]
    means: NDArray[np.float64]


def exact_sums(vectors: Coefficients, cells: Cells, groups: int, bound: float) -> NDArray[np.float64]:
    """Return (G, 1 + D): weighted counts and sums of clipped vectors. Sensitivity 1.

    A record adds [w, sqrt(1 - w^2) v / bound] with |v| <= bound, whose norm is at most 1.
    """
    rows = np.empty((len(vectors), 1 + vectors.shape[1]))
    rows[:, 0] = COUNT_WEIGHT
    rows[:, 1:] = np.sqrt(1 - COUNT_WEIGHT**2) / bound * clipped(vectors, bound)
    found = np.zeros((groups, rows.shape[1]))
    np.add.at(found, cells, rows)
    return found


def means_of(released: NDArray[np.float64], bound: float, multiplier: float) -> Sums:
    """Return counts and means from noisy sums; a mean is drawn to 0 as far as the noise outweighs its cell."""
    counts = np.maximum(released[:, 0] / COUNT_WEIGHT, 1.0)
    means = released[:, 1:] * bound / np.sqrt(1 - COUNT_WEIGHT**2) / counts[:, None]
    noise = (multiplier * bound / counts) ** 2 * means.shape[1]
    length = np.square(means).sum(1)
    keep = np.clip(1 - noise / np.maximum(length, 1e-300), 0.0, 1.0)  # James and Stein 1961
    return Sums(counts, means * keep[:, None])


def exact_squares(vectors: Coefficients, cells: Cells, groups: int, bound: float) -> NDArray[np.float64]:
    """Return (G, D (D + 1) / 2): sums of v v^T / bound^2, off-diagonal entries times sqrt 2. Sensitivity 1.

    The norm of a record's part is the Frobenius norm of v v^T / bound^2, that is |v|^2 / bound^2 <= 1.
    """
    size = vectors.shape[1]
    upper = np.triu_indices(size)
    weights = np.where(upper[0] == upper[1], 1.0, np.sqrt(2.0))
    found = np.zeros((groups, len(weights)))
    short = clipped(vectors, bound) / bound
    for group in range(groups):
        mine = short[cells == group]
        found[group] = (mine.T @ mine)[upper] * weights
    return found


def squares_of(released: NDArray[np.float64], size: int, bound: float) -> NDArray[np.float64]:
    """Return the symmetric sums (G, D, D) of v v^T; noise of deviation m has m bound^2 / sqrt 2 off the diagonal."""
    rows, columns = np.triu_indices(size)
    weights = np.where(rows == columns, 1.0, np.sqrt(0.5))
    found = np.zeros((len(released), size, size))
    found[:, rows, columns] = released * weights * bound**2
    found[:, columns, rows] = found[:, rows, columns]
    return found


def norm_edges(largest: float) -> NDArray[np.float64]:
    """Return the public upper ends (BINS,) of the bins of norms. Args: largest norm that is possible."""
    return np.geomspace(SMALLEST * largest, largest, BINS)


def exact_norms(vectors: Coefficients, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many vectors (BINS,) have their norm in each bin. Sensitivity 1."""
    norms = np.sqrt(np.square(vectors).sum(1))
    return np.bincount(np.searchsorted(edges[:-1], norms), minlength=len(edges)).astype(np.float64)


def bound_of(released: NDArray[np.float64], edges: NDArray[np.float64]) -> float:
    """Return the least edge below which about INSIDE of the records are, by noisy counts."""
    below = np.cumsum(released)
    reached = below >= INSIDE * max(float(below[-1]), 1.0)
    return float(edges[np.argmax(reached) if reached.any() else -1])


def noisy(exact: NDArray[np.float64], multiplier: float, noise: PrivateNoise) -> NDArray[np.float64]:
    """Return sums of sensitivity 1 with noise."""
    return exact + noise.gaussian(exact.shape, multiplier)
