"""The energy score of predictions that are draws: it is lowest, on average, for draws from the true distribution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def energy_scores(draws: NDArray[np.floating], truth: NDArray[np.floating]) -> Array:
    """Return E|X - y| - E|X - X'| / 2 of each example, (N,), without bias (Gneiting and Raftery 2007, equation 21).

    Args: draws (N, S, D), S > 1; truth (N, D).
    """
    scores = np.empty(len(truth))
    for place, (own, true) in enumerate(zip(draws, truth, strict=True)):
        apart = np.linalg.norm(own[:, None] - own[None], axis=2).sum() / (len(own) * (len(own) - 1))
        scores[place] = np.linalg.norm(own - true, axis=1).mean() - 0.5 * apart
    return scores
