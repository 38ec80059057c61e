"""What a person asks of generated rows: `sex=Female`, `age>=60`, `income in {<=50K, >50K}`."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.errors import InputError, did_you_mean
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.rules.bounds import (
    ORDERED_KINDS,
    at_least,
    at_most,
    number_text,
    read_span,
    seen_range,
    write_number,
)
from ganforge.kinds.tables.rules.given_conditions import clause_of
from ganforge.kinds.tables.rules.syntax import Clause, Typed, quoted_name, quoted_value, read_clause

LISTED = 10  # known values that an error names
TRUE_WORDS = frozenset({"true", "t", "yes", "y", "on", "1", "1.0"})
FALSE_WORDS = frozenset({"false", "f", "no", "n", "off", "0", "0.0"})


@dataclass(frozen=True, slots=True)
class Among:
    """A column's value is one of these texts. None among them allows a missing value.

    Of numbers and datetimes the texts are those of plain numbers: see `among_numbers`.
    """

    column: str
    values: frozenset[str | None]


@dataclass(frozen=True, slots=True)
class Between:
    """A number or datetime lies in low..high, in plain units (contracts.Plain), both ends included. Never missing."""

    column: str
    low: float = -math.inf
    high: float = math.inf


Condition = Among | Between


def parse_where(
    words: str | Sequence[str] | Mapping[str, Any], columns: Sequence[Column], known: Mapping[str, Sequence[str]]
) -> tuple[Condition, ...]:
    """Conditions in words or in Python, at most one for each column, in the order of their first mention.

    Numbers and datetimes give Between; Among only for several numbers, or where missing values are asked for.
    All other kinds give Among. Two conditions on one column must both hold.

    Args: words as typed (syntax.py), or {column: value, list of values, (low, high) or None for missing};
        known for each category, boolean and constant column: the values seen in training.
    Raises: InputError for what cannot be read, an unknown column, and whatever no row can meet.
    """
    by_name = {column.name: column for column in columns}
    found: dict[str, tuple[Condition, str]] = {}
    for clause in _clauses(words, by_name):
        condition = _condition(clause, by_name[clause.column], known.get(clause.column, ()))
        said = clause.said
        if clause.column in found:
            before, earlier = found[clause.column]
            both = _both(before, condition, by_name[clause.column])
            if both is None:
                raise InputError(
                    f"{earlier!r} and {said!r} cannot both hold.", "No value meets both.", "Leave one out."
                )
            condition, said = both, f"{earlier} and {said}"
        found[clause.column] = (condition, said)
    return tuple(condition for condition, _ in found.values())


def holds(condition: Condition, plain: Plain) -> NDArray[np.bool_]:
    """Which rows meet a condition, (N,)."""
    values = plain[condition.column]
    if isinstance(condition, Between):
        return np.asarray((values >= condition.low) & (values <= condition.high), dtype=bool)
    if values.dtype == object:
        return np.asarray(pd.Series(values).isin(list(condition.values)), dtype=bool)
    within = np.isin(values, among_numbers(condition))
    return np.asarray(within | np.isnan(values) if None in condition.values else within)


def among_numbers(condition: Among) -> tuple[float, ...]:
    """The plain numbers that a condition on a number or datetime allows, ascending."""
    return tuple(sorted(float(value) for value in condition.values if value is not None))


def in_words(condition: Condition, columns: Sequence[Column]) -> str:
    """A condition as a person would type it; `parse_where` reads it as just this condition."""
    names = [column.name for column in columns]
    column = columns[names.index(condition.column)]
    name = quoted_name(condition.column, names)
    return (
        _among_in_words(name, condition, column)
        if isinstance(condition, Among)
        else _range_in_words(name, condition, column)
    )


def _among_in_words(name: str, condition: Among, column: Column) -> str:
    if column.kind in ORDERED_KINDS:
        texts = [write_number(number, column) for number in among_numbers(condition)]
    else:
        texts = [quoted_value(text) for text in sorted(value for value in condition.values if value is not None)]
    if not texts:
        return f"{name} is missing"
    texts += ["missing"] if None in condition.values else []
    return f"{name}={texts[0]}" if len(texts) == 1 else f"{name} in {{{', '.join(texts)}}}"


def _range_in_words(name: str, condition: Between, column: Column) -> str:
    if condition.low == condition.high:
        return f"{name}={write_number(condition.low, column)}"
    match math.isinf(condition.low), math.isinf(condition.high):
        case True, True:
            return f"{name} is not missing"
        case True, False:
            return f"{name}<={write_number(condition.high, column)}"
        case False, True:
            return f"{name}>={write_number(condition.low, column)}"
    return f"{write_number(condition.low, column)}<={name}<={write_number(condition.high, column)}"


def _clauses(words: str | Sequence[str] | Mapping[str, Any], by_name: Mapping[str, Column]) -> list[Clause]:
    if not isinstance(words, Mapping):
        return [read_clause(word, by_name) for word in ([words] if isinstance(words, str) else words)]
    for name in words:
        if name not in by_name:
            raise InputError(
                f"There is no column {name!r}.", "A condition asks for it.", did_you_mean(str(name), by_name)
            )
    return [clause_of(value, by_name[name]) for name, value in words.items()]


def _condition(clause: Clause, column: Column, known: Sequence[str]) -> Condition:
    if column.kind == "identifier":
        raise InputError(
            f"The condition {clause.said!r} asks for an identifier.",
            f"The values of {column.name!r} are made anew for each row, they are not learned.",
            "Leave it out, or give the column another kind in the plan and train again.",
        )
    if (
        clause.members is not None
        and any(_is_missing(value, column, known) for value in clause.members)
        and not column.missing
    ):
        raise InputError(
            f"The condition {clause.said!r} asks for rows without a value.",
            f"In training {column.name!r} had a value in every row.",
            "Leave it out.",
        )
    return _ordered(clause, column) if column.kind in ORDERED_KINDS else _text(clause, column, known)


def _is_missing(value: Typed | None, column: Column, known: Sequence[str]) -> bool:
    """Whether a missing value is asked for. The bare word is a value only where that was seen, and no missing ones."""
    bare = value is not None and not value.quoted and value.text == "missing"
    return value is None or (bare and (column.missing > 0 or "missing" not in known))


# ---- numbers and datetimes ------------------------------------------------------------------------------------------


def _ordered(clause: Clause, column: Column) -> Condition:
    if clause.members is None:
        return _bounded(clause, column)
    spans = [
        _span(value, clause, column)
        for value in clause.members
        if value is not None and not _is_missing(value, column, ())
    ]
    missing = len(spans) < len(clause.members)
    if len(spans) == 1 and not missing:
        return Between(column.name, *spans[0])
    if any(low != high for low, high in spans):
        raise InputError(
            f"The condition {clause.said!r} lists spans of time.",
            f"In a list each must be one value of {column.name!r}.",
            f"Write them out, such as {write_number(spans[0][0], column)}, or ask for a range.",
        )
    texts: set[str | None] = {number_text(low) for low, _ in spans}
    return _canonical(Among(column.name, frozenset(texts | {None} if missing else texts)))


def _span(value: Typed, clause: Clause, column: Column) -> tuple[float, float]:
    """The lowest and highest number of the column that a text means."""
    first, last = read_span(value.text, column)
    low, high = at_least(first, column, strict=False), at_most(last, column, strict=False)
    if low > high:
        near = " and ".join(write_number(number, column) for number in (high, low))
        raise InputError(
            f"The condition {clause.said!r} cannot be met.",
            f"{value.text} is no value of {column.name!r}: {_grid(column)}.",
            f"Its neighbours are {near}; a range works as well.",
        )
    return _seen(low, high, clause, column)


def _bounded(clause: Clause, column: Column) -> Between:
    """A range with the ends moved inwards to what the column can hold."""
    low, high = -math.inf, math.inf
    ends = {}
    for sign, value in clause.bounds:
        first, last = read_span(value.text, column)
        match sign:
            case ">=" | ">":
                low = at_least(first if sign == ">=" else last, column, strict=sign == ">")
                ends["low"] = first
            case _:
                high = at_most(last if sign == "<=" else first, column, strict=sign == "<")
                ends["high"] = last
    if low > high:
        turned = "low" in ends and ends["low"] > ends["high"]
        raise InputError(
            f"The condition {clause.said!r} cannot be met.",
            "Its low end is above its high end." if turned else f"Nothing lies between its ends: {_grid(column)}.",
            "Swap the ends." if turned else "Widen the range.",
        )
    return Between(column.name, *_seen(low, high, clause, column))


def _grid(column: Column) -> str:
    if column.kind == "integer":
        return "it holds whole numbers"
    if column.kind == "datetime":
        steps = {"D": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds"}
        return f"it is counted in {steps.get(column.resolution or 'D', 'microseconds')}"
    return "it holds floating-point numbers" if column.decimals is None else f"it has {column.decimals} decimals"


def _seen(low: float, high: float, clause: Clause, column: Column) -> tuple[float, float]:
    """The ends as they are. Raises: InputError if the range lies wholly outside what was seen."""
    above = column.maximum is not None and low > column.maximum
    below = column.minimum is not None and high < column.minimum
    if above or below:
        raise InputError(
            f"The condition {clause.said!r} cannot be met.",
            f"In training {column.name!r} went from {seen_range(column)}.",
            "Ask for values within that range.",
        )
    return low, high


# ---- texts ----------------------------------------------------------------------------------------------------------


def _text(clause: Clause, column: Column, known: Sequence[str]) -> Among:
    if clause.members is None and clause.bounds:
        sign, value = clause.bounds[0]
        raise InputError(
            f"The condition {clause.said!r} cannot be met.",
            f"{column.name!r} holds words without an order, so nothing is {sign} {value.text!r}.",
            f"{_near(value.text, known)} Write = before the value.",
        )
    members = known if clause.members is None else [_word(value, clause, column, known) for value in clause.members]
    return Among(column.name, frozenset(members))


def _word(value: Typed | None, clause: Clause, column: Column, known: Sequence[str]) -> str | None:
    """The known value that is meant, None for missing."""
    if value is None or _is_missing(value, column, known):
        return None
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
        f"The condition {clause.said!r} cannot be met.", f"In training {column.name!r} is never {value.text!r}.", do
    )


def _near(text: str, known: Sequence[str]) -> str:
    """Which known values may have been meant: without case and punctuation the same, else spelled alike."""
    folded = [re.sub(r"[\W_]+", "", value.casefold()) for value in known]
    mine = re.sub(r"[\W_]+", "", text.casefold())
    near = [value for value, fold in zip(known, folded, strict=True) if fold == mine]
    if not near:
        alike = difflib.get_close_matches(mine, folded, n=3)
        near = [value for value, fold in zip(known, folded, strict=True) if fold in alike]
    if near:
        return f"Did you mean {' or '.join(repr(value) for value in near[:LISTED])}?"
    more = f" and {len(known) - LISTED:,} more" if len(known) > LISTED else ""
    return f"Known: {', '.join(known[:LISTED])}{more}."


# ---- two conditions on one column -----------------------------------------------------------------------------------


def _both(one: Condition, other: Condition, column: Column) -> Condition | None:
    """What meets both; None if nothing does."""
    values: frozenset[str | None]
    match one, other:
        case Between(), Between():
            low, high = max(one.low, other.low), min(one.high, other.high)
            return Between(column.name, low, high) if low <= high else None
        case Among(), Among():
            values = one.values & other.values
        case (Among() as among, Between() as between) | (Between() as between, Among() as among):
            values = frozenset(number_text(n) for n in among_numbers(among) if between.low <= n <= between.high)
    if not values:
        return None
    return _canonical(Among(column.name, values)) if column.kind in ORDERED_KINDS else Among(column.name, values)


def _canonical(condition: Among) -> Condition:
    """One number is a range of one, so that equal conditions are equal objects."""
    if len(condition.values) == 1 and None not in condition.values:
        (number,) = among_numbers(condition)
        return Between(condition.column, number, number)
    return condition
