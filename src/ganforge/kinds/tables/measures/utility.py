"""Train on generated rows, test on real ones: what is left of what a model learns from the real rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from ganforge.contracts import Plain
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.measures.coding import Coding, by_frequency, ranks
from ganforge.kinds.tables.reading.arrays import take
from ganforge.measures.intervals import Estimate, from_jackknife
from ganforge.measures.prediction import macro_auc, r_squared

LEAF = 20  # rows of a leaf, scikit-learn's default, but a twentieth of the rows where there are few

Floats = NDArray[np.float64]


def fit_tree(x: Floats, y: NDArray[Any], categorical: list[bool], *, classes: bool) -> Any:
    """A boosted tree with scikit-learn's settings.

    Args: y (N,) classes of at least two kinds, or numbers without missing ones; categorical which columns of x (N, F)
        are codes.
    """
    model = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    leaf = min(LEAF, max(1, len(y) // 20))
    return model(random_state=0, categorical_features=categorical, min_samples_leaf=leaf).fit(x, y)


MOST_TARGETS = 8
MOST_CLASSES, MOST_OTHER_CLASSES = 10, 4  # of the label and of other columns; the rarer ones count as one
FEW_VALUES = 10  # an integer of so many values is predicted as classes
MOST_ROWS = 30_000  # that a tree learns from, for the label
MOST_OTHER_ROWS = 5_000  # for every other column
FEWEST_ROWS = 20
CLEAR = 0.05  # skill that must be left at the lower end of the interval for a target to be sensible
BLOCKS = 20


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
    """The columns that real rows predict clearly better than chance, the label first, at most eight."""
    first = [column for column in coding.columns if column.name == label]
    rest = [column for column in coding.columns if column.name != label and column.kind != "datetime"]
    found: list[Target] = []
    if len(coding.columns) < 2:
        return found
    for column in [*first, *rest]:
        if len(found) == MOST_TARGETS:
            break
        most = (MOST_ROWS, MOST_CLASSES) if column.name == label else (MOST_OTHER_ROWS, MOST_OTHER_CLASSES)
        target = _target(coding, column, train, held_out, most)
        if target is not None and estimate(target.skill(target.real)).low > CLEAR:
            found.append(target)
    return found


def label_skill(
    coding: Coding, targets: Sequence[Target], train: Plain, held_out: Plain, label: str | None
) -> Estimate | None:
    """How well real rows predict the label from all other columns: 0 is guessing, 1 is exact; None where unknown."""
    found = next((target for target in targets if target.name == label), None)
    column = next((column for column in coding.columns if column.name == label), None)
    if found is None and column is not None and len(coding.columns) > 1:
        found = _target(coding, column, train, held_out, (MOST_ROWS, MOST_CLASSES))
    return estimate(found.skill(found.real)) if found is not None else None


def of_real_rows(targets: Sequence[Target]) -> Utility:
    """What training on real rows gives: all of the skill, by definition."""
    kept = Estimate(1.0, 1.0, 1.0) if targets else None
    return Utility(kept, {target.name: estimate(target.real) for target in targets})


def utility(coding: Coding, targets: Sequence[Target], rows: Plain, held_out: Plain) -> Utility:
    """Trees that learn from `rows` and are tested on the held-out rows.

    A skill below 0 counts as none, so that one column that went wrong does not outweigh all others.
    """
    scores = {target.name: _scores(coding, target, rows, held_out) for target in targets}
    kept = [
        np.maximum(target.skill(scores[target.name]), 0) / np.maximum(target.skill(target.real), 1e-6)
        for target in targets
    ]
    return Utility(
        estimate(np.mean(kept, axis=0)) if kept else None, {name: estimate(values) for name, values in scores.items()}
    )


def _target(coding: Coding, column: Column, train: Plain, held_out: Plain, most: tuple[int, int]) -> Target | None:
    """None where there are too few values, or kinds of them. Args: most rows to learn from, and classes told apart."""
    (rows, kinds), values, classes = most, held_out[column.name], None
    there = ~pd.isna(values)
    if column.is_number and not 0 < column.distinct <= FEW_VALUES:
        truth: NDArray[np.generic] = values[there]
        varied = len(truth) > 0 and bool((truth != truth[0]).any())
    else:
        classes = by_frequency(_texts(train[column.name]))[:kinds]
        truth = _codes(classes, values[there])
        varied = len(np.unique(truth)) > 1
    if there.sum() < FEWEST_ROWS or not varied:
        return None
    empty = Target(column.name, classes, rows, truth, there, np.zeros(BLOCKS + 1))
    scores = _scores(coding, empty, train, held_out)
    return Target(column.name, classes, rows, truth, there, scores)


def _scores(coding: Coding, target: Target, rows: Plain, held_out: Plain) -> Floats:
    """(BLOCKS + 1,): on all held-out rows, then without each block of them; chance where nothing can be learned."""
    values = rows[target.name]
    use = np.flatnonzero(~pd.isna(values))[: target.rows]
    learn, test = coding.features(take(rows, use), target.name), coding.features(held_out, target.name)[target.there]
    categorical = coding.categorical(target.name)
    score: Callable[[NDArray[np.int64]], float]
    if target.classes is None:
        truth = np.asarray(target.truth, np.float64)
        if len(use) < FEWEST_ROWS:
            return np.zeros(BLOCKS + 1)
        predicted = fit_tree(learn, values[use], categorical, classes=False).predict(test)
        score = lambda kept: r_squared(truth[kept], predicted[kept])  # noqa: E731 - one formula for the blocks below
    else:
        codes, truth_codes = _codes(target.classes, values[use]), np.asarray(target.truth, np.int64)
        if len(use) < FEWEST_ROWS or len(np.unique(codes)) < 2:
            return np.full(BLOCKS + 1, 0.5)
        model = fit_tree(learn, codes, categorical, classes=True)
        chances = np.zeros((len(test), len(target.classes) + 1))
        chances[:, model.classes_] = model.predict_proba(test)
        if len(target.classes) == 2 and not (truth_codes == 2).any():
            chances = chances[:, :2]
        score = lambda kept: macro_auc(truth_codes, chances, kept)  # noqa: E731
    every = np.arange(len(test))
    return np.array([score(every), *(score(every[every % BLOCKS != block]) for block in range(BLOCKS))])


def _codes(classes: pd.Index[str], values: NDArray[np.generic]) -> NDArray[np.int64]:
    """0..K-1, and K for every other value."""
    return ranks(_texts(values), classes)


def _texts(values: NDArray[Any]) -> NDArray[Any]:
    """Numbers of few values as objects, so that they can be classes."""
    if values.dtype == object:
        return values
    texts = values.astype(object)
    texts[np.isnan(values)] = None
    return texts


def estimate(values: Floats) -> Estimate:
    """The value on all rows and the jackknife interval from those with a block left out; no skill goes beyond 1."""
    found = from_jackknife(float(values[0]), values[1:], least=-np.inf)
    return Estimate(found.value, found.low, max(found.value, min(found.high, 1.0)))
