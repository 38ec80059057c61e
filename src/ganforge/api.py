"""One function per verb: train, plan, resume, load, sample, evaluate, report, runs. The command line calls only these.

import ganforge as gf

run = gf.train("photos/", minutes=5)
pictures = run.sample(64)  # uint8 (64, C, H, W)
print(run.verdict)
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from ganforge.contracts import Job, Observer, Task
from ganforge.core.device import devices_here, survey_machine
from ganforge.core.files import remove_leftovers, storage_error, write_folder
from ganforge.core.founding import founded, refuse_existing, refuse_in_use
from ganforge.core.lock import hold
from ganforge.core.stop import StopRequest
from ganforge.core.summary import RunSummary, summary
from ganforge.data.given import lasting, on_disk
from ganforge.data.images import write_pictures
from ganforge.data.images.write import check_place
from ganforge.diagnosis import diagnose
from ganforge.engine.fit import FitSettings, fit
from ganforge.errors import DataError, RecipeError, RunError, TrainingError, did_you_mean
from ganforge.metrics import parse_target
from ganforge.recipe import Recipe, Request, in_words, read_recipe
from ganforge.reports import TensorBoard, write_report
from ganforge.run import Run
from ganforge.tasks import TASKS, PictureModel, labels_for, load_model

Pictures: TypeAlias = NDArray[np.uint8]
TABLES = (".csv", ".tsv")


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A run whose model is there. Made by `train`, `resume` or `load`."""

    folder: Path
    verdict: str  # one sentence
    reached: bool | None  # whether the target of `until` was reached; None when there was none

    def sample(self, n: int, *, label: str | int | None = None, seed: int = 0, truncation: float = 1.0) -> Pictures:
        """Draws pictures: uint8 (n, C, H, W). `label` is one of the labels' names; truncation in (0, 1].

        Raises: InputError for an unknown label, or a number that makes no sense.
        """
        return _draw(load_model(Run(self.folder).model), n, label, seed, truncation)[0]


def plan(source: object, **asked: Any) -> Recipe:
    """What `train` would do with this data on this machine: every choice with its reason. Trains nothing.

    Args: source and asked as for `train`. Raises: DataError, RecipeError.
    """
    with on_disk(source) as path:
        request = _request(path, asked)
        return _task(request).plan(request, _Teller(())).recipe


def train(
    source: object,
    *,
    run: str | Path | None = None,
    force: bool = False,
    observers: Sequence[Observer] = (),
    tensorboard: bool = False,
    **asked: Any,
) -> TrainedRun:
    """Trains a model of the data, judges it, and writes a report.

    Args:
        source: a path (folder of pictures, .npz, .npy, idx, Parquet, table), a built-in name such as "digits", an array
            (N, H, W) or (N, H, W, C), or a pair (array, labels).
        run: the run folder; by default runs/<data>-<number>. force: replaces an existing run.
        observers: told every record and event. tensorboard: also writes RUN/tensorboard, for TensorBoard.
        asked: task, minutes, examples, until, size, seed, resolution, objective, label, settings: see recipe.Request.
    Raises: DataError, RecipeError, RunError before anything is written; TrainingError; Interrupted after saving.
    """
    with on_disk(source) as path:
        request = _request(path, asked)
        if run is not None:  # before the data is read, which may take a while
            refuse_existing(Run(run), force=force)
            refuse_in_use(Run(run))
        tell = _Teller(_observers(Run(run or "runs"), observers, tensorboard))  # now: TensorBoard may be missing
        job = _task(request).plan(request, tell)
        with founded(run, request.source, force=force) as folder:
            _write_beginning(folder, job, array=path if path is not source else None)
            tell.begin(folder, _observers(folder, observers, tensorboard))
            return _go(folder, job, tell)


def resume(run: str | Path, *, observers: Sequence[Observer] = (), tensorboard: bool = False) -> TrainedRun:
    """Goes on exactly where a run stopped, however it stopped. A finished run is returned as it is.

    Raises: RunError if it is not a run, is in use, or its device is not here; DataError if its data is gone or has
        changed.
    """
    folder = Run.open(run)
    if folder.finished():
        if not folder.report.is_file():  # it was killed just before
            report(run)
        return load(run)
    recipe = read_recipe(folder.read_json(folder.recipe))
    if recipe.compute.device not in devices_here():
        raise RunError(
            f"{str(run)!r} was trained on the device {recipe.compute.device!r}, which is not here.",
            "Another device rounds differently, so that it would not go on exactly where it stopped.",
            "Resume it where it was trained, or train a new run.",
        )
    with hold(folder.lock):
        tell = _Teller(_observers(folder, observers, tensorboard), folder)
        job = TASKS[recipe.task]().open(_located(recipe, folder), tell)
        job.recipe = recipe
        return _go(folder, job, tell)


