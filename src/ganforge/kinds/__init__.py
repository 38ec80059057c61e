"""Kinds of data, one folder each. A kind never imports another one.

A new kind is one folder, whose __init__.py holds a `KIND` (contracts.Kind), and one line in KINDS.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from ganforge.contracts import Kind, Model, Task
from ganforge.errors import InputError, RecipeError, did_you_mean

KINDS = {
    "pictures": "ganforge.kinds.pictures",
    "tables": "ganforge.kinds.tables",
    "points": "ganforge.kinds.points",
}


def kind_named(name: str) -> Kind:
    """A kind of data by its name. Raises: RecipeError."""
    if name not in KINDS:
        raise RecipeError(f"There is no kind of data {name!r}.", did_you_mean(name, KINDS))
    kind: Kind = import_module(KINDS[name]).KIND
    return kind


def every_kind() -> list[Kind]:
    """All kinds of data, in the order of KINDS."""
    return [kind_named(name) for name in KINDS]


def task_of(kind: Kind, name: str) -> Task:
    """A task of a kind. Raises: RecipeError if the kind has none of that name; InputError if its extra is missing."""
    if name not in kind.tasks:
        raise RecipeError(f"There is no task {name!r} for {kind.name}.", did_you_mean(name, kind.tasks))
    module, _, task = kind.tasks[name].partition(":")
    with extra_of(kind):
        made: Task = getattr(import_module(module), task)()
    return made


def load_model(kind: Kind, folder: Path, task: str, device: str = "cpu") -> Model:
    """A model of a kind. Raises: RunError; InputError if the kind's extra is missing."""
    with extra_of(kind):
        return kind.load(folder, task, device)


@contextmanager
def extra_of(kind: Kind) -> Iterator[None]:
    """While code of a kind runs: a package that is not installed is asked for in words, if an extra brings it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not kind.extra or (error.name or "").startswith("ganforge"):
            raise
        raise InputError(
            f"{kind.name.capitalize()} need the package {error.name!r}, which is not installed.",
            "It is an extra, because not everybody needs it.",
            f"Install it: pip install 'ganforge[{kind.extra}]'",
        ) from error
