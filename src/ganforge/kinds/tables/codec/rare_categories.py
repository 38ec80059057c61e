"""Categories that few training rows have: these rows are learned with similar frequent ones, or RARE, in their place.

So a model neither draws nor holds such a value. A row's frequent value is one that goes with the rest of the row: of
the codes, each in proportion to how likely it makes the row's other codes (naive Bayes). Of fixed combinations
(`city -> country`) it is one with the same country, where there is one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.core.seeds import seed_for
from ganforge.kinds.tables.codec.categories import CategoryUnit, places_of

RARE = "(rare)"  # the word for rare values where they are so many that frequent ones would become too frequent
MOST_REPLACED = 0.1  # share of the rows up to which rare values become frequent ones
MOST_LOST = 0.5  # share of the rows that frequent values may not have, if there is no word for the rare ones
PRIOR = 10.0  # rows with the usual codes that each frequent value is thought to have besides its own
AT_ONCE = 20_000  # rare values
Counts = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RareCategories:
    """Values (R,) of a unit that are none of its own, and the codes (R,) that their training rows have instead."""

    unit: int
    values: Plain
    codes: NDArray[np.int32]

    def into(self, codes: NDArray[np.int32], columns: tuple[str, ...], plain: Plain) -> None:
        """Write the codes of training rows (N, U) whose value is one of these."""
        rows = np.flatnonzero(codes[:, self.unit] < 0)
        places = places_of(columns, self.values, {name: plain[name][rows] for name in columns})
        codes[rows[places >= 0], self.unit] = self.codes[places[places >= 0]]


def without_rare(values: Plain, counts: Counts, rare: int, *, has_word: bool) -> tuple[Plain, Counts, Plain, Counts]:
    """Return the values (V,) of a unit that its codes stand for, with their rows, and the rare ones with theirs.

    Where rare values have more rows than MOST_REPLACED, RARE is one of the values, if the column can hold the word. If
    not, at least half of the rows keep their value: fewer values count as rare, or none. A missing one never does.
    """
    gone, total = np.all([pd.isna(column) for column in values.values()], axis=0), counts.sum()
    if not has_word:
        sizes, times = np.unique(counts[~gone], return_counts=True)
        bearable = sizes[np.cumsum(sizes * times) <= MOST_LOST * total]
        rare = min(rare, int(bearable.max(initial=0)) + 1)
    few = (counts < rare) & ~gone
    kept, hidden = ({name: column[mask] for name, column in values.items()} for mask in (~few, few))
    mine, theirs = counts[~few], counts[few]
    if has_word and theirs.sum() > MOST_REPLACED * total and not any(RARE in column for column in kept.values()):
        kept = {name: np.append(column, np.array([RARE], object)) for name, column in kept.items()}
        mine = np.append(mine, theirs.sum())
    return kept, mine, hidden, theirs


def fit_rare(
    place: int, unit: CategoryUnit, hidden: Plain, sample: Plain, codes: NDArray[np.int32], seed: int
) -> RareCategories:
    """Choose the code that stands for each rare value.

    Args: place of the unit; hidden (R,) rare values; sample training rows (N,), and their codes (N, U).
    """
    count = len(hidden[unit.columns[0]])
    if len(unit.columns) == 1 and RARE in unit.values[unit.columns[0]]:
        word = unit.encode({unit.columns[0]: np.array([RARE], object)})
        return RareCategories(place, hidden, np.repeat(word, count))
    random, ratios = np.random.default_rng(seed_for(seed, "data/table/rare")), _log_ratios(place, unit, codes)
    which = places_of(unit.columns, hidden, {name: sample[name] for name in unit.columns})
    chosen = []
    for first in range(0, count, AT_ONCE):
        part = {name: values[first : first + AT_ONCE] for name, values in hidden.items()}
        logits = np.log(_rows_alike(unit, part))  # (R', K)
        rows = np.flatnonzero((which >= first) & (which < first + len(logits)))
        goes = np.zeros((len(rows), unit.size))
        for other, ratio in ratios.items():
            mine = codes[rows, other]
            goes += np.where(mine[:, None] >= 0, ratio[:, np.maximum(mine, 0)].T, 0.0)
        times = np.bincount(which[rows] - first, minlength=len(logits))
        np.add.at(logits, which[rows] - first, goes / times[which[rows] - first, None])
        chosen.append((logits + random.gumbel(size=logits.shape)).argmax(axis=1).astype(np.int32))
    return RareCategories(place, hidden, np.concatenate(chosen))


def _rows_alike(unit: CategoryUnit, hidden: Plain) -> Counts:
    """Return how many rows each code has with a rare value's part, (R, K): its city, else its country, else any."""
    code = np.repeat(np.arange(unit.size), np.diff(unit.starts))
    rows = np.tile(np.bincount(code, weights=unit.counts), (len(hidden[unit.columns[0]]), 1))
    for name in sorted(unit.columns, key=lambda name: len(pd.unique(unit.values[name]))):  # the finest part last
        places, parts = pd.factorize(unit.values[name], use_na_sentinel=False)
        table = np.zeros((len(parts), unit.size))
        np.add.at(table, (places, code), unit.counts)
        mine = pd.Index(parts).get_indexer(pd.Index(hidden[name]))
        rows = np.where((mine >= 0)[:, None], table[mine], rows)
    return np.asarray(rows + 1e-9, np.float64)


def _log_ratios(place: int, unit: CategoryUnit, codes: NDArray[np.int32]) -> dict[int, Counts]:
    """Return for each other unit how much likelier its codes are with each code of this one, as logarithms (K, C)."""
    found = {}
    for other in range(codes.shape[1]):
        both = (codes[:, place] >= 0) & (codes[:, other] >= 0)
        if other == place or not both.any():
            continue
        size = int(codes[:, other].max()) + 1
        pairs = codes[both, place].astype(np.int64) * size + codes[both, other]
        table = np.bincount(pairs, minlength=unit.size * size).reshape(unit.size, size).astype(np.float64)
        usual = (table.sum(axis=0) + 1e-3) / (table.sum() + 1e-3 * size)
        found[other] = np.log((table + PRIOR * usual) / (table.sum(axis=1, keepdims=True) + PRIOR) / usual)
    return found
