"""What conditions and rules together leave of each column's range: `start >= 2024` and `start <= end` bind `end` too.

Without it, a row could begin with a value that fits its own condition and leaves none for another column.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ganforge.errors import InputError
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.datetimes import MICROSECONDS
from ganforge.kinds.tables.rules.bounds import ORDERED_KINDS, at_least, at_most
from ganforge.kinds.tables.rules.conditions import Among, Condition, among_numbers, in_words
from ganforge.kinds.tables.rules.rules import Ordered, Rule, Within, rule_in_words

Range = tuple[float, float]
Asked = Condition | Within  # of one column; Within: what rules leave of it, wherever it is there


def narrowed(conditions: Sequence[Condition], rules: Sequence[Rule], columns: Sequence[Column]) -> dict[str, Range]:
    """For each column of numbers or datetimes the lowest and the highest value that it can have, in plain units.

    Whatever value one column takes from its range, the others can keep their ranges and the rules; a list of numbers
    has the smallest and the largest that it then leaves. A range says nothing of missing values: where low > high, the
    column can only be missing. Only columns that are never missing, or are asked for, bind others.

    Args: rules as parse_rules gives them.
    Raises: InputError if the conditions leave no value to a column that must have one.
    """
    by_name = {column.name: column for column in columns if column.kind in ORDERED_KINDS}
    ranges = {name: _seen(column) for name, column in by_name.items()}
    there = {name for name, column in by_name.items() if column.missing == 0}
    for rule in rules:
        if isinstance(rule, Within):
            ranges[rule.column] = _both(ranges[rule.column], (rule.low, rule.high))
    for condition in conditions:
        if condition.column in by_name:
            asked, must_be_there = _asked(condition)
            ranges[condition.column] = _both(ranges[condition.column], asked)
            there |= {condition.column} if must_be_there else set()
    orders = [rule for rule in rules if isinstance(rule, Ordered)]
    lists = [condition for condition in conditions if isinstance(condition, Among) and condition.column in by_name]
    before: dict[str, Range] = {}
    while ranges != before:  # each pass moves ends inwards, along the chains of rules and the numbers of lists
        before = dict(ranges)
        for order in orders:
            _bind(order, ranges, there, by_name)
        for listed in lists:
            low, high = ranges[listed.column]
            numbers = [number for number in among_numbers(listed) if low <= number <= high]
            ranges[listed.column] = (numbers[0], numbers[-1]) if numbers else (math.inf, -math.inf)
    for name in by_name:
        if name in there and ranges[name][0] > ranges[name][1]:
            raise _impossible(name, conditions, orders, columns)
    return ranges


def common_range(conditions: tuple[Asked, ...]) -> tuple[float, float]:
    """The range in which all conditions can hold."""
    low, high = -np.inf, np.inf
    for condition in conditions:
        if not isinstance(condition, Among):
            low, high = max(low, condition.low), min(high, condition.high)
        elif numbers := among_numbers(condition):
            low, high = max(low, numbers[0]), min(high, numbers[-1])
    return low, high


def named_numbers(conditions: tuple[Asked, ...]) -> NDArray[np.float64] | None:
    """The numbers that all conditions allow, ascending, where one of them names its numbers; else None."""
    named = [condition for condition in conditions if isinstance(condition, Among)]
    if not named:
        return None
    low, high = common_range(conditions)
    numbers = set(among_numbers(named[0])).intersection(*map(among_numbers, named))
    return np.array(sorted(number for number in numbers if low <= number <= high), np.float64)


def may_be_missing(conditions: tuple[Asked, ...]) -> bool:
    """Whether a missing value meets all conditions."""
    return all(isinstance(c, Within) or (isinstance(c, Among) and None in c.values) for c in conditions)


def asked_of(conditions: Sequence[Asked]) -> tuple[Condition, ...]:
    """Those that a person asked for."""
    return tuple(condition for condition in conditions if not isinstance(condition, Within))


def _bind(order: Ordered, ranges: dict[str, Range], there: set[str], columns: Mapping[str, Column]) -> None:
    """Moves the ends of both columns' ranges inwards, to what the other one leaves."""
    lower, upper = columns[order.lower], columns[order.upper]
    if lower.name in there and math.isfinite(ranges[lower.name][0]):
        least = at_least(_converted(ranges[lower.name][0], lower, upper), upper, strict=False)
        ranges[upper.name] = _both(ranges[upper.name], (least, math.inf))
    if upper.name in there and math.isfinite(ranges[upper.name][1]):
        most = at_most(_converted(ranges[upper.name][1], upper, lower), lower, strict=False)
        ranges[lower.name] = _both(ranges[lower.name], (-math.inf, most))


def _converted(plain: float, column: Column, other: Column) -> Fraction:
    """A column's number in the units of the other one."""
    if column.kind == "datetime":
        units = [MICROSECONDS[each.resolution or "D"] for each in (column, other)]
        return Fraction(int(plain)) * units[0] / units[1]
    # 1.1 with one decimal is meant as that; among floating-point numbers it is a little more, and compared as such
    floating = other.kind == "decimal" and other.decimals is None
    return Fraction(plain) if floating else Fraction(repr(float(plain)))


def _seen(column: Column) -> Range:
    low, high = column.minimum, column.maximum
    return (-math.inf if low is None else low, math.inf if high is None else high)


def _asked(condition: Condition) -> tuple[Range, bool]:
    """The range that a condition leaves where there is a value, and whether there must be one."""
    if not isinstance(condition, Among):
        return (condition.low, condition.high), True
    numbers = among_numbers(condition)
    return (numbers[0], numbers[-1]) if numbers else (math.inf, -math.inf), None not in condition.values


def _both(one: Range, other: Range) -> Range:
    return max(one[0], other[0]), min(one[1], other[1])


def _impossible(
    name: str, conditions: Sequence[Condition], orders: Sequence[Ordered], columns: Sequence[Column]
) -> InputError:
    asked = " and ".join(repr(in_words(condition, columns)) for condition in conditions) or "no condition"
    kept = " and ".join(repr(rule_in_words(order, columns)) for order in orders) or "the columns' ranges"
    return InputError(
        f"No row can meet {asked}: nothing is left for {name!r}.",
        f"Generated rows keep {kept}, and the values seen in training.",
        "Leave a condition out, or widen one.",
    )
