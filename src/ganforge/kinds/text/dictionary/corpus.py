"""Opening of two texts: two languages, whether their lines are translations, and pairs of words that are known.

Shape letters here: N lines, V and U words of the two languages, P pairs.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import spearmanr

from ganforge.core.text_file import read_text
from ganforge.errors import DataError
from ganforge.kinds.text.dictionary.matching import Pairs
from ganforge.kinds.text.dictionary.vectors import Language, language_of, words_of
from ganforge.kinds.text.reading import Lines, open_texts

MOST_WORDS = 20_000
SHARED = 0.98  # share of the lines that both files must have to be taken for translations of each other
SHIFTS = range(1, 9)  # lines by which pairs are shifted, to see what lines that are not translations have in common
APART = 0.15  # by which the correlation of lengths must exceed that of shifted lines
HELD_OUT = 10  # one in so many pairs of lines is never learned from
LEAST_PHI, NEAR_BEST, LEAST_TOGETHER = 0.25, 0.6, 4  # of words that translate each other on aligned lines
ALIGNED, GIVEN, ALIKE = "aligned lines", "your pairs", "words written alike"  # where known pairs are from
ONE_LANGUAGE = 0.5  # share of the texts that stand in both files, from which on it is asked
FEWEST_PAIRS = 10  # of known pairs that a dictionary can begin with


@dataclass(frozen=True)
class Corpus:
    """Two texts, opened."""

    languages: tuple[Language, Language]
    sides: tuple[Lines, Lines]
    beside: tuple[NDArray[np.int64], NDArray[np.int64]] | None  # places of lines that are translations of each other
    seeds: Pairs  # that the person gave, of words that were found
    same: Pairs  # words that are written alike in both
    aligned: Pairs  # that aligned lines tell; of none where lines are not translations
    unseen: Pairs  # the same of lines that were held out: what is judged by
    passport: Mapping[str, Any]
    sha256: str

    @property
    def told(self) -> Pairs:
        """Return the pairs that are translations whatever the vectors say, the surest first."""
        return np.concatenate([self.seeds, self.aligned])

    @property
    def known(self) -> dict[str, Pairs]:
        """Return the pairs that are known, by what tells them, where there are enough; the best first."""
        every = {ALIGNED: self.aligned, GIVEN: self.seeds, ALIKE: self.same}
        return {name: pairs for name, pairs in every.items() if len(pairs) >= FEWEST_PAIRS}


def open_corpus(source: str, label: str | None, text: str | None, seeds: str | None) -> Corpus:
    """Read two texts and find what is known of their words.

    Args: label, text the columns of a table of lines; seeds a file of pairs. Raises: DataError.
    """
    texts = open_texts(source, text=text, label=label)
    if len(texts.label_names) != 2:
        found = ", ".join(texts.label_names) or "one text"
        count = len(texts.label_names) or 1
        raise DataError(
            f"{source!r} holds {count} {'language' if count == 1 else 'languages'}: {found}.",
            texts.empty_file or "Words are translated between two.",
            "Give a folder with two files, such as en.txt and fr.txt.",
        )
    sides = texts.whole.of_label(0), texts.whole.of_label(1)
    together = in_parallel(*sides)
    lines = [list(side) for side in sides]
    if together is not None:
        pairs = [[own[int(place)] for place in places] for own, places in zip(lines, together, strict=True)]
    one, other = (language_of(name, own, MOST_WORDS) for name, own in zip(texts.label_names, lines, strict=True))
    rank = min(one.components.shape[1], other.components.shape[1])
    one, other = (replace(language, components=language.components[:, :rank]) for language in (one, other))
    none = np.empty((0, 2), np.int64)
    aligned, unseen = none, none
    if together is not None:
        held = np.arange(len(pairs[0])) % HELD_OUT == 0
        aligned, unseen = (
            translated([[line for line, kept in zip(own, part, strict=True) if kept] for own in pairs], one, other)
            for part in (~held, held)
        )
    alike = [(one.index[word], other.index[word]) for word in one.words if word in other.index]
    known = _read_seeds(Path(seeds).expanduser(), one, other) if seeds else none
    notes = list(texts.passport["warnings"])
    both = float(np.isin(sides[0].digests, sides[1].digests).mean())
    if both > ONE_LANGUAGE:
        notes.append(f"{both:.0%} of the texts of {one.name!r} stand in {other.name!r}, too: are they one language?")
    passport = {
        **texts.passport,
        "warnings": notes,
        "words": {one.name: len(one.words), other.name: len(other.words)},
        "parallel": together is not None,
        "written_alike": len(alike),
        "pairs_given": len(known),
        "pairs_of_lines": 0 if together is None else len(together[0]),
    }
    same = np.array(alike, np.int64).reshape(-1, 2)
    return Corpus((one, other), sides, together, known, same, aligned, unseen, passport, texts.sha256)


def in_parallel(one: Lines, other: Lines) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Return the places of lines that are translations of each other, or None if the texts are not parallel.

    They are if nearly all line numbers are in both, and the lengths of lines with one number are more alike than those
    of lines that are a few apart, by a margin.
    """
    numbers, mine, theirs = np.intersect1d(one.numbers, other.numbers, return_indices=True)
    longest = max(int(one.numbers.max()), int(other.numbers.max()))
    if len(numbers) < SHARED * longest or abs(int(one.numbers.max()) - int(other.numbers.max())) > 1:
        return None
    lengths = one.lengths[mine], other.lengths[theirs]

    def alike(shift: int) -> float:
        return float(spearmanr(lengths[0][shift:], lengths[1][: len(numbers) - shift]).statistic)

    shifts = [shift for shift in SHIFTS if shift < len(numbers) // 2]
    if not shifts or np.isnan(alike(0)) or alike(0) < APART + max(alike(shift) for shift in shifts):
        return None
    return mine, theirs


def translated(lines: Sequence[Sequence[str]], one: Language, other: Language) -> Pairs:
    """Return pairs of words that stand in lines of one pair, the surest first: with a high correlation (phi), near the
    best of either word. Words that stand in nearly all lines, as "a" and the full stop, are not pairs for that."""
    a, b = (_incidence(own, language) for own, language in zip(lines, (one, other), strict=True))
    together = (a.T @ b).tocoo()
    seen = np.asarray(a.sum(0)).ravel(), np.asarray(b.sum(0)).ravel()
    mine, theirs, count = seen[0][together.row], seen[1][together.col], len(lines[0])
    spread = np.sqrt(mine * theirs * (count - mine) * (count - theirs))
    phi = (count * together.data - mine * theirs) / np.maximum(spread, 1)
    best = np.zeros(len(one.words)), np.zeros(len(other.words))
    np.maximum.at(best[0], together.row, phi)
    np.maximum.at(best[1], together.col, phi)
    kept = (phi >= LEAST_PHI) & (together.data >= LEAST_TOGETHER)
    kept &= (phi >= NEAR_BEST * best[0][together.row]) & (phi >= NEAR_BEST * best[1][together.col])
    order = np.argsort(-phi[kept], kind="stable")
    return np.stack([together.row[kept], together.col[kept]], axis=1)[order].astype(np.int64)


def _incidence(lines: Sequence[str], language: Language) -> sparse.csr_matrix:
    """Return which words stand in which lines, (N, V)."""
    places = [sorted({language.index[word] for word in words_of(line) if word in language.index}) for line in lines]
    rows = np.repeat(np.arange(len(places)), [len(own) for own in places])
    columns = np.fromiter((place for own in places for place in own), np.int64)
    return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(lines), len(language.words)))


