"""Lists of unseen items for users, by the model and by other methods."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from ganforge.core.seeds import seed_for, subset
from ganforge.kinds.interactions.invent.audience import Array, Audiences, Similarity, in_parts
from ganforge.kinds.interactions.invent.choice import DEPTH, PENALTIES, LeftOut
from ganforge.kinds.interactions.invent.codes import Codes
from ganforge.kinds.interactions.invent.material import Material
from ganforge.measures.kernel_ridge import fit_kernel_ridge
from ganforge.measures.ranking import Ranking, rank

OURS, TASTES, RIDGE = "chosen regression", "ridge to tastes", "ridge to users"
NEAREST, RANDOM, ORACLE = "nearest items", "random", "true popularity"
METHODS = {
    OURS: "The audience by the similarity of features to known items, as left-out items chose it.",
    TASTES: "The audience as a linear function of words, and of numbers in ten parts.",
    RIDGE: "Each user as a linear function of words, and of numbers in ten parts.",
    NEAREST: "The mean of the 50 known items with the most similar features.",
    ORACLE: "Unseen items by how many users they truly had: what no feature tells.",
    RANDOM: "Unseen items in random order.",
}
SIMPLE = (TASTES, RIDGE, NEAREST)  # that could be had in place of the chosen regression
NEIGHBOURS = 50
MOST_USERS = 5_000  # that are judged


def lists_of(material: Material, known: Audiences, codes: Array) -> dict[str, Ranking]:
    """Return lists of the unseen items by every method. Args: known: of the other items; codes (Q, F) of the unseen."""
    users = np.sort(subset(material.matrix.shape[0], min(MOST_USERS, material.matrix.shape[0]), "invent/judged"))
    seen = csr_matrix(material.matrix[users][:, material.known])
    unseen = csr_matrix(material.matrix[users][:, material.unseen])
    linear, linear_unseen = _linear(material)
    sizes = np.asarray(unseen.sum(0)).ravel()
    random = np.random.default_rng(seed_for(0, "invent/random"))
    tastes = known.tastes[users]
    scores = {
        OURS: tastes @ known.predict(codes).T,
        TASTES: tastes @ _audiences(material, known).T,
        RIDGE: _ridge(linear, seen.T.toarray(), linear_unseen, 100.0).T,
        NEAREST: _nearest(linear, linear_unseen, seen),
        ORACLE: np.tile(sizes, (len(users), 1)),
        RANDOM: random.random(unseen.shape),
    }
    nothing = csr_matrix(unseen.shape, dtype=np.float32)
    return {
        name: rank(lambda rows, own=own: own[rows].astype(np.float32), nothing, unseen, DEPTH)  # type: ignore[misc]
        for name, own in scores.items()
    }


def judged(ranking: Ranking) -> dict[str, Array]:
    """Return the measures of each user, (M,)."""
    return {"ndcg": ranking.ndcg(DEPTH), "recall": ranking.recall(DEPTH)}


def _linear(material: Material) -> tuple[Array, Array]:
    """Return the features of known and of unseen items for linear methods: words, and numbers in equal parts."""
    known, unseen = (material.features_of(places) for places in (material.known, material.unseen))
    codes = Codes.of(known, [column.name for column in known.coding.columns])
    parts = [in_parts(codes.encoded(features), codes.numbers) for features in (known, unseen)]
    mean = parts[0].mean(0)
    return parts[0] - mean, parts[1] - mean


def _ridge(x: Array, y: Array, new: Array, penalty: float) -> Array:
    mean = y.mean(0)
    return np.asarray(mean + new @ np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ (y - mean)))


def _audiences(material: Material, known: Audiences) -> Array:
    """Return the audiences (Q, D) of unseen items by a ridge on all columns, whose penalty left-out items choose."""
    own, new = (material.features_of(places) for places in (material.known, material.unseen))
    codes = Codes.of(own, [column.name for column in own.coding.columns])
    x = codes.encoded(own)
    judge = LeftOut(csr_matrix(material.matrix[:, material.known]), known.tastes)
    similarity = Similarity.of(codes, x, "linear", 1.0)
    fits = fit_kernel_ridge(similarity, x, known.targets, PENALTIES, parts=judge.parts)
    best = max(fits, key=lambda fit: judge.ndcg(fit.left_out))
    return best.predict(similarity(codes.encoded(new), x[best.landmarks]))


def _nearest(known: Array, new: Array, seen: csr_matrix) -> Array:
    """Return the mean of the users (U, Q) of the nearest known items."""
    squares = (new**2).sum(1)[:, None] + (known**2).sum(1) - 2 * new @ known.T
    near = np.argsort(squares, axis=1, kind="stable")[:, :NEIGHBOURS]
    rows = np.repeat(np.arange(len(new)), near.shape[1])
    choose = csr_matrix((np.full(near.size, 1 / near.shape[1]), (near.ravel(), rows)), shape=(len(known), len(new)))
    return np.asarray((seen @ choose).toarray())
