"""The form of a column's dates in a text. `parse_dates` and `write_dates` are inverses.

A form is written with the directives of strftime, and a few more: `%-d`, `%-m`, `%-H`, `%-I` without leading zeros,
`%^b` the month in capital letters, `%P` am or pm, `%f` three or six digits, `%z` and `%:z` an offset that changes
between rows (+0100, +01:00); one that does not stands as it is.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_MONTHS = ("%b", "%B", "%^b")
_NUMBERED = (
    "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%-m/%-d/%Y", "%-d/%-m/%Y", "%-d.%-m.%Y",
    "%m-%d-%Y", "%Y.%m.%d", "%m/%d/%y", "%d/%m/%y", "%-m/%-d/%y", "%-d/%-m/%y", "%d.%m.%y", "%-d.%-m.%y",
    "%Y-%m", "%m/%Y", "%Y/%m",
)  # fmt: skip
_NAMED = (
    "%d {m} %Y", "%-d {m} %Y", "%-d. {m} %Y", "%d-{m}-%Y", "%-d-{m}-%Y", "%d-{m}-%y", "%-d-{m}-%y", "%d {m} %y",
    "{m} %d, %Y", "{m} %-d, %Y", "{m} %d %Y", "{m} %-d %Y", "%Y-{m}-%d", "%a, %d {m} %Y", "%a %d {m} %Y",
    "%d/{m}/%Y", "%A, %d {m} %Y", "%A, {m} %d, %Y", "%A, {m} %-d, %Y", "{m}-%y", "{m} %y", "{m}-%Y", "{m} %Y", "%Y-{m}",
)  # fmt: skip
_NAMED_DAYS = (form.replace("{m}", month) for form in _NAMED for month in _MONTHS)
DAYS = (
    *_NUMBERED,
    *(form for form in _NAMED_DAYS if "%^" not in form or not re.search("%[aA]", form)),
)  # %^ is of the whole text
_TWELVE = tuple(
    f"{hour}:%M{seconds}{gap}{half}"
    for hour in ("%I", "%-I")
    for seconds in ("", ":%S")
    for gap in (" ", "")
    for half in ("%p", "%P")
)
CLOCKS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%-H:%M", "%-H:%M:%S", *_TWELVE)
_BETWEEN = (" ", "T", ", ", ":")
_SHAPES = {  # of each directive, in a text with a 9 for each digit
    "%Y": "9999", "%f": "(?:999|999999)", "%a": "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)", "%p": "(?:AM|PM)",
    "%A": "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)", "%P": "(?:am|pm)",
    "%b": "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
    "%B": "(?:January|February|March|April|May|June|July|August|September|October|November|December)",
    "%^b": "(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)",
}  # fmt: skip
_KNOWN = {*_SHAPES, "%y", "%m", "%d", "%H", "%I", "%M", "%S", "%j", "%-m", "%-d", "%-H", "%-I", "%z", "%:z"}
_DIRECTIVE = re.compile(r"%[-^]?[A-Za-z]")
_OFFSET_SHAPE = re.compile(r"(?P<offset>Z| ?[+-]99(?P<colon>:?)99)$")
_OFFSET = re.compile(r" ?(?:Z|[+-]\d\d:?\d\d|%:?z)$")
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


def date_forms(shape: str) -> list[str]:
    """Return the forms that a text of this shape may have, an offset being `Z`, `%z` or `%:z`; of seconds with digits
    behind the point the form ends with their number in braces."""
    if "99" not in shape or len(shape) > 60:
        return []
    forms = []
    for day, regex in _DAY_SHAPES.items():
        if (found := regex.match(shape)) is None:
            continue
        rest = shape[found.end() :]
        if not rest:
            forms.append(day)
        elif day.endswith(("%d", "%Y", "%y")):
            forms += [f"{day}{clock}" for clock in _clocks(rest)]
    return forms


def _clocks(rest: str) -> Iterable[str]:
    offset = _OFFSET_SHAPE.search(rest)
    bare, zone = rest, ""
    if offset:
        bare, text = rest[: offset.start()], offset["offset"]
        zone = "Z" if text == "Z" else f"{text[0] if text[0] == ' ' else ''}%{offset['colon']}z"
    for between in _BETWEEN:
        for clock, regex in _CLOCK_SHAPES.items():
            if bare.startswith(between) and regex.fullmatch(bare, len(between)):
                digits = f"{{{len(bare.rpartition('.')[2])}}}" if "%f" in clock else ""
                yield f"{between}{clock}{zone}{digits}"


def split_offset(form: str) -> tuple[str, str]:
    """Return a form without its offset, and the offset, "" if it has none."""
    found = _OFFSET.search(form)
    return (form[: found.start()], found[0]) if found and ("%H" in form or "%I" in form or "%-" in form) else (form, "")


def plain_form(form: str) -> str:
    """Return a form with the directives that Python and pandas read."""
    return form.replace("%-", "%").replace("%^", "%").replace("%P", "%p").replace("%:z", "%z")


def same_reading(form: str) -> str:
    """Return what is the same for forms that read a text alike: 1/2 and 01/02, May of %b and of %B."""
    return plain_form(form).replace("%B", "%b")


def parse_dates(texts: pa.Array, form: str) -> pa.Array:
    """Read texts (N,) of dates as timestamps in microseconds without a zone, null where missing or not a date.

    With an offset they are in UTC, else in local clock time. Each distinct text is read once.
    """
    coded = texts if isinstance(texts, pa.DictionaryArray) else texts.dictionary_encode()
    bare, offset = split_offset(form)
    words = pd.Series(coded.dictionary.to_pylist(), dtype=object)
    zone = "" if not offset else offset if offset == "Z" else f"{' ' if offset[0] == ' ' else ''}%z"
    when = pd.to_datetime(words, format=plain_form(bare) + zone, errors="coerce", utc=bool(offset))
    moments = when.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    return pa.array(moments, from_pandas=True).take(coded.indices)


def write_dates(moments: pa.Array, form: str, digits: int, zone: str | None) -> pa.Array:
    """Format moments (N,), int64 microseconds since 1970 in UTC or on a clock without a zone, each distinct one once.

    Args: digits of a second behind the point, where the form has %f; zone whose clock is shown where the form has %z.
    Raises: ValueError for a form with other directives, which may be a stranger's.
    """
    if strange := set(re.findall(r"%[-^:]?.?", form)) - _KNOWN:
        raise ValueError(f"{form!r} is not a form of dates: {min(strange)} means nothing")
    coded = moments.dictionary_encode()
    bare, offset = split_offset(form)
    clock, behind = coded.dictionary.cast(pa.timestamp("us")), pa.scalar(offset)
    if offset.endswith("z"):
        clock, minutes = _on_clock(clock, zone or "UTC")
        behind = _offset_texts(minutes, offset)
    elif offset not in ("", "Z"):
        clock = pc.add(clock, pa.scalar(_minutes(offset) * 60_000_000, pa.duration("us")))
    unit = {0: "s", 3: "ms"}.get(digits if "%f" in bare else 0, "us")
    written = re.sub("%-", f"{_MARK}%", bare).replace("%S.%f", "%S").replace("%^", "%").replace("%P", "%p")
    texts = pc.strftime(clock.cast(pa.timestamp(unit), safe=False), format=written)
    if _MARK in written:
        texts = pc.replace_substring_regex(texts, f"{_MARK}0?", "")
    if "%^" in bare:
        texts = pc.utf8_upper(texts)
    if "%P" in bare:
        texts = pc.replace_substring(pc.replace_substring(texts, "AM", "am"), "PM", "pm")
    return (pc.binary_join_element_wise(texts, behind, "") if offset else texts).take(coded.indices)


def _minutes(offset: str) -> int:
    digits = re.sub("[^0-9]", "", offset)
    return int(f"{offset.strip()[0]}1") * (60 * int(digits[:2]) + int(digits[2:]))


def _on_clock(moments: pa.Array, zone: str) -> tuple[pa.Array, np.ndarray]:
    """Return what a zone's clock shows at moments (N,), and its offsets in minutes (N,)."""
    utc = pd.DatetimeIndex(moments.to_numpy(zero_copy_only=False)).tz_localize("UTC")
    local = utc.tz_convert(zone).tz_localize(None)
    minutes = (local - utc.tz_localize(None)) // pd.Timedelta(minutes=1)
    return pa.array(local.to_numpy(), from_pandas=True).cast(pa.timestamp("us")), np.nan_to_num(minutes.to_numpy())


def _offset_texts(minutes: np.ndarray, form: str) -> pa.Array:
    colon, blank = ":" if ":" in form else "", " " if form[0] == " " else ""
    known = {
        each: f"{blank}{'-' if each < 0 else '+'}{abs(int(each)) // 60:02d}{colon}{abs(int(each)) % 60:02d}"
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
    found = pc.struct_field(pc.extract_regex(texts, r"(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2})$"), "offset").to_pylist()
    seconds = moments.cast(pa.timestamp("s"), safe=False).cast(pa.int64()).to_pylist()
    known = {offset: 0 if offset == "Z" else _minutes(offset) for offset in set(found) if offset}
    pairs = zip(seconds, found, strict=True)
    return frozenset((at, known[offset]) for at, offset in pairs if offset and at is not None)
