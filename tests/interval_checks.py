"""Whether intervals of 95 % hold what they are about as often as they say, and are no wider for it than need be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import binom

from ganforge.measures.intervals import Estimate

CHANCE = 1e-4  # that a right measure fails: by a seed, not by a machine
MOST = 2.0  # times the width that is needed: bootstraps and jackknives of small samples are on the safe side


def assert_intervals_hold(found: Sequence[Estimate], truth: float | None = None, label: str = "") -> None:
    """Check the intervals of repeated measurements, each of new samples.

    Args: truth what they are about; by default the mean of all, which is what samples of this size give.
    """
    values = np.array([one.value for one in found])
    truth = float(values.mean()) if truth is None else truth
    held = sum(one.low <= truth <= one.high for one in found)
    assert held >= binom.ppf(CHANCE, len(found), 0.95), f"{label}: {held} of {len(found)} hold {truth:.4g}"
    needed = 2 * 1.96 * values.std(ddof=1)
    known_to = 1 + 4 / np.sqrt(2 * (len(found) - 1))  # four standard errors of a standard deviation
    width = np.mean([one.high - one.low for one in found])
    assert width <= MOST * needed * known_to, f"{label}: {width:.4g} wide where {needed:.4g} are needed"
