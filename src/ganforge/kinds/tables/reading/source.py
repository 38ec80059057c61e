"""Sources of tables: `open_source` gives chunks of rows whose columns have one type from first to last."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from ganforge.core.files import DAMAGED
from ganforge.errors import DataError, did_you_mean
from ganforge.kinds.tables import ARROW, BUILT_IN, TEXT
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.arrays import OBJECTS
from ganforge.kinds.tables.reading.text_values import Meaning

ROWS_AT_ONCE = 65_536
_READERS = {  # of pandas, of files that must be converted
    ".xlsx": "read_excel", ".xls": "read_excel", ".ods": "read_excel", ".json": "read_json", ".dta": "read_stata",
    ".sav": "read_spss", ".sas7bdat": "read_sas", ".orc": "read_orc", ".html": "read_html", ".xml": "read_xml",
}  # fmt: skip
UNREADABLE = (*DAMAGED, pa.ArrowException, csv.Error)


@dataclass(frozen=True)
class TableSource:
    """A table that is read a part at a time, any number of times, always the same rows in the same order."""

    name: str  # as it was given
    column_names: tuple[str, ...]
    facts: dict[str, Any]  # for the data passport
    read: Callable[[int], Iterator[pd.DataFrame]]
    formats: Mapping[str, str] = field(default_factory=dict)  # of columns of text files: as in Column.format
    cells: Callable[[int], Iterator[pa.Table]] | None = None  # of text files: the parts of `read`, to the letter
    objects: frozenset[str] = frozenset()  # columns that pandas holds as Python's objects, such as Decimal
    periods: Mapping[str, str] = field(
        default_factory=dict
    )  # columns of periods, which are read as moments: their dtype
    meanings: Mapping[str, Meaning] = field(default_factory=dict)  # of columns of text files that are not text

    def as_given(self, name: str, dtype: str) -> str:
        """Return Column.dtype of a column: that of the frame it came from. Args: dtype of what is read."""
        if name in self.periods:
            return self.periods[name]
        return f"{OBJECTS}{dtype}]" if name in self.objects and dtype != "object" else dtype

    def chunks(self, rows: int = ROWS_AT_ONCE) -> Iterator[pd.DataFrame]:
        """Yield the table in parts of `rows` rows, the last one shorter, each with the same columns and dtypes.

        Raises: DataError if the file is damaged or has changed since it was opened.
        """
        try:
            yield from self.read(rows)
        except UNREADABLE as error:
            raise unreadable(self.name, error) from error


def unreadable(name: str, error: BaseException) -> DataError:
    """Describe the error of a library that reads files."""
    if isinstance(error, PermissionError):
        return DataError(f"{name!r} cannot be read.", "The system does not permit it.", "Check its permissions.")
    what = f"{name!r} cannot be read as a table: {str(error).removesuffix('.')}."
    return DataError(what, "It may be damaged.", "Check that it opens elsewhere.")


def no_rows(source: str) -> DataError:
    """Return the error for a table with columns but without rows."""
    return DataError(f"{source!r} is empty: it has no rows.", "Nothing can be learned.", "Give another table.")


def regrouped(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Regroup rows in parts of exactly `rows`, the last one shorter, so that nothing depends on a file's chunks."""
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


def open_source(source: str | Path, known: Sequence[Column] = ()) -> TableSource:
    """Open a .csv, .tsv or .txt file (also .gz), .parquet, .feather or .arrow, a folder of Parquet parts, or a
    built-in table by its name. Text files and, without statistics, others are read once for the types.

    Args: known columns as a model learned them: where a form could be several, it is theirs.
    Raises: DataError if the table does not exist, is empty, damaged, or has invalid columns.
    """
    if isinstance(source, str) and source in BUILT_IN:
        return _built_in(source)
    path, name = Path(source).expanduser(), str(source)
    try:
        return _open(name, path, known)
    except UNREADABLE as error:
        raise unreadable(name, error) from error


def _open(name: str, path: Path, known: Sequence[Column]) -> TableSource:
    from ganforge.kinds.tables.reading.arrow_files import open_arrow  # which know TableSource
    from ganforge.kinds.tables.reading.text_files import open_text

    if not path.exists():
        near = {str(p) for p in path.parent.iterdir()} if path.parent.is_dir() else set()
        hint = did_you_mean(str(path), near | set(BUILT_IN))
        raise DataError(
            f"There is no file at {name!r}.",
            f"A table is a file, a folder of Parquet parts, or one of the names {', '.join(BUILT_IN)}.",
            hint if "mean" in hint else "",
        )
    if path.is_dir():
        parts = sorted(part for part in path.iterdir() if part.suffix.lower() == ".parquet")
        if not parts:
            raise DataError(f"The folder {name!r} holds no .parquet files.", do="Give a file, or another folder.")
        return open_arrow(name, parts)
    if path.name.lower().endswith(ARROW):
        return open_arrow(name, [path])
    if path.name.lower().endswith(TEXT):
        return open_text(name, path, known)
    endings = ", ".join(TEXT[:4] + ARROW)
    reader = _READERS.get(path.suffix.lower())
    do = f" In Python: pandas.{reader}({name!r}).to_parquet('table.parquet')." if reader else ""
    do = " Unpack it first." if path.suffix.lower() in (".zip", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tar") else do
    raise DataError(f"{name!r} is not a table by its name.", do=f"Give a file that ends with one of {endings}.{do}")


def _built_in(name: str) -> TableSource:
    """Load a table of scikit-learn; a target that is a class becomes a category of the classes' names."""
    from sklearn import datasets

    options = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(datasets, f"load_{name}")(as_frame=True, **options)
    frame = pd.DataFrame(bunch.frame)
    if name != "diabetes":
        words = [str(word) for word in bunch.target_names]
        frame["target"] = pd.Categorical.from_codes(frame["target"].to_numpy(), categories=words)

    facts = {"source": name, "format": "built-in"}
    return TableSource(name, tuple(map(str, frame.columns)), facts, reader_of(frame))


def reader_of(frame: pd.DataFrame) -> Callable[[int], Iterator[pd.DataFrame]]:
    """Return what reads a frame in memory, so many rows at a time (TableSource.read)."""

    def read(rows: int) -> Iterator[pd.DataFrame]:
        for first in range(0, len(frame), rows):
            yield frame.iloc[first : first + rows].reset_index(drop=True)

    return read
