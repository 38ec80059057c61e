"""The choice of settings by validation, and of a form that a log is small enough for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from ganforge.kinds.interactions import tuning
from ganforge.kinds.interactions.low_rank import PartWeights
from ganforge.kinds.interactions.scorers import ItemWeights, Popularity
from ganforge.kinds.interactions.tuning import METHODS, Method, methods_for, ranking_of, some_users, tune


def halves(seed: int, share: float) -> csr_matrix:
    random = np.random.default_rng(seed)
    side = np.arange(60)[:, None] % 2 == np.arange(20) % 2
    return csr_matrix((side & (random.random((60, 20)) < share)).astype(np.float32))


FIT, VALIDATION = halves(0, 0.4), halves(1, 0.2)
TRAIN = csr_matrix(((FIT + VALIDATION) > 0).astype(np.float32))


def shifted(matrix: csr_matrix, right: float, sign: float) -> Popularity:
    """Scores that are only good if both settings are: right 2 and sign 1. Not all pairs of them must be tried."""
    popular = np.asarray(matrix.sum(0))[0] - 1000 * (np.arange(20) % 2)
    return Popularity((sign * popular * (2 if right == 2 else -1)).astype(np.float32))


def test_the_best_settings_are_found_and_fitted_again() -> None:
    method = Method("", shifted, {"right": (0, 1, 2, 3), "sign": (1, -1)})
    half = csr_matrix(VALIDATION.multiply((np.arange(60) % 2 == 0)[:, None]))
    found = tune("shifted", method, FIT, half, TRAIN)
    assert found.settings == {"right": 2, "sign": 1}
    assert found.score == max(score for _, score in found.tried)
    assert len(found.tried) < 8
    assert (found.scorer.scores(TRAIN) == shifted(TRAIN, 2, 1).scores(TRAIN)).all()
    assert "right 2, sign 1" in found.sentence
    assert f"{len(found.tried)} settings" in found.sentence


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_can_be_tuned(name: str) -> None:
    found = tune(name, METHODS[name], FIT, VALIDATION, TRAIN)
    ranking = ranking_of(found.scorer, TRAIN, csr_matrix(halves(2, 0.3)))
    chance = 10 / 20
    assert ranking.recall(10).mean() > (0 if name == "popularity" else chance)
    assert found.sentence


def test_nobody_to_choose_by() -> None:
    nobody = csr_matrix(FIT.shape, dtype=np.float32)
    found = tune("EASE", METHODS["EASE"], FIT, nobody, FIT)
    assert found.settings == {"penalty": METHODS["EASE"].axes["penalty"][0]}


def test_too_many_items_for_one_matrix() -> None:
    methods, sentences = methods_for(TRAIN, memory=1600)
    assert "10 most popular of 20 items" in sentences[0]
    assert methods["EASE"].axes["popular"] == (10,)
    found = tune("EASE", methods["EASE"], FIT, VALIDATION, TRAIN)
    assert isinstance(found.scorer, PartWeights)
    assert found.scorer.weights.shape == (10, 10)


def test_small_logs_keep_every_method() -> None:
    methods, sentences = methods_for(TRAIN)
    assert (list(methods), sentences) == (list(METHODS), ())
    assert isinstance(methods["EASE"].fit(TRAIN, penalty=3), ItemWeights)


def test_large_logs_try_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "MOST", 100)
    monkeypatch.setattr(tuning, "MOST_USERS", 59)
    monkeypatch.setattr(tuning, "POPULAR", 12)
    methods, sentences = methods_for(TRAIN)
    assert set(methods) == {"EASE", "RP3beta", "ItemKNN", "popularity"}
    assert "60 others" in sentences[0]
    assert "usual settings" in sentences[1]
    found = tune("RP3beta", methods["RP3beta"], FIT, VALIDATION, TRAIN)
    assert found.tried == ()
    assert "usual settings" in found.sentence
    tuned = tune("EASE", methods["EASE"], FIT, VALIDATION, TRAIN)
    assert len(tuned.tried) == len(METHODS["EASE"].axes["penalty"])
    assert "among the 12 most popular items" in tuned.sentence
    assert tuned.scorer.scores(TRAIN).shape == TRAIN.shape


def test_slow_methods_try_one_setting_with_many_interactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "MANY", 100)
    methods, sentences = methods_for(TRAIN)
    assert "iALS and BPR" in sentences[0]
    assert [len(values) for values in methods["iALS"].axes.values()] == [1, 1, 1]
    assert methods["UserKNN"] is METHODS["UserKNN"]


def test_some_users_choose() -> None:
    some = some_users(VALIDATION, 10)
    assert (np.diff(some.indptr) > 0).sum() == 10
    kept = np.diff(some.indptr) > 0
    assert (some[kept] != VALIDATION[kept]).nnz == 0
    assert some_users(VALIDATION, 60) is VALIDATION
