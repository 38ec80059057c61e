"""Training of many recipes on many machines: each in a Ray task, on any free worker. It needs the extra ray.

from ganforge.api.in_ray import train_in_ray

asked = [{"name": f"seed{seed}", "source": "/data/photos", "minutes": 60, "seed": seed} for seed in range(8)]
results = train_in_ray(asked, storage="/shared/runs", cache="/shared/cache")

The machines exchange only paths and JSON; models stay in their run folders. So `storage`, `cache` and the data are
folders that every worker can access by the same path. A task whose worker is lost is started again elsewhere and
continues its run folder, to the same bits.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

from ganforge.api.request import asked_of, request_of, task_for
from ganforge.api.stored_run import recipe_of
from ganforge.api.train import resume, train
from ganforge.errors import GanforgeError, InputError, Preempted, RunError
from ganforge.recipe import Request
from ganforge.run import Run, held_by

RELEASE_SECONDS = 120.0  # a worker that is cut off ends within that time; until then it holds its run
CACHE_NAME = "GANFORGE_CACHE"
OF_THE_RUN = ("minutes", "examples", "until", "size", "seed", "objective", "guard", "settings")  # none is of the data


@dataclass(frozen=True, slots=True)
class RayResult:
    """The result of one recipe."""

    name: str
    folder: Path
    verdict: str = ""
    measure: str = ""  # the leading one
    value: float | None = None
    floor: float | None = None  # what a perfect generator would get
    reached: bool | None = None  # the target of `until`; None where there was none
    seconds: float = 0.0  # of training
    resumed: int = 0  # how often the run was resumed from a checkpoint
    error: str = ""  # why there is no model, in words; "" where there is one


@dataclass(frozen=True, slots=True)
class Prepared:
    """The summary of one data set."""

    source: str
    hash: str = ""  # sha256 of the examples
    shape: tuple[int, ...] = ()  # of one example
    seconds: float = 0.0
    error: str = ""  # why it cannot be trained on, in words


def train_in_ray(
    recipes: Sequence[Mapping[str, Any]],
    *,
    storage: str | Path,
    cache: str | Path | None = None,
    max_retries: int = 3,
    cpus: float = 1,
    gpus: float = 0,
    told: Callable[[RayResult], None] = lambda result: None,
) -> list[RayResult]:
    """Train every recipe in a task of its own and wait for all. Existing runs are resumed, or only read.

    Args:
        recipes: the arguments of `train`, as {"name": ..., "source": a path or built-in name, ...}; the run folder is
            storage/name.
        cache: where decoded pictures and judges are kept; by default each machine's own.
        max_retries: how often a task that lost its worker is started again.
        cpus, gpus: that a task takes; by `cpus` it has as many threads.
        told: is called with each result as soon as it is available.
    Returns: a result for each recipe, in order. One that cannot be trained has its error in words; the others go on.
    Raises: InputError if Ray is not installed, or names are missing, not plain names, or not distinct.
    """
    folders = _folders(recipes, Path(storage).expanduser().absolute())
    jobs: list[tuple[str, ...]] = []
    results: list[RayResult] = []
    for folder, recipe in zip(folders, recipes, strict=True):
        text, error = _as_text({key: value for key, value in recipe.items() if key != "name"})
        results.append(RayResult(folder.name, folder, error=error))
        jobs.append((text, str(folder)))
    for place, answer in _answers(train_one, jobs, cache, max_retries=max_retries, num_cpus=cpus, num_gpus=gpus):
        results[place] = RayResult(folders[place].name, folders[place], **answer)
        told(results[place])
    return results


def prepare_in_ray(
    recipes: Sequence[Mapping[str, Any]],
    *,
    cache: str | Path | None = None,
    max_retries: int = 3,
    cpus: float = 1,
    gpus: float = 0,
) -> list[Prepared]:
    """Read the data of the recipes, each data set once, so that training finds it decoded and its judge trained.

    Args: as for `train_in_ray`, without names; cache a folder that all machines share, else each worker warms only the
        cache of its own machine.
    Returns: the results, in the order of the data sets. For a table nothing is cached, but errors are found.
    Raises: InputError if Ray is not installed.
    """
    texts: dict[str, str] = {}
    for recipe in recipes:
        data = {key: value for key, value in recipe.items() if key not in ("name", *OF_THE_RUN)}
        text, error = _as_text(data)
        texts.setdefault(text or json.dumps(data, sort_keys=True, default=str), error)
    found = [Prepared(str(json.loads(text).get("source")), error=error) for text, error in texts.items()]
    jobs = [("" if error else text,) for text, error in texts.items()]
    for place, answer in _answers(prepare_one, jobs, cache, max_retries=max_retries, num_cpus=cpus, num_gpus=gpus):
        found[place] = Prepared(found[place].source, **{**answer, "shape": tuple(answer.get("shape", ()))})
    return found


# ---- what runs on a worker -------------------------------------------------------------------------------------------


def train_one(asked: str, run: str, cache: str) -> str:
    """Train or resume one recipe. Return errors in words instead of raising them.

    Args: asked the request as JSON; run the folder; cache "" for the machine's own. Returns: a RayResult as JSON.
    """
    _use_cache(cache)
    folder, request = Run(run), Request.model_validate_json(asked)
    try:
        _wait_for(folder)
        if folder.recipe.is_file():
            _refuse_another(folder, request)
            trained = resume(run)
        else:
            trained = train(request.source, run=run, **asked_of(request))
    except Preempted as error:
        os._exit(error.exit_code)  # the machine is preempted: the run is saved, and Ray starts the task elsewhere
    except GanforgeError as error:
        return json.dumps({"error": str(error)})
    evaluation, records = folder.read_json(folder.evaluation), folder.read_records()
    leading: dict[str, Any] = next(iter(evaluation["measures"]), {})
    return json.dumps(
        {
            "verdict": trained.verdict,
            "measure": leading.get("name", ""),
            "value": leading.get("value"),
            "floor": leading.get("floor"),
            "reached": trained.reached,
            "seconds": records[-1]["seconds"] if records else 0.0,
            "resumed": sum(event["kind"] == "resumed" for event in folder.read_events()),
        }
    )


def prepare_one(asked: str, cache: str) -> str:
    """Open one data set as training does, and prepare what training would prepare before its first step.

    Args: as for `train_one`. Returns: a Prepared as JSON.
    """
    begun = perf_counter()
    _use_cache(cache)
    request = Request.model_validate_json(asked)
    try:
        job = task_for(request).plan(request, lambda kind, **content: None)
        job.prepare()
    except GanforgeError as error:
        return json.dumps({"error": str(error)})
    data = job.recipe.data
    return json.dumps({"hash": data.hash, "shape": data.shape, "seconds": perf_counter() - begun})


def _use_cache(cache: str) -> None:
    if cache:
        os.environ[CACHE_NAME] = cache  # of this process, which ends with the task


def _wait_for(run: Run) -> None:
    """Wait for the earlier worker, which may be cut off without knowing; the lock of the run ends when it does."""
    give_up = time.monotonic() + RELEASE_SECONDS
    while held_by(run.lock) is not None and time.monotonic() < give_up:
        time.sleep(0.5)


def _refuse_another(run: Run, request: Request) -> None:
    known, asked = recipe_of(run).ask.model_dump(), request.model_dump()
    other = next((name for name in asked if asked[name] != known[name]), None)
    if other is not None:
        raise RunError(
            f"The run at {str(run.folder)!r} was asked for with {other} {known[other]!r}, now it is {asked[other]!r}.",
            "It would be returned in place of the one that is wanted.",
            "Give this recipe another name.",
        )


# ---- what runs where the recipes are -------------------------------------------------------------------------------


def _folders(recipes: Sequence[Mapping[str, Any]], storage: Path) -> list[Path]:
    names = [recipe.get("name") for recipe in recipes]
    for name in names:
        if not isinstance(name, str) or name in ("", ".", "..") or Path(name).name != name or names.count(name) > 1:
            raise InputError(
                f"The name {name!r} of a recipe cannot be used.",
                "It becomes the name of a run folder.",
                'Give each recipe another "name", without a slash.',
            )
    return [storage / str(name) for name in names]


def _as_text(asked: Mapping[str, Any]) -> tuple[str, str]:
    """Return a request as JSON, and ""; or "", and its error. Paths are relative to the current folder."""
    options = {name: value for name, value in asked.items() if name != "source"}
    source = asked.get("source")
    if not isinstance(source, str | Path):
        return (
            "",
            f"The source is {source!r:.100}. Workers need a path or a built-in name. Save it to a file.",
        )
    try:
        return request_of(source, options).model_dump_json(exclude_unset=True), ""
    except GanforgeError as error:
        return "", str(error)


def _answers(
    work: Callable[..., str], jobs: Sequence[tuple[str, ...]], cache: str | Path | None, **options: Any
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Run the jobs whose first word is not empty in Ray tasks; yield the place and result of each as it ends."""
    if find_spec("ray") is None:
        raise InputError(
            "Ray is not installed.",
            "It is an extra, because one machine does not need it.",
            "Install it here and on every worker: pip install 'ganforge[ray]'",
        )
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # ganforge sends no usage data; Ray would
    import ray

    # A process of its own for each task: it leaves no threads, memory or settings behind for the next.
    task = ray.remote(**options, max_calls=1, scheduling_strategy="SPREAD")(work)
    place_of_cache = str(Path(cache).expanduser().absolute()) if cache is not None else ""
    waiting = {task.remote(*job, place_of_cache): place for place, job in enumerate(jobs) if job[0]}
    while waiting:
        (ended, *_), _ = ray.wait(list(waiting), num_returns=1)
        place = waiting.pop(ended)
        try:
            yield place, json.loads(ray.get(ended))
        except ray.exceptions.RayError as error:  # lost too often, out of memory, or a bug of ganforge
            yield place, {"error": f"The task was lost: {str(error).strip().splitlines()[-1]}"}
