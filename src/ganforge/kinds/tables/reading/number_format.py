"""The form of a column's numbers in a text: affixes, marks, sign and decimals. `parse` and `write` are inverses.

Column.format holds it as spreadsheets write it: `$#,##0.00`, `#.##0,00 €`, `0.0%`, `0 kg`, and, where a negative number
does not begin with a minus sign, a second part for these: `#,##0;(#,##0)`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from ganforge.kinds.tables.columns import MOST_DECIMALS
from ganforge.kinds.tables.reading.shapes import Shape

MINUS = "\u2212"  # the mathematical one
SIGNED = (
    "-{0}{1}{2}", "{0}-{1}{2}", "({0}{1}{2})", "{0}({1}){2}", "{0}{1}-{2}", "{0}{1}{2}-", MINUS + "{0}{1}{2}",
)  # fmt: skip
"""How negative numbers may be written, of prefix, digits and suffix; the first is the default."""
BLANKS = " \u00a0\u2009\u202f"  # also those that do not break a line
MARKS = (  # of decimals and of thousands, in the order of preference
    (".", ""), (".", ","), (",", ""), (",", "."), *((mark, blank) for mark in ",." for blank in BLANKS),
    (".", "'"), (".", "\u2019"), (",", "'"), (".", "_"),
)  # fmt: skip
LONGEST = 15  # digits before the decimal mark, all of which a float64 holds
MOST_READ = 30  # decimals of a number that is read
_SYMBOLS = "$€£¥₹₽₩₺₫₴₦₱฿₪¢"
_CODES = (
    "AED|ARS|AUD|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EUR|GBP|HKD|HUF|IDR|ILS|INR|JPY|KRW|MXN|MYR|NGN|NOK|NZD|PHP|PKR|PLN|"
    "RON|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH|USD|VND|ZAR"
)
_PREFIX = rf"(?:[A-Z]{{0,3}}[{_SYMBOLS}]|{_CODES}|Rs\.?|kr\.?|Fr\.?|RM|~|≈)"
_SUFFIX = rf"(?:[,.]-|[%‰°+{_SYMBOLS}]|[^\W\d_])(?:[^\d;#,()]|(?<=m)[23]){{0,15}}"
_PARTS = re.compile(
    rf"(?P<first>[-+{MINUS}(]?)(?P<prefix>{_PREFIX}[{BLANKS}]?)?(?P<second>[-+{MINUS}(]?)"
    rf"(?P<body>[.,]?9(?:[9.,'\u2019_{BLANKS}]*9)?)"
    rf"(?P<third>[-)]?)(?P<suffix>[{BLANKS}]?{_SUFFIX}?)?(?P<fourth>[-)]?)"
)
_NEGATIVE = ("-", MINUS, "()")
_PATTERN = re.compile(
    r"(?P<plus>\+?)(?P<prefix>[^0#;]*)(?:#(?P<mark>[^0#;])(?:(?P<lakh>##)(?P=mark))?##)?0"
    r"(?:(?P<decimal>[.,])(?P<fixed>0*)(?P<free>#*)(?<=[0#]))?(?P<suffix>(?![0#])[^;(]*)"
    r"(?:\((?P<plural>[^;()]{1,3})\))?"
)
_PLURALS = ("s", "es", "e", "n", "en", "er")


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFormat:
    """How a column writes its numbers."""

    prefix: str = ""  # with the blank behind it, if there is one
    suffix: str = ""
    plural: str = ""  # behind the suffix unless the number is 1: 2 day(s)
    decimal: str = "."
    thousands: str = ""  # between groups of three digits
    lakh: bool = False  # beyond the first thousand, groups of two digits, as in India
    fewest: int = 0  # digits behind the decimal mark, zeros included
    most: int = 0
    negative: str = SIGNED[0]
    plus: bool = False  # before every number above zero

    @classmethod
    def of(cls, pattern: str) -> NumberFormat:
        """Read a pattern (Column.format), which may be a stranger's. Raises: ValueError if it is not one."""
        positive, _, negative = pattern.partition(";")
        found = _PATTERN.fullmatch(positive)
        if found is None or len(pattern) > 100 or len(found["fixed"] or "") + len(found["free"] or "") > MOST_DECIMALS:
            raise ValueError(f"{pattern!r} is not a format of numbers such as $#,##0.00")
        fewest = len(found["fixed"] or "")
        form = cls(
            prefix=found["prefix"],
            suffix=found["suffix"],
            plural=found["plural"] or "",
            thousands=found["mark"] or "",
            lakh=bool(found["lakh"]),
            decimal=found["decimal"] or ("," if found["mark"] == "." else "."),
            fewest=fewest,
            most=fewest + len(found["free"] or ""),
            plus=bool(found["plus"]),
        )
        signed = [sign for sign in SIGNED if form._around(form._digits, sign) == (negative or f"-{positive}")]
        if not signed or form.thousands == form.decimal:
            raise ValueError(f"{pattern!r} is not a format of numbers such as #,##0;(#,##0)")
        return cls(**{name: getattr(form, name) for name in cls.__slots__} | {"negative": signed[0]})

    @property
    def pattern(self) -> str:
        """Return the form as Column.format holds it; `of` reads it."""
        positive = "+" * self.plus + self._around(self._digits)
        negative = self._around(self._digits, self.negative)
        return positive if negative == f"-{positive}" else f"{positive};{negative}"

    @property
    def is_plain(self) -> bool:
        """Return whether a number is written like 1234.5, as most programs do."""
        return not (self.prefix or self.suffix or self.thousands or self.plus) and (
            self.decimal == "." and self.negative == SIGNED[0]
        )

    def parse(self, texts: pa.Array) -> pa.Array:
        """Read texts (N,) as float64, null where missing or not a number of this form.

        Any sign is accepted, blanks beside an affix may lack, and so may the marks of thousands.
        """
        coded = texts.dictionary_encode()
        parts = pc.extract_regex(coded.dictionary.cast(pa.string()), self._regex())
        signs = pc.binary_join_element_wise(*(pc.struct_field(parts, name) for name in ("a", "b", "c", "d")), "")
        body = pc.struct_field(parts, "body")
        if self.thousands:
            body = pc.replace_substring(body, self.thousands, "")
        if self.decimal != ".":
            body = pc.replace_substring(body, self.decimal, ".")
        sign = pc.if_else(pc.is_in(signs, pa.array(_NEGATIVE)), "-", "")
        known = pc.is_in(signs, pa.array(["", "+", *_NEGATIVE]))
        numbers = pc.if_else(known, pc.binary_join_element_wise(sign, body, ""), pa.scalar(None, pa.string()))
        return numbers.cast(pa.float64()).take(coded.indices)

    def write(self, numbers: pa.Array) -> pa.Array:
        """Format numbers (N,), each distinct one once: rounded to nothing, with at least `fewest` decimals."""
        coded = numbers.cast(pa.float64()).dictionary_encode()
        return pa.array([self._text(number) for number in coded.dictionary.to_pylist()], pa.string()).take(
            coded.indices
        )

    @property
    def _digits(self) -> str:
        whole = f"#{self.thousands}{f'##{self.thousands}' if self.lakh else ''}##0" if self.thousands else "0"
        free = "#" * (self.most - self.fewest)
        return f"{whole}{self.decimal}{'0' * self.fewest}{free}" if self.most else whole

    def _around(self, digits: str, sign: str = "{0}{1}{2}", plural: str | None = None) -> str:
        """Return digits with affixes and sign. Args: plural: None in a pattern."""
        if plural is None and self.plural:
            plural = f"({self.plural})"
        return sign.format(self.prefix, digits, self.suffix + (plural or ""))

    def _regex(self) -> str:
        before, behind = (re.escape(affix.strip(BLANKS)) for affix in (self.prefix, self.suffix))
        whole = rf"(?:0|[1-9][0-9]{{0,{LONGEST - 1}}}"
        if self.thousands:
            mark = re.escape(self.thousands)
            whole += rf"|[1-9][0-9]{{0,1}}(?:{mark}[0-9]{{2}}){{0,5}}{mark}[0-9]{{3}}" if self.lakh else ""
            whole += rf"|[1-9][0-9]{{0,2}}(?:{mark}[0-9]{{3}}){{1,4}}"
        point = re.escape(self.decimal)
        body = rf"{whole})(?:{point}[0-9]{{0,{MOST_READ}}})?|{point}[0-9]{{1,{MOST_READ}}}"
        behind += f"(?:{re.escape(self.plural)})?" if self.plural else ""
        gap, sign = f"[{BLANKS}]*", f"[-+{MINUS}(]?"
        return rf"^(?P<a>{sign}){before}{gap}(?P<b>{sign})(?P<body>{body})(?P<c>[-)]?){gap}{behind}(?P<d>[-)]?)$"

    def _text(self, number: float | None) -> str | None:
        if number is None:
            return None
        digits = f"{abs(number):.{self.most}f}"
        if float(digits) != abs(number):  # more decimals than were seen, of a cell that is written as it is
            digits = f"{Decimal(repr(abs(number))):f}"
        whole, _, rest = digits.partition(".")
        rest = rest[: self.fewest] + rest[self.fewest :].rstrip("0")
        if self.thousands:
            whole = self._grouped(whole)
        digits = f"{whole}{self.decimal}{rest}" if rest else whole
        plural = "" if digits == "1" else self.plural
        if number < 0:
            return self._around(digits, self.negative, plural)
        return ("+" if self.plus and number > 0 else "") + self._around(digits, plural=plural)

    def _grouped(self, whole: str) -> str:
        if not self.lakh:
            return f"{int(whole):,}".replace(",", self.thousands)
        high, low = whole[:-3], whole[-3:]
        groups = [high[max(0, end - 2) : end] for end in range(len(high), 0, -2)][::-1]
        return self.thousands.join([*groups, low])


