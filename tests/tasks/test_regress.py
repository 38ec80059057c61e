"""The one-player task: a table in, the least-squares line out, and honest words about it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ganforge as gf
from ganforge.core.files import sha256_of, write_folder
from ganforge.engine.fit import FitSettings, fit
from ganforge.errors import DataError, RecipeError, RunError
from ganforge.kinds.tables.regress.model import load_regression
from ganforge.kinds.tables.regress.numeric import closed_form, open_numeric_table
from ganforge.kinds.tables.regress.plan import curvature_of
from ganforge.kinds.tables.regress.task import Regress, RegressJob
from ganforge.measures.prediction import r_squared, rmse
from ganforge.recipe import Request
from ganforge.run import Run


def silent(kind: str, **content: Any) -> None:
    pass


def write_table(path: Path, rows: int = 120, noise: float = 0.1, slope: float = -2.0) -> Path:
    """y = 7 + slope size + 0.5 age + noise, with columns of very different scale and one column of words."""
    random = np.random.default_rng(0)
    size, age = random.normal(1000.0, 300.0, rows), random.normal(0.01, 0.002, rows)
    y = 7.0 + slope * (size - 1000.0) / 300.0 + 0.5 * (age - 0.01) / 0.002 + noise * random.normal(size=rows)
    pd.DataFrame({"size": size, "age": age, "town": ["a", "b"] * (rows // 2), "price": y}).to_csv(path, index=False)
    return path


def plan(source: Path | str, label: str | None = "price", **asked: Any) -> RegressJob:
    return Regress().plan(Request(source=str(source), label=label, task="regress", **asked), silent)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("regress")
    run = folder / "run"
    gf.train(write_table(folder / "table.csv"), task="regress", label="price", run=run)
    return Run(run)


def test_training_reaches_the_closed_form_answer(trained: Run) -> None:
    evaluation = trained.read_json(trained.evaluation)
    solution = evaluation["solution"]
    np.testing.assert_allclose(solution["theta"], solution["closed_form"], rtol=2e-3)
    assert "reached the closed-form answer" in " ".join(evaluation["verdict"]["sentences"])


def test_the_closed_form_is_numpys_answer_in_the_units_of_the_table(trained: Run) -> None:
    recipe = trained.read_json(trained.recipe)
    table = open_numeric_table(recipe["data"]["source"], "price", recipe["seed"])
    x = np.column_stack([np.ones(len(table.train_y)), table.train_x])
    expected = np.linalg.solve(x.T @ x, x.T @ table.train_y)  # the normal equations
    solution = trained.read_json(trained.evaluation)["solution"]
    assert solution["features"] == ["intercept", "size", "age"]
    np.testing.assert_allclose(solution["closed_form"], expected, rtol=1e-6)
    np.testing.assert_allclose(expected[1:], [-2.0 / 300.0, 0.5 / 0.002], rtol=0.1)  # the planted slopes


def test_histories_of_cost_and_theta_stand_in_the_run(trained: Run) -> None:
    records = trained.read_records()
    costs = [record["terms"]["regressor"]["squared_error"] for record in records]
    assert costs[0] > costs[-1]
    looks = [record["quality"] for record in records if "quality" in record]
    assert len(looks) >= 3
    assert {"r2", "rmse", "theta_0", "theta_1", "theta_2"} <= set(looks[-1])
    assert looks[-1]["theta_1"] < -0.8
    assert list(trained.samples.glob("*.png"))


def test_the_model_predicts_in_the_units_of_the_table(trained: Run) -> None:
    recipe = trained.read_json(trained.recipe)
    table = open_numeric_table(recipe["data"]["source"], "price", recipe["seed"])
    model = load_regression(trained.model)
    assert model.feature_names == ("size", "age")
    assert rmse(table.held_y, model.predict(table.held_x)) < 0.2
    quality = [record["quality"] for record in trained.read_records() if "quality" in record][-1]
    assert quality["r2"] == pytest.approx(r_squared(table.held_y, model.predict(table.held_x)), abs=1e-6)


def test_every_measure_has_floor_reference_and_spread(trained: Run) -> None:
    for measure in trained.read_json(trained.evaluation)["measures"]:
        assert measure["low"] <= measure["value"] <= measure["high"]
        assert measure["value"] == pytest.approx(measure["floor"], rel=0.01)  # a line is as good as the closed form
        worse = (
            measure["reference"] < measure["low"]
            if measure["better"] == "higher"
            else measure["reference"] > measure["high"]
        )
        assert worse
    assert trained.read_json(trained.evaluation)["verdict"]["grade"] in ("good", "excellent")


def test_a_run_stopped_halfway_ends_with_the_same_model(trained: Run, tmp_path: Path) -> None:
    again = Run(tmp_path / "again")
    shutil.copytree(trained.folder, again.folder)
    shutil.rmtree(again.model)
    for checkpoint in sorted(again.checkpoints.iterdir())[1:]:
        shutil.rmtree(checkpoint)
    gf.resume(again.folder)
    name = "model.safetensors"
    assert sha256_of(again.model / name) == sha256_of(trained.model / name)


def test_features_that_say_nothing_are_called_so(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    pd.DataFrame({"a": random.normal(size=200), "y": random.normal(size=200)}).to_csv(
        tmp_path / "noise.csv", index=False
    )
    job = plan(tmp_path / "noise.csv", "y")
    game = job.game()
    plan_settings = FitSettings(seed=0, batch_size=160, length_examples=1600, half_life_examples=0.0)
    product = fit(game, job.feed, plan_settings).product
    verdict = job.evaluate(Run(tmp_path / "run"), product).verdict
    assert verdict.grade in ("poor", "failed")
    assert "does not help" in verdict.headline


def test_a_run_that_has_not_arrived_says_so(tmp_path: Path) -> None:
    job = plan(write_table(tmp_path / "table.csv"))
    fresh = job.game().product_player.network  # theta = 0
    verdict = job.evaluate(Run(tmp_path / "run"), fresh).verdict
    assert "has not reached the closed-form answer" in " ".join(verdict.sentences)


def test_alpha_comes_from_the_eigenvalues_and_the_steps_suffice(tmp_path: Path) -> None:
    table = open_numeric_table("diabetes", "target", 0)
    curve = curvature_of(table)
    standard, y = table.standardised()
    x = np.column_stack([np.ones(len(table.train_y)), standard])
    values = np.linalg.eigvalsh(x.T @ x / len(x))
    assert curve.best_rate == pytest.approx(2 / (values[0] + values[-1]))
    # plain gradient descent in numpy, the textbook's two lines, for as many steps as were planned
    theta = np.zeros(x.shape[1])
    for _ in range(curve.steps_to(1e-4)):
        theta -= curve.best_rate * x.T @ (x @ theta - y) / len(x)
    best = closed_form(table)
    assert np.linalg.norm(theta - best) <= 1e-4 * np.linalg.norm(best) * 1.01


def test_columns_that_repeat_each_other_do_no_harm(tmp_path: Path) -> None:
    path = write_table(tmp_path / "table.csv")
    frame = pd.read_csv(path)
    frame["size_again"] = frame["size"] * 2.0
    frame.to_csv(path, index=False)
    job = plan(path)
    assert job.recipe.length.examples / job.recipe.optimiser.batch_size < 1000
    assert np.isfinite(closed_form(job.table)).all()


@pytest.mark.slow
def test_a_large_table_is_drawn_from(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    random = np.random.default_rng(0)
    x = random.normal(size=(20_000, 3)).astype(np.float32)
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    frame["y"] = x @ [1.0, -2.0, 0.5] + 0.1 * random.normal(size=len(x))
    frame.to_parquet(path)
    run = Run(tmp_path / "run")
    gf.train(path, task="regress", label="y", run=run.folder, examples=300 * 1024)
    assert run.read_json(run.recipe)["optimiser"]["batch_size"] < 16_000
    solution = run.read_json(run.evaluation)["solution"]
    np.testing.assert_allclose(solution["theta"], solution["closed_form"], atol=0.01)


def test_a_curve_beats_the_line_where_the_truth_is_curved(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.uniform(-2, 2, 400)
    pd.DataFrame({"x": x, "y": x**2 + 0.1 * random.normal(size=400)}).to_csv(tmp_path / "t.csv", index=False)
    run = Run(tmp_path / "run")
    gf.train(tmp_path / "t.csv", task="regress", label="y", run=run.folder, settings={"network.name": "mlp"})
    evaluation = run.read_json(run.evaluation)
    assert "better than the best straight line" in " ".join(evaluation["verdict"]["sentences"])
    assert evaluation["solution"]["theta"] is None
    assert evaluation["measures"][0]["value"] > 0.9 > evaluation["measures"][0]["floor"]


def test_minutes_become_examples(tmp_path: Path) -> None:
    recipe = plan(write_table(tmp_path / "table.csv"), minutes=0.5).recipe
    assert recipe.length.seconds_allowed == 30.0
    assert recipe.length.examples == pytest.approx(30.0 * (recipe.length.examples_per_second or 0.0), rel=0.01)


def test_no_column_lists_the_columns(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"No column.*size, age, price.*--label"):
        plan(write_table(tmp_path / "table.csv"), label=None)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"settings": {"network.name": "linaer"}}, "Did you mean 'linear'"),
        ({"objective": "hinge"}, "two players"),
        ({"minutes": 1, "examples": 10}, "Both"),
        ({"settings": {"optimiser.learning_rate_start": "-1"}}, "learning_rate_start"),
    ],
)
def test_bad_settings_are_refused_in_words(asked: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=message):
        plan(write_table(tmp_path / "table.csv"), **asked)


def test_a_changed_table_is_not_gone_on_with(tmp_path: Path) -> None:
    path = write_table(tmp_path / "table.csv")
    recipe = plan(path).recipe
    assert Regress().open(recipe, silent).recipe == recipe
    write_table(path, slope=-3.0)
    with pytest.raises(DataError, match="not the one this run was started with"):
        Regress().open(recipe, silent)


@pytest.mark.parametrize("network", ["linear", "mlp"])
def test_a_model_is_read_back_as_it_was_written(network: str, tmp_path: Path) -> None:
    job = plan(write_table(tmp_path / "table.csv"), settings={"network.name": network})
    product = job.game().product_player.network
    folder = tmp_path / "model"
    write_folder(folder, lambda target: job.write_model(target, product))
    said = json.loads((folder / "model.json").read_text())
    assert (said["target"], said["kind"], said["next_steps"]) == ("price", "tables", {})
    x, mine = job.table.held_x, job._model(product)
    assert np.array_equal(load_regression(folder).predict(x), mine.predict(x))
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(RunError, match="sha256"):
        load_regression(folder)


def test_scaling_turns_theta_into_slopes_per_unit(tmp_path: Path) -> None:
    table = open_numeric_table(write_table(tmp_path / "t.csv"), "price", 0)
    scaling, theta = table.scaling, np.array([0.1, -0.7, 0.3])
    in_units = scaling.to_units(theta)
    standard = (table.held_x - scaling.x_mean) / scaling.x_std
    expected = scaling.y_mean + scaling.y_std * (theta[0] + standard @ theta[1:])
    np.testing.assert_allclose(in_units[0] + table.held_x @ in_units[1:], expected, rtol=1e-9)


@pytest.mark.parametrize(("option", "flag"), [({"plan": "plan.json"}, "--plan"), ({"rules": ("a <= b",)}, "--rule")])
def test_what_only_rows_have_a_use_for_is_refused(tmp_path: Path, option: dict[str, Any], flag: str) -> None:
    with pytest.raises(RecipeError, match=f"{flag} was given, and a regression has no use for it.*Leave it out"):
        plan(write_table(tmp_path / "table.csv"), options=option)


def test_a_target_names_what_this_task_measures(tmp_path: Path) -> None:
    table = write_table(tmp_path / "table.csv")
    asked: dict[str, Any] = {"task": "regress", "label": "price", "run": tmp_path / "run"}
    with pytest.raises(RecipeError, match="kid") as caught:
        gf.train(table, until="kid<0.02", **asked)
    assert "rmse" in str(caught.value.do)
    with pytest.raises(RecipeError, match="worse rmse"):
        gf.train(table, until="rmse>0.02", **asked)
    assert not (tmp_path / "run").exists()
    assert gf.train(table, until="r2>0.5", **asked).reached is True


def test_the_report_of_a_regression_speaks_of_rows_and_one_network(trained: Run) -> None:
    page = trained.report.read_text("utf-8")
    assert "what the model predicts for rows that it never saw" in page
    assert "One network learns by plain backpropagation" in page
    assert "rows shown in training" in page
    for word in ("Two networks", "pictures shown", "ganforge sample"):
        assert word not in page
