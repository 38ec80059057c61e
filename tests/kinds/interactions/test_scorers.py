"""Scorers: what their closed forms must satisfy, and small cases by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from ganforge.kinds.interactions import scorers
from ganforge.kinds.interactions.low_rank import ease_in_part, gram_factor
from ganforge.kinds.interactions.scorers import (
    Scorer,
    bpr,
    ease,
    gram,
    ials,
    invert,
    item_knn,
    popularity,
    rp3beta,
    user_knn,
)

SMALL = csr_matrix(np.array([[1, 1, 0], [0, 1, 1]], np.float32))


@pytest.fixture
def matrix() -> csr_matrix:
    """40 users and 12 items in two halves that are rarely met together."""
    random = np.random.default_rng(0)
    side = np.arange(40)[:, None] % 2 == np.arange(12) % 2
    return csr_matrix((random.random((40, 12)) < np.where(side, 0.6, 0.05)).astype(np.float32))


def test_popularity(matrix: csr_matrix) -> None:
    assert (popularity(matrix).scores(matrix[:3]) == matrix.toarray().sum(0)).all()


def test_gram_in_blocks(matrix: csr_matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    dense = matrix.toarray()
    monkeypatch.setattr(scorers, "GRAM_BLOCK", 30)
    assert (gram(matrix) == dense.T @ dense).all()


@pytest.mark.parametrize("size", [1, 5, 1025])
def test_inverse_in_its_place(size: int) -> None:
    random = np.random.default_rng(size)
    factor = random.standard_normal((size, 3))
    whole = factor @ factor.T + np.eye(size)
    own = whole.copy()
    invert(own)
    assert np.abs(own @ whole - np.eye(size)).max() < 1e-9
    with pytest.raises(np.linalg.LinAlgError):
        invert(-np.eye(size))


def test_ease_solves_its_equations(matrix: csr_matrix) -> None:
    """The gradient of |X - XB|^2 + penalty |B|^2 is 0 off the diagonal, and the diagonal of B is 0."""
    penalty = 3.0
    dense = matrix.toarray().astype(np.float64)
    for dtype, near in ((np.float64, 1e-5), (np.float32, 1e-3)):
        weights = np.asarray(ease(matrix, penalty, dtype).weights, np.float64)
        assert (np.diag(weights) == 0).all()
        gradient = dense.T @ (dense @ weights - dense) + penalty * weights
        np.fill_diagonal(gradient, 0)
        assert np.abs(gradient).max() < near


@pytest.mark.parametrize(("popular", "rank"), [(1, 12), (5, 12), (12, 2)])
def test_ease_in_part_is_ease_where_nothing_is_left_out(matrix: csr_matrix, popular: int, rank: int) -> None:
    part, whole = ease_in_part(matrix, 3, popular, rank), ease(matrix, 3)
    history = csr_matrix(np.random.default_rng(1).random((9, 12)) < 0.4, dtype=np.float32)
    assert part.scores(history) == pytest.approx(whole.scores(history), abs=1e-4)


def test_ease_in_part_comes_near_ease_with_more_directions_and_with_more_popular_items(matrix: csr_matrix) -> None:
    whole = np.asarray(ease(matrix, 3).weights)
    history = csr_matrix(np.eye(12, dtype=np.float32))
    of = [(1, 1), (1, 5), (6, 5), (6, 9), (10, 9)]
    apart = [float(np.abs(ease_in_part(matrix, 3, *one).scores(history) - whole).mean()) for one in of]
    assert apart == sorted(apart, reverse=True)
    assert apart[-1] < apart[0] / 3


def test_a_factor_of_the_main_directions(matrix: csr_matrix) -> None:
    """What it lacks of X'X is hardly more than what the best of its rank lacks, and nothing is too much."""
    dense = matrix.toarray()
    values = np.linalg.eigvalsh(dense.T @ dense)
    lacking = np.linalg.eigvalsh(dense.T @ dense - gram_factor(matrix, 3) @ gram_factor(matrix, 3).T)
    assert lacking[-1] == pytest.approx(values[-4], rel=0.01)
    assert lacking[0] > -1e-3


