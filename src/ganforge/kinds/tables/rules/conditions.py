"""Conditions on the value of a column: `sex=Female`, `age>=60`, `income in {<=50K, >50K}`."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from numbers import Number
from operator import and_
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.errors import InputError, did_you_mean
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.rules.syntax import Clause, Typed, quoted_name, quoted_value, read_clause
from ganforge.kinds.tables.rules.values import at_least, at_most, read_span, seen_range, write_number

LISTED = 10  # known values that an error names
SHOWN = 5  # values of a list that an error repeats
TRUE_WORDS = frozenset({"true", "t", "yes", "y", "on", "1", "1.0"})
FALSE_WORDS = frozenset({"false", "f", "no", "n", "off", "0", "0.0"})


@dataclass(frozen=True, slots=True)
class Condition:
    """A column's value lies in low..high, both included, and is one of `values` where these are named; or is missing.

    Texts do not have ends; numbers and datetimes are in plain units (contracts.Plain).
    """

    column: str
    low: float = -math.inf
    high: float = math.inf
    values: frozenset[Any] | None = None
    missing: bool = False  # whether a missing value meets it too

    def __and__(self, other: Condition) -> Condition:
        """Return the intersection, which may be empty."""
        missing = self.missing and other.missing
        if self.values is None and other.values is None:
            return Condition(self.column, max(self.low, other.low), min(self.high, other.high), None, missing)
        named = [each.values for each in (self, other) if each.values is not None]
        common = frozenset.intersection(*named)
        if not any(isinstance(value, str) for value in common):
            low, high = max(self.low, other.low), min(self.high, other.high)
            common = frozenset(value for value in common if low <= value <= high)
        return one_of(self.column, [*common, *[None] * missing])

    @property
    def nothing(self) -> bool:
        """Return whether no value meets it."""
        return self.low > self.high if self.values is None else not self.values

    @property
    def numbers(self) -> NDArray[np.float64] | None:
        """Return the named numbers, ascending; None if any in low..high is allowed."""
        return None if self.values is None else np.array(sorted(self.values), np.float64)

    def holds(self, plain: Plain) -> NDArray[np.bool_]:
        """Return which rows meet it, (N,)."""
        given = plain[self.column]
        if self.values is not None:
            meets = pd.Series(given).isin(list(self.values)).to_numpy()
        else:
            meets = np.ones(len(given), bool) if given.dtype == object else (given >= self.low) & (given <= self.high)
        return np.where(pd.isna(given), self.missing, meets)


def one_of(column: str, values: Iterable[Any]) -> Condition:
    """Return the condition for any of these texts or numbers; None among them allows a missing value."""
    listed = list(values)
    named = frozenset(value for value in listed if value is not None)
    if any(isinstance(value, str) for value in named):
        return Condition(column, values=named, missing=None in listed)
    return Condition(column, min(named, default=math.inf), max(named, default=-math.inf), named, None in listed)


def all_of(conditions: Iterable[Condition], column: str) -> Condition:
    """Return the intersection of all conditions on a column; anything if there are none."""
    return reduce(and_, conditions, Condition(column, missing=True))


def seen_in(column: Column) -> Condition:
    """Return the range of a column of numbers or datetimes, as seen in training."""
    low, high = column.minimum, column.maximum
    return Condition(
        column.name, -math.inf if low is None else low, math.inf if high is None else high, missing=column.missing > 0
    )


def parse_where(
    words: str | Sequence[str] | Mapping[str, Any], columns: Sequence[Column], known: Mapping[str, Sequence[str]]
) -> tuple[Condition, ...]:
    """Parse conditions in words or in Python: at most one for each column, in the order of their first mention.

    Two conditions on one column must both hold. One number is a range of one, so that equal conditions are equal.

    Args: words as typed (syntax.py), or {column: value, list of values, (low, high) or None for missing};
        known for each category, boolean and constant column: the values seen in training.
    Raises: InputError for what cannot be read, an unknown column, and conditions that no row can meet.
    """
    by_name = {column.name: column for column in columns}
    found: dict[str, tuple[Condition, str]] = {}
    for clause in _clauses(words, by_name):
        condition = _condition(clause, by_name[clause.column], known.get(clause.column, ()))
        said = clause.said
        if clause.column in found:
            before, earlier = found[clause.column]
            condition &= before
            if condition.nothing and not condition.missing:
                raise InputError(
                    f"{earlier!r} and {said!r} cannot both hold.", "No value meets both.", "Leave one out."
                )
            said = f"{earlier} and {said}"
        if condition.low == condition.high and not condition.missing:
            condition = Condition(clause.column, condition.low, condition.high)
        found[clause.column] = (condition, said)
    return tuple(condition for condition, _ in found.values())


def on_grid(condition: Condition, column: Column) -> Condition:
    """Return a condition whose ends are moved inwards to values that its column can have; the same rows meet it."""
    low, high = condition.low, condition.high
    low = at_least(Fraction(low), column, strict=False) if math.isfinite(low) else low
    high = at_most(Fraction(high), column, strict=False) if math.isfinite(high) else high
    return replace(condition, low=low, high=high)


def in_words(condition: Condition, columns: Sequence[Column]) -> str:
    """Format a condition as a person would type it; `parse_where` reads it as exactly this condition."""
    names = [column.name for column in columns]
    column, name = columns[names.index(condition.column)], quoted_name(condition.column, names)
    if condition.values is None and condition.low < condition.high:
        return range_in_words(condition, name, column) or f"{name} is not missing"
    values = sorted(condition.values) if condition.values is not None else [condition.low]
    texts = [quoted_value(value) if isinstance(value, str) else write_number(value, column) for value in values]
    if not texts:
        return f"{name} is missing"
    texts += ["missing"] if condition.missing else []
    return f"{name}={texts[0]}" if len(texts) == 1 else f"{name} in {{{', '.join(texts)}}}"


def range_in_words(condition: Condition, name: str, column: Column) -> str:
    """Format a range, `17 <= age <= 90`; "" if it does not have ends."""
    low, high = (write_number(end, column) if math.isfinite(end) else "" for end in (condition.low, condition.high))
    if low and high:
        return f"{low} <= {name} <= {high}"
    return f"{name} >= {low}" if low else f"{name} <= {high}" if high else ""


def ends_of(bounds: Iterable[tuple[str, Typed]], column: Column) -> tuple[float, float]:
    """Return the least and the largest number of a column that keep all bounds (syntax.Clause).

    Raises: InputError if one of them is not a number or datetime.
    """
    low, high = -math.inf, math.inf
    for sign, value in bounds:
        first, last = read_span(value.text, column)
        if sign[0] == ">":
            low = at_least(first if sign == ">=" else last, column, strict=sign == ">")
        else:
            high = at_most(last if sign == "<=" else first, column, strict=sign == "<")
    return low, high


def _clauses(words: str | Sequence[str] | Mapping[str, Any], by_name: Mapping[str, Column]) -> list[Clause]:
    if not isinstance(words, Mapping):
        return [read_clause(word, by_name) for word in ([words] if isinstance(words, str) else words)]
    for name in words:
        if name not in by_name:
            raise InputError(
                f"There is no column {name!r}.", "A condition asks for it.", did_you_mean(str(name), by_name)
            )
    return [_given(value, by_name[name]) for name, value in words.items()]


def _condition(clause: Clause, column: Column, known: Sequence[str]) -> Condition:
    if column.kind == "identifier":
        raise InputError(
            f"The condition {clause.said!r} asks for an identifier.",
            f"The values of {column.name!r} are made anew for each row, they are not learned.",
            "Leave it out, or give the column another kind in the plan and train again.",
        )
    if clause.members is None:
        if not column.is_number:
            for sign, value in clause.bounds:
                raise InputError(
                    f"The condition {clause.said!r} cannot be met.",
                    f"{column.name!r} holds words without an order, so nothing is {sign} {value.text!r}.",
                    f"{_near(value.text, known)} Write = before the value.",
                )
        return _refuse_unseen(Condition(column.name, *_ends(clause, column)), clause, column)
    there = [value for value in clause.members if value is not None and not _is_missing(value, column, known)]
    missing = len(there) < len(clause.members)
    if missing and not column.missing:
        raise InputError(
            f"The condition {clause.said!r} asks for rows without a value.",
            f"In training {column.name!r} had a value in every row.",
            "Leave it out.",
        )
    if not column.is_number:
        return one_of(column.name, [_word(value, clause, column, known) for value in there] + [None] * missing)
    spans = [_span(value, clause, column) for value in there]
    if len(spans) == 1 and not missing:
        return spans[0]
    if any(span.low != span.high for span in spans):
        raise InputError(
            f"The condition {clause.said!r} lists spans of time.",
            f"In a list each must be one value of {column.name!r}.",
            f"Write them out, such as {write_number(spans[0].low, column)}, or ask for a range.",
        )
    return one_of(column.name, [span.low for span in spans] + [None] * missing)


def _is_missing(value: Typed, column: Column, known: Sequence[str]) -> bool:
    """Return whether a missing value is meant. The bare word is a value only if seen, without missing values."""
    return not value.quoted and value.text == "missing" and (column.missing > 0 or "missing" not in known)


def _ends(clause: Clause, column: Column) -> tuple[float, float]:
    low, high = ends_of(clause.bounds, column)
    if low > high:
        (_, least), (_, most) = sorted(clause.bounds, key=lambda bound: bound[0], reverse=True)  # > before <
        turned = read_span(least.text, column)[0] > read_span(most.text, column)[1]
        raise InputError(
            f"The condition {clause.said!r} cannot be met.",
            "Its low end is above its high end." if turned else f"Nothing lies between its ends: {_grid(column)}.",
            "Swap the ends." if turned else "Widen the range.",
        )
    return low, high


def _span(value: Typed, clause: Clause, column: Column) -> Condition:
    """Return the range of numbers of the column that a text means."""
    low, high = ends_of(((">=", value), ("<=", value)), column)
    if low > high:
        near = " and ".join(write_number(number, column) for number in (high, low))
        raise InputError(
            f"The condition {clause.said!r} cannot be met.",
            f"{value.text} is not a value of {column.name!r}: {_grid(column)}.",
            f"Its neighbours are {near}; a range works as well.",
        )
    return _refuse_unseen(Condition(column.name, low, high), clause, column)


def _grid(column: Column) -> str:
    if column.kind == "integer":
        return "it holds whole numbers"
    if column.kind == "datetime":
        steps = {"D": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds"}
        return f"it is counted in {steps.get(column.resolution or 'D', 'microseconds')}"
    return "it holds floating-point numbers" if column.decimals is None else f"it has {column.decimals} decimals"


def _refuse_unseen(condition: Condition, clause: Clause, column: Column) -> Condition:
    """Return the condition. Raises: InputError if its range is wholly outside the seen one."""
    if (condition & seen_in(column)).nothing:
        raise InputError(
            f"The condition {clause.said!r} cannot be met.",
            f"{column.name!r} is drawn from {seen_range(column)}.",
            "Ask for values within that range.",
        )
    return condition


def _word(value: Typed, clause: Clause, column: Column, known: Sequence[str]) -> str:
    """Return the known value that is meant."""
    for text in (value.text, value.raw):
        if text in known:
            return text
    if column.kind == "boolean":
        for words in (TRUE_WORDS, FALSE_WORDS):
            same = [text for text in known if text.casefold() in words]
            if value.text.casefold() in words and len(same) == 1:
                return same[0]
    parts = [part.strip() for part in re.split(r"[|,;]", value.text)]
    if len(parts) > 1 and set(parts) <= set(known):
        do = f"Write {column.name} in {{{', '.join(parts)}}}."
    else:
        do = _near(value.text, known)
    raise InputError(
        f"The condition {clause.said!r} cannot be met.",
        f"In training {column.name!r} is never {value.text!r}, or in fewer rows than rows.rare.",
        do,
    )


def _near(text: str, known: Sequence[str]) -> str:
    """Return known values that may have been meant: the same without case and punctuation, else similar in spelling."""
    mine, *folded = (re.sub(r"[\W_]+", "", value.casefold()) for value in (text, *known))
    alike = {mine} & {*folded} or difflib.get_close_matches(mine, folded, n=3)
    near = [repr(value) for value, fold in zip(known, folded, strict=True) if fold in alike]
    if near:
        return f"Did you mean {' or '.join(near[:LISTED])}?"
    more = f" and {len(known) - LISTED:,} more" if len(known) > LISTED else ""
    return f"Known: {', '.join(known[:LISTED])}{more}."


# ---- conditions in Python -------------------------------------------------------------------------------------------


def _given(value: Any, column: Column) -> Clause:
    """Format an entry of a mapping as it would be typed.

    Args: value a scalar, None for missing, a pair (low, high) with None for an open end where the column is ordered, or
        a list, set, tuple or array of values.
    Raises: InputError for a value of another type, a range that is not a pair, or an empty list.
    """
    said = f"{column.name}={value!r}"
    if isinstance(value, tuple) and column.is_number:
        if len(value) != 2:
            raise InputError(
                f"The range {said} has {len(value)} ends.",
                "A tuple is a range on numbers and datetimes.",
                "Give (low, high), with None for an open end, or a list of values.",
            )
        ends = [(sign, _typed(end, column)) for sign, end in zip((">=", "<="), value, strict=True)]
        return Clause(
            column.name, said, bounds=tuple((sign, end) for sign, end in ends if end and not end.text.endswith("inf"))
        )
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | dict):
        listed = list(value)
        if not listed:
            raise InputError(f"{column.name} is to be one of no values.", "No row is like that.", "Give at least one.")
        more = ", ..." if len(listed) > SHOWN else ""
        said = f"{column.name} in {{{', '.join(str(item) for item in listed[:SHOWN])}{more}}}"
        return Clause(column.name, said, members=tuple(_typed(item, column) for item in listed))
    return Clause(column.name, said, members=(_typed(value, column),))


def _typed(value: Any, column: Column) -> Typed | None:
    """Format a scalar as a person would type it, in quotes; None if it means a missing value."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    match value:
        case bool() | np.bool_():
            text = str(int(value)) if column.is_number else str(value)
        case datetime():
            text = value.isoformat(timespec="nanoseconds" if isinstance(value, pd.Timestamp) else "microseconds")
        case str() | date() | np.datetime64() | Number() | Decimal():
            text = str(value)
        case _:
            raise InputError(
                f"The column {column.name!r} cannot be asked for {value!r}, a {type(value).__name__}.",
                "A condition is a value, a list of values, or a pair (low, high).",
                "Give one of these.",
            )
    # The typed form differs from the text: so the word "missing" is a value like others, and a category
    # of whole numbers is found for 3.0, which a column with missing values has instead of 3.
    return Typed(text, str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else "")
