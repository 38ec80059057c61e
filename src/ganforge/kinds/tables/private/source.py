"""Private rows: names, their number, and cells. The types that a reader finds in a file are not used: they are data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ganforge.errors import DataError
from ganforge.kinds.tables.private.cells import Cells, Codes
from ganforge.kinds.tables.reading.source import ROWS_AT_ONCE, open_source
from ganforge.kinds.tables.reading.survey import FEWEST_ROWS


def names_and_rows(source: str | Path) -> tuple[tuple[str, ...], int]:
    """Return the names of a table's columns and the number of its rows, which are public. Raises: DataError."""
    names: tuple[str, ...] = ()
    rows = 0
    for frame in raw_rows(source):
        names, rows = tuple(map(str, frame.columns)), rows + len(frame)
    if rows < FEWEST_ROWS:
        raise DataError(
            f"{str(source)!r} has {rows} rows.",
            "The noise of the smallest release is as large as all of their counts.",
            f"Give a table of {FEWEST_ROWS} rows or more; some thousand are where private counts begin to be useful.",
        )
    return names, rows


def raw_rows(source: str | Path) -> Iterator[pd.DataFrame]:
    """Yield the table in parts: the cells of a text file as texts, None where empty; others as they are stored.

    Words for missing values, such as NA, stay: a schema may name them as categories.
    """
    opened = open_source(source)
    if opened.cells is None:
        yield from opened.chunks()
        return
    for table in opened.cells(ROWS_AT_ONCE):
        texts = [pc.utf8_trim_whitespace(_whole(column)) for column in table.columns]
        texts = [pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text) for text in texts]
        yield pd.DataFrame(
            {name: text.to_numpy(zero_copy_only=False) for name, text in zip(table.column_names, texts, strict=True)}
        )


def encoded(source: str | Path, cells: Sequence[Cells], rows: int) -> list[Codes]:
    """Return the cell of each row in each column, (N,) each. Raises: DataError if the table has changed."""
    parts: list[list[Codes]] = [[] for _ in cells]
    for frame in raw_rows(source):
        for each, part in zip(cells, parts, strict=True):
            part.append(each.encode(frame[each.column.name]))
    codes = [np.concatenate(part) for part in parts]
    refuse_changed(source, rows, len(codes[0]))
    return codes


def refuse_changed(source: str | Path, rows: int, now: int) -> None:
    """Raise DataError where a table has not as many rows as when the run was planned."""
    if now != rows:
        raise DataError(
            f"The table {str(source)!r} had {rows:,} rows, and now has {now:,}.",
            "A run is private for the rows that it was planned for.",
            "Put the old table back, or train a new run.",
        )


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
