"""What left-out items choose: how many numbers an audience is, which columns count, the similarity, and the penalty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from ganforge.core.seeds import subset
from ganforge.kinds.interactions.features import Features
from ganforge.kinds.interactions.invent.audience import Array, Form, Similarity, tastes_of
from ganforge.kinds.interactions.invent.codes import Codes
from ganforge.measures.kernel_ridge import fit_kernel_ridge
from ganforge.measures.ranking import rank

DEPTH = 20  # places of a list that count
WIDTHS, PENALTIES = (0.03, 0.1, 0.3, 1.0), (1.0, 3.0, 10.0, 30.0, 100.0)
WIDTH, PENALTY = 0.1, 10.0
DIMENSIONS = (20, 60, 160)  # few are not noise; more where what users share is finer
PARTS = 5  # in which items are left out and ranked: as large as what is new at once in an evaluation
ALIKE = 0.003  # of NDCG: without a column that adds less, the model is simpler and just as good
FEW, MANY = 1_000, 5_000  # items that columns and width are chosen by; that form and penalty are
USERS = 1_000  # that choose


@dataclass(frozen=True, slots=True)
class Choice:
    """What left-out items chose."""

    dimensions: int
    columns: tuple[str, ...]
    form: Form
    width: float
    penalty: float
    ndcg: float  # of left-out items, with these choices
    without: dict[str, float]  # the same with one column less than all, by its name
    forms: dict[Form, float]  # the best of each form
    sizes: dict[int, float]  # the best of each number of dimensions, with all columns


def choose(
    features: Features,
    matrix: csr_matrix,
    dimensions: int | None = None,
    columns: Sequence[str] | None = None,
    form: Form | None = None,
    width: float | None = None,
) -> Choice:
    """Choose by how well users' lists of left-out items are: dimensions, columns, width, and then form and penalty.

    Args: features of the items (N,) that are learned from; matrix (U, N) who met them; dimensions, columns, form and
        width those that a person chose.
    """
    first: Form = form or "joint"
    taken = list(columns or (column.name for column in features.coding.columns))
    most = max(1, min(matrix.shape) // 2)
    trials = {
        min(size, most): _Trial(features, matrix, min(size, most), FEW)
        for size in ((dimensions,) if dimensions else DIMENSIONS)
    }
    sizes = {size: trial.best(taken, first, width or WIDTH, PENALTIES)[0] for size, trial in trials.items()}
    dimensions = min(size for size in sizes if sizes[size] >= max(sizes.values()) - ALIKE)
    few = trials[dimensions]
    best, without = few.best(taken, first, width or WIDTH, [PENALTY])[0], dict[str, float]()
    while columns is None and len(taken) > 1:
        less = {
            name: few.best([each for each in taken if each != name], first, width or WIDTH, [PENALTY])[0]
            for name in taken
        }
        without = without or less
        name = max(less, key=lambda each: less[each])
        if less[name] < best - ALIKE:
            break
        taken.remove(name)
        best = max(best, less[name])
    widths = (width,) if width else WIDTHS if Codes.of(few.features, taken).numbers.any() else (WIDTH,)
    wide = max(widths, key=lambda each: few.best(taken, "joint", each, PENALTIES)[0]) if len(widths) > 1 else widths[0]
    many = _Trial(features, matrix, dimensions, MANY) if len(features.ids) > FEW else few
    forms: tuple[Form, ...] = (form,) if form else ("joint", "linear")
    found = {each: many.best(taken, each, wide, PENALTIES) for each in forms}
    chosen = max(found, key=lambda each: found[each][0])
    scores = {each: score for each, (score, _) in found.items()}
    return Choice(dimensions, tuple(taken), chosen, wide, found[chosen][1], scores[chosen], without, scores, sizes)


class _Trial:
    """Regressions on at most so many items, each judged by items that it was fitted without."""

    def __init__(self, features: Features, matrix: csr_matrix, dimensions: int, most: int) -> None:
        count = matrix.shape[1]
        items = np.sort(subset(count, min(most, count), "invent/items"))
        self.features = features.at(features.ids[items])
        matrix = csr_matrix(matrix[:, items])
        tastes = tastes_of(matrix, dimensions)
        self.targets, self.judge = matrix.T @ tastes, LeftOut(matrix, tastes)

    def best(self, columns: Sequence[str], form: Form, width: float, penalties: Sequence[float]) -> tuple[float, float]:
        """Return the highest NDCG over penalties, and the penalty."""
        codes = Codes.of(self.features, columns)
        known = codes.encoded(self.features)
        similarity = Similarity.of(codes, known, form, width)
        fits = fit_kernel_ridge(similarity, known, self.targets, penalties, parts=self.judge.parts)
        scores = [self.judge.ndcg(fit.left_out) for fit in fits]
        best = int(np.argmax(scores))
        return scores[best], penalties[best]


class LeftOut:
    """NDCG of lists of items that were left out in PARTS parts."""

    def __init__(self, matrix: csr_matrix, tastes: Array) -> None:
        users = np.sort(subset(matrix.shape[0], min(USERS, matrix.shape[0]), "invent/users"))
        self.tastes, self.matrix = tastes[users], csr_matrix(matrix[users])
        self.parts = np.random.default_rng(0).permutation(matrix.shape[1]) % PARTS

    def ndcg(self, audiences: Array) -> float:
        """Return the mean over users and parts. Args: audiences (N, D) as predicted."""
        found = []
        for part in range(PARTS):
            items = np.flatnonzero(self.parts == part)
            relevant = csr_matrix(self.matrix[:, items])
            own = audiences[items].T
            ranking = rank(
                lambda rows, own=own: (self.tastes[rows] @ own).astype(np.float32),  # type: ignore[misc]
                csr_matrix(relevant.shape, dtype=np.float32),
                relevant,
                DEPTH,
            )
            found.append(float(ranking.ndcg(DEPTH).mean()) if len(ranking.users) else 0.0)
        return float(np.mean(found))
