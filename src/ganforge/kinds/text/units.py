"""Units of text: characters, words, or byte-level subwords, all of them lossless.

Every unit is a piece of UTF-8. 0 is padding, 1 the beginning and 2 the end of an example; 3 to 258 are the 256 bytes,
which spell what has no unit of its own; the vocabulary follows. So `decode(encode(s)) == s` for every string.

Words and subwords carry the blank before them, as in GPT-2 (Radford et al. 2019): "a man" is " a", " man". A blank is
put before the whole text and taken away again, so that a word is the same unit at the beginning and inside.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from ganforge.core.seeds import subset
from ganforge.core.sequences import BEGIN, END, PAD

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Name = Literal["characters", "words", "subwords"]
NAMES: tuple[Name, ...] = get_args(Name)
BYTES = 3  # the unit of the byte 0
FIRST = BYTES + 256  # unit of the vocabulary
MOST_PIECES = 1_000_000  # of a model file, which may come from anybody
MOST_BYTES = 1000  # of a subword

SEEN = 3  # times a word is seen to be a unit
SEEN_TWICE = 2  # times a character is
READ = 200_000  # lines, drawn at random, that the choice and the vocabulary are made from
BLANKS = 0.5  # share of lines with a blank inside, from which on there are words
WORDS_A_LINE = 3.0
COVERED = 0.85  # share of running words that have a unit of their own
LARGE = 1_000_000  # characters from which on subwords can be learned

_PUNCTUATION = (
    r"!-/:-@\[-`{-~\u00a1-\u00bf\u00d7\u00f7\u2000-\u200b\u200e-\u2bff\u3000-\u303f\uff00-\uff0f\uff1a-\uff20"
)
_WORD = re.compile(  # a word may hold an apostrophe or a hyphen; marks that combine are part of it
    rf" ?[^\s{_PUNCTUATION}]+(?:['\u2019-][^\s{_PUNCTUATION}]+)*| ?[{_PUNCTUATION}](?:(?<=[.!?-])[.!?-]+)?|\s+(?!\S)|\s"
)


def split_words(text: str) -> list[str]:
    """Split a text into words, signs, each with the blank before it, and other white space; "".join undoes it."""
    return _WORD.findall(text)


@dataclass(frozen=True)
class Units:
    """A vocabulary, and how text is written in it."""

    name: Name
    pieces: tuple[str, ...] = ()  # of characters and words: what has a unit of its own
    merges: tuple[
        tuple[int, int], ...
    ] = ()  # of subwords: pairs of units that are one, in order (Sennrich et al. 2016)
    pad: int = field(default=PAD, init=False)
    begin: int = field(default=BEGIN, init=False)
    end: int = field(default=END, init=False)

    @cached_property
    def spelled(self) -> tuple[bytes, ...]:
        """The UTF-8 of each unit; of padding, beginning and end it is empty. Raises: ValueError for invalid merges."""
        made = [b"", b"", b"", *(bytes([value]) for value in range(256)), *(piece.encode() for piece in self.pieces)]
        for left, right in self.merges:
            if not all(type(unit) is int and BYTES <= unit < len(made) for unit in (left, right)):
                raise ValueError("its subwords do not build on each other")
            made.append(made[left] + made[right])
            if len(made[-1]) > MOST_BYTES:
                raise ValueError("a subword is too long")
        return tuple(made)

    @property
    def size(self) -> int:
        """Number of units V: ids are in 0..V-1."""
        return FIRST + len(self.pieces) + len(self.merges)

    @cached_property
    def digest(self) -> str:
        """The sha256 of the vocabulary."""
        return hashlib.sha256(json.dumps(self.content()).encode()).hexdigest()

    @cached_property
    def _unit_of(self) -> dict[str, int]:
        return {piece: unit for unit, piece in enumerate(self.pieces, FIRST)}

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return _tokenizer_of(self.spelled, self.merges)

    @cached_property
    def _units_of(self) -> Callable[[str], tuple[int, ...]]:
        """(piece) -> its units; those of frequent pieces are kept."""

        def look_up(piece: str) -> tuple[int, ...]:
            if piece in self._unit_of:
                return (self._unit_of[piece],)
            piece = _clean(piece)
            if self.name == "subwords":
                return tuple(BYTES + unit for unit in self._tokenizer.encode(piece).ids)
            return tuple(BYTES + value for value in piece.encode())

        return lru_cache(maxsize=2**16)(look_up)

    def split(self, text: str) -> Iterable[str]:
        """Split a text into characters, or into words and signs: what has units of its own."""
        return text if self.name == "characters" else split_words(" " + text)

    def encode(self, text: str) -> list[int]:
        """Return the units of a text, without beginning and end. A lone surrogate becomes U+FFFD."""
        return list(chain.from_iterable(map(self._units_of, self.split(text))))

    def encoded(self, texts: Iterable[str]) -> Iterator[NDArray[np.int32]]:
        """Yield the units of each text, without beginning and end."""
        return (np.array(self.encode(text), np.int32) for text in texts)

    def encode_all(self, texts: Iterable[str]) -> list[NDArray[np.int32]]:
        """Return the units of each text, without beginning and end."""
        return list(self.encoded(texts))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of units; padding, beginning and end are silent, and bytes that are not UTF-8 become U+FFFD.

        Raises: IndexError for a unit that does not exist.
        """
        text = b"".join(self.spelled[unit] for unit in np.asarray(ids).tolist()).decode("utf-8", "replace")
        return text if self.name == "characters" else text.removeprefix(" ")

    def content(self) -> dict[str, Any]:
        """Return plain JSON for a model file."""
        if self.name == "subwords":
            return {"name": self.name, "merges": [list(pair) for pair in self.merges]}
        return {"name": self.name, "pieces": list(self.pieces)}

    @classmethod
    def of_content(cls, content: Mapping[str, Any]) -> Self:
        """Read what `content` gave. Raises: ValueError if it is not a vocabulary."""
        name = content.get("name")
        given = content.get("merges" if name == "subwords" else "pieces")
        if name not in NAMES or not isinstance(given, list) or len(given) > MOST_PIECES:
            raise ValueError("its units are not a vocabulary")
        if name == "subwords":
            if not all(isinstance(pair, list) and len(pair) == 2 for pair in given):
                raise ValueError("its subwords are not pairs of units")
            units = cls(name, merges=tuple((left, right) for left, right in given))
        else:
            if not all(isinstance(piece, str) and piece and _clean(piece) == piece for piece in given):
                raise ValueError("a unit is not a text")
            if name == "characters" and any(len(piece) > 1 for piece in given):
                raise ValueError("a unit is not one character")
            units = cls(name, pieces=tuple(given))
        if len(set(units.spelled[FIRST:])) < len(given):
            raise ValueError("a unit is there twice")
        return units


