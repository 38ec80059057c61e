"""What kinds of data need to know of a Parquet file before one of them opens it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ganforge.core.files import DAMAGED

if TYPE_CHECKING:
    import pyarrow as pa


def encoded_columns(path: Path) -> list[str] | None:
    """The columns that hold bytes, alone or in a struct, as those of encoded pictures do; None if it is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
    except (*DAMAGED, pa.ArrowException):
        return None
    return [field.name for field in schema if is_encoded(field.type)]


def is_encoded(column: pa.DataType) -> bool:
    """Whether a column's type is bytes, or a struct with bytes in it."""
    import pyarrow as pa

    if pa.types.is_struct(column):
        return any(is_encoded(column.field(place).type) for place in range(column.num_fields))
    return bool(pa.types.is_binary(column) or pa.types.is_large_binary(column))
