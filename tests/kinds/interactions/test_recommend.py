"""A recommender on planted tastes: who gets what, what diversity does, what is judged, how wrong input is told."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.base import clone

import ganforge as gf
from ganforge.contracts import Levers, Turn
from ganforge.core.seeds import Draws
from ganforge.errors import DataError, InputError
from ganforge.kinds.interactions.low_rank import ease_in_part
from ganforge.kinds.interactions.recommend import material as materials
from ganforge.kinds.interactions.recommend import product
from ganforge.kinds.interactions.recommend.exposure import (
    KNOTS,
    Shelf,
    candidates_of,
    factor_of,
    price_table,
    prices_at,
    prices_for,
)
from ganforge.kinds.interactions.recommend.networks import ResidualScores
from ganforge.kinds.interactions.recommend.task import RecommendTask
from ganforge.kinds.interactions.scorers import Popularity, ease
from ganforge.measures.ranking import coverage, exposure, gini, top_items
from ganforge.recipe import Request

USERS, ITEMS = 120, 60
QUICK: dict[str, Any] = {"size": "tiny", "examples": 640, "settings": {"records.marks": "[1]"}}


def tastes(seed: int = 0) -> pd.DataFrame:
    """Users of even numbers met items "a.." alone, the others items "b..", some of them much more often."""
    random = np.random.default_rng(seed)
    popular = 1 / (1 + np.arange(ITEMS // 2)) ** 0.8
    rows = []
    for user in range(USERS):
        taste = "ab"[user % 2]
        for time, item in enumerate(random.choice(ITEMS // 2, 10, replace=False, p=popular / popular.sum())):
            rows.append((f"{user:03d}", f"{taste}{item:02d}", time))
    return pd.DataFrame(rows, columns=["user", "item", "time"])


def matrix_of(seed: int = 0) -> csr_matrix:
    frame = tastes(seed)
    items = pd.Categorical(frame["item"])
    return csr_matrix((np.ones(len(frame), np.float32), (frame["user"].astype(int), items.codes)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("recommend")
    tastes().to_csv(place / "log.csv", index=False)
    gf.train(place / "log.csv", kind="interactions", run=place / "run", **QUICK)
    return place / "run"


# ---- what is recommended ---------------------------------------------------------------------------------------------


def test_users_get_items_of_their_taste_and_none_that_they_had(folder: Path) -> None:
    top = gf.apply(folder, ["004", "007"], count=5)
    assert top.groupby("user")["item"].apply(lambda items: set(items.str[0])).tolist() == [{"a"}, {"b"}]
    assert top["place"].tolist() == [1, 2, 3, 4, 5] * 2
    met = set(map(tuple, tastes()[["user", "item"]].to_numpy()))
    assert not met & set(zip(top["user"], top["item"], strict=True))


def test_what_was_met_comes_back_where_nothing_is_excluded(folder: Path) -> None:
    everything = gf.apply(folder, ["004"], count=ITEMS, exclude="nothing")
    assert len(everything) == ITEMS
    assert set(tastes().query("user == '004'")["item"]) <= set(everything["item"])
    assert len(gf.apply(folder, ["004"], count=ITEMS)) == ITEMS - 10


def test_every_recommendation_is_explained_by_what_the_user_met(folder: Path) -> None:
    top = gf.apply(folder, ["004"], count=5, diversity=0.0)
    met = set(tastes().query("user == '004'")["item"])
    assert all(why and set(why.split(", ")) <= met for why in top["because_of"])


def test_somebody_new_gets_items_like_those_he_liked(folder: Path) -> None:
    top = gf.apply(folder, new="b00, b01", count=5)
    assert set(top["item"].str[0]) == {"b"} and not {"b00", "b01"} & set(top["item"])
    pd.testing.assert_frame_equal(top, gf.apply(folder, whom="items=b01,b00", count=5))


def test_an_unknown_user_of_a_table_gets_what_most_users_meet(folder: Path, tmp_path: Path) -> None:
    pd.DataFrame({"user": ["nobody", "004"]}).to_csv(tmp_path / "users.csv", index=False)
    top = gf.apply(folder, tmp_path / "users.csv", count=3)
    counts = tastes()["item"].value_counts()
    assert counts[top.query("user == 'nobody'")["item"]].min() >= counts.iloc[3]
    assert set(top.query("user == '004'")["item"].str[0]) == {"a"}


def test_more_diversity_shows_more_items_more_evenly(folder: Path) -> None:
    users = sorted(set(tastes()["user"]))
    shown = [gf.apply(folder, users, count=10, diversity=how)["item"].value_counts() for how in (0.0, 0.5, 1.0)]
    spread = [counts.reindex(sorted(set(tastes()["item"])), fill_value=0).std() for counts in shown]
    assert len(shown[0]) <= len(shown[1]) <= len(shown[2])
    assert spread[0] > spread[1] > spread[2]


def test_lists_are_written_whole_as_csv_and_parquet(folder: Path, tmp_path: Path) -> None:
    users = sorted(set(tastes()["user"]))
    for name in ("top.csv", "top.parquet"):
        gf.apply(folder, users, tmp_path / name, count=2)
    read = pd.read_csv(tmp_path / "top.csv", dtype={"user": str})
    pd.testing.assert_frame_equal(read, pd.read_parquet(tmp_path / "top.parquet"), check_dtype=False)
    assert read["user"].unique().tolist() == users


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"whom": "user=0004"}, "no user '0004'"),
        ({"whom": "club=4"}, "cannot be 'club=4'"),
        ({"whom": "items=b00,zz"}, "no item 'zz'"),
        ({"new": " , "}, "No item was named"),
    ],
)
def test_what_is_not_in_the_data_gets_a_sentence(folder: Path, asked: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        gf.apply(folder, **asked)


def test_a_file_of_another_form_is_refused_before_anything_is_computed(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be written as 'top\.txt'"):
        gf.apply(folder, ["004"], tmp_path / "top.txt")


@pytest.mark.parametrize(
    ("each", "settings", "words"),
    [
        (4, {}, "Only 0 users .* have at least 5 interactions"),
        (10, {"interactions.split": "time", "interactions.time": "none"}, "has no times"),
    ],
)
def test_a_log_that_cannot_be_split_gets_a_sentence(
    each: int, settings: dict[str, str], words: str, tmp_path: Path
) -> None:
    tastes().groupby("user").head(each).to_csv(tmp_path / "log.csv", index=False)
    with pytest.raises(DataError, match=words):
        gf.plan(tmp_path / "log.csv", kind="interactions", task="recommend", settings=settings)


def test_few_users_with_few_items_are_enough(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = [(f"u{user}", f"i{item}") for user in range(20) for item in random.choice(6, 5, replace=False)]
    pd.DataFrame(rows, columns=["user", "item"]).to_csv(tmp_path / "log.csv", index=False)
    gf.train(tmp_path / "log.csv", kind="interactions", run=tmp_path / "run", **QUICK)
    top = gf.apply(tmp_path / "run", tmp_path / "log.csv")
    assert top.groupby("user").size().tolist() == [1] * 20  # five of six are known
    assert json.loads((tmp_path / "run" / "evaluation.json").read_text())["samples"] == 20


# ---- what the evaluation says ----------------------------------------------------------------------------------------


def test_the_evaluation_stands_beside_every_rival_and_tells_of_groups(folder: Path) -> None:
    found = json.loads((folder / "evaluation.json").read_text())
    assert {"EASE", "ItemKNN", "UserKNN", "RP3beta", "iALS", "BPR", "popularity"} <= {
        one["name"] for one in found["rivals"]
    }
    assert [one["exposure"] for one in found["frontier"]] == list(KNOTS)
    groups = {one["group"]: one for one in found["groups"]}
    assert {"popular items", "rare items"} <= groups.keys()
    fallen = [name for name, one in groups.items() if one["beside_ease"]["high"] < 0]
    told = found["verdict"]["sentences"][-1]
    assert all(name in told for name in fallen) if fallen else "no group" in told
    assert found["verdict"]["adversarial_helps"] is False or found["residual_added"]


# ---- prices ----------------------------------------------------------------------------------------------------------


def test_prices_bring_exposure_to_what_is_wanted() -> None:
    matrix = matrix_of()
    met = materials.counts_of(matrix)
    shelf = Shelf(ease(matrix, 10.0), np.ones(ITEMS, np.float32))
    candidates, values = candidates_of(shelf, matrix)
    before = exposure(top_items(shelf.scores(matrix), 10), ITEMS)
    prices = prices_for(candidates, values, met, 1.0)
    after = exposure(top_items(Shelf(shelf.scorer, shelf.factor, prices).scores(matrix), 10), ITEMS)
    wanted = met / met.sum() * 10 * USERS
    assert np.abs(after - wanted).sum() < 0.5 * np.abs(before - wanted).sum()


def test_between_two_exposures_prices_are_a_mixture() -> None:
    table = np.arange(len(KNOTS), dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
    assert prices_at(table, 0.25)[0] == pytest.approx(3.5)
    assert prices_at(table, 0.0)[0] == 0 and prices_at(table, 1.0)[0] == len(KNOTS) - 1


def test_without_prices_the_shelf_is_the_scorer() -> None:
    matrix = matrix_of()
    shelf = Shelf(ease(matrix, 10.0), np.ones(ITEMS, np.float32))
    np.testing.assert_array_equal(shelf.scores(matrix, seen=True), shelf.scorer.scores(matrix))
    table = price_table(shelf, matrix, materials.counts_of(matrix))
    none = Shelf(shelf.scorer, shelf.factor, prices_at(table, 0.0))
    np.testing.assert_allclose(none.scores(matrix), shelf.scores(matrix), rtol=1e-6)


def test_items_beyond_the_candidates_stay_behind_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganforge.kinds.interactions.recommend.exposure.CANDIDATES", 5)
    scores = np.linspace(1, 0, 20).astype(np.float32)
    prices = np.where(np.arange(20) < 5, 100, -100).astype(np.float32)
    shelf = Shelf(Popularity(scores), np.ones(20, np.float32), prices)
    ranked = top_items(shelf.scores(csr_matrix((1, 20), dtype=np.float32)), 20)[0]
    assert set(ranked[:5]) == set(range(5)) and ranked[5:].tolist() == list(range(5, 20))


def test_a_correction_lifts_rare_items() -> None:
    counts = np.array([0.0, 9.0, 99.0], np.float32)
    np.testing.assert_allclose(factor_of(counts, 0.5), [1, 0.1**0.5, 0.1], rtol=1e-6)
    np.testing.assert_array_equal(factor_of(counts, 0.0), np.ones(3, np.float32))


# ---- the game --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Any:
    place = tmp_path_factory.mktemp("job") / "log.csv"
    tastes().to_csv(place, index=False)
    request = Request(source=str(place), kind="interactions", task="recommend", size="tiny", examples=256)
    return RecommendTask().plan(request, lambda *event, **content: None)


def test_the_hidden_part_is_neither_kept_nor_scored_by_who_knew_it(job: Any) -> None:
    batch = job.feed.batch(torch.arange(len(job.feed)))
    for kept, hidden, candidates in zip(batch["kept"], batch["hidden"], batch["candidates"], strict=True):
        real = set(hidden[hidden < ITEMS].tolist())
        assert real and not real & set(kept.tolist())
        assert not set(kept[kept < ITEMS].tolist()) & set(candidates[candidates < ITEMS].tolist())


def test_the_residual_begins_at_nothing_and_every_player_learns(job: Any) -> None:
    game = job.game()
    batch = job.feed.batch(torch.arange(32))
    residual = game.product_player.network
    assert not residual(batch["kept"], batch["candidates"].clamp(max=ITEMS - 1)).any()
    for player in game.players:
        random = Draws(torch.Generator().manual_seed(0))
        loss = player.loss(Turn(batch, random, player.dials(0.0, Levers())))
        assert all(term.shape == (32,) and torch.isfinite(term).all() for term in loss.terms.values())
        sum(term.mean() for term in loss.terms.values()).backward()
        moved = [weight.grad is not None and bool(weight.grad.any()) for weight in player.network.parameters()]
        assert any(moved)


def test_a_residual_that_knows_the_future_is_added_and_one_that_does_not_is_left_out(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    material, chosen = job.material, job.recipe.own

    class Oracle(product.Added):
        def __call__(self, history: csr_matrix, candidates: np.ndarray) -> np.ndarray:
            later = material.validation.toarray()[users_like(history, material.fit)]
            return 10 * np.take_along_axis(later, np.maximum(candidates, 0), 1)

    network = ResidualScores(ITEMS, 8)
    plain = product.found(material, chosen, network)
    assert plain.residual is None and plain.gain.value == 0
    monkeypatch.setattr(product, "Added", Oracle)
    knowing = product.found(material, chosen, network)
    assert knowing.residual is not None and knowing.gain.low > 0


def users_like(history: csr_matrix, fit: csr_matrix) -> np.ndarray:
    """Return the rows of users by what they have met."""
    known = {row.tobytes(): place for place, row in enumerate(fit.toarray())}
    return np.array([known[row.tobytes()] for row in history.toarray()])


def test_a_recommender_of_too_many_items_is_stored_and_explained_in_parts(
    job: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(materials, "ease_of", partial(ease_in_part, popular=20, rank=30))
    material, chosen = job.material, job.recipe.own
    stored = product.found(material, chosen, ResidualScores(ITEMS, 8))
    assert stored.sizes.popular == 20
    job.write_model(tmp_path, stored)
    history = material.train[[4]]
    whole = materials.shelf_of(material.train, chosen)
    np.testing.assert_allclose(stored.shelf(0.0).scores(history), whole.scores(history), rtol=1e-5, atol=1e-6)
    item = int(top_items(stored.shelf(0.0).scores(history), 1)[0, 0])
    single = [
        float(stored.scorer.scores(csr_matrix(([np.float32(1)], ([0], [met])), shape=(1, ITEMS)))[0, item])
        for met in history.indices
    ]
    assert stored.reasons(history.indices, [item], 1)[0] == [int(history.indices[int(np.argmax(single))])]


# ---- scikit-learn's habits -------------------------------------------------------------------------------------------


def test_recommender_fits_a_frame_and_recommends() -> None:
    settings = {"length.examples": 256, "network.width": 8, "interactions.penalty": 50}
    model = gf.Recommender(diversity=0.0, settings=settings)
    assert clone(model).get_params() == model.get_params()
    assert model.fit(tastes()) is model
    top = model.recommend(["004", "007"], n=3)
    assert len(top) == 6 and set(top.query("user == '004'")["item"].str[0]) == {"a"}
    assert set(model.recommend(items=["a00", "a01"], n=3)["item"].str[0]) == {"a"}
    assert len(model.recommend(n=1)) == USERS
    assert model.recommend(pd.DataFrame({"user": ["007"]}), n=1).equals(model.recommend(["007"], n=1))
    assert model.evaluate()["verdict"]["grade"] in ("excellent", "good", "fair")
    assert model.model_.described.exposure == 0  # as a person has chosen


def test_even_lists_are_measured_as_even() -> None:
    even, uneven = np.array([[0, 1], [2, 3]], np.int32), np.array([[0, 1], [0, 1]], np.int32)
    assert coverage(even, 4) == 1 and gini(even, 4) == 0
    assert coverage(uneven, 4) == 0.5 and gini(uneven, 4) > 0
