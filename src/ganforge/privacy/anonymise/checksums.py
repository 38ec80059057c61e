"""Numbers with check digits: cards, IBANs, and national identity numbers of several countries.

Everything here takes a compact number: without blanks, dots, dashes or slashes, and in capital letters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from string import ascii_uppercase, digits

COMPACT = re.compile(r"[\s./-]+")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_IBAN_LENGTHS = {
    22: "DE GB IE BG BH CR GE ME RS", 27: "FR IT GR MR SM MC", 24: "ES CZ SK SE PK RO SA TN AD MD VG", 18: "NL DK FI",
    21: "CH LI HR LV", 20: "AT EE BA KZ LT LU XK", 16: "BE", 25: "PT", 28: "PL HU CY AL AZ DO GT LB", 15: "NO",
    26: "IS TR", 31: "MT", 19: "MK SI", 29: "BR UA QA", 23: "IL AE GI TL",
}  # fmt: skip
IBAN_LENGTH = {country: length for length, countries in _IBAN_LENGTHS.items() for country in countries.split()}
_CARDS = (  # (first digits, lengths) of the issuers
    (re.compile(r"4"), (13, 16, 19)), (re.compile(r"5[1-5]|2(2[2-9]|[3-6]|7[01]|720)"), (16,)),
    (re.compile(r"3[47]"), (15,)), (re.compile(r"6011|65|64[4-9]"), (16, 19)), (re.compile(r"3(0[0-5]|6|8|9)"), (14,
    16)),
    (re.compile(r"35(2[89]|[3-8])"), (16,)), (re.compile(r"62"), (16, 17, 18, 19)),
)  # fmt: skip


def compact(text: str) -> str:
    """Return a number without what groups its signs."""
    return COMPACT.sub("", text).upper()


def luhn(number: str) -> bool:
    """Return whether the last digit is the check digit of Luhn (ISO/IEC 7812-1)."""
    doubled = (sum(divmod(2 * int(sign), 10)) for sign in number[-2::-2])
    return (sum(doubled) + sum(map(int, number[-1::-2]))) % 10 == 0


def is_card(number: str) -> bool:
    """Return whether it has an issuer's first digits and length, and its check digit."""
    issued = any(len(number) in lengths and begin.match(number) for begin, lengths in _CARDS)
    return issued and number.isdecimal() and len(set(number)) > 1 and luhn(number)


def iban_check(number: str) -> str:
    """Return the two check digits of an IBAN (ISO 13616, ISO 7064 MOD 97-10), whatever stands in their place."""
    value = int("".join(str(int(sign, 36)) for sign in number[4:] + number[:2] + "00"))
    return f"{98 - value % 97:02d}"


def is_iban(number: str) -> bool:
    """Return whether it has a country's length and the right check digits."""
    fits = _IBAN.fullmatch(number) and IBAN_LENGTH.get(number[:2]) == len(number)
    return bool(fits) and iban_check(number) == number[2:4]


# ---- national identity numbers ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scheme:
    """A kind of national number.

    `form` is the compact one; `check` the places of the check signs, and `signs` what may stand there. `written` is how
    it looks in a text where it can be told from other numbers without a word that says what it is.
    """

    name: str
    form: re.Pattern[str]
    valid: Callable[[str], bool]
    check: tuple[int, ...]
    signs: str
    written: str | None
    begin: str  # of every number


def _weighted(number: str, weights: Sequence[int]) -> int:
    return sum(int(sign) * weight for sign, weight in zip(number, weights, strict=False))


def _is_day(month: str, day: str) -> bool:
    return 1 <= int(month) <= 12 and 1 <= int(day) <= 31


def _dni(number: str) -> bool:
    value = number[:-1].translate(str.maketrans("XYZ", "012"))
    return number[-1] == "TRWAGMYFPDXBNJZSQVHLCKE"[int(value) % 23]


_ODD = dict(zip(digits + ascii_uppercase, (
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10,
    22, 25, 24, 23), strict=True))  # fmt: skip


def _codice_fiscale(number: str) -> bool:
    even = sum(int(sign) if sign.isdecimal() else ord(sign) - 65 for sign in number[1:15:2])
    days = int(number[9:11])
    fits = 1 <= days <= 31 or 41 <= days <= 71
    return fits and number[15] == ascii_uppercase[(sum(_ODD[sign] for sign in number[0:15:2]) + even) % 26]


def _insee(number: str) -> bool:
    body = number[:13].replace("2A", "19").replace("2B", "18")
    return 1 <= int(number[3:5]) <= 12 and 97 - int(body) % 97 == int(number[13:])


