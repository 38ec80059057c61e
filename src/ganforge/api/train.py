"""The verbs of a run's life: `plan`, `train`, `resume`, `evaluate` and `report`."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

from torch import nn

from ganforge.api.distributed import Crew, follow
from ganforge.api.request import requested, task_for, task_of
from ganforge.api.sample import TrainedRun, load
from ganforge.api.stored_run import Teller, environment, on_this_machine, recipe_of, reopened, tell_changes, with_source
from ganforge.contracts import Job, Observer
from ganforge.core.files import remove_leftovers, storage_error, write_folder
from ganforge.core.stop import StopRequest, Terminated
from ganforge.core.world import World, joined, restarted
from ganforge.diagnosis import diagnose
from ganforge.diagnosis.gradients import early_signs
from ganforge.engine.control import Adaptation
from ganforge.engine.fit import FitSettings, Fitted, fit
from ganforge.engine.guard import Guard
from ganforge.errors import Interrupted, Preempted, RunError, TrainingError
from ganforge.measures.intervals import Target, parse_target
from ganforge.planning.compute import library_threads, use
from ganforge.recipe import MOST_AUGMENTATION, Recipe
from ganforge.records import Finding, History
from ganforge.reports import TensorBoard, write_report
from ganforge.run import Run, founded, hold, refuse_existing, refuse_in_use


def train(
    source: object,
    *,
    run: str | Path | None = None,
    force: bool = False,
    observers: Sequence[Observer] = (),
    tensorboard: bool = False,
    **asked: Any,
) -> TrainedRun:
    """Train a model of the data, evaluate it, and write a report.

    Args:
        source: a path (folder of pictures, .npz, .npy, idx, Parquet, table), a built-in name such as "digits", an array
            (N, H, W) or (N, H, W, C), a pair (array, labels), or a table of pandas, polars or pyarrow.
        run: the run folder; by default runs/<data>-<number>. force: replaces an existing run.
        observers: receive every record and event. tensorboard: also writes RUN/tensorboard, for TensorBoard.
        asked: kind, task, minutes, examples, until, size, seed, objective, label, guard, settings: see
            recipe.Request; and the options of the kind of data, such as resolution, rules and plan.
    Started by torchrun, the processes train the run together: the leader does all of this, the others help, and their
    results have no verdict. A world that torchrun restarts resumes the run.
    Raises: DataError, RecipeError, RunError before anything is written; TrainingError; Interrupted after saving;
        WorldError if another process is lost.
    """
    with joined() as world:
        if not world.leads:
            return _followed(world)
        with Crew(world) as crew:
            if restarted() and _begun(run):
                return _resume(Run.open(str(run)), crew, observers, tensorboard)
            return _train(source, crew, run, force, observers, tensorboard, asked)


def _train(
    source: object,
    crew: Crew,
    run: str | Path | None,
    force: bool,
    observers: Sequence[Observer],
    tensorboard: bool,
    asked: Mapping[str, Any],
) -> TrainedRun:
    with requested(source, asked) as request:
        if run is not None:  # before the data is read, which may take a while
            refuse_existing(Run(run), force=force)
            refuse_in_use(Run(run))
        tell = Teller(_observers(Run(run or "runs"), observers, tensorboard))  # now: TensorBoard may be missing
        job = task_for(request).plan(request, tell)
        job.recipe = with_guard(job.recipe)
        crew.check(job.recipe)
        with founded(run, request.source, force=force) as folder:
            _write_beginning(folder, job, given=None if isinstance(source, str | Path) else Path(request.source))
            tell.observers, tell.run = _observers(folder, observers, tensorboard), folder  # the job keeps this one
            _tell_warnings(job, tell)
            return _go(folder, job, tell, crew)


def resume(
    run: str | Path,
    *,
    accept_changed_data: bool = False,
    observers: Sequence[Observer] = (),
    tensorboard: bool = False,
) -> TrainedRun:
    """Resume a run exactly where it stopped, however it stopped. A finished run is returned as it is.

    With another torch, device or ganforge than before it resumes too, and reports that the last bits may differ.

    Args: accept_changed_data resumes although the data has changed, if it still fits the networks.
    Raises: RunError if it is not a run, is in use, or a newer ganforge made it; DataError if its data is missing or has
        changed.
    """
    with joined() as world:
        if not world.leads:
            return _followed(world)
        with Crew(world) as crew:
            return _resume(Run.open(run), crew, observers, tensorboard, accept_changed_data)


def _resume(
    folder: Run, crew: Crew, observers: Sequence[Observer], tensorboard: bool, accept_changed_data: bool = False
) -> TrainedRun:
    run = folder.folder
    if folder.finished():
        if not folder.report.is_file() or folder.lock.exists():  # it was killed just before its end
            with hold(folder.lock):
                remove_leftovers(folder.folder)
                report(run)
        return load(run)
    recipe = on_this_machine(recipe_of(folder))
    with hold(folder.lock):
        tell = Teller(_observers(folder, observers, tensorboard), folder)
        job = reopened(folder, recipe, tell, accept_changed_data=accept_changed_data)
        return _go(folder, job, tell, crew)


def plan(source: object, *, observers: Sequence[Observer] = (), **asked: Any) -> Recipe:
    """Plan what `train` would do with this data on this machine: every choice with its reason. Train nothing.

    Args: source and asked as for `train`; observers are told what is remarkable about the data.
    Raises: DataError, RecipeError.
    """
    tell = Teller(tuple(observers))
    with requested(source, asked) as request:
        job = task_for(request).plan(request, tell)
        _tell_warnings(job, tell)
        return with_guard(job.recipe)


def _tell_warnings(job: Job, tell: Teller) -> None:
    """Tell what is remarkable about the data: what was left out, and what is too little."""
    for sentence in job.passport.get("warnings", ()):
        tell("warned", sentence=sentence)


def evaluate(run: str | Path) -> dict[str, Any]:
    """Evaluate the model again, every measure with floor and reference; also stored as evaluation.json.

    A run from another machine is evaluated on a device of this one.

    Raises: RunError, also for a private run: each look at its data costs a part of its epsilon.
    """
    folder = Run.open(run)
    load(run)
    recipe = on_this_machine(recipe_of(folder))
    if why := task_of(recipe).page_of(recipe).once:
        raise RunError(f"{str(run)!r} cannot be evaluated again.", why, f"See {folder.report}.")
    use(recipe.compute)
    job = reopened(folder, recipe, Teller(()))
    records = folder.read_records()
    last = records[-1] if records else {"step": 0, "examples": 0}
    return evaluated(folder, job, job.read_product(folder.model), last["step"], last["examples"])


def evaluated(folder: Run, job: Job, product: nn.Module, step: int, examples: int) -> dict[str, Any]:
    """Evaluate a product and write evaluation.json and the texts of its pages. Returns: the content of evaluation.json.

    Args: step, examples: how far the product was trained.
    """
    with library_threads(job.recipe.compute):
        content = {"step": step, "examples": examples, **job.evaluate(folder, product).to_json()}
    folder.write_json(folder.page, asdict(task_of(job.recipe).page_of(job.recipe)))  # older runs have none
    folder.write_json(folder.evaluation, content)
    return content


def report(run: str | Path) -> Path:
    """Write report.html again, from the run folder; works on a run in progress too."""
    folder = Run.open(run)
    return write_report(folder, diagnose(folder.history()))


# ---- how -------------------------------------------------------------------------------------------------------------


def _begun(run: str | Path | None) -> bool:
    """Return whether an earlier world has begun this run. Raises: RunError if that is unknown."""
    if run is None:
        raise RunError(
            "The processes were started again, and no run folder was named.",
            "So nobody knows which run is to go on.",
            "Name it with --run-folder FOLDER, or go on with: ganforge resume RUN.",
        )
    return Run(run).recipe.is_file()


def _followed(world: World) -> TrainedRun:
    """Return the result of a process that is not the leader: the path of the run on the leader's machine."""
    return TrainedRun(follow(world, fit_settings) or Path(), "", None)


