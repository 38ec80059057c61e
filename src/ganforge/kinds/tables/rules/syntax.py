"""The syntax of conditions and rules: `sex=Female`, `17 <= age < 25`, `workclass in {Private, State-gov}`,
`age is missing`, `start <= end`, `city, district -> country`, `unique id`.

Only the form is parsed here; conditions.py and rules.py interpret it. The longest column name that fits is
meant. Names and values may be in quotes; a quote inside is doubled.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ganforge.errors import InputError, did_you_mean

QUOTED = r'"(?:[^"]|"")*"' + r"|'(?:[^']|'')*'"
SETS = "A set is written like workclass in {Private, State-gov}."
_LITERAL = re.compile(r"\s*([-+.]?\d[^<>=\"'{}]*)")
_SIGN = re.compile(r"\s*(<=|>=|==|=|<|>)\s*(.*)", re.DOTALL)
_REVERSED = {"<=": ">=", "<": ">", ">=": "<=", ">": "<", "=": "=", "==": "=="}


@dataclass(frozen=True, slots=True)
class Typed:
    """A value as it was typed: `text` without its quotes, `raw` with them."""

    text: str
    raw: str

    @property
    def quoted(self) -> bool:
        return self.text != self.raw


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition in words. No members and no bounds: any value, but not missing."""

    column: str
    said: str  # the whole condition, for errors
    members: tuple[Typed | None, ...] | None = None  # what the value may be; None among them: missing
    bounds: tuple[tuple[str, Typed], ...] = ()  # (one of < <= > >=, value)


Comparison = tuple[str | Typed, str, str | Typed]  # a column or a number or datetime, a sign, another of these


def read_clause(word: str, names: Collection[str]) -> Clause:
    """Parse one condition as typed.

    Args: names of all columns. Raises: InputError for another form, an unknown column, a negation or an empty value.
    """
    text = word.strip()
    for pairs in read_comparisons(text, names):
        name, signs = pairs[0][0], {sign[0] for _, sign, _ in pairs}
        bounds = tuple((sign, value) for left, sign, value in pairs if left == name and isinstance(value, Typed))
        if isinstance(name, str) and signs <= {"<", ">"} and len(bounds) == len(pairs) == len(signs):
            return Clause(name, text, bounds=bounds)
    for name, rest in starting_names(text, names):
        clause = _after_name(name, rest, text)
        if clause is not None:
            return clause
    for name in columns_named(re.split(r"\s+(?:in|is|not)\b", text)[0])[:1]:
        if name not in names and name != text:
            why = f"The condition {text!r} asks for it."
            raise InputError(f"There is no column {name!r}.", why, did_you_mean(name, names))
    raise InputError(
        f"The condition {text!r} cannot be read.",
        "It needs a column, one of = < <= > >= in, and a value.",
        f"Write for example age>=60, sex=Female, 17<=age<=25 or age is missing. {SETS}",
    )


def read_comparisons(text: str, names: Collection[str]) -> Iterator[list[Comparison]]:
    """Return every parse of `x <= y < z` as comparisons, likeliest first; a column is on the left if there is one."""

    def chains(text: str) -> Iterator[list[str | Typed]]:
        operands: list[tuple[str | Typed, str]] = list(starting_names(text, names))
        if literal := _LITERAL.match(text):
            operands.append((Typed(literal[1].strip(), literal[1].strip()), text[literal.end() :]))
        for operand, rest in operands:
            if not rest.strip():
                yield [operand]
            elif sign := _SIGN.fullmatch(rest):
                yield from ([operand, sign[1], *more] for more in chains(sign[2]))

    for parts in chains(text):
        pairs = list(zip(parts[0::2], map(str, parts[1::2]), parts[2::2], strict=False))
        if pairs:
            yield [(b, _REVERSED[sign], a) if isinstance(a, Typed) else (a, sign, b) for a, sign, b in pairs]


def read_arrow(text: str, names: Collection[str]) -> list[str] | None:
    """Parse the columns of `a, b -> c`; None if it is not of this form."""

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


def starting_names(text: str, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Return the column names that a text begins with, likeliest first, each with the rest of the text."""
    quoted = re.match(QUOTED, text)
    if quoted and unquoted(quoted[0]) in names:
        yield unquoted(quoted[0]), text[quoted.end() :]
    for name in sorted((name for name in names if text.startswith(name)), key=len, reverse=True):
        yield name, text[len(name) :]


def unquoted(text: str) -> str:
    """Return the text inside quotes; a text without quotes as it is."""
    if not re.fullmatch(QUOTED, text):
        return text
    return text[1:-1].replace(text[0] * 2, text[0])


def quoted_name(name: str, names: Collection[str]) -> str:
    """Format a column's name as typed: in quotes if it could be read differently without them."""
    plain = re.fullmatch(r"[^\W\d]([\w.\- ]*[\w.])?", name) and not re.search(
        r"\s(in|is|not)\b|^(unique|seen|joint) ", name
    )
    longer = any(
        re.match(r"\s*(->|[<>=!,]|\Z)|\s+(in|is|not)\b", other[len(name) :])
        for other in names
        if other != name and other.startswith(name)
    )
    return name if plain and not longer else _in_quotes(name)


def quoted_value(text: str) -> str:
    """Format a value as typed: in quotes if it could be read differently without them."""
    bare = re.fullmatch(r"[^\s\"'{},=][^\"'{},]*", text) and text == text.strip() and text.casefold() != "missing"
    return text if bare else _in_quotes(text)


def columns_named(text: str) -> list[str]:
    """Return the words in place of columns in a text that cannot be parsed."""
    pieces = re.split(r"->|[<>=!]+|,", text)
    return [unquoted(piece.strip()) for piece in pieces if piece.strip() and not _LITERAL.fullmatch(piece)]


def _in_quotes(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _after_name(name: str, rest: str, said: str) -> Clause | None:
    """Parse the rest after a column's name; None if it is not a condition, so that a shorter name is meant."""
    if re.match(r"\s*(!=|<>)|\s+(is\s+)?not\b(?!\s+missing\s*$)", rest):
        raise InputError(
            f"The condition {said!r} says what a value is not.",
            "Rows are made for values that are asked for.",
            f"Name these: {name} in {{...}}, or a range.",
        )
    if re.fullmatch(r"\s+is\s+missing\s*", rest):
        return Clause(name, said, members=(None,))
    if re.fullmatch(r"\s+is\s+not\s+missing\s*", rest):
        return Clause(name, said)
    if re.match(r"\s+in\b", rest):
        listed = re.fullmatch(r"\s+in\s*\{(.*)\}\s*", rest, re.DOTALL)
        if listed is None:
            raise InputError(f"The condition {said!r} cannot be read.", SETS, "Put the values into braces.")
        items = re.findall(rf"\s*(?:({QUOTED})|([^,]*?))\s*,", listed[1] + ",")
        return Clause(name, said, members=tuple(_value(quoted or bare, said) for quoted, bare in items))
    sign = _SIGN.fullmatch(rest)
    if sign is None:
        return None
    value = _value(sign[2], said)
    return Clause(name, said, (value,)) if sign[1][0] == "=" else Clause(name, said, bounds=((sign[1], value),))


def _value(text: str, said: str) -> Typed:
    raw = text.strip()
    if not raw:
        raise InputError(
            f"The condition {said!r} names no value.",
            "An empty value is a missing one.",
            "Write =missing for rows without a value.",
        )
    return Typed(unquoted(raw), raw)
