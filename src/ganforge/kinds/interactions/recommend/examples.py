"""The examples of the game: users with a part of what they met hidden, and the candidates of a scorer without them.

Shape letters here: N examples, L items of a user that are kept, H that are hidden, C candidates, I items, F traits.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from ganforge.core.seeds import seed_for
from ganforge.kinds.interactions.low_rank import gram_factor
from ganforge.kinds.interactions.recommend.exposure import SHOWN, candidates_of
from ganforge.kinds.interactions.recommend.material import (
    FOLDS,
    Material,
    RecommendSettings,
    counts_of,
    drawn_users,
    shelf_of,
)
from ganforge.kinds.interactions.scorers import Floats
from ganforge.kinds.interactions.split import split_log

FEW_ITEMS = 5_000  # up to which each fold has its scorer; beyond, one fold is enough
VIEWS = 2  # ways in which the interactions of a user are hidden
KEPT = 200  # items of a user
JUDGED = 100  # candidates among which a list is chosen
NEVER = -1e4  # the score of an empty place, in spreads
FACTORS = 16  # traits of an item that say who met it


def traits_of(fit: csr_matrix) -> Floats:
    """Return traits of items, (I + 1, F): popularity, and directions of who met them. The last row is of no item."""
    counts = counts_of(fit)
    popularity = np.log(counts + 1)
    popularity = (popularity - popularity.mean()) / max(float(popularity.std()), 1e-6)
    scaled = fit.multiply((counts + 1) ** -0.5).tocsr().astype(np.float32)
    factor = gram_factor(scaled, min(FACTORS, fit.shape[1] - 1))
    factor = factor / np.maximum(np.sqrt((factor**2).sum(1, keepdims=True)), 1e-6)
    traits = np.column_stack([popularity, 2 * factor]).astype(np.float32)
    return np.concatenate([traits, np.zeros((1, traits.shape[1]), np.float32)])


def examples_of(material: Material, chosen: RecommendSettings, seed: int) -> dict[str, Tensor]:
    """Return the examples: x (N, C) scores of candidates, candidates (N, C), kept (N, L), hidden (N, H).

    Lists are filled up with I. The scores of a user's candidates have a spread of 1.
    """
    fit, items = material.fit, material.fit.shape[1]
    random, fold, _ = drawn_users(fit.shape[0], seed)
    views = [
        split_log(material.known, material.by, seed_for(seed, "recommend/view", step=view)) for view in range(VIEWS)
    ]
    pairs = [(view.train.matrix(), view.test.matrix()) for view in views]
    parts: list[tuple[np.ndarray, ...]] = []
    for number in range(FOLDS if items <= FEW_ITEMS else 1):
        shelf = shelf_of(fit[fold != number], chosen)
        for kept, hidden in pairs:
            users = np.flatnonzero((fold == number) & (np.diff(hidden.indptr) > 0))
            if not len(users):
                continue
            candidates, values = candidates_of(shelf, kept[users])
            parts.append(
                (
                    values[:, :JUDGED],
                    np.where(candidates >= 0, candidates, items)[:, :JUDGED],
                    _lists(kept[users], KEPT, random),
                    _lists(hidden[users], SHOWN, random),
                )
            )
    scores, candidates, kept_items, hidden_items = (np.concatenate(each) for each in zip(*parts, strict=True))
    return {
        "x": torch.from_numpy(np.where(np.isfinite(scores), scores, np.float32(NEVER))),
        "candidates": torch.from_numpy(candidates.astype(np.int64)),
        "kept": torch.from_numpy(kept_items),
        "hidden": torch.from_numpy(hidden_items),
    }


def _lists(matrix: csr_matrix, most: int, random: np.random.Generator) -> np.ndarray:
    """Return at most so many items of each user, drawn at random, filled up: (N, most) int64."""
    users, items = matrix.shape
    counts = np.diff(matrix.indptr)
    rows = np.repeat(np.arange(users), counts)
    order = np.lexsort((random.random(matrix.nnz), rows))
    place = np.arange(matrix.nnz) - np.repeat(matrix.indptr[:-1], counts)
    lists = np.full((users, most), items, np.int64)
    taken = place < most
    lists[rows[taken], place[taken]] = matrix.indices[order][taken]
    return lists
