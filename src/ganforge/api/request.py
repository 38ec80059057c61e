"""From what a person asks to a validated request and the task that serves it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ganforge.contracts import Task
from ganforge.core.device import devices_here, survey_machine
from ganforge.errors import RecipeError, did_you_mean
from ganforge.kinds.pictures.measures import parse_target
from ganforge.kinds.recognise import kind_of
from ganforge.kinds.source import lasting
from ganforge.kinds.tasks import TASKS
from ganforge.recipe import OWN_SECTIONS, Recipe, Request, in_words


def request_of(source: str | Path, asked: Mapping[str, Any]) -> Request:
    """What was asked for, validated. Raises: RecipeError in words."""
    unknown = set(asked) - set(Request.model_fields)
    if unknown:
        name = sorted(unknown)[0]
        raise RecipeError(f"There is no option {name!r}.", did_you_mean(name, Request.model_fields))
    asked = dict(asked)
    if isinstance(settings := asked.get("settings"), Mapping):
        typed = {name: _as_typed(name, value) for name, value in settings.items()}
        asked["settings"] = _own_section(typed, str(asked.get("task") or "generate"))
    if (label := str(asked.get("label"))).endswith(".npy") and Path(label).is_file():
        asked["label"] = str(Path(label).absolute())
    if asked.get("plan") is not None:
        asked["plan"] = str(Path(asked["plan"]).expanduser().absolute())
    try:
        request = Request.model_validate({"source": lasting(source), **asked})
    except ValidationError as error:
        raise in_words(error) from error
    return request


def task_for(request: Request) -> Task:
    """The task asked for, or the one that suits the data. What needs no data is checked here, before it is read."""
    task = _chosen_task(request)
    if request.until is not None:
        parse_target(request.until, task.measured)
    if (best_by := request.settings.get("records.best_by", "null")) != "null":
        _refuse_no_height(best_by, task)
    device = request.settings.get("compute.device", "cpu")
    if device not in devices_here():
        raise RecipeError(
            f"There is no device {device!r} here.",
            f"The best one of this machine is {survey_machine().device!r}.",
            "Leave compute.device to the plan.",
        )
    return task


def task_of(recipe: Recipe) -> Task:
    """The task of a run. Raises: RecipeError for one that this version does not know."""
    kinds = TASKS.get(recipe.task, {})
    if recipe.data.kind not in kinds:
        raise RecipeError(f"There is no task {recipe.task!r} for {recipe.data.kind!r} in this version of ganforge.")
    return kinds[recipe.data.kind]()


def _chosen_task(request: Request) -> Task:
    name = request.task or "generate"
    if name not in TASKS:
        raise RecipeError(f"There is no task {name!r}.", did_you_mean(name, TASKS))
    kinds, kind = TASKS[name], kind_of(request.source)
    if request.resolution is not None and "table" in (kind, *(kinds if len(kinds) == 1 else ())):
        raise RecipeError(
            f"The resolution {request.resolution} was given, and what is learned is a table.",
            "Only pictures have a resolution.",
            "Leave it out.",
        )
    if len(kinds) == 1:  # a task of one kind reads whatever it is given, and says itself what is wrong with it
        return next(iter(kinds.values()))()
    if kind != "table" and (request.plan or request.rules):
        option = f"plan {request.plan!r}" if request.plan else f"rule {request.rules[0]!r}"
        raise RecipeError(f"The {option} was given, and {request.source!r} is no table.", do="Leave it out.")
    return kinds[kind]()


def _refuse_no_height(measure: str, task: Task) -> None:
    """Raises: RecipeError for a measure that cannot say which model is best: it is not taken, or lower is better."""
    rising = [name for name, better in task.measured.items() if better == "higher"]
    if measure not in rising:
        raise RecipeError(
            f"The best model cannot be kept by {measure!r}.",
            "It takes a measure of training for which higher is better.",
            did_you_mean(measure, rising),
        )


def _own_section(settings: dict[str, str], task: str) -> dict[str, str]:
    """Settings with `task.` replaced by the section that belongs to the task. Raises: RecipeError if it has none."""
    own = next((name for name in settings if name.startswith("task.")), None)
    if own is None:
        return settings
    if task not in OWN_SECTIONS:
        raise RecipeError(
            f"There is no setting {own!r} of the task {task!r}.",
            f"Only {' and '.join(OWN_SECTIONS)} have settings of their own.",
            f"Say which task with --task {OWN_SECTIONS[-1]}.",
        )
    return {f"{task}.{name[5:]}" if name.startswith("task.") else name: value for name, value in settings.items()}


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
