"""What is told of users and items, as a table in a file."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd

from ganforge.core.files import refuse_taken, write_whole
from ganforge.errors import InputError, did_you_mean

TABLES = (".csv", ".parquet")


def refuse_place(out: Path, what: str, *, force: bool, endings: tuple[str, ...] = TABLES) -> None:
    """Raise InputError for another suffix, a folder or, without force, an existing file.

    Args: what is written there.
    """
    if out.suffix.lower() not in endings:
        near, use = did_you_mean(out.suffix, endings), f"Use {' or '.join(endings)}."
        raise InputError(f"{what} cannot be written as {out.name!r}.", near, use)
    refuse_taken(out, force=force)


def write_table(table: pd.DataFrame, out: Path, float_format: str | None = None) -> Path:
    """Write a table as .csv or .parquet, whole or not at all."""
    if out.suffix.lower() == ".csv":
        text = table.to_csv(index=False, lineterminator="\n", float_format=float_format)
        write_whole(out, text.encode("utf-8", "surrogateescape"))
    else:
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        write_whole(out, buffer.getvalue())
    return out
