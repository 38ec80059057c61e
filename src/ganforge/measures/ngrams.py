"""Interpolated modified Kneser-Ney n-grams (Chen and Goodman 1999) over sorted integer keys.

A text is BEGIN, its units, END. The k-grams of each order k are a sorted array of numbers (number of the first k - 1
units among the (k - 1)-grams, last unit), so that the continuations of a context stand together and a million texts
take a few hundred megabytes. Counts of lower orders are those of different units before, except at the beginning of a
text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganforge.core.sequences import BEGIN, END, PAD, Ids

ORDER = 5
DISCOUNTS = (0.5, 1.0, 1.5)  # of counts 1, 2 and more, where too few counts of counts are known to estimate them
LEAST_DISCOUNT = 0.1  # so that after every context everything has a chance
Numbers = NDArray[np.int64]
Shares = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Level:
    """The k-grams of one order."""

    keys: Numbers  # (K,) sorted: context * V + unit
    kept: Shares  # (K,) counts after the discount
    total: Shares  # (contexts,) of the counts of each context; 0 where nothing follows
    freed: Shares  # (contexts,) share of each context's chance that lower orders divide
    starts: Numbers  # (contexts + 1,) place of each context's first k-gram
    reached: Shares  # (K + 1,) running sum of kept


@dataclass(frozen=True, slots=True)
class Ngrams:
    """A model of n-grams, from order 1 on."""

    size: int  # of the units, V
    levels: tuple[Level, ...]

    @classmethod
    def fit(cls, texts: Sequence[Ids], size: int, order: int = ORDER) -> Ngrams:
        """Count. Args: texts of units, each 3..size-1; size of the units with PAD, BEGIN and END."""
        flat, place = _flat(texts)
        before = np.zeros(len(flat), np.int64)  # number of the (k - 1)-gram that ends at the unit before
        grams: list[tuple[Numbers, Numbers, Numbers]] = []  # keys, an occurrence of each, counts
        numbers: list[Numbers] = []
        for k in range(1, order + 1):
            there = np.flatnonzero(place >= k - 1)  # units with so many before them
            keys, first, inverse, counts = np.unique(
                before[there] * size + flat[there], return_index=True, return_inverse=True, return_counts=True
            )
            number = np.full(len(flat), -1, np.int64)
            number[there] = inverse
            grams.append((keys, there[first], counts))
            numbers.append(number)
            before = np.roll(number, 1)
        levels = []
        for k, (keys, first, counts) in enumerate(grams, 1):
            adjusted = counts.astype(np.int64)
            if k < order:  # the number of different units before
                longer = grams[k][1]
                adjusted = np.bincount(numbers[k - 1][longer], minlength=len(keys))
                begins = place[first] == k - 1  # nothing stands before these
                adjusted = np.where(begins, counts, adjusted)
            if k == 1:
                adjusted = np.where(keys == BEGIN, 0, adjusted)  # it is never drawn
            levels.append(_level(keys, adjusted, size, 1 if k == 1 else len(grams[k - 2][0])))
        return cls(size, tuple(levels))

    @property
    def order(self) -> int:
        """Return the length of the longest n-grams."""
        return len(self.levels)

    def surprise(self, texts: Sequence[Ids], unscored: int = PAD) -> tuple[Shares, Numbers]:
        """Return minus the log-probability of each text (N,) in nats, and its number of units (N,), the end included.

        Args: unscored a unit that is read, but not counted.
        """
        flat, place = _flat(texts)
        scored = (place > 0) & (flat != unscored)
        lost = np.where(scored, -np.log(self._chances(flat, place)), 0.0)
        starts = np.flatnonzero(place == 0)
        return np.add.reduceat(lost, starts), np.add.reduceat(scored.astype(np.int64), starts)

    def _chances(self, flat: Numbers, place: Numbers) -> Shares:
        """Return (T,) the chance of each unit given those before it in its text."""
        chance = np.full(len(flat), 1 / (self.size - END))
        before = np.zeros(len(flat), np.int64)
        for k, level in enumerate(self.levels, 1):
            now = np.full(len(flat), -1, np.int64)
            found = np.flatnonzero((place >= k - 1) & (before >= 0))
            now[found] = _find(level.keys, before[found] * self.size + flat[found])
            known = found[level.total[before[found]] > 0]
            context, number = before[known], now[known]
            kept = np.where(number >= 0, level.kept[number], 0.0)
            chance[known] = kept / level.total[context] + level.freed[context] * chance[known]
            before = np.roll(now, 1)
        return chance

    def sample(self, count: int, random: np.random.Generator, longest: int = 64) -> list[Ids]:
        """Draw texts of at most `longest` units, all at the same time."""
        units = np.full((count, longest + 1), END, np.int64)
        recent = np.full((count, self.order), -1, np.int64)  # the last units, the newest last
        recent[:, -1] = BEGIN
        alive = np.arange(count)
        for step in range(longest):
            drawn = self._next(recent[alive], random)
            units[alive, step] = drawn
            recent[alive] = np.c_[recent[alive, 1:], drawn]
            alive = alive[drawn != END]
            if not len(alive):
                break
        lengths = (units == END).argmax(1)
        return [row[:length].astype(np.int32) for row, length in zip(units, lengths, strict=True)]

    def _next(self, recent: Numbers, random: np.random.Generator) -> Numbers:
        """Draw the next unit (N,), from the longest context on: a continuation of it, or what a shorter one draws."""
        drawn = np.full(len(recent), -1, np.int64)
        for k in range(self.order, 0, -1):
            level = self.levels[k - 1]
            context = self._context(recent[:, len(recent[0]) - (k - 1) :])
            open_ = np.flatnonzero((drawn < 0) & (context >= 0))
            open_ = open_[level.total[context[open_]] > 0]
            open_ = open_[random.random(len(open_)) >= level.freed[context[open_]]]
            first, last = level.starts[context[open_]], level.starts[context[open_] + 1]
            low, high = level.reached[first], level.reached[last]
            place = np.searchsorted(level.reached, low + random.random(len(open_)) * (high - low), side="right") - 1
            drawn[open_] = level.keys[place.clip(first, last - 1)] % self.size
        unknown = drawn < 0
        drawn[unknown] = random.integers(END, self.size, int(unknown.sum()))
        return drawn

    def _context(self, units: Numbers) -> Numbers:
        """Return the number (N,) of contexts (N, k), -1 where it was never seen."""
        number = np.zeros(len(units), np.int64)
        for level, unit in zip(self.levels, units.T, strict=False):
            known = (number >= 0) & (unit >= 0)
            number = np.where(known, _find(level.keys, number.clip(0) * self.size + unit), -1)
        return number


def _flat(texts: Sequence[Ids]) -> tuple[Numbers, Numbers]:
    """Return all units of texts in a row, with BEGIN and END, and the place of each in its text."""
    lengths = np.array([len(text) + 2 for text in texts], np.int64)
    ends = lengths.cumsum()
    flat = np.empty(int(ends[-1]) if len(ends) else 0, np.int64)
    place = np.arange(len(flat)) - np.repeat(ends - lengths, lengths)
    flat[place == 0] = BEGIN
    flat[ends - 1] = END
    inside = np.ones(len(flat), bool)
    inside[ends - 1], inside[ends - lengths] = False, False
    if inside.any():
        flat[inside] = np.concatenate(texts)
    return flat, place


def _find(keys: Numbers, wanted: Numbers) -> Numbers:
    """Return the place of each wanted key, -1 where it is not there."""
    place = np.searchsorted(keys, wanted)
    place[place == len(keys)] = 0
    return np.where(keys[place] == wanted, place, -1) if len(keys) else np.full(len(wanted), -1)


def _level(keys: Numbers, counts: Numbers, size: int, contexts: int) -> Level:
    """Discount the counts of one order."""
    of = np.bincount(np.minimum(counts, 5), minlength=6)  # how many k-grams have each count
    discount = np.array([0.0, *DISCOUNTS])
    if of[1:5].all():
        y = of[1] / (of[1] + 2 * of[2])
        discount[1:] = [k - (k + 1) * y * of[k + 1] / of[k] for k in (1, 2, 3)]
    discount[1:] = np.clip(discount[1:], LEAST_DISCOUNT, (1.0, 2.0, 3.0))
    taken = discount[np.minimum(counts, 3)]
    context, kept = keys // size, counts - taken
    total = np.bincount(context, counts, minlength=contexts).astype(np.float64)
    freed = np.bincount(context, taken, minlength=contexts) / np.maximum(total, 1)
    starts = np.searchsorted(context, np.arange(contexts + 1))
    return Level(keys, kept.astype(np.float64), total, freed, starts, np.concatenate([[0.0], kept.cumsum()]))
