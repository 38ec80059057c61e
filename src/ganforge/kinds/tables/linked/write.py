"""Writing of two tables: a folder with a file for each, in the forms in which they came, or a SQLite database."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from ganforge.core.files import refuse_taken, write_through, write_tree
from ganforge.errors import InputError
from ganforge.kinds.tables import DATABASES
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.linked.families import Relation
from ganforge.kinds.tables.linked.source import DATABASE
from ganforge.kinds.tables.reading.arrays import arrow_from, as_text, base_of
from ganforge.kinds.tables.reading.write import write_table

if TYPE_CHECKING:
    import pandas as pd

Blocks = Iterable["dict[str, pd.DataFrame]"]
TYPES = {"integer": "INTEGER", "decimal": "REAL"}  # of SQLite; other columns are TEXT


def files_of(relation: Relation) -> dict[str, str]:
    """Return the file of each table by its name: in a folder a table that came in a database becomes a .csv."""
    tables = (relation.parent, relation.child)
    endings = [".csv" if table.ending == DATABASE else table.ending for table in tables]
    stems = [re.sub(r"[^\w.\- ]|^\.", "_", table.name) for table in tables]  # a name may come from a stranger's model
    stems = stems if len(set(stems)) == 2 else [f"parent_{stems[0]}", f"child_{stems[1]}"]
    return {table.name: stem + ending for table, stem, ending in zip(tables, stems, endings, strict=True)}


def check_place(out: Path, relation: Relation, *, force: bool) -> None:
    """Check where tables are to be written. Raises: InputError for other files, or a folder that holds other things."""
    if out.name.lower().endswith(DATABASES):
        refuse_taken(out, force=force)
        return
    if out.suffix and not out.is_dir():
        raise InputError(
            f"Two tables cannot be written as {out.name!r}.",
            "They are written into a folder, or as a SQLite database.",
            f"Use the name of a folder, or one that ends with {' or '.join(DATABASES)}.",
        )
    names = set(files_of(relation).values())
    refuse_taken(
        out, force=force, replaceable=lambda place: place.is_dir() and {f.name for f in place.iterdir()} <= names
    )


def write_tables(blocks: Blocks, out: Path, relation: Relation) -> Path:
    """Write both tables, whole or not at all. Args: blocks both tables by name, a part at a time.

    Raises: StorageError.
    """
    if out.name.lower().endswith(DATABASES):
        write_through(out, lambda file: file.write(_database(blocks, relation)))
        return out

    parents: list[pd.DataFrame] = []  # which are fewer, wait in memory until the children are written

    def children() -> Iterator[pd.DataFrame]:
        for frames in blocks:
            parents.append(frames[relation.parent.name])
            yield frames[relation.child.name]

    def fill(folder: Path) -> None:
        files, columns = files_of(relation), relation.written
        for table, frames in ((relation.child.name, children()), (relation.parent.name, parents)):
            write_table(frames, folder / files[table], columns[table], force=True)

    write_tree(out, fill)
    return out


def _database(blocks: Blocks, relation: Relation) -> bytes:
    """Return a database with both tables, whose keys refer to each other."""
    with closing(sqlite3.connect(":memory:")) as database:
        for name, theirs in relation.written.items():
            listed = ", ".join(_declared(column, name, relation) for column in theirs)
            database.execute(f"CREATE TABLE {_quoted(name)} ({listed})")
        for frames in blocks:
            for name, theirs in relation.written.items():
                marks = ", ".join("?" * len(theirs))
                rows = zip(*(_cells(frames[name], column) for column in theirs), strict=True)
                database.executemany(f"INSERT INTO {_quoted(name)} VALUES ({marks})", rows)
        database.commit()
        return database.serialize()


def _declared(column: Column, table: str, relation: Relation) -> str:
    kind = "INTEGER" if _is_whole(column) else TYPES.get(column.kind, "TEXT")
    words = f"{_quoted(column.name)} {kind}"
    if table == relation.parent.name and column.name == relation.parent.primary_key:
        return f"{words} PRIMARY KEY"
    if table == relation.child.name and column.name in relation.child.references:
        return f"{words} REFERENCES {_quoted(relation.parent.name)}({_quoted(str(relation.parent.primary_key))})"
    return words


def _is_whole(column: Column) -> bool:
    return column.kind in ("identifier", "constant") and column.dtype.lower().startswith(("int", "uint"))


def _cells(frame: pd.DataFrame, column: Column) -> Sequence[object]:
    """Return the cells (N,) as SQLite has them: numbers as they are, everything else as text."""
    array = arrow_from(frame[column.name])
    numbers = base_of(array.type) == "number" and not pa.types.is_decimal(array.type)
    plain = array if numbers else as_text(array, column).cast(pa.string())
    cells: Sequence[object] = plain.to_pylist()
    return cells


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
