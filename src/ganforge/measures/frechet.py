"""The Frechet distance between two sets of features, each taken as a Gaussian (Heusel et al. 2017, equation 6)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganforge.measures.intervals import Estimate, from_jackknife

BLOCKS = 20  # left out in turn for the interval


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean (D,) and covariance (D, D) of a set of features, float64."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


def moments(features: NDArray[np.floating]) -> Moments:
    """Mean and unbiased covariance of features (N, D), N >= 2."""
    x = np.asarray(features, np.float64)
    return Moments(x.mean(0), np.atleast_2d(np.cov(x, rowvar=False)))


def distance_of_gaussians(a: Moments, b: Moments) -> float:
    """|mean_a - mean_b|^2 + tr(A) + tr(B) - 2 tr((A B)^(1/2)), unit feature^2, >= 0.

    The trace of the root is taken from the symmetric form A^(1/2) B A^(1/2), which has the same eigenvalues as A B but
    real ones, also when fewer samples than features make A or B singular.
    """
    values, vectors = np.linalg.eigh(a.covariance)
    root_a = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    middle = root_a @ b.covariance @ root_a
    root_trace = np.sqrt(np.maximum(np.linalg.eigvalsh((middle + middle.T) / 2), 0.0)).sum()
    shift = ((a.mean - b.mean) ** 2).sum()
    return max(0.0, float(shift + np.trace(a.covariance) + np.trace(b.covariance) - 2 * root_trace))


def frechet_distance(real: NDArray[np.floating], fake: NDArray[np.floating]) -> Estimate:
    """The distance of features real (N, D) and fake (M, D) with a 95 % interval by a block jackknife over both sets.

    The estimate is biased upwards, about as 1/N, and the interval is about the estimate AT THIS SAMPLE SIZE: compare it
    only with a floor of the same sizes. The rows must be in no order that matters.
    """
    value = distance_of_gaussians(moments(real), moments(fake))
    blocks = min(BLOCKS, len(real) // 2, len(fake) // 2)
    if blocks < 2:
        return Estimate(value, 0.0, float("inf"))
    without = zip(_leave_blocks_out(real, blocks), _leave_blocks_out(fake, blocks), strict=True)
    return from_jackknife(value, np.array([distance_of_gaussians(a, b) for a, b in without]))


def _leave_blocks_out(features: NDArray[np.floating], blocks: int) -> list[Moments]:
    """The moments without each block in turn, from sums, so that it costs no more than one covariance."""
    x = np.asarray(features, np.float64)
    centre = x.mean(0)  # sums of squares about the centre lose no digits
    parts = np.array_split(x - centre, blocks)
    sums = np.stack([part.sum(0) for part in parts])  # (blocks, D)
    squares = np.stack([part.T @ part for part in parts])  # (blocks, D, D)
    all_sums, all_squares = sums.sum(0), squares.sum(0)
    result = []
    for part, block_sum, block_squares in zip(parts, sums, squares, strict=True):
        count = len(x) - len(part)
        mean = (all_sums - block_sum) / count
        covariance = (all_squares - block_squares - count * np.outer(mean, mean)) / (count - 1)
        result.append(Moments(mean + centre, covariance))
    return result
