"""The form of a column's dates in a text. `parse_dates` and `write_dates` are inverses.

A form is written with the directives of strftime, and a few more: `%-d`, `%-m`, `%-H`, `%-I` without leading zeros,
`%^b` the month in capital letters, `%P` am or pm, `%f` three or six digits, `%z` and `%:z` an offset that changes
between rows (+0100, +01:00), `%-z` one of hours alone (+01); one that does not stands as it is. `%2f` has two digits of
a second, `%*f` as many as it needs. `%G-W%V` is a week of ISO 8601. Other names of months: month_names.py.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ganforge.core.month_names import from_english, in_english, shapes_in_english, split_names

_MONTHS = ("%b", "%B", "%^b")
_NUMBERED = (
    "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%-m/%-d/%Y", "%-d/%-m/%Y", "%-d.%-m.%Y",
    "%-d/%m/%Y", "%-m/%d/%Y", "%-d.%m.%Y",
    "%m-%d-%Y", "%Y.%m.%d", "%m/%d/%y", "%d/%m/%y", "%-m/%-d/%y", "%-d/%-m/%y", "%d.%m.%y", "%-d.%-m.%y",
    "%Y-%m", "%m/%Y", "%Y/%m", "%m.%Y", "%Y-%j", "%G-W%V", "%GW%V", "%G-W%V-%u", "%Y年%-m月%-d日", "%Y年%m月%d日",
    "%Y년 %-m월 %-d일", "%Y. %-m. %-d.", "%a %d/%m/%Y", "%a %m/%d/%Y", "%a, %d.%m.%Y",
)  # fmt: skip
_NAMED = (
    "%d {m} %Y", "%-d {m} %Y", "%-d. {m} %Y", "%d. {m} %Y", "%d-{m}-%Y", "%-d-{m}-%Y", "%d-{m}-%y", "%-d-{m}-%y",
    "%d {m} %y", "{m} %d, %Y", "{m} %-d, %Y", "{m} %d %Y", "{m} %-d %Y", "%Y-{m}-%d", "%a, %d {m} %Y", "%a %d {m} %Y",
    "%d/{m}/%Y", "%A, %d {m} %Y", "%A, {m} %d, %Y", "%A, {m} %-d, %Y", "{m}-%y", "{m} %y", "{m}-%Y", "{m} %Y", "%Y-{m}",
    "%-d de {m} de %Y", "%d de {m} de %Y", "%Y{m}", "%Y {m}", "{m}/%Y", "{m}%Y",
)  # fmt: skip
_NAMED_DAYS = (form.replace("{m}", month) for form in _NAMED for month in _MONTHS)
DAYS = (
    *_NUMBERED,
    *(form for form in _NAMED_DAYS if "%^" not in form or not re.search("%[aA]| de ", form)),
)  # %^ is of the whole text
_TWELVE = tuple(
    f"{hour}:%M{seconds}{gap}{half}"
    for hour in ("%I", "%-I")
    for seconds in ("", ":%S")
    for gap in (" ", "")
    for half in ("%p", "%P")
)
CLOCKS = (
    "%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%H:%M:%S,%f", "%-H:%M", "%-H:%M:%S", "%H:%M Uhr", "%-H:%M Uhr", "%H:%M:%S Uhr",
    *_TWELVE,
)  # fmt: skip
_BETWEEN = (" ", "T", ", ", ":")
DIGITS = ("%Y%m%d%H%M%S", "%Y%m%d%H%M")
_WHOLE = (  # forms of a moment whose clock does not stand behind a day of DAYS
    *DIGITS, "%Y%m%dT%H%M%S", "%Y%m%dT%H%M%SZ", "%Y%m%dT%H%M", "%Y%m%d_%H%M%S", "%Y%m%d-%H%M%S", "%Y%m%d %H:%M:%S",
    "%Y-%m-%d-%H.%M.%S.%f", "%Y-%m-%d_%H-%M-%S", "%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S UTC %Y",
    "%d-%^b-%y %I.%M.%S.%f %p", "%d-%b-%y %I.%M.%S.%f %p",
    *(
        f"{clock}{gap}{day}"
        for clock in ("%H:%M", "%H:%M:%S", "%I:%M %p", "%-I:%M %p")
        for gap in (" ", ", ")
        for day in ("%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d", "%d.%m.%Y", "%d-%m-%Y")
    ),
)  # fmt: skip
_SHAPES = {  # of each directive, in a text with a 9 for each digit
    "%Y": "9999", "%f": "9{1,9}", "%j": "999", "%G": "9999", "%u": "9",
    "%a": "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)", "%p": "(?:AM|PM)",
    "%A": "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)", "%P": "(?:am|pm)",
    "%b": "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
    "%B": "(?:January|February|March|April|May|June|July|August|September|October|November|December)",
    "%^b": "(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)",
}  # fmt: skip
_KNOWN = {
    *_SHAPES, "%y", "%m", "%d", "%H", "%I", "%M", "%S", "%V", "%-m", "%-d", "%-H", "%-I", "%z", "%:z", "%-z", "%*f",
    *(f"%{digits}f" for digits in range(1, 10)),
}  # fmt: skip
_DIRECTIVE = re.compile(r"%[-^]?[A-Za-z]")
_OFFSET_SHAPE = re.compile(r"(?P<offset> ?(?:Z|UTC|GMT)| ?[+-]99(?:(?P<colon>:?)99)?)$")
_OFFSET = re.compile(r" ?(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?|%[:-]?z)$")
_FRACTION = re.compile(r"%S([.,])%([1-9*]?)f")
_MARK = "\x1f"  # before a number that loses its leading zero
ZONES = (
    "Europe/Berlin", "Europe/London", "Europe/Helsinki", "America/New_York", "America/Chicago", "America/Denver",
    "America/Los_Angeles", "America/Sao_Paulo", "Australia/Sydney",
)  # fmt: skip
"""Zones that are tried first, of all those whose clocks show a column's offsets."""


