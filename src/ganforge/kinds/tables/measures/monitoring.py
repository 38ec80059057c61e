"""A look at a table's quality while it is trained, in a small part of a second: columns, pairs, and how varied rows are
beside real ones, which is the first thing that collapse destroys and shares of columns overlook."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.measures.coding import Coded, Coding
from ganforge.kinds.tables.measures.similarity import similarity
from ganforge.kinds.tables.reading.arrays import row_count, take
from ganforge.measures.distances import kind_scores
from ganforge.measures.intervals import Estimate, from_standard_error, of_share, with_ends
from ganforge.measures.neighbours import K, nearest

MOST_QUICK = 5_000  # rows of each side
FEWEST_VARIED = 10  # rows of each side, from which on neighbours say anything
MOST_VARIED = 1_000  # rows of each side whose neighbours are searched
MOST_VALUES = 50  # of a category that are told apart; the rarer ones count as one
MISSING_PLACE = -0.5  # of a number, below all others
NEARLY = 1e-4  # distances of equal rows differ by rounding


def quick_table_quality(
    held_out: Plain, samples: Plain, columns: Sequence[Column], label: str | None = None
) -> dict[str, float]:
    """column_shapes, column_pairs and table_quality in 0..1, each with {measure}_low and {measure}_high.

    Besides them what `variety` says: how many real rows have a generated one near, and how different rows are.

    Shares of few rows differ by chance: keep the numbers of rows the same over a run. A table of one measured column
    has no column_pairs.

    Args: both sides at least two rows; of more than 5,000 every k-th is taken.
    """
    real, fake = (
        take(side, np.linspace(0, row_count(side) - 1, min(row_count(side), MOST_QUICK)).astype(np.int64))
        for side in (held_out, samples)
    )
    coding = Coding.fit(real, columns)
    sides = coding.code(real), coding.code(fake)
    found = similarity(*sides)
    scores = {
        "column_shapes": found.shapes,
        "column_pairs": found.pairs,
        "table_quality": found.quality,
        **(variety(*sides, label) if min(side.count for side in sides) > FEWEST_VARIED else {}),
    }
    return with_ends({name: score for name, score in scores.items() if score is not None})


def variety(real: Coded, fake: Coded, label: str | None = None) -> dict[str, Estimate]:
    """coverage and diversity; with a label column of kinds also kinds_reached and kind_diversity.

    A row is a point: a number is its rank among the real ones, 0..1, a category a corner of a simplex with sides of
    length 1. coverage: the share of real rows that have a generated one no farther than their fifth real neighbour
    (Naeem et al. 2020; here ties count, because rows of few values are full of them). diversity: mean distance of two
    generated rows over that of two real ones.

    Args: real, fake coded by one Coding, more than five rows each; equally many of each are compared.
    """
    count = min(real.count, fake.count, MOST_VARIED)
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