# ---- found in the cells of a column ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FoundNumbers:
    """The form that most cells have."""

    form: NumberFormat
    shapes: frozenset[Shape]  # that it fits
    ambiguous: bool = False  # the one mark that occurs may be that of decimals as well as that of thousands


@dataclass(frozen=True, slots=True)
class _Cell:
    shape: Shape
    prefix: str
    body: str
    suffix: str
    sign: str  # one of SIGNED, "+" or ""


def find_number_format(shapes: Mapping[Shape, int], decimal: str | None = None) -> FoundNumbers | None:
    """Find the form of the most cells.

    Args: shapes of all cells of a column, with how many cells have each; decimal the mark that is preferred.
    """
    cells = [cell for shape in shapes if (cell := cell_of(shape))]
    if not cells:
        return None
    affixes = Counter[tuple[str, str]]()
    for cell in cells:
        affixes[cell.prefix.strip(BLANKS), cell.suffix.strip(BLANKS)] += shapes[cell.shape]
    prefix, suffix = max(affixes, key=lambda pair: affixes[pair])
    decimal = suffix[0] if suffix[:2] in (",-", ".-") else decimal  # 1.200,- is without cents
    one, plural = _singular(cells, suffix)
    many = one + plural
    cells = [cell for cell in cells if cell.prefix.strip(BLANKS) == prefix and cell.suffix.strip(BLANKS) in (one, many)]
    fits = {
        (*marks, lakh): [cell for cell in cells if _body_fits(cell, *marks, lakh)]
        for marks in MARKS
        for lakh in ((False, True) if marks[1] else (False,))
    }
    best = max(fits, key=lambda marks: _weight(fits[marks], shapes))  # the first of equals
    equal = [marks for marks in fits if _weight(fits[marks], shapes) == _weight(fits[best], shapes)]
    if as_asked := [marks for marks in equal if marks[0] == decimal]:
        best, ambiguous = as_asked[0], False
    else:
        best, ambiguous = _settled(best, equal, fits[best])
    decimal, thousands, lakh = best
    cells = fits[best]
    if not cells:
        return None
    digits = [len(cell.body.rpartition(decimal)[2]) if decimal in cell.body else 0 for cell in cells]
    signs = Counter[str]()
    for cell in cells:
        signs[cell.sign] += shapes[cell.shape]
    negatives = [sign for sign in SIGNED if signs[sign]]
    plus = signs["+"] > 0 and all(cell.sign or _is_zero(cell) for cell in cells)
    form = NumberFormat(
        prefix=_commonest(Counter(cell.prefix for cell in cells)),
        suffix=_commonest(Counter(cell.suffix.removesuffix(plural) for cell in cells)),
        plural=plural,
        decimal=decimal,
        thousands=thousands if any(thousands in cell.body for cell in cells) else "",
        lakh=lakh,
        fewest=min(digits),
        most=max(digits),
        negative=max(negatives, key=lambda sign: signs[sign]) if negatives else SIGNED[0],
        plus=plus,
    )
    if form.most > MOST_DECIMALS or _is_telephone(form, cells):
        return None
    return FoundNumbers(form, frozenset(cell.shape for cell in cells), ambiguous)


