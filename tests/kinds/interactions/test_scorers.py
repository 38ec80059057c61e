"""Scorers: what their closed forms must satisfy, and small cases by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from ganforge.kinds.interactions import scorers
from ganforge.kinds.interactions.scorers import ease, gram, invert, popularity, rp3beta


@pytest.fixture
def matrix() -> csr_matrix:
    """40 users and 12 items in two halves that are rarely met together."""
    random = np.random.default_rng(0)
    side = np.arange(40)[:, None] % 2 == np.arange(12) % 2
    return csr_matrix((random.random((40, 12)) < np.where(side, 0.6, 0.05)).astype(np.float32))


def test_popularity(matrix: csr_matrix) -> None:
    scores = popularity(matrix).scores(matrix[:3])
    assert (scores == matrix.toarray().sum(0)).all()


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
    other = weights + 0.01 * np.random.default_rng(1).standard_normal(weights.shape) * (1 - np.eye(12))

    def loss(of: np.ndarray) -> float:
        return float(((dense - dense @ of) ** 2).sum() + penalty * (of**2).sum())

    assert loss(weights) < loss(other)


def test_walks_by_hand() -> None:
    matrix = csr_matrix(np.array([[1, 1, 0], [0, 1, 1]], np.float32))
    weights = rp3beta(matrix, 1, 0, 3).weights.toarray()
    assert weights == pytest.approx(np.array([[0, 0.5, 0], [0.25, 0, 0.25], [0, 0.5, 0]]))
    lowered = rp3beta(matrix, 1, 1, 1).weights.toarray()
    assert lowered[0].tolist() == [0, 0.25, 0]
    assert np.count_nonzero(lowered[1]) == 1


def test_the_other_half_scores_lower(matrix: csr_matrix) -> None:
    for scorer in (ease(matrix, 3), rp3beta(matrix, 1, 0.5, 5)):
        scores = scorer.scores(csr_matrix(np.eye(12, dtype=np.float32)))
        same = np.arange(12)[:, None] % 2 == np.arange(12) % 2
        assert scores[same & ~np.eye(12, dtype=bool)].mean() > 2 * np.maximum(scores[~same], 0).mean()