def load(run: str | Path) -> TrainedRun:
    """A finished run. Raises: RunError if there is no model in it."""
    folder = Run.open(run)
    if not folder.model.is_dir():
        raise RunError(f"{run} holds no model yet.", "It was stopped before its end.", f"Use: ganforge resume {run}")
    verdict = folder.read_json(folder.evaluation).get("verdict", {})
    finished = [event for event in folder.read_events() if event["kind"] == "finished"]
    return TrainedRun(
        folder.folder, str(verdict.get("headline", "")), finished[-1].get("reached") if finished else None
    )


def sample(
    run: str | Path,
    n: int,
    out: str | Path,
    *,
    label: str | int | None = None,
    seed: int = 0,
    truncation: float = 1.0,
    force: bool = False,
) -> Path:
    """Draws n pictures into a file: .png (one grid), a folder (one file each), or .npz (x: uint8 (N, C, H, W)).

    Raises: RunError, InputError for an unknown label or suffix, a bad number, more pictures than fit the memory or the
        grid, or something that exists; force replaces a file, and a folder of samples but no other folder.
    """
    model = load_model(Run.open(run).model)
    model.refuse_impossible(n, truncation)
    check_place(out, (n, *model.picture_shape()), force=force)  # before the work, which may take minutes
    pictures, labels = _draw(model, n, label, seed, truncation)
    write_pictures(pictures, out, labels=labels, label_names=model.label_names, force=force)
    return Path(out)


def evaluate(run: str | Path) -> dict[str, Any]:
    """Measures the model again, every measure beside floor and reference; also stored as evaluation.json.

    A run from another machine is measured on the device that is here.
    """
    folder = Run.open(run)
    load(run)
    recipe = _located(read_recipe(folder.read_json(folder.recipe)), folder)
    if recipe.compute.device not in devices_here():
        machine = survey_machine()
        here = {"device": machine.device, "precision": machine.precision, "threads": machine.threads}
        recipe = recipe.model_copy(update={"compute": recipe.compute.model_copy(update=here)})
    _use(recipe)
    job = TASKS[recipe.task]().open(recipe, _Teller(()))
    return _judge(folder, job)


def report(run: str | Path) -> Path:
    """Writes report.html again, from what the run folder holds; works on a run in progress too."""
    folder = Run.open(run)
    return write_report(folder, diagnose(folder.history()))


def runs(folder: str | Path = "runs") -> list[RunSummary]:
    """The runs in a folder, oldest first. Raises: RunError if the folder is missing."""
    path = Path(folder)
    if not path.is_dir():
        raise RunError(f"There is no folder {str(folder)!r}.", "No run has been made here.", "Use: ganforge train DATA")
    found = [Run(entry) for entry in path.iterdir() if (entry / "recipe.json").is_file()]
    return [summary(run) for run in sorted(found, key=lambda run: run.recipe.stat().st_mtime)]


# ---- how -------------------------------------------------------------------------------------------------------------


class _Teller:
    """Tells events to the observers and, from the moment that there is a run folder, to its log first."""

    def __init__(self, observers: Sequence[Observer], folder: Run | None = None) -> None:
        self.observers, self._folder = observers, folder

    def begin(self, folder: Run, observers: Sequence[Observer]) -> None:
        """Now there is a run folder."""
        self.observers, self._folder = observers, folder

    def __call__(self, kind: str, **content: Any) -> None:
        event = self._folder.add_event(kind, 0, **content) if self._folder else {"kind": kind, "step": 0, **content}
        for observer in self.observers:
            observer.event(event)


def _go(folder: Run, job: Job, tell: _Teller) -> TrainedRun:
    """Trains a job in its run folder, which is held, from where it stands; then judges it and writes the report."""
    recipe = job.recipe
    target = parse_target(recipe.ask.until, TASKS[recipe.task].measured) if recipe.ask.until else None
    with StopRequest() as stop:
        remove_leftovers(folder.folder)
        _use(recipe)
        job.prepare()
        tell("started", examples=recipe.length.examples, device=recipe.compute.device)
        try:
            fitted = fit(
                job.game(),
                job.feed,
                _fit_settings(recipe),
                run=folder,
                observers=tell.observers,
                look=lambda product, state: job.look(folder, product, state.clock.examples),
                target=target.reached if target else None,
                stop=stop,
            )
        except TrainingError:
            tell("failed")
            write_report(folder, diagnose(folder.history()))
            raise
        write_folder(folder.model, lambda target_folder: job.write_model(target_folder, fitted.product))
        tell("evaluating")
        content = job.evaluate(
            folder, fitted.product, {"step": fitted.state.step, "examples": fitted.state.clock.examples}
        )
        folder.write_json(folder.evaluation, content)
        reached = fitted.state.reached if target else None
        verdict = content["verdict"]["headline"]
        tell("finished", examples=fitted.state.clock.examples, seconds=fitted.state.seconds, reached=reached)
        path = write_report(folder, diagnose(folder.history()))
        tell("reported", path=str(path), verdict=verdict)
    return TrainedRun(folder.folder, verdict, reached)


