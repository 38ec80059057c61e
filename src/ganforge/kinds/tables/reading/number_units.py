"""Numbers with several units in one column, `350k` beside `1.2M`, powers of ten, and numbers beyond a limit, `<5`.

Column.format holds the forms of all units, the smallest first, and the texts of the limits, with bars between them:
`0k|0.0M`, `0 m|0.0 km`, `<5|0.0|>100`. Values are counted in the smallest unit, and one beyond a limit as half of it,
or twice it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ganforge.kinds.tables.columns import MOST_DECIMALS
from ganforge.kinds.tables.reading.number_format import (
    ANY_NUMBER,
    BLANKS,
    NumberFormat,
    cell_of,
    find_number_format,
    is_plain,
    read_numbers,
    write_numbers,
)
from ganforge.kinds.tables.reading.shapes import Shape

MOST_UNITS = 12  # suffixes that are looked at, the most frequent ones
_COUNTS = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12}
_LOWER = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_WORDS = {
    "": 1.0, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "mn": 1e6, "mln": 1e6, "bn": 1e9,
    "bln": 1e9, "tn": 1e12, "tsd.": 1e3, "mio.": 1e6, "mio": 1e6, "mrd.": 1e9, "mrd": 1e9, "mld": 1e9, "lakh": 1e5,
    "crore": 1e7, "тыс.": 1e3, "млн": 1e6, "млрд": 1e9, "万": 1e4, "萬": 1e4, "亿": 1e8, "億": 1e8,
}  # fmt: skip
_BINARY = {"": 1.0, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
_METRIC = {
    "n": 1e-9, "µ": 1e-6, "μ": 1e-6, "u": 1e-6, "m": 1e-3, "c": 1e-2, "": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9,
    "T": 1e12,
}  # fmt: skip
_LIMIT = re.compile(rf"(?P<sign>[<>≤≥])(?P<gap>[{BLANKS}]?)(?P<number>[0-9]+(?:\.[0-9]+)?)")
_POWER = re.compile(r"[+-]?9(?:(?P<mark>[.,])(?P<digits>9*))?(?P<letter>[eE])(?P<sign>[+-]?)(?P<power>9{1,3})")
_PATTERN = re.compile(r"0(?:(?P<mark>[.,])(?P<digits>0{1,15}))?(?P<letter>[eE])(?P<sign>\+?)(?P<power>0{1,3})")


@dataclass(frozen=True, slots=True)
class NumberUnits:
    """Forms of one column, each with its factor, ascending; and texts for what lies beyond a limit."""

    forms: tuple[tuple[float, str], ...]
    below: str = ""
    above: str = ""

    @classmethod
    def of(cls, pattern: str) -> NumberUnits:
        """Read a pattern, which may be a stranger's. Raises: ValueError if it is not one."""
        first, *rest = pattern.split("|")
        below, rest = (first, rest) if _LIMIT.fullmatch(first) and first[0] in "<≤" else ("", [first, *rest])
        above = rest.pop() if len(rest) > 1 and _LIMIT.fullmatch(rest[-1]) and rest[-1][0] in ">≥" else ""
        suffixes = ["" if is_plain(part) else NumberFormat.of(part).suffix.strip(BLANKS) for part in rest]
        factors = _factors(suffixes) if len(rest) > 1 else [1.0]
        if factors is None or factors != sorted(set(factors)) or len(rest) + bool(below) + bool(above) < 2:
            raise ValueError(f"{pattern!r} is not a format of numbers such as 0k|0.0M")
        return cls(tuple(zip(factors, rest, strict=True)), below, above)

    @property
    def pattern(self) -> str:
        """Return the form as Column.format holds it; `of` reads it."""
        forms = [form for _, form in self.forms]
        return "|".join([*[self.below] * bool(self.below), *forms, *[self.above] * bool(self.above)])

    def parse(self, texts: pa.Array) -> pa.Array:
        """Read texts (N,) as float64, null where missing or not of any form."""
        coded = texts.dictionary_encode()
        words = coded.dictionary.cast(pa.string())
        found = pa.nulls(len(words), pa.float64())
        for factor, form in self.forms:
            numbers = _read(words, form).to_numpy(zero_copy_only=False)
            found = pc.coalesce(found, pa.array(np.round(numbers * factor, 9), from_pandas=True))
        for text, value in ((self.below, _limit(self.below, 0.5)), (self.above, _limit(self.above, 2.0))):
            found = pc.if_else(pc.equal(words, text), value, found) if text else found
        return found.take(coded.indices)

    def write(self, numbers: pa.Array) -> pa.Array:
        """Format numbers (N,), each in the largest unit of which it has at least one."""
        values = numbers.cast(pa.float64()).to_numpy(zero_copy_only=False)
        texts = pa.nulls(len(values), pa.string())
        for factor, form in self.forms:
            mine: NDArray[np.bool_] = np.abs(values) >= factor * (1 - 1e-9) if factor > 1 else np.isfinite(values)
            scaled = values if factor == 1 else np.round(values / factor, NumberFormat.of(form).most)
            part = pa.array(np.where(mine, scaled, np.nan), from_pandas=True)
            texts = pc.coalesce(write_numbers(part, form, whole=False), texts)
        with np.errstate(invalid="ignore"):
            if self.below:
                texts = pc.if_else(pa.array(values < _limit(self.below)), self.below, texts)
            if self.above:
                texts = pc.if_else(pa.array(values > _limit(self.above)), self.above, texts)
        return texts


