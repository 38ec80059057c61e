"""A tree over the columns given the class, from three Gaussian releases of counts, and rows that are drawn from it.

1. Counts of each column's cells with the class. 2. Of each pair of columns how far it is from being independent given
the class (an L1 distance, which one row changes by 1 at most), of which a spanning forest of the largest is taken.
3. Counts of the forest's pairs with the class, of cells merged so far that noise leaves something of them.

All are Gaussian, so that what they cost together is known exactly: an exponential mechanism for the tree (McKenna,
Miklau and Sheldon 2021) needs Renyi accounting, by which all noise would be 8 % larger at epsilon 1.
Measured differences are shrunk where they are noise: of three columns toward what pairs say, of cells toward groups.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ganforge.core.noise import PrivateNoise
from ganforge.kinds.tables.private.counts import (
    TINY,
    Codes,
    Numbers,
    combined,
    counted,
    grouped,
    groups_of,
    projected,
    raked,
    shrunk,
    without_interaction,
)

PAIRS, CHOICE, TRIPLES = 0.4, 0.1, 0.5  # shares of the budget (docs/log.md)
FEWEST_GROUPS, MOST_GROUPS = 3, 24
CLEAR = 3.0  # deviations of noise in the mean cell of three columns, to which cells are merged
HEAVY = 2.0  # deviations of noise in a cell that is not merged
SIGNIFICANT = 2.0  # deviations of noise that a pair must exceed to be in the forest
MOST_CLASSES = 12  # cells of a column to predict that are classes as they are

Arrays = Mapping[str, Numbers]
Edge = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Layout:
    """What is public: the cells of each column, and how large the noise is. Columns are without the class."""

    rows: int
    sizes: tuple[int, ...]
    ordered: tuple[bool, ...]
    classes: int  # 1 where nothing is to be predicted
    multiplier: float  # of one release that takes the whole budget of the tree

    def deviation(self, share: float, tables: int) -> float:
        """Return the noise of a release of several tables, in each of which a row counts once."""
        return self.multiplier / math.sqrt(share) * math.sqrt(tables)

    @property
    def of_pairs(self) -> float:
        return self.deviation(PAIRS, len(self.sizes))

    @property
    def of_choice(self) -> float:
        return self.deviation(CHOICE, len(self.pairs))

    def of_triples(self, edges: int) -> float:
        return self.deviation(TRIPLES, edges)

    @property
    def pairs(self) -> list[Edge]:
        return list(combinations(range(len(self.sizes)), 2))

    @property
    def most_groups(self) -> int:
        """Return into how many groups the cells of a column are merged, at most."""
        noise = max(self.of_triples(max(len(self.sizes) - 1, 1)), TINY)
        found = math.sqrt(self.rows / (CLEAR * min(self.classes, MOST_CLASSES) * noise))
        return int(min(max(found, FEWEST_GROUPS), MOST_GROUPS))


@dataclass(frozen=True, slots=True)
class Margins:
    """Counts of pairs after the first release."""

    classes: Numbers  # (C,) rows in each class
    kept: Codes  # (C,) the class itself, or of one that is lost in noise the largest
    fine: tuple[Numbers, ...]  # (C, F) of each column
    groups: tuple[Codes, ...]  # (F,) the group of each cell
    coarse: tuple[Numbers, ...]  # (C, G)


@dataclass(frozen=True, slots=True)
class Tree:
    """What rows are drawn from."""

    classes: Numbers  # (C,)
    fine: tuple[Numbers, ...]  # (C, F)
    groups: tuple[Codes, ...]
    coarse: tuple[Numbers, ...]  # (C, G)
    edges: tuple[Edge, ...]
    triples: tuple[Numbers, ...]  # (C, A, B) of each edge


def release_pairs(layout: Layout, codes: Sequence[Codes], label: Codes, noise: PrivateNoise) -> dict[str, Numbers]:
    """Release the counts of each column with the class, (C, F). One row changes one cell in each by 1."""
    tables = {str(i): counted([label, code], [layout.classes, layout.sizes[i]]) for i, code in enumerate(codes)}
    return {name: table + noise.gaussian(table.shape, layout.of_pairs) for name, table in tables.items()}


def margins_of(layout: Layout, released: Arrays) -> Margins:
    """Return counts that are not negative and agree on the classes, and the groups that cells are merged into."""
    tables = [released[str(i)] for i in range(len(layout.sizes))]
    totals = combined([table.sum(1) for table in tables], [table.shape[1] for table in tables])
    lost = totals < 3 * layout.of_pairs / math.sqrt(sum(1 / table.shape[1] for table in tables))
    lost[np.argmax(totals)] = False
    classes = projected(np.where(lost, -np.inf, totals), layout.rows)
    kept = np.where(lost, np.argmax(classes), np.arange(layout.classes))
    fine = tuple(_by_class(table, classes) for table in tables)
    groups = tuple(
        groups_of(table.sum(0), layout.most_groups, HEAVY * layout.of_pairs, ordered=ordered)
        for table, ordered in zip(fine, layout.ordered, strict=True)
    )
    coarse = tuple(grouped(table, group) for table, group in zip(fine, groups, strict=True))
    return Margins(classes, kept, fine, groups, coarse)


def release_choice(
    layout: Layout, margins: Margins, codes: Sequence[Codes], label: Codes, noise: PrivateNoise
) -> dict[str, Numbers]:
    """Release how far each pair of columns is from independent given the class: sum |count - expected|, (pairs,).

    What is expected was released before: one row changes one count of a pair by 1, and so the sum by 1 at most.
    """
    label = margins.kept[label]
    merged = [group[code] for group, code in zip(margins.groups, codes, strict=True)]
    sums = [
        np.abs(
            _triple(layout, margins, merged, label, edge) - _independent(margins.coarse, margins.classes, edge)
        ).sum()
        for edge in layout.pairs
    ]
    return {"distances": np.asarray(sums) + noise.gaussian(len(sums), layout.of_choice)}


def forest_of(layout: Layout, margins: Margins, released: Arrays) -> tuple[Edge, ...]:
    """Return the pairs of a spanning forest of largest distances, without those that may be noise (Kruskal 1956).

    Of a distance that much is taken off which independent columns have by chance: sqrt(2 / pi) sqrt(expected) a cell.
    """
    chance = [
        math.sqrt(2 / math.pi) * np.sqrt(_independent(margins.coarse, margins.classes, edge)).sum()
        for edge in layout.pairs
    ]
    distances = released["distances"] - np.asarray(chance)
    parts, chosen = list(range(len(layout.sizes))), []
    for place in np.argsort(-distances, kind="stable"):
        left, right = layout.pairs[place]
        if distances[place] > SIGNIFICANT * layout.of_choice and parts[left] != parts[right]:
            parts = [parts[left] if part == parts[right] else part for part in parts]
            chosen.append((left, right))
    return tuple(chosen)


def release_triples(
    layout: Layout,
    margins: Margins,
    edges: Sequence[Edge],
    codes: Sequence[Codes],
    label: Codes,
    noise: PrivateNoise,
) -> dict[str, Numbers]:
    """Release the counts of each chosen pair with the class, (C, A, B); without such a pair, `release_pairs` again."""
    if not edges:
        tables = {str(i): counted([label, code], [layout.classes, layout.sizes[i]]) for i, code in enumerate(codes)}
        return {
            name: table + noise.gaussian(table.shape, layout.of_triples(len(codes))) for name, table in tables.items()
        }
    label = margins.kept[label]
    merged = [group[code] for group, code in zip(margins.groups, codes, strict=True)]
    deviation = layout.of_triples(len(edges))
    counts = [_triple(layout, margins, merged, label, edge) for edge in edges]
    return {str(k): table + noise.gaussian(table.shape, deviation) for k, table in enumerate(counts)}


def tree_of(layout: Layout, margins: Margins, edges: Sequence[Edge], pairs: Arrays, triples: Arrays) -> Tree:
    """Return the tree from all releases; it reads nothing else."""
    tables = [pairs[str(i)] for i in range(len(layout.sizes))]
    deviation = layout.of_pairs
    if not edges:
        second = layout.of_triples(len(tables))
        tables = [combined([table, triples[str(i)]], [deviation**2, second**2]) for i, table in enumerate(tables)]
        deviation = 1 / math.sqrt(1 / (deviation**2 + TINY) + 1 / (second**2 + TINY))
        coarse = tuple(_by_class(grouped(t, g), margins.classes) for t, g in zip(tables, margins.groups, strict=True))
        counts: tuple[Numbers, ...] = ()
    else:
        noise = layout.of_triples(len(edges))
        coarse = tuple(
            _by_class(_both(i, table, margins, deviation, edges, triples, noise), margins.classes)
            for i, table in enumerate(tables)
        )
        counts = tuple(
            _fitted(triples[str(k)], coarse[left], coarse[right], margins.classes, noise)
            for k, (left, right) in enumerate(edges)
        )
    fine = tuple(
        _within(table, group, sums, deviation)
        for table, group, sums in zip(tables, margins.groups, coarse, strict=True)
    )
    return Tree(margins.classes, fine, margins.groups, coarse, tuple(edges), counts)


def draw(tree: Tree, count: int, random: np.random.Generator) -> tuple[Codes, list[Codes]]:
    """Draw rows: their classes (count,), and of each column the cells (count,)."""
    label = _chosen(np.broadcast_to(tree.classes, (count, len(tree.classes))), random)
    near: dict[int, list[tuple[int, Numbers]]] = {i: [] for i in range(len(tree.fine))}
    for (left, right), table in zip(tree.edges, tree.triples, strict=True):
        near[left].append((right, table))
        near[right].append((left, table.transpose(0, 2, 1)))
    drawn: dict[int, Codes] = {}
    for root in near:
        if root in drawn:
            continue
        drawn[root], waiting = _chosen(tree.coarse[root][label], random), [root]
        while waiting:
            here = waiting.pop()
            for other, table in near[here]:
                if other not in drawn:
                    chances = table[label, drawn[here]]
                    none = chances.sum(1) <= 0
                    chances[none] = tree.coarse[other][label[none]]
                    drawn[other] = _chosen(chances, random)
                    waiting.append(other)
    return label, [_inside(tree, i, label, drawn[i], random) for i in range(len(tree.fine))]


def _triple(layout: Layout, margins: Margins, merged: Sequence[Codes], label: Codes, edge: Edge) -> Numbers:
    sizes = [margins.coarse[i].shape[1] for i in edge]
    return counted([label, *(merged[i] for i in edge)], [layout.classes, *sizes])


def _independent(coarse: Sequence[Numbers], classes: Numbers, edge: Edge) -> Numbers:
    left, right = (coarse[i] for i in edge)
    return np.asarray(left[:, :, None] * right[:, None, :] / np.maximum(classes, TINY)[:, None, None])


def _by_class(table: Numbers, classes: Numbers) -> Numbers:
    return np.stack([projected(row, total) for row, total in zip(table, classes, strict=True)])


def _both(
    column: int,
    table: Numbers,
    margins: Margins,
    deviation: float,
    edges: Sequence[Edge],
    triples: Arrays,
    noise: float,
) -> Numbers:
    """Return the counts of a column's groups (C, G) from its own counts and from those of three columns."""
    cells = np.bincount(margins.groups[column])
    values: list[Numbers] = [grouped(table, margins.groups[column])]
    variances: list[Numbers | float] = [np.asarray(cells * deviation**2, np.float64)]
    for k, edge in enumerate(edges):
        if column in edge:
            summed = triples[str(k)].sum(2 - edge.index(column))
            values.append(summed)
            variances.append(noise**2 * triples[str(k)].size / summed.size)
    return combined(values, variances)


