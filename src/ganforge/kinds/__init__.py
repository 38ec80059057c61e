"""Kinds of data, one folder each. A kind never imports another one.

A new kind is one folder, whose __init__.py holds a `KIND` (contracts.Kind), and one line in KINDS.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any

from ganforge.contracts import Claim, Kind, Model, Option, Task
from ganforge.errors import DataError, InputError, RecipeError, RunError, did_you_mean
from ganforge.recipe import Request

KINDS = {
    "pictures": "ganforge.kinds.pictures",
    "tables": "ganforge.kinds.tables",
    "points": "ganforge.kinds.points",
    "sounds": "ganforge.kinds.sounds",
    "text": "ganforge.kinds.text",
    "interactions": "ganforge.kinds.interactions",
}


def kind_named(name: str) -> Kind:
    """Return a kind of data by its name. Raises: RecipeError."""
    if name not in KINDS:
        raise RecipeError(f"There is no kind of data {name!r}.", did_you_mean(name, KINDS))
    kind: Kind = import_module(KINDS[name]).KIND
    return kind


def every_kind() -> list[Kind]:
    """Return all kinds of data, in the order of KINDS."""
    return [kind_named(name) for name in KINDS]


def task_of(kind: Kind, name: str) -> Task:
    """Import a task of a kind. Raises: RecipeError if the kind does not have it; InputError if its extra is missing."""
    if name not in kind.tasks:
        raise RecipeError(f"There is no task {name!r} for {kind.name}.", did_you_mean(name, kind.tasks))
    module, _, task = kind.tasks[name].partition(":")
    with extra_of(kind):
        made: Task = getattr(import_module(module), task)()
    return made


def load_model(kind: Kind, folder: Path, task: str, device: str = "cpu") -> Model:
    """Load a model of a kind, without its data. Raises: RunError; InputError if the kind's extra is missing."""
    if task not in kind.models:
        from ganforge.core.model_files import read_description  # late: it imports torch

        read_description(folder)  # says what is missing or damaged
        raise RunError(
            f"The model at {str(folder)!r} is of the task {task!r}.",
            f"There is no such task for {kind.name} in this version.",
            "Use the version that made the run.",
        )
    module, _, load = kind.models[task].partition(":")
    with extra_of(kind):
        model: Model = getattr(import_module(module), load)(folder, device=device)
        return model


@contextmanager
def extra_of(kind: Kind) -> Iterator[None]:
    """Turn the missing package of an extra into an InputError that names the extra, while code of a kind runs."""
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


# ---- options that belong to kinds: their list, and how their values are read -----------------------------------------


def options_of(verb: str) -> dict[str, list[tuple[Kind, Option]]]:
    """Return the options that kinds have for a verb, by name, each with the kinds that have it."""
    found: dict[str, list[tuple[Kind, Option]]] = {}
    for kind in every_kind():
        for option in kind.options:
            if verb in option.verbs:
                found.setdefault(option.name, []).append((kind, option))
    return found


def task_asked_by(kind: Kind, request: Request) -> str:
    """Return the task that is asked for by name, else by an option, else the first of the kind.

    Raises: RecipeError for an option of another task than the one named.
    """
    for option in kind.options:
        if option.task and option.name in request.options:
            if request.task not in (None, option.task):
                raise RecipeError(
                    f"{flag_of(option)} was given, and so was --task {request.task}.",
                    f"It belongs to the task {option.task}.",
                    "Leave one of them out.",
                )
            return option.task
    return request.task or next(iter(kind.tasks))


def flag_of(option: Option) -> str:
    """Return an option's flag: --resolution."""
    return option.flag or f"--{option.name.replace('_', '-')}"


def was_given(value: object) -> bool:
    """Return whether an option was given: not if it is None, False, or an empty tuple, list or dictionary."""
    return value is not None and value is not False and not (isinstance(value, tuple | list | dict) and not value)


