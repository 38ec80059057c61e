"""Where spans of numbers end besides at equal shares of the rows: at gaps, and around what rare categories have.

Else 18 amounts near 9,000 would share a code with all that are above 150, and one of those would be drawn for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ganforge.kinds.tables.columns import RARE

FEWEST = 5  # rows on either side of a gap, or of a rare category
GAP, WIDE = 0.3, 3.0  # of a span's range, and in usual widths of a span: a gap that cuts it is wider than both
EVIDENCE = 7.0  # negative logarithm of the chance that rows of a category are so near each other by accident
MOST_CATEGORIES = 256
Numbers = NDArray[np.float64]


def cut_at_gaps(first: NDArray[np.int64], distinct: Numbers, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each span begins in `distinct`, with more spans where values of one lie far from its others.

    Args: first (K,) where spans begin; distinct (V,) ascending; counts (V,) their rows.
    """
    usual = np.median(np.diff(distinct[first])) if len(first) > 1 else 0.0
    below = np.concatenate([[0], np.cumsum(counts)])  # rows before each value
    begins, spans = list(first), list(pairwise([*first, len(distinct)]))
    while spans:
        start, end = spans.pop()
        inner = np.arange(start + 1, end)  # where it could be cut
        both = (below[inner] - below[start] >= FEWEST) & (below[end] - below[inner] >= FEWEST)
        gaps = np.where(both, distinct[inner] - distinct[inner - 1], 0.0)
        if gaps.max(initial=0.0) > max(GAP * (distinct[end - 1] - distinct[start]), WIDE * usual):
            cut = int(inner[gaps.argmax()])
            begins.append(cut)
            spans += [(start, cut), (cut, end)]
    return np.sort(np.array(begins))


def rare_categories(categories: list[NDArray[np.int32]]) -> list[NDArray[np.int64]]:
    """Return the rows of each category that has at least FEWEST and fewer than RARE, the rarest MOST_CATEGORIES.

    Args: categories the codes (N,) of each unit of categories.
    """
    found = []
    for codes in categories:
        order = np.argsort(codes, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
            if FEWEST <= len(rows) < RARE:
                found.append(rows)
    return sorted(found, key=len)[:MOST_CATEGORIES]


def cuts_of_rare(values: Numbers, spans: NDArray[np.int32], rare: list[NDArray[np.int64]]) -> Numbers:
    """Return the numbers (C,) at which more spans begin, so that rows of a rare category have spans of their own.

    That is so where they lie nearer to each other within a span than others do there, hardly by accident.

    Args: values (N,); spans (N,) their codes; rare the rows of each rare category.
    """
    order = np.argsort(spans, kind="stable")
    starts = np.searchsorted(spans[order], np.arange(int(spans.max(initial=0)) + 2))
    cuts = [cut for rows in rare for cut in _around(values, spans, rows[~np.isnan(values[rows])], order, starts)]
    return np.unique(np.array(cuts, np.float64))


def _around(
    values: Numbers,
    spans: NDArray[np.int32],
    rows: NDArray[np.int64],
    order: NDArray[np.int64],
    starts: NDArray[np.int64],
) -> Iterator[float]:
    codes, counts = np.unique(spans[rows], return_counts=True)
    for code in codes[(counts >= FEWEST) & (codes >= 0)]:
        everyone = np.sort(values[order[starts[code] : starts[code + 1]]])
        mine = values[rows[spans[rows] == code]]
        first, last = np.searchsorted(everyone, mine.min()), np.searchsorted(everyone, mine.max(), "right")
        by_chance = len(mine) * np.log((last - first) / len(everyone)) + 2 * np.log(len(everyone))
        if by_chance < -EVIDENCE:
            yield float(mine.min())
            if last < len(everyone):
                yield float(everyone[last])
