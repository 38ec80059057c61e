"""A table written again with columns that a model computes from its rows; its own cells stay, in text to the letter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ganforge.contracts import Plain
from ganforge.errors import InputError
from ganforge.kinds.tables.columns import Column, learned
from ganforge.kinds.tables.complete import columns_like, opened, plain_like, written_parts
from ganforge.kinds.tables.reading.arrays import AT_ONCE, blank, from_plain, joined, take
from ganforge.kinds.tables.reading.frames import as_objects
from ganforge.kinds.tables.reading.source import TableSource
from ganforge.kinds.tables.reading.write import check_table_place

if TYPE_CHECKING:
    from ganforge.kinds.tables.generate.model import RowModel


def append_columns(
    model: RowModel,
    source: object,
    out: Path | None,
    columns: Sequence[Column],
    compute: Callable[[Plain], Plain],
    *,
    without: str | None = None,
    force: bool,
) -> pd.DataFrame | Path:
    """Add columns to a table, a path or a frame; return a frame, or write the file `out`.

    Args: columns that are added; compute learned columns (N,) -> the added ones (N,); without a learned column that the
        table need not have: `compute` gets it empty.
    Raises: InputError for the output path or a column that is there already; DataError if the table is not like the
        learned one; StorageError.
    """
    if out is not None:
        check_table_place(out, force=force)
    with opened(source, model.codec.columns) as table:
        for column in columns:
            if column.name in table.column_names:
                raise InputError(
                    f"{table.name!r} has a column {column.name!r} already.",
                    "A column of this name is to be added.",
                    "Rename or remove it.",
                )
        needed = [each for each in model.codec.columns if each.name != without or each.name in table.column_names]
        own, parts = columns_like(table, needed), _parts(table, learned(model.codec.columns), columns, compute)
        if out is None:
            return as_objects(pd.concat(list(parts), ignore_index=True), (*own, *columns))
        return written_parts(table, parts, (*own, *columns), out, force=force)


def _parts(
    table: TableSource, known: Sequence[Column], columns: Sequence[Column], compute: Callable[[Plain], Plain]
) -> Iterator[pd.DataFrame]:
    """Yield the table in parts, with the added columns."""
    first_row = 1
    for frame in table.chunks():
        plain: dict[str, Any] = {column.name: blank(column, len(frame)) for column in known}
        plain |= plain_like(frame, [column for column in known if column.name in table.column_names], first_row)
        blocks = [take(plain, slice(first, first + AT_ONCE)) for first in range(0, max(1, len(frame)), AT_ONCE)]
        added = from_plain(joined([compute(block) for block in blocks]), columns).set_index(frame.index)
        yield pd.concat([frame, added], axis=1)
        first_row += len(frame)
