"""Categories as codes: one for each frequent value; if there are very many, similar ones share a code.

A unit may stand for several columns whose combinations are fixed (`city -> country`): then a value is a combination,
and only combinations in the training data can be drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.kinds.tables.rules.conditions import Condition

OWN = 64  # values with a code of their own where there are more than MOST
MOST = 100  # values up to which all have one
GROUPS = 64  # codes that the others share
PASSES = 20  # of k-means
Codes = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryUnit:
    """One column, or several whose combinations are fixed. Code k stands for the values starts[k]:starts[k + 1]."""

    columns: tuple[str, ...]
    values: Plain  # for each column (V,): what each value is there
    counts: NDArray[np.float64]  # (V,) number of rows of each
    starts: NDArray[np.int64]  # (K + 1,)

    @property
    def size(self) -> int:
        return len(self.starts) - 1

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Return which codes can stand for a value without a missing part, (K,)."""
        return self._any(self._complete_values())

    def encode(self, plain: Plain) -> Codes:
        """Return (N,) codes; -1 for values that training did not have."""
        places = places_of(self.columns, self.values, plain)
        codes = np.searchsorted(self.starts, places, "right") - 1
        return np.where(places < 0, -1, codes).astype(np.int32)

    def allowed(self, conditions: tuple[Condition, ...], *, complete: bool = False) -> NDArray[np.bool_]:
        """Return which codes can stand for a value that meets all conditions, here without a missing part, (K,)."""
        may = self._meeting(conditions)
        return self._any(may & self._complete_values() if complete else may)

    def decode(
        self, codes: Codes, conditions: tuple[Condition, ...], random: np.random.Generator, *, complete: bool = False
    ) -> dict[str, NDArray[Any]]:
        """Draw a value for each code (N,), by its frequency in training, that meets all conditions, with certainty."""
        may = self._meeting(conditions) & self._complete_values() if complete else self._meeting(conditions)
        cumulative = np.concatenate([[0.0], np.cumsum(np.where(may, self.counts, 0.0))])
        begin, end = cumulative[self.starts[codes]], cumulative[self.starts[codes + 1]]
        aim = np.minimum(begin + random.random(len(codes)) * (end - begin), np.nextafter(end, begin))
        places = np.minimum(np.searchsorted(cumulative, aim, "right") - 1, self.starts[codes + 1] - 1)
        return {name: values[places] for name, values in self.values.items()}

    def most_frequent(self, codes: Codes, conditions: tuple[Condition, ...]) -> dict[str, NDArray[Any]]:
        """Return the most frequent value of each code (N,) that meets all conditions and is without a missing part."""
        rows = np.where(self._meeting(conditions) & self._complete_values(), self.counts, -1.0)
        best = np.array([first + rows[first:last].argmax() for first, last in pairwise(self.starts)])
        return {name: values[best[codes]] for name, values in self.values.items()}

    def _meeting(self, conditions: tuple[Condition, ...]) -> NDArray[np.bool_]:
        may = np.ones(len(self.counts), dtype=bool)
        for condition in conditions:
            may &= condition.holds(self.values)
        return may

    def _complete_values(self) -> NDArray[np.bool_]:
        return np.asarray(~np.any([pd.isna(values) for values in self.values.values()], axis=0))

    def _any(self, values: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.logical_or.reduceat(values, self.starts[:-1])


def fit_categories(columns: tuple[str, ...], values: Plain, counts: NDArray[np.float64]) -> CategoryUnit:
    """Fit a code for each value where there are at most MOST.

    Where there are more, a code for each of the OWN most frequent ones, and one for the others: `grouped` splits those.

    Args: values (V,) distinct ones for each column; counts (V,) their training rows.
    """
    order = np.argsort(-counts, kind="stable")
    own = len(order) if len(order) <= MOST else OWN
    starts = np.arange(own + 1)
    return CategoryUnit(
        columns=columns,
        values={name: column[order] for name, column in values.items()},
        counts=counts[order],
        starts=starts if own == len(order) else np.append(starts, len(order)),
    )


def grouped(unit: CategoryUnit, plain: Plain, others: NDArray[np.int32], seed: int) -> CategoryUnit:
    """Return the unit with its rare values in GROUPS groups of similar ones, which occur with the same codes elsewhere.

    Args: plain training rows (N,), and others (N, U) the codes of the same rows in all other units; a sample is enough.
    """
    from sklearn.cluster import MiniBatchKMeans

    rare = len(unit.counts) - OWN
    if len(unit.counts) <= MOST or others.shape[1] == 0:
        return unit
    places = places_of(unit.columns, unit.values, plain)
    mine = places >= OWN
    profile = _profiles(places[mine] - OWN, rare, others[mine], others)
    clusters = MiniBatchKMeans(
        min(GROUPS, rare), random_state=seed, max_iter=PASSES, n_init=1, batch_size=4096
    ).fit_predict(profile, sample_weight=unit.counts[OWN:])
    order = np.concatenate([np.arange(OWN), OWN + np.argsort(clusters, kind="stable")])
    sizes = np.bincount(clusters)
    starts = np.concatenate([np.arange(OWN), OWN + np.cumsum([0, *sizes[sizes > 0]])])
    return CategoryUnit(
        columns=unit.columns,
        values={name: column[order] for name, column in unit.values.items()},
        counts=unit.counts[order],
        starts=starts,
    )


def _profiles(
    places: NDArray[np.int64], rare: int, theirs: NDArray[np.int32], everyone: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Return for each rare value (R, P) how much more often than others it occurs with each code of the other units.

    Shrunk towards no difference where a value has few rows: else chance alone would separate them.
    """
    rows = np.bincount(places, minlength=rare).astype(np.float32)[:, None]
    parts = []
    for unit in range(everyone.shape[1]):
        codes = int(everyone[:, unit].max()) + 1
        usual = np.bincount(np.maximum(everyone[:, unit], 0), minlength=codes) / len(everyone)
        pairs = np.bincount(places * codes + np.maximum(theirs[:, unit], 0), minlength=rare * codes)
        shares = pairs.reshape(rare, codes) / np.maximum(rows, 1.0)
        parts.append(((shares - usual) * rows / (rows + 10.0) / np.sqrt(usual + 0.01)).astype(np.float32))
    return np.concatenate(parts, axis=1)


def places_of(columns: tuple[str, ...], values: Plain, plain: Plain) -> NDArray[np.int64]:
    """Return for each row (N,) the place of its combination among the values, -1 where it is not one of them."""
    known, asked = (pd.MultiIndex.from_arrays([table[name] for name in columns]) for table in (values, plain))
    places: NDArray[np.int64] = known.get_indexer(asked)
    return places
