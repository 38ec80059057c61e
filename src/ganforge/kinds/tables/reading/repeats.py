"""Rows that repeat other rows: how many there are, and how many there would be by chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ganforge.contracts import Plain
from ganforge.core.seeds import seed_for
from ganforge.kinds.tables.columns import Column


def repeats(rows: Plain, columns: Sequence[Column]) -> dict[str, Any]:
    """rows_compared, duplicates, and duplicates_by_chance: those of the same columns, each shuffled by itself.

    Columns of few values repeat by chance, and then repeats are no sign of a fault. Identifiers are left out: a copy of
    a row usually has a new one.

    Args: rows (N,) of plain columns.
    """
    names = [column.name for column in columns if column.kind not in ("identifier", "constant")]
    frame = pd.DataFrame({name: rows[name] for name in names})
    random = np.random.default_rng(seed_for(0, "data/table/repeats"))
    shuffled = pd.DataFrame({name: random.permutation(rows[name]) for name in names})
    return {
        "rows_compared": len(frame),
        "duplicates": int(frame.duplicated().sum()),
        "duplicates_by_chance": int(shuffled.duplicated().sum()),
    }
