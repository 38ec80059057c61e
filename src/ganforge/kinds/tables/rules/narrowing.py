"""What conditions and rules together leave of the ranges of columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from ganforge.errors import InputError
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.rules.conditions import Condition, in_words, seen_in
from ganforge.kinds.tables.rules.rules import Ordered, Range, Rule, daily, rule_in_words
from ganforge.kinds.tables.rules.values import at_least, at_most


def narrowed(conditions: Sequence[Condition], rules: Sequence[Rule], columns: Sequence[Column]) -> dict[str, Range]:
    """Return the lowest and highest value of each column of numbers or datetimes under conditions and rules.

    `start >= 2024` and `start <= end` bind `end` too: else a value could fit its own condition
    and leave none for another column. Whatever value one column takes from its range, the others can keep their ranges
    and the rules; a list of numbers has the smallest and the largest that it then leaves. A range does not concern
    missing values: where low > high, the column can only be missing. Only columns that are never missing, or are asked
    for, bind others.

    Args: rules as combined gives them. Returns: ends in plain units.
    Raises: InputError if the conditions leave no value to a column that must have one.
    """
    by_name = {column.name: column for column in columns if column.is_number}
    left = {name: seen_in(column) for name, column in by_name.items()}
    for condition in (*conditions, *(rule for rule in rules if isinstance(rule, Condition))):
        if condition.column in left:
            left[condition.column] &= condition
    orders = [rule for rule in rules if isinstance(rule, Ordered)]
    before: dict[str, Condition] = {}
    while left != before:  # each pass moves ends inwards, along the chains of rules and the numbers of lists
        before = dict(left)
        for order in orders:
            lower, upper = by_name[order.lower], by_name[order.upper]
            days = daily([order], by_name).get((lower.name, upper.name))
            if not left[lower.name].missing and math.isfinite(low := left[lower.name].low):
                least = at_least(_converted(low, lower, upper), upper, strict=False)
                least = float(days.least(np.array([low]))[0]) if days else least
                left[upper.name] &= Condition(upper.name, low=least, missing=True)
            if not left[upper.name].missing and math.isfinite(high := left[upper.name].high):
                most = at_most(_converted(high, upper, lower), lower, strict=False)
                most = float(days.most(np.array([high]))[0]) if days else most
                left[lower.name] &= Condition(lower.name, high=most, missing=True)
    for name, condition in left.items():
        if condition.low > condition.high and not condition.missing:
            asked = " and ".join(repr(in_words(condition, columns)) for condition in conditions) or "no condition"
            kept = " and ".join(repr(rule_in_words(order, columns)) for order in orders) or "the columns' ranges"
            raise InputError(
                f"No row can meet {asked}: nothing is left for {name!r}.",
                f"Generated rows keep {kept}, and the values seen in training.",
                "Leave a condition out, or widen one.",
            )
    return {name: (condition.low, condition.high) for name, condition in left.items()}


def _converted(plain: float, column: Column, other: Column) -> Fraction:
    """Convert a column's number to the units of the other one."""
    if column.kind == "datetime":
        return Fraction(int(plain)) * column.unit / other.unit
    # 1.1 with one decimal is meant as that; among floating-point numbers it is a little more, and compared as such
    floating = other.kind == "decimal" and other.decimals is None
    return Fraction(plain) if floating else Fraction(repr(float(plain)))
