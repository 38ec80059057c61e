"""The figures of an evaluation of rows: every column, the worst pairs, and the dependence of all pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ganforge.contracts import Plain
from ganforge.core.files import write_whole
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.figures.columns import draw_columns
from ganforge.kinds.tables.figures.pairs import draw_dependence, draw_pairs, score_matrix
from ganforge.run import Run


def write_figures(
    run: Run, facts: Mapping[str, Any], train: Plain, samples: Plain, columns: Sequence[Column], before: str = ""
) -> None:
    """Write the figures that the blocks of an evaluation name (measures/blocks.py), into the run's folder.

    Args: facts those of the evaluation of one table; before what their names begin with.
    """
    worst = [column["name"] for column in facts["columns"]]
    write_whole(run.figure(f"{before}columns"), draw_columns(train, samples, columns, worst))
    scores_of = {(pair["columns"][0], pair["columns"][1]): pair["score"] for pair in facts["pairs"]}
    if scores_of:
        write_whole(run.figure(f"{before}pairs"), draw_pairs(train, samples, columns, list(scores_of)))
        matrix = score_matrix(scores_of, [column.name for column in columns])
        write_whole(run.figure(f"{before}dependence"), draw_dependence(*matrix))
