"""How different the samples are from each other, beside real pictures: the first thing that collapse destroys."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.measures.intervals import Estimate, from_standard_error

MOST = 2000  # pictures of each set that are compared pair by pair


def diversity(real: NDArray[np.floating], fake: NDArray[np.floating]) -> Estimate:
    """Mean distance between two fakes, divided by the mean distance between two real pictures.

    Args: features real (N, D) and fake (M, D), N, M >= 2; the first 2,000 rows of each are used.
    Returns: 1 for equally diverse, 0 for one picture repeated; above 1 where the samples are noisier than real ones.
        The interval is the delta method over both means, each a U-statistic with its first-order variance.
    """
    (real_mean, real_error), (fake_mean, fake_error) = _mean_distance(real), _mean_distance(fake)
    if real_mean == 0:
        return Estimate(1.0, 1.0, 1.0)
    ratio = fake_mean / real_mean
    return from_standard_error(ratio, math.hypot(fake_error, ratio * real_error) / real_mean, least=0.0)


def _mean_distance(features: NDArray[np.floating]) -> tuple[float, float]:
    """Mean over distinct pairs, and its standard error."""
    x = torch.from_numpy(np.ascontiguousarray(features[:MOST], np.float32))
    distance = torch.cdist(x, x)
    distance.fill_diagonal_(0)
    row_means = distance.sum(1, dtype=torch.float64) / (len(x) - 1)
    return float(row_means.mean()), 2 * float(row_means.std()) / math.sqrt(len(x))