def shape_regex(form: str) -> str:
    """Return the regular expression of the shapes that a form writes, each digit being a 9."""
    parts, last = [], 0
    for found in _DIRECTIVE.finditer(form):
        word = found[0]
        parts += [re.escape(form[last : found.start()]), _SHAPES.get(word) or ("99?" if word[1] == "-" else "99")]
        last = found.end()
    return "".join([*parts, re.escape(form[last:])])


_DAY_SHAPES = {form: re.compile(shape_regex(form)) for form in DAYS}
_CLOCK_SHAPES = {form: re.compile(shape_regex(form)) for form in CLOCKS}
_WHOLE_SHAPES = {form: re.compile(shape_regex(form)) for form in _WHOLE}


def date_forms(shape: str) -> list[str]:
    """Return the forms that a text of this shape may have, an offset being `Z`, `%z` or `%:z`; of seconds with digits
    behind the point the form ends with their number in braces."""
    if "99" not in shape or len(shape) > 60:
        return []
    forms = []
    for whole, regex in _WHOLE_SHAPES.items():
        if regex.fullmatch(shape):
            digits = re.search(r"\.(9+)(?: [AP]M)?$", shape)
            forms.append(f"{whole}{{{len(digits[1])}}}" if digits and "%f" in whole else whole)
    for day, regex in _DAY_SHAPES.items():
        if (found := regex.match(shape)) is None:
            continue
        rest = shape[found.end() :]
        if not rest:
            forms.append(day)
        elif day.endswith(("%d", "%Y", "%y", "%-d.", "日", "일")):
            forms += [f"{day}{clock}" for clock in _clocks(rest)]
    return forms


def named_forms(shape: str) -> list[str]:
    """Return the forms with names of months that are not the usual English ones (month_names.py)."""
    found = shapes_in_english(shape) if "9" in shape and len(shape) <= 60 else []
    return [f"[{key}]{form}" for key, english in found for form in date_forms(english) if "%B" in form]


def _clocks(rest: str) -> Iterable[str]:
    offset = _OFFSET_SHAPE.search(rest)
    bare, zone = rest, ""
    if offset:
        bare, text = rest[: offset.start()], offset["offset"]
        colon = "-" if offset["colon"] is None else offset["colon"]
        zone = text if text[-1].isalpha() else f"{' ' if text[0] == ' ' else ''}%{colon}z"
    for between in _BETWEEN:
        for clock, regex in _CLOCK_SHAPES.items():
            if bare.startswith(between) and regex.fullmatch(bare, len(between)):
                digits = f"{{{len(re.split('[.,]', bare)[-1])}}}" if "%f" in clock else ""
                yield f"{between}{clock}{zone}{digits}"


