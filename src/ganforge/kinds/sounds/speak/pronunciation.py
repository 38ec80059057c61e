# ruff: noqa: RUF001 - signs of IPA look like letters
"""Pronouncing dictionaries: words as the sounds that they are made of, so that a voice need not learn their spelling.

A dictionary is a text file with a word and its phonemes in each line, as CMUdict and the dictionaries of the Montreal
Forced Aligner are. Phonemes are those of ARPABET, or any signs of IPA; here each becomes the letters of IPA.
"""

from __future__ import annotations

import re
from pathlib import Path

from ganforge.errors import DataError
from ganforge.kinds.sounds.speak.text import read_text, spelled

SUFFIX = ".dict"
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
