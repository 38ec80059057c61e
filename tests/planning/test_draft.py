"""What a person has pinned holds from the first moment on; what a run has no use for is absent, and says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ganforge as gf
from ganforge.api.request import recipe_from
from ganforge.contracts import Task
from ganforge.errors import RecipeError
from ganforge.kinds import kind_named
from ganforge.kinds.pictures.enhance.task import Enhance
from ganforge.kinds.pictures.generate.task import Generate
from ganforge.kinds.pictures.translate.task import Translate
from ganforge.kinds.tables.generate.task import GenerateRows
from ganforge.kinds.tables.impute import Impute
from ganforge.kinds.tables.regress.task import Regress
from ganforge.planning.draft import ASKED, Draft
from ganforge.planning.game import choose_sized
from ganforge.recipe import SECTIONS, Average, Compute, Data, Network, Optimiser, Recipe, Request

TASKS: dict[str, type[Task]] = {
    "generate": Generate,
    "rows": GenerateRows,
    "impute": Impute,
    "regress": Regress,
    "translate": Translate,
    "enhance": Enhance,
}


def draft(task: type[Task] = Generate, **asked: Any) -> Draft:
    return Draft(Request(source="x", **asked), task)


def write_pictures(folder: Path, count: int, side: int = 16) -> Path:
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(count):
        Image.fromarray(random.integers(0, 256, (side, side, 3), np.uint8)).save(folder / f"{number:03}.png")
    return folder


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recipe]:
    """A plan of every task, of both ways to translate, and of both networks that regress."""
    root = tmp_path_factory.mktemp("data")
    for side in ("A", "B"):
        write_pictures(root / "pairs" / side, 30)
        write_pictures(root / "crowds" / side, 30)
    write_pictures(root / "photos", 24, side=96)
    few, table = {"examples": 64, "size": "tiny"}, {"task": "regress", "label": "target"}
    unpaired = {"translate.pairing": "unpaired"}
    made: dict[str, Callable[[], Recipe]] = {
        "pictures": lambda: gf.plan("digits8", **few),
        "few pictures": lambda: gf.plan(str(root / "photos"), **few),
        "rows": lambda: gf.plan("wine", **few),
        "impute": lambda: gf.plan("wine", task="impute", **few),
        "line": lambda: gf.plan("diabetes", **table),
        "curve": lambda: gf.plan("diabetes", **table, settings={"network.name": "mlp"}),
        "paired": lambda: gf.plan(str(root / "pairs"), task="translate", **few),
        "unpaired": lambda: gf.plan(str(root / "crowds"), task="translate", settings=unpaired, **few),
        "enhance": lambda: gf.plan(str(root / "photos"), task="enhance", **few),
    }
    return {name: plan() for name, plan in made.items()}


# ---- absent ----------------------------------------------------------------------------------------------------------


def test_no_plan_gives_a_reason_for_what_is_not_used(recipes: dict[str, Recipe]) -> None:
    for name, recipe in recipes.items():
        for setting, why in recipe.reasons.items():
            assert "not used" not in why, (name, setting)


def test_a_recipe_says_nothing_of_what_it_has_no_use_for(recipes: dict[str, Recipe]) -> None:
    def has(name: str) -> set[str]:
        content = recipes[name].to_json()
        return {f"{section}.{key}" for section, values in content.items() if isinstance(values, dict) for key in values}

    assert set(recipes["line"].to_json()) & {"objective", "augmentation", "rows", "translate", "enhance"} == set()
    assert has("line") & {"network.width", "network.depth", "network.latent_size", "optimiser.beta1"} == set()
    assert has("curve") >= {"network.width", "network.depth", "optimiser.beta1"}
    for name in ("rows", "impute", "enhance"):
        assert recipes[name].objective is not None and recipes[name].augmentation is None
    for name, recipe in recipes.items():
        assert ("data.columns" in has(name)) == (name in ("rows", "impute"))
        assert ("records.best_by" in has(name)) == (name in ("rows", "impute"))
        assert ("data.label_names" in has(name)) == (name == "pictures")
        assert has(name) & {"compute.capture", "compute.deterministic"} == set()  # of a processor
        assert "own" not in recipe.to_json()
    assert has("paired") & {"translate.identity", "translate.unpaired_by"} == set()
    assert has("unpaired") >= {"translate.identity", "translate.unpaired_by", "augmentation.flips"}


def test_every_recipe_is_read_back_as_it_was(recipes: dict[str, Recipe]) -> None:
    for recipe in recipes.values():
        again = recipe_from(recipe.to_json())
        assert again == recipe and again.to_json() == recipe.to_json()
        assert type(again.data) is type(recipe.data) and type(again.own) is type(recipe.own)


def test_the_overview_of_a_table_is_its_columns_and_rules(recipes: dict[str, Recipe]) -> None:
    columns, kept_back, rules = kind_named("tables").overview(recipes["rows"])
    assert columns.heads[0] == "column" and "alcohol" in [row[0] for row in columns.rows]
    assert rules.heads[0] == "every row keeps"
    assert kept_back.heads[0] == "rare values of" and "alcohol" in [row[0] for row in kept_back.rows]
    assert kind_named("pictures").overview(recipes["pictures"]) == ()


@pytest.mark.parametrize(
    ("asked", "setting", "why"),
    [
        ({"task": "regress", "label": "target"}, "objective.gamma_start=1", "two players"),
        ({"task": "regress", "label": "target"}, "augmentation.flips=true", "no picture"),
        ({"task": "regress", "label": "target"}, "network.latent_size=8", "noise"),
        ({"task": "regress", "label": "target"}, "network.width=8", "no hidden layer"),
        ({"task": "regress", "label": "target"}, "optimiser.beta1=0.5", "no moments"),
        ({"task": "regress", "label": "target"}, "records.look_samples=8", "every held-out row"),
        ({}, "augmentation.strength=0.5", "no neighbour"),
        ({"task": "impute"}, "rows.whole=0.5", "only completed"),
        ({}, "compute.capture=true", "NVIDIA"),
        ({}, "compute.deterministic=true", "processor"),
    ],
)
def test_pinning_what_is_absent_says_why_there_is_none(asked: dict[str, Any], setting: str, why: str) -> None:
    name, _, value = setting.partition("=")
    settings = {"compute.device": "cpu", name: value}
    with pytest.raises(RecipeError, match=why) as caught:
        gf.plan("diabetes", **asked, examples=64, settings=settings)
    assert f"--set {setting} was given" in caught.value.what and caught.value.do == "Leave it out."


def test_a_network_without_blocks_has_no_depth_and_one_with_them_has() -> None:
    assert gf.plan("digits8", examples=64).network.depth is None
    assert gf.plan("digits8", examples=64, settings={"network.name": "mlp"}).network.depth == 1
    line = gf.plan("digits8", examples=64, settings={"network.name": "linear"}).network
    assert (line.width, line.depth) == (None, None)
    with pytest.raises(RecipeError, match="'conv' has no blocks"):
        gf.plan("digits8", examples=64, settings={"network.depth": "2"})


def test_what_may_be_absent_can_be_pinned_where_it_has_a_use() -> None:
    chosen = gf.plan("digits8", examples=64, settings={"records.best_by": "recall", "records.patience_looks": "3"})
    assert (chosen.records.best_by, chosen.records.patience_looks) == ("recall", 3)
    assert chosen.reasons["records.best_by"] == ASKED
    assert gf.plan("wine", examples=64, settings={"records.best_by": "null"}).records.best_by is None


# ---- pinned ----------------------------------------------------------------------------------------------------------


def test_a_pinned_value_stands_in_place_of_every_choice_of_it_however_often_it_is_chosen() -> None:
    made = draft(settings={"optimiser.batch_size": "7", "records.best_by": "recall"}, objective="hinge")
    for kind in ("adam", "sgd"):
        chosen = made.choose(Optimiser, kind=(kind, "why"), batch_size=(64, "usual"))
        assert (chosen.kind, chosen.batch_size) == (kind, 7)
    assert made.revise(Optimiser, batch_size=(128, "later"), warmup=(0.1, "slow")).batch_size == 7
    assert made[Optimiser].warmup == 0.1 and made.why("optimiser.batch_size") == ASKED
    assert made.why("optimiser.warmup") == "slow" and made.pinned["objective.name"] == "hinge"


def test_a_section_that_is_chosen_anew_keeps_no_reason_of_before() -> None:
    made = draft()
    made.choose(Network, name=("conv", "few layers"), width=(8, "small"))
    made.choose(Network, name=("linear", "one layer"))
    with pytest.raises(KeyError):
        made.why("network.width")


def test_a_recipe_whose_length_is_not_chosen_yet_is_one_step_long() -> None:
    made = Draft(Request(source="diabetes", task="regress"), Regress)
    made.choose(Data, source=("x", ""), kind=("table", ""), shape=((3,), ""))
    made.choose(Network, name=("linear", ""))
    made.choose(Optimiser, batch_size=(48, ""))
    made.choose(Average, half_life_examples=(0.0, ""))
    made.choose(Compute, device=("cpu", ""))
    assert made.recipe().length.examples == 48


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_task_key_reaches_the_section_that_the_task_owns(task: type[Task]) -> None:
    keys = {"rows": ("candidates", "3", 3), "translate": ("reconstruction", "5", 5.0), "enhance": ("patch", "36", 36)}
    if task.section is None:
        with pytest.raises(RecipeError, match="no settings of its own"):
            draft(task, settings={"task.anything": "1"})
        return
    key, text, value = keys[task.section.key]
    assert draft(task, settings={f"task.{key}": text}).pinned == {f"{task.section.key}.{key}": value}
    with pytest.raises(RecipeError, match=f"Both --set task.{key}={text} and --set {task.section.key}.{key}"):
        draft(task, settings={f"task.{key}": text, f"{task.section.key}.{key}": text})


@pytest.mark.parametrize(
    ("old", "now"),
    [
        ("objective.augmentation", "augmentation.strength"),
        ("objective.augmentation_target", "augmentation.target"),
        ("objective.flips", "augmentation.flips"),
    ],
)
def test_a_setting_under_its_old_name_is_told_the_new_one(old: str, now: str) -> None:
    with pytest.raises(RecipeError, match=f"It is called {now} now"):
        draft(settings={old: "0.5"})


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"netwrok.width": "8"}, "Did you mean 'network'"),
        ({"network.widht": "8"}, "Did you mean 'width'"),
        ({"network.width": "-1"}, "network.width cannot be -1"),
        ({"records.marks": "[0.5, 2.0]"}, "records.marks.1 cannot be 2.0"),
        ({"optimiser.learning_rate_start": "Infinity"}, "cannot be inf"),
        ({"compute.device": "tpu"}, "There is no device 'tpu'"),
        ({"records.best_by": "beauty"}, "cannot be kept by 'beauty'"),
        ({"data.shape": "[1]"}, "cannot be set"),
        ({"length.seconds_allowed": "5"}, "Use --minutes"),
        ({"ask.seed": "5"}, "There is no section 'ask'"),
    ],
)
def test_what_cannot_be_is_refused_before_any_data_is_opened(
    task: type[Task], settings: dict[str, str], word: str
) -> None:
    """There is no such data: nobody has looked for it."""
    with pytest.raises(RecipeError, match=word):
        task().plan(Request(source="/nowhere", label="y", settings=settings), lambda *_, **__: None)


def test_an_objective_that_is_named_twice_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"Both --set objective.name=r3gan and --objective hinge"):
        draft(objective="hinge", settings={"objective.name": "r3gan"})


def test_every_section_has_a_key_of_its_own() -> None:
    sections = [*SECTIONS, *{task.section for task in TASKS.values() if task.section is not None}]
    keys = [section.key for section in sections]
    assert len(set(keys)) == len(keys) and set(keys) >= {"data", "objective", "rows", "translate", "enhance"}
    for section in sections:
        assert set(section.apart) <= set(section.model_fields)


def test_a_task_with_one_network_refuses_another_name() -> None:
    with pytest.raises(RecipeError, match=r"no network 'resnet'\. This task has 'enhancer' alone"):
        choose_sized(draft(Enhance, settings={"network.name": "resnet"}), "enhancer", "why", {"small": (8, 1)})
    chosen = choose_sized(draft(Enhance, size="tiny"), "enhancer", "why", {"tiny": (8, 1)})
    assert (chosen.name, chosen.width, chosen.depth) == ("enhancer", 8, 1)
