"""The comparison with methods that are no GAN: one row each, the model's own first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganforge.reports.words import title

_HEADS = {
    "table_quality": "Quality",
    "column_shapes": "Columns",
    "column_pairs": "Pairs",
    "utility": "Skill kept",
    "label_score": "Label",
    "detection": "Told apart",
    "nearer_to_train": "Near training",
    "exact_copies": "Exact copies",
    "rmse": "Typical error",
    "accuracy": "Right categories",
}


@dataclass(frozen=True, slots=True)
class Rival:
    """One row of the comparison; its numbers stand under `heads`, "" for what was not measured."""

    name: str
    sentence: str
    numbers: tuple[str, ...]
    mine: bool


def heads(evaluation: Mapping[str, Any]) -> tuple[str, ...]:
    """What stands over each column of numbers."""
    return tuple(_HEADS.get(name, title(name)) for name in _measured(evaluation))


def rivals_of(evaluation: Mapping[str, Any]) -> tuple[Rival, ...]:
    """The rows; () where nothing was compared."""
    measured = _measured(evaluation)
    return tuple(
        Rival(
            str(rival.get("name", "")),
            str(rival.get("sentence", "")),
            tuple(score_text((rival.get("measures") or {}).get(name)) for name in measured),
            place == 0,
        )
        for place, rival in enumerate(_rivals(evaluation))
    )


def score_text(value: object) -> str:
    """Three digits behind the point, so that the numbers of a column stand under each other."""
    return f"{value:.3f}" if isinstance(value, int | float) else ""


def _rivals(evaluation: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return evaluation.get("rivals") or []


def _measured(evaluation: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(name for rival in _rivals(evaluation) for name in rival.get("measures") or {}))