@dataclass(frozen=True, slots=True)
class PowerFormat:
    """Numbers with a power of ten each: 3.03E+04, of which Column.format is 0.00E+00."""

    pattern: str

    @classmethod
    def of(cls, pattern: str) -> PowerFormat:
        """Read a pattern. Raises: ValueError if it is not one."""
        if _PATTERN.fullmatch(pattern) is None:
            raise ValueError(f"{pattern!r} is not a format of numbers such as 0.00E+00")
        return cls(pattern)

    def parse(self, texts: pa.Array) -> pa.Array:
        """Read texts (N,) as float64, null where missing or not a number."""
        return _read(pc.replace_substring(texts.cast(pa.string()), ",", "."), "")

    def write(self, numbers: pa.Array) -> pa.Array:
        """Format numbers (N,), each distinct one once."""
        found = _PATTERN.fullmatch(self.pattern)
        assert found is not None  # `of` has seen to it
        digits, letter = len(found["digits"] or ""), found["letter"]
        coded = numbers.cast(pa.float64()).dictionary_encode()

        def text(number: float) -> str:
            mantissa, power = f"{number:.{digits}e}".split("e")
            sign = "-" if power[0] == "-" else found["sign"]
            return (
                f"{mantissa.replace('.', found['mark'] or '.')}{letter}{sign}{int(power[1:]):0{len(found['power'])}d}"
            )

        texts = [None if number is None else text(number) for number in coded.dictionary.to_pylist()]
        return pa.array(texts, pa.string()).take(coded.indices)


NumberForm = NumberFormat | NumberUnits | PowerFormat


def form_of(pattern: str) -> NumberForm:
    """Read Column.format of numbers that are not plain. Raises: ValueError."""
    if _PATTERN.fullmatch(pattern):
        return PowerFormat.of(pattern)
    return NumberUnits.of(pattern) if "|" in pattern else NumberFormat.of(pattern)


def read_column(texts: pa.Array, pattern: str) -> pa.Array:
    """Return texts (N,) as `read_numbers` does, of any form."""
    return read_numbers(texts, pattern) if is_plain(pattern) else form_of(pattern).parse(texts)


def write_column(numbers: pa.Array, pattern: str, *, whole: bool) -> pa.Array:
    """Format numbers (N,) as `write_numbers` does, by any form."""
    return write_numbers(numbers, pattern, whole=whole) if is_plain(pattern) else form_of(pattern).write(numbers)


# ---- found in the cells of a column ----------------------------------------------------------------------------------


def find_units(shapes: Mapping[Shape, int], decimal: str | None) -> tuple[str, frozenset[Shape]] | None:
    """Find the pattern of a column in which the most cells have one of several units, and the shapes that it fits.

    Args: as `find_number_format`.
    """
    by_suffix: dict[str, dict[Shape, int]] = {}
    for shape, count in shapes.items():
        if (cell := cell_of(shape)) and "|" not in shape.text:
            by_suffix.setdefault(cell.suffix.strip(BLANKS), {})[shape] = count
    cells = dict(Counter({suffix: sum(mine.values()) for suffix, mine in by_suffix.items()}).most_common(MOST_UNITS))
    families = [known for rest in _rests(cells) for known in _families(rest)]
    best = max(families, key=lambda known: sum(cells.get(suffix, 0) for suffix in known), default={})
    taken = [suffix for suffix in cells if suffix in best]
    if len({best[suffix] for suffix in taken}) != len(taken) or len(taken) < 2:
        return None
    found = {}
    for suffix in sorted(taken, key=lambda suffix: best[suffix]):
        if (form := find_number_format(by_suffix[suffix], decimal)) is None:
            return None
        found[suffix] = form
    fitting = frozenset(shape for form in found.values() for shape in form.shapes)
    pattern = "|".join(form.form.pattern for form in found.values())
    try:
        return NumberUnits.of(pattern).pattern, fitting
    except ValueError:
        return None


