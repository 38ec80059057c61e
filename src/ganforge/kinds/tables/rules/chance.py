"""Whether a column decides another one in all rows, and that not by chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BY_CHANCE = -30.0  # natural logarithm of the probability that independent columns would look so
Codes = NDArray[np.int64]  # (N,), a number for each value, -1 for missing


def decides(deciding: Codes, first: NDArray[np.int64], other: Codes, other_count: int) -> bool:
    """Return whether each value of a column comes with one of another column, which is not by chance.

    Args: deciding, other (N,); first the first row of each value that decides; other_count the other column's values.
    """
    one = np.full(int(deciding.max()) + 1, -1)  # for each value that decides, the other one in its first row
    one[deciding[first]] = other[first]
    there = deciding >= 0
    if (other[there] < 0).any() and (one[deciding[there]] != other[there]).any():
        # a value that is missing here and there is decided by where it is not
        there &= other >= 0
        one[deciding[there][::-1]] = other[there][::-1]
    if not there.any():
        return False
    if (one[deciding[there]] != other[there]).any():
        return False
    return (
        _log_chance(np.bincount(deciding[there]), np.bincount(other[there] + 1, minlength=other_count + 1)) < BY_CHANCE
    )


def _log_chance(sizes: NDArray[np.int64], frequencies: NDArray[np.int64]) -> float:
    """Return the log probability that every group of these sizes has one value, if values are independent of the
    groups: the sum over groups of log sum_v p_v^size."""
    shares = np.log(frequencies[frequencies > 0] / frequencies.sum())
    size, groups = np.unique(sizes[sizes > 0], return_counts=True)
    return float((groups * np.logaddexp.reduce(size[:, None] * shares[None, :], axis=1)).sum())


def may_be_decided(deciding: Codes, others: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which other columns (C, N) have one value, or none, for each value (N,) that decides."""
    there = np.flatnonzero(deciding >= 0)
    _, first, group = np.unique(deciding[there], return_index=True, return_inverse=True)
    own, expected = others[:, there], others[:, there[first[group]]]
    found: NDArray[np.bool_] = ((own == expected) | (own < 0) | (expected < 0)).all(axis=1)
    return found