def _fitted(measured: Numbers, left: Numbers, right: Numbers, classes: Numbers, noise: float) -> Numbers:
    """Return counts (C, A, B) that fit both margins: first how A and B go together, then what is else in a class."""
    apart = left.T @ (right / np.maximum(classes, TINY)[:, None])
    together = apart + shrunk(measured.sum(0) - apart, apart, noise * math.sqrt(len(classes)))
    pair = raked(np.maximum(together, 0.0) + TINY * apart, left.sum(0), right.sum(0))
    expected = without_interaction(pair, left, right)
    return np.stack(
        [
            raked(np.maximum(mean + shrunk(counts - mean, mean, noise), 0.0) + TINY * mean, rows, columns)
            for counts, mean, rows, columns in zip(measured, expected, left, right, strict=True)
        ]
    )


def _within(table: Numbers, group: Codes, sums: Numbers, deviation: float) -> Numbers:
    """Return counts of cells (C, F) that add up to those of groups: a class differs where noise leaves a difference."""
    pooled = projected(table.sum(0), float(sums.sum()))
    of_group = grouped(pooled, group)[group]
    inside = np.where(of_group > 0, pooled / np.maximum(of_group, TINY), 1.0 / np.bincount(group)[group])
    expected = sums[:, group] * inside
    return np.maximum(expected + shrunk(table - expected, expected, deviation), 0.0)


def _inside(tree: Tree, column: int, label: Codes, group: Codes, random: np.random.Generator) -> Codes:
    """Draw a cell of each group (N,)."""
    fine, belongs = tree.fine[column], tree.groups[column][None] == np.arange(tree.coarse[column].shape[1])[:, None]
    chances = fine[:, None, :] * belongs[None]  # (C, G, F)
    pooled = fine.sum(0)[None] * belongs
    pooled = np.where(pooled.sum(1, keepdims=True) > 0, pooled, belongs)
    chances = np.where(chances.sum(2, keepdims=True) > 0, chances, pooled[None])
    return _chosen(chances[label, group], random)


def _chosen(chances: Numbers, random: np.random.Generator) -> Codes:
    """Draw a place of each row of chances (N, K), which need not add up to 1."""
    rising = np.cumsum(chances, axis=1)
    aim = random.random(len(chances)) * rising[:, -1]
    return np.asarray(np.minimum((rising <= aim[:, None]).sum(1), chances.shape[1] - 1))
