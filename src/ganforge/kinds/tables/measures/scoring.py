"""Every measure of one set of rows, the generator's, a rival's, or real ones: similarity, what boosted trees learn from
them for real rows, whether a tree can distinguish them from real ones, and copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from ganforge.contracts import Plain
from ganforge.core.seeds import seed_for
from ganforge.kinds.tables.columns import FEWEST_COMPARED, Column, learned
from ganforge.kinds.tables.measures.copies import Copies, copies
from ganforge.kinds.tables.measures.similarity import Coded, Coding, Similarity, by_frequency, ranks, similarity
from ganforge.kinds.tables.reading.arrays import joined, row_count, take
from ganforge.measures.intervals import Estimate, from_jackknife, from_standard_error, mean_of_groups
from ganforge.measures.prediction import auc, auc_standard_error, macro_auc, r_squared

MOST_ROWS = 30_000  # of each set that columns, pairs and trees look at
MOST_TRAIN = 200_000  # training rows among which exact copies are searched
MOST_DETECTED = 5_000  # rows of each kind that are compared
MOST_GROUPS, GROUPS_OF_MANY = 10, 1  # of rows, each as many as are held out; of many columns one group tells as much
LEAF = 20  # rows of a leaf, scikit-learn's default, but a twentieth of the rows where there are few
# Instead of scikit-learn's 100 trees of 31 leaves at rate 0.1: a fifth of the leaves learns as much (docs/log.md).
QUICK: dict[str, Any] = {"learning_rate": 0.2, "max_iter": 40, "max_leaf_nodes": 15}
MOST_TARGETS, OF_MANY = 8, 3  # columns that are predicted; of more than 2 * MOST_FEATURES columns, each takes long
MOST_FEATURES = 100  # that a split of a tree chooses among: of more columns some by chance
MOST_CLASSES, MOST_OTHER_CLASSES = 10, 4  # of the label and of other columns; the rarer ones count as one
FEW_VALUES = 10  # an integer of so many values is predicted as classes
MOST_OTHER_ROWS = 5_000  # that a tree learns from for a column that is not the label
FEWEST_ROWS = 20
CLEAR = 0.05  # skill that must be left at the lower end of the interval for a target to be sensible
BLOCKS = 20

Floats = NDArray[np.float64]


def fit_tree(x: Floats, y: NDArray[Any], categorical: list[bool], *, classes: bool) -> Any:
    """Fit fewer, smaller boosted trees than by scikit-learn's settings.

    Args: y (N,) classes of at least two kinds, or numbers without missing ones; categorical which columns of x (N, F)
        are codes.
    """
    model = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    leaf = min(LEAF, max(1, len(y) // 20))
    x = np.where(np.isnan(x).all(axis=0), 0.0, x)  # scikit-learn bins no column that is wholly missing
    features = min(1.0, MOST_FEATURES / max(1, x.shape[1]))
    settings = {"categorical_features": categorical, "min_samples_leaf": leaf, "max_features": features, **QUICK}
    return model(random_state=0, **settings).fit(x, y)


@dataclass(frozen=True, slots=True)
class Target:
    """A column to predict, as a tree that learned from real rows predicts it.

    Skill is 2 AUC - 1 for classes and R^2 for numbers: 0 is guessing, 1 is exact.
    """

    name: str
    classes: pd.Index[str] | None  # None for a number
    rows: int  # that a tree learns from, at most
    truth: NDArray[np.generic]  # of the held-out rows with a value: codes or numbers
    there: NDArray[np.bool_]  # (H,) which held-out rows have a value
    real: Floats  # (BLOCKS + 1,) scores

    @property
    def measure(self) -> str:
        return "R^2" if self.classes is None else "AUC"

    def skill(self, scores: Floats) -> Floats:
        return scores if self.classes is None else 2 * scores - 1


@dataclass(frozen=True, slots=True)
class Utility:
    """kept: the mean share of the real rows' skill, over targets; scores by target, each with its interval."""

    kept: Estimate | None
    scores: Mapping[str, Estimate]


def find_targets(coding: Coding, train: Plain, held_out: Plain, label: str | None) -> list[Target]:
    """Find the columns that real rows predict clearly better than chance, the label first: at most eight, or three."""
    first = [column for column in coding.columns if column.name == label]
    rest = [column for column in coding.columns if column.name != label and column.kind != "datetime"]
    found: list[Target] = []
    if len(coding.columns) < 2:
        return found
    sides = Sides.of(coding, train, held_out)
    for column in [*first, *rest]:
        if len(found) == (MOST_TARGETS if len(coding.columns) <= 2 * MOST_FEATURES else OF_MANY):
            break
        most = (MOST_ROWS, MOST_CLASSES) if column.name == label else (MOST_OTHER_ROWS, MOST_OTHER_CLASSES)
        target = _target(sides, column, most)
        if target is not None and estimate(target.skill(target.real)).low > CLEAR:
            found.append(target)
    return found


