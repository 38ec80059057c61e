"""Filling of missing cells in rows, from how likely each code is; other cells stay, and every rule is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.core.seeds import seed_for
from ganforge.kinds.tables.codec.binned import TRIES
from ganforge.kinds.tables.codec.categories import CategoryUnit
from ganforge.kinds.tables.codec.codec import TableCodec
from ganforge.kinds.tables.codec.computed import ComputedUnit
from ganforge.kinds.tables.codec.gaps import GapUnit
from ganforge.kinds.tables.codec.joint import JointUnit
from ganforge.kinds.tables.codec.numbers import Codes, NumberUnit
from ganforge.kinds.tables.rules.bins import Bins
from ganforge.kinds.tables.rules.conditions import Condition, one_of

Shares = NDArray[np.floating]


def given_cells(codec: TableCodec, plain: Plain, codes: Codes) -> NDArray[np.bool_]:
    """Return which units of which rows are given (N, U): every column present, with a value seen in training.

    Args: codes (N, U) of the rows, as the codec gives them.
    """
    there = [
        ~np.any([pd.isna(plain[name]) for name in unit.columns], axis=0) & (codes[:, place] >= 0)
        for place, unit in enumerate(codec.units)
    ]
    return np.stack(there, axis=1)


def fill(
    codec: TableCodec,
    plain: Plain,
    shares: Sequence[Shares],
    random: np.random.Generator | None,
    asked: Mapping[int, tuple[Condition, ...]] | None = None,
    *,
    complete: bool = True,
) -> Plain:
    """Fill every missing cell of the learned columns.

    Args: plain rows (N,) of all columns; shares for each unit (N, K) how likely each code is; random draws a value for
        each missing cell, None takes the best guess: the mean of a number, the most likely category; asked conditions
        by unit, on cells that are drawn; complete: False if what is drawn may be a missing value again.
    """
    filled = dict(plain)
    for place, unit in enumerate(codec.units):
        filled = dict(codec.solved(filled))
        rows = np.flatnonzero(np.any([pd.isna(filled[name]) for name in unit.columns], axis=0))
        if not len(rows):
            continue
        before, conditions = {name: filled[name] for name in unit.columns}, (asked or {}).get(place, ())
        may = (unit.complete if complete else np.ones(unit.size, bool)) & unit.allowed(conditions)
        likely = shares[place][rows] * may
        likely = np.where(likely.sum(axis=1, keepdims=True) > 0, likely, may.astype(np.float64))
        _fill_unit(codec, place, filled, rows, likely, random, conditions, complete=complete)
        if bins := [each for each in codec.bins if each.rule.base in unit.columns]:
            draws = random or np.random.default_rng(seed_for(0, "complete/bins"))

            again = partial(_filled_again, codec, place, {**filled, **before}, draws, conditions, complete)
            filled |= _in_bins(bins, filled, rows, likely, may, again)
    return filled


def _filled_again(
    codec: TableCodec,
    place: int,
    before: Plain,
    random: np.random.Generator,
    conditions: tuple[Condition, ...],
    complete: bool,
    rows: NDArray[np.int64],
    likely: Shares,
) -> dict[str, NDArray[Any]]:
    """Return the columns of a unit in some rows, filled once more. Args: before the rows (N,) with the empty cells."""
    here = {name: values[rows] for name, values in before.items()}
    _fill_unit(codec, place, here, np.arange(len(rows)), likely, random, conditions, complete=complete)
    return {name: here[name] for name in codec.units[place].columns}


def _in_bins(
    bins: Sequence[Bins],
    filled: Plain,
    rows: NDArray[np.int64],
    likely: Shares,
    may: NDArray[np.bool_],
    again: Callable[[NDArray[np.int64], Shares], Plain],
) -> Plain:
    """Return the columns of a base, filled again in rows of which a bin is given that does not agree: the day of a
    month that is given is one of that month.

    Args: rows that were filled, and likely (rows, K) their shares of codes, of which the first TRIES draws are made,
        and as many of any code that `may` be drawn.
    """

    names = {name for each in bins for name in (each.rule.target, each.rule.base)}

    def count(mine: NDArray[np.int64], changed: Plain) -> NDArray[np.int64]:
        here = {name: changed.get(name, filled[name][mine]) for name in names}
        return np.asarray(np.sum([each.agrees(here) for each in bins], axis=0))

    agree = count(rows, {})
    made: dict[str, NDArray[Any]] = {}
    for attempt in range(2 * TRIES):
        left = np.flatnonzero(agree < len(bins))
        if not len(left):
            break
        drawn = again(rows[left], likely[left] if attempt < TRIES else np.tile(may.astype(np.float64), (len(left), 1)))
        better = count(rows[left], drawn)
        gained = better > agree[left]
        agree[left[gained]] = better[gained]
        for name, values in drawn.items():
            made.setdefault(name, filled[name].copy())[rows[left[gained]]] = values[gained]
    return made


def _fill_unit(
    codec: TableCodec,
    place: int,
    filled: dict[str, NDArray[Any]],
    rows: NDArray[np.int64],
    likely: Shares,
    random: np.random.Generator | None,
    conditions: tuple[Condition, ...],
    *,
    complete: bool,
) -> None:
    """Fill the missing cells of a unit in some rows. Args: likely (rows, K) how likely each code is."""
    unit = codec.units[place]
    if isinstance(unit, CategoryUnit):
        _fill_categories(unit, filled, rows, likely, random, conditions, complete=complete)
        return
    here = {name: values[rows] for name, values in filled.items()}
    if isinstance(unit, JointUnit):
        given = np.stack([filled[name][rows] for name in unit.columns], axis=1)
        made = unit.filled(given, likely, conditions, random)
        for axis, name in enumerate(unit.columns):
            filled[name] = filled[name].copy()
            filled[name][rows] = made[:, axis]
        return
    filled[unit.columns[0]] = filled[unit.columns[0]].copy()
    if isinstance(unit, ComputedUnit):
        filled[unit.column][rows] = (
            unit.expected(likely, here)
            if random is None
            else unit.decode(_drawn(likely, random), conditions, random, here)[unit.column]
        )
        return
    ceiling = _ceiling(codec, unit.columns[0], here)
    filled[unit.columns[0]][rows] = _numbers(unit, likely, here, ceiling, random, conditions)


def _numbers(
    unit: NumberUnit | GapUnit,
    likely: Shares,
    here: Plain,
    ceiling: NDArray[np.float64],
    random: np.random.Generator | None,
    conditions: tuple[Condition, ...],
) -> NDArray[np.float64]:
    """Return a value for each row, not above `ceiling` (N,)."""
    base = unit.base(here) if isinstance(unit, GapUnit) else np.zeros(len(likely))
    if random is not None:
        if isinstance(unit, GapUnit):
            if conditions:
                likely = (likely + 1e-12) * unit.allowed_above(base, base, conditions)
            codes = _drawn(likely, random)
            above = unit.decode(codes, conditions, random, here)[unit.upper]
            filled: NDArray[np.float64] = np.fmax(base, np.minimum(above, ceiling))  # no room above: the base
            filled = unit.fitting(filled, base, np.maximum(ceiling, base))
            return np.where(codes < unit.gap.with_missing, np.nan, filled)
        codes = _drawn(likely, random)
        drawn: NDArray[np.float64] = unit.decode(codes, conditions, random, high=ceiling)[unit.column]
        return drawn
    if isinstance(unit, GapUnit):
        return unit.fitting(unit.expected(likely, base), base, np.maximum(np.minimum(unit.high, ceiling), base))
    spans = likely[:, int(unit.with_missing) :]
    values = (spans @ unit.means) / spans.sum(axis=1)
    return unit.rounded(values, unit.low, np.maximum(np.minimum(unit.high, ceiling), unit.low))


def _fill_categories(
    unit: CategoryUnit,
    filled: dict[str, NDArray[Any]],
    rows: NDArray[np.int64],
    likely: Shares,
    random: np.random.Generator | None,
    asked: tuple[Condition, ...],
    *,
    complete: bool,
) -> None:
    """Fill each group of rows that have the same parts of a combination with values that fit those parts."""
    columns = {name: filled[name][rows] for name in unit.columns}
    for name in unit.columns:
        filled[name] = filled[name].copy()
    patterns = pd.DataFrame(columns).groupby(list(unit.columns), dropna=False, sort=False).indices
    for mine in patterns.values():
        given = tuple(
            one_of(name, [values[mine[0]]]) for name, values in columns.items() if not pd.isna(values[mine[0]])
        )
        conditions = (*asked, *given)
        may = likely[mine] * unit.allowed(conditions, complete=complete)
        if not may.any():  # parts that training never saw together: missing ones are filled as if nothing was given
            conditions, may = asked, likely[mine]
        may = np.where(may.sum(axis=1, keepdims=True) > 0, may, unit.allowed(conditions, complete=complete) * 1.0)
        codes = may.argmax(axis=1).astype(np.int32) if random is None else _drawn(may, random)
        made = (
            unit.most_frequent(codes, conditions)
            if random is None
            else unit.decode(codes, conditions, random, complete=complete)
        )
        for name in unit.columns:
            there = ~pd.isna(columns[name][mine])
            filled[name][rows[mine]] = np.where(there, columns[name][mine], made[name])


def _drawn(likely: Shares, random: np.random.Generator) -> Codes:
    """Draw a code for each row (N,), with the probabilities of its shares."""
    cumulative = np.cumsum(likely, axis=1)
    aim = random.random((len(likely), 1)) * cumulative[:, -1:]
    codes: Codes = np.minimum((cumulative <= aim).sum(axis=1), likely.shape[1] - 1).astype(np.int32)
    return codes


def _ceiling(codec: TableCodec, column: str, here: Plain) -> NDArray[np.float64]:
    """Return the smallest value (N,) of the columns that may not be below this one, in its own units; else infinity.

    For one that is missing too, and is filled after this one: the largest value that it can be given.
    """
    lowest = np.full(len(here[column]), np.inf)
    for unit in codec.units:
        if isinstance(unit, GapUnit) and column in unit.lowers:
            place = unit.lowers.index(column)
            (mine, theirs), days = unit.scales[place], unit.days[place]
            upper = here[unit.upper]
            upper = np.where(np.isnan(upper), np.minimum(unit.high, _ceiling(codec, unit.upper, here)), upper)
            least = np.floor(upper * theirs / mine) if mine != theirs else upper
            lowest = np.fmin(lowest, days.most(upper) if days else least)
    return lowest
