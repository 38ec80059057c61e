"""Rows with asked shares of a column's values, and rows in which one column is independent of another.

Both are parts of exact sizes, each drawn under a condition, in random order. So the shares hold by construction, and
all other columns follow what is usual under the value of their row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.core.seeds import seed_for
from ganforge.errors import InputError, did_you_mean
from ganforge.kinds.tables.codec.categories import CategoryUnit
from ganforge.kinds.tables.codec.identifiers import fresh_identifiers
from ganforge.kinds.tables.codec.numbers import NumberUnit
from ganforge.kinds.tables.reading.arrays import AT_ONCE, joined, row_count, take
from ganforge.kinds.tables.rules.conditions import Condition, all_of, in_words, one_of, parse_where
from ganforge.kinds.tables.rules.syntax import QUOTED, quoted_name, starting_names

if TYPE_CHECKING:
    from ganforge.kinds.tables.generate.model import RowModel

COUNTED = 32_768  # generated rows whose shares of values are counted
MOST_PARTS = 200
EXAMPLE = 'For example: --balance "income=>50K:0.5"'
_SHARE = re.compile(rf"\s*({QUOTED}|[^,]*?)\s*:\s*([\d.]+)(%?)\s*(?:,|\Z)")


@dataclass(frozen=True, slots=True)
class Part:
    """So many rows, and what each of them meets."""

    count: int
    conditions: tuple[Condition, ...]


def balanced_parts(
    model: RowModel, count: int, asked: str | Mapping[str, Any], conditions: tuple[Condition, ...]
) -> tuple[Part, ...]:
    """Return parts in which values of one column have the asked shares, and its other values the rest of the rows.

    Args: asked "income=>50K:0.5" or "job=cook:0.2,baker:0.3", or {"income": {">50K": 0.5}}; conditions of every row.
    Raises: InputError for shares that cannot be, values that training never saw, or a column that cannot be counted.
    """
    column, shares = _shares(model, asked)
    values = _values(model, column)
    named = np.sum([condition.holds({column: values}) for condition, _ in shares], axis=0)  # (V,)
    if (named > 1).any():
        raise InputError(f"A value of {column!r} is named twice.", "It has one share.", "Name each once.")
    rest = 1 - sum(share for _, share in shares)
    others = [None if pd.isna(each) else each for each in values[named == 0]]
    if rest > 1e-9 and not others:
        raise InputError(
            f"The shares of {column!r} add up to {1 - rest:g}.", "It has no other values.", "Let them add up to 1."
        )
    wanted = [*shares, *([(one_of(column, others), rest)] if others else [])]
    sizes = rounded_counts([share for _, share in wanted], count)
    together = [
        _with(model, conditions, condition) if size else () for (condition, _), size in zip(wanted, sizes, strict=True)
    ]
    return tuple(Part(size, each) for size, each in zip(sizes, together, strict=True) if size)


def fair_parts(model: RowModel, count: int, asked: str, conditions: tuple[Condition, ...]) -> tuple[Part, ...]:
    """Return parts in which a target has the same shares in every group of a protected column: statistical parity.

    Each column keeps the shares that it has by itself.

    Args: asked "income ~ sex". Raises: InputError for anything else, or columns that cannot be counted.
    """
    target, protected = _pair(asked, [column.name for column in model.codec.columns])
    for column in (target, protected):
        _values(model, column)
    counted = model.draw(COUNTED, conditions=conditions, seed=0)
    groups, classes = (_counted(counted[column]) for column in (protected, target))
    if len(groups) * len(classes) > MOST_PARTS:
        raise InputError(
            f"{target!r} and {protected!r} have {len(classes)} and {len(groups)} values.",
            f"Parity is kept for at most {MOST_PARTS} combinations.",
            "Choose columns of fewer values.",
        )
    parts = []
    for group, size in zip(groups, rounded_counts(list(groups.values()), count), strict=True):
        here = rounded_counts(list(classes.values()), size)
        if size:
            one = _with(model, conditions, one_of(protected, [group]))
            parts += [
                Part(each, _with(model, one, one_of(target, [value])))
                for value, each in zip(classes, here, strict=True)
                if each
            ]
    return tuple(parts)


def blocks_of_parts(model: RowModel, parts: Sequence[Part], seed: int) -> Iterator[Plain]:
    """Yield plain rows, at most AT_ONCE at a time: of each part exactly as many as it asks for, in random order."""
    order = np.repeat(np.arange(len(parts), dtype=np.int16), [part.count for part in parts])
    np.random.default_rng(seed_for(seed, "order of parts")).shuffle(order)
    streams = [
        _Stream(model.blocks(part.count, conditions=part.conditions, seed=seed_for(seed, "rows of a part", step=place)))
        for place, part in enumerate(parts)
    ]
    identifiers = [column for column in model.codec.columns if column.kind == "identifier"]
    for first in range(0, len(order), AT_ONCE):
        here = order[first : first + AT_ONCE]
        drawn = joined([streams[place].take(int((here == place).sum())) for place in np.unique(here)])
        block = dict(take(drawn, np.argsort(np.argsort(here, kind="stable"), kind="stable")))
        random = np.random.default_rng(seed_for(seed, "identifiers of parts", step=first))
        for column in identifiers:  # those of the parts begin at the same number
            block[column.name] = fresh_identifiers(column, len(here), random, start=first)
        yield block


class _Stream:
    """Blocks of rows, from which any number is taken at a time."""

    def __init__(self, blocks: Iterator[Plain]) -> None:
        self._blocks, self._left = blocks, next(blocks)

    def take(self, count: int) -> Plain:
        parts = [self._left]
        while sum(map(row_count, parts)) < count:
            parts.append(next(self._blocks))
        whole = joined(parts)
        self._left = take(whole, slice(count, None))
        return take(whole, slice(0, count))


def rounded_counts(shares: Sequence[float], count: int) -> list[int]:
    """Split a whole number by shares, which add up to 1, with the largest remainders rounded up."""
    exact = np.asarray(shares, np.float64) / sum(shares) * count
    found = np.floor(exact + 1e-9).astype(int)
    found[np.argsort(found - exact, kind="stable")[: count - found.sum()]] += 1
    return [int(each) for each in found]


def _with(model: RowModel, conditions: tuple[Condition, ...], one: Condition) -> tuple[Condition, ...]:
    """Return the conditions and one more. Raises: InputError if no row could meet all of them."""
    both = all_of([one, *(each for each in conditions if each.column == one.column)], one.column)
    if both.nothing and not both.missing:
        words = in_words(one, model.codec.columns)
        raise InputError(f"No row can meet {words} and --where.", "They exclude each other.", "Leave one out.")
    return model.possible((*(each for each in conditions if each.column != one.column), both))


def _shares(model: RowModel, asked: str | Mapping[str, Any]) -> tuple[str, list[tuple[Condition, float]]]:
    """Parse what was asked: the column, and the condition for each value with its share."""
    columns, known = model.codec.columns, model.codec.known
    names = [column.name for column in columns]
    found: list[tuple[Condition, float]] = []
    if isinstance(asked, Mapping):
        (column, listed), *more = asked.items() if asked else [("", {})]
        if more or not isinstance(listed, Mapping) or not listed:
            raise _unreadable(asked)
        if column not in names:
            raise InputError(f"There is no column {column!r}.", did_you_mean(str(column), names))
        items = [({column: value}, share) for value, share in listed.items()]
    else:
        column, items = _typed(asked, names)
    for where, share in items:
        if not isinstance(share, float | int) or not 0 <= share <= 1:
            raise InputError(f"{share!r} is not a share.", "A share is a number from 0 to 1.", EXAMPLE)
        found.append((parse_where(where, columns, known)[0], float(share)))
    if (total := sum(share for _, share in found)) > 1 + 1e-9:
        raise InputError(f"The shares of {column!r} add up to {total:g}.", "All rows are 1.", "Make them smaller.")
    return column, found


def _typed(asked: str, names: Sequence[str]) -> tuple[str, list[tuple[Any, float]]]:
    """Parse column=value:share,value:share as conditions in words, each with its share."""
    for column, rest in starting_names(str(asked).strip(), names):
        sign = re.match(r"\s*=", rest)
        items, end = [], sign.end() if sign else len(rest)
        while sign and (item := _SHARE.match(rest, end)):
            share = float(item[2]) / (100 if item[3] else 1) if item[2].count(".") < 2 and item[2] != "." else 2.0
            items.append((f"{quoted_name(column, names)}={item[1]}", share))
            end = item.end()
        if items and end == len(rest):
            return column, items
    named = str(asked).partition("=")[0].strip()
    if named not in names and "=" in str(asked):
        raise InputError(
            f"There is no column {named!r}.", f"--balance {asked} asks for it.", did_you_mean(named, names)
        )
    raise _unreadable(asked)


def _unreadable(asked: object) -> InputError:
    return InputError(
        f"--balance cannot read {asked!r}.", "It needs one column, and values of it with a share each.", EXAMPLE
    )


def _values(model: RowModel, column: str) -> NDArray[Any]:
    """Return all values of a column that training saw, and a missing one if there were any: (V,).

    Raises: InputError if they cannot be listed.
    """
    codec = model.codec
    about = next(each for each in codec.columns if each.name == column)
    if about.kind == "identifier":
        raise InputError(
            f"{column!r} is an identifier, which has no shares.",
            "Its values are made anew for each row, so none comes twice.",
            "Choose a column whose values come again.",
        )
    if not about.is_number:
        return np.array([*codec.known.get(column, ()), *([None] if about.missing else [])], object)
    unit = codec.units[codec.unit_of(column)]
    if isinstance(unit, CategoryUnit):
        return np.unique(unit.values[column])
    if not isinstance(unit, NumberUnit) or (unit.least != unit.most).any():
        raise InputError(
            f"{column!r} has too many values to give each a share.",
            "Shares are of values, not of ranges.",
            "Choose a column of few values, or ask for a range with --where.",
        )
    return np.array([*unit.least, *([np.nan] if unit.with_missing else [])])


def _counted(values: NDArray[Any]) -> dict[Any, float]:
    """Return the share of each value of a column (N,), the most frequent first."""
    shares = pd.Series(values).value_counts(normalize=True, dropna=False)
    return {None if pd.isna(value) else value: float(share) for value, share in shares.items()}


def _pair(asked: str, names: Sequence[str]) -> tuple[str, str]:
    """Parse "target ~ protected"."""
    for target, rest in starting_names(str(asked).strip(), names):
        if between := re.match(r"\s*~\s*", rest):
            for protected, end in starting_names(rest[between.end() :], names):
                if not end.strip() and protected != target:
                    return target, protected
    for name in re.split(r"\s*~\s*", str(asked).strip()):
        if "~" in str(asked) and name not in names:
            raise InputError(f"There is no column {name!r}.", f"--fair {asked} asks for it.", did_you_mean(name, names))
    raise InputError(
        f"--fair cannot read {asked!r}.",
        "It needs two columns: what is to be independent of what.",
        'For example: --fair "income ~ sex"',
    )
