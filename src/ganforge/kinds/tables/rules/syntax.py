"""How a person writes a condition: `sex=Female`, `17<=age<25`, `workclass in {Private, State-gov}`, `age is missing`.

Only the form is read here; what a value means for its column is found out in conditions.py. The longest column name
that fits is meant. Names and values may stand in quotes; a quote inside is doubled.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ganforge.errors import InputError, did_you_mean

QUOTED = r'"(?:[^"]|"")*"' + r"|'(?:[^']|'')*'"
SETS = "A set is written like workclass in {Private, State-gov}."
_LITERAL = r"[-+.]?\d[^<>=\"'{}]*?"  # a number or a date, as the left end of a range
_COMPARISON = re.compile(r"\s*(<=|>=|<|>)\s*(.*)", re.DOTALL)
_REVERSED = {"<=": ">=", "<": ">", ">=": "<=", ">": "<"}


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


def read_clause(word: str, names: Collection[str]) -> Clause:
    """One condition as typed.

    Args: names of all columns. Raises: InputError for another form, an unknown column, a negation or an empty value.
    """
    text = word.strip()
    clause = _range(text, names, ends=2)
    if clause is not None:
        return clause
    for name, rest in starting_names(text, names):
        clause = _after_name(name, rest, text)
        if clause is not None:
            return clause
    clause = _range(text, names, ends=1)
    if clause is not None:
        return clause
    raise _unreadable(text, names)


def starting_names(text: str, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """The column names that a text begins with, likeliest first, each with the rest of the text."""
    quoted = re.match(QUOTED, text)
    if quoted and unquoted(quoted[0]) in names:
        yield unquoted(quoted[0]), text[quoted.end() :]
    for name in sorted((name for name in names if text.startswith(name)), key=len, reverse=True):
        yield name, text[len(name) :]


def unquoted(text: str) -> str:
    """The text inside quotes; a text without quotes as it is."""
    if not re.fullmatch(QUOTED, text):
        return text
    return text[1:-1].replace(text[0] * 2, text[0])


def quoted_name(name: str, names: Collection[str]) -> str:
    """A column's name as it can be typed: in quotes where something else could be read without them."""
    plain = re.fullmatch(r"[^\W\d]([\w.\- ]*[\w.])?", name) and not re.search(r"\s(in|is|not)\b|^(unique|seen) ", name)
    longer = any(
        re.match(r"\s*(->|[<>=!,]|\Z)|\s+(in|is|not)\b", other[len(name) :])
        for other in names
        if other != name and other.startswith(name)
    )
    return name if plain and not longer else _in_quotes(name)


def quoted_value(text: str) -> str:
    """A value as it can be typed: in quotes where something else could be read without them."""
    bare = re.fullmatch(r"[^\s\"'{},=][^\"'{},]*", text) and text == text.strip() and text.casefold() != "missing"
    return text if bare else _in_quotes(text)


def _in_quotes(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _after_name(name: str, rest: str, said: str) -> Clause | None:
    """What is said of a column; None if the rest is no such thing, so that a shorter name is meant."""
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
        return Clause(name, said, members=_members(listed[1], said))
    equal = re.fullmatch(r"\s*={1,2}(.*)", rest, re.DOTALL)
    if equal is not None:
        return Clause(name, said, members=(_value(equal[1], said),))
    compared = _COMPARISON.fullmatch(rest)
    return Clause(name, said, bounds=((compared[1], _value(compared[2], said)),)) if compared else None


def _range(text: str, names: Collection[str], ends: int) -> Clause | None:
    """`17<=age<25` for two ends, `17<=age` for one; None if it is not."""
    found = re.fullmatch(rf"({_LITERAL})\s*(<=|>=|<|>)\s*(.+)", text, re.DOTALL)
    if found is None:
        return None
    first = (_REVERSED[found[2]], _value(found[1], text))
    for name, rest in starting_names(found[3], names):
        second = _COMPARISON.fullmatch(rest)
        if ends == 1 and not rest.strip():
            return Clause(name, text, bounds=(first,))
        if ends == 2 and second is not None and second[1][0] == found[2][0]:
            return Clause(name, text, bounds=(first, (second[1], _value(second[2], text))))
    return None


def _value(text: str, said: str) -> Typed:
    raw = text.strip()
    if not raw:
        raise InputError(
            f"The condition {said!r} names no value.",
            "An empty value is a missing one.",
            "Write =missing for rows without a value.",
        )
    return Typed(unquoted(raw), raw)


def _members(body: str, said: str) -> tuple[Typed, ...]:
    """The values between braces."""
    item = re.compile(rf"\s*(?:({QUOTED})|([^,]*?))\s*(?:,|\Z)")
    members, place = [], 0
    while place <= len(body):
        found = item.match(body, place)
        if found is None:  # an open quote with a line break behind it
            raise InputError(f"The condition {said!r} cannot be read.", SETS, "Check its quotes.")
        members.append(_value(found[1] or found[2], said))
        place = found.end() if body[found.end() - 1 : found.end()] == "," else len(body) + 1
    return tuple(members)


def _unreadable(text: str, names: Collection[str]) -> InputError:
    behind = re.fullmatch(rf"{_LITERAL}\s*(?:<=|>=|<|>)\s*(.+)", text, re.DOTALL)
    guess = re.split(r"\s*(?:[<>=]|!=)|\s+(?:in|is|not)\b", behind[1] if behind else text)[0]
    if not guess or guess == text or unquoted(guess.strip()) in names:
        return InputError(
            f"The condition {text!r} cannot be read.",
            "It needs a column, one of = < <= > >= in, and a value.",
            f"Write for example age>=60, sex=Female, 17<=age<=25 or age is missing. {SETS}",
        )
    name = unquoted(guess.strip())
    return InputError(
        f"There is no column {name!r}.", f"The condition {text!r} asks for it.", did_you_mean(name, names)
    )
