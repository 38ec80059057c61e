"""Membership attacks: scores that are higher for what a model was trained on, and how well they tell.

Each attack gives a score to members (N, F), non-members (M, F) or both from generated examples (G, F), which is all
that a black-box attacker has, and from other non-members where it is calibrated. Those are the non-members themselves,
each without the one that is scored; a member is scored without one of them drawn by chance. So where nothing leaks, the
scores of both sides have the same distribution, and the expected area under the curve is exactly one half.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from sklearn.decomposition import PCA

from ganforge.measures.intervals import Estimate, wilson
from ganforge.measures.neighbours import nearest, rows_at_once
from ganforge.measures.prediction import auc_standard_error

Floats = NDArray[np.float64]
Points = NDArray[np.floating]

LEVEL = 0.95  # of intervals that are shown
FALSE_POSITIVES = 0.01  # of the true positive rate
MONTE_CARLO_DIMENSIONS = 40  # Hilprecht et al. 2019
FEWEST_DIMENSIONS, MOST_DIMENSIONS = 8, 32  # of densities
POINTS_A_DIMENSION = 50  # of the smaller side, where there are more than that for the fewest
RIDGE = 1e-6  # of the mean variance, added to a covariance: a collapsed model has none in some directions


@dataclass(frozen=True, slots=True)
class Telling:
    """How well a score tells members from non-members. Chance: an area of one half, and rates that are equal."""

    area: Estimate  # under the receiver operating characteristic
    true_positives: Estimate  # the share of members above the threshold
    false_positives: Estimate  # of all non-members, above the threshold that was chosen on these

    @property
    def leaks(self) -> bool:
        """Return whether chance lies below what the intervals hold."""
        return self.area.low > 0.5 or self.true_positives.low > self.false_positives.high

    @property
    def differs(self) -> bool:
        """Return whether chance lies on either side of what the area's interval holds."""
        return not self.area.low <= 0.5 <= self.area.high


def z_of(tests: int) -> float:
    """Return the level of two-sided intervals of which so many hold together with 95 % confidence (Bonferroni)."""
    return float(stats.norm.ppf(1 - (1 - LEVEL) / 2 / tests))


def telling(members: Floats, non_members: Floats, tests: int = 1) -> Telling:
    """Judge scores of members (N,) and non-members (M,), higher for members.

    The interval of the area is Wilson's of as many trials as give its variance: it stays within 0..1, and has a width
    where no pair is out of order. The variance is DeLong's (1988), or Hanley and McNeil's (1982) where that is larger,
    since few pairs out of order tell little of it. The threshold is the non-member score that FALSE_POSITIVES of them
    reach; its true rate has the beta distribution of that order statistic, whatever the scores' own.

    Args: tests that one conclusion is drawn from: the intervals are widened so that they hold together.
    """
    n, m = len(members), len(non_members)
    z = z_of(tests)
    above = _placements(members, non_members)  # (N,) share of non-members below each member
    below = 1 - _placements(non_members, members)  # (M,)
    area = float(above.mean())
    variance = float(above.var(ddof=1) / n + below.var(ddof=1) / m) if min(n, m) > 1 else 0.25
    variance = max(variance, auc_standard_error(max(area, 1 - area), n, m) ** 2)
    trials = area * (1 - area) / variance if variance > 0 else float(min(n, m))
    rank = max(1, round(FALSE_POSITIVES * m))
    threshold = np.sort(non_members)[-rank]
    tail = float(stats.norm.sf(z))
    rate = Estimate(
        rank / (m + 1),
        float(stats.beta.ppf(tail, rank, m - rank + 1)),
        float(stats.beta.isf(tail, rank, m - rank + 1)),
    )
    return Telling(wilson(area, trials, z), wilson(float((members > threshold).mean()), n, z), rate)


def least_area(members: int, non_members: int, z: float) -> float:
    """Return the area that lies z standard errors above chance: a smaller one could not be told from it."""
    return 0.5 + z * math.sqrt((members + non_members + 1) / (12 * members * non_members))


def _placements(these: Floats, others: Floats) -> Floats:
    """Return the share of `others` (M,) below each of `these` (N,), ties counting half."""
    order = np.sort(others)
    return np.asarray((np.searchsorted(order, these) + np.searchsorted(order, these, side="right")) / (2 * len(order)))


# ---- attacks ---------------------------------------------------------------------------------------------------------


def nearness(targets: Points, generated: Points) -> Floats:
    """Return minus the distance of each target to its nearest generated example.

    Source: GAN-Leaks' full black-box attack (Chen et al. 2020, equation 7).
    """
    return -nearest(targets, generated, 1)[:, 0].astype(np.float64)


