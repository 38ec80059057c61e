"""Categories that are intervals of numbers, as pandas.cut makes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

_INTERVALS = re.compile(r"interval\[(u?int\d+|float\d+), (left|right|both|neither)\]")


def has_intervals(dtype: Any) -> bool:
    """Return whether a dtype is that of categories that are intervals, as pandas.cut makes them."""
    return isinstance(dtype, pd.CategoricalDtype) and isinstance(dtype.categories, pd.IntervalIndex)


def edges_of(dtype: pd.CategoricalDtype) -> list[list[float]]:
    """Return the ends of categories that are intervals, one pair for each."""
    return [[each.left.item(), each.right.item()] for each in dtype.categories]


def intervals(edges: Sequence[Sequence[float]], dtype: str) -> pd.IntervalIndex:
    """Return intervals from their ends. Raises: ValueError, TypeError for what is none."""
    found = _INTERVALS.fullmatch(dtype)
    if found is None:
        raise ValueError(f"{dtype!r} is not a type of intervals of numbers")
    ends = np.array(edges, found[1]).reshape(-1, 2)
    return pd.IntervalIndex.from_arrays(ends[:, 0], ends[:, 1], closed=found[2])