def _observers(folder: Run, given: Sequence[Observer], tensorboard: bool) -> tuple[Observer, ...]:
    return (*given, TensorBoard(folder.tensorboard)) if tensorboard else tuple(given)


def _fit_settings(recipe: Recipe) -> FitSettings:
    return FitSettings(
        seed=recipe.seed,
        batch_size=recipe.optimiser.batch_size,
        length_examples=recipe.length.examples,
        half_life_examples=recipe.average.half_life_examples,
        precision=recipe.compute.precision,
        device=recipe.compute.device,
        record_every_steps=recipe.records.every_steps,
        checkpoint_every_steps=recipe.records.checkpoint_every_steps,
        marks=recipe.records.marks,
        seconds_allowed=recipe.length.seconds_allowed,
    )


def _use(recipe: Recipe) -> None:
    """The number of threads decides the order of sums, and with it the bits of a run."""
    torch.set_num_threads(recipe.compute.threads)


def _judge(folder: Run, job: Job) -> dict[str, Any]:
    """Evaluates the stored model of a run and stores the result."""
    product = job.read_product(folder.model)
    records = folder.read_records()
    last = records[-1] if records else {"step": 0, "examples": 0}
    content = job.evaluate(folder, product, {"step": last["step"], "examples": last["examples"]})
    folder.write_json(folder.evaluation, content)
    return content


def _draw(
    model: PictureModel, n: int, label: str | int | None, seed: int, truncation: float
) -> tuple[Pictures, NDArray[np.int64] | None]:
    """Pictures, and the label of each."""
    model.refuse_impossible(n, truncation)
    labels = labels_for(model, str(label), n) if label is not None else model.draw_labels(n, seed=seed)
    return model.sample(n, labels=labels, seed=seed, truncation=truncation), labels


def _request(source: str | Path, asked: Mapping[str, Any]) -> Request:
    """What was asked for, validated. Raises: RecipeError in words."""
    unknown = set(asked) - set(Request.model_fields)
    if unknown:
        name = sorted(unknown)[0]
        raise RecipeError(f"There is no option {name!r}.", did_you_mean(name, Request.model_fields))
    asked = dict(asked)
    if isinstance(settings := asked.get("settings"), Mapping):
        asked["settings"] = {name: _as_typed(name, value) for name, value in settings.items()}
    if (label := str(asked.get("label"))).endswith(".npy") and Path(label).is_file():
        asked["label"] = str(Path(label).absolute())
    try:
        request = Request.model_validate({"source": lasting(source), **asked})
    except ValidationError as error:
        raise in_words(error) from error
    return request


def _as_typed(name: str, value: object) -> str:
    """A setting as a person would type it. Raises: RecipeError for what is no number, text, list or true/false."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:
        raise RecipeError(
            f"The setting {name} cannot be {value!r}.", f"{error}.", "Give a number or a text."
        ) from error


def _task(request: Request) -> Task:
    """The task asked for, or the one that suits the data. What needs no data is checked here, before it is read."""
    task = _chosen_task(request)
    if request.until is not None:
        parse_target(request.until, task.measured)
    device = request.settings.get("compute.device", "cpu")
    if device not in devices_here():
        raise RecipeError(
            f"There is no device {device!r} here.",
            f"The best one of this machine is {survey_machine().device!r}.",
            "Leave compute.device to the plan.",
        )
    return task


def _chosen_task(request: Request) -> Task:
    if request.task is None:
        if Path(request.source).suffix.lower() in TABLES[:2]:
            raise DataError(
                f"{request.source!r} is a table, and no task was named.",
                "Tables are predicted from, not yet generated.",
                "Say: --task regress --label COLUMN",
            )
        return TASKS["generate"]()
    if request.task not in TASKS:
        raise RecipeError(f"There is no task {request.task!r}.", did_you_mean(request.task, TASKS))
    return TASKS[request.task]()


def _write_beginning(folder: Run, job: Job, array: str | Path | None) -> None:
    """Passport and recipe; an array that was given in Python is kept beside them and moves with the folder."""
    passport = dict(job.passport)
    if array is not None:
        try:
            shutil.move(array, folder.array)
        except OSError as error:
            raise storage_error(folder.array, error) from error
        job.recipe = _with_source(job.recipe, folder.array.name)
        passport["source"] = f"an array given in Python, kept as {folder.array.name}"
    folder.write_json(folder.passport, passport)
    folder.write_json(folder.recipe, job.recipe.to_json())


def _located(recipe: Recipe, folder: Run) -> Recipe:
    """The recipe with the path of an array that was given in Python: in the run folder, wherever that is by now."""
    name = folder.array.name
    return _with_source(recipe, str(folder.array.absolute())) if recipe.data.source == name else recipe


def _with_source(recipe: Recipe, source: str) -> Recipe:
    update = {"source": source}
    return recipe.model_copy(
        update={"data": recipe.data.model_copy(update=update), "ask": recipe.ask.model_copy(update=update)}
    )
