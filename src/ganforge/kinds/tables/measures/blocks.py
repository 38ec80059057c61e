"""The page's blocks on a table: columns and pairs worst first, rivals, utility for models, copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ganforge.contracts import Plain
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.arrays import arrow_from, as_text, from_plain
from ganforge.measures.intervals import beside_others, score
from ganforge.records import Block, Content, Figure, Prose, Rows

MOST_COLUMNS, MOST_PAIRS = 60, 15  # that are listed
SHOWN = 8  # first rows
HEADS = {
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


def table_blocks(facts: Mapping[str, Any]) -> tuple[Block, ...]:
    """Show generated rows. Args: facts of the evaluation; the figures are columns, pairs and dependence."""
    blocks = [
        beside_others(
            "The same measures for simple methods that are not GANs, and for real rows that training never saw.",
            facts["rivals"],
            HEADS,
            "Quality, columns, pairs and skill kept: 1 is best. Told apart and near training: 0.5 is best.",
        )
    ]
    if facts["targets"]:
        blocks.append(_targets(facts["targets"]))
    blocks.append(_columns(facts["columns"]))
    if facts["pairs"]:
        blocks.append(_pairs(facts["pairs"]))
    return (*blocks, Block("Does it copy?", "", (Prose((str(facts["nearest"]),)),)))


def first_rows_of(samples: Plain, columns: Sequence[Column]) -> dict[str, Any]:
    """Format the first generated rows as they are written to a file: {columns, rows}."""
    frame = from_plain({name: values[:SHOWN] for name, values in samples.items()}, columns)
    texts = [as_text(arrow_from(frame[column.name]), column).to_pylist() for column in columns]
    return {"columns": [column.name for column in columns], "rows": [list(row) for row in zip(*texts, strict=True)]}


def first_rows_block(first_rows: Mapping[str, Any]) -> Block:
    """Show the first generated rows. Args: first_rows {columns: [name], rows: [[text or None]]}."""
    rows = tuple(tuple("" if cell is None else str(cell) for cell in row) for row in first_rows["rows"])
    caption = "The first rows that it made, as they are. None was chosen by hand."
    return Block("What it makes", "", (Rows(tuple(map(str, first_rows["columns"])), rows, caption),), first=True)


def filling_blocks(rivals: Sequence[Mapping[str, Any]]) -> tuple[Block, ...]:
    """Show filled cells. The figure is columns."""
    figure = Figure(
        "pictures/columns.png", "Every column, the hidden values and those filled in over each other", wide=True
    )
    return (
        beside_others(
            "The same hidden cells, filled by simple methods that are not GANs.",
            rivals,
            HEADS,
            "Typical error: 0 is best. Right categories: 1 is best.",
        ),
        Block("Column by column", "What the hidden cells held, and what they were filled with.", (figure,)),
    )


def solution_block(solution: Mapping[str, Any]) -> Block:
    """Show a regression's solution: every weight of a line beside the exact answer, or how far a curve is from it.

    Args: solution {features, theta or None, closed_form, units, distance}.
    """
    exact, found = solution["closed_form"], solution["theta"]
    names = [str(name) for name in solution["features"]]
    caption = f"The weights are {solution['units']}."
    if found is None:
        lead = "A curve has no weight for each feature. These are those of the best straight line, from a formula."
        rows = tuple((name, _precise(answer)) for name, answer in zip(names, exact, strict=True))
        return Block("What it learned", lead, (Rows(("Feature", "Best line"), rows, caption, numeric=(1,)),))
    lead = "The weights that training found, beside the exact answer, which a formula gives."
    learned = tuple((name, *map(_precise, pair)) for name, *pair in zip(names, found, exact, strict=True))
    return Block("What it learned", lead, (Rows(("Feature", "Learned", "Exact"), learned, caption, numeric=(1, 2)),))


def _targets(targets: Sequence[Mapping[str, Any]]) -> Block:
    heads = ("Column to predict", "Score", "From generated rows", "95 % interval", "From real rows", "From a copula's")
    rows = tuple(
        (
            str(target["name"]),
            str(target["measure"]),
            score(target["generated"]),
            f"{score(target['low'])} to {score(target['high'])}",
            score(target["real"]),
            score(target["reference"]),
        )
        for target in targets
    )
    caption = "AUC: 0.5 is guessing, 1 is always right. R^2: 0 is guessing the mean, 1 is exact."
    return Block(
        "What a model learns from it",
        "A boosted tree learns to predict one column from all others, once from generated rows and once from real "
        "ones, and is tested on real rows that neither saw.",
        (Rows(heads, rows, caption, numeric=(2, 3, 4, 5)),),
    )


def _columns(columns: Sequence[Mapping[str, Any]]) -> Block:
    listed, left = columns[:MOST_COLUMNS], len(columns) - MOST_COLUMNS
    figure = Figure("pictures/columns.png", "Every column, real and generated values over each other", wide=True)
    more = f"And {left:,} more columns that are better." if left > 0 else ""
    rows = _likeness(("Column", "Type"), [((str(one["name"]), str(one["kind"])), one) for one in listed], more)
    return Block("Column by column", "Where real and generated values lie, the worst column first.", (figure, rows))


def _pairs(pairs: Sequence[Mapping[str, Any]]) -> Block:
    named = [((" and ".join(map(str, pair["columns"])),), pair) for pair in pairs[:MOST_PAIRS]]
    contents: tuple[Content, ...] = (
        Figure("pictures/pairs.png", "Pairs of columns, real rows beside generated ones", wide=True),
        Figure(
            "pictures/dependence.png",
            "How alike every pair of columns is",
            "Every pair of columns. Without colour they go together as in the real rows; the more colour, the more of "
            "that is lost. The numbers are percent.",
            wide=True,
        ),
        replace(_likeness(("Pair",), named, ""), summary="The worst pairs in numbers"),
    )
    return Block("Pair by pair", "Whether columns go together as in the real rows, the worst pair first.", contents)


def _likeness(heads: tuple[str, ...], named: Sequence[tuple[tuple[str, ...], Mapping[str, Any]]], caption: str) -> Rows:
    """Show scores beside those of real rows and of the copula, and the deviations, if any.

    Args: heads of the first cells; named the first cells of each row, beginning with a name, and what has the scores.
    """
    scores = [
        (
            *cells,
            *(score(one[key]) for key in ("score", "floor", "reference")),
            _without(str(one["sentence"]), cells[0]),
        )
        for cells, one in named
    ]
    heads = (*heads, "Alike", "Real rows get", "Copula gets", "What is off")
    numeric = tuple(range(len(heads) - 4, len(heads) - 1))
    if not any(row[-1] for row in scores):
        return Rows(heads[:-1], tuple(row[:-1] for row in scores), f"None of them is off. {caption}".strip(), numeric)
    return Rows(heads, tuple(scores), caption, numeric)


def _without(sentence: str, name: str) -> str:
    """Return a sentence without the name that it begins with."""
    rest = sentence.removeprefix(f"{name}: ")
    return rest[:1].upper() + rest[1:]


def _precise(value: float) -> str:
    return f"{value:.5g}"
