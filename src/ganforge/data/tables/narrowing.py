"""What conditions and rules together leave of each column's range: `start >= 2024` and `start <= end` bind `end` too.

Without it, a row could begin with a value that fits its own condition and leaves none for another column.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

from ganforge.data.tables.bounds import ORDERED_KINDS, at_least, at_most
from ganforge.data.tables.conditions import Among, Condition, among_numbers, in_words
from ganforge.data.tables.datetimes import MICROSECONDS
from ganforge.data.tables.rules import Ordered, Rule, Within, rule_in_words
from ganforge.errors import InputError
from ganforge.recipe import Column

Range = tuple[float, float]


def narrowed(conditions: Sequence[Condition], rules: Sequence[Rule], columns: Sequence[Column]) -> dict[str, Range]:
    """For each column of numbers or datetimes the lowest and the highest value that it can have, in plain units.

    Whatever value one column takes from its range, the others can keep their ranges and the rules; of a list of numbers
    only the ends count. A range says nothing of missing values: where low > high, the column can only be missing. Only
    columns that are never missing, or are asked for, bind others.

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
    for _ in orders:  # as many passes as the longest chain can have links
        for order in orders:
            _bind(order, ranges, there, by_name)
    for name in there:
        if ranges[name][0] > ranges[name][1]:
            raise _impossible(name, conditions, orders, columns)
    return ranges


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
