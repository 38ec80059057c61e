"""The options of private training: --private, --delta and --schema, and how --private is read. Nothing heavy here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ganforge.contracts import Option
from ganforge.errors import RecipeError, did_you_mean

TASK = "private"
SHARES = ("judge", "bounds")  # parts of the budget that --private may set, beside epsilon; bounds of tables alone
MOST_EPSILON = 100.0  # above it the guarantee says nothing
EXAMPLE = 'For example: --private "epsilon=1"'


@dataclass(frozen=True, slots=True)
class Asked:
    """What --private says: the budget, and shares of it (0..1, without 1) by name."""

    epsilon: float
    shares: Mapping[str, float]

    def __str__(self) -> str:
        return ",".join(f"{name}={each:.12g}" for name, each in {"epsilon": self.epsilon, **self.shares}.items())


def read_private(value: Any) -> Asked:
    """Read "epsilon=1", "epsilon=1,judge=0.05", a number or a dictionary.

    Raises: RecipeError for an unknown name, or a number out of range.
    """
    found = {name: _number(name, each) for name, each in _pairs(value)}
    epsilon = found.pop("epsilon", None)
    if epsilon is None:
        raise RecipeError(f"--private {value!r} has no epsilon.", "It says how much may leak at most.", EXAMPLE)
    if not 0 < epsilon <= MOST_EPSILON:
        why = f"It is above 0, which would release nothing, and at most {MOST_EPSILON:g}, where it promises nothing."
        raise RecipeError(f"An epsilon of {epsilon:g} cannot be used.", why, EXAMPLE)
    for name, share in found.items():
        if name not in SHARES:
            raise RecipeError(f"--private has no {name!r}.", did_you_mean(name, ("epsilon", *SHARES)), EXAMPLE)
        if not 0 <= share < 1:
            raise RecipeError(f"{name}={share:g} cannot be used.", "It is a share of the budget, from 0 to below 1.")
    return Asked(epsilon, found)


def _pairs(value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(str(name), each) for name, each in value.items()]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RecipeError(f"--private cannot be {value!r}.", "It is a text or a number.", EXAMPLE)
    if isinstance(value, str) and "=" in value:
        parts = [part.partition("=") for part in value.replace(";", ",").split(",") if part.strip()]
        names = [name.strip() for name, _, _ in parts]
        if len(set(names)) < len(names):
            raise RecipeError(f"--private {value!r} says something twice.", "Each name is given once.", EXAMPLE)
        return [(name, each.strip()) for name, (_, _, each) in zip(names, parts, strict=True)]
    return [("epsilon", value)]


def _number(name: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise RecipeError(f"{name} cannot be {value!r}.", "It is a number.", EXAMPLE)
    return number


def _kept(value: Any) -> str:
    """Return --private as a recipe keeps it."""
    return str(read_private(value))


def _delta(value: float) -> float:
    if not 0 < value < 1:
        why = "It is the chance, above 0 and below 1, that the guarantee fails."
        raise RecipeError(f"--delta cannot be {value:g}.", why, "For example: --delta 1e-5")
    return value


PRIVATE = Option(
    "private", ("train",), object, "epsilon=E",
    "Learn under differential privacy: nobody can tell whether a record was in the data, up to epsilon.",
    "epsilon=1", check=_kept, task=TASK,
)  # fmt: skip
DELTA = Option(
    "delta", ("train",), float, "D", "With --private: the chance that the guarantee fails; 1e-5 when you say nothing.",
    "1e-5", check=_delta, task=TASK,
)  # fmt: skip
SCHEMA = Option(
    "schema", ("train",), str, "FILE",
    "With --private: a JSON file with the columns, their ranges and categories, which are public.",
    "schema.json", task=TASK,
)  # fmt: skip
