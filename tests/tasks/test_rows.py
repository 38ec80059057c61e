"""Models of rows, from a table to rows of their own: a known joint distribution, conditions, completion, resuming."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rows_world import (
    MISSING,
    SMALL,
    Killed,
    Trained,
    digests,
    distance,
    fit_settings,
    kill_after,
    known,
    planned,
    quiet,
    trained,
)

import ganforge as gf
from ganforge.contracts import Plain
from ganforge.core.files import write_folder
from ganforge.engine.fit import fit
from ganforge.errors import DataError, InputError, RunError
from ganforge.kinds.tables.columns import RowSettings
from ganforge.kinds.tables.generate.model import load_rows
from ganforge.kinds.tables.generate.task import GenerateRows
from ganforge.kinds.tables.impute import Impute, by_means, filling_scores, mask_cells
from ganforge.kinds.tables.reading.arrays import from_plain, to_plain
from ganforge.kinds.tables.rules.checks import broken
from ganforge.run import Run

TRUTH = known(200_000, seed=9)
RULES = {"start <= end", "city -> country", "unique key"}


@pytest.fixture(scope="module", params=["autoregressive", pytest.param("rows", marks=pytest.mark.slow)])
def rows(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    settings = {"network.name": request.param}
    return trained(known(1_800), tmp_path_factory.mktemp("rows"), examples=80_000, settings=settings)


@pytest.fixture(scope="module")
def sample(rows: Trained) -> Plain:
    return rows.model.draw(20_000)


@pytest.fixture(scope="module")
def run(rows: Trained, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return rows.as_run(tmp_path_factory.mktemp("runs") / "run")


# ---- the joint distribution -----------------------------------------------------------------------------------------


def test_rows_have_the_tables_joint_distribution_which_independent_columns_have_not(sample: Plain) -> None:
    random = np.random.default_rng(0)
    apart = {name: random.permutation(TRUTH[name].to_numpy()) for name in ("x", "y", "city")}
    for names in (("x", "y"), ("y", "city")):
        assert distance(sample, TRUTH, *names) < 0.13
        assert distance(apart, TRUTH, *names) > 0.25
    means = pd.Series(sample["z"]).groupby(sample["y"]).mean()
    assert means.to_numpy() == pytest.approx([0, 10, 20], abs=4)


def test_what_is_missing_is_learned_with_what_it_goes_with(sample: Plain) -> None:
    found = pd.Series(np.isnan(sample["z"])).groupby(sample["y"]).mean()
    assert np.isnan(sample["z"]).mean() == pytest.approx(TRUTH["z"].isna().mean(), abs=0.06)
    for y, share in zip("abc", MISSING, strict=True):
        assert found[y] == pytest.approx(share, abs=0.12)


def test_every_rule_is_kept_in_every_row(rows: Trained, sample: Plain) -> None:
    codec = rows.model.codec
    assert set(broken(codec.rules, sample, rows.job.table.train_rows, codec.columns)) == RULES
    assert set(broken(codec.rules, sample, rows.job.table.train_rows, codec.columns).values()) == {0}
    assert set(sample["unit"]) == {"m"}


def test_identifiers_are_made_anew_and_never_twice(sample: Plain) -> None:
    assert len(set(sample["key"])) == 20_000 and not set(sample["key"]) & set(known(1_800)["key"])
    assert all(key.startswith("K-") for key in sample["key"][:50])


# ---- the same rows again --------------------------------------------------------------------------------------------


def same(one: Plain, other: Plain) -> bool:
    return one.keys() == other.keys() and all(pd.Series(one[name]).equals(pd.Series(other[name])) for name in one)


@pytest.mark.parametrize("where", [(), pytest.param(("y=b", "start<=50"), marks=pytest.mark.slow)])
def test_the_first_rows_do_not_depend_on_how_many_are_drawn(rows: Trained, where: tuple[str, ...]) -> None:
    model = rows.model
    conditions = model.conditions(where)
    many = model.draw(9_000, conditions=conditions, seed=4)  # more than a block
    for count in (1, 700, 8_192):
        few = model.draw(count, conditions=conditions, seed=4)
        assert same(few, {name: values[:count] for name, values in many.items()})
    assert not same(model.draw(700, conditions=conditions, seed=5), few)
    assert not same({n: v[:800] for n, v in many.items()}, {n: v[8_192 : 8_192 + 800] for n, v in many.items()})


def test_a_model_from_its_file_draws_and_completes_the_same_rows(rows: Trained, run: Run) -> None:
    loaded, said = load_rows(run.model), json.loads((run.model / "model.json").read_text())
    assert (said["kind"], said["next_steps"]) == ("tables", loaded.next_steps()) and loaded.next_steps()
    where = rows.model.conditions("z>=5")
    assert same(loaded.draw(300, conditions=where, seed=2), rows.model.draw(300, conditions=where, seed=2))
    holes = mask_cells(rows.job.table.held_out_rows, loaded.codec.columns, seed=0).rows
    assert same(loaded.complete(holes, draw=True), rows.model.complete(holes, draw=True))
    with pytest.raises(RunError, match="no model"):
        load_rows(run.model / "nowhere")


# ---- conditions -----------------------------------------------------------------------------------------------------

CONDITIONS = (
    ("y=b",),
    ("x in {1, 7, 11}",),
    ("x=0", "y=c"),
    ("20<=start<=40",),
    ("z>15",),
    ("z is missing",),
    ("z is not missing", "y=c"),
    ("city in {P, U}", "country=B"),
    ("start>=30", "end<=35"),
    ("end=60", "start<=60", "y in {a, b}"),
    ("unit=m", "country=A", "x>=6", "z in {0, 10.1, missing}"),
)


@pytest.mark.parametrize("words", CONDITIONS)
def test_every_row_meets_its_conditions_and_keeps_the_rules(rows: Trained, words: tuple[str, ...]) -> None:
    model = rows.model
    conditions = model.conditions(words)
    made = model.draw(1_000, conditions=conditions, seed=3)
    written = to_plain(from_plain(made, model.codec.columns), model.codec.columns)
    for condition in conditions:
        assert condition.holds(made).all() and condition.holds(written).all()
    assert set(broken(model.codec.rules, made, rows.job.table.train_rows, model.codec.columns).values()) == {0}


@pytest.mark.parametrize(
    ("words", "truth", "columns"),
    [
        ("y=b", TRUTH["y"] == "b", ("x",)),
        ("y=c", TRUTH["y"] == "c", ("city", "country")),
        ("x in {1, 4, 11}", TRUTH["x"].isin([1, 4, 11]), ("y",)),
        ("z>=15", TRUTH["z"] >= 15, ("y",)),
        ("z is missing", TRUTH["z"].isna(), ("y",)),
        ("20<=start<=40", TRUTH["start"].between(20, 40), ("y",)),
        (("x>=6", "city=Q"), (TRUTH["x"] >= 6) & (TRUTH["city"] == "Q"), ("y",)),
    ],
)
def test_the_other_columns_follow_the_real_conditional_distribution(
    rows: Trained, words: Any, truth: pd.Series, columns: tuple[str, ...]
) -> None:
    model = rows.model
    made = model.draw(5_000, conditions=model.conditions(words))
    usual = distance(TRUTH, TRUTH[truth], *columns)  # what a model would have that does not heed the condition
    assert distance(made, TRUTH[truth], *columns) < max(0.1, 0.45 * usual)


def test_a_combination_that_was_never_seen_is_refused(rows: Trained) -> None:
    with pytest.raises(InputError) as raised:
        rows.model.conditions(["city=P", "country=B"])
    assert str(raised.value) == (
        "No row can meet city=P and country=B. "
        "The training rows have no such combination, or fewer than rows.rare. Leave one out."
    )
    with pytest.raises(InputError, match=r"nothing is left for 'start'.*Generated rows keep 'start <= end'"):
        rows.model.conditions(["start>=60", "end<=50"])


# ---- resuming -------------------------------------------------------------------------------------------------------


def finished(job: Any, run: Run) -> dict[str, str]:
    """Trains a job from where its run stands, to model files."""
    product = job.finish(fit(job.game(), job.feed, fit_settings(job.recipe), run=run).product)
    write_folder(run.model, lambda place: job.write_model(place, product))
    return digests(run)


@pytest.mark.parametrize(
    ("task", "network"), [("generate", "autoregressive"), ("generate", "rows"), ("impute", "rows")]
)
def test_a_run_that_is_killed_twice_ends_with_the_same_files(tmp_path: Path, task: str, network: str) -> None:
    """With the referee, which learns after the game and has no checkpoints: it begins again and ends alike."""
    settings = {"records.every_steps": 5, "records.checkpoint_every_steps": 10, "optimiser.batch_size": 128}
    settings |= {"network.name": network, **({"rows.referee": 1_280} if task == "generate" else {})}
    job = planned(known(600), tmp_path, task, examples=6_400, settings={k: str(v) for k, v in settings.items()})
    assert (job.recipe.section(RowSettings).referee > 0) is (task == "generate")
    straight = finished(job, Run(tmp_path / "straight"))
    assert {"model.json", "model.safetensors"} <= set(straight)
    killed, task_of = Run(tmp_path / "killed"), GenerateRows() if task == "generate" else Impute()
    for calls in (13, 17):
        with pytest.raises(Killed):
            again = task_of.open(job.recipe, quiet)
            fit(again.game(), again.feed, fit_settings(job.recipe), run=killed, stop=kill_after(calls))
    at_the_end = task_of.open(job.recipe, quiet)
    fit(at_the_end.game(), at_the_end.feed, fit_settings(job.recipe), run=killed)  # and killed in the referee
    assert finished(task_of.open(job.recipe, quiet), killed) == straight


def test_another_seed_makes_another_model_and_other_held_out_rows(tmp_path: Path) -> None:
    jobs = [planned(known(400), tmp_path, examples=1_280, seed=seed) for seed in (0, 0, 1)]
    files = [finished(job, Run(tmp_path / str(number))) for number, job in enumerate(jobs)]
    assert files[0] == files[1] != files[2]
    assert set(jobs[0].table.held_out_rows["key"]) != set(jobs[2].table.held_out_rows["key"])


def test_a_table_that_changed_is_not_resumed(tmp_path: Path) -> None:
    job = planned(known(400), tmp_path, examples=1_280)
    known(400, seed=1).to_parquet(tmp_path / "table.parquet", index=False)
    with pytest.raises(DataError, match="not the one this run was started with"):
        GenerateRows().open(job.recipe, quiet)


# ---- completing -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def imputer(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A table in which every column tells of the others, with holes of its own."""
    random = np.random.default_rng(0)
    hidden = random.normal(size=1_500)
    told = hidden + np.random.default_rng(1).normal(0, 0.1, 1_500)  # so that `low` does not decide `word`
    start = np.round(20 + 5 * hidden).astype(float)
    frame = pd.DataFrame(
        {
            "low": start,
            "high": start + random.integers(0, 4, 1_500),
            "size": np.round(2 * hidden + random.normal(0, 0.3, 1_500), 2),
            "word": np.where(told > 0.7, "big", np.where(told < -0.7, "little", "middle")),
        }
    )
    for name in frame:
        frame.loc[random.random(1_500) < 0.1, name] = None
    return trained(frame, tmp_path_factory.mktemp("holes"), "impute", examples=60_000)


