"""A share of the private records, counted with noise."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ganforge.core.noise import PrivateNoise
from ganforge.measures.intervals import Z95
from ganforge.records import Estimate


def noisy_count(flags: NDArray[np.bool_], multiplier: float, noise: PrivateNoise) -> float:
    """Return how many flags are set, plus noise. One record has one flag, so the sensitivity is 1.

    Args: flags (N,), each of which depends on its own record and on what was released, on no other record.
    """
    return float(np.count_nonzero(flags) + noise.gaussian((), multiplier))


def share_of(count: float, records: int, multiplier: float) -> Estimate:
    """Return a noisy count as a share of the records, with a 95 % interval that holds sampling and noise.

    Args: count as `noisy_count` returned it; records > 0, which is public.
    """
    value = min(max(count / records, 0.0), 1.0)
    spread = Z95 * math.sqrt(value * (1 - value) / records + (multiplier / records) ** 2)
    return Estimate(value, max(value - spread, 0.0), min(value + spread, 1.0))
