"""`diagnose` reads any run folder, in whatever state it is, and changes nothing in it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ganforge as gf
from ganforge.api.diagnose import Diagnosis
from ganforge.diagnosis import CHECKS
from ganforge.errors import InputError, RunError
from ganforge.run import Run, held_by

TRAIN = ["train", "digits8", "--examples", "960", "--set", "records.every_steps=1"]
TRAINER = """
import sys
from ganforge.cli import live, main

class Waits:
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def event(self, event): pass
    def record(self, record):
        print("recorded", flush=True)
        sys.stdin.readline()

live.view_for = lambda console: Waits()
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Diagnosis]]:
    """A run that another process trains, and what is said of it after each record. They take turns."""
    run = tmp_path_factory.mktemp("diagnose") / "run"
    with subprocess.Popen(
        [sys.executable, "-c", TRAINER, *TRAIN, "--run", str(run)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as trainer:
        assert trainer.stdin is not None and trainer.stdout is not None and trainer.stderr is not None
        said = []
        for line in trainer.stdout:
            if line == b"recorded\n":
                said.append(gf.diagnose(run))
                trainer.stdin.write(b"\n")
                trainer.stdin.flush()
        errors = trainer.stderr.read()
    assert (trainer.returncode, errors) == (0, b"")
    return run, [*said, gf.diagnose(run)]


@pytest.mark.slow
def test_a_run_in_progress_is_read_while_its_trainer_goes_on(followed: tuple[Path, list[Diagnosis]]) -> None:
    _, said = followed
    training = [one for one in said if one.state == "training"]
    assert [len(one.history.records) for one in training] == list(range(1, 16))
    assert all("process" in one.standing[0] for one in training)
    assert any(one.layers for one in training)
    assert said[-1].state == "finished"


@pytest.mark.slow
def test_a_finished_run_says_its_verdict_and_every_check(followed: tuple[Path, list[Diagnosis]]) -> None:
    run, said = followed
    found = said[-1]
    assert json.loads((run / "evaluation.json").read_text())["verdict"]["headline"] in found.standing[0]
    assert {*found.healthy, *(finding.ailment for finding in found.findings)} == set(CHECKS)
    assert found.checked.startswith(f"{len(CHECKS)} checks")
    assert set(found.layers) == {"discriminator", "generator"}


@pytest.mark.slow
def test_reading_changes_nothing_not_even_in_a_folder_that_cannot_be_written(
    followed: tuple[Path, list[Diagnosis]], tmp_path: Path
) -> None:
    run = shutil.copytree(followed[0], tmp_path / "run")
    before = _hashes(run)
    gf.diagnose(run)
    assert _hashes(run) == before


def _hashes(folder: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.slow
def test_a_copy_from_another_machine_needs_neither_data_nor_device_nor_model(
    followed: tuple[Path, list[Diagnosis]], tmp_path: Path
) -> None:
    run, said = followed
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for name in ("metrics.jsonl", "events.jsonl", "passport.json"):
        shutil.copy(run / name, copy)
    recipe = json.loads((run / "recipe.json").read_text())
    recipe["data"]["source"] = "/nowhere/on/this/machine"
    recipe["compute"]["device"] = "cuda"
    (copy / "recipe.json").write_text(json.dumps(recipe))
    (copy / "lock").write_text("4711\n")  # the number of a process on that machine
    found = gf.diagnose(copy)
    assert found.state == "stopped"
    assert "nobody trains it on this machine" in found.standing[0]
    assert found.layers == said[-1].layers


@pytest.mark.slow
def test_a_run_without_layers_as_older_versions_wrote_it_is_diagnosed_too(
    followed: tuple[Path, list[Diagnosis]], tmp_path: Path
) -> None:
    run = shutil.copytree(followed[0], tmp_path / "run")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("layers", None)
        line.pop("waiting", None)
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = gf.diagnose(run)
    assert found.layers == {}
    assert 'id="backprop"' not in found.write(tmp_path / "page.html").read_text("utf-8")


@pytest.mark.slow
def test_a_line_that_is_being_written_is_no_problem(followed: tuple[Path, list[Diagnosis]], tmp_path: Path) -> None:
    run = shutil.copytree(followed[0], tmp_path / "run")
    lines = (run / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (run / "metrics.jsonl").write_bytes(b"".join(lines[:-1]) + lines[-1][: len(lines[-1]) // 2])
    assert len(gf.diagnose(run).history.records) == len(lines) - 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["recipe.json", "passport.json", "evaluation.json"])
def test_a_damaged_file_is_left_out_and_named(
    name: str, followed: tuple[Path, list[Diagnosis]], tmp_path: Path
) -> None:
    run = shutil.copytree(followed[0], tmp_path / "run")
    (run / name).write_bytes(b'{"verdict": ')
    found = gf.diagnose(run)
    assert len(found.unread) == 1 and name in found.unread[0]
    assert found.layers
    assert found.write(tmp_path / "page.html").is_file()


@pytest.mark.parametrize(
    "line",
    [
        '{"step": 1, "examples": 1, "progress": 0, "seconds": 0, "gradient_norms": 7, "terms": [1], "attempt": "x"}',
        '{"step": 1, "examples": 1, "progress": 0, "seconds": 0, "layers": {"generator": {"a": 1, "b": [2]}}}',
        '{"step": 1, "examples": 1, "progress": 0, "seconds": 0, "layers": [[]], "quality": "good"}',
    ],
)
def test_records_that_no_run_writes_are_an_error_in_words_or_left_out(line: str, tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.recipe.write_text("{}")
    run.metrics.write_text(line + "\n")
    try:
        found = gf.diagnose(tmp_path)
    except RunError as error:
        assert "cannot be used" in error.what
    else:
        assert found.write(tmp_path / "page.html").is_file() and found.to_json()["run"] == str(tmp_path)


def test_a_run_that_was_only_planned_has_nothing_to_find(tmp_path: Path) -> None:
    Run(tmp_path).recipe.write_text("{}")
    found = gf.diagnose(tmp_path)
    assert (found.state, found.findings) == ("planned", ())
    assert "nothing to find" in found.sentence
    assert "wait for the first record" in found.checked
    assert found.write(tmp_path / "page.html").is_file()


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(RunError):
            gf.diagnose(place)


def test_rewinds_and_what_the_guard_did_are_told(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.recipe.write_text("{}")
    for step in range(1, 21):
        run.add_record(
            {"step": step, "examples": 64 * step, "length_examples": 1920, "progress": step / 30, "seconds": 1.0}
            | {"attempt": 1, "skipped": 3}
        )
    run.add_event("started", 0)
    run.add_event("rewound", 12, to_step=10, attempt=1, learning_rate_scale=0.5)
    guarded = {"ailment": "exploding", "action": "penalty", "from": 1.0, "to": 2.0, "reason": "it jumped"}
    run.add_event("guarded", 14, **guarded)
    run.add_event("unguarded", 18, measure="kid", before=0.1, after=0.2, **guarded)
    run.add_event("guarded", 19)  # as another version might write it
    found = gf.diagnose(tmp_path)
    assert found.state == "stopped"
    standing = " ".join(found.standing)
    assert "attempt 2" in standing and "3 turns were skipped" in standing
    assert "The guard stepped in 2 times and took it back once." in standing
    assert [when for when, _ in found.happened] == ["step 12", "step 14", "step 18", "step 19"]
    assert "step 10" in found.happened[0][1]
    assert found.happened[1][1] == (
        "The guard acts on exploding: the gradient penalty is now 2 times the plan's. Seen: it jumped"
    )
    assert "KID was 0.1 before and 0.2 after" in found.happened[2][1]
    assert held_by(run.lock) is None


@pytest.mark.slow
def test_a_page_does_not_replace_a_file_unless_told(followed: tuple[Path, list[Diagnosis]], tmp_path: Path) -> None:
    found, page = followed[1][-1], tmp_path / "page.html"
    page.write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        found.write(page)
    assert page.read_text() == "mine"
    assert 'id="backprop"' in found.write(page, force=True).read_text("utf-8")
    for place in (tmp_path / "page.pdf", tmp_path):
        with pytest.raises(InputError, match="html"):
            found.write(place, force=True)
