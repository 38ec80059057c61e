"""What can be told by its form alone, anywhere in a text: e-mails, numbers with check digits, addresses of machines.

A number that could be anything is left alone unless a word before it says what it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from ganforge.privacy.anonymise.checksums import IBAN_LENGTH, SCHEMES, compact, is_card, is_iban, scheme_of


class Span(NamedTuple):
    """A place in a text, and the kind of what stands there."""

    first: int
    last: int  # behind it
    kind: str


_YEAR = r"(?P<year>(?:19|20)\d\d)"
DATES = tuple(
    re.compile(rf"(?<!\d){form}(?!\d)")
    for form in (
        _YEAR + r"(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})",
        r"(?P<day>\d{1,2})(?P<sep>[-/. ])\s?(?P<month>\d{1,2})(?P=sep)\s?(?P<year>(?:19|20)?\d\d)",
        _YEAR + r"(?P<month>0[1-9]|1[0-2])(?P<day>[0-2]\d|3[01])",
        r"(?P<day>\d{1,2})(?:st|nd|rd|th|[.º])?\s+(?:de\s+)?[^\W\d_]{3,10}\.?,?\s+(?:de\s+)?" + _YEAR,
        r"[^\W\d_]{3,10}\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+" + _YEAR,
    )
)
"""The usual forms of a day; which of two numbers is the month does not matter here."""

EMAIL = re.compile(r"(?<![\w.+%'-])[\w+%][\w.+%'-]{0,63}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w@])")
_URL = re.compile(r"(?:https?://|www\.|(?<![\w.@])(?=[a-z]+\.(?:com|net|me)/))[^\s<>\"'|\\^`{}]{4,2000}", re.IGNORECASE)
_PERSONAL = (
    re.compile(r"//(?P<part>[^/@\s:]+(?::[^/@\s]*)?)@"),
    re.compile(
        r"[?&;](?:user(?:name)?|user_?id|uid|login|e?mail|name|(?:first|last|full)_?name|customer(?:_?id)?|account|"
        r"phone|"
        r"tel|token|session(?:_?id)?|patient(?:_?id)?)=(?P<part>[^&#;\s]+)", re.IGNORECASE,
    ),
    re.compile(r"/(?:in|users?|profiles?|people|members?|u)/(?P<part>[^/?#\s]+)", re.IGNORECASE),
    re.compile(r"/[~@](?P<part>[^/?#\s]+)"),
    re.compile(
        r"(?:twitter|x|facebook|instagram|github|tiktok|threads|pinterest|snapchat|xing|t)\.(?:com|net|me)/"
        r"(?!(?:share|intent|search|hashtag|login|home|watch|explore|about|settings|orgs|topics|i)\b)"
        r"(?P<part>[\w.-]{2,})", re.IGNORECASE,
    ),
)  # fmt: skip
_IBAN = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]{2})\d{2}")
_MAC = re.compile(
    r"(?<![0-9A-Za-z:-])(?:[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}|"
    r"(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4})"
    r"(?![0-9A-Za-z:-])"
)
_IP4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\w)")
_IP6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_VERSION = re.compile(
    r"(?:\bv|\bversion|\bver|\brelease|\bbuild|\bfirmware|§|\bsection|\bchapter)[\s.:]*$", re.IGNORECASE
)
_CARD = re.compile(r"(?<![\w.,-])\d(?:[ -]?\d){12,18}(?![\w-]|[.,]\d)")
_WRITTEN = re.compile("|".join(rf"(?<![\w.+-])(?:{one.written})(?![\w-]|\.\d)" for one in SCHEMES if one.written))
_NATIONAL = re.compile(
    r"(?<!\w)(?:ssn|social security|national (?:id|insurance|identity)|nhs|nino|bsn|burgerservicenummer|pesel|cpf|"
    r"dni|nie|"
    r"nif|codice fiscale|steuer-?(?:id|identifikationsnummer)|tax (?:id|reference)|ahv|avs|insee|"
    r"s[ée]curit[ée] sociale|"
    r"personnummer|sozialversicherungsnummer|passport|reisepass|passeport|pasaporte|passaporto)"
    r"(?:[\s:#.]|\b(?:no|nr|number|nummer|is|was|lautet|num[ée]ro)\b){0,6}"
    r"(?P<part>[A-Z0-9](?:[ ./-]?[A-Z0-9]){7,17})(?!\w)",
    re.IGNORECASE,
)
_EXTENSION = r"(?: ?(?:x|ext\.?) ?\d{1,6})?(?!\w|-\d)"
_PHONES = (  # (form, fewest and most digits)
    (re.compile(r"(?<![\w+])\+[1-9]\d{0,2}(?:[ .\-/]?\(?\d{1,9}\)?){1,7}" + _EXTENSION), 8, 19),
    (re.compile(r"(?<![\w+./-])00[1-9]\d{0,2}(?:[ .\-/]\(?\d{1,9}\)?){1,7}" + _EXTENSION), 10, 21),
    (re.compile(r"(?<![\w.,:/-])(?:\(0\d{1,4}\) ?|0\d{1,4}[ /.-])\d{2,8}(?:[ .-]\d{2,8}){0,4}(?!\w|[.,:/-]\d)"), 9, 12),
    (re.compile(r"(?<![\w.-])(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}(?=([-.])\d{3}\1))[-. ]?[2-9]\d{2}[-.]\d{4}"
                + _EXTENSION), 10, 15),
    (re.compile(r"(?<![\w.,-])(?:[6789]\d{2} \d{2} \d{2} \d{2}|[89]\d \d{3} \d{2} \d{2}|3[2-9]\d ?\d{3} \d{4}|"
                r"3[2-9]\d \d{7})"
                r"(?! ?\d|\w)"), 9, 10),
    (re.compile(
        r"(?<!\w)(?:tel(?:e?fono?|ephone|éfono|éphone)?|phone|mobile?|handy(?:nummer)?|cell(?:ulare)?|fax|call|"
        r"whatsapp|sms|"
        r"rufnummer|m[óo]vil|portable|ring)(?:[\s.:#]|\b(?:no|nr|number|us|me|at|is|on|unter)\b){1,6}"
        r"(?P<part>[+(]?\d[\d ()./-]{4,18}\d)(?!\w|[.,]\d)", re.IGNORECASE), 6, 15),
)  # fmt: skip
_THOUSANDS = re.compile(r"\d{1,3}(?:([., ])\d{3})(?:\1\d{3})*|\+\d{1,3}(?:([.,])\d{3})(?:\2\d{3})*")
_BORN = re.compile(
    r"(?<!\w)(?:born|dob|date of birth|birth ?(?:day|date)|geb(?:oren)?\.?|geburtsdatum|née?|date de naissance|"
    r"nacid[oa]|"
    r"fecha de nacimiento|nat[oa]|data di nascita)(?:[\s:,(]|\b(?:on|am|le|el|il|is|was)\b){1,5}", re.IGNORECASE,
)  # fmt: skip


def find(text: str) -> list[Span]:
    """Return what is found in a text, in its order. No two overlap: what is surest was taken first."""
    taken: list[Span] = []
    for finder in _FINDERS:
        for span in finder(text):
            if all(span.last <= one.first or span.first >= one.last for one in taken):
                taken.append(span)
    return sorted(taken)


def kind_of(value: str) -> str | None:
    """Return the kind of a text that is one piece of personal data as a whole."""
    spans = find(value)
    return spans[0].kind if len(spans) == 1 and spans[0][:2] == (0, len(value)) else None


def _emails(text: str) -> Iterator[Span]:
    if "@" in text:
        yield from (Span(*match.span(), "email") for match in EMAIL.finditer(text))


def _urls(text: str) -> Iterator[Span]:
    """Yield only those parts of addresses that speak of a person."""
    for address in _URL.finditer(text) if "/" in text else ():
        end = address.start() + len(address[0].rstrip(".,;:!?)]"))
        for form in _PERSONAL:
            for match in form.finditer(text, address.start(), end):
                yield Span(*match.span("part"), "url")


def _ibans(text: str) -> Iterator[Span]:
    for match in _IBAN.finditer(text):
        length = IBAN_LENGTH.get(match[1].upper(), 0)
        whole = re.compile(rf"[A-Z0-9](?:[ -]?[A-Z0-9]){{{max(length - 1, 0)}}}(?![A-Z0-9])", re.IGNORECASE)
        found = whole.match(text, match.start()) if length else None
        if found and is_iban(compact(found[0])):
            yield Span(*found.span(), "iban")


def _machines(text: str) -> Iterator[Span]:
    if ":" in text or "-" in text or "." in text:
        for match in _MAC.finditer(text):
            if len(set(compact(match[0].replace(":", "")))) > 1:
                yield Span(*match.span(), "mac")
        for match in (*_IP4.finditer(text), *_IP6.finditer(text)):
            if _is_somebodys(match[0]) and not _VERSION.search(text, 0, match.start()):
                yield Span(*match.span(), "ip")


def _is_somebodys(address: str) -> bool:
    """Return whether an address is one, and not that of every machine, of none or of a mask."""
    try:
        found: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    return not (found.is_loopback or found.is_unspecified or found.is_multicast or address.startswith(("0.", "255.")))


def _national(text: str) -> Iterator[Span]:
    for match in _NATIONAL.finditer(text):
        part = match["part"]
        if any(map(str.isdigit, part)):
            ends = [
                end for end in range(len(part), 7, -1) if part[end - 1].isalnum() and not part[end : end + 1].isalnum()
            ]
            fitting = next((part[:end] for end in ends if scheme_of(part[:end])), None)
            if fitting:
                yield Span(match.start("part"), match.start("part") + len(fitting), "national-id")
    for match in _WRITTEN.finditer(text):
        if scheme_of(match[0]):
            yield Span(*match.span(), "national-id")


def _cards(text: str) -> Iterator[Span]:
    for match in _CARD.finditer(text):
        if is_card(compact(match[0])):
            yield Span(*match.span(), "card")


def _phones(text: str) -> Iterator[Span]:
    for form, fewest, most in _PHONES:
        for match in form.finditer(text):
            first, last = match.span("part" if "part" in form.groupindex else 0)
            number = text[first:last].rstrip(" (./-")
            count = sum(map(str.isdecimal, number))
            if (
                fewest <= count <= most
                and not _THOUSANDS.fullmatch(number)
                and not any(form.fullmatch(number) for form in DATES)
            ):
                yield Span(first, first + len(number), "phone")


def _births(text: str) -> Iterator[Span]:
    for word in _BORN.finditer(text):
        found = next((match for form in DATES if (match := form.match(text, word.end()))), None)
        if found:
            yield Span(*found.span(), "birth")


def is_date(text: str) -> bool:
    """Return whether a text begins with a day, in one of the usual forms."""
    return any(form.match(text.strip()) for form in DATES)


_FINDERS: tuple[Callable[[str], Iterator[Span]], ...] = (
    _emails, _urls, _ibans, _machines, _births, _cards, _national, _phones,
)  # fmt: skip
