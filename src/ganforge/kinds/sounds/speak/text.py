# ruff: noqa: RUF001 - signs of IPA look like letters
"""Texts: files of any encoding, one spelling for what is written in several ways, pronunciations, and alphabets."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ganforge.core.text_file import read_text
from ganforge.errors import DataError

FEWEST_TIMES = 5  # that a sign must be heard to be learned
PAD, EDGE, FIRST = 0, 1, 2  # ids: filling; the silence around a sentence; the first sign's
ALIKE = str.maketrans("\u2018\u2019\u02bc\u201c\u201d\u201e\u00ab\u00bb\u2013\u2014", "'" * 3 + '"' * 5 + "-" * 2)
"""Quotes and dashes of print, as they are typed."""
WORD = re.compile(r"[^\s\-.,;:!?\"()\[\]/…]+")
Pronunciations = Mapping[str, str]  # word, as `spelled` gives it -> letters of IPA


def spelled(text: str) -> str:
    """Return a text in small letters, accents after their letters, with one spelling of quotes, dashes and spaces."""
    plain = unicodedata.normalize("NFKD", text).lower().translate(ALIKE)
    return " ".join("".join(sign for sign in plain if sign.isspace() or sign.isprintable()).split())


def as_spelled(signs: str) -> str:
    """Return the signs of an alphabet. Raises: ValueError unless each is there once, as texts have it when spelled."""
    if len(set(signs)) < len(signs) or any(spelled(sign) != sign for sign in signs if sign != " "):
        raise ValueError("Signs are small letters, accents by themselves and the like, each of them once")
    return signs


def is_said(sign: str) -> bool:
    """Return whether a sign is a letter, a digit or an accent, not a space or a point."""
    return unicodedata.category(sign)[0] in "LMN"


def read(text: str, words: Pronunciations) -> str:
    """Return a text in signs: the sounds of each word that is known, and others as they are `spelled`."""
    return WORD.sub(lambda found: words.get(found[0]) or words.get(found[0].strip("'"), found[0]), spelled(text))


def not_known(text: str, words: Pronunciations) -> list[str]:
    """Return the words of a text that have letters and are not in a dictionary, each once, in order."""
    said = (word for word in WORD.findall(spelled(text)) if any(sign.isalpha() for sign in word))
    return list(dict.fromkeys(word for word in said if word not in words and word.strip("'") not in words))


@dataclass(frozen=True, slots=True)
class Alphabet:
    """The signs that a voice has learned, in order; the id of a sign is its place + FIRST."""

    signs: str
    words: Pronunciations = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, texts: Iterable[str], words: Pronunciations, fewest: int = FEWEST_TIMES) -> Alphabet:
        """Return the signs that occur often enough in texts."""
        counts = Counter(sign for text in texts for sign in read(text, words))
        return cls("".join(sorted(sign for sign, count in counts.items() if count >= fewest)), words)

    def __len__(self) -> int:
        return FIRST + len(self.signs)

    @property
    def letters(self) -> frozenset[int]:
        """Return the ids of signs that are said."""
        return frozenset(FIRST + place for place, sign in enumerate(self.signs) if is_said(sign))

    def ids(self, text: str) -> list[int]:
        """Return the ids of a text, with an edge at both ends. Unknown signs are left out."""
        places = {sign: FIRST + place for place, sign in enumerate(self.signs)}
        return [EDGE, *(places[sign] for sign in self.known(text)), EDGE]

    def known(self, text: str) -> str:
        """Return what is read of a text, without the signs that are unknown."""
        return " ".join("".join(sign for sign in read(text, self.words) if sign in self.signs).split())

    def unknown(self, text: str) -> list[str]:
        """Return the signs of a text that the voice has not learned, each once, in order."""
        return list(dict.fromkeys(sign for sign in read(text, self.words) if sign not in self.signs))


def named(signs: Iterable[str]) -> str:
    """Return signs for a sentence: '7', '€' and 'ŋ'; a mark that needs a letter by its name."""
    return ", ".join(
        unicodedata.name(sign, repr(sign)).lower() if unicodedata.combining(sign) else repr(sign) for sign in signs
    )


# ---- pronouncing dictionaries ----------------------------------------------------------------------------------------

SUFFIX = ".dict"  # of a file with a word and its phonemes in each line: ARPABET as in CMUdict, or any signs of IPA
ARPABET = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AH0": "ə", "AO": "ɔ", "AW": "aʊ", "AX": "ə", "AY": "aɪ", "B": "b", "CH": "tʃ",
    "D": "d", "DH": "ð", "EH": "ɛ", "ER": "ɝ", "EY": "eɪ", "F": "f", "G": "g", "HH": "h", "IH": "ɪ", "IY": "i",
    "JH": "dʒ", "K": "k", "L": "l", "M": "m", "N": "n", "NG": "ŋ", "OW": "oʊ", "OY": "ɔɪ", "P": "p", "R": "r",
    "S": "s", "SH": "ʃ", "T": "t", "TH": "θ", "UH": "ʊ", "UW": "u", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
"""Phonemes of English -> IPA, without stress, but for the vowel of AH0."""
VARIANT = re.compile(r"\(\d+\)$")  # of a word's second pronunciation
NUMBER = re.compile(r"\d*\.\d+")  # a probability, between a word and its phonemes


def find_dictionary(folder: Path) -> Path | None:
    """Return the dictionary of a folder. Raises: DataError if there are several."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() == SUFFIX)
    if len(found) > 1:
        names = ", ".join(path.name for path in found[:3])
        raise DataError(f"{str(folder)!r} holds {len(found)} dictionaries: {names}.", "One is used.", "Keep one.")
    return found[0] if found else None


def read_dictionary(path: Path) -> dict[str, str]:
    """Read the first pronunciation of each word. Raises: DataError if a line is none, or there is none at all."""
    words: dict[str, str] = {}
    for number, line in enumerate(read_text(path)[0].splitlines(), 1):
        if not line.strip() or line.startswith((";;;", "#")):
            continue
        word, *phonemes = line.partition(" #")[0].split()
        sounds = "".join(_letters(one) for one in phonemes if not NUMBER.fullmatch(one))
        if not sounds:
            raise DataError(
                f"Line {number} of {path.name} has no phonemes: {line.strip()[:60]!r}.",
                "A word and its phonemes were expected, such as: water W AO1 T ER0",
                "Mend the line, or take it out.",
            )
        if not VARIANT.search(word):
            words.setdefault(spelled(word), sounds)
    if not words:
        raise DataError(f"{str(path)!r} holds no words.", "It was taken for a pronouncing dictionary.", "Take it out.")
    return words


def _letters(phoneme: str) -> str:
    plain = phoneme.rstrip("012")
    found = ARPABET.get(phoneme) or ARPABET.get(plain) or spelled(plain).replace(" ", "")
    return found.replace("ɡ", "g")  # one sign, so that words which are spelled have it too