def cell_of(shape: Shape) -> _Cell | None:
    """Return the parts of a number with affixes; None for another text."""
    found = _PARTS.fullmatch(shape.text)
    if found is None:
        return None
    sign = "".join(found[name] for name in ("first", "second", "third", "fourth"))
    parts = found["prefix"] or "", found["body"], found["suffix"] or ""
    if sign in _NEGATIVE:
        sign = next((signed for signed in SIGNED if signed.format(*parts) == shape.text), SIGNED[0])
    elif sign not in ("", "+"):
        return None
    return _Cell(shape, *parts, sign)


def _singular(cells: Sequence[_Cell], suffix: str) -> tuple[str, str]:
    """Return a suffix as it stands behind 1, and what others have more: `day` and `s`; (suffix, "") if all are alike.

    Only numbers of one digit have the shorter one.
    """
    bodies: dict[str, set[str]] = {}
    for cell in cells:
        bodies.setdefault(cell.suffix.strip(BLANKS), set()).add(cell.body)
    for plural in _PLURALS:
        for one in (suffix, suffix.removesuffix(plural)):
            if len(one) > 1 and bodies.get(one) == {"9"} and one + plural in bodies:
                return one, plural
    return suffix, ""


def _body_fits(cell: _Cell, decimal: str, thousands: str, lakh: bool) -> bool:
    """Return whether digits are grouped as these marks ask for; a leading zero stands alone."""
    whole, point, rest = cell.body.partition(decimal)
    if (point and rest.strip("9")) or (not whole and not rest):
        return False
    if cell.shape.leading and whole and whole != "9":
        return False
    if not thousands or len(whole) <= 3:
        return not whole.strip("9") and len(whole) <= LONGEST
    groups = whole.split(thousands)
    inner = {2} if lakh else {3}
    return (
        not "".join(groups).strip("9")
        and 1 <= len(groups[0]) <= max(inner)
        and len(groups) > 1
        and len(groups[-1]) == 3
        and {len(group) for group in groups[1:-1]} <= inner
        and sum(map(len, groups)) <= LONGEST
    )