def nearness_to_others(members: Points, non_members: Points, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Return minus the distance of members and non-members to the nearest other non-member: no model is asked.

    It calibrates other attacks, and shows alone whether members and non-members differ by themselves.
    """
    to_members = nearest(members, non_members, 2).astype(np.float64)
    left_out = random.random(len(members)) < 1 / len(non_members)  # the nearest is the one that is left out
    own = nearest(non_members, non_members, 2)[:, 1].astype(np.float64)
    return -np.where(left_out, to_members[:, 1], to_members[:, 0]), -own


def monte_carlo(members: Points, non_members: Points, generated: Points) -> tuple[Floats, Floats]:
    """Return the share of generated examples near each member and each non-member.

    Near is within the median distance of all targets to their nearest generated example, in the 40 main directions of
    the generated examples. Source: Hilprecht et al. 2019, equations 3 and 6.
    """
    made, *sides = reduced(MONTE_CARLO_DIMENSIONS, generated, members, non_members)
    radius = float(np.median(nearest(np.concatenate(sides), made, 1)))
    first, second = (_share_within(side, made, radius) for side in sides)
    return first, second


def density_ratio(
    members: Points, non_members: Points, generated: Points, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return the logarithm of how much denser generated examples are than other non-members, at members and others.

    Kernel densities in 8 to 32 main directions of the generated examples: the more of the smaller side, the more. Both
    have kernels of the generated examples' covariance: that of the non-members knows the one that is scored, which then
    seems near to them. Source: DOMIAS (van Breugel et al. 2023, equation 2), without its 1e-10, which logarithms need
    not.
    """
    few = min(len(generated), len(non_members)) // POINTS_A_DIMENSION
    made, first, second = reduced(min(max(few, FEWEST_DIMENSIONS), MOST_DIMENSIONS), generated, members, non_members)
    first, second, made = whitened(made, first, second, made)
    skipped = random.integers(0, len(second), len(first))
    return (
        log_density(first, made) - log_density(first, second, skipped),
        log_density(second, made) - log_density(second, second, np.arange(len(second))),
    )


def log_density(targets: Points, known: Points, skipped: NDArray[np.integer] | None = None) -> Floats:
    """Return the logarithm of the kernel density of known points (K, D) at targets (T, D).

    The kernel is a Gaussian with the covariance K^(-2 / (D + 4)), Scott's rule (1992) for points of unit covariance.

    Args: skipped (T,) a known point that each target is to be without.
    """
    count, size = known.shape
    width = count ** (-1 / (size + 4))
    at, of = (torch.from_numpy(np.asarray(x, np.float64)) / width for x in (targets, known))
    found, rows = torch.empty(len(at), dtype=torch.float64), rows_at_once(count)
    for start in range(0, len(at), rows):
        part = slice(start, min(start + rows, len(at)))
        exponent = -0.5 * torch.cdist(at[part], of).square()
        if skipped is not None:
            exponent[torch.arange(len(exponent)), torch.from_numpy(np.asarray(skipped[part], np.int64))] = -math.inf
        found[part] = torch.logsumexp(exponent, dim=1)
    used = count - (skipped is not None)
    return np.asarray((found - math.log(used) - size * (math.log(width) + 0.5 * math.log(2 * math.pi))).numpy())


def whitened(of: Points, *sets: Points) -> list[Floats]:
    """Return sets (N, D) in coordinates in which `of` (K, D) has unit covariance, each as float64."""
    covariance = np.atleast_2d(np.cov(of.T.astype(np.float64)))
    covariance += RIDGE * max(float(covariance.diagonal().mean()), 1e-30) * np.eye(len(covariance))
    root = np.linalg.cholesky(covariance)
    return [np.linalg.solve(root, each.T.astype(np.float64)).T.copy() for each in sets]


def reduced(most: int, generated: Points, *others: Points) -> list[Points]:
    """Return all sets in the main directions of the generated examples, at most so many."""
    size = min(most, generated.shape[1], len(generated) - 1)
    if size >= generated.shape[1]:
        return [generated, *others]
    with np.errstate(all="ignore"):  # of a collapsed model it would divide by a variance of 0
        fitted = PCA(size, svd_solver="randomized", random_state=0).fit(generated)
    return [fitted.transform(each) for each in (generated, *others)]


def _share_within(targets: Points, known: Points, radius: float) -> Floats:
    at, of = (torch.from_numpy(np.ascontiguousarray(x, np.float32)) for x in (targets, known))
    found, rows = np.empty(len(at)), rows_at_once(len(of))
    for start in range(0, len(at), rows):
        part = slice(start, start + rows)
        found[part] = (torch.cdist(at[part], of) <= radius).double().mean(dim=1).numpy()
    return found