def _clean(text: str) -> str:
    """Return a text without lone surrogates, which UTF-8 cannot write."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# ---- byte-level subwords ---------------------------------------------------------------------------------------------


def _shown_bytes() -> list[str]:
    """Return the sign by which the package tokenizers writes each byte: GPT-2's table of printable characters."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    other = iter(range(256, 512))
    return [chr(value) if value in printable else chr(next(other)) for value in range(256)]


SHOWN = _shown_bytes()


def _tokenizer_of(spelled: Sequence[bytes], merges: Iterable[tuple[int, int]]) -> Tokenizer:
    """Make the tokenizer of given merges. Its ids are ours less BYTES: no text spells padding, beginning or end."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    signs = ["".join(SHOWN[value] for value in piece) for piece in spelled]
    vocabulary = {sign: unit for unit, sign in enumerate(signs[BYTES:])}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[(signs[left], signs[right]) for left, right in merges]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return made


def learn_subwords(lines: Iterable[str], most: int) -> Units:
    """Learn byte-pair encoding (Sennrich et al. 2016), the same with any number of threads. Args: most subwords."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=256 + most, min_frequency=SEEN, initial_alphabet=SHOWN, show_progress=False
    )
    learner.train_from_iterator((_clean(" " + line) for line in lines), trainer)
    unit_of = {sign: BYTES + value for value, sign in enumerate(SHOWN)}
    merges: list[tuple[int, int]] = []
    for left, right in json.loads(learner.to_str())["model"]["merges"]:
        if left + right not in unit_of:
            merges.append((unit_of[left], unit_of[right]))
            unit_of[left + right] = FIRST + len(merges) - 1
    return Units("subwords", merges=tuple(merges))


# ---- the choice ------------------------------------------------------------------------------------------------------


def choose_units(lines: Sequence[str], pinned: str | None = None, most: int = 8_000) -> tuple[Units, str]:
    """Choose units for training lines, and learn their vocabulary.

    Args: pinned the person's choice of a name; most units besides the bytes. Returns: the units, and why these.
    """
    read = sorted(subset(len(lines), READ, "text/units").tolist())
    if pinned == "subwords":
        return learn_subwords((lines[place] for place in read), most), "you asked for it"
    words: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    with_blanks = 0
    for place in read:
        line = lines[place]
        words.update(split_words(" " + line))
        characters.update(line)
        with_blanks += " " in line.strip()
    by_word = Units("words", pieces=_frequent(words, SEEN, most))
    by_character = Units("characters", pieces=_frequent(characters, SEEN_TWICE, most))
    if pinned is not None:
        return {"words": by_word, "characters": by_character}[pinned], "you asked for it"
    running, count = words.total(), max(1, len(read))
    covered = sum(words[piece] for piece in by_word.pieces) / max(1, running)
    if with_blanks < BLANKS * count or running < WORDS_A_LINE * count:
        few = "there are hardly any blanks between words" if with_blanks < BLANKS * count else "a line is a word or two"
        return by_character, f"{few}: {len(by_character.pieces):,} different ones, and bytes for rare ones"
    seen = (
        f"{covered:.0%} of the running words are among the {len(by_word.pieces):,} that are seen {SEEN} times or more"
    )
    if covered >= COVERED:
        return by_word, f"{seen}; bytes spell the others"
    if characters.total() * len(lines) / count >= LARGE:
        return learn_subwords(
            (lines[place] for place in read), most
        ), f"only {seen}: pieces of words are seen more often"
    return by_character, f"only {seen}, and the text is too short for subwords"


def _frequent(counts: Counter[str], least: int, most: int) -> tuple[str, ...]:
    """Return what is counted at least so often, the most frequent first, then in the order of characters."""
    often = sorted((-count, piece) for piece, count in counts.items() if count >= least)
    return tuple(piece for _, piece in often[:most])
