"""Noisy counts, and what makes tables of them fit each other. All but `counted` works on what was released."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Codes = NDArray[np.int64]

TINY = 1e-9
ROUNDS = 30  # of raking
PARTS, FEWEST = 6, 12  # groups of cells that share a factor of shrinkage, and cells in each


def counted(codes: Sequence[Codes], sizes: Sequence[int]) -> Numbers:
    """Count the rows in each combination of cells. Returns: (K1, K2, ...) for codes of sizes K1, K2, ...

    A row is in one cell: when it is added or removed, one number changes, by 1.
    """
    places = np.ravel_multi_index(tuple(codes), tuple(sizes))
    return np.bincount(places, minlength=int(np.prod(sizes))).reshape(tuple(sizes)).astype(np.float64)


def projected(values: Numbers, total: float) -> Numbers:
    """Return the nearest numbers that are not negative and add up to `total` (Duchi et al. 2008, figure 1)."""
    if total <= 0:
        return np.zeros_like(values)
    falling = np.sort(values.ravel())[::-1]
    excess = np.cumsum(falling) - total
    last = np.flatnonzero(falling * np.arange(1, len(falling) + 1) > excess)[-1]
    found: Numbers = np.maximum(values - excess[last] / (last + 1), 0.0)
    return found


def shrunk(difference: Numbers, expected: Numbers, deviation: float) -> Numbers:
    """Shrink measured differences from what was expected, by how much of them is noise.

    Cells of like expectation share a factor v / (v + deviation^2), where v is the variance that the noise leaves (James
    and Stein 1961, by parts).
    """
    flat, factors = difference.ravel(), np.ones(difference.size)
    order = np.argsort(expected, axis=None, kind="stable")
    for part in np.array_split(order, max(1, min(PARTS, difference.size // FEWEST))):
        power = float(np.mean(flat[part] ** 2))
        factors[part] = max(power - deviation**2, 0.0) / power if power > 0 else 0.0
    return (factors * flat).reshape(difference.shape)


def raked(table: Numbers, rows: Numbers, columns: Numbers) -> Numbers:
    """Scale a table (A, B) until its sums are those of `rows` (A,) and `columns` (B,) (Deming and Stephan 1940)."""
    table = np.maximum(table, 0.0)
    for _ in range(ROUNDS):
        table = table * _factor(rows, table.sum(1))[:, None]
        table = table * _factor(columns, table.sum(0))[None]
    return table


def without_interaction(pair: Numbers, left: Numbers, right: Numbers) -> Numbers:
    """Return counts (C, A, B) with sums `pair` (A, B), `left` (C, A) and `right` (C, B), and nothing else in them.

    It is the log-linear model without an interaction of three: how A and B go together is the same in each class.
    """
    table: Numbers = left[:, :, None] * right[:, None, :] / np.maximum(left.sum(1), TINY)[:, None, None] + TINY**2
    for _ in range(ROUNDS):
        table = table * _factor(pair, table.sum(0))[None]
        table = table * _factor(left, table.sum(2))[:, :, None]
        table = table * _factor(right, table.sum(1))[:, None, :]
    return table


def _factor(wanted: Numbers, found: Numbers) -> Numbers:
    return np.where(found > 0, wanted / np.where(found > 0, found, 1.0), 0.0)


def combined(values: Sequence[Numbers], variances: Sequence[Numbers | float]) -> Numbers:
    """Return the mean of several measurements of the same numbers, each weighted by 1 / variance."""
    weights = [1.0 / (np.asarray(variance) + TINY) for variance in variances]
    total = sum(value * weight for value, weight in zip(values, weights, strict=True))
    return np.asarray(total / sum(weights))


def grouped(counts: Numbers, group: Codes) -> Numbers:
    """Add up the last axis of counts (..., F) by the group of each cell (F,). Returns: (..., G)."""
    return np.asarray(counts @ (group[:, None] == np.arange(group.max() + 1)[None]).astype(np.float64))


def groups_of(mass: Numbers, most: int, least: float, *, ordered: bool) -> Codes:
    """Merge cells (F,) into at most `most` groups of about `least` rows or more: neighbours, or rare categories.

    Returns: the group of each cell (F,).
    """
    if ordered:
        return _neighbours(mass, max(1, min(most, int(mass.sum() / max(least, TINY)))))
    order = np.argsort(-mass, kind="stable")
    kept = [place for place in order if mass[place] >= least]
    kept = kept[:most] if len(mass) <= most else kept[: most - 1]
    group = np.full(len(mass), len(kept), np.int64)
    group[kept] = np.arange(len(kept))
    return group


def _neighbours(mass: Numbers, most: int) -> Codes:
    """Group cells in order, each group as heavy as the mean of those to come; a heavier cell stands alone."""
    group, left, room, held = np.zeros(len(mass), np.int64), float(mass.sum()), most, 0.0
    now = 0
    for place, weight in enumerate(mass):
        aim = left / room
        if held > 0 and room > 1 and (held + weight / 2 > aim or weight > aim):
            now, left, room, held = now + 1, left - held, room - 1, 0.0
        group[place], held = now, held + weight
    return group
