"""Conditions as Python writes them, {"sex": "Female", "age": (60, None)}, brought into the form of typed ones."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd

from ganforge.errors import InputError
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.rules.bounds import ORDERED_KINDS
from ganforge.kinds.tables.rules.syntax import Clause, Typed

SHOWN = 5  # values of a list that an error repeats


def clause_of(value: Any, column: Column) -> Clause:
    """One entry of a mapping.

    Args: value a scalar, None for missing, a pair (low, high) with None for an open end where the column is ordered, or
        a list, set, tuple or array of values.
    Raises: InputError for a value of another type, a range that is no pair, or an empty list.
    """
    said = f"{column.name}={value!r}"
    if isinstance(value, tuple) and column.kind in ORDERED_KINDS:
        if len(value) != 2:
            raise InputError(
                f"The range {said} has {len(value)} ends.",
                "A tuple is a range on numbers and datetimes.",
                "Give (low, high), with None for an open end, or a list of values.",
            )
        ends = [(sign, typed(end, column)) for sign, end in zip((">=", "<="), value, strict=True) if not _open(end)]
        return Clause(column.name, said, bounds=tuple((sign, end) for sign, end in ends if end is not None))
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | dict):
        listed = list(value)
        if not listed:
            raise InputError(f"{column.name} is to be one of no values.", "No row is like that.", "Give at least one.")
        more = ", ..." if len(listed) > SHOWN else ""
        said = f"{column.name} in {{{', '.join(str(item) for item in listed[:SHOWN])}{more}}}"
        return Clause(column.name, said, members=tuple(typed(item, column) for item in listed))
    return Clause(column.name, said, members=(typed(value, column),))


def typed(value: Any, column: Column) -> Typed | None:
    """A scalar as a person would type it, in quotes; None if it means a missing value."""
    if (
        value is None
        or value is pd.NaT
        or value is pd.NA
        or (isinstance(value, float | np.floating) and math.isnan(value))
    ):
        return None
    value = value.item() if isinstance(value, np.bool_) else value
    match value:
        case str() | np.datetime64():
            text = str(value)
        case bool():
            text = str(int(value)) if column.kind in ORDERED_KINDS else str(value)
        case pd.Timestamp():
            text = value.isoformat(timespec="nanoseconds")
        case datetime():
            text = value.isoformat(timespec="microseconds")
        case date():
            text = value.isoformat()
        case Number() | Decimal():
            text = str(value)
        case _:
            raise InputError(
                f"The column {column.name!r} cannot be asked for {value!r}, a {type(value).__name__}.",
                "A condition is a value, a list of values, or a pair (low, high).",
                "Give one of these.",
            )
    # What it looks like as typed differs from the text: so the word "missing" is a value like others, and a category
    # of whole numbers is found for 3.0, which is what a column with missing values makes of 3.
    return Typed(text, str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else "")


def _open(end: Any) -> bool:
    """Whether an end of a range is open: None, or infinite."""
    return end is None or (isinstance(end, float | np.floating) and bool(math.isinf(end) or math.isnan(end)))
