"""Another table with the columns of one that was learned: taken as those columns, or refused in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ganforge.contracts import Plain
from ganforge.errors import DataError, did_you_mean
from ganforge.kinds.tables.columns import LEARNED, Column
from ganforge.kinds.tables.reading.dtypes import dtype_of
from ganforge.kinds.tables.reading.opened import TableSource
from ganforge.kinds.tables.reading.plain import from_plain, to_plain
from ganforge.kinds.tables.rules.bounds import number_text


def plain_like(frame: pd.DataFrame, columns: Sequence[Column], first_row: int) -> Plain:
    """The learned columns of a frame as plain arrays.

    Args: first_row the number of its first row, where the table's is 1.
    Raises: DataError naming a column of another kind, or one whose dtype cannot hold what stands in a row.
    """
    plain: dict[str, Any] = {}
    for column in columns:
        try:
            plain |= to_plain(frame, (column,))
        except (pa.ArrowException, ValueError, TypeError) as error:
            raise DataError(
                f"The column {column.name!r} of type {frame[column.name].dtype} is no {column.kind}: {error}.",
                f"The model learned it as {column.kind}.",
                "Give a table like the one that it was trained on.",
            ) from error
        _refuse_strangers(plain[column.name], column, first_row)
    return plain


def _refuse_strangers(values: Any, column: Column, first_row: int) -> None:
    """Raises: DataError for a value that could not be written again as it is."""
    if column.kind in ("integer", "datetime"):
        strange = ~np.isnan(values) & (values != np.rint(values))
        learned = "whole numbers" if column.kind == "integer" else f"moments in units of {column.resolution}"
    elif column.dtype == "category" and column.format:
        known = dtype_of(column).categories.astype(str)
        strange = ~pd.isna(values) & ~np.isin(values.astype(str), known)
        learned = f"the categories {', '.join(known[:10])}"
    else:
        return
    if strange.any():
        row = int(np.argmax(strange))
        told = repr(values[row]) if values.dtype == object else number_text(values[row])
        what = "a part of a unit" if column.kind == "datetime" else told
        raise DataError(
            f"The column {column.name!r} holds {what} in row {first_row + row:,}.",
            f"The model learned {learned}, and no cell that is there is changed.",
            "Correct it, or train again on a table that has such values.",
        )


def with_filled(frame: pd.DataFrame, filled: Plain, columns: Sequence[Column]) -> pd.DataFrame:
    """The frame with the cells of learned columns that were missing; every other cell stays as it is.

    Args: filled plain rows (N,), made of plain_like's. Decimals may have more digits than those of training had.
    """
    written = [_exact(column) for column in columns]
    decimals = to_plain(frame, [column for column in written if column.kind == "decimal"])
    cells = {name: np.where(np.isnan(values), filled[name], values) for name, values in decimals.items()}
    made = from_plain({**filled, **cells}, written)
    return frame.assign(**{column.name: made[column.name] for column in columns})


def _exact(column: Column) -> Column:
    """A column that writes all digits of its decimals."""
    if column.kind != "decimal":
        return column
    form = "0.0#" if re.fullmatch(r"0\.0+", column.format or "") else column.format
    return column.model_copy(update={"decimals": None, "format": form})


def columns_like(source: TableSource, columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns of a table as they are written again: the learned ones as learned, others as they are.

    Raises: DataError if a learned column is not there.
    """
    learned = {column.name: _exact(column) for column in columns if column.kind in LEARNED}
    for name in learned:
        if name not in source.column_names:
            raise DataError(
                f"{source.name!r} has no column {name!r}, which the model learned.",
                did_you_mean(name, source.column_names),
                "Give a table like the one that it was trained on.",
            )
    dtypes = next(source.chunks()).dtypes
    return tuple(
        learned.get(name) or Column(name=name, kind="category", dtype=str(dtypes[name])) for name in source.column_names
    )
