"""Targets of training in words: `kid<0.02`, `recall>0.5`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ganforge.errors import RecipeError, did_you_mean


@dataclass(frozen=True, slots=True)
class Target:
    """A measure that is to fall below ("<") or rise above (">") a value."""

    measure: str
    comparison: Literal["<", ">"]
    value: float

    def reached(self, quality: Mapping[str, float]) -> bool:
        """True when the whole 95 % interval in a quality record ({measure}_low, {measure}_high) is past the value."""
        worst = quality.get(
            f"{self.measure}_{'high' if self.comparison == '<' else 'low'}", quality.get(self.measure, math.nan)
        )
        return worst < self.value if self.comparison == "<" else worst > self.value

    def __str__(self) -> str:
        return f"{self.measure}{self.comparison}{self.value:g}"


def parse_target(text: str, measured: Mapping[str, Literal["lower", "higher"]]) -> Target:
    """Reads "kid<0.02".

    Args: measured says what the task measures during training, and which direction is better.
    Raises: RecipeError for another form, an unknown measure, or the worse direction.
    """
    match = re.fullmatch(r"\s*([A-Za-z_][A-Za-z0-9_ ]*?)\s*(<=?|>=?)\s*([-+0-9.eE]+)\s*", text)
    try:
        value = float(match[3]) if match else math.nan
    except ValueError:
        value = math.nan
    if match is None or not math.isfinite(value):
        raise RecipeError(
            f"The target {text!r} cannot be read.",
            "A target is a measure, < or >, and a number.",
            f'Write for example "{_example(measured)}".',
        )
    name = match[1].lower().replace(" ", "_")
    if name not in measured:
        raise RecipeError(
            f"{name!r} is not measured during training.",
            "A target must name a measure that is.",
            did_you_mean(name, measured),
        )
    comparison: Literal["<", ">"] = "<" if match[2].startswith("<") else ">"
    if (comparison == "<") != (measured[name] == "lower"):
        raise RecipeError(
            f"The target {text!r} asks for a worse {name}.",
            f"For {name}, {measured[name]} is better.",
            f'Write "{name}{"<" if comparison == ">" else ">"}{value:g}".',
        )
    return Target(name, comparison, value)


def _example(measured: Mapping[str, Literal["lower", "higher"]]) -> str:
    name = next(iter(measured))
    return f"{name}{'<' if measured[name] == 'lower' else '>'}0.02"