def _go(folder: Run, job: Job, tell: Teller, crew: Crew) -> TrainedRun:
    """Train a job in its locked run folder from its present state; then evaluate it and write the report.

    Raises: Interrupted, also where nothing had to be saved; TrainingError.
    """
    try:
        remove_leftovers(folder.folder)
        folder.write_json(folder.page, asdict(task_of(job.recipe).page_of(job.recipe)))
        use(job.recipe.compute)
        with library_threads(job.recipe.compute):
            job.prepare()
            if task_of(job.recipe).untrained is not None:
                return _released(folder, job, tell)
            crew.brief(folder.folder, job)
            fitted = _trained(folder, job, tell, crew)
            state = fitted.state
            reached = state.reached if _target(job.recipe) else None
            return _ended(folder, job, tell, fitted.product, state.step, state.clock.examples, state.seconds, reached)
    except KeyboardInterrupt as error:
        stopped = Preempted if isinstance(error, Terminated) else Interrupted
        go_on = f"Go on with: ganforge resume {folder.folder}"
        raise stopped("Stopped at once.", "What was saved before is as it was.", go_on) from error


def _trained(folder: Run, job: Job, tell: Teller, crew: Crew) -> Fitted:
    """Train the job to its end. A first Ctrl-C or SIGTERM saves and stops, a second one stops at once."""
    recipe, target = job.recipe, _target(job.recipe)
    here = environment(recipe)
    tell_changes(folder, here, tell)
    measured = dict(task_of(recipe).measured)
    tell("started", examples=recipe.length.examples, device=recipe.compute.device, measured=measured, environment=here)
    with StopRequest() as stop:
        try:
            fitted = fit(
                job.game(),
                job.feed,
                fit_settings(recipe),
                run=folder,
                observers=tell.observers,
                look=lambda product, state: job.look(folder, product, state.clock.examples),
                target=target.reached if target else None,
                guard=guard_for(recipe),
                stop=stop,
                world=crew.world,
            )
        except TrainingError:
            tell("failed")
            write_report(folder, diagnose(folder.history()))
            raise
        if stop():  # after the last step, which has been saved
            raise Interrupted("Stopped on request after training.", do=f"Go on with: ganforge resume {folder.folder}")
    return fitted