def split_offset(form: str) -> tuple[str, str]:
    """Return a form without its offset, and the offset, "" if it has none."""
    found = _OFFSET.search(form)
    return (form[: found.start()], found[0]) if found and ("%H" in form or "%I" in form or "%-" in form) else (form, "")


def plain_form(form: str) -> str:
    """Return a form with the directives that Python and pandas read."""
    form = re.sub(r"%[1-9*]f", "%f", split_names(form)[1])
    return form.replace("%-", "%").replace("%^", "%").replace("%P", "%p").replace("%:z", "%z")


def same_reading(form: str) -> str:
    """Return what is the same for forms that read a text alike: 1/2 and 01/02, May of %b and of %B."""
    key, bare = split_names(form)
    return key + plain_form(bare).replace("%B", "%b")


def parse_dates(texts: pa.Array, form: str) -> pa.Array:
    """Read texts (N,) of dates as timestamps in microseconds without a zone, null where missing or not a date.

    With an offset they are in UTC, else in local clock time. Each distinct text is read once.
    """
    coded = texts if isinstance(texts, pa.DictionaryArray) else texts.dictionary_encode()
    key, bare = split_names(form)
    bare, offset = split_offset(bare)
    words = pd.Series(coded.dictionary.to_pylist(), dtype=object)
    if key:
        words = words.map(lambda word: in_english(word, key), na_action="ignore")
    zone = (
        "" if not offset else offset if offset[-1].isalpha() and "%" not in offset else f"{' ' * (offset[0] == ' ')}%z"
    )
    if re.search(r"([+-]\d\d|%-z)$", offset):  # hours alone
        words = words + "00"
    if "%V" in bare and "%u" not in bare:
        words, bare = words + "-1", bare + "-%u"
    moments = _parsed(words, plain_form(bare) + zone, bool(offset))
    if "%*f" in bare:
        without = _parsed(words, re.sub("[.,]%f", "", plain_form(bare)) + zone, bool(offset))
        moments = np.where(np.isnat(moments), without, moments)
    return pa.array(moments, from_pandas=True).take(coded.indices)


def _parsed(words: pd.Series[Any], form: str, utc: bool) -> NDArray[np.datetime64]:
    when = pd.to_datetime(words, format=form, errors="coerce", utc=utc)
    moments: NDArray[np.datetime64] = when.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    return moments


def write_dates(moments: pa.Array, form: str, digits: int, zone: str | None) -> pa.Array:
    """Format moments (N,), int64 microseconds since 1970 in UTC or on a clock without a zone, each distinct one once.

    Args: digits of a second behind the point, where the form has %f; zone whose clock is shown where the form has %z.
    Raises: ValueError for a form with other directives, which may be a stranger's.
    """
    if strange := set(re.findall(r"%[-^:1-9*]?.?", form)) - _KNOWN:
        raise ValueError(f"{form!r} is not a form of dates: {min(strange)} means nothing")
    coded = moments.dictionary_encode()
    key, bare = split_names(form)
    bare, offset = split_offset(bare)
    clock, behind = coded.dictionary.cast(pa.timestamp("us")), pa.scalar(offset)
    if offset.endswith("z"):
        clock, minutes = _on_clock(clock, zone or "UTC")
        behind = _offset_texts(minutes, offset)
    elif offset and not offset[-1].isalpha():
        clock = pc.add(clock, pa.scalar(_minutes(offset) * 60_000_000, pa.duration("us")))
    fraction = _FRACTION.search(bare)
    unit = "us" if fraction else "s"
    written = _FRACTION.sub("%S", re.sub("%-", f"{_MARK}%", bare)).replace("%^", "%").replace("%P", "%p")
    texts = pc.strftime(clock.cast(pa.timestamp(unit), safe=False), format=written)
    if _MARK in written:
        texts = pc.replace_substring_regex(texts, f"{_MARK}0?", "")
    if fraction:
        texts = _with_digits(texts, fraction[1], fraction[2] or str(digits))
    if key:
        known = texts.dictionary_encode()
        named = [None if text is None else from_english(text, key) for text in known.dictionary.to_pylist()]
        texts = pa.array(named, pa.string()).take(known.indices)
    if "%^" in bare:
        texts = pc.replace_substring(pc.utf8_upper(texts), " UHR", " Uhr")
    if "%P" in bare:
        texts = pc.replace_substring(pc.replace_substring(texts, "AM", "am"), "PM", "pm")
    return (pc.binary_join_element_wise(texts, behind, "") if offset else texts).take(coded.indices)