@pytest.mark.parametrize("draw", [False, True])
def test_holes_are_filled_what_is_there_stays_and_rules_are_kept(imputer: Trained, draw: bool) -> None:
    model, table = imputer.model, imputer.job.table
    holes = mask_cells(table.held_out_rows, model.codec.columns, seed=0).rows
    before = {name: values.copy() for name, values in holes.items()}
    filled = model.complete(holes, draw=draw)
    for name, values in before.items():
        there = ~pd.isna(values)
        assert not pd.isna(filled[name]).any() and not there.all()
        np.testing.assert_array_equal(filled[name][there], values[there])
        np.testing.assert_array_equal(pd.isna(holes[name]), ~there)  # what was given is not written into
    assert broken(model.codec.rules, filled, table.train_rows, model.codec.columns) == {"low <= high": 0}
    assert same(filled, model.complete(holes, draw=draw))


def test_cells_are_filled_better_than_by_means(imputer: Trained) -> None:
    table, columns = imputer.job.table, imputer.model.codec.columns
    holes = mask_cells(table.held_out_rows, columns, seed=0)
    mine = filling_scores(holes, imputer.model.complete(holes.rows), columns)
    simplest = filling_scores(holes, by_means(table.train_rows, holes.rows, columns), columns)
    assert mine["rmse"].value < 0.75 * simplest["rmse"].value
    assert mine["accuracy"].value > simplest["accuracy"].value + 0.15