def _read_seeds(path: Path, one: Language, other: Language) -> Pairs:
    """Read pairs of words, one a line, in the order of the languages: two columns, or two words."""
    text, _ = read_text(path)
    separator = next((mark for mark in "\t;," if mark in text), None)
    rows = (
        csv.reader(text.splitlines(), delimiter=separator)
        if separator
        else (line.split() for line in text.splitlines())
    )
    try:
        cells = [[cell.strip().casefold() for cell in row] for row in rows]
    except csv.Error as error:
        raise DataError(
            f"{str(path)!r} cannot be read: {error}.", "Its lines are pairs of words.", "Mend it."
        ) from error
    found = [
        (one.index[row[0]], other.index[row[1]])
        for row in cells
        if len(row) == 2 and row[0] in one.index and row[1] in other.index
    ]
    if len(found) < FEWEST_PAIRS:
        turned = sum(len(row) == 2 and row[0] in other.index and row[1] in one.index for row in cells)
        raise DataError(
            f"{str(path)!r} holds {len(cells):,} lines, and {len(found)} pairs of words that stand in the texts.",
            f"A pair is a word of {one.name!r} and one of {other.name!r}; at least {FEWEST_PAIRS} are needed.",
            "Exchange its columns." if turned >= FEWEST_PAIRS else "Give frequent words, such as: dog<TAB>chien",
        )
    return np.array(found, np.int64)
