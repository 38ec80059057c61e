"""Validation of a person's request, and the choice of its task."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ganforge import kinds
from ganforge.contracts import Kind, Task
from ganforge.errors import DataError, RecipeError, did_you_mean
from ganforge.kinds import lasting, on_disk, options_of, read_options, recognise, refuse_of_others
from ganforge.measures.intervals import parse_target
from ganforge.recipe import FORMER_KINDS, Recipe, Request, in_words, read_recipe

COMMON = set(Request.model_fields) - {"source", "options"}


@contextmanager
def requested(source: object, asked: Mapping[str, Any]) -> Iterator[Request]:
    """Yield the validated request for data. Data that was given in Python is a file inside the context.

    Raises: RecipeError, DataError.
    """
    kind = asked.get("kind")
    if isinstance(source, str | Path):
        yield request_of(source, asked)
        return
    found, _ = recognise(source, [kinds.kind_named(kind)] if kind is not None else None)
    with on_disk(source, found) as path:
        yield request_of(path, {**asked, "kind": found.name})


def refuse_nameless(source: object) -> None:
    """Raise DataError for an empty name, as of a shell's variable that is not set: it would mean this folder."""
    if isinstance(source, str) and not source.strip():
        raise DataError("No data were named.", "The name that was given is empty.", "Say . for this folder.")


def request_of(source: str | Path, asked: Mapping[str, Any]) -> Request:
    """Return the request, validated as far as possible without the data. Raises: RecipeError, DataError."""
    refuse_nameless(source)
    more = {name: value for name, value in asked.items() if name not in COMMON}
    unknown = sorted(set(more) - set(options_of("train")))
    if unknown:
        raise RecipeError(
            f"There is no option {unknown[0]!r}.", did_you_mean(unknown[0], COMMON | set(options_of("train")))
        )
    asked = {name: value for name, value in asked.items() if name in COMMON}
    if isinstance(settings := asked.get("settings"), Mapping):
        asked["settings"] = {name: _as_typed(name, value) for name, value in settings.items()}
    if (label := str(asked.get("label"))).endswith(".npy") and Path(label).is_file():
        asked["label"] = str(Path(label).absolute())
    try:
        return Request.model_validate({"source": lasting(source), **asked, "options": read_options("train", more)})
    except ValidationError as error:
        raise in_words(error) from error


def asked_of(request: Request) -> dict[str, Any]:
    """Return the arguments of `request_of`, without the source."""
    asked = request.model_dump(exclude_unset=True, exclude={"source", "options"})
    return {**asked, **request.options}


def task_for(request: Request) -> Task:
    """Return the task asked for, or the data's default. What does not need the data is checked before it is read."""
    task = _chosen_task(request)
    if task.labels is not None and request.label not in (None, "none"):
        raise RecipeError(
            f"The task {task.name} cannot take labels from {request.label!r}.", task.labels, "Leave --label out."
        )
    if task.untrained is not None:
        _refuse_training(request, task.untrained)
    if request.until is not None:
        parse_target(request.until, task.measured)
    return task


def task_of(recipe: Recipe) -> Task:
    """Return the task of a run. Raises: RecipeError for one that this version does not know."""
    return kinds.task_of(kinds.kind_named(recipe.data.kind), recipe.task)


def recipe_from(content: Mapping[str, Any]) -> Recipe:
    """Read a recipe from its JSON object, with the section of its task. Raises: RecipeError."""
    data = content.get("data")
    name = str(data.get("kind")) if isinstance(data, Mapping) else ""
    kind = kinds.kind_named(FORMER_KINDS.get(name, name))
    return read_recipe(content, type(kinds.task_of(kind, str(content.get("task")))))


def _chosen_task(request: Request) -> Task:
    kind, what = _kind_for(request)
    refuse_of_others(kind, "train", request.options, what)
    return kinds.task_of(kind, kinds.task_asked_by(kind, request))


def _kind_for(request: Request) -> tuple[Kind, str]:
    """Return the kind of data that is asked for, implied by the task, or recognised; and the reason in words."""
    if request.kind is not None:
        return kinds.kind_named(request.kind), f"the data is of the kind {request.kind}"
    every = kinds.every_kind()
    able = [kind for kind in every if request.task is None or request.task in kind.tasks]
    if not able:
        tasks = {task for kind in every for task in kind.tasks}
        raise RecipeError(f"There is no task {request.task!r}.", did_you_mean(str(request.task), tasks))
    if len(able) == 1:  # it reads whatever it is given, and says itself what is wrong with it
        return able[0], f"the task {request.task} is one of {able[0].name}"
    kind, claim = recognise(request.source, able)
    return kind, f"{request.source!r} is taken for {kind.name}, because {claim.why}"


def _refuse_training(request: Request, why: str) -> None:
    """Raise RecipeError for what says how a network is to be trained, where none is. Args: why none is."""
    for name in ("minutes", "examples", "until", "size", "objective"):
        if (value := getattr(request, name)) is not None:
            shown = f"{value:g}" if isinstance(value, float) else value
            raise RecipeError(f"--{name} {shown} was given, and nothing is trained.", why, "Leave it out.")


def _as_typed(name: str, value: object) -> str:
    """Format a setting as typed. Raises: RecipeError if it is not a number, text, list or true/false."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:
        raise RecipeError(
            f"The setting {name} cannot be {value!r}.", f"{error}.", "Give a number or a text."
        ) from error
