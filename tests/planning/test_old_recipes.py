"""A recipe that version 0.1.0 wrote opens to the run that it was: recipes-0.1.0.json holds what it planned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ganforge.api.request import recipe_from
from ganforge.api.train import fit_settings, guard_for
from ganforge.contracts import Levers
from ganforge.errors import RecipeError
from ganforge.kinds.pictures.enhance.game import build_game as build_enhancement
from ganforge.kinds.pictures.game import build_game
from ganforge.kinds.pictures.plan import Enhancement, Translation
from ganforge.kinds.pictures.translate.game import build_translation
from ganforge.kinds.tables.columns import RowSettings, columns_of

OLD: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "recipes-0.1.0.json").read_text("utf-8"))
MOVED = {"augmentation": "strength", "augmentation_target": "target", "flips": "flips"}
SAME = ("task", "seed", "network", "optimiser", "average", "length", "compute", "records", "guard")


@pytest.mark.parametrize("name", OLD)
def test_every_value_of_an_old_recipe_that_its_run_used_is_in_the_new_one(name: str) -> None:
    old, recipe = OLD[name], recipe_from(OLD[name])
    now = recipe.to_json()
    for section in SAME:
        was = old[section]
        assert now[section] == ({k: v for k, v in was.items() if v is not None} if isinstance(was, dict) else was)
    for section in ("rows", "translate", "enhance"):
        assert now.get(section) == ({k: v for k, v in old[section].items() if v != []} if section in old else None)
    if old["task"] == "regress":
        assert recipe.objective is None and recipe.augmentation is None
        return
    assert now["objective"] == {key: value for key, value in old["objective"].items() if key not in MOVED}
    if old["data"]["kind"] == "pictures":
        assert now["augmentation"] == {new: old["objective"][was] for was, new in MOVED.items()}
    assert "not used" not in " ".join(recipe.reasons.values())
    assert not set(recipe.reasons) & {"objective.augmentation", "objective.flips"}


@pytest.mark.parametrize("name", OLD)
def test_the_engine_and_the_guard_are_told_what_they_were_told(name: str) -> None:
    old, recipe = OLD[name], recipe_from(OLD[name])
    told = fit_settings(recipe)
    assert (told.pieces, told.precision) == (old["compute"]["pieces"], old["compute"]["precision"])
    assert (told.best_by, told.patience_looks) == (old["records"]["best_by"], old["records"]["patience_looks"])
    target = old["objective"]["augmentation_target"]
    assert (told.adaptation.target if told.adaptation else 0.0) == target
    assert (guard_for(recipe) is not None) == old["guard"]
    assert (recipe.augmentation is not None) == (old["data"]["kind"] == "pictures")  # whether the guard may augment


@pytest.mark.parametrize("name", OLD)
def test_what_was_asked_of_one_kind_of_data_is_now_an_option_of_it(name: str) -> None:
    old, recipe = OLD[name], recipe_from(OLD[name])
    of_kind = {"pictures": ("resolution",), "table": ("plan", "rules")}[old["data"]["kind"]]
    assert recipe.data.kind == {"pictures": "pictures", "table": "tables"}[old["data"]["kind"]]
    asked = {key: value for key in of_kind if (value := old["ask"][key])}
    assert {
        key: list(value) if isinstance(value, tuple) else value for key, value in recipe.ask.options.items()
    } == asked
    assert recipe_from(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_options_of_an_old_request_are_kept() -> None:
    asked = {**OLD["wine_set"]["ask"], "plan": "/a/plan.json", "rules": ["a <= b", "unique c"]}
    assert recipe_from({**OLD["wine_set"], "ask": asked}).ask.options == {
        "plan": "/a/plan.json",
        "rules": ("a <= b", "unique c"),
    }


def test_players_have_the_dials_that_they_had() -> None:
    assert build_game(recipe_from(OLD["digits8_hinge_augmented"])).players[0].dials(0.3, Levers())["change"] == 0.3
    of_pictures = {"paired": build_translation, "cycle": build_translation, "enhance_noise": build_enhancement}
    for name, build in of_pictures.items():
        recipe = recipe_from(OLD[name])
        judge = next(player for player in build(recipe).players if player.name == "discriminator")
        stands = judge.dials(0.0, Levers())
        assert stands["gamma"] == OLD[name]["objective"]["gamma_start"]
        assert stands["change"] == OLD[name]["objective"]["augmentation"]


def test_the_sections_of_the_tasks_are_read_as_theirs() -> None:
    assert recipe_from(OLD["wine_set"]).section(RowSettings).values == "smooth"
    assert [column.name for column in columns_of(recipe_from(OLD["wine_set"]))]
    assert recipe_from(OLD["cycle"]).section(Translation).unpaired_by == "cycle"
    assert recipe_from(OLD["enhance_noise"]).section(Enhancement).degradation == "noise:25"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"own": {}}, "no section 'own'"),
        ({"translate": {}}, "no section 'translate'"),
        ({"rows": None}, "rows cannot be None"),
        ({"rows": {"spans": 1}}, "rows.spans cannot be 1"),
        ({"data": {"kind": "table"}}, "data.source"),
        ({"task": "regress"}, "no section 'rows'"),
        ({"task": "juggle"}, "no task 'juggle'"),
        ({"data": 5}, "no kind of data"),
        ({"data": {"kind": "smells"}}, "no kind of data 'smells'"),
    ],
)
def test_a_recipe_that_is_none_is_refused_in_words(change: dict[str, Any], word: str) -> None:
    with pytest.raises(RecipeError, match=word):
        recipe_from({**OLD["wine_set"], **change})