def of_real_rows(targets: Sequence[Target]) -> Utility:
    """Return the utility of real rows: all of the skill, by definition."""
    kept = Estimate(1.0, 1.0, 1.0) if targets else None
    return Utility(kept, {target.name: estimate(target.real) for target in targets})


def utility(coding: Coding, targets: Sequence[Target], rows: Plain, held_out: Plain) -> Utility:
    """Train trees on `rows` and test them on the held-out rows.

    A skill below 0 counts as 0, so that one bad column does not outweigh all others.
    """
    sides = Sides.of(coding, rows, held_out) if targets else None
    scores = {target.name: _scores(sides, target) for target in targets if sides is not None}
    skills = [(target.skill(scores[target.name]), target.skill(target.real)) for target in targets]
    kept = [np.maximum(mine, 0) / np.maximum(real, 1e-6) for mine, real in skills]
    told = {name: estimate(values) for name, values in scores.items()}
    return Utility(estimate(np.mean(kept, axis=0)) if kept else None, told)


@dataclass(frozen=True, slots=True)
class Sides:
    """Rows that trees learn from, and those that they are tested on, with the features of both."""

    coding: Coding
    rows: Plain
    held_out: Plain
    learn: Floats  # (N, F)
    test: Floats  # (H, F)

    @classmethod
    def of(cls, coding: Coding, rows: Plain, held_out: Plain) -> Sides:
        return cls(coding, rows, held_out, coding.features(rows), coding.features(held_out))


def _target(sides: Sides, column: Column, most: tuple[int, int]) -> Target | None:
    """Return a target; None if there are too few values or classes. Args: most rows to learn from, and classes."""
    (rows, kinds), values, classes = most, sides.held_out[column.name], None
    there = ~pd.isna(values)
    if column.is_number and not 0 < column.distinct <= FEW_VALUES:
        truth: NDArray[np.generic] = values[there]
        varied = len(truth) > 0 and bool((truth != truth[0]).any())
    else:
        classes = by_frequency(_texts(sides.rows[column.name]))[:kinds]
        truth = _codes(classes, values[there])
        varied = len(np.unique(truth)) > 1
    if there.sum() < FEWEST_ROWS or not varied:
        return None
    target = Target(column.name, classes, rows, truth, there, np.zeros(BLOCKS + 1))
    return replace(target, real=_scores(sides, target))


def _scores(sides: Sides, target: Target) -> Floats:
    """Return scores (BLOCKS + 1,): on all held-out rows, then without each block; chance if nothing can be learned."""
    values = sides.rows[target.name]
    use = np.flatnonzero(~pd.isna(values))[: target.rows]
    others = [place for place, column in enumerate(sides.coding.columns) if column.name != target.name]
    learn, test = sides.learn[use][:, others], sides.test[target.there][:, others]
    categorical = sides.coding.categorical(target.name)
    if target.classes is None:
        truth = np.asarray(target.truth, np.float64)
        if len(use) < FEWEST_ROWS:
            return np.zeros(BLOCKS + 1)
        predicted = fit_tree(learn, values[use], categorical, classes=False).predict(test)
        every = np.arange(len(truth))
        kept = [every, *[every[every % BLOCKS != block] for block in range(BLOCKS)]]
        return np.array([r_squared(truth[rows], predicted[rows]) for rows in kept])
    codes, truth_codes = _codes(target.classes, values[use]), np.asarray(target.truth, np.int64)
    if len(use) < FEWEST_ROWS or len(np.unique(codes)) < 2:
        return np.full(BLOCKS + 1, 0.5)
    model = fit_tree(learn, codes, categorical, classes=True)
    chances = np.zeros((len(test), len(target.classes) + 1))
    chances[:, model.classes_] = model.predict_proba(test)
    if len(target.classes) == 2 and not (truth_codes == 2).any():
        chances = chances[:, :2]
    return macro_auc(truth_codes, chances, BLOCKS)


def _codes(classes: pd.Index[str], values: NDArray[np.generic]) -> NDArray[np.int64]:
    """Return codes 0..K-1, and K for every other value."""
    return ranks(_texts(values), classes)


def _texts(values: NDArray[Any]) -> NDArray[Any]:
    """Return numbers of few values as objects, so that they can be classes."""
    if values.dtype == object:
        return values
    texts = values.astype(object)
    texts[np.isnan(values)] = None
    return texts


def estimate(values: Floats) -> Estimate:
    """Return the value on all rows and the jackknife interval from those with a block left out; at most 1."""
    found = from_jackknife(float(values[0]), values[1:], least=-np.inf)
    return Estimate(found.value, found.low, max(found.value, min(found.high, 1.0)))


