"""What a person gives as data, made into something that can be found again later and from anywhere."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ganforge.errors import DataError
from ganforge.kinds.pictures.reading import BUILT_IN
from ganforge.kinds.pictures.reading.labels import check_labels
from ganforge.kinds.tables.reading.opened import check_names
from ganforge.kinds.tables.reading.source import BUILT_IN_TABLES


@contextmanager
def on_disk(source: object) -> Iterator[str | Path]:
    """A path for data that is given as an array, a pair (array, labels), or a table of pandas, polars or pyarrow.

    A path or name is given back as it is. A frame's index is left out.

    Raises: DataError if it is none of these, the labels do not fit the array, or a column has values of several types.
    """
    if isinstance(source, str | Path):
        yield source
        return
    table = _table(source)
    if table is not None:
        with tempfile.TemporaryDirectory(prefix="ganforge-") as folder:
            path = Path(folder, "table.parquet")
            pq.write_table(table, path)
            yield path
        return
    x, y = source if isinstance(source, tuple) and len(source) == 2 else (source, None)
    try:
        array = np.asarray(x)
    except ValueError as error:  # a list of pictures of several sizes
        raise DataError(f"The data is no array: {error}.", "All pictures need one size.", "Give a folder.") from error
    if array.dtype.hasobject or array.ndim == 0:
        raise DataError(
            f"A {type(x).__name__} cannot be trained on.", "It is neither a path nor an array or table.", "Give one."
        )
    arrays = {"x": array}
    if y is not None:
        arrays["y"] = check_labels(y, len(array), "as given")
    with tempfile.TemporaryDirectory(prefix="ganforge-") as folder:
        path = Path(folder, "array.npz")
        np.savez(path, allow_pickle=False, **arrays)
        yield path


def _table(source: object) -> pa.Table | None:
    """A table as Arrow holds it, with what pandas needs to find its dtypes again; None if it is no table."""
    if isinstance(source, pd.DataFrame):
        return _table_of_frame(source)
    if isinstance(source, pa.RecordBatch):
        return pa.Table.from_batches([source])
    to_arrow = getattr(source, "to_arrow", None)  # polars
    table = source if isinstance(source, pa.Table) else to_arrow() if callable(to_arrow) else None
    if not isinstance(table, pa.Table):
        return None
    check_names("the table", table.column_names)
    return table


def _table_of_frame(frame: pd.DataFrame) -> pa.Table:
    frame = frame.rename(columns=str)
    check_names("the table", list(frame.columns))
    for name, column in frame.items():
        try:
            pa.Array.from_pandas(column)
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise DataError(
                f"The column {name!r} of type {column.dtype} cannot be read: {error}.",
                "A column has values of one simple type.",
                "Convert it, or remove it.",
            ) from error
    return pa.Table.from_pandas(frame, preserve_index=False)


def lasting(source: str | Path) -> str:
    """Data's path from the root, so that a run opens it from every folder; a built-in name as it is.

    What does not exist is left as it was typed, for the error that follows. A Path is never a name. Links are not
    followed: what they point to may have a name without a suffix.
    """
    if isinstance(source, str) and source in (*BUILT_IN, *BUILT_IN_TABLES):
        return source
    path = Path(source).expanduser()
    try:
        return str(path.absolute()) if isinstance(source, Path) or path.exists() else source
    except (OSError, ValueError):  # no path at all
        return str(source)
