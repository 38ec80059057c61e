"""What the page says of a generated table: first rows, columns worst first, pairs, rivals and targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganforge.reports.pictures import Picture, picture
from ganforge.reports.words import title
from ganforge.run import Run

_MOST_COLUMNS = 60  # rows of the list
_MOST_PAIRS = 15
_MOST_BYTES, _SIDE = 450_000, 3300  # of a picture with many panels
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
class Likeness:
    """One column or pair: its scores as text, and what is off, "" where nothing is."""

    name: str
    kind: str
    score: str
    real: str
    reference: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Rival:
    """One row of the comparison; its numbers stand under TablePart.heads, "" for what was not measured."""

    name: str
    sentence: str
    numbers: tuple[str, ...]
    mine: bool


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
    rivals: Sequence[Mapping[str, Any]] = evaluation.get("rivals") or []
    if not columns and not rivals:
        return None
    examples: Mapping[str, Any] = evaluation.get("first_rows") or {}
    measured = list(dict.fromkeys(name for rival in rivals for name in rival.get("measures") or {}))
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
        heads=tuple(_HEADS.get(name, title(name)) for name in measured),
        rivals=tuple(
            Rival(
                str(rival.get("name", "")),
                str(rival.get("sentence", "")),
                tuple(_score((rival.get("measures") or {}).get(name)) for name in measured),
                place == 0,
            )
            for place, rival in enumerate(rivals)
        ),
        targets=tuple(_prediction(target) for target in evaluation.get("targets") or []),
        columns_picture=picture(run.columns_picture, _SIDE, _MOST_BYTES),
        pairs_picture=picture(run.pairs_picture, _SIDE, _MOST_BYTES),
        dependence_picture=picture(run.dependence_picture, _SIDE, _MOST_BYTES),
    )


def _likeness(one: Mapping[str, Any], name: str) -> Likeness:
    score, real, reference = (_score(one.get(key)) for key in ("score", "floor", "reference"))
    # The list names the column already: the sentence goes on after it.
    sentence = str(one.get("sentence") or "").removeprefix(f"{name}: ")
    return Likeness(name, str(one.get("kind", "")), score, real, reference, sentence[:1].upper() + sentence[1:])


def _prediction(target: Mapping[str, Any]) -> Prediction:
    generated, low, high, real, reference = (
        _score(target.get(key)) for key in ("generated", "low", "high", "real", "reference")
    )
    return Prediction(
        str(target.get("name", "")), str(target.get("measure", "")), generated, f"{low} to {high}", real, reference
    )


def _score(value: object) -> str:
    """Three digits behind the point, so that the numbers of a column stand under each other."""
    return f"{value:.3f}" if isinstance(value, int | float) else ""
