"""Options that belong to kinds of data: which there are, and how what a person gives for them is read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from os import PathLike
from typing import Any

from ganforge.contracts import Kind, Option
from ganforge.errors import RecipeError, did_you_mean
from ganforge.kinds import every_kind


def options_of(verb: str) -> dict[str, list[tuple[Kind, Option]]]:
    """Every option that a kind has for a verb, by its name, each with the kinds that have it."""
    found: dict[str, list[tuple[Kind, Option]]] = {}
    for kind in every_kind():
        for option in kind.options:
            if verb in option.verbs:
                found.setdefault(option.name, []).append((kind, option))
    return found


def flag_of(option: Option) -> str:
    """How it is typed: --resolution."""
    return option.flag or f"--{option.name.replace('_', '-')}"


def was_given(value: object) -> bool:
    """Whether an option was asked for: not if it is None, False, or an empty tuple, list or dictionary."""
    return value is not None and value is not False and not (isinstance(value, tuple | list | dict) and not value)


def read_options(verb: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values for options of kinds, as they are kept. What is None, False or empty was not asked for and is left out.

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
    """Raises: RecipeError for an option that other kinds have.

    Args: what the option was given for, as the second half of a sentence: "'wine' is read as a table".
    """
    own = {option.name for option in kind.options if verb in option.verbs}
    for name, value in given.items():
        if name not in own:
            owners = options_of(verb)[name]
            flag, first = flag_of(owners[0][1]), value[0] if isinstance(value, tuple | list) else value
            shown = flag if first is True else f"{flag} {first}"
            raise RecipeError(
                f"{shown} was given, and {what}.",
                f"Only {' and '.join(owner.name for owner, _ in owners)} have {flag}.",
                "Leave it out.",
            )


def read_value(option: Option, value: Any) -> Any:
    """One value, as it is typed or as Python has it. Raises: RecipeError."""
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
    """A number within its bounds; 2_000 and 2,000 are welcome where it is whole."""
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
