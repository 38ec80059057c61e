"""Every task of every kind of data keeps the contracts of contracts.py: a task is tested by being listed in its KIND.

A new task needs one entry in TINY: data that it learns from in a second or two, and what is asked of it.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

import ganforge as gf
from ganforge import kinds
from ganforge.api.request import request_of, task_for, task_of
from ganforge.api.sample import model_and_options
from ganforge.api.stored_run import recipe_of
from ganforge.contracts import Job
from ganforge.core.files import MANIFEST
from ganforge.core.seeds import generator_for
from ganforge.errors import DataError, GanforgeError, InputError, Interrupted, RecipeError, RunError
from ganforge.kinds.interactions.clubs import write_clubs
from ganforge.records import GRADES
from ganforge.run import Run

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "fixtures"))

from languages import write_languages
from make import numbers, people, people_with_holes, pictures, visits, write_pictures
from spoken import write_spoken
from styled import write_styles
from written import write_texts

pytestmark = pytest.mark.slow
TASKS = [(kind, task) for kind in kinds.KINDS for task in kinds.kind_named(kind).tasks]
FORMS = [*TASKS, ("tables", "generate", "two tables")]  # a task that keeps the contracts on data of another form too
NAMES = ["-".join(form) for form in FORMS]
UNTRAINED = {(kind, task) for kind, task in TASKS if kinds.task_of(kinds.kind_named(kind), task).untrained is not None}
OFTEN = {"records.every_steps": "2", "records.checkpoint_every_steps": "2", "records.marks": "[0, 1]"}
ATTACKED = {("pictures", "generate"), ("points", "generate"), ("tables", "generate"), ("tables", "impute")}
Asked = Mapping[str, Any]


def _pictures(folder: Path) -> Path:
    write_pictures(folder / "photos", pictures(100, seed=0))
    return folder / "photos"


def _pairs(folder: Path) -> Path:
    made = pictures(60, seed=0)
    write_pictures(folder / "pairs" / "A", made)
    write_pictures(folder / "pairs" / "B", 255 - made)
    return folder / "pairs"


def _photos(folder: Path) -> Path:
    write_pictures(folder / "photos", pictures(6, seed=1, side=72))
    return folder / "photos"


def _table(folder: Path) -> Path:
    people().to_csv(folder / "people.csv", index=False)
    return folder / "people.csv"


def _two_tables(folder: Path) -> Path:
    (folder / "clinic").mkdir()
    people().drop(columns="start").to_csv(folder / "clinic" / "people.csv", index=False)
    visits().to_csv(folder / "clinic" / "visits.csv", index=False)
    return folder / "clinic"


def _holes(folder: Path) -> Path:
    people_with_holes().to_csv(folder / "holes.csv", index=False)
    return folder / "holes.csv"


def _numbers(folder: Path) -> Path:
    x = numbers(200)
    np.savetxt(
        folder / "t.csv", np.c_[x, 2 * x[:, 0] - x[:, 1]], delimiter=",", header="a,b,c,y", comments="", fmt="%.4f"
    )
    return folder / "t.csv"


def _sounds(folder: Path, count: int = 12, seconds: float = 1.0) -> Path:
    random, time = np.random.default_rng(0), np.arange(int(8_000 * seconds)) / 8_000
    for number in range(count):
        sound = 0.3 * np.sin(2 * np.pi * 220 * 2 ** (number / 12) * time) + 0.02 * random.standard_normal(len(time))
        path = folder / "notes" / ("low" if number < count / 2 else "high") / f"{number:02d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, sound, 8_000)
    return folder / "notes"


def _notes(folder: Path) -> Path:
    return _sounds(folder, count=80, seconds=0.25)


def _spoken(folder: Path) -> Path:
    write_spoken(folder / "speech", 120)
    return folder / "speech"


def _few_labels(folder: Path) -> Path:
    notes = _sounds(folder, count=24, seconds=0.25)
    (notes / "unlabelled").mkdir()
    for number, file in enumerate(sorted(notes.glob("*/*.wav"))):
        if number % 3:
            file.rename(notes / "unlabelled" / file.name)
    return notes


def _points(folder: Path) -> Path:
    np.save(folder / "points.npy", np.random.default_rng(0).normal(size=(400, 2)))
    return folder / "points.npy"


def _languages(folder: Path) -> Path:
    return write_languages(folder / "languages", 1_000)


def _texts(folder: Path) -> Path:
    (folder / "captions").mkdir()
    for name, scene in (("land", "road street field hill"), ("sea", "boat beach wave ship")):
        write_texts(folder / "captions" / f"{name}.txt", 240, scene.split(), seed=len(name))
    return folder / "captions"


def _styles(folder: Path) -> Path:
    return write_styles(folder / "styles", 120)


def _clubs(folder: Path) -> Path:
    write_clubs(folder)
    return folder / "interactions.csv"


TINY: dict[tuple[str, ...], tuple[Callable[[Path], Path], Asked]] = {
    ("pictures", "generate"): (_pictures, {"examples": 320}),
    ("pictures", "translate"): (_pairs, {"examples": 96, "settings": {"network.width": "4"}}),
    ("pictures", "enhance"): (_photos, {"examples": 128, "settings": {"task.degradation": "noise:25"}}),
    ("pictures", "private"): (_pictures, {"private": "epsilon=20", "delta": 1e-3}),
    ("tables", "generate"): (_table, {"examples": 1_600}),
    ("tables", "generate", "two tables"): (_two_tables, {"examples": 1_600}),
    ("tables", "impute"): (_holes, {"examples": 1_600}),
    ("tables", "private"): (_table, {"private": "epsilon=20,bounds=0.3", "delta": 1e-3, "label": "member"}),
    ("tables", "regress"): (_numbers, {"examples": 2_000, "label": "y"}),
    ("points", "generate"): (_points, {"examples": 2_000}),
    ("sounds", "generate"): (_notes, {"examples": 320}),
    ("sounds", "speak"): (_spoken, {"examples": 96}),
    ("sounds", "vocode"): (_sounds, {"examples": 240}),
    ("sounds", "convert"): (_sounds, {"examples": 240}),
    ("sounds", "recognise"): (_few_labels, {"examples": 320}),
    ("text", "generate"): (_texts, {"examples": 480, "settings": {"text.rounds": "2"}}),
    ("text", "restyle"): (_styles, {"examples": 320}),
    ("text", "dictionary"): (_languages, {"examples": 640}),
    ("text", "translate"): (_languages, {"examples": 256}),
    ("interactions", "recommend"): (_clubs, {"examples": 640, "kind": "interactions"}),
    ("interactions", "policy"): (_clubs, {"examples": 256, "kind": "interactions"}),
    ("interactions", "simulate"): (
        _clubs,
        {"examples": 256, "kind": "interactions", "settings": {"interactions.rounds": "1"}},
    ),
    ("interactions", "invent"): (_clubs, {"examples": 640, "kind": "interactions"}),
}
ONLY_SOMETIMES = {  # measures of other data or games: no pairs, enough rows to learn by likelihood, an adversary
    ("pictures", "translate"): {"kept"},
    ("tables", "generate"): {"likelihood"},
    ("sounds", "vocode"): {"sharp_spectral_distance"},
}
DAMAGED = {
    "pictures": "not a picture",
    "tables": "",
    "points": "1\n2\n",
    "sounds": "not a sound",
    "text": "",
    "interactions": "",
}


@dataclass(frozen=True)
class Made:
    """A finished run of a task, and what it was asked."""

    kind: str
    task: str
    source: Path
    asked: dict[str, Any]
    run: Run

    @property
    def untrained(self) -> bool:
        return (self.kind, self.task) in UNTRAINED

    def job(self) -> Job:
        return task_of(recipe_of(self.run)).open(recipe_of(self.run), lambda *event, **content: None)


@pytest.fixture(scope="module", params=FORMS, ids=NAMES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    kind, task, *_ = request.param
    assert request.param in TINY, f"the task {task} of {kind} has no tiny data in TINY: name some"
    write, asked = TINY[request.param]
    folder = tmp_path_factory.mktemp(f"{kind}-{task}")
    source = write(folder)
    asked = {"task": task, "size": "tiny", **asked, "settings": {**OFTEN, **asked.get("settings", {})}}
    if (kind, task) in UNTRAINED:
        asked = {"task": task, **TINY[request.param][1]}
    if kind == "points" or task == "enhance":
        asked["settings"].pop("records.marks")  # their own looks make what they show
    gf.train(source, run=folder / "run", **asked)
    return Made(kind, task, source, asked, Run(folder / "run"))


def test_every_entry_of_the_tiny_data_is_a_task() -> None:
    assert set(TINY) == set(FORMS)


def test_the_data_is_recognised_and_the_plan_gives_a_reason_for_every_value(made: Made) -> None:
    request = request_of(made.source, made.asked)
    assert task_for(request).name == made.task
    recipe = recipe_of(made.run)
    assert (recipe.data.kind, recipe.task) == (made.kind, made.task)
    sections = {name: part for name, part in recipe.to_json().items() if isinstance(part, dict)}
    silent = [
        f"{section}.{key}"
        for section, part in sections.items()
        if section not in ("ask", "reasons")
        for key, value in part.items()
        if value not in (None, [], "") and not recipe.reasons.get(f"{section}.{key}")
    ]
    assert set(silent) <= {"data.hash", "data.columns", "length.seconds_allowed"}
    assert not [reason for reason in recipe.reasons.values() if reason.startswith("not used")]


def test_labels_that_are_not_there_are_refused(made: Made) -> None:
    request = request_of(made.source, {**made.asked, "label": "no such label"})
    with pytest.raises((DataError, RecipeError), match=r"[Ll]abel"):
        task_for(request).plan(request, lambda *event, **content: None)


def test_opened_again_it_is_the_same_data(made: Made) -> None:
    job = made.job()
    assert job.recipe.data.hash == recipe_of(made.run).data.hash
    assert job.passport == json.loads(json.dumps(job.passport))


def test_a_run_that_was_stopped_ends_with_the_same_bytes(made: Made, tmp_path: Path) -> None:
    if made.untrained:
        pytest.skip("its noise is never repeated")

    class Stop:
        def record(self, record: Mapping[str, Any]) -> None:
            if len(list(made_records)) == 0:
                made_records.append(record)
                raise KeyboardInterrupt

        def event(self, event: Mapping[str, Any]) -> None: ...

    made_records: list[Mapping[str, Any]] = []
    with pytest.raises(Interrupted):
        gf.train(made.source, run=tmp_path / "run", observers=(Stop(),), **made.asked)
    assert not (tmp_path / "run" / "model").exists()
    gf.resume(tmp_path / "run")
    assert (tmp_path / "run" / "model" / MANIFEST).read_bytes() == (made.run.model / MANIFEST).read_bytes()


def test_a_look_gives_what_the_task_says_that_it_measures(made: Made) -> None:
    measured = task_of(recipe_of(made.run)).measured
    if made.untrained:
        assert not measured and not made.run.read_records()
        return
    looks = [record["quality"] for record in made.run.read_records() if record.get("quality")]
    assert looks
    for quality in looks:
        assert set(measured) - set(quality) <= ONLY_SOMETIMES.get((made.kind, made.task), set())
        taken = set(measured) & set(quality)
        assert all(quality[f"{name}_low"] <= quality[name] <= quality[f"{name}_high"] for name in taken)


def test_the_model_is_read_back_to_the_bit_and_says_its_kind_and_task(made: Made, tmp_path: Path) -> None:
    job = made.job()
    product = job.read_product(made.run.model)
    (tmp_path / "model").mkdir()
    job.write_model(tmp_path / "model", product)
    for name in ("model.json", "model.safetensors"):
        assert (tmp_path / "model" / name).read_bytes() == (made.run.model / name).read_bytes()
    said = json.loads((made.run.model / "model.json").read_text())
    assert (said["kind"], said["task"]) == (made.kind, made.task)


def test_a_damaged_description_is_told_whatever_is_asked(made: Made, tmp_path: Path) -> None:
    """Whose run it is stands in that file: it must not be taken for that of another kind."""
    shutil.copytree(made.run.folder, tmp_path / "run")
    (tmp_path / "run" / "model" / "model.json").write_text("{")
    with pytest.raises(RunError, match="sha256 differs"):
        model_and_options(tmp_path / "run", "apply", {"word": "dog"})


def test_it_samples_and_applies_or_refuses_in_words(made: Made) -> None:
    run = gf.load(made.run.folder)
    done = 0
    for act in (lambda: run.sample(5, seed=1), lambda: gf.apply(made.run.folder, made.source)):
        try:
            first, again = act(), act()
        except InputError as error:
            assert error.what.endswith(".") and (error.why or error.do)
            continue
        done += 1
        assert len(first) == len(again) > 0
        assert _same(first, again)  # the same seed, the same examples
    without = ("regress", "translate", "enhance", "speak", "vocode", "convert", "restyle", "dictionary")
    assert done or made.task in without  # which take files, or only predict


def _same(first: Any, again: Any) -> bool:
    if isinstance(first, dict):
        return first.keys() == again.keys() and all(_same(value, again[name]) for name, value in first.items())
    return first.equals(again) if isinstance(first, pd.DataFrame) else bool(np.array_equal(first, again))


def test_the_evaluation_has_a_verdict_and_every_measure_its_floor_its_reference_and_an_interval(made: Made) -> None:
    found = json.loads(made.run.evaluation.read_text())
    assert found["verdict"]["grade"] in GRADES
    assert found["verdict"]["headline"].endswith(".")
    assert found["measures"] and found["blocks"]
    for measure in found["measures"]:
        numbers_of = [measure[name] for name in ("value", "low", "high", "floor", "reference")]
        assert all(isinstance(number, int | float) for number in numbers_of), measure["name"]
        assert measure["low"] <= measure["value"] <= measure["high"]
        assert measure["meaning"].endswith(".")
    assert found["floor"] and found["reference"]


def test_the_report_is_drawn_from_the_folder_alone(made: Made) -> None:
    before = made.run.report.read_bytes()
    made.run.report.unlink()
    gf.report(made.run.folder)
    assert made.run.report.read_bytes() == before
    verdict = json.loads(made.run.evaluation.read_text())["verdict"]["headline"]
    assert verdict.split(":")[0] in made.run.report.read_text()


def test_it_is_attacked_or_refuses_in_words(made: Made, tmp_path: Path) -> None:
    run = shutil.copytree(made.run.folder, tmp_path / "run")
    try:
        found = gf.audit(run)
    except InputError as error:
        assert error.what.endswith(".") and error.do
        few = "An attack needs at least" in error.why
        assert few or (made.kind, made.task) not in ATTACKED or made.source.name == "clinic"
        return
    assert (made.kind, made.task) in ATTACKED
    assert found["verdict"]["headline"].endswith(".") and found["attacks"][0]["chance"] == 0.5
    assert gf.card(run)[0].is_file()


def test_the_game_is_the_same_in_a_process_that_is_sent_its_examples(made: Made) -> None:
    job = made.job()
    if made.untrained:
        pytest.skip("it has no game")
    feed = job.feed
    task = task_of(job.recipe)
    game, sent = task.join(job.recipe, job.brief(), feed.raw(0, len(feed)))
    assert [player.name for player in game.players] == [player.name for player in job.game().players]
    indices = torch.randint(len(feed), (4,), generator=generator_for(0, "contract"))
    for name, tensor in feed.batch(indices).items():
        torch.testing.assert_close(sent.batch(indices)[name], tensor, rtol=0, atol=0)


@pytest.mark.parametrize("form", FORMS, ids=NAMES)
def test_damaged_and_missing_data_gets_a_sentence(form: tuple[str, ...], tmp_path: Path) -> None:
    kind, task, *_ = form
    write, asked = TINY[form]
    source = write(tmp_path)
    for file in sorted(source.rglob("*")) if source.is_dir() else [source]:
        if file.is_file():
            file.write_text(DAMAGED[kind])
    for place in (source, tmp_path / "nothing"):
        with pytest.raises(GanforgeError) as caught:
            size = {} if (kind, task) in UNTRAINED else {"size": "tiny"}
            gf.plan(place, **{"task": task, "kind": kind, **size, **asked})
        assert caught.value.what.endswith(".") and (caught.value.why or caught.value.do)
        assert len(str(caught.value)) < 600