def _released(folder: Run, job: Job, tell: Teller) -> TrainedRun:
    """Make the product of a job that trains nothing, and write the results."""
    begun, here = perf_counter(), environment(job.recipe)
    tell_changes(folder, here, tell)
    tell("releasing", environment=here)
    product = job.product(folder)
    return _ended(folder, job, tell, product, 0, 0, perf_counter() - begun, None)


def _ended(
    folder: Run,
    job: Job,
    tell: Teller,
    product: nn.Module,
    step: int,
    examples: int,
    seconds: float,
    reached: bool | None,
) -> TrainedRun:
    """Write the results of a job: the model, its evaluation and the report.

    Args: product as trained, after so many steps, examples and seconds; reached the target, None without one.
    """
    product = job.finish(product)
    write_folder(folder.model, lambda target_folder: job.write_model(target_folder, product))
    tell("evaluating")
    content = evaluated(folder, job, product, step, examples)
    verdict = content["verdict"]["headline"]
    tell("finished", examples=examples, seconds=seconds, reached=reached)
    path = write_report(folder, diagnose(folder.history()))
    tell("reported", path=str(path), verdict=verdict)
    return TrainedRun(folder.folder, verdict, reached)


def _target(recipe: Recipe) -> Target | None:
    return parse_target(recipe.ask.until, task_of(recipe).measured) if recipe.ask.until else None


def _observers(folder: Run, given: Sequence[Observer], tensorboard: bool) -> tuple[Observer, ...]:
    return (*given, TensorBoard(folder.tensorboard)) if tensorboard else tuple(given)


def _write_beginning(folder: Run, job: Job, given: Path | None) -> None:
    """Write passport and recipe; data that was given in Python is stored with them and moves with the folder.

    A task that does not keep data forgets where they were: without them the run can be resumed once they are released.
    """
    passport = dict(job.passport)
    if given is not None and not task_of(job.recipe).keeps_data:
        given, passport["source"] = None, GIVEN
        job.recipe = with_source(job.recipe, GIVEN)
    if given is not None:
        place = folder.given_data(given.suffix)
        passport["source"] = f"given in Python, kept as {place.name}"
    folder.write_json(folder.passport, passport)  # first: it marks a folder whose beginning was cut off
    if given is not None:
        try:
            shutil.move(given, place)
        except OSError as error:
            raise storage_error(place, error) from error
        job.recipe = with_source(job.recipe, place.name)
    folder.write_json(folder.recipe, job.recipe.to_json())


# ---- the engine's settings from a recipe -----------------------------------------------------------------------------


GIVEN = "given in Python"  # the source of data that is not kept
RAMP_SHARE = 0.25  # of a run: how fast the strength of the augmentation can go from 0 to 1


def fit_settings(recipe: Recipe) -> FitSettings:
    """Return everything that decides the numbers of a run, from its recipe."""
    return FitSettings(
        seed=recipe.seed,
        batch_size=recipe.optimiser.batch_size,
        length_examples=recipe.length.examples,
        half_life_examples=recipe.average.half_life_examples,
        precision=recipe.compute.precision,
        pieces=recipe.compute.pieces,
        capture=recipe.compute.capture is not False,
        record_every_steps=recipe.records.every_steps,
        checkpoint_every_steps=recipe.records.checkpoint_every_steps,
        marks=recipe.records.marks,
        seconds_allowed=recipe.length.seconds_allowed,
        best_by=recipe.records.best_by,
        patience_looks=recipe.records.patience_looks or 0,
        adaptation=_adaptation(recipe),
    )


def _adaptation(recipe: Recipe) -> Adaptation | None:
    """Return how the augmentation adapts, or None if it does not."""
    if recipe.augmentation is None or not recipe.augmentation.target:
        return None
    return Adaptation(
        player="discriminator",
        target=recipe.augmentation.target,
        ramp_examples=RAMP_SHARE * recipe.length.examples,
        most=MOST_AUGMENTATION,
    )


def with_guard(recipe: Recipe) -> Recipe:
    """Add to the recipe whether its run is guarded, and the reason."""
    unguarded = task_of(recipe).unguarded
    reason = "when the diagnosis finds something wrong, a lever is turned and judged; healthy runs are left alone"
    if not recipe.ask.guard:
        reason = "you asked for no guard"
    elif unguarded is not None:
        reason = unguarded
    return recipe.model_copy(update={"guard": recipe.ask.guard and unguarded is None}).with_reason(guard=reason)


def guard_for(recipe: Recipe) -> Guard | None:
    """Make a guard for one session of a run, or None if the recipe is without one."""
    if not recipe.guard:
        return None
    return Guard(_find, task_of(recipe).measured, augments=recipe.augmentation is not None)


def _find(history: History, asked: Collection[str]) -> tuple[Finding, ...]:
    return (*early_signs(history), *diagnose(history, asked))