def _settled(
    best: tuple[str, str, bool], equal: Sequence[tuple[str, str, bool]], cells: Sequence[_Cell]
) -> tuple[tuple[str, str, bool], bool]:
    """Choose among marks that fit as many cells: 1.234 may be 1234, and 1,234 may be 1.234.

    Whoever writes 950 and 1.230 does not mean decimals: either all have them, or none ends with a zero. Without such
    evidence a point is that of decimals and a comma that of thousands, as in English.
    """
    marks = {mark for cell in cells for mark in ".," if mark in cell.body}
    if len(marks) != 1 or len(equal) < 2:
        return best, False
    (mark,) = marks
    as_thousands = next((one for one in equal if one[1] == mark and not one[2]), None)
    as_decimals = next((one for one in equal if one[0] == mark and not one[1]), None)
    if as_thousands is None or as_decimals is None:
        return best, False
    bare = any(mark not in cell.body for cell in cells)
    zeros = any(mark in cell.body and cell.shape.final for cell in cells)
    if bare and zeros:
        return as_thousands, False
    return (as_thousands if mark == "," else as_decimals), True


def _is_telephone(form: NumberFormat, cells: Sequence[_Cell]) -> bool:
    """Return whether every cell is like 600 123 456: numbers would not all have as many digits."""
    blanks = form.thousands and form.thousands in BLANKS
    return bool(blanks) and len({cell.body for cell in cells}) == 1 and cells[0].body.count("9") > 6


