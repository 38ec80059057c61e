"""The recipe as a person reads it: what was chosen, with its reason, and what was left as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ganforge.core.format import title
from ganforge.reports.passport import value_text

_NOT_SHOWN = ("data.hash", "data.label_names", "data.shape", "length.seconds_allowed")  # said elsewhere


@dataclass(frozen=True, slots=True)
class Choice:
    """One setting of the recipe with its reason."""

    name: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the recipe: what was chosen with a reason, and what was left as it is."""

    title: str
    chosen: tuple[Choice, ...]
    rest: tuple[Choice, ...]


def plan_sections(recipe: Mapping[str, Any]) -> list[Section]:
    """Every setting of the recipe by section; those with a reason apart from those without."""
    reasons: Mapping[str, str] = recipe.get("reasons") or {}
    top = {key: value for key, value in recipe.items() if not isinstance(value, Mapping)}
    groups = {"run": top, **{key: value for key, value in recipe.items() if isinstance(value, Mapping)}}
    sections = []
    for name, settings in groups.items():
        if name in ("ask", "reasons", "versions") or not settings:
            continue
        chosen: list[Choice] = []
        rest: list[Choice] = []
        for key, value in _flat(settings):
            path = key if name == "run" else f"{name}.{key}"
            reason = reasons.get(path, "")
            if path in _NOT_SHOWN and not reason:
                continue
            (chosen if reason else rest).append(Choice(path, value_text(value), reason))
        sections.append(Section(title(name), tuple(chosen), tuple(rest)))
    return sections


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value