def _steuer_id(number: str) -> bool:
    """ISO 7064 MOD 11,10; one digit stands two or three times among the first ten."""
    most = max(number[:10].count(sign) for sign in digits)
    product = 10
    for sign in number[:10]:
        product = ((int(sign) + product) % 10 or 10) * 2 % 11
    return most in (2, 3) and len(set(number[:10])) in (8, 9) and (11 - product) % 10 == int(number[10])


def _ean(number: str) -> bool:
    return -_weighted(number[:12], [1, 3] * 6) % 10 == int(number[12])


def _nhs(number: str) -> bool:
    return len(set(number)) > 1 and 11 - _weighted(number[:9], range(10, 1, -1)) % 11 in (
        int(number[9]), int(number[9]) + 11,
    )  # fmt: skip


def _bsn(number: str) -> bool:
    return len(set(number)) > 1 and (_weighted(number[:8], range(9, 1, -1)) - int(number[8])) % 11 == 0


def _pesel(number: str) -> bool:
    month = int(number[2:4]) % 20
    day = _is_day(str(month), number[4:6])
    return day and -_weighted(number[:10], (1, 3, 7, 9) * 3) % 10 == int(number[10])


def _personnummer(number: str) -> bool:
    return _is_day(number[-8:-6], number[-6:-4]) and luhn(number[-10:])


def _cpf(number: str) -> bool:
    checks = [_weighted(number[:n], range(n + 1, 1, -1)) * 10 % 11 % 10 for n in (9, 10)]
    return len(set(number)) > 1 and checks == [int(number[9]), int(number[10])]


def _ssn(number: str) -> bool:
    return number[:3] not in ("000", "666") and number[0] != "9" and number[3:5] != "00" and number[5:] != "0000"


def _scheme(name: str, form: str, valid: Callable[[str], bool], check: tuple[int, ...], written: str = "") -> Scheme:
    signs = ascii_uppercase if form.endswith("[A-Z]") else digits
    return Scheme(name, re.compile(form), valid, check, signs, written or None, "756" if form.startswith("756") else "")


SCHEMES = (
    _scheme("Spanish DNI or NIE", r"[XYZ0-9][0-9]{7}[A-Z]", _dni, (8,), r"(?:[XYZ]-?[0-9]|[0-9]{2})[0-9]{6}-?[A-Z]"),
    _scheme("Italian codice fiscale", r"[A-Z]{6}[0-9]{2}[ABCDEHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]", _codice_fiscale,
            (15,), r"[A-Z]{6}[0-9]{2}[ABCDEHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]"),
    _scheme("French INSEE number", r"[1-4][0-9]{4}(?:[0-9]{2}|2[AB])[0-9]{8}", _insee, (13, 14),
            r"[1-4] ?[0-9]{2} ?[0-9]{2} ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}"),
    _scheme("Swiss AHV number", r"756[0-9]{10}", _ean, (12,), r"756\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}"),
    _scheme("German Steuer-ID", r"[1-9][0-9]{10}", _steuer_id, (10,), r"[0-9]{2} [0-9]{3} [0-9]{3} [0-9]{3}"),
    _scheme("Brazilian CPF", r"[0-9]{11}", _cpf, (9, 10), r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"),
    _scheme("Polish PESEL", r"[0-9]{11}", _pesel, (10,)),
    _scheme("British NHS number", r"[0-9]{10}", _nhs, (9,), r"[0-9]{3} [0-9]{3} [0-9]{4}"),
    _scheme("Swedish personnummer", r"(?:19|20)?[0-9]{10}", _personnummer, (-1,), r"(?:19|20)?[0-9]{6}-[0-9]{4}"),
    _scheme("Dutch BSN", r"[0-9]{9}", _bsn, (8,), r"[0-9]{4}\.[0-9]{2}\.[0-9]{3}"),
    _scheme("US SSN", r"[0-9]{9}", _ssn, (), r"[0-9]{3}-[0-9]{2}-[0-9]{4}"),
    _scheme("British NINO", r"[ABCEGHJ-PRSTW-Z][ABCEGHJ-NPRSTW-Z][0-9]{6}[A-D]", lambda number: True, (),
            r"[A-Z]{2} [0-9]{2} [0-9]{2} [0-9]{2} [A-D]"),
)  # fmt: skip
"""Where several fit, the first is meant: those that are hardest to meet by chance stand first."""


def scheme_of(text: str) -> Scheme | None:
    """Return the scheme of a number in any form. For a text whose surroundings say that it is a national number."""
    number = compact(text)
    return next((one for one in SCHEMES if one.form.fullmatch(number) and one.valid(number)), None)
