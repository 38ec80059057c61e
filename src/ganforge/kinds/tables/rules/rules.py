"""Rules that every generated row surely keeps: `start <= end`, `city -> country`, `unique id`, `total = a + b`,
`joint lat, lon`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from ganforge.errors import RecipeError
from ganforge.kinds.tables.columns import MICROSECONDS, Column
from ganforge.kinds.tables.rules.conditions import Condition, range_in_words
from ganforge.kinds.tables.rules.expressions import Expression, columns_of, expression_in_words
from ganforge.kinds.tables.rules.syntax import (
    quoted_name,
)
from ganforge.kinds.tables.rules.values import ByDay, by_day


@dataclass(frozen=True, slots=True)
class Ordered:
    """`lower <= upper`, wherever both are present; by_day where a moment counts as its day, beside a day."""

    lower: str
    upper: str
    by_day: bool = False


@dataclass(frozen=True, slots=True)
class Fixed:
    """`city -> country`: only combinations of these columns that were seen in training, missing ones among them."""

    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unique:
    """`unique id`: no value twice, and none of the training rows."""

    column: str


@dataclass(frozen=True, slots=True)
class Seen:
    """`seen store`: only values of the training rows, such as a key into another table."""

    column: str


@dataclass(frozen=True, slots=True)
class Joint:
    """`joint lat, lon`: two numbers that are learned as one, and drawn near points of the training rows."""

    columns: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Computed:
    """`total = net + tax`, wherever all are present; not exact, `total ~ net + tax`: a small rest is learned."""

    target: str
    expression: Expression
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Binned:
    """`month(day) -> season`, `range(income) -> band`: each part of the base comes with one value of the target."""

    target: str
    base: str
    part: str  # one of bins.PARTS, or RANGE


# a condition as a rule is a range, or a missing value
Rule = Ordered | Condition | Fixed | Unique | Seen | Joint | Computed | Binned
Range = tuple[float, float]


def rule_in_words(rule: Rule, columns: Sequence[Column]) -> str:
    """Format a rule as a person would type it; `read_rule` reads it as exactly this rule."""
    by_name = {column.name: column for column in columns}
    if isinstance(rule, Computed):
        text = expression_in_words(rule.expression, by_name)
        return f"{quoted_name(rule.target, by_name)} {'=' if rule.exact else '~'} {text}"
    if isinstance(rule, Binned):
        return f"{rule.part}({quoted_name(rule.base, by_name)}) -> {quoted_name(rule.target, by_name)}"
    *first, last = (quoted_name(name, by_name) for name in rule_columns(rule))
    if isinstance(rule, Joint):
        return f"joint {first[0]}, {last}"
    if isinstance(rule, Condition):
        return range_in_words(rule, last, by_name[rule.column])
    signs = {Ordered: " <= ", Fixed: " -> ", Unique: "unique ", Seen: "seen "}
    return f"{', '.join(first)}{signs[type(rule)]}{last}"


def rule_columns(rule: Rule) -> tuple[str, ...]:
    """Return the columns of a rule; of a computed column itself and those that it is computed from."""
    if isinstance(rule, Computed):
        return rule.target, *columns_of(rule.expression)
    if isinstance(rule, Binned):
        return rule.target, rule.base
    if isinstance(rule, Ordered):
        return rule.lower, rule.upper
    return rule.columns if isinstance(rule, Fixed | Joint) else (rule.column,)


# ---- rules together -------------------------------------------------------------------------------------------------


def daily(rules: Iterable[Rule], columns: Mapping[str, Column]) -> dict[tuple[str, str], ByDay]:
    """Return how each pair of columns, lower and upper, is compared that a rule compares by the day."""
    pairs = [(rule.lower, rule.upper) for rule in rules if isinstance(rule, Ordered) and rule.by_day]
    found = {(lower, upper): by_day(columns[lower], columns[upper]) for lower, upper in pairs}
    return {pair: days for pair, days in found.items() if days}


def combined(rules: Sequence[Rule], columns: Sequence[Column]) -> tuple[Rule, ...]:
    """Merge rules about the same columns, in the order of their first mention.

    Ranges of one column are intersected, and `->` rules that share a column become one over all their
    columns: `city -> country` and `country -> continent` keep every combination of the three that was seen, which keeps
    both.

    Raises: RecipeError if they contradict each other.
    """
    joined: list[Fixed] = []  # without a column in common
    for rule in rules:
        if isinstance(rule, Fixed):
            sharing = [whole for whole in joined if set(whole.columns) & set(rule.columns)]
            names = [name for whole in (*sharing, rule) for name in whole.columns]
            joined = [whole for whole in joined if whole not in sharing] + [Fixed(tuple(dict.fromkeys(names)))]
    whole_of = {name: whole for whole in joined for name in whole.columns}
    merged = dict.fromkeys(
        whole_of[rule.columns[0]] if isinstance(rule, Fixed) else rule for rule in with_shared_ranges(rules)
    )
    _refuse_contradictions(merged, rules, columns)
    for rule in merged:
        if isinstance(rule, Ordered):
            for name in {rule.lower, rule.upper} & whole_of.keys():
                raise RecipeError(
                    f"The column {name!r} is in {rule.lower} <= {rule.upper} and in a rule with ->.",
                    "Seen combinations and a comparison cannot both be kept with certainty.",
                    "Leave one of the two out.",
                )
    _refuse_decided_twice(merged, whole_of.keys(), columns)
    return tuple(merged)


def computed_of(rules: Iterable[Rule]) -> dict[str, Computed]:
    """Return the rule of each computed column."""
    return {rule.target: rule for rule in rules if isinstance(rule, Computed)}


def binned_of(rules: Iterable[Rule]) -> dict[str, Binned]:
    """Return the rule of each column that is a bin of another one."""
    return {rule.target: rule for rule in rules if isinstance(rule, Binned)}


def _refuse_decided_twice(merged: Iterable[Rule], fixed: Collection[str], columns: Sequence[Column]) -> None:
    """Raises: RecipeError for a column that is computed twice, from itself, or learned jointly with another one, and is
    kept by a rule of seen values or, if it is learned jointly or a bin, an order too."""
    computed = [rule for rule in merged if isinstance(rule, Computed)]
    binned = [rule for rule in merged if isinstance(rule, Binned)]
    taken = {*fixed, *(rule.column for rule in merged if isinstance(rule, Seen))}
    ordered = {name for rule in merged if isinstance(rule, Ordered) for name in (rule.lower, rule.upper)}
    joint = [rule for rule in merged if isinstance(rule, Joint)]
    deciding: list[tuple[Joint | Computed | Binned, str]] = [(rule, name) for rule in joint for name in rule.columns]
    decided: list[Computed | Binned] = [*computed, *binned]
    deciding += [(rule, rule.target) for rule in decided]
    for rule, name in deciding:
        if name in taken or (isinstance(rule, Joint | Binned) and name in ordered):
            words = rule_in_words(rule, columns)
            raise RecipeError(
                f"The column {name!r} is in {words!r} and in another rule that decides its values.",
                "Both cannot be kept with certainty.",
                "Leave one of the two out.",
            )
        taken.add(name)
    try:
        TopologicalSorter({rule.target: rule_columns(rule)[1:] for rule in decided}).prepare()
    except CycleError as error:
        raise RecipeError(
            f"The rules go round in a circle: {' is computed from '.join(reversed(error.args[1]))}.",
            "One of these columns must be learned by itself.",
            "Leave one of the rules out.",
        ) from error


def joint_of(rules: Iterable[Rule]) -> list[tuple[str, str]]:
    """Return the pairs of columns that are learned as one."""
    return [rule.columns for rule in rules if isinstance(rule, Joint)]


def lowers_of(rules: Iterable[Rule]) -> dict[str, tuple[str, ...]]:
    """Return the columns that may not be above each column that is the upper one of a rule.

    Columns that are computed are left out: their rows are drawn again where the order does not hold.
    """
    lowers: dict[str, tuple[str, ...]] = {}
    computed = computed_of(rules := tuple(rules))
    for rule in rules:
        if isinstance(rule, Ordered) and not {rule.lower, rule.upper} & computed.keys():
            lowers[rule.upper] = (*lowers.get(rule.upper, ()), rule.lower)
    return lowers


def with_shared_ranges(rules: Sequence[Rule]) -> list[Rule]:
    """Return the rules, with one range for each column that has any."""
    ranges: dict[str, Condition] = {}
    for rule in rules:
        if isinstance(rule, Condition):
            ranges[rule.column] = ranges.get(rule.column, rule) & rule
    return list(dict.fromkeys(ranges[rule.column] if isinstance(rule, Condition) else rule for rule in rules))


def _refuse_contradictions(merged: Iterable[Rule], rules: Sequence[Rule], columns: Sequence[Column]) -> None:
    """Raises: RecipeError for a range without a value, columns below each other, or `a <= b` where a begins above the
    end of b, also through columns in between."""
    by_name, lowers = {column.name: column for column in columns}, lowers_of(merged)
    ranges = {rule.column: rule for rule in merged if isinstance(rule, Condition)}
    for name, range_ in ranges.items():
        if range_.nothing:
            said = [
                rule_in_words(rule, columns) for rule in rules if isinstance(rule, Condition) and rule.column == name
            ]
            asked = " and ".join(map(repr, dict.fromkeys(said)))
            raise RecipeError(f"No value of {name!r} keeps {asked}.", "The ends cross.", "Change an end.")
    try:
        order = list(TopologicalSorter(lowers).static_order())
    except CycleError as error:
        around = error.args[1][:-1]  # each below the next one
        first = around.index(next(name for name in by_name if name in around))
        raise RecipeError(
            f"The rules go round in a circle: {' <= '.join([*around[first:], *around[: first + 1]])}.",
            "Then all of these columns would be equal in every row.",
            "Leave one of them out; where columns are the same, train with one.",
        ) from error
    # where days are compared, the last moment of a day is not above it, in any zone
    slack = 2 * MICROSECONDS["D"] if any(isinstance(rule, Ordered) and rule.by_day for rule in merged) else 0
    highest: dict[str, Condition] = {}  # of the ranges of a column and of all below it the one that begins highest
    for name in order:
        here = ranges.get(name, Condition(name))
        starts = [here, *(highest[lower] for lower in lowers.get(name, ()))]
        start = highest[name] = max(starts, key=lambda start: start.low * by_name[start.column].unit)
        if start.low * by_name[start.column].unit > here.high * by_name[name].unit + slack:
            words = [rule_in_words(range_, columns) for range_ in (start, here)]
            raise RecipeError(
                f"The rules {words[0]!r}, {words[1]!r} and {start.column} <= {name} contradict each other.",
                f"{start.column!r} begins above the end of {name!r}.",
                "Leave one of them out, or change its range.",
            )
