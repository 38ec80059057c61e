"""Distances between two sets of features: Frechet, kernel (KID), and diversity of samples, overall and by kind."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.measures.intervals import Estimate, from_jackknife, from_standard_error, of_share
from ganforge.measures.neighbours import rows_at_once

BLOCKS = 20  # left out in turn for the interval


@dataclass(frozen=True, slots=True)
class Moments:
    """The mean (D,) and covariance (D, D) of a set of features, float64."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


def moments(features: NDArray[np.floating]) -> Moments:
    """Compute mean and unbiased covariance of features (N, D), N >= 2."""
    x = np.asarray(features, np.float64)
    return Moments(x.mean(0), np.atleast_2d(np.cov(x, rowvar=False)))


def distance_of_gaussians(a: Moments, b: Moments) -> float:
    """Return |mean_a - mean_b|^2 + tr(A) + tr(B) - 2 tr((A B)^(1/2)), unit feature^2, >= 0.

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
    """Return the Frechet distance of features real (N, D) and fake (M, D), with a 95 % block jackknife interval.

    The jackknife leaves blocks out of both sets. The estimate is biased upwards, about as 1/N, and the interval is for
    THIS SAMPLE SIZE: compare it only with a floor of the same sizes. The rows must be in random order.
    """
    value = distance_of_gaussians(moments(real), moments(fake))
    blocks = min(BLOCKS, len(real) // 2, len(fake) // 2)
    if blocks < 2:
        return Estimate(value, 0.0, float("inf"))
    without = zip(_leave_blocks_out(real, blocks), _leave_blocks_out(fake, blocks), strict=True)
    return from_jackknife(value, np.array([distance_of_gaussians(a, b) for a, b in without]))


def _leave_blocks_out(features: NDArray[np.floating], blocks: int) -> list[Moments]:
    """Compute the moments without each block in turn, from sums, at the cost of one covariance."""
    x = np.asarray(features, np.float64)
    centre = x.mean(0)  # sums of squares about the centre keep precision
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


# ---- kernel distance: the squared maximum mean discrepancy under a cubic kernel (Binkowski et al. 2018) --------------


@dataclass(frozen=True, slots=True)
class _Kernel:
    """A summary of a kernel matrix: its rows' and columns' means, and the mean of its squares."""

    row_means: NDArray[np.float64]
    column_means: NDArray[np.float64]
    mean: float
    mean_square: float

    def interaction(self) -> float:
        """The mean square that neither row nor column explains (the last term of Hoeffding's decomposition)."""
        return max(0.0, self.mean_square - self.mean**2 - float(self.row_means.var() + self.column_means.var()))


def kernel_distance(real: NDArray[np.floating], fake: NDArray[np.floating]) -> Estimate:
    """Return the unbiased MMD^2 (may be below 0) of features (N, D) and (M, D) under k(x, y) = (x.y / D + 1)^3.

    Every pair counts once (the U-statistic): unlike the usual average over blocks of 100 to 1,000, which discards most
    pairs, this has the smallest variance that the samples allow. The interval is normal; its variance is the sum of the
    first- and second-order terms of Hoeffding's decomposition, so that it is valid also when both sets come from
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
    """Return kernel_distance(real, one) - kernel_distance(real, other): above 0 where `other` is nearer to `real`.

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
    """Summarise k over all pairs of x (N, D) and y (M, D); over distinct pairs when y is x."""
    same = x is y
    squares, rows = 0.0, torch.empty(len(x), dtype=torch.float64)
    columns = torch.zeros(len(y), dtype=torch.float64)
    step = min(len(x), rows_at_once(len(y)))
    kept = torch.empty(step, len(y))  # reused: new blocks of this size would be freed too late
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


# ---- kinds of example, and diversity ---------------------------------------------------------------------------------
# A generator that gives one picture for each class passes every count of classes: collapse within classes. Only
# distances between samples of one kind show it.


MOST = 2_000  # examples of each set that are compared pair by pair
FEWEST = 5  # examples of a kind, on both sides, from which on its diversity is measured
FEWEST_KINDS = 2  # known kinds: with one, none can be missing
DUE = 0.2  # of its share among real examples: a kind with more counts as reached


def kind_scores(
    real: NDArray[np.floating],
    fake: NDArray[np.floating],
    real_kinds: NDArray[np.int64],
    fake_kinds: NDArray[np.int64],
) -> dict[str, Estimate]:
    """Return kinds_reached and kind_diversity, except where examples of a kind, or kinds, are too few.

    kinds_reached: the share of the kinds with at least FEWEST real examples that samples show, too. kind_diversity:
    mean distance of two samples of one kind over that of two real examples of that kind, 1 for equally diverse, 0 for
    one sample repeated; a mean over kinds, weighted by how many real examples each has.

    Args: real (N, D), fake (M, D) features; real_kinds (N,), fake_kinds (M,) whole numbers from 0 on.
    """
    real, fake, real_kinds, fake_kinds = real[:MOST], fake[:MOST], real_kinds[:MOST], fake_kinds[:MOST]
    count = 1 + int(max(real_kinds.max(), fake_kinds.max()))
    mine, theirs = (np.bincount(kinds, minlength=count) for kinds in (fake_kinds, real_kinds))
    known = theirs >= FEWEST
    reached = known & (mine >= np.maximum(1, DUE * theirs * len(fake) / len(real)))
    if known.sum() < FEWEST_KINDS:
        return {}
    found = {"kinds_reached": of_share(int(reached.sum()), int(known.sum()))}
    shown = np.flatnonzero(known & (mine >= FEWEST))
    spreads = np.array([(_spread(fake[fake_kinds == kind]), _spread(real[real_kinds == kind])) for kind in shown])
    usable = spreads[:, 1] > 0 if len(shown) else np.zeros(0, bool)  # real examples of a kind may be all the same
    if usable.any():
        weights, ratios = theirs[shown][usable] / theirs[shown][usable].sum(), spreads[usable, 0] / spreads[usable, 1]
        mean = float((weights * ratios).sum())
        error = float(np.sqrt((np.square(weights) * np.square(ratios - mean)).sum()))
        found["kind_diversity"] = from_standard_error(mean, error, least=0.0)
    return found


def _spread(features: NDArray[np.floating]) -> float:
    """Return the mean pairwise distance."""
    return float(torch.pdist(torch.from_numpy(np.ascontiguousarray(features, np.float32))).mean())


def diversity(real: NDArray[np.floating], fake: NDArray[np.floating]) -> Estimate:
    """Return the mean distance between two fakes over that between two real pictures.

    Args: features real (N, D) and fake (M, D), N, M >= 2; the first 2,000 rows of each are used.
    Returns: 1 for equally diverse, 0 for one picture repeated; above 1 if samples are noisier than real pictures.
        The interval is the delta method over both means, each a U-statistic with its first-order variance.
    """
    (real_mean, real_error), (fake_mean, fake_error) = _mean_distance(real), _mean_distance(fake)
    if real_mean == 0:
        return Estimate(1.0, 1.0, 1.0)
    ratio = fake_mean / real_mean
    return from_standard_error(ratio, math.hypot(fake_error, ratio * real_error) / real_mean, least=0.0)


def _mean_distance(features: NDArray[np.floating]) -> tuple[float, float]:
    """Return the mean over distinct pairs, and its standard error."""
    x = torch.from_numpy(np.ascontiguousarray(features[:MOST], np.float32))
    distance = torch.cdist(x, x)
    distance.fill_diagonal_(0)
    row_means = distance.sum(1, dtype=torch.float64) / (len(x) - 1)
    return float(row_means.mean()), 2 * float(row_means.std()) / math.sqrt(len(x))
