"""The type of a column of texts: numbers, dates or booleans, if every value of the column fits, and their form.

A column's reading narrows down as its chunks pass: `update` takes away what a chunk rules out, `result` chooses from
the rest. Rules prefer text in doubt: "007" would not be restored from a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ganforge.kinds.tables.reading.arrays import dates_from

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "-nan", "NULL", "Null", "null", "#N/A", "<NA>")
INTEGER = r"^(0|[+-]?[1-9][0-9]{0,17})$"
NUMBER = r"^[+-]?((0|[1-9][0-9]{0,17})(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
INFINITE = r"^[+-]?(inf|Inf|INF|infinity|Infinity)$"
TRUTHS = ("True/False", "true/false", "TRUE/FALSE")
_FORMS = {form: f"^({form.replace('/', '|')})$" for form in TRUTHS} | {
    "integer": INTEGER,
    "number": f"{NUMBER}|{INFINITE}",
    "comma": r"^[+-]?[0-9]+([.,][0-9]{3})*(,[0-9]+)?$",  # 3,14 or 1,234 or 1.234,5: ambiguous, so not guessed
}
_DAY = {
    "%Y-%m-%d": r"\d{4}-\d\d-\d\d",
    "%Y/%m/%d": r"\d{4}/\d\d/\d\d",
    "%d.%m.%Y": r"\d\d\.\d\d\.\d{4}",
    "%m/%d/%Y": r"\d\d/\d\d/\d{4}",
    "%d/%m/%Y": r"\d\d/\d\d/\d{4}",
    "%d-%m-%Y": r"\d\d-\d\d-\d{4}",
    "%-m/%-d/%Y": r"[1-9]\d?/[1-9]\d?/\d{4}",
    "%-d/%-m/%Y": r"[1-9]\d?/[1-9]\d?/\d{4}",
    "%-d.%-m.%Y": r"[1-9]\d?\.[1-9]\d?\.\d{4}",
}
_CLOCK = {"": "", "%H:%M": r"\d\d:\d\d", "%H:%M:%S": r"\d\d:\d\d:\d\d", "%H:%M:%S.%f": r"\d\d:\d\d:\d\d\.(\d{3}|\d{6})"}
_DATES = {
    f"{day}{between}{clock}": f"^{digits}{between}{time}"
    for day, digits in _DAY.items()
    for clock, time in _CLOCK.items()
    for between in ((" ", "T") if clock else ("",))
}
_OFFSET = r"(Z|[+-]\d\d:\d\d)?$"


@dataclass
class Reading:
    """The possible types of a column of texts, and the forms seen so far."""

    forms: list[str] | None = None  # that every value has; None before the first value
    offset: str = ""  # of all dates
    fraction: int = 0  # digits of a second
    missing: int = 0
    comma: bool = False  # any comma
    finite: bool = False  # any number that is not infinite
    plain_digits: bool = True  # no number with an exponent
    decimals: tuple[int, int] = (99, 0)  # fewest and most digits behind the point
    padded: bool = False  # a number such as 1.50
    whole_with_point: bool = False  # a number such as 5.0

    def update(self, values: pa.Array) -> None:
        """Add values. Args: values texts (N,), stripped, None where missing."""
        self.missing += values.null_count
        if self.forms == [] or len(known := pc.unique(values).drop_null()) == 0:
            return
        if self.forms is None:
            self._begin(known[0].as_py())
        self.forms = [form for form in self.forms or () if self._fits(form, known)]
        if "number" in self.forms:
            self._update_numbers(known.filter(pc.invert(pc.match_substring_regex(known, INFINITE))))
        if "comma" in self.forms:
            self.comma |= bool(pc.any(pc.match_substring(known, ",")).as_py())

    def _begin(self, first: str) -> None:
        """Find the forms of the first value, its offset and the digits of its second."""
        dates = {form: found for form, regex in _DATES.items() if (found := re.match(regex + _OFFSET, first, re.ASCII))}
        self.forms = [form for form, regex in _FORMS.items() if re.match(regex, first)] + [*dates]
        for form, found in dates.items():
            self.offset = (found[found.re.groups] or "") if "%H" in form else ""
            self.fraction = len(first.removesuffix(self.offset).partition(".")[2]) if "%f" in form else 0

    def _fits(self, form: str, known: pa.Array) -> bool:
        if form in _FORMS:
            return _all(known, _FORMS[form])
        digits = _DATES[form].replace(r"(\d{3}|\d{6})", rf"\d{{{self.fraction}}}")
        return _all(known, digits + re.escape(self.offset) + "$") and dates_from(known, form, self.offset) is not None

    def _update_numbers(self, numbers: pa.Array) -> None:
        if len(numbers) == 0:
            return
        self.finite = True
        self.plain_digits &= not pc.any(pc.match_substring_regex(numbers, "[eE]")).as_py()
        decimals = decimals_of(numbers)
        self.decimals = min(self.decimals[0], int(decimals.min())), max(self.decimals[1], int(decimals.max()))
        self.whole_with_point |= bool(pc.any(pc.match_substring_regex(numbers, r"\.0$")).as_py())
        self.padded |= bool(pc.any(pc.match_substring_regex(numbers, r"(\.|\.[0-9]*[1-9]0+|\.00+)$")).as_py())

    @property
    def dates(self) -> list[str]:
        """Return the formats that every value has."""
        return [form for form in self.forms or () if "%" in form]

    @property
    def ambiguous(self) -> bool:
        """Return whether the dates could be read with the day first as well as with the month first."""
        return len({form.replace("%-", "%") for form in self.dates}) > 1

    @property
    def numbers_with_commas(self) -> bool:
        """Return whether the texts would be numbers with a point, or nothing, instead of a comma."""
        return self.comma and "comma" in (self.forms or ())

    @property
    def is_typed(self) -> bool:
        """Return whether the values are numbers, dates or booleans."""
        return not isinstance(self.result()[0], pd.StringDtype)

    def would_take(self, text: str) -> bool:
        """Return whether a column of numbers, dates or booleans remains one with this text."""
        more = replace(self)
        more.update(pa.array([text]))
        return more.is_typed

    def result(self) -> tuple[Any, str | None]:
        """Return the pandas dtype of the column, and its form if that is not the default (Column.format)."""
        forms = self.forms or []
        if forms and forms[0] in TRUTHS:
            dtype = pd.BooleanDtype() if self.missing else np.dtype(bool)
            return dtype, None if forms[0] == TRUTHS[0] else forms[0]
        if "integer" in forms:
            return pd.Int64Dtype() if self.missing else np.dtype("int64"), None
        if "number" in forms and self.finite:
            return np.dtype("float64"), self._number_format()
        if self.dates:
            unit = {0: "s", 3: "ms", 6: "us"}[self.fraction]
            form = self.dates[0] + self.offset
            if not self.offset:
                return np.dtype(f"datetime64[{unit}]"), form
            return pd.DatetimeTZDtype(unit, "UTC" if self.offset == "Z" else f"UTC{self.offset}"), form
        return pd.StringDtype(na_value=np.nan), None

    def _number_format(self) -> str | None:
        fewest, most = self.decimals
        if not self.plain_digits or most == 0:
            return None
        if fewest == most:
            return "0." + "0" * most
        return "0.0#" if self.whole_with_point and not self.padded else None


def is_missing(texts: pa.Array) -> pa.Array:
    """Return which texts (N,) stand for a missing value, with blanks around them or not."""
    return pc.is_in(pc.utf8_trim_whitespace(texts), value_set=pa.array(MISSING))


def decimals_of(texts: pa.Array) -> NDArray[np.int64]:
    """Return the number of decimals of each text of a number (N,)."""
    point = pc.find_substring(texts, ".").to_numpy()
    return np.where(point < 0, 0, pc.utf8_length(texts).to_numpy() - point - 1)


def _all(texts: pa.Array, regex: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(texts, regex), min_count=0).as_py())