@dataclass(frozen=True, slots=True)
class Score:
    """The scores of one set of rows."""

    similarity: Similarity
    utility: Utility
    detection: Estimate | None  # None where there are too few rows
    copies: Copies
    measures: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Real:
    """The real sides, prepared once, and the measures of any set of rows against them."""

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
        """Take at most 200,000 training and 30,000 held-out rows, the same for the same seed."""
        train = subset(train, columns, MOST_TRAIN, seed, "train")
        held_out = subset(held_out, columns, MOST_ROWS, seed, "held_out")
        base = take(train, slice(0, 2 * MOST_ROWS))
        coding = Coding.fit(base, columns)
        targets = find_targets(coding, take(train, slice(0, MOST_ROWS)), held_out, label)
        return cls(tuple(columns), train, held_out, coding, coding.code(base), tuple(targets), label, seed)

    def label_skill(self) -> Estimate | None:
        """Return how well real rows predict the label from other columns: 0 guessing, 1 exact; None if unknown."""
        found = next((target for target in self.targets if target.name == self.label), None)
        column = next((column for column in self.coding.columns if column.name == self.label), None)
        if found is None and column is not None and len(self.coding.columns) > 1:
            sides = Sides.of(self.coding, take(self.train, slice(0, MOST_ROWS)), self.held_out)
            found = _target(sides, column, (MOST_ROWS, MOST_CLASSES))
        return estimate(found.skill(found.real)) if found is not None else None

    def score(self, rows: Plain, purpose: str) -> Score:
        """Return every measure of `rows`, in random order; purpose names its randomness."""
        taught = utility(self.coding, self.targets, rows, self.held_out)
        return self._score(rows, rows, taught, purpose, copies(self.train, self.held_out, rows, self.columns))

    def score_real(self) -> Score:
        """Score real rows instead of generated ones: held-out rows against the training rows, training rows where
        held-out ones judge, and one half of the held-out rows where the other half represents unseen rows."""
        half = row_count(self.held_out) // 2
        unseen, rows = (take(self.held_out, part) for part in (slice(0, half), slice(half, None)))
        taught, copied = of_real_rows(self.targets), copies(self.train, unseen, rows, self.columns)
        return self._score(self.held_out, self.train, taught, "real", copied)

    def _score(self, alike: Plain, told: Plain, taught: Utility, purpose: str, copied: Copies) -> Score:
        """Args: alike rows to compare with the training rows; told rows that a tree compares with held-out ones."""
        random = np.random.default_rng(seed_for(self.seed, f"metrics/tables/{purpose}"))
        likeness = similar(self.coding, self.coded, alike, row_count(self.held_out))
        detected = detection(self.coding, self.held_out, told, random)
        found = {
            "table_quality": likeness.quality,
            "column_shapes": likeness.shapes,
            "column_pairs": likeness.pairs,
            "utility": taught.kept,
            "label_score": taught.scores.get(self.label or ""),
            "detection": detected,
            "nearer_to_train": copied.nearer,
            "exact_copies": copied.exact,
        }
        measures = {name: value for name, value in found.items() if value is not None}
        return Score(likeness, taught, detected, copied, measures)


def subset(table: Plain, columns: Sequence[Column], most: int, seed: int, purpose: str) -> Plain:
    """Return at most `most` rows in random order, the same for the same seed and purpose, of the measured columns."""
    names = [column.name for column in learned(columns)]
    rows = np.random.default_rng(seed_for(seed, f"metrics/tables/{purpose}")).permutation(row_count(table))[:most]
    return {name: table[name][rows] for name in names}


def similar(coding: Coding, real: Coded, rows: Plain, size: int) -> Similarity:
    """Return the similarity of `rows` to real ones, in groups of `size` rows whose scores are averaged.

    Shares of few rows differ from others by chance alone, and less for many rows: only sets of one size can be
    compared. More groups make the mean more precise, which small tables need; many columns have a precise one anyway.
    """
    most = MOST_GROUPS if len(coding.columns) <= 2 * MOST_FEATURES else GROUPS_OF_MANY
    groups = min(most, max(1, row_count(rows) // max(size, 1)))
    found = [similarity(real, coding.code(take(rows, slice(i * size, (i + 1) * size)))) for i in range(groups)]
    if groups == 1:
        return found[0]
    pairs = [one.pairs for one in found if one.pairs is not None]
    return Similarity(
        found[0].names,
        np.mean([one.by_column for one in found], axis=0),
        np.mean([one.by_pair for one in found], axis=0),
        found[0].related,
        mean_of_groups([one.shapes for one in found]),
        mean_of_groups(pairs) if pairs else None,
        mean_of_groups([one.quality for one in found]),
    )


def detection(coding: Coding, held_out: Plain, samples: Plain, random: np.random.Generator) -> Estimate | None:
    """Return the mean of two areas under the curve: a tree learns on half of all rows and judges the other, both ways.

    At most 5,000 rows of each kind are used, equally many; fewer than 10 are not enough. The interval is Hanley and
    McNeil's for all rows.
    """
    n = min(MOST_DETECTED, row_count(held_out), row_count(samples))
    if n < FEWEST_COMPARED:
        return None
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
