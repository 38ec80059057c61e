"""What every reader of a kind of table file gives, and what all of them refuse."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa

from ganforge.core.files import DAMAGED
from ganforge.errors import DataError

ROWS_AT_ONCE = 65_536
UNREADABLE = (*DAMAGED, pa.ArrowException, csv.Error)


@dataclass(frozen=True)
class TableSource:
    """A table that is read a part at a time, as often as one likes, always the same rows in the same order."""

    name: str  # as it was given
    column_names: tuple[str, ...]
    facts: dict[str, Any]  # for the data passport
    read: Callable[[int], Iterator[pd.DataFrame]]
    formats: Mapping[str, str] = field(default_factory=dict)  # of columns of text files: as Column.format wants it

    def chunks(self, rows: int = ROWS_AT_ONCE) -> Iterator[pd.DataFrame]:
        """The table in parts of `rows` rows, the last one shorter, each with the same columns and dtypes.

        Raises: DataError if the file is damaged or has changed since it was opened.
        """
        try:
            yield from self.read(rows)
        except UNREADABLE as error:
            raise unreadable(self.name, error) from error


def unreadable(name: str, error: BaseException) -> DataError:
    """The refusal of a library that reads files, in words."""
    if isinstance(error, PermissionError):
        return DataError(f"{name!r} cannot be read.", "The system does not permit it.", "Check its permissions.")
    what = f"{name!r} cannot be read as a table: {str(error).removesuffix('.')}."
    return DataError(what, "It may be damaged.", "Check that it opens elsewhere.")


def check_names(source: str, names: Sequence[str]) -> None:
    """Raises: DataError if there are no columns, or several of one name."""
    if not names:
        raise DataError(f"{source!r} has no columns.", "There is nothing to read.", "Give another table.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"{source!r} has several columns of the name {twice[0]!r}.",
            "They could not be told apart.",
            "Give each its own name; if the file has no line of names, add one.",
        )


def no_rows(source: str) -> DataError:
    """The error for a table with columns and nothing else."""
    return DataError(f"{source!r} is empty: it has no rows.", "Nothing can be learned.", "Give another table.")


def regrouped(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """The same rows in parts of just `rows`, the last one shorter, so that nothing depends on how a file is cut."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        if count < rows:
            continue
        table = pa.Table.from_batches(waiting)
        for first in range(0, count - count % rows, rows):
            yield table.slice(first, rows)
        count %= rows
        waiting = table.slice(table.num_rows - count).to_batches() if count else []
    if count:
        yield pa.Table.from_batches(waiting)
