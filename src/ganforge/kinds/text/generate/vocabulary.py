"""The units of a language model: those of units.py, where one unit stands for every rare word or sign that bytes spell.

A model that spells rare words byte by byte invents words that do not exist. So they are read as UNKNOWN, which is never
drawn. Subwords spell everything and are left as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from ganforge.core.sequences import Ids
from ganforge.kinds.text.units import BYTES, FIRST, Units

UNKNOWN = 3
BLANK = BYTES + ord(" ")
GONE = FIRST - UNKNOWN - 1  # how much lower a unit's number is here


@dataclass(frozen=True)
class Vocabulary(Units):
    """A vocabulary without bytes."""

    @classmethod
    def of(cls, units: Units) -> Self:
        """Return the vocabulary of given units."""
        return cls(units.name, units.pieces, units.merges)

    @property
    def closed(self) -> bool:
        """Whether UNKNOWN stands for what has no unit."""
        return self.name != "subwords"

    @property
    def size(self) -> int:
        """Number of units V."""
        return super().size - GONE if self.closed else super().size

    @cached_property
    def digest(self) -> str:
        """What identifies it."""
        return hashlib.sha256(f"closed {super().digest}".encode()).hexdigest() if self.closed else super().digest

    @property
    def banned(self) -> tuple[int, ...]:
        """Units that are never drawn."""
        return (UNKNOWN,) if self.closed else ()

    @property
    def most(self) -> int:
        """Return how many units the n-grams of a discriminator have at most."""
        return {"words": 3, "subwords": 4, "characters": 6}[self.name]

    def encoded(self, texts: Iterable[str]) -> Iterator[Ids]:
        """Yield the units of each text, without beginning and end."""
        for ids in super().encoded(texts):
            yield self._closed(ids) if self.closed else ids

    def _closed(self, ids: Ids) -> Ids:
        spelled = ids < FIRST
        if not spelled.any():
            return ids - GONE
        if self.name == "words":  # each has a blank before it, but after a word in the same bytes
            begins = spelled & ((ids == BLANK) | ~np.r_[False, spelled[:-1]])
        else:
            begins = spelled & ((ids - BYTES) & 0xC0 != 0x80)  # not a byte that continues a sign
        return np.asarray(np.where(spelled, UNKNOWN, ids - GONE)[begins | ~spelled], np.int32)

    def text_of(self, ids: Ids, prompt: str = "") -> str:
        """Return the text of units that were drawn. Args: prompt the text before them."""
        units = ids.astype(np.int64)
        if self.closed:
            units = units[units != UNKNOWN] + GONE
        if not prompt:
            return self.decode(units.tolist())
        return prompt + b"".join(self.spelled[unit] for unit in units.tolist()).decode("utf-8", "replace")


def known(texts: Iterable[Ids]) -> list[Ids]:
    """Return the texts without UNKNOWN: only these can be compared with drawn ones."""
    return [text for text in texts if not (text == UNKNOWN).any()]
