"""Two texts, opened for a translator: what each line is learned from, and what judges.

Shape letters here: N examples, L units of a row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ganforge.core.cache import kept_or_filled
from ganforge.core.device import torch_threads
from ganforge.core.model_files import DESCRIPTION, built, write_model_files
from ganforge.core.seeds import subset
from ganforge.core.sequences import Ids
from ganforge.engine.feed import ArrayFeed
from ganforge.errors import DataError, RecipeError
from ganforge.kinds.text.dictionary.corpus import HELD_OUT, Corpus, open_corpus
from ganforge.kinds.text.dictionary.model import Described, Dictionary
from ganforge.kinds.text.dictionary.product import description, found
from ganforge.kinds.text.feed import TOKENS, choose_length
from ganforge.kinds.text.units import Units, choose_units
from ganforge.networks.language_model import padded

VERSION = 1  # of dictionaries in the cache
MOST_LINES = 200_000  # of a language, that are learned from
MOST_JUDGED = 1_000  # lines of a language, or pairs of lines, that are held out
FEWEST = 100  # of them that are learned from
MOST_UNITS = 60  # of a line that is learned from; longer ones are left out
MOST_PIECES = 4_000  # units besides the bytes
OTHER_UNITS = "both languages write in them, whatever is written: bytes spell what is rare"


@dataclass(frozen=True)
class TwoTexts:
    """Two texts. The lines of `held` are never learned from; of texts in pairs those at one place are a pair."""

    corpus: Corpus
    pairs: bool  # lines are learned from the lines that they are translations of
    train: tuple[Sequence[str], Sequence[str]]  # of each language; of pairs at the same places
    held: tuple[Sequence[str], Sequence[str]]
    units: Units
    why: str  # units, and their number, in words
    seed: int

    @property
    def names(self) -> tuple[str, str]:
        one, other = self.corpus.languages
        return one.name, other.name

    @cached_property
    def dictionary(self) -> Dictionary:
        """The dictionary of the words, found without an adversary, and kept in the cache."""
        with threadpool_limits(1), torch_threads(1):  # their number decides the order of sums
            return _dictionary(self.corpus, self.seed)

    def feed(self, device: str) -> ArrayFeed:
        """Return rows (N, 2, L): what a line is learned from, and the line. Labels are the languages of the lines."""
        lines = [self.units.encode_all(own) for own in self.train]
        sources = [lines[1], lines[0]] if self.pairs else [self._by_words(side) for side in (0, 1)]
        most = 2 + max(choose_length(_lengths(own), MOST_UNITS)[0] - 2 for own in lines)
        rows, labels = list[NDArray[np.int64]](), list[int]()
        for side in (0, 1):
            kept = [
                (source, line) for source, line in zip(sources[side], lines[side], strict=True)
                if 0 < len(source) <= most - 2 and 0 < len(line) <= most - 2
            ]  # fmt: skip
            if len(kept) < FEWEST:
                raise DataError(
                    f"{len(kept)} lines of {self.names[side]!r} can be learned from.",
                    f"At least {FEWEST} are needed, none of them of more than {MOST_UNITS} units.",
                    "Give more, or find the words alone with --task dictionary.",
                )
            labels += [side] * len(kept)
            both = [padded([*part, np.zeros(most - 2, np.int32)])[:-1].numpy() for part in zip(*kept, strict=True)]
            rows.append(np.stack(both, axis=1))
        narrow = np.int16 if self.units.size <= 2**15 else np.int32
        return ArrayFeed(np.concatenate(rows).astype(narrow), np.array(labels), device, form=TOKENS)

    def _by_words(self, side: int) -> list[Ids]:
        """Return the lines of a language in the other one, word by word."""
        return self.units.encode_all(self.dictionary.line(line, side) for line in self.train[side])


def open_two_texts(
    source: str, label: str | None, options: Mapping[str, Any], pairs: bool | None, seed: int
) -> TwoTexts:
    """Read two texts. Raises: DataError, RecipeError.

    Args: pairs whether lines are learned from those of their number; None for where they are translations of them.
    """
    corpus = open_corpus(source, label, options.get("text"), options.get("seeds"))
    if pairs and corpus.beside is None:
        raise RecipeError(
            "translate.pairs is true, and the lines of the two texts are not translations of each other.",
            "Lines with one number are, if both texts have the same number, and long ones stand beside long ones.",
            "Leave it out, or mend the texts.",
        )
    if pairs is None:
        pairs = corpus.beside is not None
    train, held = _in_pairs(corpus) if pairs else _apart(corpus)
    units, why = choose_units([*train[0], *train[1]], options.get("unit") or "subwords", MOST_PIECES)
    why = f"{units.name}: {OTHER_UNITS if options.get('unit') is None else why}"
    passport = {**corpus.passport, "train": len(train[0]) + len(train[1]), "held_out": len(held[0]) + len(held[1])}
    return TwoTexts(replace(corpus, passport=passport), pairs, train, held, units, why, seed)


def _in_pairs(corpus: Corpus) -> tuple[tuple[list[str], list[str]], tuple[list[str], list[str]]]:
    """Return pairs to learn from, and pairs that are held out, of lines that do not stand among the former."""
    assert corpus.beside is not None
    one, other = (side.at(places) for side, places in zip(corpus.sides, corpus.beside, strict=True))
    held = np.arange(len(one)) % HELD_OUT == 0  # as the dictionary holds out
    held &= np.cumsum(held) <= MOST_JUDGED
    seen = [np.isin(side.digests, side.digests[held]) for side in (one, other)]
    kept = np.flatnonzero(~(seen[0] | seen[1]))
    kept = np.sort(kept[subset(len(kept), MOST_LINES, "translate/lines")])
    return (list(one.at(kept)), list(other.at(kept))), (list(one.at(held)), list(other.at(held)))


def _apart(corpus: Corpus) -> tuple[tuple[list[str], list[str]], tuple[list[str], list[str]]]:
    """Return lines of each language to learn from, and lines that are held out."""
    train, held = [], []
    for side in corpus.sides:
        first = np.unique(side.digests, return_index=True)[1]
        chosen = np.sort(first)
        order = subset(len(chosen), len(chosen), "translate/lines")
        count = min(MOST_JUDGED, len(chosen) // HELD_OUT)
        held.append(list(side.at(chosen[np.sort(order[:count])])))
        train.append(list(side.at(chosen[np.sort(order[count : count + MOST_LINES])])))
    return (train[0], train[1]), (held[0], held[1])


def _dictionary(corpus: Corpus, seed: int) -> Dictionary:
    known = {name: pairs.tolist() for name, pairs in corpus.known.items()}
    words = json.dumps([VERSION, corpus.sha256, seed, known])

    def fill(folder: Path) -> None:
        stored = found(corpus, (), seed)
        write_model_files(folder, stored, description(corpus, stored).content())

    folder = kept_or_filled("dictionaries", words, fill)
    described = Described.model_validate_json((folder / DESCRIPTION).read_text("utf-8"))
    return described.opened(built(folder, described.stored))


def _lengths(texts: Sequence[Ids]) -> NDArray[np.int64]:
    return np.array([len(text) for text in texts])
