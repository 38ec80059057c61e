"""The plan for pictures: every rule holds where it says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import chelsea
from sklearn.datasets import load_digits

import ganforge as gf
from ganforge.cli.output import SHOWN, how_long, shown_of
from ganforge.core import device
from ganforge.errors import RecipeError
from ganforge.kinds.pictures import plan as plan_pictures
from ganforge.kinds.pictures.enhance import plan as plan_enhance
from ganforge.kinds.pictures.generate.task import Generate
from ganforge.kinds.pictures.plan import gamma_rule, target_size
from ganforge.kinds.pictures.translate import plan as plan_translate
from ganforge.kinds.tables import plan as plan_rows
from ganforge.kinds.tables.generate.task import GenerateRows
from ganforge.kinds.tables.impute import Impute
from ganforge.kinds.tables.regress.task import Regress
from ganforge.planning import compute, draft
from ganforge.planning.compute import TIMED_STRETCHES
from ganforge.planning.draft import Draft
from ganforge.recipe import Data, Network, Optimiser, Recipe, Request, Size


@pytest.fixture(autouse=True)
def timed(monkeypatch: pytest.MonkeyPatch) -> list[Recipe]:
    """The recipes that would have been timed; each makes 1000 pictures/s."""
    seen: list[Recipe] = []

    def measure(recipe: Recipe, feed: object, steps: int = 10, **how: object) -> float:
        seen.append(recipe)
        return 1000.0

    monkeypatch.setattr(plan_pictures, "measure_rate", measure)
    return seen


def silent(kind: str, **content: Any) -> None:
    pass


def plan(source: Path | str, **asked: Any) -> Recipe:
    return Generate().plan(Request(source=str(source), **asked), silent).recipe


def write_pictures(path: Path, contrast: float, side: int = 16) -> Path:
    random = np.random.default_rng(0).normal(size=(200, side, side))
    np.savez(path, x=np.clip(127.5 + 40 * contrast * random, 0, 255).astype(np.uint8))
    return path


def test_gamma_follows_the_square_of_the_contrast(tmp_path: Path) -> None:
    """A discriminator that sees x/2 has to be twice as steep to say the same: the weight must be a quarter."""
    whole = plan(write_pictures(tmp_path / "whole.npz", 1.0), examples=640)
    half = plan(write_pictures(tmp_path / "half.npz", 0.5), examples=640)
    assert whole.objective.gamma_start / half.objective.gamma_start == pytest.approx(4.0, rel=0.1)
    assert whole.objective.gamma_end == pytest.approx(0.1 * whole.objective.gamma_start)
    assert f"{whole.objective.gamma_start:g}" == f"{gamma_rule(_squared_distance(tmp_path / 'whole.npz')):g}"


def _squared_distance(path: Path) -> float:
    """Twice the summed variance: the mean squared distance of two independent pictures, in -1..1."""
    x = np.load(path)["x"] / 127.5 - 1.0
    return float(2 * x.var(axis=0).sum())


@pytest.mark.parametrize(
    ("rate", "minutes", "size"),
    [(12_000.0, 1.0, "medium"), (3000.0, 1.0, "small"), (2000.0, 0.2, "tiny"), (50.0, 5.0, "tiny")],
)
def test_the_network_is_the_largest_that_sees_enough_pictures(
    rate: float, minutes: float, size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_pictures, "measure_rate", lambda recipe, feed, steps, **how: rate)
    chosen = plan("digits8", minutes=minutes)
    assert chosen.network == plan_pictures.SIZES[size]
    assert chosen.length.examples <= rate * 60 * minutes
    assert chosen.length.seconds_allowed == 60 * minutes
    assert plan("digits8", minutes=minutes, size="large").network == plan_pictures.SIZES["large"]


@pytest.mark.parametrize(
    ("native", "asked", "expected"),
    [
        ((28, 28), {}, (28, 28)),
        ((48, 64), {}, (48, 64)),
        ((28, 28), {"options": {"resolution": 16}}, (16, 16)),
        (None, {}, (32, 32)),
        (None, {"minutes": 60.0}, (64, 64)),
        (None, {"examples": 1000}, (64, 64)),
        ((200, 200), {"minutes": 2.0}, (32, 32)),
    ],
)
def test_the_resolution_suits_data_machine_and_time(
    native: tuple[int, int] | None,
    asked: dict[str, Any],
    expected: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    processor = replace(device.survey_machine(), device="cpu")
    monkeypatch.setattr(draft, "survey_machine", lambda: processor)
    size, why = target_size(native, Draft(Request(source="x", **asked), Generate))
    assert size == expected
    assert why


@pytest.mark.parametrize(
    ("examples", "size"), [(640, "tiny"), (29_999, "tiny"), (30_000, "small"), (499_999, "small"), (500_000, "medium")]
)
def test_examples_that_were_asked_for_get_the_largest_network_that_learns_well_from_them(
    examples: int, size: str, timed: list[Recipe]
) -> None:
    chosen = plan("digits8", examples=examples)
    assert chosen.network == plan_pictures.SIZES[size]
    assert f"size {size}" in chosen.reasons["network.width"]
    assert (chosen.length.examples, chosen.length.seconds_allowed) == (examples, None)
    assert [recipe.network for recipe in timed] == [chosen.network]
    assert plan("digits8", examples=examples, size="base").network == plan_pictures.SIZES["base"]


def test_a_plan_for_examples_says_how_long_they_take_and_times_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stretches = []

    def measure(recipe: Recipe, feed: object, steps: int, **how: object) -> float:
        stretches.append(steps * (TIMED_STRETCHES + 1) * recipe.optimiser.batch_size)
        return 1000.0

    monkeypatch.setattr(plan_pictures, "measure_rate", measure)
    assert "about 60 seconds" in how_long(plan("digits8", examples=60_000))
    assert plan("digits8", examples=64).length.examples == 64
    assert stretches[0] <= 0.1 * 60_000
    assert stretches[1] == 5 * 64  # five single steps, the least


def test_fewer_examples_than_a_step_shows_become_one_step_and_the_reason_says_so() -> None:
    chosen = plan("digits8", examples=10)
    assert chosen.length.examples == 64
    assert "you asked for 10" in chosen.reasons["length.examples"]


def test_fewer_pictures_than_a_batch_are_not_called_64_a_step(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
    np.savez(tmp_path / "few.npz", x=x)
    chosen = plan(tmp_path / "few.npz", examples=640)
    assert chosen.optimiser.batch_size < 64
    assert "64 pictures a step" not in chosen.reasons["optimiser.batch_size"]


@pytest.mark.parametrize(
    "asked",
    [
        {"examples": 640},
        {"minutes": 1.0},
        {"minutes": 1.0, "size": "large"},
        {"examples": 640, "objective": "wasserstein", "label": "none"},
        {"examples": 640, "settings": {"network.name": "mlp"}},
    ],
)
def test_every_row_that_the_plan_shows_has_a_reason(asked: dict[str, Any]) -> None:
    assert rows_without_a_reason(plan("digits8", **asked)) == []


def rows_without_a_reason(recipe: Recipe) -> list[str]:
    """Names of what `ganforge plan` would show with an empty last column."""
    sections = [section for section in (getattr(recipe, name) for name in SHOWN) if section is not None]
    shown = ["task", *(f"{section.key}.{key}" for section in sections for key in shown_of(section))]
    return [name for name in shown if not recipe.reasons.get(name)]


@pytest.mark.parametrize("task", ["generate", "impute"])
def test_every_row_of_a_plan_for_rows_has_a_reason(task: str) -> None:
    rows = Impute() if task == "impute" else GenerateRows()
    recipe = rows.plan(Request(source="wine", task=task, examples=2_000), silent).recipe
    assert rows_without_a_reason(recipe) == []


def test_every_row_of_a_plan_for_a_table_has_a_reason() -> None:
    for asked in ({}, {"settings": {"network.name": "mlp"}}, {"minutes": 0.01}):
        request = Request(source="diabetes", task="regress", label="target", **asked)
        assert rows_without_a_reason(Regress().plan(request, silent).recipe) == []


@pytest.mark.parametrize("length", [{"minutes": 5.0}, {"examples": 400_000}, {}])
def test_what_was_set_is_what_is_timed_and_what_is_planned(length: dict[str, Any], timed: list[Recipe]) -> None:
    settings = {
        "network.width": "48",
        "network.latent_size": "16",
        "optimiser.batch_size": "32",
        "compute.threads": "1",
        "records.every_steps": "1",
        "average.half_life_examples": "77",
    }
    chosen = plan("digits8", settings=settings, **length)
    assert len(timed) == 1  # there was neither a network nor a number of threads to choose
    for recipe in (*timed, chosen):
        assert (recipe.network.width, recipe.network.latent_size) == (48, 16)
        assert (recipe.optimiser.batch_size, recipe.compute.threads) == (32, 1)
    assert (chosen.records.every_steps, chosen.average.half_life_examples) == (1, 77.0)
    assert {chosen.reasons[name] for name in settings} == {"you asked for it"}


def test_a_setting_beside_the_width_leaves_the_size_to_the_plan(timed: list[Recipe]) -> None:
    chosen = plan("digits8", minutes=1.0, settings={"network.latent_size": "16", "compute.threads": "1"})
    assert [recipe.network.width for recipe in timed] == [64, 32]  # 1000 pictures/s are too few for the first
    assert {recipe.network.latent_size for recipe in timed} == {16}
    assert (chosen.network.width, chosen.network.latent_size) == (32, 16)


def test_an_objective_that_was_set_gets_its_own_penalty() -> None:
    assert plan("digits8", examples=64, settings={"objective.name": "wasserstein"}).objective.gamma_start == 10.0


def test_a_length_that_was_set_is_the_length() -> None:
    chosen = plan("digits8", settings={"length.examples": "600000"})
    assert (chosen.length.examples, chosen.length.seconds_allowed) == (600_000, None)
    assert chosen.network == plan_pictures.SIZES["medium"]


def test_another_device_than_the_best_gets_a_precision_that_suits_any(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = replace(device.survey_machine(), device="cuda", precision="bfloat16")
    for module in (draft, compute):
        monkeypatch.setattr(module, "survey_machine", lambda: machine)
    chosen = plan("digits8", examples=64, settings={"compute.device": "cpu"})
    assert (chosen.compute.device, chosen.compute.precision) == ("cpu", "float32")


PICTURES = {"source": "digits8"}
TABLE = {"source": "diabetes", "task": "regress", "label": "target"}


@pytest.mark.parametrize(
    ("asked", "settings", "word"),
    [
        (PICTURES, {"data.shape": "[3, 8, 8]"}, "cannot be set"),
        (PICTURES, {"objective.name": "hinje"}, "Did you mean 'hinge'"),
        (PICTURES, {"network.name": "covn"}, "Did you mean 'conv'"),
        (PICTURES, {"network.name": "points"}, "Known: conv, linear, mlp, resnet"),
        (PICTURES, {"network.name": "mlp", "network.depth": "0"}, "depth 0"),
        (PICTURES, {"network.width": "100000000000"}, "width 100000000000"),
        (PICTURES, {"compute.device": "cuda:99"}, "no device 'cuda:99'"),
        (PICTURES, {"compute.threads": "0"}, "compute.threads cannot be 0"),
        (PICTURES, {"optimiser.batch_size": "0"}, "optimiser.batch_size cannot be 0"),
        (PICTURES, {"optimiser.learning_rate_start": "Infinity"}, "cannot be inf"),
        (PICTURES, {"records.marks": "[0.5, 2.0]"}, "records.marks.1 cannot be 2.0"),
        (PICTURES | {"minutes": 1.0}, {"length.examples": "640"}, "Both --minutes 1.0 and --set length.examples 640"),
        (TABLE, {"data.shape": "[3]"}, "cannot be set"),
        (TABLE, {"objective.name": "hinge"}, "two players"),
        (TABLE, {"network.name": "conv"}, "Known: linear, mlp"),
        (TABLE, {"network.name": "mlp", "network.depth": "0"}, "depth 0"),
        (TABLE, {"network.name": "mlp", "network.width": "1" + 30 * "0"}, "cannot be built"),
        (TABLE, {"compute.device": "cuda"}, "device 'cuda'"),
        (TABLE, {"compute.threads": "0"}, "compute.threads cannot be 0"),
        (TABLE | {"examples": 99}, {"length.examples": "640"}, "Both --examples 99 and --set length.examples 640"),
    ],
)
def test_what_cannot_be_is_refused_in_words_before_anything_is_timed_or_written(
    asked: dict[str, Any], settings: dict[str, str], word: str, tmp_path: Path, timed: list[Recipe]
) -> None:
    with pytest.raises(RecipeError, match=word):
        gf.train(**asked, settings=settings, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert timed == []


def test_what_was_set_for_a_table_is_the_last_word() -> None:
    settings = {"records.every_steps": "1", "records.marks": "[1.0]", "optimiser.batch_size": "50"}
    for length in ({}, {"minutes": 0.01}, {"examples": 5000}):
        chosen = Regress().plan(Request(**TABLE, **length, settings=settings), silent).recipe
        assert (chosen.records.every_steps, chosen.records.marks, chosen.optimiser.batch_size) == (1, (1.0,), 50)
    chosen = Regress().plan(Request(**TABLE, settings={"length.examples": "1234"}), silent).recipe
    assert chosen.length.examples == 1234


def test_minutes_and_examples_together_are_refused() -> None:
    with pytest.raises(RecipeError, match="Both"):
        plan("digits8", minutes=1.0, examples=100)


def test_an_unknown_objective_gets_the_nearest_name() -> None:
    with pytest.raises(RecipeError) as caught:
        plan("digits8", objective="hinj", examples=64)
    assert "hinge" in str(caught.value)


@pytest.mark.parametrize("source", ["digits8", "wine"])
def test_where_examples_are_asked_for_nothing_but_the_stated_rate_follows_the_clock(
    source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command on a slower machine makes the same run: the same records, looks and lengths."""
    plans = []
    for rate in (40.0, 90_000.0):
        for module in (plan_pictures, plan_rows):
            monkeypatch.setattr(module, "measure_rate", lambda *recipe, rate=rate, **how: rate)
        chosen = gf.plan(source, examples=200_000)
        assert chosen.length.examples_per_second == rate
        plans.append(
            chosen.model_copy(update={"length": chosen.length.model_copy(update={"examples_per_second": 1.0})})
        )
    assert plans[0].model_copy(update={"reasons": {}}) == plans[1].model_copy(update={"reasons": {}})


