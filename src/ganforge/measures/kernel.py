"""The kernel distance (KID): the squared maximum mean discrepancy under a cubic kernel (Binkowski et al. 2018)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.measures.intervals import Estimate, from_standard_error
from ganforge.measures.neighbours import rows_at_once


@dataclass(frozen=True, slots=True)
class _Kernel:
    """What is kept of a kernel matrix: its rows' and columns' means, and the mean of its squares."""

    row_means: NDArray[np.float64]
    column_means: NDArray[np.float64]
    mean: float
    mean_square: float

    def interaction(self) -> float:
        """The mean square of what neither row nor column explains (the last term of Hoeffding's decomposition)."""
        return max(0.0, self.mean_square - self.mean**2 - float(self.row_means.var() + self.column_means.var()))


def kernel_distance(real: NDArray[np.floating], fake: NDArray[np.floating]) -> Estimate:
    """MMD^2 of features real (N, D) and fake (M, D) under k(x, y) = (x.y / D + 1)^3, unbiased, so it may be below 0.

    Every pair counts once (the U-statistic): where the usual average over blocks of 100 to 1,000 throws most pairs
    away, this has the smallest spread that the samples allow. The interval is normal; its variance is the first-order
    term of Hoeffding's decomposition plus the second-order one, so that it is honest also when both sets come from
    the same distribution and the first vanishes. N, M >= 3.
    """
    x, y = _tensor(real), _tensor(fake)
    n, m = len(x), len(y)
    xx, yy, xy = _kernel(x, x), _kernel(y, y), _kernel(x, y)
    value = xx.mean + yy.mean - 2 * xy.mean
    ixx, iyy, ixy = xx.interaction(), yy.interaction(), xy.interaction()
    # The spread of row means holds noise of size interaction / columns; it belongs to the second order, not the first.
    first_x = max(0.0, float((xx.row_means - xy.row_means).var()) - ixx / n - ixy / m)
    first_y = max(0.0, float((yy.row_means - xy.column_means).var()) - iyy / m - ixy / n)
    first = 4 * first_x / n + 4 * first_y / m
    second = 2 * ixx / (n * (n - 1)) + 2 * iyy / (m * (m - 1)) + 4 * ixy / (n * m)
    return from_standard_error(value, math.sqrt(first + second))


def kernel_gain(real: NDArray[np.floating], one: NDArray[np.floating], other: NDArray[np.floating]) -> Estimate:
    """kernel_distance(real, one) - kernel_distance(real, other): above 0 where `other` lies nearer to the real ones.

    `one` and `other` (M, D) are two results of the same M examples, row by row. What both have in common, such as which
    examples were drawn, cancels; two intervals beside each other would count it twice. The interval is normal, from the
    influence of each real example and of each pair (the first-order term of Hoeffding's decomposition). N, M >= 3.
    """
    x, y, z = _tensor(real), _tensor(one), _tensor(other)
    yy, zz, xy, xz = _kernel(y, y), _kernel(z, z), _kernel(x, y), _kernel(x, z)
    of_pairs = 2 * (yy.row_means - zz.row_means) - 2 * (xy.column_means - xz.column_means)
    of_real = 2 * (xy.row_means - xz.row_means)
    variance = float(of_pairs.var(ddof=1)) / len(y) + float(of_real.var(ddof=1)) / len(x)
    return from_standard_error(yy.mean - zz.mean - 2 * (xy.mean - xz.mean), math.sqrt(variance))


def _tensor(features: NDArray[np.floating]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(features, np.float32))


def _kernel(x: torch.Tensor, y: torch.Tensor) -> _Kernel:
    """The summary of k over all pairs of x (N, D) and y (M, D); over distinct pairs when y is x."""
    same = x is y
    squares, rows = 0.0, torch.empty(len(x), dtype=torch.float64)
    columns = torch.zeros(len(y), dtype=torch.float64)
    step = min(len(x), rows_at_once(len(y)))
    kept = torch.empty(step, len(y))  # filled again and again: fresh blocks of this size would be given back too late
    for start in range(0, len(x), step):
        part = x[start : start + step]
        k = torch.mm(part, y.T, out=kept[: len(part)]).div_(x.shape[1]).add_(1).pow_(3)  # (rows, M)
        if same:
            k.diagonal(start).zero_()
        rows[start : start + step] = k.sum(1, dtype=torch.float64)
        columns += k.sum(0, dtype=torch.float64)
        squares += float(k.square_().sum(dtype=torch.float64))
    per_row, per_column = (len(y) - 1, len(x) - 1) if same else (len(y), len(x))
    row_means, column_means = rows.numpy() / per_row, columns.numpy() / per_column
    return _Kernel(row_means, column_means, float(row_means.mean()), squares / (len(x) * per_row))
