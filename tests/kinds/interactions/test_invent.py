"""The task `invent`: planted truths, closed forms, and what it says of features that it lacks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import ganforge as gf
from ganforge.core.files import MANIFEST
from ganforge.errors import DataError, InputError, RecipeError, RunError
from ganforge.kinds.interactions.columns import LogSettings
from ganforge.kinds.interactions.features import Coding, FeatureColumn, Features
from ganforge.kinds.interactions.invent import verdict
from ganforge.kinds.interactions.invent.audience import Similarity, in_parts, tastes_of
from ganforge.kinds.interactions.invent.choice import choose
from ganforge.kinds.interactions.invent.codes import Codes
from ganforge.kinds.interactions.invent.material import open_material
from ganforge.kinds.interactions.invent.model import Inventions, load_inventions
from ganforge.kinds.interactions.invent.networks import Inventor
from ganforge.kinds.interactions.invent.rivals import OURS, RANDOM, lists_of
from ganforge.measures.energy import energy_scores
from ganforge.measures.kernel_ridge import fit_kernel_ridge

USERS, ITEMS = 90, 120
GENRES = ("crime", "dance", "space")
ASKED = {"kind": "interactions", "task": "invent", "size": "tiny", "examples": 6_400}


def planted(folder: Path, *, features: bool = True, items: int = ITEMS) -> Path:
    """Write a log in which a genre is met by its third of the users, new items by all of them, old ones by few."""
    random = np.random.default_rng(0)
    genre, year = np.arange(items) % 3, 1990 + random.integers(0, 20, items)
    chance = np.where(np.arange(USERS)[:, None] % 3 == genre, 0.1 + 0.8 * (year - 1990) / 20, 0.02)
    user, item = np.nonzero(random.random((USERS, items)) < chance)
    pd.DataFrame({"user": user, "item": [f"i{each}" for each in item]}).to_csv(folder / "ratings.csv", index=False)
    if features:
        shade = random.choice(["dark", "light", "plain"], items)
        table = {"item": [f"i{each}" for each in range(items)], "year": year, "shade": shade}
        pd.DataFrame({**table, "genre": [GENRES[each] for each in genre]}).to_csv(folder / "items.csv", index=False)
    return folder / "ratings.csv"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("invent")
    gf.train(planted(folder), run=folder / "run", **ASKED)
    return folder / "run"


@pytest.fixture(scope="module")
def model(run: Path) -> Inventions:
    return load_inventions(run / "model")


def new_items(folder: Path, text: str) -> Path:
    (folder / "new.csv").write_text(text)
    return folder / "new.csv"


# ---- planted truths --------------------------------------------------------------------------------------------------


def test_what_counts_is_found_and_who_would_like_new_items_too(run: Path, tmp_path: Path) -> None:
    recipe = json.loads((run / "recipe.json").read_text())
    assert set(recipe["interactions"]["columns"]) == {"year", "genre"}  # the shade says nothing
    new = new_items(tmp_path, "item,year,shade,genre\nn1,2008,dark,space\nn2,1991,dark,crime\n")
    found = gf.apply(run, new, count=20)
    first, second = found[found.item == "n1"], found[found.item == "n2"]
    assert (first.user.astype(int) % 3 == 2).mean() >= 0.95 and (second.user.astype(int) % 3 == 0).mean() >= 0.8
    assert first.audience.iloc[0] == pytest.approx(25, abs=8) and second.audience.iloc[0] == pytest.approx(6, abs=5)
    assert (found.low <= found.score).all() and (found.score <= found.high).all()
    assert (first.audience_low <= 25).all() and (first.audience_high >= 25).all()
    assert first.score.is_monotonic_decreasing


def test_the_evaluation_knows_that_features_tell_all(run: Path) -> None:
    found = json.loads((run / "evaluation.json").read_text())
    measures = {measure["name"]: measure for measure in found["measures"]}
    assert measures["ndcg"]["low"] > measures["ndcg"]["floor"] > measures["ndcg"]["reference"]  # beyond popularity
    assert measures["covered"]["high"] >= 0.85
    assert found["verdict"]["grade"] == "excellent"
    assert found["spread"]["residuals of like items"] < found["spread"]["the expected audience alone"]
    assert (
        found["above_best_simple"]["low"] <= found["above_best_simple"]["value"] <= found["above_best_simple"]["high"]
    )


def test_invented_items_please_the_group_that_they_are_for(run: Path, tmp_path: Path) -> None:
    for group, genre in (("users=2,5,8", "space"), ("user=0", "crime")):
        ideas = gf.load(run).sample(1, seed=3, whom=group)
        assert ideas.genre[0] == genre and ideas.year[0] >= 1995
        assert ideas.better_than[0] >= 0.8 and ideas.nearest[0].startswith("i")
    ideas = gf.load(run).sample(4, seed=3)
    assert set(ideas.genre.iloc[:2]) <= set(GENRES) and ideas.year.between(1990, 2009).all()
    assert not ideas[["year", "genre"]].duplicated().any()
    model = load_inventions(run / "model")
    written = model.write(model.sample(4, {}, seed=3), tmp_path / "ideas.csv", force=False)
    assert list(pd.read_csv(written).columns) == ["year", "genre", "score", "better_than", "nearest"]


def test_an_item_of_no_features_gets_what_holds_for_any_and_it_is_told(
    run: Path, tmp_path: Path, model: Inventions
) -> None:
    new = new_items(tmp_path, "item,year,genre\na,,\nb,,dance\nc,2000,opera\nd,2000,dance\n")
    notes = list(model.notes(model._read(new)))
    assert notes[0].startswith("year is missing of 1 item:")
    assert notes[1].startswith("nothing is known of 'a'")
    assert "'genre=opera'" in notes[2]
    found = gf.apply(run, new, tmp_path / "who.csv", count=3)
    table = pd.read_csv(found)
    assert list(table.groupby("item").size()) == [3, 3, 3, 3]
    known = table[table.item == "d"].user
    assert (known % 3 == 1).all() and np.isfinite(table.score).all()


def test_a_frame_and_a_folder_are_read_as_a_file_is(run: Path, tmp_path: Path) -> None:
    frame = pd.DataFrame({"item": ["n1"], "year": [2008], "genre": ["space"]})
    by_frame = gf.apply(run, frame)
    by_file = gf.apply(run, new_items(tmp_path, "item,year,genre\nn1,2008,space\n"), tmp_path / "who.parquet")
    pd.testing.assert_frame_equal(by_frame, pd.read_parquet(by_file))
    assert len(gf.apply(run, run.parent, count=1)) == ITEMS  # items.csv beside the log


# ---- refusals --------------------------------------------------------------------------------------------------------


def test_data_that_cannot_be_learned_from_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no features of items"):
        open_material(planted(tmp_path, features=False), LogSettings(), 0)
    with pytest.raises(DataError, match="30 items have features"):
        open_material(planted(tmp_path, items=30), LogSettings(), 0)
    with pytest.raises(RecipeError, match="no column 'genr'"):
        gf.plan(planted(tmp_path), **ASKED, settings={"interactions.columns": '["genr"]'})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"whom": "items=i1"}, "cannot be read"),
        ({"whom": "users=1,nobody"}, "no user 'nobody'"),
        ({"count": 0}, "cannot be invented"),
    ],
)
def test_groups_that_are_not_there_are_refused(model: Inventions, options: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        model.sample(int(options.pop("count", 1)), options, seed=0)  # type: ignore[call-overload]


def test_what_a_recommender_is_asked_is_refused(run: Path, tmp_path: Path) -> None:
    new = new_items(tmp_path, "item,year,genre\nn1,2008,space\n")
    with pytest.raises(InputError, match="of a recommender"):
        gf.apply(run, new, diversity=0.5)
    with pytest.raises(InputError, match=r"cannot be written as 'who\.txt'"):
        gf.apply(run, new, tmp_path / "who.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no log|no table"):
        gf.apply(run, tmp_path / "empty")
    with pytest.raises(DataError, match="none of the columns"):
        gf.apply(run, new_items(tmp_path, "item,colour\nn1,red\n"))


@pytest.mark.parametrize("damage", ["counts", "landmarks", "ids"])
def test_a_model_whose_parts_do_not_fit_is_refused(run: Path, tmp_path: Path, damage: str) -> None:
    shutil.copytree(run / "model", tmp_path / "model")
    (tmp_path / "model" / MANIFEST).unlink()
    described = json.loads((tmp_path / "model" / "model.json").read_text())
    counts = described["invent"]["counts"]
    if damage == "counts":
        counts["items"] -= 1
    elif damage == "landmarks":
        del counts["landmarks"]
    else:
        described["invent"]["codes"]["fill"] = [0.0]
    (tmp_path / "model" / "model.json").write_text(json.dumps(described))
    with pytest.raises(RunError):
        load_inventions(tmp_path / "model")


# ---- closed forms ----------------------------------------------------------------------------------------------------


def test_left_out_predictions_are_those_of_regressions_on_the_others() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(30, 2)), random.normal(size=(30, 3))

    def kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.exp(-((one[:, None] - other[None]) ** 2).sum(2))

    fit, stronger = fit_kernel_ridge(kernel, x, y, (0.5, 5.0))
    mean = y.mean(0)
    whole = np.linalg.solve(kernel(x, x) + 0.5 * np.eye(30), y - mean)
    np.testing.assert_allclose(fit.predict(kernel(x[:4], x)), mean + kernel(x[:4], x) @ whole, atol=1e-6)
    rest = np.arange(30) != 7
    weights = np.linalg.solve(kernel(x[rest], x[rest]) + 0.5 * np.eye(29), y[rest] - mean)
    np.testing.assert_allclose(fit.left_out[7], mean + (kernel(x[7:8], x[rest]) @ weights)[0], atol=1e-6)
    halves = np.arange(30) % 2
    part = fit_kernel_ridge(kernel, x, y, (0.5,), parts=halves)[0]
    weights = np.linalg.solve(kernel(x[1::2], x[1::2]) + 0.5 * np.eye(15), y[1::2] - mean)
    np.testing.assert_allclose(part.left_out[::2], mean + kernel(x[::2], x[1::2]) @ weights, atol=1e-6)
    assert np.abs(stronger.left_out - mean).sum() < np.abs(fit.left_out - mean).sum()
    few = fit_kernel_ridge(kernel, x, y, (0.5,), most=20)[0]  # landmarks: less exact, not another thing
    assert len(few.landmarks) == 20
    assert np.corrcoef(few.left_out.ravel(), fit.left_out.ravel())[0, 1] > 0.9


def test_the_energy_score_is_lowest_for_the_true_distribution() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=(400, 2))
    draws = random.normal(size=(400, 50, 2))
    right, narrow, wide, off = (
        energy_scores(draws * scale + shift, truth).mean() for scale, shift in ((1, 0), (0.3, 0), (3, 0), (1, 1))
    )
    assert right < min(narrow, wide, off)
    np.testing.assert_allclose(energy_scores(np.zeros((1, 2, 2)), np.array([[3.0, 4.0]])), [5.0])


def _features(values: list[list[float]], missing: list[list[bool]]) -> Features:
    coding = Coding(
        id="item",
        columns=(
            FeatureColumn(name="year", mean=2000, deviation=10),
            FeatureColumn(name="genre", split="", words=("crime", "space")),
            FeatureColumn(name="tags", split="|", words=("a", "b")),
        ),
    )
    ids = np.array([f"i{row}" for row in range(len(values))])
    return Features(ids, coding.features, np.array(values, np.float32), np.array(missing, bool), coding)


def test_codes_are_ranks_and_words_and_come_back_as_cells() -> None:
    holes = [[False] * 5, [False] * 5, [False] * 5, [True, False, False, False, False]]
    features = _features([[-1, 1, 0, 1, 1], [0, 0, 1, 0, 1], [2, 1, 0, 0, 0], [0, 1, 0, 0, 1]], holes)
    codes = Codes.of(features, ["year", "genre", "tags"])
    encoded = codes.encoded(features)
    np.testing.assert_allclose(encoded[:, 0], [1 / 6, 3 / 6, 5 / 6, 0.5])  # the missing year: the mean rank
    np.testing.assert_array_equal(encoded[:, 1:], features.values[:, 1:])
    assert codes.missing(features) == [[], [], [], ["year"]]
    assert codes.numbers.tolist() == [True, False, False, False, False]
    cells = codes.rows(encoded)
    assert cells == {"year": [1990, 2000, 2020, 2000], "genre": ["crime", "space", "crime", "crime"],
                     "tags": ["a|b", "b", "", "b"]}  # fmt: skip
    assert Codes.of(features, ["tags"]).encoded(features).shape == (4, 2)


def test_similarity_is_highest_for_the_same_codes_and_positive() -> None:
    random = np.random.default_rng(0)
    codes = np.concatenate([random.random((40, 1)), (random.random((40, 5)) < 0.4).astype(float)], 1)
    numbers = np.array([True, *[False] * 5])
    alike = Similarity(numbers, "joint", 0.1, 2.0)(codes, codes)
    np.testing.assert_allclose(alike, alike.T)
    assert np.linalg.eigvalsh(alike).min() > -1e-9
    only_words, only_numbers = (Similarity(which, "joint", 0.1, 2.0) for which in (numbers[1:], numbers[:1]))
    np.testing.assert_allclose(only_numbers(codes[:1, :1], codes[:1, :1]), 1.0)
    assert only_words(codes[:1, 1:], codes[1:2, 1:]).item() <= only_words(codes[:1, 1:], codes[:1, 1:]).item() + 1.0


def test_choices_that_a_person_made_stay(tmp_path: Path) -> None:
    material = open_material(planted(tmp_path), LogSettings(), 0)
    found = choose(material.features, material.matrix, 4, ("genre",), "linear", 0.7)
    assert (found.columns, found.form, found.width, found.without) == (("genre",), "linear", 0.7, {})
    assert set(choose(material.features, material.matrix, 4).forms) == {"joint", "linear"}
    tastes = tastes_of(material.matrix, 4)
    np.testing.assert_allclose(tastes.T @ tastes, np.eye(4), atol=1e-8)


def test_an_audience_has_as_many_numbers_as_there_are_clubs_of_users(tmp_path: Path) -> None:
    clubs, each = 40, 6  # club k, of k + 3 users, meets the items of genre k alone: 20 numbers tell 20 clubs apart
    items = [(f"i{club}-{place}", club) for club in range(clubs) for place in range(each)]
    rows = [(f"u{club}-{user}", item) for item, club in items for user in range(club + 3)]
    (tmp_path / "log.csv").write_text("user,item\n" + "".join(f"{user},{item}\n" for user, item in rows))
    (tmp_path / "items.csv").write_text("item,genre\n" + "".join(f"{item},g{club}\n" for item, club in items))
    material = open_material(tmp_path / "log.csv", LogSettings(), 0)
    found = choose(material.features, material.matrix)
    assert found.dimensions == 60  # not 120, which is no better
    assert found.sizes[20] < 0.9 and found.sizes[60] == pytest.approx(1.0)


def test_a_simple_method_that_is_certainly_better_is_named_and_costs_the_grade(monkeypatch, run: Path) -> None:
    def blind(material, known, codes):
        lists = lists_of(material, known, codes)
        return {**lists, OURS: lists[RANDOM]}

    monkeypatch.setattr(verdict, "lists_of", blind)
    told = gf.evaluate(run)["verdict"]
    assert told["grade"] in ("fair", "poor", "failed")
    assert "beside ridge to tastes, the best simple method: that one does better." in told["sentences"][0]
    monkeypatch.undo()
    gf.evaluate(run)


def test_the_generator_begins_as_what_needs_no_adversary_and_draws_words_that_are_words() -> None:
    torch.manual_seed(0)
    inventor = Inventor([("number", 1), ("one", 3), ("several", 4)], dimensions=2, latent=3, width=8, depth=1)
    start, noise = torch.randn(50, 2), torch.randn(50, 3)
    assert torch.equal(inventor.residual(torch.rand(50, 8), torch.randn(50, 2), start, noise), start)
    codes = inventor.codes(torch.randn(50, 2), noise, torch.rand(50, inventor.draws))
    assert codes.shape == (50, 8) and inventor.draws == 9
    words = codes[:, 1:]
    assert torch.isin(words.detach().round(decimals=5), torch.tensor([0.0, 1.0])).all()
    assert words[:, :3].detach().sum(1).max() <= 1.0001
    codes.sum().backward()
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in inventor.item.parameters())


def test_a_linear_similarity_is_a_ridge() -> None:
    random = np.random.default_rng(0)
    codes, y = (random.random((60, 4)) < 0.5).astype(float), random.normal(size=(60, 2))
    numbers = np.zeros(4, bool)
    similarity = Similarity(numbers, "linear", 0.1, 1.0)
    fit = fit_kernel_ridge(similarity, codes, y, (3.0,))[0]
    x = np.concatenate([np.ones((60, 1)), codes], 1)
    ridge = np.linalg.solve(x.T @ x + 3.0 * np.eye(5), x.T @ (y - y.mean(0)))
    np.testing.assert_allclose(fit.predict(similarity(codes, codes)), y.mean(0) + x @ ridge, atol=1e-6)
    in_ten = in_parts(np.array([[0.0], [0.55], [1.0]]), np.ones(1, bool))
    assert in_ten[:, 1:].argmax(1).tolist() == [0, 5, 9]
