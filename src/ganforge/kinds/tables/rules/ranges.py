"""The numbers that a column can hold, and the ends of ranges on them: exact, never approximate.

A column's numbers lie on a grid: whole numbers, whole counts of a datetime's resolution, decimals with d digits, or
whatever floating point can hold. An end of a range is moved inwards to the grid: `age>60` begins at 61.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np

from ganforge.errors import InputError
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.datetimes import read_datetime, write_datetime

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", re.ASCII)


def read_span(text: str, column: Column) -> tuple[Fraction, Fraction]:
    """The first and last value that a text means, in plain units: one number, or the span of a datetime.

    Raises: InputError if it is no number or no datetime.
    """
    if column.kind == "datetime":
        return read_datetime(text, column)
    number = text.strip()
    if not _NUMBER.fullmatch(number) or math.isinf(_nearest(number, column)):
        swapped = re.fullmatch(r"([<>])\s*(.+)", text)
        if swapped:
            do = f"Write {column.name}{swapped[1]}={swapped[2]}."
        elif _NUMBER.fullmatch(number.replace(",", "").replace(" ", "")):
            do = f"Write {number.replace(',', '').replace(' ', '')}, with a point for decimals."
        else:
            do = "Give a number such as 60 or 2.5."
        raise InputError(f"{text!r} is no number.", f"The column {column.name!r} holds numbers.", do)
    value = Fraction(number)
    if _step(column) is None:  # 0.1 means the floating-point number that is written so
        value = Fraction(_nearest(value, column))
    return value, value


def at_least(value: Fraction, column: Column, *, strict: bool) -> float:
    """The smallest number of the column's grid that is >= value, or > value where strict."""
    step = _step(column)
    if step is not None:
        count = math.ceil(value / step)
        return float(step * (count + 1 if strict and step * count == value else count))
    near = _nearest(value, column)
    return near if Fraction(near) > value or (near == value and not strict) else _next(near, math.inf, column)


def at_most(value: Fraction, column: Column, *, strict: bool) -> float:
    """The largest number of the column's grid that is <= value, or < value where strict."""
    return -at_least(-value, column, strict=strict)


def write_number(plain: float, column: Column) -> str:
    """A number of the column's grid as the text that `read_span` reads as just this number."""
    return write_datetime(plain, column) if column.kind == "datetime" else number_text(plain)


def number_text(plain: float) -> str:
    """The shortest text of a number: 60, 2.5."""
    return str(int(plain)) if float(plain).is_integer() and abs(plain) < 1e15 else repr(float(plain))


def seen_range(column: Column) -> str:
    """`17 to 90`, as seen in training."""
    ends = (column.minimum, column.maximum)
    return " to ".join("?" if end is None else write_number(end, column) for end in ends)


def _step(column: Column) -> Fraction | None:
    """The distance of two neighbours on the column's grid; None for floating point."""
    if column.kind != "decimal":
        return Fraction(1)
    return None if column.decimals is None else Fraction(1, 10**column.decimals)


def _nearest(value: Fraction | str, column: Column) -> float:
    with np.errstate(over="ignore"):  # beyond the column's floating point is infinite, and refused by read_span
        return float(np.float32(float(value))) if _single(column) else float(value)


def _next(value: float, to: float, column: Column) -> float:
    return float(np.nextafter(np.float32(value), np.float32(to)) if _single(column) else np.nextafter(value, to))


def _single(column: Column) -> bool:
    return column.dtype.lower().startswith("float32")
