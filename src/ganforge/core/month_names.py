"""Names of months and quarters that strftime does not write: of other languages, or in other letters.

A form of dates begins with the key of its names in brackets: `[de]%-d. %B %Y` is 29. Juni 2024, `[quarter]%Y%B` 2024Q2.
"""

from __future__ import annotations

import re
from calendar import month_abbr, month_name
from functools import cache

ENGLISH = tuple(month_name)[1:]
_SHORT = tuple(month_abbr)[1:]
NAMES: dict[str, tuple[str, ...]] = {
    "en-sept": tuple("Sept" if name == "Sep" else name for name in _SHORT),
    "en-dots": tuple(name if name == "May" else f"{name}." for name in _SHORT),
    "en-lower": tuple(name.lower() for name in _SHORT),
    "en-long-lower": tuple(name.lower() for name in ENGLISH),
    "en-long-upper": tuple(name.upper() for name in ENGLISH),
    **{
        key: tuple(names.split())
        for key, names in {
            "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
            "de-at": "Jänner Februar März April Mai Juni Juli August September Oktober November Dezember",
            "de-short": "Jan Feb Mrz Apr Mai Jun Jul Aug Sep Okt Nov Dez",
            "de-short-a": "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
            "de-dots": "Jan. Feb. März Apr. Mai Juni Juli Aug. Sep. Okt. Nov. Dez.",
            "de-dots-t": "Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.",
            "de-all-dots": "Jan. Feb. Mär. Apr. Mai. Jun. Jul. Aug. Sep. Okt. Nov. Dez.",
            "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
            "fr-dots": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
            "fr-short": "janv févr mars avr mai juin juil août sept oct nov déc",
            "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
            "es-short": "ene feb mar abr may jun jul ago sep oct nov dic",
            "es-sept": "ene feb mar abr may jun jul ago sept oct nov dic",
            "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
            "it-short": "gen feb mar apr mag giu lug ago set ott nov dic",
            "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
            "pt-short": "jan fev mar abr mai jun jul ago set out nov dez",
            "nl": "januari februari maart april mei juni juli augustus september oktober november december",
            "nl-short": "jan feb mrt apr mei jun jul aug sep okt nov dec",
            "sv": "januari februari mars april maj juni juli augusti september oktober november december",
            "da": "januar februar marts april maj juni juli august september oktober november december",
            "no": "januar februar mars april mai juni juli august september oktober november desember",
            "pl": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
            "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
        }.items()
    },
    "quarter": tuple(f"Q{month // 3 + 1}" for month in range(12)),
    "quarter-first": tuple(f"{month // 3 + 1}Q" for month in range(12)),
}
_KEY = re.compile(r"\[([a-z-]+)\](?=.*%B)")


def split_names(form: str) -> tuple[str, str]:
    """Return the key of a form's names, "" for the usual ones, and the form without it. Raises: ValueError."""
    found = _KEY.match(form)
    if found is None:
        return "", form
    if found[1] not in NAMES:
        raise ValueError(f"{form!r} is not a form of dates: there are no names {found[1]!r}")
    return found[1], form[found.end() :]


def in_english(text: str, key: str) -> str:
    """Return a text with English names of months; "" where it has none of these names. A quarter is its first month."""
    regex, months = _reader(key)
    english, count = regex.subn(lambda found: months[found[0]], text)
    return english if count == 1 else ""


def from_english(text: str, key: str) -> str:
    """Return a text with these names in the place of English ones."""
    names = dict(zip(ENGLISH, NAMES[key], strict=True))
    return _ENGLISH.sub(lambda found: names[found[0]], text)


def shapes_in_english(shape: str) -> list[tuple[str, str]]:
    """Return the keys of names that a shape has, a text with a 9 for each digit, each with the shape in English."""
    if not _ANY.search(shape):
        return []
    quarters = {"quarter": re.sub("Q9(?!9)", "Q1", shape), "quarter-first": re.sub("(?<!9)9Q", "1Q", shape)}
    found = [(key, in_english(quarters.get(key, shape), key)) for key in NAMES]
    return [(key, english) for key, english in found if english]


@cache
def _reader(key: str) -> tuple[re.Pattern[str], dict[str, str]]:
    months = dict(reversed([*zip(NAMES[key], ENGLISH, strict=True)]))
    longest = sorted(months, key=len, reverse=True)
    return re.compile(rf"(?<![^\W\d_])(?:{'|'.join(map(re.escape, longest))})(?![^\W\d_])"), months


_ENGLISH = re.compile("|".join(ENGLISH))
_ANY = re.compile("|".join(sorted({re.escape(re.sub("[0-9]", "9", n)) for names in NAMES.values() for n in names})))
