"""Resuming what has changed since: the data, the machine, ganforge itself; and what a killed process left behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganforge as gf
from ganforge.core.files import MANIFEST
from ganforge.engine.checkpoint import list_checkpoints
from ganforge.errors import ChangedDataError, DataError, Interrupted, RunError
from ganforge.kinds.pictures.generate import task as generate
from ganforge.measures import judge
from ganforge.run import Run

SETTINGS = {
    "network.width": "8",
    "optimiser.batch_size": "16",
    "records.every_steps": "2",
    "records.checkpoint_every_steps": "2",
    "records.marks": "[1.0]",
    "records.look_samples": "20",
}


@pytest.fixture(scope="module", autouse=True)
def _quick_judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """These runs are not about quality: the judge learns next to nothing, and sees few samples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "JUDGED", 100)
        patch.setattr(judge, "MOST_PIXELS", 10_000)
        patch.setattr(judge, "FEWEST_EXAMPLES", 100)
        patch.setenv("GANFORGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def write_pictures(place: Path, seed: int, labels: int = 2, channels: int = 1) -> None:
    chance = np.random.default_rng(seed)
    x = chance.integers(0, 255, (120, 8, 8) if channels == 1 else (120, 8, 8, channels), np.uint8)
    np.savez(place, x=x, y=np.arange(120) % labels)


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run on pictures that was stopped at its end, before it was judged."""

    def stop(*_: Any) -> dict[str, Any]:
        raise KeyboardInterrupt

    write_pictures(tmp_path / "pictures.npz", 0)
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(generate.GenerateJob, "evaluate", stop)
        gf.train(tmp_path / "pictures.npz", run=tmp_path / "run", examples=96, settings=SETTINGS, size="tiny")
    return Run(tmp_path / "run")


def test_changed_data_is_refused_until_it_is_accepted_which_the_run_remembers(stopped: Run, tmp_path: Path) -> None:
    known = stopped.read_json(stopped.recipe)["data"]["hash"]
    write_pictures(tmp_path / "pictures.npz", 1)
    before = stopped.events.read_bytes()
    with pytest.raises(ChangedDataError, match="--accept-changed-data"):
        gf.resume(stopped.folder)
    assert stopped.events.read_bytes() == before
    gf.resume(stopped.folder, accept_changed_data=True)
    told = [event for event in stopped.read_events() if event["kind"] == "accepted_changed_data"]
    assert [event["was"] for event in told] == [known] and told[0]["now"] != known
    assert stopped.read_json(stopped.recipe)["data"]["hash"] == known
    assert told[0]["sentence"] in stopped.report.read_text()
    assert gf.evaluate(stopped.folder)["samples"]  # and it need not be accepted again
    write_pictures(tmp_path / "pictures.npz", 2)
    with pytest.raises(ChangedDataError):
        gf.evaluate(stopped.folder)


@pytest.mark.parametrize("change", [{"labels": 3}, {"channels": 3}])
def test_changed_data_that_does_not_fit_is_refused_even_if_accepted(
    change: dict[str, int], stopped: Run, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "pictures.npz", 1, **change)
    with pytest.raises(DataError, match="do not fit this run"):
        gf.resume(stopped.folder, accept_changed_data=True)
    write_pictures(tmp_path / "pictures.npz", 0)
    assert gf.resume(stopped.folder).verdict


def test_a_table_whose_columns_changed_is_refused_even_if_accepted(tmp_path: Path) -> None:
    place = tmp_path / "people.csv"
    place.write_text("age,city\n" + "".join(f"{20 + i % 40},{'AB'[i % 2]}\n" for i in range(80)))
    gf.train(place, run=tmp_path / "run", examples=64, settings={"rows.referee": "0"}, size="tiny")
    Run(tmp_path / "run").evaluation.unlink()
    place.write_text("age,town\n" + "".join(f"{20 + i % 40},{'AB'[i % 2]}\n" for i in range(80)))
    with pytest.raises(DataError, match="not the one this run was started with"):
        gf.resume(tmp_path / "run", accept_changed_data=True)


@pytest.mark.parametrize("version", ["99.0", "0.1.1", "0.2.0.dev3"])
def test_a_run_of_a_newer_ganforge_is_refused_by_name(version: str, stopped: Run) -> None:
    content = stopped.read_json(stopped.recipe)
    stopped.recipe.write_text(json.dumps({**content, "ganforge": version, "later": {"x": 1}}))
    with pytest.raises(RunError, match=f"made by ganforge {version}, this is {gf.__version__}") as error:
        gf.resume(stopped.folder)
    assert "Upgrade" in error.value.do


def test_an_older_run_goes_on_and_an_unknown_setting_of_this_version_is_named(stopped: Run) -> None:
    content = stopped.read_json(stopped.recipe)
    stopped.recipe.write_text(json.dumps({**content, "later": {"x": 1}}))
    with pytest.raises(RunError, match="later"):
        gf.resume(stopped.folder)
    stopped.recipe.write_text(json.dumps({**content, "ganforge": "0.0.9"}))
    assert gf.resume(stopped.folder).verdict


def test_a_damaged_newest_checkpoint_is_told_in_the_report_and_the_one_before_is_used(stopped: Run) -> None:
    (list_checkpoints(stopped.checkpoints)[-1] / "state.json").write_text("{}")
    gf.resume(stopped.folder)
    told = [event["sentence"] for event in stopped.read_events() if event["kind"] == "damaged_checkpoint"]
    assert len(told) == 1 and told[0] in stopped.report.read_text().replace("&#39;", "'")


def test_a_run_whose_checkpoints_are_all_damaged_is_refused_until_they_are_removed(stopped: Run) -> None:
    for checkpoint in list_checkpoints(stopped.checkpoints):
        (checkpoint / MANIFEST).unlink()
    with pytest.raises(RunError, match=r"No checkpoint .* can be used") as error:
        gf.resume(stopped.folder)
    assert "checkpoints" in error.value.do


@pytest.mark.parametrize(
    "left", [["passport.json"], ["passport.json", "data.npz"], [".passport.json.12.0123abcd"], ["lock"]]
)
def test_a_beginning_that_was_cut_off_is_in_nobodys_way(left: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for name in left:
        (folder / name).write_text("{}")
    array = np.random.default_rng(0).integers(0, 255, (120, 8, 8), np.uint8)
    gf.train(array, run=folder, examples=32, settings=SETTINGS, size="tiny")
    assert Run(folder).finished() and not list(folder.rglob(".*"))


@pytest.mark.parametrize("left", [["data.npz"], ["passport.json", "mine.txt"], [".notes"], ["data.parquet", "lock"]])
def test_files_that_may_be_a_persons_own_are_never_emptied(left: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for name in left:
        (folder / name).write_text("mine")
    with pytest.raises(RunError, match="not a run"):
        gf.train("digits", run=folder, examples=32)
    assert {path.name for path in folder.iterdir()} == set(left)


def test_resuming_a_finished_run_clears_what_a_kill_left(stopped: Run) -> None:
    done = gf.resume(stopped.folder)
    (stopped.folder / ".report.html.12.0123abcd").write_text("<ht")
    stopped.lock.write_text("12\n")
    assert gf.resume(stopped.folder) == done
    assert not list(stopped.folder.rglob(".*")) and not stopped.lock.exists()
