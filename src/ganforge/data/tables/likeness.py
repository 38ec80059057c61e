"""Another table with the columns of one that was learned: taken as those columns, or refused in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from ganforge.contracts import Plain
from ganforge.data.tables.codec import LEARNED
from ganforge.data.tables.opened import TableSource
from ganforge.data.tables.plain import to_plain
from ganforge.errors import DataError, did_you_mean
from ganforge.recipe import Column


def plain_like(frame: pd.DataFrame, columns: Sequence[Column]) -> Plain:
    """The learned columns of a frame as plain arrays. Raises: DataError naming a column of another kind."""
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
    return plain


def columns_like(source: TableSource, columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns of a table as they are written again: the learned ones as learned, others as they are.

    Raises: DataError if a learned column is not there.
    """
    learned = {column.name: column for column in columns if column.kind in LEARNED}
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
