"""A run can be used from every folder, after it was moved, and on another machine than the one that trained it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganforge as gf
from ganforge.api import stored_run as reopening
from ganforge.errors import DataError, InputError, Interrupted, RecipeError, RunError
from ganforge.kinds import lasting
from ganforge.kinds.pictures.generate import model
from ganforge.kinds.pictures.generate import task as generate
from ganforge.measures import judge
from ganforge.planning import draft as drafting
from ganforge.planning import evaluator
from ganforge.records import Evaluation, Record, Verdict
from ganforge.run import Run

QUICK = {"records.marks": [1.0], "records.look_samples": 50, "compute.threads": 1}  # values need not be texts


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (120, 8, 8), dtype=np.uint8)


def unmeasured(*sets: Any, **_: Any) -> Evaluation:
    """Of samples that were opened and drawn but not measured."""
    return Evaluation(
        measures=(),
        verdict=Verdict("fair", "Not measured.", (), None),
        samples=len(sets[-1]),
        held_out=0,
        judge={},
        floor="",
        reference="",
        facts={"classes": None, "nearest": ""},
    )


@pytest.fixture(scope="module", autouse=True)
def _quick_evaluation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """These runs are not about quality: nothing is measured, by a judge that has learned next to nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "JUDGED", 200)
        patch.setattr(evaluator, "evaluate_samples", unmeasured)
        patch.setattr(judge, "MOST_PIXELS", 10_000)
        patch.setenv("GANFORGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def of_an_array(pictures: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> gf.TrainedRun:
    """A run of an array with words for labels, as a column of a frame has them: an array of objects."""
    words = np.array(["cat", "dog"], dtype=object)[np.arange(len(pictures)) % 2]
    folder = tmp_path_factory.mktemp("runs") / "animals"
    return gf.train((pictures, words), run=folder, examples=64, settings=QUICK)


def test_labels_that_are_objects_are_words(of_an_array: gf.TrainedRun) -> None:
    run = Run(of_an_array.folder)
    assert json.loads(run.recipe.read_text())["data"]["label_names"] == ["cat", "dog"]
    with np.load(run.given_data(".npz"), allow_pickle=False) as kept:
        assert kept["y"].dtype.kind == "U"
    assert of_an_array.sample(2, label="cat").shape == (2, 1, 8, 8)


def test_the_passport_of_an_array_names_no_temporary_file(of_an_array: gf.TrainedRun) -> None:
    assert "data.npz" in json.loads(Run(of_an_array.folder).passport.read_text())["source"]
    for path in of_an_array.folder.glob("*.json*"):
        assert "ganforge-" not in path.read_text(), path


def test_a_moved_run_of_an_array_finds_its_data(of_an_array: gf.TrainedRun, tmp_path: Path) -> None:
    shutil.copytree(of_an_array.folder, tmp_path / "elsewhere")
    hidden = of_an_array.folder.rename(of_an_array.folder.with_name("hidden"))
    try:
        assert gf.evaluate(tmp_path / "elsewhere")["samples"] == 200
    finally:
        hidden.rename(of_an_array.folder)


def test_a_run_is_evaluated_from_another_folder_than_it_was_trained_in(
    pictures: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    np.save("pictures.npy", pictures)
    np.save("labels.npy", np.arange(len(pictures)) % 3)
    run = gf.train("pictures.npy", label="labels.npy", examples=64, settings=QUICK)
    assert run.folder == Path("runs/pictures-1")
    monkeypatch.chdir(tmp_path)
    assert gf.evaluate(Path("here") / run.folder)["samples"] == 200


def test_a_path_is_never_taken_for_a_built_in_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert lasting("digits") == "digits"
    assert lasting("./digits") == lasting(Path("./digits")) == str(tmp_path / "digits")
    assert lasting("diabetes") == "diabetes"
    assert lasting("nowhere/x.npz") == "nowhere/x.npz"  # the error says it as it was typed
    with pytest.raises(DataError):  # an empty folder, not the 5,000 digits
        gf.plan(Path("digits"))


def test_a_run_of_another_device_is_judged_and_sampled_here_and_goes_on_and_says_so(
    of_an_array: gf.TrainedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (drafting, reopening):
        monkeypatch.setattr(place, "devices_here", lambda: ["cpu"])
    run = Run(shutil.copytree(of_an_array.folder, tmp_path / "run"))
    content = json.loads(run.recipe.read_text())
    content["compute"]["device"] = "xpu"
    run.recipe.write_text(json.dumps(content))
    assert gf.evaluate(run.folder)["samples"] == 200
    assert gf.load(run.folder).sample(3).shape == (3, 1, 8, 8)
    run.evaluation.unlink()
    started = [json.loads(line) for line in run.events.read_text().splitlines() if '"started"' in line][-1]
    run.add_event(**{**started, "environment": {**started["environment"], "device": "xpu", "torch": "1.0"}})
    assert gf.resume(run.folder).verdict
    said = [event["sentence"] for event in run.read_events() if event["kind"] == "environment_changed"]
    assert len(said) == 1 and "the device was xpu, is cpu" in said[0] and "torch was 1.0" in said[0]
    assert "its last bits may differ" in said[0] and "xpu, is cpu" in run.report.read_text()
    assert run.read_json(run.recipe)["compute"]["device"] == "xpu"  # what was chosen stays written down
    with pytest.raises(RecipeError, match="no device 'xpu'"):
        gf.plan("digits8", settings={"compute.device": "xpu"})


def test_a_run_killed_before_its_verdict_is_judged_when_resumed_and_keeps_its_target(
    pictures: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Model and report are there, as `ganforge report` writes it during training; the evaluation is not."""

    def killed(*_: Any) -> dict[str, Any]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(Interrupted, match="ganforge resume"):
        patch.setattr(generate.GenerateJob, "evaluate", killed)
        gf.train(pictures, run=tmp_path / "run", examples=64, settings=QUICK, until="kid<1e-9")
    gf.report(tmp_path / "run")
    assert [line.state for line in gf.runs(tmp_path)] == ["stopped at 100%"]
    resumed = gf.resume(tmp_path / "run")
    assert resumed.verdict and resumed.reached is False
    Run(tmp_path / "run").report.unlink()  # killed a moment later
    assert gf.resume(tmp_path / "run") == resumed
    assert Run(tmp_path / "run").report.is_file()


def test_the_log_of_a_run_holds_what_the_observers_hear(of_an_array: gf.TrainedRun) -> None:
    kinds = [event["kind"] for event in Run(of_an_array.folder).read_events()]
    assert {"judging", "started", "sampled", "evaluating", "finished", "reported"} <= set(kinds)


def test_a_run_that_begins_while_another_is_planned_is_left_alone(tmp_path: Path) -> None:
    class Other:
        """Begins a run in the same folder while the first one reads its data."""

        def record(self, record: Record) -> None:
            pass

        def event(self, event: Any) -> None:
            if event["kind"] == "reading":
                (tmp_path / "run").mkdir()
                (tmp_path / "run" / "recipe.json").write_text("the other's")

    with pytest.raises(RunError, match="already a run"):
        gf.train("digits8", run=tmp_path / "run", examples=64, observers=(Other(),))
    assert (tmp_path / "run" / "recipe.json").read_text() == "the other's"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"n": 0}, "0 pictures"),
        ({"n": -3}, "-3 pictures"),
        ({"n": 2.5}, "whole number"),
        ({"n": 10**15}, "memory"),
        ({"n": 1, "truncation": 5}, "truncation of 5"),
        ({"n": 1, "label": 7}, "no label '7'"),
    ],
)
def test_a_sample_that_makes_no_sense_is_refused_in_words(
    of_an_array: gf.TrainedRun, asked: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        of_an_array.sample(**asked)


def test_samples_are_the_same_in_small_passes(of_an_array: gf.TrainedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = of_an_array.sample(520).astype(int)  # more than one block of latents
    monkeypatch.setattr(model, "MOST_PIXELS", 70 * 64)  # seventy pictures at once
    assert np.abs(of_an_array.sample(520) - whole).max() <= 1  # level: sums in another order


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ((np.zeros((30, 8, 8)), [1, 2]), "labels of shape"),
        ([np.zeros((8, 8)), np.zeros((9, 9))], "not an array"),
        ({"x": 1}, "dict"),
        (5, "int"),
    ],
)
def test_what_is_no_data_is_refused_in_words(source: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        gf.plan(source)


def test_a_setting_that_is_no_value_is_refused() -> None:
    with pytest.raises(RecipeError, match="batch_size"):
        gf.plan("digits8", settings={"optimiser.batch_size": object()})
