"""The figures of an evaluation of rows: every column, the worst pairs, and the dependence of all pairs."""

from __future__ import annotations

from collections.abc import Sequence

from ganforge.contracts import Plain
from ganforge.core.files import write_whole
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.figures.columns import draw_columns
from ganforge.kinds.tables.figures.pairs import draw_dependence, draw_pairs, score_matrix
from ganforge.records import Evaluation
from ganforge.run import Run


def write_figures(run: Run, found: Evaluation, train: Plain, samples: Plain, columns: Sequence[Column]) -> None:
    """Write the figures that the blocks of an evaluation name (measures/blocks.py), into the run's folder."""
    worst = [column["name"] for column in found.facts["columns"]]
    write_whole(run.figure("columns"), draw_columns(train, samples, columns, worst))
    scores_of = {(pair["columns"][0], pair["columns"][1]): pair["score"] for pair in found.facts["pairs"]}
    if scores_of:
        write_whole(run.figure("pairs"), draw_pairs(train, samples, columns, list(scores_of)))
        matrix = score_matrix(scores_of, [column.name for column in columns])
        write_whole(run.figure("dependence"), draw_dependence(*matrix))
