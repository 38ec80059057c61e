"""Texts: files of any encoding, one spelling for what is written in several ways, and the signs that a voice knows."""

from __future__ import annotations

import codecs
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ganforge.errors import DataError

FEWEST_TIMES = 5  # that a sign must be heard to be learned
PAD, EDGE, FIRST = 0, 1, 2  # ids: filling; the silence around a sentence; the first sign's
ALIKE = str.maketrans("\u2018\u2019\u02bc\u201c\u201d\u201e\u00ab\u00bb\u2013\u2014", "'" * 3 + '"' * 5 + "-" * 2)
"""Quotes and dashes of print, as they are typed."""
MARKS = {  # at the beginning of a file -> its encoding; the longer ones first
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
FALLBACK = "cp1252"  # of a file without a mark that is not UTF-8


def read_text(path: Path) -> tuple[str, str]:
    """Return the text of a file and its encoding: that of its mark, else UTF-8, else FALLBACK.

    Raises: DataError if it cannot be read, or holds zero bytes, which no text does.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror}.", "A text was expected there.") from error
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text, encoding = content.decode(FALLBACK, errors="replace"), FALLBACK
    if "\0" in text:
        raise DataError(f"{str(path)!r} is not a text.", "It holds zero bytes.", "Give a text file in UTF-8.")
    return text, encoding


def spelled(text: str) -> str:
    """Return a text in small letters, accents after their letters, with one spelling of quotes, dashes and spaces."""
    plain = unicodedata.normalize("NFKD", text.lower()).translate(ALIKE)
    return " ".join("".join(sign for sign in plain if sign.isspace() or sign.isprintable()).split())


@dataclass(frozen=True, slots=True)
class Alphabet:
    """The signs that a voice has learned, in order; the id of a sign is its place + FIRST."""

    signs: str

    @classmethod
    def of(cls, texts: Iterable[str]) -> Alphabet:
        """Return the signs that occur at least FEWEST_TIMES in texts as `spelled` gives them."""
        counts = Counter(sign for text in texts for sign in text)
        return cls("".join(sorted(sign for sign, count in counts.items() if count >= FEWEST_TIMES)))

    def __len__(self) -> int:
        return FIRST + len(self.signs)

    @property
    def letters(self) -> frozenset[int]:
        """Return the ids of signs that are said: letters, digits and accents, not spaces or points."""
        said = (unicodedata.category(sign)[0] in "LMN" for sign in self.signs)
        return frozenset(FIRST + place for place, is_said in enumerate(said) if is_said)

    def ids(self, text: str) -> list[int]:
        """Return the ids of a text, with an edge at both ends. Unknown signs are left out."""
        places = {sign: FIRST + place for place, sign in enumerate(self.signs)}
        return [EDGE, *(places[sign] for sign in self.known(text)), EDGE]

    def known(self, text: str) -> str:
        """Return a text without the signs that are unknown, `spelled`."""
        return spelled("".join(sign for sign in spelled(text) if sign in self.signs))

    def unknown(self, text: str) -> list[str]:
        """Return the signs of a text that the voice has not learned, each once, in order."""
        return list(dict.fromkeys(sign for sign in spelled(text) if sign not in self.signs))


def named(signs: Iterable[str]) -> str:
    """Return signs for a sentence: '7', '€' and 'ŋ'; a mark that needs a letter by its name."""
    return ", ".join(
        unicodedata.name(sign, repr(sign)).lower() if unicodedata.combining(sign) else repr(sign) for sign in signs
    )
