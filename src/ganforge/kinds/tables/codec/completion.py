"""Missing cells filled with what a model says of them; what is there stays, and every rule is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.kinds.tables.codec.categories import CategoryUnit
from ganforge.kinds.tables.codec.codec import TableCodec
from ganforge.kinds.tables.codec.differences import GapUnit
from ganforge.kinds.tables.codec.numbers import Codes, NumberUnit
from ganforge.kinds.tables.rules.conditions import one_of

Shares = NDArray[np.floating]


def given_cells(codec: TableCodec, plain: Plain, codes: Codes) -> NDArray[np.bool_]:
    """Which units of which rows say something (N, U): every column there, and seen in training.

    Args: codes (N, U) of the rows, as the codec gives them.
    """
    there = [
        ~np.any([pd.isna(plain[name]) for name in unit.columns], axis=0) & (codes[:, place] >= 0)
        for place, unit in enumerate(codec.units)
    ]
    return np.stack(there, axis=1)


def fill(codec: TableCodec, plain: Plain, shares: Sequence[Shares], random: np.random.Generator | None) -> Plain:
    """The rows with a value in every cell of a column that is learned.

    Args: plain rows (N,) of all columns; shares for each unit (N, K) how likely each code is; random draws a value for
        each missing cell, None takes the best guess: the mean of a number, the most likely category.
    """
    filled = dict(plain)
    for place, unit in enumerate(codec.units):
        rows = np.flatnonzero(np.any([pd.isna(plain[name]) for name in unit.columns], axis=0))
        if not len(rows):
            continue
        likely = shares[place][rows] * unit.complete
        likely = np.where(likely.sum(axis=1, keepdims=True) > 0, likely, unit.complete.astype(np.float64))
        if isinstance(unit, CategoryUnit):
            _fill_categories(unit, filled, rows, likely, random)
            continue
        here = {name: values[rows] for name, values in filled.items()}
        ceiling = _ceiling(codec, unit.columns[0], here)
        filled[unit.columns[0]] = filled[unit.columns[0]].copy()
        filled[unit.columns[0]][rows] = _numbers(unit, likely, here, ceiling, random)
    return filled


def _numbers(
    unit: NumberUnit | GapUnit,
    likely: Shares,
    here: Plain,
    ceiling: NDArray[np.float64],
    random: np.random.Generator | None,
) -> NDArray[np.float64]:
    """A value for each row, not above `ceiling` (N,)."""
    inner = unit.gap if isinstance(unit, GapUnit) else unit
    base = unit.base(here) if isinstance(unit, GapUnit) else np.zeros(len(likely))
    if random is not None:
        codes = _drawn(likely, random)
        if isinstance(unit, GapUnit):
            above = unit.decode(codes, (), random, here)[unit.upper]
            filled: NDArray[np.float64] = np.fmax(base, np.minimum(above, ceiling))  # no room above: the base
            return unit.gap.rounded(filled, base, np.maximum(ceiling, base))
        drawn: NDArray[np.float64] = unit.decode(codes, (), random, high=ceiling)[unit.column]
        return drawn
    spans = likely[:, int(inner.with_missing) :]
    values = base + (spans @ inner.means) / spans.sum(axis=1)
    low = base if isinstance(unit, GapUnit) else np.full(len(likely), unit.low)
    return inner.rounded(values, low, np.maximum(np.minimum(unit.high, ceiling), low))


def _fill_categories(
    unit: CategoryUnit,
    filled: dict[str, NDArray[Any]],
    rows: NDArray[np.int64],
    likely: Shares,
    random: np.random.Generator | None,
) -> None:
    """Fills each group of rows that have the same parts of a combination, with what fits those parts."""
    columns = {name: filled[name][rows] for name in unit.columns}
    for name in unit.columns:
        filled[name] = filled[name].copy()
    patterns = pd.DataFrame(columns).groupby(list(unit.columns), dropna=False, sort=False).indices
    for mine in patterns.values():
        conditions = tuple(
            one_of(name, [values[mine[0]]]) for name, values in columns.items() if not pd.isna(values[mine[0]])
        )
        may = likely[mine] * unit.allowed(conditions, complete=True)
        if not may.any():  # parts that training never saw together: what is missing is filled as if nothing was there
            conditions, may = (), likely[mine]
        may = np.where(may.sum(axis=1, keepdims=True) > 0, may, unit.allowed(conditions, complete=True) * 1.0)
        codes = may.argmax(axis=1).astype(np.int32) if random is None else _drawn(may, random)
        made = (
            unit.most_frequent(codes, conditions)
            if random is None
            else unit.decode(codes, conditions, random, complete=True)
        )
        for name in unit.columns:
            there = ~pd.isna(columns[name][mine])
            filled[name][rows[mine]] = np.where(there, columns[name][mine], made[name])


def _drawn(likely: Shares, random: np.random.Generator) -> Codes:
    """A code for each row (N,), with the probabilities of its shares."""
    cumulative = np.cumsum(likely, axis=1)
    aim = random.random((len(likely), 1)) * cumulative[:, -1:]
    codes: Codes = np.minimum((cumulative <= aim).sum(axis=1), likely.shape[1] - 1).astype(np.int32)
    return codes


def _ceiling(codec: TableCodec, column: str, here: Plain) -> NDArray[np.float64]:
    """The smallest value (N,) among the columns that may not lie below this one, in its own units; else infinity.

    Of one that is missing too, and is filled after this one: the largest value that it can be given.
    """
    lowest = np.full(len(here[column]), np.inf)
    for unit in codec.units:
        if isinstance(unit, GapUnit) and column in unit.lowers:
            mine, theirs = unit.scales[unit.lowers.index(column)]
            upper = here[unit.upper]
            upper = np.where(np.isnan(upper), np.minimum(unit.high, _ceiling(codec, unit.upper, here)), upper)
            lowest = np.fmin(lowest, np.floor(upper * theirs / mine) if mine != theirs else upper)
    return lowest
