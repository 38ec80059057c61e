"""Numbers that few training rows have: made-up ones near them in their place, and none beyond the lowest and highest.

A codec is fitted on what comes out of here, so a model neither draws nor holds such a number. It is no proof of
privacy: a made-up number says roughly where a real one was.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from ganforge.kinds.tables.columns import MICROSECONDS, TIMES, Column

Numbers = NDArray[np.float64]
AROUND = 5  # distances on either side of a number whose median is usual there
PERIODS = 8  # of a grid's step within the middle four fifths of the numbers: with fewer, any density looks like one
FEWEST_ON_GRID = 8  # different numbers
SPAN_OF_TIME = (60, 3_600, 86_400, 7 * 86_400)  # seconds: steps of a grid besides powers of ten
CLEARLY, CERTAINLY = 1.25, 3.0  # times what chance gives, and standard deviations above it, of a grid's remainder
LEAST_GAIN = 0.15  # share of the rows on a grid beyond what chance gives


def ends_kept(values: Numbers, rare: int) -> tuple[float, float]:
    """Return the `rare`-th lowest and highest value (N,), each row counted; of fewer rows their middle.

    Where one column is never below another one, its ends are not either.
    """
    there = np.sort(values[~np.isnan(values)])
    if not len(there):
        return -np.inf, np.inf
    place = min(max(rare, 1), (len(there) + 1) // 2) - 1
    return float(there[place]), float(there[-1 - place])


def with_stand_ins(
    column: Column, distinct: Numbers, counts: NDArray[np.int64], rare: int
) -> tuple[Numbers, NDArray[np.int64]]:
    """Return distinct numbers, ascending, and their rows, with others in place of those of fewer than `rare` rows.

    The lowest and highest rows, `rare` - 1 of each, are left out. A stand-in lies about as far from its number as the
    neighbours do, with the column's decimals and on its grid: multiples of 5 remain such, and prices that end in .99.
    Chance decides, seeded by the numbers themselves: only who has these can do it again.

    Args: distinct (V,) ascending; counts (V,).
    """
    if rare < 2:
        return distinct, counts
    low, high = ends_kept(np.repeat(distinct, counts), rare)
    kept = (distinct >= low) & (distinct <= high)
    distinct, counts = distinct[kept], counts[kept]
    few = counts < rare
    if not few.any() or len(distinct) == 1:
        return distinct, counts
    random = np.random.default_rng(int.from_bytes(sha256(distinct.tobytes()).digest()))
    reach, step = _reach(distinct), _steps(column, distinct, counts, few)
    shift = np.maximum(reach, step) * random.uniform(-1, 1, len(distinct))
    shift = np.where(step > 0, step * np.round(shift / np.where(step > 0, step, 1)), shift)
    outside = (distinct + shift < low) | (distinct + shift > high)
    moved = np.clip(np.where(outside, distinct - shift, distinct + shift), low, high)
    if (decimals := _decimals(column)) is not None:
        moved = np.clip(np.round(moved, decimals), low, high) + 0.0  # -0.0 becomes 0.0
    made, places = np.unique(np.where(few, moved, distinct), return_inverse=True)
    return made, np.bincount(places, weights=counts).astype(np.int64)


def _decimals(column: Column) -> int | None:
    return column.decimals if column.kind == "decimal" else 0


def _reach(distinct: Numbers) -> Numbers:
    """Return how far each number (V,) may move: to the nearer neighbour, or as far as those around it lie apart."""
    gaps = np.diff(distinct)
    nearer = np.minimum(np.append(np.inf, gaps), np.append(gaps, np.inf))
    around = np.pad(gaps, AROUND, mode="reflect")
    usual = np.median(np.lib.stride_tricks.sliding_window_view(around, 2 * AROUND), axis=1)
    return np.asarray(np.maximum(nearer, usual), np.float64)


def _steps(column: Column, distinct: Numbers, counts: NDArray[np.int64], few: NDArray[np.bool_]) -> Numbers:
    """Return the step of the grid that each number (V,) lies on, judged by those that `few` rows have; 0 for none."""
    decimals = _decimals(column)
    scale = 10.0 ** (decimals or 0)
    whole = np.rint(distinct * scale)
    best, on_grid, most = 0, np.zeros(len(distinct), dtype=bool), LEAST_GAIN
    if decimals is None or few.sum() < FEWEST_ON_GRID or np.abs(whole).max() >= 2**53:
        return on_grid * 0.0
    units, rows = whole.astype(np.int64), np.where(few, counts, 0)
    low, high = np.quantile(np.repeat(units, rows), [0.1, 0.9])
    for step in _possible_steps(column, units[few]):
        if step * PERIODS > high - low:
            continue
        _, places = np.unique(units % step, return_inverse=True)
        theirs, chance = np.bincount(places, weights=rows), rows.sum() / step
        often = (theirs > CLEARLY * chance) & (theirs > chance + CERTAINLY * np.sqrt(chance))
        gain = float(theirs[often].sum() / rows.sum() - often.sum() / step)
        if gain > most + 1e-9:
            best, on_grid, most = step, often[places], gain
    return on_grid * (best / scale)


def _possible_steps(column: Column, units: NDArray[np.int64]) -> Iterator[int]:
    """Yield steps of grids in units of the last decimal, or of the resolution. Args: units (V,) different ones."""
    if (common := int(np.gcd.reduce(np.diff(units)))) > 1:
        yield common
    if column.kind in TIMES:
        yield from (step for seconds in SPAN_OF_TIME if (step := seconds * MICROSECONDS["s"] // column.unit) > 1)
    else:
        yield from (10**power for power in range(1, 10))
