"""Whatever the files of a run say, only errors in words come out, and nothing outside the run is touched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import bytes_like, fuzzed, json_like

import ganforge as gf
from ganforge.diagnosis import diagnose
from ganforge.errors import GanforgeError, RunError
from ganforge.recipe import read_recipe
from ganforge.run import Run

pytestmark = pytest.mark.slow

OBJECTS = ("recipe.json", "passport.json", "evaluation.json")
LINES = ("metrics.jsonl", "events.jsonl")
RUNS = ("picture_run", "table_run", "regression_run")


def read_everything(folder: Path) -> None:
    """All that looks at a run without training it; errors in words are what a person may see."""
    for look in (gf.load, gf.report, lambda run: diagnose(Run.open(run).history())):
        try:
            look(folder)
        except GanforgeError as error:
            assert str(error)
    gf.runs(folder.parent)  # one damaged run never hides the others


@pytest.fixture
def light(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A run without its pictures and checkpoints, so that a thousand reports of it take no hour."""
    skipped = shutil.ignore_patterns("samples", "pictures", "checkpoints")
    return Path(shutil.copytree(request.getfixturevalue(request.param), tmp_path / "run", ignore=skipped))


@pytest.mark.parametrize("light", RUNS, indirect=True)
@fuzzed(30)
@given(data=st.data())
def test_absurd_values_in_the_files_of_a_run_give_errors_in_words(light: Path, data: Any) -> None:
    name = data.draw(st.sampled_from(OBJECTS + LINES))
    good = (light / name).read_text("utf-8")
    if name in OBJECTS:
        bad = json.dumps(data.draw(json_like(json.loads(good))))
    else:
        lines = data.draw(json_like([json.loads(line) for line in good.splitlines()]))
        bad = "\n".join(map(json.dumps, lines))
    try:
        (light / name).write_text(bad, "utf-8")
        read_everything(light)
    finally:
        (light / name).write_text(good, "utf-8")


@pytest.mark.parametrize("light", RUNS, indirect=True)
@fuzzed(15)
@given(data=st.data())
def test_damaged_bytes_in_the_files_of_a_run_give_errors_in_words(light: Path, data: Any) -> None:
    name = data.draw(st.sampled_from(OBJECTS + LINES))
    good = (light / name).read_bytes()
    try:
        (light / name).write_bytes(data.draw(bytes_like(good)))
        read_everything(light)
    finally:
        (light / name).write_bytes(good)


@fuzzed(60)
@given(data=st.data())
def test_an_absurd_recipe_is_refused_in_words_or_is_one(picture_run: Path, data: Any) -> None:
    content = data.draw(json_like(json.loads((picture_run / "recipe.json").read_text("utf-8"))))
    try:
        assert read_recipe(read_recipe(content).to_json()) == read_recipe(content)
    except GanforgeError as error:
        assert error.do


BOMBS = {
    "deep": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "as deep as Python allows": b'{"a":' + b"[" * 600 + b"]" * 600 + b"}",
    "a number of 100,000 digits": b'{"a":' + b"9" * 100_000 + b"}",
    "a number that no float can be": b'{"step": 1' + b"0" * 400 + b"}",
    "a key twice": b'{"task": "generate", "task": "impute"}',
    "many lists": b'{"a":[' + b"{}," * 1_000_001 + b"0]}",
    "no UTF-8": b'{"a": "\xff"}',
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_json_that_would_fill_the_memory_or_the_stack_is_refused(tmp_path: Path, bomb: str) -> None:
    run = Run(tmp_path)
    for path in (run.recipe, run.evaluation, run.passport):
        path.write_bytes(BOMBS[bomb])
    with pytest.raises(RunError):
        run.read_json(run.recipe)
    for path in (run.metrics, run.events):
        path.write_bytes(BOMBS[bomb])
    assert run.read_records() == [] and run.read_events() == []
    read_everything(tmp_path)


def test_a_file_larger_than_any_that_is_written_is_not_read(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with run.recipe.open("wb") as file:
        file.truncate(10**12)  # a hole: it takes no room on the disk
    with pytest.raises(RunError, match="more than 33,554,432 bytes"):
        run.read_json(run.recipe)


def test_a_run_whose_files_lead_elsewhere_is_refused_and_nothing_is_written_there(any_run: Path) -> None:
    outside = any_run.parent / "diary.txt"
    outside.write_text("dear diary")
    for name in ("events.jsonl", "metrics.jsonl", "report.html", "lock", "evaluation.json"):
        (any_run / name).unlink(missing_ok=True)
        (any_run / name).symlink_to(outside)
        for verb in (gf.resume, gf.load, gf.report, gf.evaluate):
            with pytest.raises(RunError, match="is a link"):
                verb(any_run)
        (any_run / name).unlink()
    assert outside.read_text() == "dear diary"
