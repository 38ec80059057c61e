"""Tables from wherever they are: `open_source` gives chunks of rows whose columns have one type from first to last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ganforge.errors import DataError, did_you_mean
from ganforge.kinds.tables import ARROW, BUILT_IN, TEXT
from ganforge.kinds.tables.reading.arrow_files import open_arrow
from ganforge.kinds.tables.reading.reader import UNREADABLE, TableSource, unreadable
from ganforge.kinds.tables.reading.text_files import open_text

__all__ = ["TableSource", "open_source"]


def open_source(source: str | Path) -> TableSource:
    """Opens a .csv, .tsv or .txt file (also .gz), .parquet, .feather or .arrow, a folder of Parquet parts, or a
    built-in table by its name. Text files and, where their statistics do not tell, others are read once for the types.

    Raises: DataError if there is no such table, or it is empty, damaged, or has columns that no table can have.
    """
    if isinstance(source, str) and source in BUILT_IN:
        return _built_in(source)
    path, name = Path(source).expanduser(), str(source)
    try:
        return _open(name, path)
    except UNREADABLE as error:
        raise unreadable(name, error) from error


def _open(name: str, path: Path) -> TableSource:
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
        return open_text(name, path)
    endings = ", ".join(TEXT[:4] + ARROW)
    raise DataError(f"{name!r} is not a table by its name.", do=f"Give a file that ends with one of {endings}.")


def _built_in(name: str) -> TableSource:
    """A table of scikit-learn; a target that is a class becomes a category of the classes' names."""
    from sklearn import datasets

    options = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(datasets, f"load_{name}")(as_frame=True, **options)
    frame = pd.DataFrame(bunch.frame)
    if name != "diabetes":
        words = [str(word) for word in bunch.target_names]
        frame["target"] = pd.Categorical.from_codes(frame["target"].to_numpy(), categories=words)

    def read(rows: int) -> Iterator[pd.DataFrame]:
        for first in range(0, len(frame), rows):
            yield frame.iloc[first : first + rows].reset_index(drop=True)

    return TableSource(name, tuple(map(str, frame.columns)), {"source": name, "format": "built-in"}, read)
