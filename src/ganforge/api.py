"""One function per verb: train, plan, resume, load, sample, evaluate, report, runs. The command line calls only these.

import ganforge as gf

run = gf.train("photos/", minutes=5)
pictures = run.sample(64)  # uint8 (64, C, H, W)
print(run.verdict)
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from ganforge.contracts import Job, Observer, Task, Tell
from ganforge.core.files import remove_leftovers, storage_error, write_folder
from ganforge.core.lock import held_by, hold
from ganforge.core.stop import StopRequest
from ganforge.data.images import write_pictures
from ganforge.diagnosis import diagnose
from ganforge.engine.fit import FitSettings, fit
from ganforge.errors import DataError, InputError, RecipeError, RunError, TrainingError, did_you_mean
from ganforge.metrics import parse_target
from ganforge.recipe import Recipe, Request, in_words, read_recipe
from ganforge.report import TensorBoard, write_report
from ganforge.run import Run
from ganforge.tasks import TASKS, labels_for, load_model

Pictures: TypeAlias = NDArray[np.uint8]
TABLES = (".csv", ".tsv", ".parquet", ".feather")


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A run whose model is there. Made by `train`, `resume` or `load`."""

    folder: Path
    verdict: str  # one sentence
    reached: bool | None  # whether the target of `until` was reached; None when there was none

    def sample(self, n: int, *, label: str | None = None, seed: int = 0, truncation: float = 1.0) -> Pictures:
        """Draws pictures: uint8 (n, C, H, W). `label` is one of the labels' names; truncation in (0, 1]."""
        return _draw(Run(self.folder), n, label, seed, truncation)[0]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One line of the table of runs."""

    folder: Path
    data: str
    task: str
    state: str  # "finished", "stopped at 43 %", "training (process 4711)"
    quality: str  # the first measure beside its floor, or ""
    verdict: str


def plan(source: object, **asked: Any) -> Recipe:
    """What `train` would do with this data on this machine: every choice with its reason. Trains nothing.

    Args: source and asked as for `train`. Raises: DataError, RecipeError.
    """
    with _on_disk(source) as path:
        request = _request(path, asked)
        return _task(request).plan(request, _tell(None, ())).recipe


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
    with _on_disk(source) as path:
        request = _request(path, asked)
        folder = Run(run) if run is not None else _next_run(request.source)
        observers = _observers(folder, observers, tensorboard)
        _refuse_existing(folder, force)
        job = _task(request).plan(request, _tell(None, observers))
        recipe = _found_run(folder, job.recipe, path if path != source else None)
    folder.write_json(folder.passport, dict(job.passport))
    job.recipe = recipe
    return _go(folder, job, observers)


def resume(run: str | Path, *, observers: Sequence[Observer] = (), tensorboard: bool = False) -> TrainedRun:
    """Goes on exactly where a run stopped, however it stopped. A finished run is returned as it is.

    Raises: RunError if it is not a run or is in use; DataError if its data is gone or has changed.
    """
    folder = Run.open(run)
    if folder.model.is_dir() and folder.report.is_file():
        return load(run)
    recipe = read_recipe(folder.read_json(folder.recipe))
    observers = _observers(folder, observers, tensorboard)
    job = TASKS[recipe.task]().open(recipe, _tell(folder, observers))
    return _go(folder, job, observers)


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
    label: str | None = None,
    seed: int = 0,
    truncation: float = 1.0,
    force: bool = False,
) -> Path:
    """Draws n pictures into a file: .png (one grid), a folder (one file each), or .npz (x: uint8 (N, C, H, W)).

    Raises: RunError, InputError for an unknown label or suffix, an existing file (unless force), or a bad number.
    """
    if n < 1:
        raise InputError(f"{n} pictures cannot be drawn.", "The number must be at least 1.", "Say, for example, -n 64.")
    if not 0 < truncation <= 1:
        raise InputError(f"A truncation of {truncation:g} makes no sense.", "It lies in 0..1, without 0.", "Try 0.7.")
    pictures, labels, names = _draw(Run.open(run), n, label, seed, truncation)
    write_pictures(pictures, Path(out), labels=labels, label_names=names, force=force)
    return Path(out)


def evaluate(run: str | Path) -> dict[str, Any]:
    """Measures the model again, every measure beside floor and reference; also stored as evaluation.json."""
    folder = Run.open(run)
    load(run)
    recipe = read_recipe(folder.read_json(folder.recipe))
    _use(recipe)
    job = TASKS[recipe.task]().open(recipe, _tell(None, ()))
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
    return [_summary(run) for run in sorted(found, key=lambda run: run.recipe.stat().st_mtime)]


# ---- how -------------------------------------------------------------------------------------------------------------


def _go(folder: Run, job: Job, observers: Sequence[Observer]) -> TrainedRun:
    """Trains a job in its run folder from where it stands, then judges it and writes the report."""
    recipe, tell = job.recipe, _tell(folder, observers)
    target = parse_target(recipe.ask.until, TASKS[recipe.task].measured) if recipe.ask.until else None
    with hold(folder.lock), StopRequest() as stop:
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
                observers=observers,
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
    folder: Run, n: int, label: str | None, seed: int, truncation: float
) -> tuple[Pictures, NDArray[np.int64] | None, tuple[str, ...]]:
    """Pictures, the label of each, and all labels' names."""
    model = load_model(folder.model)
    labels = labels_for(model, label, n)
    if labels is None:
        labels = model.draw_labels(n, seed=seed)
    pictures = model.sample(n, labels=labels, seed=seed, truncation=truncation)
    return pictures, labels, model.label_names


