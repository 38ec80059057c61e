"""Rules as a person writes them, and whether they can be kept together."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from ganforge.errors import InputError, RecipeError, did_you_mean
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.datetimes import MICROSECONDS
from ganforge.kinds.tables.rules.bounds import ORDERED_KINDS, at_least, at_most, read_span
from ganforge.kinds.tables.rules.rules import Fixed, Ordered, Rule, Seen, Unique, Within, rule_in_words
from ganforge.kinds.tables.rules.syntax import starting_names, unquoted

FORMS = "A rule is like start <= end, 0 <= age <= 99, city -> country, unique id or seen store."
_LITERAL = re.compile(r"\s*([-+.]?\d[^<>=,\"'{}]*)")
_SIGN = re.compile(r"\s*(<=|>=|==|=|<|>)\s*(.*)", re.DOTALL)


class _Literal(str):
    """A number or a datetime, where a column could stand as well."""

    __slots__ = ()


def parse_rules(texts: Sequence[str], columns: Sequence[Column]) -> tuple[Rule, ...]:
    """Rules in words, those about the same columns made one, in the order of their first mention.

    `a <= b <= c` is two rules. Ranges of one column are cut to what they share, and `->` rules that share a column
    become one over all their columns: `city -> country` and `country -> continent` keep every combination of the three
    that was seen, which keeps both.

    Raises: RecipeError for another form, an unknown column, a kind of column that cannot keep the rule, or rules that
        contradict each other.
    """
    by_name = {column.name: column for column in columns}
    said: dict[Rule, str] = {}
    for text in texts:
        for rule in _read(text.strip(), by_name):
            said.setdefault(_checked(rule, text.strip(), by_name), text.strip())
    rules = _merged(said)
    _refuse_cycles(rules)
    _refuse_crossed_ranges(rules, by_name)
    _refuse_two_masters(rules)
    return rules


# ---- one rule -------------------------------------------------------------------------------------------------------


def _read(text: str, columns: Mapping[str, Column]) -> list[Rule]:
    word = re.match(r"(unique|seen)\s+", text)
    if word:
        for name, rest in starting_names(text[word.end() :], columns):
            if not rest.strip():
                return [Unique(name) if word[1] == "unique" else Seen(name)]
    names = _arrow(text, columns)
    if names:
        return [Fixed(tuple(dict.fromkeys(names)))]
    for parts in _chains(text, columns):
        if len(parts) > 1:
            pairs = zip(parts[0::2], parts[1::2], parts[2::2], strict=False)
            return [_compared(left, sign, right, text, columns) for left, sign, right in pairs]
    raise _unreadable(text, columns)


def _arrow(text: str, names: Collection[str]) -> list[str] | None:
    """The columns of `a, b -> c`; None if it is not."""

    def columns_of(text: str, arrow_seen: bool) -> list[str] | None:
        for name, rest in starting_names(text.lstrip(), names):
            between = re.match(r"\s*(,|->)", rest)
            if between is None:
                if arrow_seen and not rest.strip():
                    return [name]
                continue
            if not (arrow_seen and between[1] == "->"):
                more = columns_of(rest[between.end() :], arrow_seen or between[1] == "->")
                if more is not None:
                    return [name, *more]
        return None

    return columns_of(text, False)


def _chains(text: str, names: Collection[str]) -> Iterator[list[str]]:
    """Every reading of `x <= y <= z` as [operand, sign, operand, ...], likeliest first."""
    operands: list[tuple[str, str]] = list(starting_names(text, names))
    literal = _LITERAL.match(text)
    if literal:
        operands.append((_Literal(literal[1].strip()), text[literal.end() :]))
    for operand, rest in operands:
        if not rest.strip():
            yield [operand]
            continue
        sign = _SIGN.fullmatch(rest)
        if sign:
            for more in _chains(sign[2], names):
                yield [operand, sign[1], *more]


def _compared(left: str, sign: str, right: str, text: str, columns: Mapping[str, Column]) -> Rule:
    if sign.startswith("="):
        raise RecipeError(f"The rule {text!r} cannot be kept.", "A rule does not set columns equal.", FORMS)
    if sign.startswith(">"):
        left, sign, right = right, sign.replace(">", "<"), left
    if not isinstance(left, _Literal) and not isinstance(right, _Literal):
        if sign == "<":
            raise RecipeError(
                f"The rule {text!r} cannot be kept.", "Between two columns only <= can be.", f"Write {left} <= {right}."
            )
        return Ordered(left, right)
    if isinstance(left, _Literal) and isinstance(right, _Literal):
        raise RecipeError(f"The rule {text!r} compares two numbers.", "No column of the table is named in it.", FORMS)
    column = columns[right if isinstance(left, _Literal) else left]
    if column.kind not in ORDERED_KINDS:
        raise _wrong_kind(text, column, "A range is for numbers and datetimes.")
    try:
        first, last = read_span(left if isinstance(left, _Literal) else right, column)
    except InputError as error:
        raise RecipeError(f"The rule {text!r} cannot be read: {error.what}", error.why, error.do) from error
    if isinstance(left, _Literal):
        return Within(column.name, low=at_least(first if sign == "<=" else last, column, strict=sign == "<"))
    return Within(column.name, high=at_most(last if sign == "<=" else first, column, strict=sign == "<"))


def _checked(rule: Rule, text: str, columns: Mapping[str, Column]) -> Rule:
    """The rule. Raises: RecipeError if its columns are of kinds that cannot keep it."""
    match rule:
        case Ordered():
            _check_comparable(columns[rule.lower], columns[rule.upper], text)
        case Fixed():
            for name in rule.columns:
                if columns[name].kind not in ("category", "boolean", "integer"):
                    raise _wrong_kind(
                        text, columns[name], "Combinations are of categories, booleans and whole numbers."
                    )
            if len(rule.columns) == 1:
                raise RecipeError(f"The rule {text!r} names one column twice.", "Every row keeps it.", "Leave it out.")
        case Unique():
            if columns[rule.column].kind != "identifier":
                raise _wrong_kind(text, columns[rule.column], "Only identifiers are made so that none comes twice.")
        case Seen():
            if columns[rule.column].kind == "identifier":
                raise _wrong_kind(
                    text, columns[rule.column], "Identifiers are made anew, never taken from training rows."
                )
        case Within():
            pass  # seen when its ends were read
    return rule


def _check_comparable(lower: Column, upper: Column, text: str) -> None:
    if lower.name == upper.name:
        raise RecipeError(f"The rule {text!r} names one column twice.", "Every row keeps it.", "Leave it out.")
    for column in (lower, upper):
        if column.kind not in ORDERED_KINDS:
            raise _wrong_kind(text, column, "Only numbers and datetimes can be compared.")
    if (lower.kind == "datetime") != (upper.kind == "datetime"):
        raise _wrong_kind(text, upper, f"That of {lower.name!r} is {lower.kind}, so they cannot be compared.")
    if (lower.zone is None) != (upper.zone is None):
        zoned = lower if lower.zone else upper
        why = f"It has the zone {zoned.zone} and the other one none, so they cannot be compared."
        raise _wrong_kind(text, zoned, why)


def _wrong_kind(text: str, column: Column, why: str) -> RecipeError:
    what = f"The rule {text!r} cannot be kept: the kind of {column.name!r} is {column.kind}."
    return RecipeError(what, why, "Leave the rule out, or give the column another kind in the plan.")


def _unreadable(text: str, names: Collection[str]) -> RecipeError:
    bare = re.sub(r"^(unique|seen)\s+", "", text)
    for piece in re.split(r"->|[<>=]+|,", bare):
        name = unquoted(piece.strip())
        if name and name not in names and not _LITERAL.fullmatch(name) and (bare != text or len(piece) < len(bare)):
            return RecipeError(
                f"There is no column {name!r}.", f"The rule {text!r} names it.", did_you_mean(name, names)
            )
    return RecipeError(f"The rule {text!r} cannot be read.", "It has none of the forms that a rule can have.", FORMS)


# ---- rules together -------------------------------------------------------------------------------------------------


def _merged(said: Mapping[Rule, str]) -> tuple[Rule, ...]:
    """Ranges of one column made one, and combinations that share a column."""
    ranges = _shared_ranges({rule: text for rule, text in said.items() if isinstance(rule, Within)})
    joined = _joined([rule for rule in said if isinstance(rule, Fixed)])
    merged: list[Rule] = []
    for rule in said:
        match rule:
            case Within():
                merged.append(ranges[rule.column])
            case Fixed():
                merged.append(next(whole for whole in joined if rule.columns[0] in whole.columns))
            case _:
                merged.append(rule)
    return tuple(dict.fromkeys(merged))


def _shared_ranges(said: Mapping[Within, str]) -> dict[str, Within]:
    """For each column what its ranges share. Raises: RecipeError if that is nothing."""
    ranges: dict[str, Within] = {}
    texts: dict[str, list[str]] = {}
    for rule, text in said.items():
        before = ranges.get(rule.column, Within(rule.column))
        both = Within(rule.column, max(before.low, rule.low), min(before.high, rule.high))
        texts[rule.column] = list(dict.fromkeys([*texts.get(rule.column, ()), text]))
        if both.low > both.high:
            asked = " and ".join(repr(text) for text in texts[rule.column])
            raise RecipeError(f"No value of {rule.column!r} keeps {asked}.", "The ends cross.", "Change an end.")
        ranges[rule.column] = both
    return ranges


def _joined(rules: Sequence[Fixed]) -> list[Fixed]:
    """Combinations without a column in common."""
    joined: list[Fixed] = []
    for rule in rules:
        sharing = [whole for whole in joined if set(whole.columns) & set(rule.columns)]
        names = [name for whole in (*sharing, rule) for name in whole.columns]
        joined = [whole for whole in joined if whole not in sharing] + [Fixed(tuple(dict.fromkeys(names)))]
    return joined


def _refuse_cycles(rules: Sequence[Rule]) -> None:
    above = _above(rules)

    def walk(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = " <= ".join((*path[path.index(name) :], name))
            raise RecipeError(
                f"The rules go round in a circle: {circle}.",
                "Then all of these columns would be equal in every row.",
                "Leave one of them out; where columns are the same, train with one.",
            )
        for upper in above.get(name, ()):
            walk(upper, (*path, name))

    for name in above:
        walk(name, ())


def _refuse_crossed_ranges(rules: Sequence[Rule], columns: Mapping[str, Column]) -> None:
    """`a <= b` cannot be kept where a begins above the end of b, also by way of columns in between."""
    above = _above(rules)
    ranges = {rule.column: rule for rule in rules if isinstance(rule, Within)}

    def words(rule: Rule) -> str:
        return rule_in_words(rule, list(columns.values()))

    def scaled(name: str, end: float) -> float:
        return end * (MICROSECONDS[columns[name].resolution or "D"] if columns[name].kind == "datetime" else 1)

    def walk(start: Within, name: str) -> None:
        here = ranges.get(name, Within(name))
        if scaled(start.column, start.low) > scaled(name, here.high):
            raise RecipeError(
                f"The rules {words(start)!r}, {words(here)!r} and {start.column} <= {name} contradict each other.",
                f"{start.column!r} begins above the end of {name!r}.",
                "Leave one of them out, or change its range.",
            )
        for upper in above.get(name, ()):
            walk(start, upper)

    for start in ranges.values():
        if math.isfinite(start.low):
            walk(start, start.column)


def _refuse_two_masters(rules: Sequence[Rule]) -> None:
    """A column's value comes from a seen combination, from a comparison, or is new: only one of these is certain."""
    fixed = {name for rule in rules if isinstance(rule, Fixed) for name in rule.columns}
    for rule in rules:
        if isinstance(rule, Ordered):
            for name in {rule.lower, rule.upper} & fixed:
                raise RecipeError(
                    f"The column {name!r} is in {rule.lower} <= {rule.upper} and in a rule with ->.",
                    "Seen combinations and a comparison cannot both be kept with certainty.",
                    "Leave one of the two out.",
                )


def _above(rules: Sequence[Rule]) -> dict[str, list[str]]:
    above: dict[str, list[str]] = {}
    for rule in rules:
        if isinstance(rule, Ordered):
            above.setdefault(rule.lower, []).append(rule.upper)
    return above
