"""The model of a run, whichever kind of data it is of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ganforge import kinds
from ganforge.contracts import Kind, Model
from ganforge.core.files import read_json_file
from ganforge.errors import InputError, RunError
from ganforge.kinds.options import read_options, refuse_of_others
from ganforge.recipe import FORMER_KINDS
from ganforge.run import Run


def model_of(run: str | Path, device: str = "cpu") -> Model:
    """The model of a run, on a device. Raises: RunError if there is none, or it is damaged."""
    kind, task = _kind_and_task(run)
    return kinds.load_model(kind, Run(run).model, task, device)


def model_and_options(run: str | Path, verb: str, given: Mapping[str, Any]) -> tuple[Model, dict[str, Any]]:
    """The model of a run, and the options given for a verb as the model takes them.

    Raises: RunError; RecipeError for an option that there is not, that another kind has, or a value it cannot take.
    """
    asked = read_options(verb, given)
    kind, task = _kind_and_task(run)
    refuse_of_others(kind, verb, asked, f"{str(run)!r} is a run of {kind.name}")
    return kinds.load_model(kind, Run(run).model, task), asked


def verb_of(model: Model, verb: str) -> Callable[..., Any]:
    """What only some models can do, such as `invert`. Raises: InputError that says what the model can do instead."""
    method: Callable[..., Any] | None = getattr(model, verb, None)
    if method is None:
        steps = " or ".join(f"ganforge {step}" for step in model.next_steps())
        raise InputError(f"This run cannot {verb}.", "Its model has no such verb.", f"Use: {steps}" if steps else "")
    return method


def _kind_and_task(run: str | Path) -> tuple[Kind, str]:
    """What model.json says; version 0.1.0 left out the kind of some, which is the first that has such a task."""
    description = Run.open(run).model / "model.json"
    said: Any = {}
    with suppress(OSError, ValueError):  # the kind's reader says what is wrong
        said = read_json_file(description) if description.is_file() else {}
    name, task = (str(said.get(key)) if isinstance(said, Mapping) else "" for key in ("kind", "task"))
    name = FORMER_KINDS.get(name, name)
    every = kinds.every_kind()
    found = [kind for kind in every if name == kind.name or (name not in kinds.KINDS and task in kind.tasks)]
    if not found:
        if task in ("", "None"):
            return every[0], task
        raise RunError(
            f"The model of {str(run)!r} is of the task {task!r}, which this version does not know.",
            "It is damaged, or another version made it.",
            "Use the version that made the run.",
        )
    return found[0], task