def _tell(folder: Run | None, observers: Sequence[Observer]) -> Tell:
    def tell(kind: str, **content: Any) -> None:
        event = folder.add_event(kind, 0, **content) if folder else {"kind": kind, "step": 0, **content}
        for observer in observers:
            observer.event(event)

    return tell


def _request(source: object, asked: Mapping[str, Any]) -> Request:
    """What was asked for, validated. Raises: RecipeError in words."""
    unknown = set(asked) - set(Request.model_fields)
    if unknown:
        name = sorted(unknown)[0]
        raise RecipeError(f"There is no option {name!r}.", did_you_mean(name, Request.model_fields))
    try:
        request = Request.model_validate({"source": str(source), **asked})
    except ValidationError as error:
        raise in_words(error) from error
    return request


def _task(request: Request) -> Task:
    """The task asked for, or the one that suits the data."""
    task = _chosen_task(request)
    if request.until is not None:
        parse_target(request.until, task.measured)  # before anything is read or written
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


def _next_run(source: str) -> Run:
    """runs/<data>-<number>, the first number that is free."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(source).stem).strip("-.") or "run"
    number = 1
    while Path("runs", f"{name}-{number}").exists():
        number += 1
    return Run(Path("runs", f"{name}-{number}"))


def _refuse_existing(run: Run, force: bool) -> None:
    """A run is never overwritten by accident, and a folder that is not a run is never removed at all."""
    folder = run.folder
    if folder.is_file():
        raise RunError(f"{str(folder)!r} is a file.", "A run is a folder.", "Give another --run.")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not run.recipe.is_file():
        raise RunError(f"{str(folder)!r} holds files that are not a run.", "They would be lost.", "Give another --run.")
    if not force:
        raise RunError(
            f"There is already a run at {str(folder)!r}.",
            "It is never overwritten by accident.",
            f"Go on with `ganforge resume {folder}`, give another --run, or use --force.",
        )
    holder = held_by(run.lock)
    if holder is not None:
        raise RunError(f"{str(folder)!r} is in use by process {holder}.", "It is being trained.", "Stop it first.")


def _found_run(run: Run, recipe: Recipe, array_file: object) -> Recipe:
    """Makes the run folder, in place of an older run, and writes the recipe; an array given in Python is kept in it."""
    try:
        if run.folder.exists():
            shutil.rmtree(run.folder)
        run.folder.mkdir(parents=True)
        if array_file is not None:
            kept = run.folder / "data.npz"
            shutil.move(str(array_file), kept)
            update = {"source": str(kept)}
            recipe = recipe.model_copy(
                update={"data": recipe.data.model_copy(update=update), "ask": recipe.ask.model_copy(update=update)}
            )
    except OSError as error:
        raise storage_error(run.folder, error) from error
    run.write_json(run.recipe, recipe.to_json())
    return recipe


@contextmanager
def _on_disk(source: object) -> Iterator[object]:
    """A path for data that is given as an array or as a pair (array, labels); a path or name is given back as it is."""
    if isinstance(source, str | Path):
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="ganforge-") as folder:
        path = Path(folder, "array.npz")
        x, y = source if isinstance(source, tuple) and len(source) == 2 else (source, None)
        array = np.asarray(x)
        if array.dtype == object:
            raise DataError(f"A {type(source).__name__} cannot be trained on.", "It is neither a path nor an array.")
        if y is None:
            np.savez(path, x=array)
        else:
            np.savez(path, x=array, y=np.asarray(y))
        yield path


def _summary(run: Run) -> RunSummary:
    recipe = run.read_json(run.recipe)
    evaluation, records = run.read_json(run.evaluation), run.read_records()
    holder = held_by(run.lock)
    progress = records[-1]["progress"] if records else 0.0
    if holder is not None:
        state = f"training, {progress:.0%} (process {holder})"
    elif run.model.is_dir() and evaluation:
        state = "finished"
    else:
        state = f"stopped at {progress:.0%}"
    measures = evaluation.get("measures") or []
    first = measures[0] if measures else None
    quality = f"{first['name']} {first['value']:.3g} (floor {first['floor']:.3g})" if first else ""
    verdict = str(evaluation.get("verdict", {}).get("headline", ""))
    return RunSummary(run.folder, recipe["data"]["source"], recipe["task"], state, quality, verdict)