def test_drawn_cells_vary_as_the_real_ones_and_best_guesses_do_not(imputer: Trained) -> None:
    train = imputer.job.table.train_rows
    empty = {
        name: np.full(2_000, np.nan if values.dtype != object else None, values.dtype) for name, values in train.items()
    }
    drawn, guessed = (imputer.model.complete(empty, draw=draw, seed=1)["size"] for draw in (True, False))
    assert np.std(drawn) == pytest.approx(np.nanstd(train["size"]), rel=0.35)
    assert np.std(guessed) < 0.3 * np.std(drawn)


def test_rows_with_values_that_training_had_not_are_completed(rows: Trained) -> None:
    plain: dict[str, Any] = {name: values[:50].copy() for name, values in rows.job.table.train_rows.items()}
    plain["city"][:10], plain["y"][:10], plain["country"][5:10] = "Nowhere", "zzz", None
    plain["z"][:], plain["start"][:20], plain["end"][20:40] = np.nan, np.nan, 1e6
    filled = rows.model.complete(plain)
    assert set(filled["city"][:10]) == {"Nowhere"} and set(filled["y"][:10]) == {"zzz"}
    assert not any(pd.isna(values).any() for values in filled.values())
    assert (filled["start"] <= filled["end"]).all()


# ---- apply ----------------------------------------------------------------------------------------------------------


