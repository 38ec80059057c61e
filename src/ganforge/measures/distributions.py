"""Distances of distributions and dependence of columns, with blocks of rows left out in turn.

Each returns the value of all rows, then that without each block, for a jackknife (intervals.from_jackknife).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.measures.intervals import Estimate, from_jackknife

Floats = NDArray[np.float64]


def kolmogorov_smirnov(real: Floats, fake: Floats, blocks: int = 1) -> Floats:
    """Return the largest distance of the two distribution functions; missing values sort below all others.

    Returns: (blocks + 1,): of all rows, then with each block of rows left out of both.
    """
    _, ranks = np.unique(np.concatenate([real, fake]), return_inverse=True, equal_nan=True)
    size = int(ranks.max()) + 1
    gap = block_shares(ranks[: len(real)], size, blocks) - block_shares(ranks[len(real) :], size, blocks)
    # NaN sorts last, so its share is taken off the end: as a value below all others it shifts every sum by its own gap.
    if np.isnan(real).any() or np.isnan(fake).any():
        gap = np.concatenate([gap[:, -1:], gap[:, :-1]], axis=1)
    largest: Floats = np.abs(np.cumsum(gap, axis=1)).max(axis=1)
    return largest


def total_variation(real: NDArray[np.int64], fake: NDArray[np.int64], size: int, blocks: int = 1) -> Floats:
    """Return half the sum of the differences of shares over codes 0..size-1, as kolmogorov_smirnov does."""
    distance: Floats = np.abs(block_shares(real, size, blocks) - block_shares(fake, size, blocks)).sum(axis=1) / 2
    return distance


def correlations(columns: Floats, blocks: int = 1) -> Floats:
    """Return Pearson's correlations over the rows where both values are present; 0 for constant columns.

    Args: columns (N, C), NaN for missing, of a scale near 1. Returns: (blocks + 1, C, C).
    """
    there = ~np.isnan(columns)
    filled = np.where(there, columns, 0.0)
    mask = there.astype(np.float64)
    sums = []
    for block in range(blocks):
        x, m = filled[block::blocks], mask[block::blocks]
        sums.append(np.stack([m.T @ m, x.T @ m, (x * x).T @ m, x.T @ x]))
    parts = np.stack(sums)  # (B, 4, C, C)
    n, s, q, xy = np.moveaxis(_left_out(parts), 1, 0)
    n = np.maximum(n, 1)
    spread = np.maximum(q - s * s / n, 0)
    covariance = xy - s * np.swapaxes(s, 1, 2) / n
    both = np.sqrt(spread * np.swapaxes(spread, 1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(both > 1e-12 * n, covariance / both, 0.0)
    return np.clip(found, -1.0, 1.0)


def cramers_v(shares: Floats, count: int) -> float:
    """Return bias-corrected Cramer's V, 0..1, the dependence of two categorical columns.

    Args: shares (A, B) of the cells, summing to 1; count the rows. Source: Bergsma 2013, equations 6 to 9.
    """
    shares = shares[shares.sum(axis=1) > 0][:, shares.sum(axis=0) > 0]
    rows, columns = shares.shape
    if min(rows, columns) < 2 or count < 2:
        return 0.0
    expected = np.outer(shares.sum(axis=1), shares.sum(axis=0))
    phi = float(((shares - expected) ** 2 / expected).sum())
    phi = max(0.0, phi - (rows - 1) * (columns - 1) / (count - 1))
    least = min(rows - (rows - 1) ** 2 / (count - 1), columns - (columns - 1) ** 2 / (count - 1)) - 1
    return min(1.0, (phi / least) ** 0.5) if least > 0 else 0.0


def block_shares(codes: NDArray[np.int64], size: int, blocks: int) -> Floats:
    """Return (blocks + 1, size): the share of each code, of all rows and with each block left out."""
    block = np.arange(len(codes)) % blocks
    counts = np.bincount(block * size + codes, minlength=blocks * size).reshape(blocks, size)
    kept = _left_out(counts)
    found: Floats = kept / np.maximum(kept.sum(axis=1, keepdims=True), 1)
    return found


def _left_out(parts: NDArray[Any]) -> Floats:
    """Sum all blocks, then all but each: (B, ...) -> (B + 1, ...)."""
    whole = parts.sum(axis=0, keepdims=True)
    return np.concatenate([whole, whole - parts])


def block_estimate(values: Floats) -> Estimate:
    """Return the score of all rows with a jackknife interval, clipped to 0..1. Args: values (B + 1,)."""
    if len(values) < 3:
        return Estimate(float(values[0]), 0.0, 1.0)
    found = from_jackknife(float(values[0]), values[1:])
    return Estimate(found.value, found.low, min(1.0, found.high))