def read_options(verb: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Read values for options of kinds. What is None, False or empty was not given and is left out.

    Raises: RecipeError for a name that no kind has, or a value that the option cannot take.
    """
    known = options_of(verb)
    read: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise RecipeError(f"There is no option {name!r}.", did_you_mean(name, known))
        _, option = known[name][0]
        if not was_given(value):
            continue
        if not option.many or option.type is object:
            read[name] = read_value(option, value)
        elif isinstance(value, tuple | list):
            read[name] = tuple(read_value(option, each) for each in value)
        else:
            raise RecipeError(f"{name} cannot be {value!r}.", "It takes several.", f"Give a list: [{value!r}]")
    return read


def refuse_of_others(kind: Kind, verb: str, given: Mapping[str, Any], what: str) -> None:
    """Refuse options of other kinds. Raises: RecipeError.

    Args: what the option was given for, as the second half of a sentence: "'wine' is read as a table".
    """
    own = {option.name for option in kind.options if verb in option.verbs}
    for name, value in given.items():
        if name not in own:
            owners = options_of(verb)[name]
            flag, first = flag_of(owners[0][1]), value[0] if isinstance(value, tuple | list) else value
            shown = flag if first is True else f"{flag} {first}"
            *names, last = (owner.name for owner, _ in owners)
            have = "have" if names or last.endswith("s") else "has"
            raise RecipeError(
                f"{shown} was given, and {what}.",
                f"Only {', '.join(names) + ' and ' * bool(names) + last} {have} {flag}.",
                "Leave it out.",
            )


def read_value(option: Option, value: Any) -> Any:
    """Read one value, as it is typed or as Python has it. Raises: RecipeError."""
    read = value
    if option.type is bool:
        if not isinstance(value, bool):
            raise _unusable(option, value, "It is true or false.")
    elif option.type is str:
        if not isinstance(value, str | int | PathLike) or isinstance(value, bool):
            raise _unusable(option, value, "It is a text.")
        read = str(value)
    elif option.type is not object:
        read = _number(option, value)
    return option.check(read) if option.check else read


def _number(option: Option, value: Any) -> int | float:
    """Read a number within its bounds; 2_000 and 2,000 are accepted where it is whole."""
    whole = option.type is int
    try:
        if isinstance(value, bool):
            raise TypeError
        number = float(value.replace(",", "_") if whole and isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    least, most = option.within or (-math.inf, math.inf)
    if not (math.isfinite(number) and least <= number <= most) or (whole and number != int(number)):
        raise _unusable(option, value, f"It is a {'whole ' * whole}number{_bounds(option)}.")
    return int(number) if whole else number


def _bounds(option: Option) -> str:
    if option.within is None:
        return ""
    least, most = option.within
    return f" from {least:g} on" if math.isinf(most) else f" from {least:g} to {most:g}"


def _unusable(option: Option, value: object, why: str) -> RecipeError:
    example = f"For example: {flag_of(option)} {option.example}" if option.example else ""
    return RecipeError(f"{flag_of(option)} cannot be {value!r}.", why, example)


# ---- which kind of data something is: each kind says why it may be its own, and the strongest claim wins -------------


MOST_NAMES = 30  # that are listed where none is near


def recognise(source: object, among: Iterable[Kind] | None = None) -> tuple[Kind, Claim]:
    """Find the kind of a path, a built-in name, or a value that was given in Python, and the reason.

    Args: among the kinds that may be meant, by default all.
    Raises: DataError if the path does not exist, or no kind takes it; InputError if several have equal claims.
    """
    kinds = every_kind() if among is None else list(among)
    if isinstance(source, str | Path):
        _refuse_missing(source, kinds)
    claims = [(kind, claim) for kind in kinds if (claim := _claim(kind, source)) is not None]
    if not claims:
        raise _unknown(source, kinds)
    most = max(claim.strength for _, claim in claims)
    (kind, claim), *others = [(kind, claim) for kind, claim in claims if claim.strength == most]
    if others:
        reasons = "; ".join(f"{each.name}, because {why.why}" for each, why in [(kind, claim), *others])
        names = " or ".join(f"--kind {each.name}" for each, _ in [(kind, claim), *others])
        raise InputError(f"{_shown(source)} can be read in several ways.", f"As {reasons}.", f"Say which: {names}")
    return kind, claim


def is_built_in(source: object, kinds: Iterable[Kind] | None = None) -> bool:
    """Return whether it is the name of a built-in data set. A Path is never a name."""
    return isinstance(source, str) and any(source in kind.built_in for kind in kinds or every_kind())


def _claim(kind: Kind, source: object) -> Claim | None:
    if is_built_in(source, [kind]):
        return Claim(3, "it is the name of a data set that comes along")
    try:
        with extra_of(kind):
            return kind.recognises(source)
    except OSError as error:
        raise DataError(f"{_shown(source)} cannot be read.", f"{error.strerror}.", "Check its permissions.") from error


def _refuse_missing(source: str | Path, kinds: list[Kind]) -> None:
    """Check that a path exists. Raises: DataError with the nearest name if not."""
    path, words = Path(source).expanduser(), str(source)
    try:
        if is_built_in(source, kinds) or path.exists():
            return
        beside = list(path.parent.iterdir()) if path.parent.is_dir() else []
    except (OSError, ValueError) as error:
        raise DataError(f"{words!r} is not a usable path: {error}.") from error
    prefix = words[: len(words) - len(path.name)] if words.endswith(path.name) else ""
    known = {prefix + entry.name for entry in beside if not entry.name.startswith(".")}
    known |= {name for kind in kinds for name in kind.built_in}
    advice = did_you_mean(words, known)
    raise DataError(
        f"There is nothing at {words!r}.",
        "The path does not exist.",
        advice if len(known) <= MOST_NAMES or advice.startswith("Did") else _what_can_be_given(kinds),
    )


def _unknown(source: object, kinds: list[Kind]) -> DataError:
    names = " or ".join(kind.name for kind in kinds)
    if isinstance(source, str | Path):
        return DataError(f"{_shown(source)} is not recognised as {names}.", _what_can_be_given(kinds))
    return DataError(
        f"A {type(source).__name__} cannot be trained on.", f"It is not recognised as {names}, nor is it a path."
    )


def _what_can_be_given(kinds: list[Kind]) -> str:
    names = [name for kind in kinds for name in kind.built_in]
    return f"Give {', '.join(kind.forms for kind in kinds)}, or one of the names {', '.join(names)}."


def _shown(source: object) -> str:
    return repr(str(source)) if isinstance(source, str | Path) else f"A {type(source).__name__}"


@contextmanager
def on_disk(source: object, kind: Kind) -> Iterator[str | Path]:
    """Yield a path for data: its own, or, for a value that was given in Python, that of a temporary file.

    Args: kind of the data. Raises: DataError if a value is not usable as data of the kind.
    """
    if isinstance(source, str | Path):
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="ganforge-") as folder:
        with extra_of(kind):
            path = kind.keep(source, Path(folder))
        yield path


def lasting(source: str | Path) -> str:
    """Return the absolute path of data, so that a run opens it from every folder; a built-in name as it is.

    What does not exist is left as it was typed, for the error that follows. A Path is never a name. Links are not
    followed: what they point to may have a name without a suffix.
    """
    if is_built_in(source):
        return str(source)
    path = Path(source).expanduser()
    try:
        return str(path.absolute()) if isinstance(source, Path) or path.exists() else source
    except (OSError, ValueError):  # not a path at all
        return str(source)