def with_holes(count: int = 200) -> pd.DataFrame:
    frame = known(count, seed=2)
    for place, name in enumerate(("x", "y", "city", "end")):
        frame.loc[frame.index % 7 == place, name] = None
    return frame


def test_apply_keeps_other_columns_identifiers_and_their_order(run: Run, tmp_path: Path) -> None:
    holes = with_holes()
    holes.insert(2, "remark", [f"no. {number}" if number % 3 else None for number in range(200)])
    holes["score"] = np.linspace(0, 1, 200)
    filled = gf.apply(run.folder, holes)
    assert isinstance(filled, pd.DataFrame) and list(filled.columns) == list(holes.columns)
    for name in ("key", "remark", "score", "unit"):
        pd.testing.assert_series_equal(filled[name], holes[name], check_dtype=False)
    learned = ["x", "y", "z", "city", "country", "start", "end"]
    assert filled[learned].notna().all().all() and filled["x"].dtype == np.int64
    for name in learned:
        there = holes[name].notna()
        assert (filled.loc[there, name] == holes.loc[there, name]).all()
    holes.to_csv(tmp_path / "holes.csv", index=False)
    gf.apply(run.folder, tmp_path / "holes.csv", tmp_path / "filled.csv")
    written = pd.read_csv(tmp_path / "filled.csv")
    pd.testing.assert_frame_equal(written, filled, check_dtype=False)


def test_apply_leaves_cells_as_they_are_that_are_unlike_the_training_rows(run: Run) -> None:
    holes = with_holes()
    holes.loc[3, "z"], holes.loc[4, "z"] = 1.23456, 1e9
    holes.loc[5, "city"], holes.loc[6, "y"] = "Nowhere", "zzz"
    filled = gf.apply(run.folder, holes)
    assert isinstance(filled, pd.DataFrame)
    assert (filled.loc[3, "z"], filled.loc[4, "z"]) == (1.23456, 1e9)
    assert (filled.loc[5, "city"], filled.loc[6, "y"]) == ("Nowhere", "zzz")


def test_apply_says_where_a_whole_number_is_none(run: Run) -> None:
    holes = with_holes().astype({"start": float})
    holes.loc[[8, 9], "start"] = 3.5
    with pytest.raises(DataError, match=r"column 'start' holds 3\.5 in row 9.* whole numbers"):
        gf.apply(run.folder, holes)


def test_apply_says_which_column_is_missing_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    holes = with_holes().rename(columns={"city": "town", "end": "endd"})
    with pytest.raises(DataError, match="has no column 'city', which the model learned"):
        gf.apply(run.folder, holes, tmp_path / "filled.csv")
    with pytest.raises(DataError, match="Did you mean 'endd'"):
        gf.apply(run.folder, holes.rename(columns={"town": "city"}), tmp_path / "filled.csv")
    with pytest.raises(DataError, match="'x' of type str is not integer"):
        gf.apply(run.folder, with_holes().assign(x="many"), tmp_path / "filled.csv")
    assert not list(tmp_path.iterdir())


def test_apply_says_which_category_the_columns_type_does_not_have(tmp_path: Path) -> None:
    frame = known(400)[["x", "y"]].assign(y=lambda rows: pd.Categorical(rows["y"]))
    run = trained(frame, tmp_path, examples=640).as_run(tmp_path / "run")
    filled = gf.apply(run.folder, pd.DataFrame({"x": [1, 2], "y": ["a", None]}))
    assert isinstance(filled, pd.DataFrame) and filled["y"].dtype == frame["y"].dtype
    asked = pd.DataFrame({"x": [1, 2, 3], "y": pd.Categorical(["a", None, "new"], categories=["new", "a"])})
    with pytest.raises(DataError, match=r"column 'y' holds 'new' in row 3\. The model learned the categories a, b, c"):
        gf.apply(run.folder, asked)


# ---- small tables ---------------------------------------------------------------------------------------------------


def test_identifiers_of_a_type_without_room_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    """As many rows are drawn to be measured; not that many fresh numbers fit into eight bits."""
    frame = known(100)[["x", "y"]].assign(number=np.arange(100, dtype=np.int8))
    with pytest.raises(DataError, match=r"column 'number' of int8 has no room .* wider type, or another kind"):
        gf.train(frame, run=tmp_path / "run", examples=128, settings=SMALL)
    assert not list(tmp_path.iterdir())
    assert gf.plan(frame.astype({"number": "int16"}), examples=128, settings=SMALL)


def test_a_damaged_model_is_refused_and_no_file_is_written(tmp_path: Path, run: Run) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run.folder, copy)
    (copy / "model" / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(RunError):
        gf.sample(copy, 5, tmp_path / "rows.csv")
    assert not (tmp_path / "rows.csv").exists()
