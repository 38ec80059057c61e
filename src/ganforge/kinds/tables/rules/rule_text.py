"""Rules as a person types them: read, and checked against the kinds of their columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ganforge.errors import InputError, RecipeError, did_you_mean
from ganforge.kinds.tables.columns import LEARNED, NUMBERS, Column
from ganforge.kinds.tables.rules.calendar import PARTS, RANGE
from ganforge.kinds.tables.rules.conditions import Condition, ends_of
from ganforge.kinds.tables.rules.expressions import columns_of, read_expression
from ganforge.kinds.tables.rules.rules import (
    Binned,
    Computed,
    Fixed,
    Joint,
    Ordered,
    Rule,
    Seen,
    Unique,
    combined,
    rule_columns,
    with_shared_ranges,
)
from ganforge.kinds.tables.rules.syntax import (
    Comparison,
    Typed,
    columns_named,
    read_arrow,
    read_comparisons,
    starting_names,
)
from ganforge.kinds.tables.rules.values import by_day

FORMS = (
    "A rule is like start <= end, 0 <= age <= 99, city -> country, total = net + tax, month(day) -> season, "
    "range(income) -> band, unique id, seen store or joint lat, lon."
)
_KINDS = {  # the kinds of columns that can keep it, and why others cannot
    Ordered: (NUMBERS, "Only numbers and datetimes can be compared."),
    Condition: (NUMBERS, "A range is for numbers and datetimes."),
    Fixed: (LEARNED, "Combinations are of columns that are learned."),
    Unique: (("identifier",), "Only identifiers are made so that none comes twice."),
    Seen: ((*LEARNED, "constant"), "Identifiers are made anew, never taken from training rows."),
    Joint: (("integer", "decimal"), "A point has two numbers."),
    Computed: (NUMBERS, "Only numbers and datetimes can be computed."),
    Binned: (LEARNED, "Bins are of columns that are learned."),
}


def read_rule(text: str, columns: Sequence[Column]) -> list[Rule]:
    """Parse one rule in words; `a <= b <= c` is two.

    Raises: RecipeError for another form, an unknown column, or a kind of column that cannot keep the rule.
    """
    text, by_name = text.strip(), {column.name: column for column in columns}
    word = re.match(r"(unique|seen|joint)\s+", text)
    if word and (rule := _named(word[1], text[word.end() :], by_name)):
        return [_checked(rule, text, by_name)]
    if names := read_arrow(text, by_name):
        return [_checked(Fixed(tuple(dict.fromkeys(names))), text, by_name)]
    if binned := _read_binned(text, by_name):
        return [_checked(binned, text, by_name)]
    for pairs in read_comparisons(text, by_name):
        if not any(sign.startswith("=") for _, sign, _ in pairs):
            return with_shared_ranges([_compared(pair, text, by_name) for pair in pairs])
    if computed := _read_computed(text, by_name):
        return [computed]
    for name in columns_named(text[word.end() :] if word else text):
        if name not in by_name and name != text:
            raise RecipeError(
                f"There is no column {name!r}.", f"The rule {text!r} names it.", did_you_mean(name, by_name)
            )
    raise RecipeError(f"The rule {text!r} cannot be read.", "It has none of the forms that a rule can have.", FORMS)


def _named(word: str, text: str, columns: Mapping[str, Column]) -> Unique | Seen | Joint | None:
    """Parse the columns after the word that a rule begins with; None if there are not as many as it needs."""
    for name, rest in starting_names(text, columns):
        if word != "joint" and not rest.strip():
            return Unique(name) if word == "unique" else Seen(name)
        if word == "joint" and rest.lstrip().startswith(","):
            for second, end in starting_names(rest.strip(" ,"), columns):
                if not end.strip():
                    return Joint((name, second))
    return None


def _read_binned(text: str, columns: Mapping[str, Column]) -> Binned | None:
    """Parse `month(day) -> season`; None if it is not of this form."""
    begin = re.match(r"(\w+)\(\s*", text)
    for base, rest in starting_names(text[begin.end() :], columns) if begin else ():
        if arrow := re.match(r"\s*\)\s*->\s*", rest):
            for target, end in starting_names(rest[arrow.end() :], columns):
                if begin and not end.strip():
                    return Binned(target, base, begin[1])
    return None


def _read_computed(text: str, columns: Mapping[str, Column]) -> Rule | None:
    """Parse `total = net + tax`; None if it is not of this form. Raises: as `read_rule`."""
    unread: RecipeError | None = None
    for name, rest in starting_names(text, columns):
        if equation := re.fullmatch(r"\s*([=~])\s*(?!=)(.*)", rest, re.DOTALL):
            try:
                expression = read_expression(equation[2], columns)
            except RecipeError as error:
                unread = unread or error
            else:
                return _checked(Computed(name, expression, equation[1] == "="), text, columns)
    if unread is None:
        return None
    raise unread


def _compared(pair: Comparison, text: str, columns: Mapping[str, Column]) -> Rule:
    left, sign, right = pair
    if isinstance(left, Typed):
        raise RecipeError(f"The rule {text!r} compares two numbers.", "No column of the table is named in it.", FORMS)
    if isinstance(right, Typed):
        _checked(Condition(left), text, columns)
        try:
            return Condition(left, *ends_of([(sign, right)], columns[left]), missing=True)
        except InputError as error:
            raise RecipeError(f"The rule {text!r} cannot be read: {error.what}", error.why, error.do) from error
    lower, upper = (left, right) if sign[0] == "<" else (right, left)
    if len(sign) == 1:
        raise RecipeError(
            f"The rule {text!r} cannot be kept.", "Between two columns only <= can be.", f"Write {lower} <= {upper}."
        )
    return _checked(Ordered(lower, upper), text, columns)


def _checked(rule: Rule, text: str, columns: Mapping[str, Column]) -> Rule:
    """Return the rule. Raises: RecipeError if its columns are of kinds that cannot keep it."""
    mine = [columns[name] for name in rule_columns(rule)]
    kinds, why = _KINDS[type(rule)]
    for column in mine:
        if column.kind not in kinds:
            raise _wrong_kind(text, column, why)
    if isinstance(rule, Computed):
        _check_computed(rule, mine, text)
    if isinstance(rule, Binned):
        _check_binned(rule, mine, text)
    if isinstance(rule, Ordered | Fixed | Joint | Binned) and len({column.name for column in mine}) == 1:
        raise RecipeError(f"The rule {text!r} names one column twice.", "Every row keeps it.", "Leave it out.")
    if isinstance(rule, Ordered):
        lower, upper = mine
        if (lower.kind == "datetime") != (upper.kind == "datetime"):
            raise _wrong_kind(text, upper, f"That of {lower.name!r} is {lower.kind}, so they cannot be compared.")
        if (lower.zone is None) != (upper.zone is None) and by_day(lower, upper):
            return replace(rule, by_day=True)
        if (lower.zone is None) != (upper.zone is None):
            zoned = lower if lower.zone else upper
            why = f"It has the zone {zoned.zone} and the other one none, so they cannot be compared."
            raise _wrong_kind(text, zoned, why)
    return rule


def _wrong_kind(text: str, column: Column, why: str) -> RecipeError:
    what = f"The rule {text!r} cannot be kept: the kind of {column.name!r} is {column.kind}."
    return RecipeError(what, why, "Leave the rule out, or give the column another kind in the plan.")


def _check_computed(rule: Computed, mine: Sequence[Column], text: str) -> None:
    """Raises: RecipeError for a column computed from none or from itself, and datetimes on several scales."""
    if len(mine) == 1 or rule.target in columns_of(rule.expression):
        why = "A column is computed from other columns." if len(mine) == 1 else f"{rule.target!r} stands on both sides."
        raise RecipeError(f"The rule {text!r} cannot be kept.", why, FORMS)
    scales = {(column.resolution, column.zone) for column in mine if column.kind == "datetime"}
    if len(scales) > 1:
        why = "Its datetimes have several resolutions or zones."
        raise RecipeError(f"The rule {text!r} cannot be kept.", why, "Give them one resolution in plan.json.")


def _check_binned(rule: Binned, mine: Sequence[Column], text: str) -> None:
    """Raises: RecipeError for a part that there is not, or that its base does not have."""
    if rule.part not in (RANGE, *PARTS):
        raise RecipeError(
            f"The rule {text!r} cannot be kept: there is no part {rule.part!r}.",
            f"Of a number there is {RANGE}, of a datetime {', '.join(PARTS)} too.",
            did_you_mean(rule.part, (RANGE, *PARTS)),
        )
    base = mine[1]
    if not base.is_number or (rule.part != RANGE and base.kind != "datetime"):
        raise _wrong_kind(text, base, f"It has no {rule.part}.")


def parse_rules(
    texts: Iterable[str], columns: Sequence[Column], days: Iterable[tuple[str, str]] = ()
) -> tuple[Rule, ...]:
    """Parse and combine rules in words. Args: days the pairs, lower and upper, that are compared by the day.

    Raises: RecipeError as read_rule and combined.
    """
    rules = [rule for text in texts for rule in read_rule(text, columns)]
    whole = {Ordered(*pair): Ordered(*pair, by_day=True) for pair in days}
    return combined([whole.get(rule, rule) if isinstance(rule, Ordered) else rule for rule in rules], columns)
