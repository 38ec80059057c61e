"""How varied rows are beside real ones: the first thing that collapse destroys, and shares of columns overlook."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.kinds.tables.measures.coding import Coded
from ganforge.measures.intervals import Estimate, from_standard_error, of_share
from ganforge.measures.modes import kind_scores
from ganforge.measures.neighbours import K, nearest

MOST = 1_000  # rows of each side
MOST_VALUES = 50  # of a category that are told apart; the rarer ones count as one
MISSING_PLACE = -0.5  # of a number, below all others
NEARLY = 1e-4  # distances of equal rows differ by rounding


def variety(real: Coded, fake: Coded, label: str | None = None) -> dict[str, Estimate]:
    """coverage and diversity; with a label column of kinds also kinds_reached and kind_diversity (measures/modes.py).

    A row is a point: a number is its rank among the real ones, 0..1, a category a corner of a simplex with sides of
    length 1. coverage: the share of real rows that have a generated one no farther than their fifth real neighbour
    (Naeem et al. 2020; here ties count, because rows of few values are full of them). diversity: mean distance of two
    generated rows over that of two real ones.

    Args: real, fake coded by one Coding, more than five rows each; equally many of each are compared.
    """
    count = min(real.count, fake.count, MOST)
    x, y = _points(real, real, count), _points(fake, real, count)
    radius = nearest(x, x, K + 1)[:, -1]  # the row itself is the first
    reached = nearest(x, y, 1)[:, 0] <= radius + NEARLY
    spreads = [float(torch.pdist(torch.from_numpy(points)).mean()) for points in (x, y)]
    ratio = spreads[1] / spreads[0] if spreads[0] > 0 else 1.0
    found = {
        "coverage": of_share(int(reached.sum()), count),
        "diversity": from_standard_error(ratio, ratio / np.sqrt(count), least=0.0),
    }
    if label in real.codes and label not in real.numbers:
        found |= kind_scores(x, y, real.codes[label][:count], fake.codes[label][:count])
    return found


def _points(coded: Coded, real: Coded, count: int) -> NDArray[np.float32]:
    """The first `count` rows (count, D)."""
    parts: list[NDArray[np.float64]] = []
    for name, codes in coded.codes.items():
        if name in coded.numbers:
            known = np.sort(real.numbers[name][~np.isnan(real.numbers[name])])
            values = coded.numbers[name][:count]
            low, high = (np.searchsorted(known, values, side=side) for side in ("left", "right"))
            place = (low + high) / (2 * max(len(known), 1))
            parts.append(np.where(np.isnan(values), MISSING_PLACE, place)[:, None])
        else:
            size = min(coded.sizes[name], MOST_VALUES)
            parts.append(np.eye(size)[np.minimum(codes[:count], size - 1)] / np.sqrt(2))
    return np.concatenate(parts, axis=1).astype(np.float32)
