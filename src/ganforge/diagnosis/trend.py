"""Whether a measure is getting better: a robust slope against its own noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Literal, TypeAlias

Trend: TypeAlias = Literal["improving", "flat", "worsening"]

_MINIMUM_CHANGE = 0.05  # less than 5 % over the window is not worth a word to a person


def trend(values: Sequence[float], better: Literal["lower", "higher"] = "lower", window: int = 6) -> Trend:
    """Where the last `window` values are going.

    The change is the median of all pairwise slopes (Theil 1950, Sen 1968) times the length of the window, so one wild
    evaluation does not turn the arrow. It counts when it is more than 5 % of the level and more than the noise about
    the line. Values that are not finite are left out; fewer than three values are "flat".
    """
    recent = [value for value in values if math.isfinite(value)][-window:]
    if len(recent) < 3:
        return "flat"
    slope = median((recent[j] - recent[i]) / (j - i) for i in range(len(recent) - 1) for j in range(i + 1, len(recent)))
    change = slope * (len(recent) - 1)
    level = median(abs(value) for value in recent)
    middle = median(value - slope * i for i, value in enumerate(recent))
    noise = median(abs(value - slope * i - middle) for i, value in enumerate(recent))
    if abs(change) <= max(_MINIMUM_CHANGE * level, noise):
        return "flat"
    return "improving" if (change < 0) == (better == "lower") else "worsening"
