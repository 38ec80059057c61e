"""What the page says of a generated table: first rows, columns worst first, pairs, rivals and targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganforge.reports.pictures import Picture, picture
from ganforge.reports.rivals import Rival, heads, rivals_of, score_text
from ganforge.run import Run

_MOST_COLUMNS = 60  # rows of the list
_MOST_PAIRS = 15
_MOST_BYTES, _SIDE = 450_000, 3300  # of a picture with many panels


@dataclass(frozen=True, slots=True)
class Likeness:
    """One column or pair: its scores as text, and what is off, "" where nothing is."""

    name: str
    kind: str
    score: str
    real: str
    reference: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """One column that models predict: how well they do after learning from generated and from real rows."""

    name: str
    measure: str
    generated: str
    interval: str
    real: str
    reference: str


@dataclass(frozen=True, slots=True)
class TablePart:
    """Everything about a table that is not on every page."""

    example_names: tuple[str, ...]
    example_rows: tuple[tuple[str, ...], ...]
    columns: tuple[Likeness, ...]
    columns_left: int  # more than are listed
    pairs: tuple[Likeness, ...]
    heads: tuple[str, ...]
    rivals: tuple[Rival, ...]
    targets: tuple[Prediction, ...]
    columns_picture: Picture | None
    pairs_picture: Picture | None
    dependence_picture: Picture | None


def table_part(run: Run, evaluation: Mapping[str, Any]) -> TablePart | None:
    """None where the evaluation is not one of a table. One of filled cells has rivals, and no columns in numbers."""
    columns: Sequence[Mapping[str, Any]] = evaluation.get("columns") or []
    if evaluation.get("cases") or not (columns or evaluation.get("rivals")):
        return None
    examples: Mapping[str, Any] = evaluation.get("first_rows") or {}
    return TablePart(
        example_names=tuple(str(name) for name in examples.get("columns") or []),
        example_rows=tuple(
            tuple("" if cell is None else str(cell) for cell in row) for row in examples.get("rows") or []
        ),
        columns=tuple(_likeness(column, str(column.get("name", ""))) for column in columns[:_MOST_COLUMNS]),
        columns_left=max(0, len(columns) - _MOST_COLUMNS),
        pairs=tuple(
            _likeness(pair, " and ".join(str(name) for name in pair.get("columns") or []))
            for pair in (evaluation.get("pairs") or [])[:_MOST_PAIRS]
        ),
        heads=heads(evaluation),
        rivals=rivals_of(evaluation),
        targets=tuple(_prediction(target) for target in evaluation.get("targets") or []),
        columns_picture=picture(run.columns_picture, _SIDE, _MOST_BYTES),
        pairs_picture=picture(run.pairs_picture, _SIDE, _MOST_BYTES),
        dependence_picture=picture(run.dependence_picture, _SIDE, _MOST_BYTES),
    )


def _likeness(one: Mapping[str, Any], name: str) -> Likeness:
    score, real, reference = (score_text(one.get(key)) for key in ("score", "floor", "reference"))
    # The list names the column already: the sentence goes on after it.
    sentence = str(one.get("sentence") or "").removeprefix(f"{name}: ")
    return Likeness(name, str(one.get("kind", "")), score, real, reference, sentence[:1].upper() + sentence[1:])


def _prediction(target: Mapping[str, Any]) -> Prediction:
    generated, low, high, real, reference = (
        score_text(target.get(key)) for key in ("generated", "low", "high", "real", "reference")
    )
    return Prediction(
        str(target.get("name", "")), str(target.get("measure", "")), generated, f"{low} to {high}", real, reference
    )
