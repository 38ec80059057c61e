"""What is in a table: its columns with their kinds, its size, its hash, and what a person should know; in one pass."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from ganforge.errors import DataError, did_you_mean
from ganforge.kinds.tables.codec.identifiers import Pattern
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.arrays import arrow_from, base_of
from ganforge.kinds.tables.reading.column_types import as_asked, column_of
from ganforge.kinds.tables.reading.profile import EXACT, MEMORY, MOST_DISTINCT, Distinct, Profile, hash_into
from ganforge.kinds.tables.reading.source import TableSource

FEWEST_ROWS = 10


@dataclass(frozen=True)
class TableSurvey:
    """A table as it was found, and as the person who corrected plan.json wants it."""

    columns: tuple[Column, ...]  # in the table's order
    rows: int
    sha256: str  # of the contents: columns' names, types and values
    passport: dict[str, Any]


def survey_table(source: TableSource, asked: Sequence[Column] = ()) -> TableSurvey:
    """Reads a table once, a part at a time, and says what its columns are.

    Args: asked columns of an edited plan.json; what was set there wins over what is found.
    Raises: DataError if the table has fewer than 10 rows, nothing to learn, infinite values or whole numbers beyond
        2**53 that mean something, or cannot be as `asked`; each names the column, and the row where there is one.
    """
    corrections = _by_name(source, asked)
    profiles, dtypes, digest = _read(source)
    rows = profiles[0].rows if profiles else 0
    if rows < FEWEST_ROWS:
        raise DataError(
            f"{source.name!r} has {rows} rows.", f"At least {FEWEST_ROWS} are needed to learn from.", "Give more rows."
        )
    columns = []
    for profile in profiles:
        dtype = dtypes[profile.name]
        column = column_of(profile, dtype, source.formats.get(profile.name))
        if profile.name in corrections:
            column = as_asked(source, profile, dtype, column, corrections[profile.name])
        columns.append(column)
        if profile.beyond and column.kind in ("integer", "decimal"):
            row, value = profile.beyond
            raise DataError(
                f"The column {column.name!r} holds {value} in row {row}.",
                f"Whole numbers beyond {EXACT:,} cannot be learned exactly.",
                "If they only name the row, make the column an identifier in plan.json; else divide them.",
            )
    if all(column.kind in ("identifier", "constant") for column in columns):
        raise DataError(
            f"{source.name!r} has nothing to learn: each of its columns is an identifier or constant.",
            "Identifiers are made anew and constants copied.",
            "Give a table with other columns, or correct their kinds in plan.json.",
        )
    passport = {
        **source.facts,
        "source": source.name,
        "rows": rows,
        "columns": len(columns),
        "kinds": dict(Counter(column.kind for column in columns)),
        "missing": {column.name: column.missing for column in columns if column.missing},
        "warnings": _warnings(source, profiles, columns),
    }
    return TableSurvey(tuple(columns), rows, digest, passport)


def _by_name(source: TableSource, asked: Sequence[Column]) -> Mapping[str, Column]:
    for column in asked:
        if column.name not in source.column_names:
            raise DataError(
                f"The plan has a column {column.name!r}, but {source.name!r} has none of that name.",
                did_you_mean(column.name, source.column_names),
                "Correct the name in the plan, or remove the column there.",
            )
    return {column.name: column for column in asked}


def _read(source: TableSource) -> tuple[list[Profile], dict[str, Any], str]:
    """The one pass: profiles in the table's order, dtypes by name, sha256."""
    digest = hashlib.sha256(repr(source.column_names).encode())
    most = min(MOST_DISTINCT, MEMORY // len(source.column_names))
    profiles: list[Profile] = []
    dtypes: dict[str, Any] = {}
    for frame in source.chunks():
        arrays = {str(name): arrow_from(column) for name, column in frame.items()}
        if not profiles:
            dtypes = {str(name): dtype for name, dtype in frame.dtypes.items()}
            for name, array in arrays.items():
                base = "text" if isinstance(dtypes[name], pd.CategoricalDtype) else base_of(array.type)
                whole_type = base == "number" and pa.types.is_integer(array.type)
                profiles.append(Profile(name, base, whole_type, Distinct(most), Pattern(name)))
        for profile in profiles:
            array = arrays[profile.name]
            profile.look(array)
            hash_into(digest, array)
    return profiles, dtypes, digest.hexdigest()


def _warnings(source: TableSource, profiles: Sequence[Profile], columns: Sequence[Column]) -> list[str]:
    """Sentences for the person, about what was done and what may be a mistake."""
    facts, words = source.facts, []
    if ragged := facts.get("ragged_lines"):
        lines = ", ".join(str(line["line"]) for line in facts["first_ragged_lines"])
        words.append(
            f"{ragged:,} lines have too few or too many fields and were left out: line {lines}"
            f"{' and more' if ragged > len(facts['first_ragged_lines']) else ''}."
        )
    for name, form in facts.get("day_or_month_first", {}).items():
        words.append(f"The dates of {name!r} could have the day or the month first; they were read as {form}.")
    for name in facts.get("numbers_with_commas", ()):
        words.append(f"The numbers of {name!r} have commas and were read as text; write them like 1234.5.")
    if unnamed := facts.get("unnamed_columns"):
        words.append(f"{unnamed} columns have no name; they are called by their place, such as column_1.")
    if pd.to_numeric(pd.Series(source.column_names), errors="coerce").notna().all():
        words.append("The names of the columns are numbers: if the file has no line of names, add one.")
    for profile, column in zip(profiles, columns, strict=True):
        values = profile.rows - profile.missing
        repeated = 0 if profile.distinct.full else values - profile.distinct.count
        if column.kind == "identifier" and repeated:
            words.append(
                f"{column.name!r} was taken for an identifier, though {repeated:,} of its "
                f"{values:,} values come again; make it a category in plan.json to learn it."
            )
        if values == 0:
            words.append(f"{column.name!r} has no value in any row.")
    return words
