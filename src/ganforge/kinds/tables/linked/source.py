"""Sources of several tables: a folder with a file for each, or a SQLite database. They are read into memory."""

from __future__ import annotations

import csv
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from ganforge.errors import DataError
from ganforge.kinds.tables import ARROW, TEXT, is_database, table_files
from ganforge.kinds.tables.reading.source import UNREADABLE, TableSource, open_source, reader_of, unreadable

DATABASE = ".sqlite"  # the ending of a table that came in one


@dataclass(frozen=True, slots=True)
class NamedTable:
    """One of several tables, in memory."""

    name: str
    ending: str
    frame: pd.DataFrame
    source: TableSource  # where it came from, for the forms of its values

    def source_of(self, frame: pd.DataFrame) -> TableSource:
        """Return a source of rows of this table, which may have more columns or fewer."""
        facts = {key: value for key, value in self.source.facts.items() if key in ("format", "delimiter")}
        names, read = tuple(map(str, frame.columns)), reader_of(frame)
        return replace(self.source, name=self.name, column_names=names, facts=facts, read=read, cells=None)


def holds_several(source: str | Path) -> bool:
    """Return whether a source of tables holds several: a SQLite file, or a folder of files with different columns.

    Parquet files that share most of their columns are parts of one table, some of them faulty.
    """
    path = Path(source).expanduser()
    if path.is_file():
        return is_database(path)
    files = table_files(path) if path.is_dir() else []
    if len(files) < 2 or any(file.suffix.lower() != ".parquet" for file in files):
        return len(files) > 1
    try:
        columns = [set(pq.read_schema(file).names) for file in files]
    except UNREADABLE:
        return False
    return 2 * len(set.intersection(*columns)) < len(set.union(*columns))


def read_tables(source: str | Path) -> list[NamedTable]:
    """Read all tables, in alphabetical order. Raises: DataError as `open_source`; for two files of one name."""
    path = Path(source).expanduser()
    try:
        if path.is_file():
            return _database(path)
        tables = [_in_memory(_stem(file), file.name[len(_stem(file)) :].lower(), file) for file in table_files(path)]
    except UNREADABLE as error:
        raise unreadable(str(source), error) from error
    names = [table.name for table in tables]
    for name in names:
        if names.count(name) > 1:
            what = f"{str(source)!r} holds several files for a table {name!r}."
            raise DataError(what, "They could not be told apart.", "Leave one of them out.")
    return tables


def _stem(file: Path) -> str:
    ending = max((end for end in (*TEXT, *ARROW) if file.name.lower().endswith(end)), key=len)
    return file.name[: -len(ending)]


def _in_memory(name: str, ending: str, file: Path) -> NamedTable:
    opened = open_source(file)
    return NamedTable(name, ending, pd.concat(list(opened.chunks()), ignore_index=True), opened)


def _database(path: Path) -> list[NamedTable]:
    """Read a SQLite database. Each table goes through a text file, so that dates and numbers are read as in any."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        try:
            listed = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite@_%' ESCAPE '@'"
            names = sorted(name for (name,) in database.execute(listed))
            with tempfile.TemporaryDirectory(prefix="ganforge-") as folder:
                return [_table_of(database, name, Path(folder) / f"{place}.csv") for place, name in enumerate(names)]
        except sqlite3.Error as error:
            raise DataError(
                f"{str(path)!r} cannot be read as a SQLite database: {error}.",
                "It may be damaged, or encrypted.",
                "Check that it opens elsewhere.",
            ) from error


def _table_of(database: sqlite3.Connection, name: str, file: Path) -> NamedTable:
    quoted = name.replace('"', '""')
    rows = database.execute(f'SELECT * FROM "{quoted}"')
    heads = [head[0] for head in rows.description]
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(heads)
        for row in rows:
            for head, value in zip(heads, row, strict=True):
                if isinstance(value, bytes):
                    raise DataError(
                        f"The column {head!r} of {name!r} holds bytes.",
                        "Only numbers, texts and dates can be learned.",
                        "Leave it out of the database.",
                    )
            writer.writerow(row)
    try:
        table = _in_memory(name, DATABASE, file)
    except DataError as error:
        raise DataError(error.what.replace(repr(str(file)), repr(name)), error.why, error.do) from error
    return replace(table, source=replace(table.source, name=name))
