"""What the page says of pictures made from pictures: worst, best and random cases, and the rivals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganforge.reports.pictures import Picture, picture
from ganforge.reports.rivals import Rival, heads, rivals_of
from ganforge.run import Run

GROUPS = {"worst": "The worst", "random": "Drawn at random", "best": "The best"}  # the worst first, never only the best
_MOST_BYTES, _SIDE = 450_000, 1600  # of a picture with several cases


@dataclass(frozen=True, slots=True)
class Cases:
    """One group of cases: a grid with a case in each row."""

    title: str
    sentence: str
    picture: Picture


@dataclass(frozen=True, slots=True)
class CasesPart:
    """Everything about pictures made from pictures that is not on every page."""

    columns: tuple[str, ...]  # what stands in each column of the grids
    groups: tuple[Cases, ...]
    heads: tuple[str, ...]
    rivals: tuple[Rival, ...]
    dial: bool  # whether there is a strength between faithful and sharp


def cases_part(run: Run, evaluation: Mapping[str, Any], task: str) -> CasesPart | None:
    """None where the evaluation is not one of pictures made from pictures. A group without its file is left out."""
    cases: Mapping[str, Any] = evaluation.get("cases") or {}
    if not cases:
        return None
    sentences = {str(group.get("name")): str(group.get("sentence") or "") for group in cases.get("groups") or []}
    groups = []
    for name, title in GROUPS.items():
        drawn = picture(run.cases_grid(name), _SIDE, _MOST_BYTES) if name in sentences else None
        if drawn is not None:
            groups.append(Cases(title, sentences[name], drawn))
    columns = tuple(str(name) for name in cases.get("columns") or [])
    return CasesPart(columns, tuple(groups), heads(evaluation), rivals_of(evaluation), task == "enhance")
