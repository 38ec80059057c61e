"""Rows for attacks (privacy/attacks.py): as points, and each cell as a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.core.exposure import MOST_TARGETS, Cells, Exposure, Scores
from ganforge.kinds.tables.columns import Column, learned
from ganforge.kinds.tables.measures.copies import row_points
from ganforge.kinds.tables.measures.similarity import by_frequency, ranks
from ganforge.kinds.tables.reading.arrays import joined, take
from ganforge.kinds.tables.table import Table


def expose_rows(
    table: Table,
    made: Plain,
    *,
    white_box: Mapping[str, tuple[Scores, Scores]],
    missing: Mapping[str, str],
) -> Exposure:
    """Return the rows of a run. Args: made generated rows; white_box, missing as in an exposure."""
    columns, front = learned(table.codec.columns), slice(0, MOST_TARGETS)
    sides = take(table.train_rows, front), take(table.held_out_rows, front), made
    members, non_members, generated = row_points(sides, joined(sides[:2]), columns)
    coded = [_cells(side, joined(sides), columns) for side in sides]
    return Exposure(
        members=members,
        non_members=non_members,
        generated=generated,
        nouns="rows",
        features="Standardised numbers, and texts of which different ones are one apart.",
        trained_on=len(table.train),
        white_box=white_box,
        missing=missing,
        cells=Cells(
            names=tuple(column.name for column in columns),
            numeric=tuple(column.is_number for column in columns),
            members=coded[0],
            non_members=coded[1],
            generated=coded[2],
        ),
    )


def _cells(rows: Plain, known: Plain, columns: Sequence[Column]) -> Scores:
    """Return the cells of rows as numbers (N, C). Args: known rows that hold every text."""
    found: list[NDArray[np.float64]] = []
    for column in columns:
        values = rows[column.name]
        if not column.is_number:
            codes = ranks(values, by_frequency(known[column.name])).astype(np.float64)
            values = np.where(codes < 0, np.nan, codes)
        found.append(np.asarray(values, np.float64))
    return np.stack(found, axis=1)