def _is_zero(cell: _Cell) -> bool:
    """Return whether it is 0 or 0.0, or at least begins and ends like that."""
    return cell.shape.final and (cell.body == "9" or cell.shape.leading)


def _weight(cells: Sequence[_Cell], shapes: Mapping[Shape, int]) -> int:
    return sum(shapes[cell.shape] for cell in cells)


def _commonest(counts: Counter[str]) -> str:
    return max(counts, key=lambda text: counts[text])


# ---- numbers as programs write them ----------------------------------------------------------------------------------


NUMBER = r"^[+-]?((0|[1-9][0-9]{0,17})(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
INFINITE = r"^[+-]?(inf|Inf|INF|infinity|Infinity)$"
WITH_ZEROS = r"^[+-]?[0-9]{1,15}$"  # a whole number, perhaps with leading zeros
ANY_NUMBER = f"{NUMBER}|{INFINITE}|{WITH_ZEROS}"
_PLAIN = re.compile(r"|0\.0+|0\.0#|0+")  # two decimals in every row, at least one, leading zeros
_EXACT = 1e15  # numbers up to here have all their digits written


def is_plain(pattern: str) -> bool:
    """Return whether a pattern is of numbers as programs write them, without affixes and marks of thousands."""
    return _PLAIN.fullmatch(pattern) is not None


def write_numbers(numbers: pa.Array, pattern: str, *, whole: bool) -> pa.Array:
    """Format numbers (N,) by a pattern: "0.00" two decimals in every row, "0.0#" at least one, "000" leading zeros,
    "" the shortest text that gives the same number, or that of a NumberFormat. Args: whole: none has a fraction."""
    if not is_plain(pattern):
        return NumberFormat.of(pattern).write(numbers)
    floating = pa.types.is_floating(numbers.type)
    small = floating and (pc.max(pc.abs(numbers)).as_py() or 0) < _EXACT
    if small and whole and "." not in pattern:
        return _padded(numbers.cast(pa.int64()).cast(pa.string()), pattern)
    if small and re.fullmatch(r"0\.0+", pattern):
        return numbers.cast(pa.float64()).cast(pa.decimal128(38, len(pattern) - 2)).cast(pa.string())
    texts = numbers.cast(pa.string())
    if pattern == "0.0#":
        bare = pc.invert(pc.match_substring_regex(texts, r"[.e]"))
        return pc.if_else(bare, pc.binary_join_element_wise(texts, ".0", ""), texts)
    return _padded(texts, pattern)


def read_numbers(texts: pa.Array, pattern: str) -> pa.Array:
    """Return texts (N,) that `write_numbers` writes as texts that Arrow reads as numbers, or as numbers: of a
    NumberFormat, where those that are not are null."""
    if not is_plain(pattern):
        return NumberFormat.of(pattern).parse(texts)
    return pc.replace_substring_regex(texts, r"^\+", "")  # Arrow does not read a plus sign


def _padded(texts: pa.Array, pattern: str) -> pa.Array:
    return pc.utf8_lpad(texts, width=len(pattern), padding="0") if re.fullmatch("0+", pattern) else texts
