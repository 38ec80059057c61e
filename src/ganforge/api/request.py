"""From what a person asks to a validated request and the task that serves it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ganforge.contracts import Task
from ganforge.errors import RecipeError, did_you_mean
from ganforge.kinds.pictures.measures import parse_target
from ganforge.kinds.recognise import kind_of
from ganforge.kinds.source import lasting
from ganforge.kinds.tasks import TASKS
from ganforge.recipe import Recipe, Request, in_words, read_recipe


def request_of(source: str | Path, asked: Mapping[str, Any]) -> Request:
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
    return task


def task_of(recipe: Recipe) -> Task:
    """The task of a run. Raises: RecipeError for one that this version does not know."""
    return task_named(recipe.task, recipe.data.kind)()


def task_named(name: str, kind: str) -> type[Task]:
    """The task of this name for a kind of data. Raises: RecipeError where this version knows none."""
    kinds = TASKS.get(name, {})
    if kind not in kinds:
        raise RecipeError(f"There is no task {name!r} for {kind!r} in this version of ganforge.")
    return kinds[kind]


def recipe_from(content: Mapping[str, Any]) -> Recipe:
    """A recipe from its JSON object, with the section of its task. Raises: RecipeError."""
    data = content.get("data")
    kind = data.get("kind") if isinstance(data, Mapping) else None
    return read_recipe(content, task_named(str(content.get("task")), str(kind)))


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
