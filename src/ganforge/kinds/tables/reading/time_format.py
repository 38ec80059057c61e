"""The form of a column's times of day, or lengths of time, in a text. `parse_times` and `write_times` are inverses.

A form is written with directives like those of strftime: `%-H:%M:%S` (hours may go on beyond 23), `%-I:%M %p`,
`%-D days %H:%M:%S`. Parts in brackets are left out where they are zero: `[%-Hh ][%-Mm]` is 2h 30m, and 2h.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ganforge.kinds.tables.columns import Column

DAY, HOUR, MINUTE, SECOND = 86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000  # microseconds
_LONGEST = 9  # digits of a number of days, hours, minutes or seconds


@dataclass(frozen=True, slots=True)
class TimeForm:
    """One way to write a time."""

    regex: str  # with groups d, h, m, s, f (digits of a second), n (a minus sign), p (am or pm)
    write: Callable[[int, int], str]  # from microseconds and digits of a second
    length: bool = False  # of lengths of time; else of times of day, if none is beyond 24 hours


def _clock(hours: str, seconds: bool, mark: str = ":", plus: str = "", end: str = "") -> TimeForm:
    regex = rf"(?P<n>-{'|[+]' if plus else '?'})(?P<h>{'[0-9]{2,9}' if hours == '02' else '[1-9][0-9]{1,8}|[0-9]'})"
    regex += rf"{mark}(?P<m>[0-5][0-9])"
    regex += r":(?P<s>[0-5][0-9])(?:\.(?P<f>[0-9]{1,6}))?" if seconds else ""
    regex += end

    def write(time: int, digits: int) -> str:
        sign, left = ("-", -time) if time < 0 else (plus, time)
        text = f"{sign}{left // HOUR:{hours}d}{mark}{left % HOUR // MINUTE:02d}"
        return f"{text}:{_seconds(left % MINUTE, digits)}{end}" if seconds else f"{text}{end}"

    return TimeForm(regex, write, length=seconds and not hours)


def _halves(hours: str, seconds: bool, gap: str, halves: tuple[str, str], *, minutes: bool = True) -> TimeForm:
    regex = rf"(?P<h>{'0[1-9]|1[0-2]' if hours == '02' else '1[0-2]|[1-9]'})"
    regex += ":(?P<m>[0-5][0-9])" if minutes else ""
    regex += ":(?P<s>[0-5][0-9])" if seconds else ""
    regex += f"{gap}(?P<p>{'|'.join(map(re.escape, halves))})"

    def write(time: int, digits: int) -> str:
        hour = time // HOUR % 24
        text = f"{(hour + 11) % 12 + 1:{hours}d}" + (f":{time % HOUR // MINUTE:02d}" if minutes else "")
        text += f":{time % MINUTE // SECOND:02d}" if seconds else ""
        return f"{text}{gap}{halves[hour >= 12]}"

    return TimeForm(regex, write)


def _of_days(between: str, hours: str, always: bool) -> TimeForm:
    """`2 days 03:04:05` as pandas writes it, `2 days, 3:04:05` as Python does; of a negative one the days alone are."""
    days = rf"(?P<d>-?[0-9]{{1,{_LONGEST}}}) days?{between}"
    clock = r"\+?(?P<h>[0-9]{1,2}):(?P<m>[0-5][0-9]):(?P<s>[0-5][0-9])(?:\.(?P<f>[0-9]{1,9}))?"

    def write(time: int, digits: int) -> str:
        whole, left = divmod(time, DAY)
        word = "day" if not always and abs(whole) == 1 else "days"
        plus = "+" if always and whole < 0 else ""
        text = f"{plus}{left // HOUR:{hours}d}:{left % HOUR // MINUTE:02d}:{_seconds(left % MINUTE, digits)}"
        return f"{whole} {word}{between}{text}" if always or whole else text

    return TimeForm(f"{days}{clock}" if always else f"(?:{days})?{clock}", write, length=True)


def _in_words(
    words: Sequence[tuple[str, str]], gap: str, *, days: bool = False, always: bool = False, padded: bool = False
) -> TimeForm:
    """Args: words of days, hours, minutes, seconds, of one and of many; gap between two parts; days: counted apart from
    hours; always: hours and minutes, and nothing else, are written even where they are zero; padded: all but the first
    part have two digits."""
    sized = list(zip("dhms", words, (DAY, HOUR, MINUTE, SECOND), strict=True))
    sized = sized[1:3] if always else sized[0 if days else 1 :]
    parts = []
    for name, (one, many), _ in sized:
        word = f"{re.escape(many)}{'?' if many == one + 's' else ''}"
        part = rf"(?P<{name}>[0-9]{{1,9}}){word}"
        parts.append(part if always else f"(?:{part})?")

    def write(time: int, digits: int) -> str:
        left, texts = abs(time), list[str]()
        for _, (one, many), size in sized:
            count, left = divmod(left, size)
            number = f"{count:02d}" if padded and texts else str(count)
            texts += [f"{number}{one if count == 1 else many}"] if count or always or (padded and texts) else []
        return ("-" if time < 0 else "") + (gap.join(texts) or f"0{words[2][1]}")

    return TimeForm(rf"(?P<n>-?){f'{gap}?'.join(parts)}", write, length=True)


def _iso(days: bool, always: bool) -> TimeForm:
    """ISO 8601: P1DT2H30M. Args: days: counted apart from hours; always: zeros are written as well, as pandas does."""
    names = {name: rf"(?P<{name}>[0-9]{{1,9}})" for name in "dhms"}
    names["s"] += r"(?:\.(?P<f>[0-9]{1,9}))?"
    parts = [f"{regex}{name.upper()}" if always else f"(?:{regex}{name.upper()})?" for name, regex in names.items()]
    clock = "".join(parts[1:])
    regex = rf"(?P<n>-?)P{parts[0] if days else ''}" + (f"T{clock}" if always else f"(?:T{clock})?")

    def write(time: int, digits: int) -> str:
        whole, left = divmod(abs(time), DAY) if days else (0, abs(time))
        counts = {"H": left // HOUR, "M": left % HOUR // MINUTE}
        text = "".join(f"{count}{name}" for name, count in counts.items() if count or always)
        if left % MINUTE or always:
            text += f"{_seconds(left % MINUTE, digits, '')}S"
        text = (f"{whole}D" if whole or always else "") + (f"T{text}" if text else "")
        return f"{'-' if time < 0 else ''}P{text or 'T0S'}"

    return TimeForm(regex, write, length=True)


def _iso_seconds() -> TimeForm:
    """Seconds alone as in ISO 8601: PT7265S."""

    def write(time: int, digits: int) -> str:
        return f"{'-' if time < 0 else ''}PT{_seconds(abs(time), digits, '')}S"

    return TimeForm(r"(?P<n>-?)PT(?P<s>[0-9]{1,9})(?:\.(?P<f>[0-9]{1,9}))?S", write, length=True)


def _lap(minutes: str) -> TimeForm:
    """Minutes and seconds of a race: 1:23.4. Args: minutes: "02" for 01:23.4."""
    regex = rf"(?P<n>-?)(?P<m>{'[0-9]{2,9}' if minutes else '[1-9][0-9]{1,8}|[0-9]'}):(?P<s>[0-5][0-9])"
    regex += r"\.(?P<f>[0-9]{1,6})"

    def write(time: int, digits: int) -> str:
        left = abs(time)
        return f"{'-' if time < 0 else ''}{left // MINUTE:{minutes}d}:{_seconds(left % MINUTE, digits)}"

    return TimeForm(regex, write, length=True)


def _seconds(time: int, digits: int, width: str = "02") -> str:
    whole = f"{time // SECOND:{width}d}"
    return f"{whole}.{f'{time % SECOND:06d}'[:digits]}" if digits else whole


def _bracketed(words: Sequence[tuple[str, str]], days: bool, gap: str) -> str:
    *first, last = [f"{directive}{many}" for directive, (_, many) in zip(_DIRECTIVES, words, strict=True)]
    return "".join(f"[{part}{gap}]" for part in first[0 if days else 1 :]) + f"[{last}]"


_HALVES = (
    ("%p", ("AM", "PM")), ("%P", ("am", "pm")), ("%P.", ("a.m.", "p.m.")), ("%p.", ("A.M.", "P.M.")),
)  # fmt: skip
_DIRECTIVES = ("%-D", "%-H", "%-M", "%-S")
_WORDS = (
    (("d", "d"), ("h", "h"), ("m", "m"), ("s", "s")),
    (("d", "d"), ("h", "h"), ("min", "min"), ("s", "s")),
    ((" d", " d"), (" h", " h"), (" min", " min"), (" s", " s")),
    ((" day", " days"), (" hr", " hrs"), (" min", " mins"), (" sec", " secs")),
    ((" day", " days"), (" hour", " hours"), (" minute", " minutes"), (" second", " seconds")),
)
FORMS: dict[str, TimeForm] = {
    "%H:%M": _clock("02", seconds=False),
    "%H:%M:%S": _clock("02", seconds=True),
    "%-H:%M": _clock("", seconds=False),
    "%-H:%M:%S": _clock("", seconds=True),
    **{
        f"{directive}:%M{':%S' if seconds else ''}{gap}{half}": _halves(hours, seconds, gap, halves)
        for directive, hours in (("%I", "02"), ("%-I", ""))
        for seconds in (False, True)
        for gap in (" ", "")
        for half, halves in _HALVES
    },
    **{
        f"%-I{gap}{half}": _halves("", False, gap, halves, minutes=False)
        for gap in (" ", "")
        for half, halves in _HALVES
    },
    "%-D days %H:%M:%S": _of_days(" ", "02", always=True),
    "[%-D days, ]%-H:%M:%S": _of_days(", ", "", always=False),
    "PT[%-HH][%-MM][%-SS]": _iso(days=False, always=False),
    "P[%-DD]T[%-HH][%-MM][%-SS]": _iso(days=True, always=False),
    "P%-DDT%-HH%-MM%-SS": _iso(days=True, always=True),
    "PT%-SS": _iso_seconds(),
    "%-M:%S": _lap(""),
    "%M:%S": _lap("02"),
    "%-Hh%M": _clock("", seconds=False, mark="h"),
    "%Hh%M": _clock("02", seconds=False, mark="h"),
    "+%H:%M": _clock("02", seconds=False, plus="+"),
    "+%-H:%M": _clock("", seconds=False, plus="+"),
    **{f"%{pad}H:%M Uhr": _clock(hours, seconds=False, end=" Uhr") for pad, hours in (("", "02"), ("-", ""))},
    **{
        _bracketed(words, days, gap): _in_words(words, gap, days=days)
        for words in _WORDS
        for days in (False, True)
        for gap in (" ", "")
    },
    **{f"%-H{w[1][1]}{gap}%-M{w[2][1]}": _in_words(w, gap, always=True) for w in _WORDS for gap in (" ", "")},
    **{
        _bracketed(words, days, gap).replace("%-M", "%M").replace("%-S", "%S"): _in_words(
            words, gap, days=days, padded=True
        )
        for words in _WORDS[:3]
        for days in (False, True)
        for gap in (" ", "")
    },
}
_REGEXES = {form: re.compile(known.regex) for form, known in FORMS.items()}


def time_forms(text: str) -> list[str]:
    """Return the forms that a text has."""
    return [form for form, regex in _REGEXES.items() if regex.fullmatch(text)] if re.search("[0-9]", text) else []


def time_form(column: Column) -> str:
    """Return the form of a column's times: as found, else as pandas writes them, to the column's resolution."""
    if column.format:
        return column.format
    form = "%H:%M:%S" if column.kind == "time" else "%-D days %H:%M:%S"
    return form + {"ms": ".%3f", "us": ".%6f"}.get(column.resolution or "s", "")


def parse_times(texts: pa.Array, form: str) -> pa.Array:
    """Read texts (N,) as int64 microseconds, null where missing or not of this form; each distinct one once.

    Args: form of FORMS, perhaps with the digits of a second that are written, such as %-H:%M:%S.%3f.
    Raises: ValueError for another form.
    """
    known, _ = _known(form)
    coded = texts.dictionary_encode()
    groups = dict.fromkeys(re.findall(r"\?P<(\w)>", known.regex))
    words = coded.dictionary.cast(pa.string())
    parts = pc.extract_regex(words, f"^(?:{known.regex})$")
    there = pc.and_(parts.is_valid(), pc.match_substring_regex(words, "[0-9]"))
    total = pa.scalar(0, pa.int64())
    for name, size in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND)):
        if name in groups:
            count = _counts(pc.struct_field(parts, name))
            if name == "h" and "p" in groups:
                afternoon = pc.match_substring_regex(pc.struct_field(parts, "p"), "^[pP]")
                count = pc.if_else(pc.equal(count, 12), 0, count)
                count = pc.if_else(afternoon, pc.add(count, 12), count)
            total = pc.add(total, pc.multiply(count, pa.scalar(size, pa.int64())))
    if "f" in groups:
        digits = pc.utf8_slice_codeunits(pc.utf8_rpad(pc.struct_field(parts, "f"), 6, "0"), 0, 6)
        total = pc.add(total, _counts(digits))
    if "n" in groups:
        total = pc.if_else(pc.equal(pc.struct_field(parts, "n"), "-"), pc.negate(total), total)
    return pc.if_else(there, total, pa.scalar(None, pa.int64())).take(coded.indices)


def write_times(times: pa.Array, form: str) -> pa.Array:
    """Format int64 microseconds (N,), each distinct one once. Args, raises: as `parse_times`."""
    known, digits = _known(form)
    coded = times.dictionary_encode()
    texts = [None if time is None else known.write(time, digits) for time in coded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(coded.indices)


def restored(texts: Sequence[str], form: str) -> int:
    """Return how many texts come back to the letter."""
    given = pa.array(texts, pa.string())
    return int(pc.sum(pc.equal(write_times(parse_times(given, form), form), given)).as_py() or 0)


def is_length(form: str) -> bool:
    """Return whether a form is that of lengths of time only."""
    return _known(form)[0].length


def _known(form: str) -> tuple[TimeForm, int]:
    found = re.fullmatch(r"(.*?)(?:\.%([1-6])f)?", form, re.DOTALL)
    if found is None or found[1] not in FORMS:
        raise ValueError(f"{form!r} is not a form of times such as %H:%M")
    return FORMS[found[1]], int(found[2] or 0)


def _counts(texts: pa.Array) -> pa.Array:
    return pc.fill_null(pc.if_else(pc.equal(texts, ""), "0", texts), "0").cast(pa.int64())
