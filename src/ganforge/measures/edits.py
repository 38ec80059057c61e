"""How many signs or words of a sequence are wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def error_rate(said: Sequence[int], meant: Sequence[int]) -> float:
    """Return the insertions, deletions and replacements from one to the other, for each sign that was meant.

    Source: Levenshtein 1966.
    """
    places = np.arange(len(said) + 1)
    row = places
    for number, sign in enumerate(meant, 1):
        kept = row[:-1] + (np.array(said) != sign) if said else row[:0]
        best = np.concatenate([[number], np.minimum(row[1:] + 1, kept)])
        row = np.minimum.accumulate(best - places) + places  # insertions, from left to right
    return float(row[-1]) / max(1, len(meant))
