"""Kinds of example: how many of them the samples show, and how different the samples of one kind are from each other.

A generator that gives one picture for each class passes every count of classes and has learned nothing else: collapse
within classes. Only distances between samples of one kind show it.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.measures.intervals import Estimate, from_standard_error, of_share

MOST = 2_000  # examples of each set that are compared pair by pair
FEWEST = 5  # examples of a kind, on both sides, from which on its variety says anything
FEWEST_KINDS = 2  # that are known: with one there is nothing to miss
DUE = 0.2  # of its share among real examples: a kind with more counts as reached


def kind_scores(
    real: NDArray[np.floating],
    fake: NDArray[np.floating],
    real_kinds: NDArray[np.int64],
    fake_kinds: NDArray[np.int64],
) -> dict[str, Estimate]:
    """kinds_reached and kind_diversity; what too few examples of a kind, or too few kinds, cannot tell is left out.

    kinds_reached: the share of the kinds with at least FEWEST real examples that samples show, too. kind_diversity:
    mean distance of two samples of one kind over that of two real examples of that kind, 1 for equally varied, 0 for
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
    """Mean distance of two of them."""
    return float(torch.pdist(torch.from_numpy(np.ascontiguousarray(features, np.float32))).mean())


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
