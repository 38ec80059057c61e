"""Curves: a column that is a monotone function of another one, as straight lines between knots.

Found where all rows keep it: rows with a larger x never have a smaller y (or never a larger one). Knots are added where
the lines are farthest off (Ramer 1972; Douglas and Peucker 1973) until all rows are within the last digit of y.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganforge.kinds.tables.rules.expressions import MOST_KNOTS, Curve

Numbers = NDArray[np.float64]
ROWS_FOR_EACH = 4  # rows for each knot, at least


def find_curve(column: str, x: Numbers, y: Numbers, loose: Numbers) -> Curve | None:
    """Return the curve from x to y, (N,) each; None unless y is a monotone function of x.

    Args: column the name of x; loose (N,) how far y may be off.
    """
    there = np.isfinite(x) & np.isfinite(y)
    order = np.argsort(x[there], kind="stable")
    x, y, loose = x[there][order], y[there][order], loose[there][order]
    steps, same = np.diff(y), np.diff(x) == 0
    if (steps[same] != 0).any() or not ((steps >= 0).all() or (steps <= 0).all()) or not steps.any():
        return None
    new = np.append(True, ~same)
    x, y, loose = x[new], y[new], loose[new]
    knots = np.array([0, len(x) - 1])
    while len(knots) < min(MOST_KNOTS, there.sum() // ROWS_FOR_EACH):
        off = np.abs(np.interp(x, x[knots], y[knots]) - y) / loose
        if off.max() <= 1:
            break
        knots = np.sort(np.append(knots, int(np.argmax(off))))
    return Curve(column, tuple(x[knots].tolist()), tuple(y[knots].tolist()))
