"""A table with its missing cells filled by a model of rows, in parts, so that its length costs no memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ganforge.core.seeds import seed_for
from ganforge.kinds.tables import keep
from ganforge.kinds.tables.reading.opened import TableSource
from ganforge.kinds.tables.reading.plain import columns_like, plain_like, with_filled
from ganforge.kinds.tables.reading.source import open_source
from ganforge.kinds.tables.reading.write import check_table_place, write_table

if TYPE_CHECKING:
    from ganforge.kinds.tables.generate.model import RowModel


def completed(model: RowModel, source: object, *, draw: bool, seed: int) -> pd.DataFrame:
    """A table, as a path or a frame, with its missing cells filled. Raises: DataError if it is not like the learned."""
    with _on_disk(source) as path:
        table = open_source(path)
        columns_like(table, model.codec.columns)  # or it is refused
        return pd.concat(list(_filled(model, table, draw, seed)), ignore_index=True)


def write_completed(model: RowModel, source: object, out: Path, *, draw: bool, seed: int, force: bool) -> Path:
    """The same as a file. Raises: InputError for the place, before anything is read; DataError; StorageError."""
    check_table_place(out, force=force)
    with _on_disk(source) as path:
        table = open_source(path)
        columns = columns_like(table, model.codec.columns)
        return write_table(_filled(model, table, draw, seed), out, columns, force=force)


@contextmanager
def _on_disk(source: object) -> Iterator[str | Path]:
    """A path for a table: its own, or that of a file which is there for now."""
    if isinstance(source, str | Path):
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="ganforge-") as folder:
        yield keep(source, Path(folder))


def _filled(model: RowModel, source: TableSource, draw: bool, seed: int) -> Iterator[pd.DataFrame]:
    """The table in parts, as it is but for its missing cells."""
    learned = [
        column for column in model.codec.columns if any(column.name in unit.columns for unit in model.codec.units)
    ]
    first_row = 1
    for number, frame in enumerate(source.chunks()):
        plain = plain_like(frame, learned, first_row)
        filled = model.complete(plain, draw=draw, seed=seed_for(seed, "filled rows", step=number))
        yield with_filled(frame, filled, learned)
        first_row += len(frame)
