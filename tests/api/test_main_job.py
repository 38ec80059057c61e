"""The main job on real digits, from data to report, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import ganforge as gf
from ganforge.core.files import sha256_of
from ganforge.errors import DataError, InputError, Interrupted, RecipeError, RunError
from ganforge.run import Run

QUICK = {"records.marks": "[0.0, 1.0]", "records.look_samples": "100"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> gf.TrainedRun:
    return gf.train("digits8", run=tmp_path_factory.mktemp("runs") / "digits", examples=6400, settings=QUICK)


def test_a_run_holds_everything_a_person_needs(trained: gf.TrainedRun) -> None:
    run = Run(trained.folder)
    for path in (run.recipe, run.passport, run.metrics, run.events, run.evaluation, run.report, run.figure("real")):
        assert path.is_file(), path
    assert sorted(path.name for path in run.samples.iterdir()) == ["000000000.png", "000006400.png"]
    assert trained.verdict == json.loads(run.evaluation.read_text())["verdict"]["headline"]
    recipe = json.loads(run.recipe.read_text())
    assert recipe["reasons"]["objective.gamma_start"]  # every automatic choice says why
    assert not run.lock.exists()


def test_every_measure_stands_beside_floor_and_reference(trained: gf.TrainedRun) -> None:
    measures = gf.evaluate(trained.folder)["measures"]
    assert {"frechet_distance", "kid", "precision", "recall", "coverage", "copying"} <= {m["name"] for m in measures}
    for measure in measures:
        assert np.isfinite([measure[key] for key in ("value", "low", "high", "floor", "reference")]).all()


def test_training_moves_samples_towards_the_data(trained: gf.TrainedRun) -> None:
    quality = [record["quality"] for record in Run(trained.folder).read_records() if "quality" in record]
    untrained = gf.train(
        "digits8",
        run=trained.folder.parent / "untrained",
        examples=64,
        settings={**QUICK, "optimiser.learning_rate_start": "1e-9"},
    )
    before = [record["quality"] for record in Run(untrained.folder).read_records() if "quality" in record]
    assert quality[-1]["frechet_distance"] < 0.7 * before[-1]["frechet_distance"]


def test_samples_repeat_with_their_seed_and_follow_the_label(trained: gf.TrainedRun) -> None:
    one, other = trained.sample(20, seed=1), trained.sample(12, seed=1)
    assert one.shape == (20, 1, 8, 8) and one.dtype == np.uint8
    assert not np.array_equal(one, trained.sample(20, seed=2))
    threes = trained.sample(12, label="3", seed=1)
    assert not np.array_equal(threes, other)
    calm = trained.sample(200, label="3", truncation=0.3)
    assert calm.std(axis=0).mean() < trained.sample(200, label="3").std(axis=0).mean()


def test_sample_writes_a_grid_a_folder_and_an_array(trained: gf.TrainedRun, tmp_path: Path) -> None:
    gf.sample(trained.folder, 9, tmp_path / "grid.png")
    gf.sample(trained.folder, 9, tmp_path / "folder")
    gf.sample(trained.folder, 9, tmp_path / "array.npz")
    assert (tmp_path / "grid.png").stat().st_size > 0
    assert len(list((tmp_path / "folder").glob("*.png"))) == 9
    assert np.load(tmp_path / "array.npz")["x"].shape == (9, 8, 8)
    with pytest.raises(InputError, match="exists already"):
        gf.sample(trained.folder, 9, tmp_path / "grid.png")


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model_and_another_seed_another(trained: gf.TrainedRun, tmp_path: Path) -> None:
    asked = {"examples": 6400, "settings": QUICK}
    again = gf.train("digits8", run=tmp_path / "again", **asked)
    other = gf.train("digits8", run=tmp_path / "other", seed=1, **asked)
    digests = [sha256_of(run.folder / "model" / "model.safetensors") for run in (trained, again, other)]
    assert digests[0] == digests[1] != digests[2]


def test_an_array_from_python_is_trained_on_and_kept(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (200, 8, 8, 3), dtype=np.uint8)
    run = gf.train((pictures, np.arange(200) % 2), run=tmp_path / "run", examples=640, settings=QUICK)
    assert run.sample(4, label="1").shape == (4, 3, 8, 8)
    assert gf.evaluate(run.folder)["samples"] > 0  # the array is in the run folder, so it can be opened again


def test_a_target_that_is_missed_is_said_so(tmp_path: Path) -> None:
    run = gf.train("digits8", run=tmp_path / "run", examples=640, until="kid<0.000001", settings=QUICK)
    assert run.reached is False


def test_plan_trains_nothing_and_gives_reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = gf.plan("digits8", examples=1000)
    assert recipe.length.examples == 1000 and recipe.reasons["network.width"]
    assert list(tmp_path.iterdir()) == []


def test_the_penalty_follows_the_scale_of_the_data() -> None:
    random = np.random.default_rng(0)
    pictures = random.integers(96, 160, (100, 16, 16), dtype=np.uint8)
    spread = (128 + 2 * (pictures.astype(int) - 128)).astype(np.uint8)
    gammas = [gf.plan(x, examples=64).objective.gamma_start for x in (pictures, spread)]
    assert gammas[1] == pytest.approx(4 * gammas[0], rel=0.1)  # x scaled by s: gamma scaled by s^2


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"objective": "r3gam"}, "r3gan"),
        ({"minutes": 1, "examples": 5}, "Both"),
        ({"examples": -5}, "examples"),
        ({"size": "huge"}, "size"),
        ({"sed": 1}, "seed"),
        ({"task": "generat"}, "generate"),
        ({"settings": {"objective.gama_start": "1"}}, "gamma_start"),
        ({"settings": {"objektive.gamma_start": "1"}}, "objective"),
        ({"settings": {"optimiser.batch_size": "many"}}, "batch_size"),
        ({"until": "kidd<0.02"}, "kid"),
        ({"until": "kid"}, "kid"),
        ({"settings": {"records.best_by": "recal"}}, "'recall'"),
        ({"settings": {"records.best_by": "kid"}}, "higher is better"),  # of kid lower is
        ({"settings": {"records.patience_looks": "-1"}}, "patience_looks"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_before_anything_is_written(
    asked: dict[str, object], words: str, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=words):
        gf.train("digits8", run=tmp_path / "run", **asked)
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_never_overwritten_by_accident(trained: gf.TrainedRun, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="already a run"):
        gf.train("digits8", run=trained.folder, examples=64)
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="not a run"):
        gf.train("digits8", run=tmp_path, examples=64, force=True)
    assert (tmp_path / "thesis.txt").exists()


def test_bad_data_leaves_an_older_run_alone_even_with_force(trained: gf.TrainedRun, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        gf.train(tmp_path / "nothing", run=trained.folder, force=True)
    assert Run(trained.folder).model.is_dir()


def test_a_damaged_model_is_refused(trained: gf.TrainedRun, tmp_path: Path) -> None:
    run = gf.train("digits8", run=tmp_path / "run", examples=64, settings=QUICK)
    weights = run.folder / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(RunError, match="damaged"):
        gf.sample(run.folder, 4, tmp_path / "x.png")


def test_a_run_stopped_by_a_person_goes_on_to_the_same_model(trained: gf.TrainedRun, tmp_path: Path) -> None:
    class PressesCtrlC:
        def record(self, record: dict[str, object]) -> None:
            if record["step"] == 50:
                import os
                import signal

                os.kill(os.getpid(), signal.SIGINT)

        def event(self, event: object) -> None:
            pass

    settings = {**QUICK, "records.every_steps": "10"}
    with pytest.raises(Interrupted, match="resume"):
        gf.train("digits8", run=tmp_path / "run", examples=6400, settings=settings, observers=(PressesCtrlC(),))
    resumed = gf.resume(tmp_path / "run")
    weights = [sha256_of(run.folder / "model" / "model.safetensors") for run in (trained, resumed)]
    assert weights[0] == weights[1]
    assert [summary.state for summary in gf.runs(tmp_path)] == ["finished"]
