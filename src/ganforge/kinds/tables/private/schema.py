"""The schema of a private table: columns, ranges and categories that a person states, so that none is read from data.

{"target": "income",
 "columns": {"age": {"low": 17, "high": 90, "integer": true},
             "sex": {"categories": ["F", "M"], "missing": false},
             "seen": {"low": "2020-01-01", "high": "2025-12-31"},
             "name": {"leave_out": true}}}
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from ganforge.core.files import read_json_file
from ganforge.errors import RecipeError, did_you_mean
from ganforge.kinds.tables.columns import MICROSECONDS, MOST_DECIMALS, Column
from ganforge.recipe import Section

MOST_CATEGORIES = 1_000
KEYS = ("target", "columns")
OF_A_COLUMN = ("low", "high", "integer", "decimals", "categories", "missing", "format", "leave_out")
PRICE = 'Write its "low" and "high", or its "categories", or buy them: --private "epsilon=1,bounds=0.1".'
SKELETON = "docs/trust.md shows how to write a schema from the names of the columns alone."


class PublicColumn(Section):
    """What is known of a column without the data. A number has low and high, a category its values."""

    name: str
    kind: Literal["number", "date", "category", "unknown"]  # unknown: its bounds are to be bought
    low: float | None = None  # a date counts in its resolution since 1970
    high: float | None = None
    integer: bool = False
    decimals: int | None = Field(None, ge=0, le=MOST_DECIMALS)
    resolution: Literal["D", "s"] | None = None
    format: str | None = None  # of dates, as strftime writes them
    categories: tuple[str, ...] = ()
    missing: bool = True  # whether cells may be empty

    @property
    def column(self) -> Column:
        """Return the column of the tables that are drawn."""
        about: dict[str, Any] = {"name": self.name, "why": "the schema says so", "missing": int(self.missing)}
        if self.kind == "category":
            return Column(kind="category", dtype="str", distinct=len(self.categories), **about)
        about |= {"minimum": self.low, "maximum": self.high}
        if self.kind == "date":
            text = {"dtype": "str", "format": self.format} if self.format else {"dtype": "datetime64[s]"}
            return Column(kind="datetime", resolution=self.resolution, **text, **about)
        if self.integer:
            return Column(kind="integer", dtype="Int64" if self.missing else "int64", **about)
        return Column(kind="decimal", dtype="float64", decimals=self.decimals, **about)


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns that are learned, in the table's order, those that are left out, and the one to predict."""

    columns: tuple[PublicColumn, ...]
    left_out: tuple[str, ...] = ()
    target: str | None = None


def read_schema(path: str | Path) -> dict[str, Any]:
    """Read a schema file. Raises: RecipeError if it is not JSON, or has an unknown key."""
    name = str(path)
    try:
        content = read_json_file(Path(path).expanduser())
    except OSError as error:
        raise RecipeError(f"The schema {name!r} cannot be read: {error.strerror}.", do="Check its path.") from error
    except (ValueError, json.JSONDecodeError) as error:
        raise RecipeError(f"The schema {name!r} is not JSON: {error}.", do="Correct it.") from error
    columns = content.get("columns") if isinstance(content, dict) else None
    if not isinstance(columns, dict) or not all(isinstance(about, dict) for about in columns.values()):
        raise RecipeError(
            f"The schema {name!r} has no object of columns.", f"Its keys are {' and '.join(KEYS)}.", SKELETON
        )
    for key in content:
        if key not in KEYS:
            raise RecipeError(f"The schema {name!r} has an unknown key {key!r}.", did_you_mean(key, KEYS))
    for column, about in columns.items():
        for key in about:
            if key not in OF_A_COLUMN:
                what = f"The column {column!r} of the schema has an unknown key {key!r}."
                raise RecipeError(what, did_you_mean(key, OF_A_COLUMN))
    return dict(content)


