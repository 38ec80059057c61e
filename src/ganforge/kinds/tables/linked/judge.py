"""How two tables belong together: children per parent, a child beside its parent, and a child beside its sibling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.core.seeds import seed_for
from ganforge.kinds.tables.columns import Column, learned
from ganforge.kinds.tables.linked.families import Families, Relation, mean, previous
from ganforge.kinds.tables.measures.similarity import BLOCKS, Coded, Coding, compare_pairs
from ganforge.kinds.tables.reading.arrays import take
from ganforge.measures.distributions import block_estimate, kolmogorov_smirnov
from ganforge.measures.intervals import Estimate, mean_of_groups, of_share
from ganforge.records import Meaning

RELATED = (0.1, 0.1)  # correlation of two numbers, and Cramer's V of others, from which on a pair counts
MOST_PARENTS, MOST_GROUPS = 10_000, 4  # of the training part; groups of generated parents, each as many as held out
FEWEST = 2 * BLOCKS  # parents of a group
MEANINGS: dict[str, Meaning] = {
    "children_per_parent": Meaning(
        "lower", "The largest distance of the distribution of how many children a parent has; 0 is the same."
    ),
    "parent_child": Meaning(
        "higher", "How alike a child's columns go together with its parent's, over the pairs that depend on each other."
    ),
    "siblings": Meaning(
        "higher", "How alike a child's columns go together with those of the one before it, and means of all before."
    ),
    "integrity": Meaning("higher", "Share of children whose parent is there, by its key."),
}
Scores = Mapping[str, Estimate]


def since(relation: Relation) -> Column | None:
    """Return the column with the time since the previous sibling, which is measured; None where there is no order."""
    ordered = [column for column in relation.children if column.name == relation.order]
    if not ordered:
        return None
    about = {"name": f"{relation.order} since the previous", "kind": "integer", "missing": 1}
    return ordered[0].model_copy(update={**about, "minimum": None, "maximum": None})


def measured(relation: Relation) -> tuple[Column, ...]:
    """Return the child's own columns that are measured."""
    gap = since(relation)
    return (*learned(relation.children), *([gap] if gap else []))


def with_gap(relation: Relation, children: Plain) -> Plain:
    """Return children (M,) with the time since the previous sibling."""
    gap = since(relation)
    if gap is None or relation.order is None:
        return children
    return {**children, gap.name: children[relation.order] - children[previous(relation.order)]}


@dataclass(frozen=True)
class Judge:
    """Real families to compare with. Pairs are those that depend on each other there, or all if none does."""

    relation: Relation
    train: Families
    coding: Coding
    coded: Coded
    pairs: Mapping[str, NDArray[np.bool_]]  # "parent_child", "siblings" -> which pairs of columns (C, C)

    @classmethod
    def prepare(cls, relation: Relation, train: Families) -> Judge:
        """Take at most MOST_PARENTS training parents."""
        train = train.chosen(np.arange(len(train)) < MOST_PARENTS)
        told, own = learned(relation.parents), measured(relation)
        known = {previous(c.name) for c in learned(relation.children)} | {mean(c.name) for c in relation.averaged}
        earlier = [column for column in relation.context if column.name in known]
        rows = with_gap(relation, train.children)
        coding = Coding.fit(rows, (*told, *earlier, *own))
        coded = coding.code(rows)
        _, related = compare_pairs(tuple(coded.codes), coded, coded, 1, RELATED)
        place = {name: at for at, name in enumerate(coded.codes)}
        pairs = {}
        for name, others in (("parent_child", told), ("siblings", earlier)):
            mask = np.zeros(related.shape, bool)
            mask[np.ix_([place[c.name] for c in others], [place[c.name] for c in own])] = True
            pairs[name] = mask & related if (mask & related).any() else mask
        return cls(relation, train, coding, coded, pairs)

    def score(self, families: Families, size: int) -> dict[str, Estimate]:
        """Return every measure, the mean over groups of `size` parents: shares of few rows differ by chance."""
        groups = min(MOST_GROUPS, max(1, len(families) // max(size, 1)))
        number = np.arange(len(families)) // max(size, 1)
        found = [self._score(families.chosen(number == group)) for group in range(groups)]
        scores = {name: mean_of_groups([one[name] for one in found]) for name in found[0]}
        children = len(families.owner)
        return {**scores, "integrity": of_share(children, children) if children else Estimate(1.0, 1.0, 1.0)}

    def by_pair(self, families: Families) -> NDArray[np.float64]:
        """Return the score of every pair of columns (C, C)."""
        made = self.coding.code(with_gap(self.relation, families.children))
        scores: NDArray[np.float64] = compare_pairs(tuple(self.coded.codes), self.coded, made, 1, RELATED)[0][0]
        return scores

    def _score(self, families: Families) -> dict[str, Estimate]:
        """Leave out a tenth of the parents in turn, with all their children, which depend on each other."""
        counts = [side.parents[self.relation.count] for side in (self.train, families)]
        blocks = min(BLOCKS, len(families))
        made = self.coding.code(with_gap(self.relation, families.children))
        scores: dict[str, list[float]] = {name: [] for name in self.pairs}
        for block in range(-1, blocks):  # the first leaves out none
            sides = [
                _kept(coded, owner % blocks != block)
                for coded, owner in ((self.coded, self.train.owner), (made, families.owner))
            ]
            pairs = compare_pairs(tuple(self.coded.codes), sides[0], sides[1], 1, RELATED)[0][0]
            for name, mask in self.pairs.items():
                scores[name].append(float(pairs[mask].mean()))
        per_parent = block_estimate(kolmogorov_smirnov(counts[0], counts[1], blocks))
        return {
            "children_per_parent": per_parent,
            **{name: block_estimate(np.array(values)) for name, values in scores.items()},
        }


def independent(relation: Relation, train: Families, count: int) -> Families:
    """Return the rival: real parents with as many children as real ones, and real children, each drawn by itself."""
    random = np.random.default_rng(seed_for(0, "metrics/tables/independent"))
    numbers = random.choice(train.parents[relation.count], count).astype(np.int64)
    parents = dict(take(train.parents, random.integers(0, len(train), count)))
    parents[relation.count] = numbers.astype(np.float64)
    owner = np.repeat(np.arange(count), numbers)
    drawn = take(train.children, random.integers(0, max(len(train.owner), 1), len(owner)))
    when = drawn[relation.order] if relation.order else np.zeros(len(owner))
    order = np.lexsort((when, owner))
    own = {column.name: drawn[column.name][order] for column in relation.children}
    return Families(parents, relation.with_context(parents, own, owner), owner)


def _kept(coded: Coded, rows: NDArray[np.bool_]) -> Coded:
    return Coded(
        int(rows.sum()),
        {name: values[rows] for name, values in coded.numbers.items()},
        {name: values[rows] for name, values in coded.codes.items()},
        coded.sizes,
    )


def worst_pairs(judge: Judge, sides: Mapping[str, Families]) -> list[dict[str, Any]]:
    """Return the pairs that count, the worst first: {columns, score, floor, reference}. Args: sides by these names."""
    scores = {name: judge.by_pair(families) for name, families in sides.items()}
    names = tuple(judge.coded.codes)
    found = [
        {"columns": [names[i], names[j]], **{name: float(score[i, j]) for name, score in scores.items()}}
        for mask in judge.pairs.values()
        for i, j in np.argwhere(mask)
    ]
    return sorted(found, key=lambda pair: float(str(pair["score"])))
