"""Frames and sparse matrices that were given in Python, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ganforge.errors import DataError


def write_matrix(matrix: Any, path: Path) -> Path:
    """Write a sparse matrix (users, items) as a log: ids are its rows and columns, ratings its values unless all are 1.

    Raises: DataError if it has other than two dimensions, or nothing in it.
    """
    found = matrix.tocoo()
    there = found.data != 0
    if len(found.shape) != 2 or not there.any():
        raise DataError(
            f"A sparse matrix of shape {found.shape} with {there.sum():,} values does not hold interactions.",
            "It has a row for each user and a column for each item.",
            "Give such a matrix.",
        )
    user, item = found.coords if hasattr(found, "coords") else (found.row, found.col)
    columns = {"user": user[there], "item": item[there]}
    if not (found.data[there] == 1).all():
        columns["rating"] = found.data[there].astype(np.float64)
    pq.write_table(pa.table(columns), path)
    return path


def write_frame(frame: Any, path: Path) -> Path:
    """Write a table of pandas, polars or pyarrow, without an index. Raises: DataError if it is none."""
    if isinstance(frame, pd.DataFrame):
        table = _from_pandas(frame)
    elif isinstance(frame, pa.RecordBatch):
        table = pa.Table.from_batches([frame])
    else:
        table = frame.to_arrow() if callable(getattr(frame, "to_arrow", None)) else frame
    if not isinstance(table, pa.Table):
        raise DataError(
            f"A {type(frame).__name__} is not a log of interactions.",
            "A log has one row for each interaction: a user, an item, perhaps a rating and a time.",
            "Give a frame, a sparse matrix of users and items, or a file.",
        )
    pq.write_table(table, path)
    return path


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    """Return a frame as a table; a column of mixed objects, such as 7 and "7a", as texts."""
    if frame.columns.nlevels > 1:
        raise DataError(
            f"The columns of the frame have names of {frame.columns.nlevels} levels.",
            "The name of a column is one text.",
            "Join them: frame.columns = ['_'.join(map(str, name)) for name in frame.columns]",
        )
    named = frame.rename(columns=str)
    if twice := named.columns[named.columns.duplicated()].tolist():
        raise DataError(
            f"The frame has several columns of the name {twice[0]!r}.", "They could not be told apart.", "Rename one."
        )
    columns = {}
    for name, column in named.items():
        try:
            columns[str(name)] = pa.Array.from_pandas(column)
        except (pa.ArrowException, TypeError, ValueError):
            holes = column.isna()
            texts = [None if hole else str(value) for value, hole in zip(column, holes, strict=True)]
            columns[str(name)] = pa.array(texts, pa.string())
    return pa.table(columns)