def schema_for(names: Sequence[str], content: dict[str, Any], label: str | None, *, bought: bool) -> Schema:
    """Return the schema of a table with columns of these names.

    Args: content of a schema file, or {}; label the column to predict, which may stand in the file too; bought whether
        bounds that nobody stated are bought.
    Raises: RecipeError for columns without bounds, unknown columns, and bounds that are none.
    """
    stated = content.get("columns", {})
    for name in stated:
        if name not in names:
            raise RecipeError(f"The schema has a column {name!r}, and the table has none.", did_you_mean(name, names))
    left_out = tuple(name for name in names if stated.get(name, {}).get("leave_out"))
    columns = tuple(_column(name, stated.get(name, {})) for name in names if name not in left_out)
    unknown = [column.name for column in columns if column.kind == "unknown"]
    if unknown and not bought:
        raise RecipeError(
            f"The column {unknown[0]!r} has no bounds{f', nor have {len(unknown) - 1} more' if unknown[1:] else ''}.",
            "Reading its range or its categories from the data would publish what single people have.",
            PRICE,
        )
    target = label or content.get("target")
    known = [column.name for column in columns]
    if target is not None and target not in known:
        raise RecipeError(f"The table has no column {target!r} to predict.", did_you_mean(str(target), known))
    if len(columns) < 2:
        raise RecipeError("A private table needs two columns or more.", "It learns which values go together.")
    return Schema(columns, left_out, target)


def _column(name: str, about: dict[str, Any]) -> PublicColumn:
    missing = about.get("missing", True)
    if not isinstance(missing, bool):
        raise _wrong(name, "missing", missing, "It is true or false.")
    if "categories" in about:
        return _category(name, about["categories"], missing)
    if "low" not in about and "high" not in about:
        return PublicColumn(name=name, kind="unknown", missing=missing)
    low, high = about.get("low"), about.get("high")
    if isinstance(low, str) and isinstance(high, str):
        return _date(name, low, high, about.get("format"), missing)
    for key, value in (("low", low), ("high", high)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise _wrong(name, key, value, "A range has a low and a high, both numbers or both dates.")
    assert isinstance(low, int | float) and isinstance(high, int | float)
    if not low < high:
        raise _wrong(name, "high", high, f"It must be above low, which is {low:g}.")
    integer, decimals = about.get("integer", False), about.get("decimals")
    if not isinstance(integer, bool) or (integer and (low != int(low) or high != int(high))):
        raise _wrong(name, "integer", integer, "It is true where low, high and all between are whole numbers.")
    if decimals is not None and (type(decimals) is not int or not 0 <= decimals <= MOST_DECIMALS):
        raise _wrong(name, "decimals", decimals, f"It is a whole number from 0 to {MOST_DECIMALS}.")
    return PublicColumn(
        name=name, kind="number", low=low, high=high, integer=integer, decimals=decimals, missing=missing
    )


def _category(name: str, categories: Any, missing: bool) -> PublicColumn:
    if not isinstance(categories, list) or not all(isinstance(each, str | int | float) for each in categories):
        raise _wrong(name, "categories", categories, "It is a list of texts.")
    words = tuple(word_of(each) for each in categories)
    if len(words) > MOST_CATEGORIES:
        raise RecipeError(
            f"The column {name!r} has {len(words):,} categories.",
            f"Noise leaves nothing of more than {MOST_CATEGORIES:,}: each has a few rows.",
            'Merge them, or leave the column out: {"leave_out": true}.',
        )
    if len(set(words)) < max(len(words), 1):
        raise _wrong(name, "categories", categories[:5], "Each category is named once, and there is one at least.")
    return PublicColumn(name=name, kind="category", categories=words, missing=missing)


def _date(name: str, low: str, high: str, form: Any, missing: bool) -> PublicColumn:
    try:
        ends = [pd.Timestamp(each) for each in (low, high)]
    except ValueError as error:
        raise _wrong(name, "low", low, "A date is written as 2020-01-31 or 2020-01-31 23:59:59.") from error
    if any(end.tzinfo is not None or pd.isna(end) for end in ends) or not ends[0] < ends[1]:
        raise _wrong(name, "high", high, "It must be a later date than low, both without a zone.")
    if form is not None and (not isinstance(form, str) or "%" not in form):
        raise _wrong(name, "format", form, 'It is written as "%d.%m.%Y", say.')
    whole = all(len(each.strip()) <= 10 for each in (low, high))
    resolution: Literal["D", "s"] = "D" if whole else "s"
    unit = MICROSECONDS[resolution] / 1_000_000
    first, last = (end.timestamp() // unit for end in ends)
    return PublicColumn(
        name=name, kind="date", low=first, high=last, integer=True, resolution=resolution, format=form, missing=missing
    )


def word_of(value: Any) -> str:
    """Return a category as text: a whole number without a point, a text without blanks at its ends."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _wrong(name: str, key: str, value: Any, why: str) -> RecipeError:
    shown = repr(value)
    shown = f"{shown[:50]}..." if len(shown) > 50 else shown
    return RecipeError(f"The column {name!r} of the schema has {key} = {shown}.", why, "Correct the schema.")