def test_walks_by_hand() -> None:
    assert rp3beta(SMALL, 1, 0, 3).weights.toarray() == pytest.approx(
        np.array([[0, 0.5, 0], [0.25, 0, 0.25], [0, 0.5, 0]])
    )
    lowered = rp3beta(SMALL, 1, 1, 1).weights.toarray()
    assert lowered[0].tolist() == [0, 0.25, 0]
    assert np.count_nonzero(lowered[1]) == 1


def test_neighbours_by_hand() -> None:
    weights = item_knn(SMALL, 2, 0).weights.toarray()
    assert weights == pytest.approx(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 2**0.5)
    shrunk = item_knn(SMALL, 1, 1).weights.toarray()
    assert shrunk[1, [0, 2]] == pytest.approx(1 / (2**0.5 + 1))  # the only neighbour of items 0 and 2
    assert np.count_nonzero(shrunk[:, 1]) == 1  # item 1 keeps one of two equal ones
    history = csr_matrix(np.array([[1, 1, 0]], np.float32))
    likeness = user_knn(SMALL, 1, 0)
    assert likeness.scores(history) == pytest.approx(np.array([[1, 1, 0]]))  # the nearest is himself
    assert likeness.scores(history, np.array([0])) == pytest.approx(np.array([[0, 0.5, 0.5]]))


def test_least_squares_are_solved(matrix: csr_matrix) -> None:
    """The gradient of a user's part of the loss is 0 at his factors, and more rounds lower the whole loss."""
    unobserved, penalty, dense = 0.2, 0.05, matrix.toarray().astype(np.float64)

    def users(scorer: scorers.Factors) -> np.ndarray:
        return np.linalg.lstsq(scorer.items.astype(float), scorer.scores(matrix).T.astype(float), rcond=None)[0].T

    def loss(scorer: scorers.Factors) -> float:
        own, items = users(scorer), scorer.items
        lengths = [
            ((part**2).sum(1) * (known + unobserved * others)).sum()
            for part, known, others in ((own, dense.sum(1), 12), (items, dense.sum(0), 40))
        ]
        scores = own @ items.T
        return float((dense * (1 - scores) ** 2).sum() + unobserved * (scores**2).sum() + penalty * sum(lengths))

    scorer = ials(matrix, 4, unobserved, penalty, rounds=20)
    own = users(scorer)
    scores = own @ scorer.items.T
    gradient = (dense * (scores - 1) + unobserved * scores) @ scorer.items
    gradient += penalty * own * (dense.sum(1) + unobserved * 12)[:, None]
    assert np.abs(gradient).max() < 1e-3
    losses = [loss(ials(matrix, 4, unobserved, penalty, rounds=rounds)) for rounds in (1, 3, 20)]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize(
    "fit",
    [
        lambda m: ease(m, 3),
        lambda m: rp3beta(m, 1, 0.5, 5),
        lambda m: item_knn(m, 5, 1),
        lambda m: user_knn(m, 10, 1),
        lambda m: ials(m, 4, 0.2, 0.01),
        lambda m: bpr(m, 4, 0.002, 300),
        lambda m: ease_in_part(m, 3, 4, 4),
    ],
)
def test_the_other_half_scores_lower(matrix: csr_matrix, fit: Callable[[csr_matrix], Scorer]) -> None:
    """For users who were learned from, and for others who met one item."""
    scorer, again = fit(matrix), fit(matrix)
    same, alone = np.arange(12)[:, None] % 2 == np.arange(12) % 2, csr_matrix(np.eye(12, dtype=np.float32))
    scores, of_known = scorer.scores(alone), scorer.scores(matrix[:12], np.arange(12))
    assert scores.dtype == of_known.dtype == np.float32
    assert scores[same & ~np.eye(12, dtype=bool)].mean() > scores[~same].mean() + scores.std() / 2
    new = same & (matrix[:12].toarray() == 0)
    assert of_known[new].mean() > of_known[~same].mean() + of_known.std() / 2
    assert (again.scores(alone) == scores).all()


@pytest.mark.parametrize("fit", [lambda m: ease(m, 1), lambda m: rp3beta(m, 1, 0.5, 9), lambda m: item_knn(m, 9, 0)])
def test_an_item_that_nobody_met_and_a_user_without_any(fit: Callable[[csr_matrix], Scorer]) -> None:
    matrix = csr_matrix(np.array([[1, 0, 1], [0, 0, 0]], np.float32))
    scores = fit(matrix).scores(matrix)
    assert np.isfinite(scores).all()
    assert (scores[1] == 0).all()