def _with_digits(texts: pa.Array, mark: str, digits: str) -> pa.Array:
    """Return texts (N,) with a point and six digits of a second as a form writes them: `*` for as many as it needs."""
    if digits == "*":
        texts = pc.replace_substring_regex(texts, r"\.([0-9]{6})", r".\1|").cast(pa.string())
        texts = pc.replace_substring_regex(texts, r"\.?0*\|", "")
        return texts if mark == "." else pc.replace_substring_regex(texts, r"\.([0-9]{1,6})$", rf"{mark}\1")
    kept, more = min(int(digits), 6), "0" * (int(digits) - 6)
    return pc.replace_substring_regex(texts, rf"\.([0-9]{{{kept}}})[0-9]{{{6 - kept}}}", rf"{mark}\1{more}")


def _minutes(offset: str) -> int:
    digits = re.sub("[^0-9]", "", offset)
    return int(f"{offset.strip()[0]}1") * (60 * int(digits[:2]) + int(digits[2:] or 0))


def _on_clock(moments: pa.Array, zone: str) -> tuple[pa.Array, np.ndarray]:
    """Return what a zone's clock shows at moments (N,), and its offsets in minutes (N,)."""
    utc = pd.DatetimeIndex(moments.to_numpy(zero_copy_only=False)).tz_localize("UTC")
    local = utc.tz_convert(zone).tz_localize(None)
    minutes = (local - utc.tz_localize(None)) // pd.Timedelta(minutes=1)
    return pa.array(local.to_numpy(), from_pandas=True).cast(pa.timestamp("us")), np.nan_to_num(minutes.to_numpy())


def _offset_texts(minutes: np.ndarray, form: str) -> pa.Array:
    colon, blank = ":" if ":" in form else "", " " if form[0] == " " else ""
    known = {
        each: f"{blank}{'-' if each < 0 else '+'}{abs(int(each)) // 60:02d}"
        + ("" if "-z" in form else f"{colon}{abs(int(each)) % 60:02d}")
        for each in np.unique(minutes)
    }
    return pa.array([known[each] for each in minutes], pa.string())


@lru_cache(maxsize=8)
def zone_of_offsets(pairs: frozenset[tuple[int, int]]) -> str:
    """Return a zone whose clocks have these offsets at these moments, "UTC" if none does.

    Args: pairs of a moment in seconds since 1970 and the minutes of its offset.
    """
    moments = pd.DatetimeIndex(np.array([moment for moment, _ in pairs], "M8[s]")).tz_localize("UTC")
    minutes = np.array([offset for _, offset in pairs])
    others = sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc"))
    for zone in dict.fromkeys((*ZONES, *others)):
        local = moments.tz_convert(zone)
        apart = (local.tz_localize(None) - moments.tz_localize(None)) // pd.Timedelta(minutes=1)
        if (apart.to_numpy() == minutes).all():
            return zone
    return "UTC"


def offsets_of(texts: pa.Array, moments: pa.Array) -> frozenset[tuple[int, int]]:
    """Return pairs as `zone_of_offsets` takes them, of texts (N,) that end with an offset and their moments in UTC."""
    found = pc.struct_field(
        pc.extract_regex(texts, r"(?P<offset>Z|[+-][0-9]{2}(?::?[0-9]{2})?)$"), "offset"
    ).to_pylist()
    seconds = moments.cast(pa.timestamp("s"), safe=False).cast(pa.int64()).to_pylist()
    known = {offset: 0 if offset == "Z" else _minutes(offset) for offset in set(found) if offset}
    pairs = zip(seconds, found, strict=True)
    return frozenset((at, known[offset]) for at, offset in pairs if offset and at is not None)


def is_date(form: str) -> bool:
    """Return whether a form is that of dates, not of times."""
    return any(directive in form for directive in ("%Y", "%y", "%G"))


def without_digits(form: str) -> str:
    """Return a form of `date_forms` without the number of digits of a second."""
    return re.sub(r"\{\d\}$", "", form)


def without_fraction(form: str) -> str:
    """Return a form of `date_forms` without parts of a second."""
    return re.sub("[.,]%f", "", without_digits(form))


def with_colon(offset: str) -> str:
    """Return an offset such as +0100 or +01 as +01:00."""
    return offset if ":" in offset else f"{offset[:3]}:{offset[3:] or '00'}"
