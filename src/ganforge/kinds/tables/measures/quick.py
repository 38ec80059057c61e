"""A look at a table's quality while it is trained: columns and pairs, in a small part of a second."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ganforge.contracts import Plain
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.measures.coding import Coding
from ganforge.kinds.tables.measures.sides import row_count, take
from ganforge.kinds.tables.measures.similarity import similarity
from ganforge.kinds.tables.measures.variety import variety
from ganforge.measures.intervals import with_ends

MOST_QUICK = 5_000  # rows of each side
FEWEST_VARIED = 10  # rows of each side, from which on neighbours say anything


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