def find_powers(shapes: Mapping[Shape, int]) -> tuple[str, frozenset[Shape]] | None:
    """Find the pattern of a column whose numbers have a power of ten each, and as many digits; and its shapes."""
    known = {shape: found for shape in shapes if (found := _POWER.fullmatch(shape.text))}
    known = {shape: found for shape, found in known.items() if len(found["digits"] or "") <= MOST_DECIMALS}
    forms = Counter[str]()
    for shape, found in known.items():
        plus = "+" if found["sign"] == "+" else ""
        digits = "0" * len(found["digits"] or "")
        forms[f"0{found['mark'] if digits else ''}{digits}{found['letter']}{plus}{'0' * len(found['power'])}"] += (
            shapes[shape]
        )
    if not forms or len({(found["mark"], len(found["digits"] or "")) for found in known.values()}) > 1:
        return None
    return max(forms, key=lambda form: forms[form]), frozenset(known)


def with_limits(pattern: str, texts: Collection[str]) -> tuple[str, list[str]] | None:
    """Return a pattern of numbers with the limits among these texts, and those; None if it can have none."""
    below, above = ([text for text in texts if _LIMIT.fullmatch(text) and text[0] in signs] for signs in ("<≤", ">≥"))
    if not (below or above) or max(len(below), len(above)) > 1 or "|" in pattern or _PATTERN.fullmatch(pattern):
        return None
    return NumberUnits.of("|".join([*below, pattern, *above])).pattern, [*below, *above]


def _rests(suffixes: Mapping[str, int]) -> set[str]:
    """Return what may stand behind a multiplier in all suffixes: of m and km the m."""
    ends = {suffix[place:] for suffix in suffixes for place in range(min(len(suffix), 9) + 1)}
    return {end for end in ends if sum(suffix.endswith(end) for suffix in suffixes) > 1}


def _families(rest: str) -> list[dict[str, float]]:
    """Return the suffixes that end with the rest, with their factors: one dictionary for each sort of multiplier."""
    words = {spelt(word): factor for word, factor in _WORDS.items() for spelt in _SPELLINGS}
    known = [_COUNTS, _LOWER, words] if not rest or not rest[0].isalpha() else [_METRIC, _BINARY]
    found = [{(multiplier + rest).strip(BLANKS): factor for multiplier, factor in each.items()} for each in known]
    return [{suffix: factor for suffix, factor in each.items() if suffix or not rest} for each in found]


_SPELLINGS: tuple[Callable[[str], str], ...] = (str, str.capitalize, str.upper)


def _factors(suffixes: list[str]) -> list[float] | None:
    """Return the factors of units that belong together, that of the first being 1; None if they do not."""
    for rest in _rests(dict.fromkeys(suffixes, 1)):
        for known in _families(rest):
            if all(suffix in known for suffix in suffixes):
                return [known[suffix] / known[suffixes[0]] for suffix in suffixes]
    return None


def _read(texts: pa.Array, form: str) -> pa.Array:
    """Return texts (N,) as float64, null for those that are not of a form."""
    if not is_plain(form):
        return NumberFormat.of(form).parse(texts)
    numbers = pc.if_else(pc.match_substring_regex(texts, ANY_NUMBER), texts, pa.scalar(None, pa.string()))
    return read_numbers(numbers, form).cast(pa.float64())


def _limit(text: str, scale: float = 1.0) -> float:
    """Return a part of the number of a limit, with no more digits than it has: 2 for <5."""
    found = _LIMIT.fullmatch(text)
    if found is None:
        return np.nan
    digits: int = 10 ** len(found["number"].partition(".")[2])
    return float(np.floor(float(found["number"]) * scale * digits + 1e-9) / digits)
