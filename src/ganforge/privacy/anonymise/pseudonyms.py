"""Pseudonyms: what stands in the place of a value, the same for the same value as long as the key is the same.

Numbers and codes are permuted among all of their shape (a digit stays a digit, a capital letter one, leading zeros and
punctuation stay) by a Feistel network whose rounds are HMAC-SHA256, so that two values never get the same pseudonym
(format-preserving encryption, as in NIST SP 800-38G, with cycle walking). Others are written from an HMAC.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import product
from string import ascii_lowercase, ascii_uppercase, digits

from ganforge.privacy.anonymise.checksums import Scheme, compact, iban_check, is_card, is_iban, luhn, scheme_of
from ganforge.privacy.anonymise.names import PARTICLES
from ganforge.privacy.anonymise.patterns import DATES

ROUNDS = 10
MOST_WALKS = 10_000  # of a number until its pseudonym is valid too: one in 20 or more is
_BASE32 = "abcdefghijkmnpqrstuvwxyz23456789"
_ALPHABETS = (digits, ascii_uppercase, ascii_lowercase)
_TITLES = re.compile(r"(?:mr|mrs|ms|dr|prof|herr|frau|mme|don|sig|sra?)\.?", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_SYLLABLES = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]


class Pseudonyms:
    """The pseudonyms of one key. Args: key: bytes that nobody else has."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._make: dict[str, Callable[[str], str]] = {
            "name": self._name, "email": self._email, "phone": self._phone, "iban": self._iban, "card": self._card,
            "national-id": self._national, "ip": self._ip, "mac": self._mac, "birth": self._birth,
            "street": self._street, "place": self._place,
        }  # fmt: skip
        self.of = lru_cache(maxsize=1_000_000)(self._of)

    def _of(self, kind: str, text: str) -> str:
        """Return the pseudonym of a value. Args: kind as in session.KINDS; text as it was found."""
        make = self._make.get(kind)
        return make(text) if make else self._code(kind, text)

    def label(self, what: str) -> str:
        """Return ten letters and digits that stand for a text of any form."""
        number = self._number(f"label {what}", 32**10)
        return "".join(_BASE32[number >> 5 * place & 31] for place in range(10))

    # ---- what all are made of ----------------------------------------------------------------------------------------

    def _number(self, what: str, size: int) -> int:
        """Return a number in 0..size-1 that depends on `what`."""
        return int.from_bytes(hmac.digest(self._key, what.encode("utf-8", "surrogatepass"), "sha256")) % size

    def _permuted(self, tweak: str, value: int, size: int) -> int:
        """Return another number of 0..size-1: every one is the pseudonym of one other, and none of itself."""
        if size < 2:
            return value
        turn = 1 + self._number(f"turn {tweak} {size}", size - 1)
        return self._walked(tweak, (self._walked(tweak, value, size, 1) + turn) % size, size, -1)

    def _walked(self, tweak: str, value: int, size: int, way: int) -> int:
        """Encrypt (way 1) or decrypt (-1) a number of 0..size-1: again and again until the result is one of them."""
        half = ((size - 1).bit_length() + 1) // 2
        mask = (1 << half) - 1
        while True:
            left, right = value >> half, value & mask
            for turn in range(ROUNDS)[::way]:
                if way == 1:
                    left, right = right, left ^ self._number(f"{tweak} {size} {turn} {right}", 1 << half)
                else:
                    left, right = right ^ self._number(f"{tweak} {size} {turn} {left}", 1 << half), left
            value = left << half | right
            if value < size:
                return value

    def _code(self, tweak: str, text: str) -> str:
        """Return another text of the same shape."""
        zeros = next((place for place, sign in enumerate(text) if sign in "123456789" or sign.isalpha()), len(text))
        alphabets = [next((one for one in _ALPHABETS if sign in one), "") for sign in text]
        alphabets[:zeros] = [""] * zeros
        if zeros < len(text) and text[zeros] in digits:
            alphabets[zeros] = digits[1:]
        value, size = 0, 1
        for sign, alphabet in zip(text, alphabets, strict=True):
            if alphabet:
                value, size = value * len(alphabet) + alphabet.index(sign), size * len(alphabet)
        value = self._permuted(f"{tweak} {_shape(text)}", value, size)
        made = []
        for sign, alphabet in reversed([*zip(text, alphabets, strict=True)]):
            if alphabet:
                value, place = divmod(value, len(alphabet))
                made.append(alphabet[place])
            elif sign.isalpha() and not sign.isascii():
                made.append(self._case(ascii_lowercase[self._number(f"{tweak} {text} {len(made)}", 26)], sign))
            else:
                made.append(sign)
        return "".join(reversed(made))

    @staticmethod
    def _case(made: str, like: str) -> str:
        return made.upper() if like.isupper() else made.capitalize() if like[:1].isupper() else made

    def _with_signs(self, text: str, made: str) -> str:
        """Return a text with other letters and digits in the places of its own."""
        signs: Iterator[str] = iter(made)
        return "".join(next(signs) if sign.isalnum() else sign for sign in text)

    # ---- the kinds ---------------------------------------------------------------------------------------------------

    def _word(self, word: str) -> str:
        """Return a made-up word for one of a name."""
        known = word.casefold()
        if len(word) == 1:
            return self._code("initial", word)
        parts = [_SYLLABLES[self._number(f"name {place} {known}", len(_SYLLABLES))] for place in range(3)]
        end = ("", "n", "r", "s", "l")[self._number(f"name end {known}", 5)]
        made = "".join(parts) + end
        return made.upper() if word.isupper() else made.capitalize() if word[0].isupper() else made

    def _name(self, text: str) -> str:
        def other(match: re.Match[str]) -> str:
            word = match[0]
            kept = _TITLES.fullmatch(word) or (word.islower() and word in PARTICLES)
            return word if kept else self._word(word)

        return _WORD.sub(other, text)

    def _email(self, text: str) -> str:
        return f"user-{self.label(f'email {text.casefold()}')}@example.org"

    def _phone(self, text: str) -> str:
        """Keep the country's prefix and the zero before an area."""
        country = re.match(
            r"\s*(?:\+|00)\s*(?:1(?!\d{11})|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})", text
        )
        kept = country[0] if country and sum(map(str.isdigit, text)) > 8 else ""
        rest = text[len(kept) :]
        signs = iter(self._code("phone", "".join(sign for sign in rest if sign.isdecimal())))
        return kept + "".join(next(signs) if sign.isdecimal() else sign for sign in rest)

    def _iban(self, text: str) -> str:
        number = compact(text)
        if not is_iban(number):
            return self._code("iban", text)
        made = number[:2] + "00" + self._code(f"iban {number[:2]}", number[4:])
        made = made[:2] + iban_check(made) + made[4:]
        return self._with_signs(text, made.lower() if text.islower() else made)

    def _card(self, text: str) -> str:
        """Keep the first digit, as that of the kind of card."""
        number = compact(text)
        if not is_card(number):
            return self._code("card", text)
        size, made = 10 ** (len(number) - 2), number
        for _ in range(MOST_WALKS):
            middle = self._permuted(f"card {number[0]} {size}", int(made[1:-1]), size)
            made = f"{number[0]}{middle:0{len(number) - 2}d}"
            made += next(sign for sign in digits if luhn(made + sign))
            if is_card(made):
                return self._with_signs(text, made)
        return self._code("card", text)

    def _national(self, text: str) -> str:
        scheme = scheme_of(text)
        if scheme is None:
            return self._code("national-id", text)
        return self._with_signs(text, self._valid(scheme, compact(text)))

    def _valid(self, scheme: Scheme, number: str) -> str:
        """Return another valid number of a scheme: permuted until one is, its check signs put right each time."""
        places = [place % len(number) for place in scheme.check]
        begin = len(scheme.begin)
        body = "".join(sign for place, sign in enumerate(number) if place not in places)
        for _ in range(MOST_WALKS):
            body = scheme.begin + self._code(scheme.name, body[begin:])
            for checks in product(scheme.signs, repeat=len(places)):
                signs = [*body]
                for place, sign in zip(places, checks, strict=True):
                    signs.insert(place, sign)
                made = "".join(signs)
                if made != number and scheme.form.fullmatch(made) and scheme.valid(made):
                    return made
        return self._code(scheme.name, number)

    def _ip(self, text: str) -> str:
        """Return an address of those for private use (RFC 1918) or for examples (RFC 3849)."""
        if ":" in text:
            number = self._number(f"ip {text.casefold()}", 1 << 96)
            return "2001:db8:" + ":".join(f"{number >> 16 * place & 0xFFFF:x}" for place in range(6))
        number = self._number(f"ip {text}", 1 << 24)
        return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"

    def _mac(self, text: str) -> str:
        """Return an address that is locally administered, and so of no maker."""
        number = compact(text.replace(":", "")).casefold()
        made = f"02{self._number(f'mac {number}', 1 << 40):010x}"
        return self._with_signs(text, made if any(map(str.islower, text)) else made.upper())

    def _birth(self, text: str) -> str:
        """Return another day of the same year, in the same form, that may be read as day and month or month and day."""
        match = next((found for form in DATES if (found := form.search(text))), None)
        if match is None:
            return self._code("birth", text)
        parts = [name for name in ("day", "month") if name in match.re.groupindex]
        for turn in range(100):  # until it is another one
            made = text
            for name in sorted(parts, key=match.start, reverse=True):
                wide = len(match[name])
                value = 1 + self._number(f"birth {name} {turn} {match[0]}", 12 if wide > 1 else 9)
                made = f"{made[: match.start(name)]}{value:0{wide}d}{made[match.end(name) :]}"
            if made != text:
                break
        return made

    def _street(self, text: str) -> str:
        """Replace every word and every number of an address."""
        words = _WORD.sub(lambda match: match[0] if len(match[0]) < 3 else self._word(match[0]), text)
        return re.sub(r"\d+", lambda match: self._code("street", match[0]), words)

    def _place(self, text: str) -> str:
        """Return another coordinate with as many decimals. Whole degrees are replaced as well."""

        def other(match: re.Match[str]) -> str:
            decimals = len(match["decimals"] or "")
            value = self._number(f"place {match[0]}", 170 * 10**decimals + 1) - 85 * 10**decimals
            whole, part = divmod(abs(value), 10**decimals)
            return f"{'-' if value < 0 else ''}{whole}" + (f"{match['mark']}{part:0{decimals}d}" if decimals else "")

        return re.sub(r"[+-]?\d+(?:(?P<mark>[.,])(?P<decimals>\d+))?", other, text)


def _shape(text: str) -> str:
    """Return a text with 9, A and a for its digits and letters, and its leading zeros."""
    first = next((place for place, sign in enumerate(text) if sign in "123456789" or sign.isalpha()), len(text))
    kinds = ("9" if sign.isdigit() else "A" if sign.isupper() else "a" if sign.islower() else sign for sign in text)
    return text[:first] + "".join(kinds)[first:]