def test_augmentation_adapts_where_pictures_are_few_and_the_plan_says_whether_they_may_be_mirrored(
    tmp_path: Path,
) -> None:
    digits = (load_digits().images * 15).astype(np.uint8)
    corners = [(top, left) for top in range(0, 280, 24) for left in range(0, 430, 24)]
    pieces = np.stack([chelsea()[top : top + 16, left : left + 16] for top, left in corners])

    def planned(pictures: NDArray[np.uint8], name: str) -> Recipe:
        np.savez(tmp_path / f"{name}.npz", x_train=pictures)
        return plan(tmp_path / f"{name}.npz", examples=64)

    many, few, photo = planned(digits[:1500], "many"), planned(digits[:300], "few"), planned(pieces, "photo")
    targets = [recipe.augmentation.target for recipe in (many, few, photo) if recipe.augmentation]
    assert targets == [0.0, 0.8, 0.8]
    assert "nothing is augmented" in many.reasons["augmentation.flips"]
    assert "left and right have a meaning" in few.reasons["augmentation.flips"]
    assert "--set augmentation.flips=true" in photo.reasons["augmentation.flips"]


ENHANCERS = {
    size: Network(name="enhancer", width=width, depth=depth) for size, (width, depth) in plan_enhance.SIZES.items()
}


