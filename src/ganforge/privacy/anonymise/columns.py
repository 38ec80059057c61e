"""What a column of a table holds, from its name and from its values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice

from ganforge.privacy.anonymise.checksums import scheme_of
from ganforge.privacy.anonymise.column_names import kind_by_name
from ganforge.privacy.anonymise.patterns import is_date, kind_of

MOST_VALUES = 500  # different ones of a column that are looked at
MOST_OF_THEM = 0.5  # that have to look like what the name says, or like one kind
ALL_BUT_A_FEW = 0.8  # of numbers whose form or check digit others may have by chance
SURE = ("email", "iban", "card", "mac", "ip", "national-id")  # kinds that a form tells, whatever a column is called
NEARLY_UNIQUE, FEWEST = 0.9, 20  # different values / values of an identifier, and how few values say nothing
MISSING = {"", "na", "n/a", "nan", "null", "none", "-", "?", "#n/a", "<na>", "nil"}
TEXT = "text"  # a column whose values are searched, each one
NUMBERS = "numbers"  # one that is not

_NUMBER = re.compile(r"\s*[+-]?(?:\d+(?:[.,]\d+)*|[.,]\d+)(?:[eE][+-]?\d+)?\s*%?")
_COORDINATE = re.compile(r"[+-]?\d{1,3}(?:[.,]\d+)?")
_BETWEEN = re.compile(r"[,;]\s+|\s+|(?<=\d),(?=-?\d+\.)")  # two coordinates
_PHONE = re.compile(r"[+(\d][\d ()./+-]{4,22}(?:\s*(?:ext|x)\.?\s*\d{1,5})?")
_POSTCODE = re.compile(r"(?=.*\d)[A-Za-z0-9][A-Za-z0-9 -]{2,9}")
_CODE = re.compile(r"(?=.*\d)[\w./:#-]{3,64}|[0-9A-Fa-f-]{16,64}")
_NAME = re.compile(r"[^\W\d_]+\.?(?:[ ,.'\u2019-]{1,3}[^\W\d_]+\.?){0,5}")
_LOGIN = re.compile(r"[\w.@+-]{2,40}")
_HASH = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9a-f]{24,64}")


def is_missing(value: str) -> bool:
    """Return whether a cell says that there is no value."""
    return value.strip().lower() in MISSING


def kind_of_column(name: str, values: Counter[str]) -> str:
    """Return the kind of a column, TEXT or NUMBERS. Args: values: its cells and how often each occurs."""
    present = {value.strip(): count for value, count in values.items() if not is_missing(value)}
    sample = [*islice(present, MOST_VALUES)]
    return (sample and (_by_form(sample) or _by_name(name, sample, present) or _by_chance(sample, present))) or TEXT


def _by_form(sample: list[str]) -> str | None:
    votes = Counter(filter(None, map(kind_of, sample)))
    return next((kind for kind in SURE if votes[kind] >= MOST_OF_THEM * len(sample)), None)


def _by_name(name: str, sample: list[str], present: Mapping[str, int]) -> str | None:
    """Return the kind that the name claims if the values look like it."""
    claimed = kind_by_name(name)
    if claimed == "name":  # "patient" may be a name, or a code
        looks = sum(_NAME.fullmatch(value) is not None and any(map(str.isupper, value)) for value in sample)
        if looks >= MOST_OF_THEM * len(sample):
            return claimed
        claimed = "identifier?"
    if claimed == "identifier?":
        return "identifier" if _share(_CODE, sample) >= MOST_OF_THEM and _is_unique(present) else None
    fits = _FITS.get(claimed or "")
    return claimed if fits and fits(sample) else None


def _by_chance(sample: list[str], present: Mapping[str, int]) -> str | None:
    """Return the kind of values that too many of a column have for it to be chance; NUMBERS for other numbers."""
    phones = sum(kind_of(value) == "phone" for value in sample)
    national = sum(scheme_of(value) is not None for value in sample)
    for kind, count in (("phone", phones), ("national-id", national)):
        if len(sample) >= FEWEST and count >= ALL_BUT_A_FEW * len(sample):
            return kind
    if _share(_NUMBER, sample) >= NEARLY_UNIQUE:
        return NUMBERS
    return "identifier" if _share(_HASH, sample) >= NEARLY_UNIQUE and _is_unique(present) else None


def _share(form: re.Pattern[str], values: list[str]) -> float:
    return sum(form.fullmatch(value) is not None for value in values) / len(values)


def _is_unique(present: Mapping[str, int]) -> bool:
    count = sum(present.values())
    return count >= FEWEST and len(present) >= NEARLY_UNIQUE * count


def _most(fits: Callable[[str], object]) -> Callable[[list[str]], bool]:
    """Return what tells whether most values of a sample fit."""
    return lambda sample: sum(map(bool, map(fits, sample))) >= MOST_OF_THEM * len(sample)


def _is_number(value: str) -> bool:
    return 7 <= sum(map(str.isalnum, value)) <= 34 and any(map(str.isdigit, value))


def _is_phone(value: str) -> bool:
    return 6 <= sum(map(str.isdecimal, value)) <= 17 and _PHONE.fullmatch(value) is not None


def _are_places(sample: list[str]) -> bool:
    """Return whether the values are degrees with decimals, one or two of them each."""
    parts = [_BETWEEN.split(value.strip("()[] ")) for value in sample]
    numbers = [[one.replace(",", ".") for one in each] for each in parts]
    fits = [
        len(each) <= 2 and all(_COORDINATE.fullmatch(one) and abs(float(one)) <= 180 for one in each)
        for each in numbers
    ]
    exact = sum(max(len(one.partition(".")[2]) for one in each) >= 2 for each in numbers)
    return sum(fits) >= NEARLY_UNIQUE * len(sample) and exact >= MOST_OF_THEM * len(sample)


_FITS: Mapping[str, Callable[[list[str]], bool]] = {
    "email": _most(lambda value: "@" in value),
    "phone": _most(_is_phone),
    "birth": _most(is_date),
    "postcode": _most(_POSTCODE.fullmatch),
    "street": _most(lambda value: any(map(str.isalpha, value))),
    "place": _are_places,
    **dict.fromkeys(("national-id", "iban", "card"), _most(_is_number)),
    "identifier": _most(lambda value: _CODE.fullmatch(value) or _LOGIN.fullmatch(value)),
}
"""Of machines and pages the form alone tells."""
