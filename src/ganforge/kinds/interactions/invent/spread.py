"""The spread of audiences: items with the same features have different ones, as known items of that kind did.

Shape letters here: Q new items, N known ones, S draws of each, D numbers of an audience.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganforge.core.seeds import seed_for
from ganforge.kinds.interactions.invent.audience import Array, Audiences

NEAR = 150  # known items whose residuals are drawn
SIZE_WEIGHT = 1.0  # of the difference of two logarithms of expected sizes, beside a similarity of at most about 2
DRAWS = 64
AT_ONCE = 512  # items


def nearest(known: Audiences, codes: Array, expected: Array, *, itself: bool = False) -> NDArray[np.int64]:
    """Return the places of the known items that are like others in features and expected size, (Q, at most NEAR).

    Args: codes (Q, F); expected (Q, D) audiences; itself whether these are the known items, each then without itself.
    """
    size, sizes = np.log(known.sizes(expected)), np.log(known.sizes(known.fitted.left_out))
    count = min(NEAR, max(1, len(known.codes) // 5))
    found = np.empty((len(codes), count), np.int64)
    for first in range(0, len(codes), AT_ONCE):
        block = slice(first, first + AT_ONCE)
        alike = known.similarity(codes[block], known.codes) - SIZE_WEIGHT * np.abs(size[block, None] - sizes)
        if itself:
            alike[np.arange(len(alike)), first + np.arange(len(alike))] = -np.inf
        found[block] = np.argpartition(-alike, count - 1, axis=1)[:, :count]
    return found


def drawn_residuals(known: Audiences, near: NDArray[np.int64], seed: int, draws: int = DRAWS) -> Array:
    """Return residuals of known items of the kind of each new one, (Q, S, D). Args: near (Q, K) their places."""
    random = np.random.default_rng(seed_for(seed, "invent/residuals"))
    chosen = random.integers(0, near.shape[1], (len(near), draws))
    return np.asarray(known.residuals[np.take_along_axis(near, chosen, 1)])
