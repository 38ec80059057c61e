"""The similarity of two tables by column and by pair, with the uncertainty due to the number of rows.

Columns are coded as small whole numbers first: categories by frequency, numbers cut at the quantiles of the real ones.

The definitions follow SDMetrics' documentation of its quality report (Column Shapes, Column Pair Trends), except that
a missing value is a value of its own here, below all numbers, that numbers beside categories are cut at quantiles, and
that Cramer's V has its bias taken off. As there, the mean over pairs is over those that depend on each other in the
real rows: independent columns are matched by any generator and would hide the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.core.seeds import seed_for
from ganforge.kinds.tables.columns import Column, learned
from ganforge.kinds.tables.reading.arrays import row_count, take
from ganforge.measures.distances import kind_scores
from ganforge.measures.distributions import (
    block_estimate,
    block_shares,
    correlations,
    cramers_v,
    kolmogorov_smirnov,
    total_variation,
)
from ganforge.measures.intervals import Estimate, from_standard_error, of_share, with_ends
from ganforge.measures.neighbours import K, nearest

MOST_VALUES = 10_000  # of one category that are distinguished; the rarer ones count as one
BINS = 10  # of a number beside a category
MOST_CATEGORIES = 250  # that a tree distinguishes; scikit-learn's take at most 255
MISSING = 0  # the code of a missing value, in every column
BLOCKS = 10  # of the jackknife
RELATED_NUMBERS, RELATED = 0.4, 0.3  # |correlation| and Cramer's V from which on a pair counts, as in SDMetrics
MOST_PAIR_VALUES = 100  # of a category that are distinguished in a pair of columns
MOST_COUNTED_PAIRS = 2_000  # of columns that are not both numbers: of more some by chance
MOST_QUICK = 5_000  # rows of each side
FEWEST_VARIED = 10  # rows of each side, from which on neighbours are meaningful
MOST_VARIED = 1_000  # rows of each side whose neighbours are searched
VARIED_VALUES = 50  # of a category that are distinguished; the rarer ones count as one
MISSING_PLACE = -0.5  # of a number, below all others
NEARLY = 1e-4  # distances of equal rows differ by rounding

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Coded:
    """A table coded by a `Coding`, by the name of a column.

    numbers: float64 (N,) with NaN for missing, of number columns only. codes: (N,) of every column, 0 for missing; of a
    number its quantile bin from 1 on; of a category the rank of its frequency from 1 on.
    """

    count: int
    numbers: dict[str, NDArray[np.float64]]
    codes: dict[str, Codes]
    sizes: dict[str, int]  # codes of a column lie in 0..size-1


@dataclass(frozen=True, slots=True)
class Coding:
    """The codes of columns, fitted on real rows. The last code of a category is every other text."""

    columns: tuple[Column, ...]
    values: dict[str, pd.Index[str]]  # of a category, the most frequent first
    edges: dict[str, NDArray[np.float64]]  # of a number: inner bin edges, ascending, each closing its bin

    @classmethod
    def fit(cls, real: Plain, columns: Sequence[Column]) -> Coding:
        """Fit the codes. Args: real, from whose rows frequencies and quantiles are taken."""
        chosen = learned(columns)
        values, edges = {}, {}
        for column in chosen:
            given = real[column.name]
            if column.is_number:
                there = given[~np.isnan(given)]
                cuts = np.arange(1, BINS) / BINS
                ends = np.quantile(there, cuts, method="inverted_cdf") if len(there) else there
                edges[column.name] = np.unique(ends)
            else:
                values[column.name] = by_frequency(given)[:MOST_VALUES]
        return cls(chosen, values, edges)

    def code(self, table: Plain) -> Coded:
        """Return the codes of another table of the same columns."""
        numbers, codes, sizes, count = {}, {}, {}, 0
        for column in self.columns:
            given, name = table[column.name], column.name
            count = len(given)
            if column.is_number:
                numbers[name] = np.asarray(given, np.float64)
                bins = np.searchsorted(self.edges[name], numbers[name], side="left") + 1
                codes[name] = np.where(np.isnan(numbers[name]), MISSING, bins).astype(np.int64)
                sizes[name] = len(self.edges[name]) + 2
            else:
                codes[name] = MISSING + 1 + ranks(given, self.values[name])
                sizes[name] = len(self.values[name]) + 2
        return Coded(count, numbers, codes, sizes)

    def features(self, table: Plain, without: str | None = None) -> NDArray[np.float64]:
        """Return the input of a boosted tree, (N, F): texts as codes by their frequency, missing values as NaN.

        Args: without a column that is left out.
        """
        parts = []
        for column in self.columns:
            values = table[column.name]
            if column.name in self.values:
                codes = np.minimum(ranks(values, self.values[column.name]), MOST_CATEGORIES)
                values = np.where(codes < 0, np.nan, codes)
            if column.name != without:
                parts.append(np.asarray(values, np.float64))
        return np.stack(parts, axis=1)

    def categorical(self, without: str | None = None) -> list[bool]:
        """Return which features are codes."""
        return [column.name in self.values for column in self.columns if column.name != without]


def ranks(values: NDArray[np.generic], known: pd.Index[str]) -> Codes:
    """Return the place of each text (N,) among the K known ones; K for another text, -1 for a missing one."""
    places = known.get_indexer(pd.Index(values, dtype=object))
    return np.where(pd.isna(values), -1, np.where(places < 0, len(known), places)).astype(np.int64)


def by_frequency(values: NDArray[np.generic]) -> pd.Index[str]:
    """Return the distinct texts, the most frequent first, ties in alphabetical order; missing ones left out."""
    counts = pd.Series(values, dtype=object).value_counts().sort_index()
    return pd.Index(counts.sort_values(ascending=False, kind="stable").index, dtype=object)


@dataclass(frozen=True, slots=True)
class Similarity:
    """Scores in 0..1, 1 for alike. If there is only one column, there are no pairs and quality is its shape."""

    names: tuple[str, ...]
    by_column: Floats  # (C,)
    by_pair: Floats  # (C, C), symmetric, NaN on the diagonal
    related: NDArray[np.bool_]  # (C, C): the pairs that the mean is over
    shapes: Estimate
    pairs: Estimate | None
    quality: Estimate


def similarity(real: Coded, fake: Coded) -> Similarity:
    """Compare two tables that one `Coding` has coded; each with at least two rows.

    The interval of each mean is a jackknife over blocks of rows that are left out of both tables at once.
    """
    names = tuple(real.codes)
    blocks = min(BLOCKS, real.count, fake.count)
    shapes = np.empty((blocks + 1, len(names)))
    for place, name in enumerate(names):
        if name in real.numbers:
            shapes[:, place] = 1 - kolmogorov_smirnov(real.numbers[name], fake.numbers[name], blocks)
        else:
            shapes[:, place] = 1 - total_variation(real.codes[name], fake.codes[name], real.sizes[name], blocks)
    pairs, related = compare_pairs(names, real, fake, blocks)  # (B + 1, C, C)
    shape_means, pair_means = shapes.mean(axis=1), None
    quality = shape_means
    if len(names) > 1:
        pair_means = pairs[:, np.triu(related, 1)].mean(axis=1)
        quality = (shape_means + pair_means) / 2
    return Similarity(
        names,
        shapes[0],
        pairs[0],
        related,
        block_estimate(shape_means),
        None if pair_means is None else block_estimate(pair_means),
        block_estimate(quality),
    )


def compare_pairs(
    names: tuple[str, ...],
    real: Coded,
    fake: Coded,
    blocks: int,
    least: tuple[float, float] = (RELATED_NUMBERS, RELATED),
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return scores (blocks + 1, C, C), and which pairs count (C, C): the related ones, or all if none is related.

    Of very many columns not all pairs are compared: the scores of the others are NaN, and they do not count.

    Args: least the correlation of two numbers, and Cramer's V of other pairs, from which on they are related.
    """
    scores = np.full((blocks + 1, len(names), len(names)), np.nan)
    related = np.zeros((len(names), len(names)), bool)
    is_number = [name in real.numbers for name in names]
    numbers = list(np.flatnonzero(is_number))
    if len(numbers) > 1:
        both = []
        centre, scale = _scale(np.stack([real.numbers[names[i]] for i in numbers], axis=1))
        for side in (real, fake):
            given = np.stack([side.numbers[names[i]] for i in numbers], axis=1)
            both.append(correlations((given - centre) / scale, blocks))
        scores[:, np.array(numbers)[:, None], numbers] = 1 - np.abs(both[0] - both[1]) / 2
        scores[:, numbers, numbers] = np.nan
        related[np.ix_(numbers, numbers)] = np.abs(both[0][0]) >= least[0]
    mine, theirs = ([np.minimum(side.codes[name], MOST_PAIR_VALUES + 1) for name in names] for side in (real, fake))
    sizes = [min(real.sizes[name], MOST_PAIR_VALUES + 2) for name in names]
    counted = [pair for pair in combinations(range(len(names)), 2) if not all(is_number[i] for i in pair)]
    if len(counted) > MOST_COUNTED_PAIRS:
        chosen = np.random.default_rng(seed_for(0, "metrics/tables/pairs")).permutation(len(counted))
        counted = [counted[place] for place in np.sort(chosen[:MOST_COUNTED_PAIRS])]
    for i, j in counted:
        size = sizes[i] * sizes[j]
        cells = block_shares(mine[i] * sizes[j] + mine[j], size, blocks)
        fake_cells = block_shares(theirs[i] * sizes[j] + theirs[j], size, blocks)
        scores[:, i, j] = scores[:, j, i] = 1 - np.abs(cells - fake_cells).sum(axis=1) / 2
        related[i, j] = related[j, i] = cramers_v(cells[0].reshape(sizes[i], sizes[j]), real.count) >= least[1]
    np.fill_diagonal(related, False)
    return scores, related if related.any() else ~np.isnan(scores[0])


