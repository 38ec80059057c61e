"""Ranking measures against values by hand and against a version that loops over everything."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from ganforge.measures import ranking
from ganforge.measures.ranking import Ranking, coverage, exposure, gini, groups_of_items, groups_of_users, novelty, rank


def ranked(scores: np.ndarray, known: np.ndarray, relevant: np.ndarray, depth: int = 20) -> Ranking:
    return rank(
        lambda rows: scores[rows].astype(np.float32), csr_matrix(known * 1.0), csr_matrix(relevant * 1.0), depth
    )


def test_by_hand() -> None:
    scores = np.array([[0.9, 0.8, 0.7, 0.6, 0.5], [0.1, 0.2, 0.3, 0.4, 0.5], [1, 1, 1, 1, 1]])
    known = np.array([[1, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]])
    relevant = np.array([[0, 0, 1, 1, 0], [1, 0, 0, 0, 1], [0, 0, 0, 0, 0]])  # the second user has item 4 already
    result = ranked(scores, known, relevant, depth=4)
    assert result.users.tolist() == [0, 1]  # the third has nothing to find
    assert result.top.tolist() == [[1, 2, 3, 4], [3, 2, 1, 0]]
    assert result.precision(2).tolist() == [0.5, 0]
    assert result.recall(2).tolist() == [0.5, 0]
    assert result.reciprocal().tolist() == [1 / 2, 1 / 4]
    assert result.reciprocal(3).tolist() == [1 / 2, 0]
    gained = (1 / math.log2(3) + 1 / math.log2(4)) / (1 + 1 / math.log2(3))
    assert result.ndcg(10) == pytest.approx([gained, 1 / math.log2(5)])
    assert exposure(result.top, 5).tolist() == [1, 2, 2, 2, 1]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.integers(1, 9), st.integers(1, 12), st.booleans())
def test_like_a_loop_over_everything(seed: int, users: int, items: int, k: int, ties: bool) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(0, 3, (users, items)) if ties else random.standard_normal((users, items))
    known, relevant = random.random((users, items)) < 0.3, random.random((users, items)) < 0.4
    result = ranked(scores, known, relevant, depth=k)
    place = 0
    for user in range(users):
        order = sorted((item for item in range(items) if not known[user, item]), key=lambda i: (-scores[user, i], i))
        found = [1 + order.index(item) for item in range(items) if relevant[user, item] and not known[user, item]]
        if not found:
            assert user not in result.users
            continue
        best = order[:k] + [-1] * max(0, k - len(order))
        assert result.users[place] == user
        assert result.top[place].tolist() == best
        hits = [p for p in found if p <= k]
        assert result.precision(k)[place] == pytest.approx(len(hits) / k)
        assert result.recall(k)[place] == pytest.approx(len(hits) / len(found))
        assert result.reciprocal()[place] == pytest.approx(1 / min(found))
        ideal = sum(1 / math.log2(1 + p) for p in range(1, min(k, len(found)) + 1))
        assert result.ndcg(k)[place] == pytest.approx(sum(1 / math.log2(1 + p) for p in hits) / ideal)
        place += 1
    assert place == len(result.users)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    scores, known, relevant = random.random((50, 20)), random.random((50, 20)) < 0.2, random.random((50, 20)) < 0.2
    whole = ranked(scores, known, relevant)
    monkeypatch.setattr(ranking, "BLOCK", 60)
    parts = ranked(scores, known, relevant)
    assert (whole.top == parts.top).all()
    assert (whole.places != parts.places).nnz == 0


def test_some_items_and_some_users() -> None:
    random = np.random.default_rng(1)
    scores, known, relevant = random.random((30, 12)), np.zeros((30, 12)), random.random((30, 12)) < 0.3
    result, kept = ranked(scores, known, relevant), random.random(12) < 0.5
    part, alone = result.of_items(kept), ranked(scores, known, relevant & kept)
    assert part.users.tolist() == alone.users.tolist()
    assert part.ndcg(5).tolist() == alone.ndcg(5).tolist()
    first = result.of_users(np.arange(len(result.users)) < 3)
    assert first.recall(5).tolist() == result.recall(5)[:3].tolist()


def test_nobody_to_judge_by() -> None:
    nothing = ranked(np.ones((3, 4)), np.zeros((3, 4)), np.zeros((3, 4)))
    assert len(nothing.users) == len(nothing.ndcg(10)) == len(nothing.reciprocal()) == 0


def test_what_is_shown() -> None:
    same, each = np.array([[0, 1], [0, 1]], np.int32), np.array([[0, 1], [2, 3]], np.int32)
    assert (coverage(same, 4), coverage(each, 4)) == (0.5, 1.0)
    assert (gini(same, 4), gini(each, 4)) == (0.5, 0.0)
    assert gini(np.zeros((9, 1), np.int32), 100) == pytest.approx(0.99)
    assert gini(np.full((1, 2), -1, np.int32), 4) == 0
    assert novelty(np.array([[0, 1], [2, -1]], np.int32), np.array([8, 4, 4, 0])) == pytest.approx([1.5, 2])


def test_groups() -> None:
    of_users = groups_of_users(np.array([1, 2, 3, 4, 5, 6]))
    assert [int(group.sum()) for group in of_users.values()] == [2, 2, 2]
    popular, rare = groups_of_items(np.array([1, 6, 2, 3])).values()
    assert popular.tolist() == [False, True, False, False]
    assert (popular ^ rare).all()