@pytest.mark.parametrize("sizes", [plan_pictures.SIZES, plan_rows.SIZES, plan_translate.SIZES, ENHANCERS])
def test_every_task_has_a_network_of_every_size_each_larger_than_the_one_before(sizes: dict[Any, Network]) -> None:
    assert tuple(sizes) == get_args(Size)
    order = [(network.name == "resnet", network.width, network.depth) for network in sizes.values()]
    assert order == sorted(order)
    assert len(set(order)) == len(order)


def test_base_and_large_are_r3gans_networks_and_their_steps_are_smaller_where_they_are_wider(
    timed: list[Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, large = (plan("digits8", minutes=1.0, size=size) for size in ("base", "large"))
    assert (large.network.name, large.network.width, large.network.depth) == ("resnet", 768, 2)
    assert (base.optimiser.learning_rate_start, large.optimiser.learning_rate_start) == (5e-4, 1.7e-4)
    assert base.optimiser.batch_size == plan_pictures.BATCH  # on a processor
    kept = plan("digits8", minutes=1.0, size="base", settings={"optimiser.learning_rate_start": "0.001"})
    assert kept.optimiser.learning_rate_start == 1e-3
    small = plan("digits8", minutes=1.0, settings={"network.name": "resnet", "network.width": "16"})
    assert small.optimiser.learning_rate_start == 2e-3


def test_on_a_gpu_residual_networks_get_larger_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = replace(device.survey_machine(), device="cuda")
    for module in (draft, compute):
        monkeypatch.setattr(module, "survey_machine", lambda: machine)
    drafted = Draft(Request(source="x", examples=64, settings={"network.name": "resnet"}), Generate)
    drafted.choose(Data, source=("x", ""), kind=("pictures", ""), shape=((1, 8, 8), ""))
    compute.choose_compute(drafted)
    plan_pictures._choose_optimiser(drafted, count=1_000)
    plan_pictures._choose_network(drafted, "base")
    assert drafted[Optimiser].batch_size == plan_pictures.BATCH_ON_GPU


def test_a_size_made_for_a_gpu_is_said_to_be_so_on_a_processor(timed: list[Recipe]) -> None:
    told: list[str] = []

    def tell(kind: str, **content: Any) -> None:
        if kind == "warned":
            told.append(content["sentence"])

    settings = {"compute.device": "cpu"}
    for size in ("base", "medium"):
        Generate().plan(Request(source="digits8", minutes=1.0, size=size, settings=settings), tell)
    assert len(told) == 1
    assert "Size base is made for a GPU: this processor shows it about 1e+03 pictures a second" in told[0]