def _scale(columns: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation (C,) of present values; 0 and 1 for a column that is empty or constant."""
    there = ~np.isnan(columns)
    count = np.maximum(there.sum(axis=0), 1)
    centre = np.where(there, columns, 0.0).sum(axis=0) / count
    scale = np.sqrt(np.where(there, (columns - centre) ** 2, 0.0).sum(axis=0) / count)
    return centre, np.where(scale > 0, scale, 1.0)


def quick_table_quality(
    held_out: Plain, samples: Plain, columns: Sequence[Column], label: str | None = None
) -> dict[str, float]:
    """Return column_shapes, column_pairs and table_quality in 0..1, each with {measure}_low and {measure}_high.

    Also the results of `variety`: how many real rows have a generated one near, and how different rows are.

    Shares of few rows differ by chance: keep the numbers of rows the same over a run. A table of one measured column
    has no column_pairs.

    Args: both sides at least two rows; of more than 5,000 every k-th is taken.
    """
    real, fake = (
        take(side, np.linspace(0, row_count(side) - 1, min(row_count(side), MOST_QUICK)).astype(np.int64))
        for side in (held_out, samples)
    )
    coding = Coding.fit(real, columns)
    sides = coding.code(real), coding.code(fake)
    found = similarity(*sides)
    scores = {
        "column_shapes": found.shapes,
        "column_pairs": found.pairs,
        "table_quality": found.quality,
        **(variety(*sides, label) if min(side.count for side in sides) > FEWEST_VARIED else {}),
    }
    return with_ends({name: score for name, score in scores.items() if score is not None})


def variety(real: Coded, fake: Coded, label: str | None = None) -> dict[str, Estimate]:
    """Return coverage and diversity; with a label column of kinds also kinds_reached and kind_diversity.

    A row is a point: a number is its rank among the real ones, 0..1, a category a corner of a simplex with sides of
    length 1. coverage: the share of real rows that have a generated one no farther than their fifth real neighbour
    (Naeem et al. 2020; here ties count, because rows of few values are full of them). diversity: mean distance of two
    generated rows over that of two real ones.

    Args: real, fake coded by one Coding, more than five rows each; equally many of each are compared.
    """
    count = min(real.count, fake.count, MOST_VARIED)
    x, y = _points(real, real, count), _points(fake, real, count)
    radius = nearest(x, x, K + 1)[:, -1]  # the row itself is the first
    reached = nearest(x, y, 1)[:, 0] <= radius + NEARLY
    spreads = [float(torch.pdist(torch.from_numpy(points)).mean()) for points in (x, y)]
    ratio = spreads[1] / spreads[0] if spreads[0] > 0 else 1.0
    found = {
        "coverage": of_share(int(reached.sum()), count),
        "diversity": from_standard_error(ratio, ratio / np.sqrt(count), least=0.0),
    }
    if label in real.codes and label not in real.numbers:
        found |= kind_scores(x, y, real.codes[label][:count], fake.codes[label][:count])
    return found


def _points(coded: Coded, real: Coded, count: int) -> NDArray[np.float32]:
    """Return the first `count` rows (count, D)."""
    parts: list[NDArray[np.float64]] = []
    for name, codes in coded.codes.items():
        if name in coded.numbers:
            known = np.sort(real.numbers[name][~np.isnan(real.numbers[name])])
            values = coded.numbers[name][:count]
            low, high = (np.searchsorted(known, values, side=side) for side in ("left", "right"))
            place = (low + high) / (2 * max(len(known), 1))
            parts.append(np.where(np.isnan(values), MISSING_PLACE, place)[:, None])
        else:
            size = min(coded.sizes[name], VARIED_VALUES)
            parts.append(np.eye(size)[np.minimum(codes[:count], size - 1)] / np.sqrt(2))
    return np.concatenate(parts, axis=1).astype(np.float32)
