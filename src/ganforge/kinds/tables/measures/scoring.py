"""Every measure of one set of rows: the generator's, a rival's, or real ones, all by the same code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ganforge.contracts import Plain
from ganforge.core.seeds import seed_for
from ganforge.kinds.tables.columns import Column, learned
from ganforge.kinds.tables.measures.coding import Coded, Coding
from ganforge.kinds.tables.measures.copies import Copies, copies
from ganforge.kinds.tables.measures.similarity import Similarity, similarity
from ganforge.kinds.tables.measures.utility import (
    Target,
    Utility,
    find_targets,
    fit_tree,
    label_skill,
    of_real_rows,
    utility,
)
from ganforge.kinds.tables.reading.arrays import joined, row_count, take
from ganforge.measures.intervals import Estimate, from_standard_error
from ganforge.measures.prediction import auc, auc_standard_error

MOST_ROWS = 30_000  # of each set that columns, pairs and trees look at
MOST_TRAIN = 200_000  # training rows among which exact copies are searched
MOST_DETECTED = 5_000  # rows of each kind that are told apart
FEWEST = 10  # rows of each kind
MOST_GROUPS = 10  # of rows, each as many as are held out


@dataclass(frozen=True, slots=True)
class Score:
    """What one set of rows gets."""

    similarity: Similarity
    utility: Utility
    detection: Estimate | None  # None where there are too few rows
    copies: Copies
    measures: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Real:
    """The real sides, prepared once, and how any set of rows is measured against them."""

    columns: tuple[Column, ...]
    train: Plain
    held_out: Plain
    coding: Coding
    coded: Coded  # of the training rows
    targets: tuple[Target, ...]
    label: str | None
    seed: int

    @classmethod
    def prepare(cls, train: Plain, held_out: Plain, columns: Sequence[Column], label: str | None, seed: int) -> Real:
        """Takes at most 200,000 training and 30,000 held-out rows, the same for the same seed."""
        train = subset(train, columns, MOST_TRAIN, seed, "train")
        held_out = subset(held_out, columns, MOST_ROWS, seed, "held_out")
        base = take(train, slice(0, 2 * MOST_ROWS))
        coding = Coding.fit(base, columns)
        targets = find_targets(coding, take(train, slice(0, MOST_ROWS)), held_out, label)
        return cls(tuple(columns), train, held_out, coding, coding.code(base), tuple(targets), label, seed)

    def label_skill(self) -> Estimate | None:
        """What the other columns say about the label: 0 nothing, 1 everything; None without one."""
        return label_skill(self.coding, self.targets, take(self.train, slice(0, MOST_ROWS)), self.held_out, self.label)

    def score(self, rows: Plain, purpose: str) -> Score:
        """Every measure of `rows`, in random order; purpose names its randomness."""
        random = np.random.default_rng(seed_for(self.seed, f"metrics/tables/{purpose}"))
        return self._put_together(
            similar(self.coding, self.coded, rows, row_count(self.held_out)),
            utility(self.coding, self.targets, rows, self.held_out),
            _told(self.coding, self.held_out, rows, random),
            copies(self.train, self.held_out, rows, self.columns),
        )

    def score_real(self) -> Score:
        """What real rows get in place of generated ones: held-out rows beside the training rows, training rows where
        held-out ones judge, and one half of the held-out rows where the other half says what unseen rows do."""
        random = np.random.default_rng(seed_for(self.seed, "metrics/tables/real"))
        half = row_count(self.held_out) // 2
        return self._put_together(
            similar(self.coding, self.coded, self.held_out, row_count(self.held_out)),
            of_real_rows(self.targets),
            _told(self.coding, self.held_out, self.train, random),
            copies(
                self.train, take(self.held_out, slice(0, half)), take(self.held_out, slice(half, None)), self.columns
            ),
        )

    def _put_together(self, mine: Similarity, taught: Utility, told: Estimate | None, copied: Copies) -> Score:
        found = {
            "table_quality": mine.quality,
            "column_shapes": mine.shapes,
            "column_pairs": mine.pairs,
            "utility": taught.kept,
            "label_score": taught.scores.get(self.label or ""),
            "detection": told,
            "nearer_to_train": copied.nearer,
            "exact_copies": copied.exact,
        }
        return Score(mine, taught, told, copied, {name: value for name, value in found.items() if value is not None})


def subset(table: Plain, columns: Sequence[Column], most: int, seed: int, purpose: str) -> Plain:
    """At most `most` rows in random order, the same for the same seed and purpose, of the measured columns."""
    names = [column.name for column in learned(columns)]
    rows = np.random.default_rng(seed_for(seed, f"metrics/tables/{purpose}")).permutation(row_count(table))[:most]
    return {name: table[name][rows] for name in names}


def similar(coding: Coding, real: Coded, rows: Plain, size: int) -> Similarity:
    """The similarity of `rows` to real ones, in groups of `size` rows whose scores are averaged.

    Shares of few rows are far from any other shares by chance alone, and less so of many: only sets of one size can be
    compared. More groups of it make the mean surer, which is what small tables need.
    """
    groups = min(MOST_GROUPS, max(1, row_count(rows) // max(size, 1)))
    found = [similarity(real, coding.code(take(rows, slice(i * size, (i + 1) * size)))) for i in range(groups)]
    if groups == 1:
        return found[0]
    pairs = [one.pairs for one in found if one.pairs is not None]
    return Similarity(
        found[0].names,
        np.mean([one.by_column for one in found], axis=0),
        np.mean([one.by_pair for one in found], axis=0),
        found[0].related,
        _mean([one.shapes for one in found]),
        _mean(pairs) if pairs else None,
        _mean([one.quality for one in found]),
    )


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    """Of independent groups: the mean, and half the interval's mean width over the root of their number."""
    value = float(np.mean([one.value for one in estimates]))
    root = len(estimates) ** 0.5
    low = value - float(np.mean([one.value - one.low for one in estimates])) / root
    high = value + float(np.mean([one.high - one.value for one in estimates])) / root
    return Estimate(value, max(0.0, low), min(1.0, max(value, high)))


def _told(coding: Coding, held_out: Plain, rows: Plain, random: np.random.Generator) -> Estimate | None:
    n = min(MOST_DETECTED, row_count(held_out), row_count(rows))
    return None if n < FEWEST else detection(coding, take(held_out, slice(0, n)), take(rows, slice(0, n)), random)


def detection(coding: Coding, held_out: Plain, samples: Plain, random: np.random.Generator) -> Estimate:
    """The mean of two areas under the curve: a tree learns on one half of all rows and judges the other, both ways.

    Args: held_out and samples equally many rows, at least 10. The interval is Hanley and McNeil's for all rows.
    """
    n = min(row_count(held_out), row_count(samples))
    table = joined([take(held_out, slice(0, n)), take(samples, slice(0, n))])
    features, made = coding.features(table), np.arange(2 * n) >= n
    halves = np.zeros(2 * n, bool)
    for start in (0, n):  # as many of each kind in either half
        halves[start + random.permutation(n)[: n // 2]] = True
    areas = []
    for learn in (halves, ~halves):
        model = fit_tree(features[learn], made[learn].astype(np.int64), coding.categorical(), classes=True)
        areas.append(auc(made[~learn], model.predict_proba(features[~learn])[:, 1]))
    area = float(np.mean(areas))
    return from_standard_error(area, auc_standard_error(area, n, n), 0.0, 1.0)
