"""What kind of data is at a path: pictures or a table. By its name and, for Parquet, by the types of its columns."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from ganforge.core.damaged import DAMAGED
from ganforge.kinds.pictures.reading.folder import SUFFIXES
from ganforge.kinds.tables.reading.source import ARROW, BUILT_IN_TABLES, TEXT

Kind = Literal["pictures", "table"]


def kind_of(source: str | Path) -> Kind:
    """Args: source a path or a built-in name; what does not exist counts as pictures unless its name is a table's."""
    if isinstance(source, str) and source in BUILT_IN_TABLES:
        return "table"
    path = Path(source).expanduser()
    name = path.name.lower()
    if name.endswith(TEXT):
        return "table"
    if path.is_dir():
        parts = sorted(path.glob("*.parquet"))
        pictures = any(entry.is_dir() or entry.suffix.lower() in SUFFIXES for entry in path.iterdir())
        return "table" if parts and not pictures and _holds_rows(parts[0]) else "pictures"
    if name.endswith(".parquet"):
        return "table" if _holds_rows(path) else "pictures"
    return "table" if name.endswith(ARROW) else "pictures"


def _holds_rows(path: Path) -> bool:
    """Whether no column of a Parquet file holds encoded pictures. One that cannot be read is left to its reader."""
    try:
        schema = pq.read_schema(path)
    except (*DAMAGED, pa.ArrowException):
        return False
    return not any(_is_encoded(field.type) for field in schema)


def _is_encoded(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(_is_encoded(kind.field(place).type) for place in range(kind.num_fields))
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
