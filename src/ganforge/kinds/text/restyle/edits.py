"""What changes a line from other styles into one style, found in two crowds of lines without pairs.

Each line of the style is compared with the line of the others that is most like it (Li, Jia, He and Liang 2018,
"Delete, retrieve, generate", compare styles by counts alone). Where both are alike, their differences are edits: what
was added at the beginning or the end, and what stands in place of what. Where no line is alike, what marks the style by
its counts at either end of a line is an addition. Shape letters: N lines, A additions as often as they were found,
U different ones, F features.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer

from ganforge.core.seeds import subset
from ganforge.kinds.text.units import split_words

LIKE = 0.4  # cosine of weighted words from which on two lines say the same
MOST_LINES = 20_000  # of each style that are compared
MOST_ADDITIONS = 3_000
SHORTEST, LONGEST = 2, 7  # pieces of an addition; of characters twice as many
SALIENT, SMOOTHING, MARKED = 15.0, 1.0, 4  # ratio of rates of a marker, added counts, longest marker (Li et al. 2018)
ADDED = 0.25  # share of lines that have an addition, below which there are none
NEIGHBOURS = 60  # additions of the most similar lines that say what one expects
ENDING = 3  # words that are an ending
REPEATED = 0.1  # off the value of an addition for each of its words that the line has
AT_ONCE = 500
_WORD = re.compile(r"\w+")
BLANKS = 0.3  # share of lines with a blank from which on pieces are words
Keys = tuple[str, ...]
Pieces = tuple[str, ...]
Values = NDArray[np.float64]


class Addition(NamedTuple):
    """Pieces that are put before a line or, before its closing marks, behind it."""

    behind: bool
    pieces: Pieces


def keys_of(pieces: Iterable[str]) -> Keys:
    """Return pieces as they are compared: without blanks, in lower case."""
    return tuple(piece.strip().casefold() for piece in pieces)


def words_of(keys: Iterable[str]) -> Keys:
    """Return the keys that are not marks or blanks."""
    return tuple(key for key in keys if any(map(str.isalnum, key)))


def grams(keys: Sequence[str], n: int) -> list[Keys]:
    """Return all runs of n keys."""
    return [tuple(keys[first : first + n]) for first in range(len(keys) - n + 1)]


@dataclass(frozen=True, slots=True)
class Line:
    """A line in pieces that join to it, and its closing marks apart."""

    pieces: Pieces
    closing: Pieces

    @classmethod
    def of(cls, text: str, blanks: bool) -> Line:
        """Split a text without the blanks around it. Args: blanks whether into words, or else into characters."""
        text = " ".join(text.strip().splitlines())
        pieces = split_words(" " + text) if blanks else list(text)
        last = len(pieces)
        while last and not any(map(str.isalnum, pieces[last - 1])):
            last -= 1
        return cls(tuple(pieces[:last]), tuple(pieces[last:]))

    @property
    def keys(self) -> Keys:
        """Its pieces as they are compared, without the closing marks."""
        return keys_of(self.pieces)

    @property
    def text(self) -> str:
        """The line."""
        return "".join((*self.pieces, *self.closing)).removeprefix(" ")

    def with_(self, addition: Addition) -> Line:
        """Return the line with an addition; a line that was empty stays so."""
        if not self.pieces or not addition.pieces:
            return self
        added = addition.pieces
        return Line((*self.pieces, *added) if addition.behind else (*added, *self.pieces), self.closing)


def has_blanks(lines: Sequence[str]) -> bool:
    """Return whether lines are written in words between blanks."""
    some = [lines[place] for place in subset(len(lines), 1000, "restyle/blanks")]
    return sum(" " in line.strip() for line in some) >= BLANKS * len(some)


def ending_of(line: Line) -> Keys:
    """Return the last words of a line; what a hyphen joins are several."""
    return tuple(_WORD.findall(" ".join(line.keys[-2 * ENDING :]))[-ENDING:])


class Markers:
    """The shortest runs of words that one crowd of lines has many times as often as another."""

    def __init__(self, own: Sequence[Keys], others: Sequence[Keys]) -> None:
        here, there = (Counter(g for keys in side for n in range(1, MARKED + 1) for g in set(grams(keys, n)))
                       for side in (own, others))  # fmt: skip
        scale = (len(others) + 1) / (len(own) + 1)
        self.runs: set[Keys] = set()
        for run in sorted(here, key=lambda one: (len(one), one)):  # what holds a shorter marker is none itself
            many = (here[run] + SMOOTHING) * scale >= SALIENT * (there[run] + SMOOTHING)
            if many and not any(part in self.runs for n in range(1, len(run)) for part in grams(run, n)):
                self.runs.add(run)

    def marked(self, keys: Keys) -> NDArray[np.bool_]:
        """Return which of a line's keys (n,) are part of a marker."""
        found = np.zeros(len(keys), bool)
        for n in range(1, MARKED + 1):
            for first, run in enumerate(grams(keys, n)):
                if run in self.runs:
                    found[first : first + n] = True
        return found


@dataclass(frozen=True)
class Edits:
    """All that was found of the way from other styles into one."""

    additions: tuple[Addition, ...]  # (U,) different ones, in a fixed order
    occurrences: NDArray[np.int64]  # (A,) places in `additions`
    contexts: csr_matrix  # (A, W) the lines in which they were found, as weighted words
    targets: NDArray[np.int64]  # (A,) the line of the style
    pairs: NDArray[np.int64]  # (P, 2) lines of the style and of the others that are alike
    replaced: dict[Keys, Pieces]  # what others write -> what the style most often writes there
    foreign: Markers  # of the other styles
    words: TfidfVectorizer
    own: csr_matrix  # (N, W) the lines of the style

    @classmethod
    def between(cls, own: Sequence[Line], others: Sequence[Line]) -> Edits:
        """Find the edits. Args: own the lines of the style; others those of all others, each at most MOST_LINES."""
        keys, other_keys = [line.keys for line in own], [line.keys for line in others]
        words = TfidfVectorizer(tokenizer=words_of, lowercase=False, token_pattern=None, sublinear_tf=True)
        there = words.fit_transform(other_keys)
        here = words.transform(keys)
        alike, nearest = nearest_of(here, there)
        markers, foreign = Markers(keys, other_keys), Markers(other_keys, keys)
        found: list[tuple[Addition, int]] = []
        swaps: dict[Keys, Counter[Pieces]] = defaultdict(Counter)
        longest = LONGEST if any(" " in piece for line in own for piece in line.pieces) else 2 * LONGEST
        contexts: list[csr_matrix] = []
        for place in range(len(own)):
            if alike[place] >= LIKE:
                other = int(nearest[place])
                additions = _differences(own[place], other_keys[other], foreign, swaps)
                context = here[place] + there[other]
            else:
                additions, context = _marked_ends(own[place], markers.marked(keys[place])), 2 * here[place]
            for addition in additions:
                if SHORTEST <= len(addition.pieces) <= longest:
                    found.append((addition, place))
                    contexts.append(context)
        if len({place for _, place in found}) < ADDED * len(own):
            found = []  # this style is not one of additions
        paired = np.flatnonzero(alike >= LIKE)
        counts = Counter(addition for addition, _ in found)
        kept = sorted(sorted(counts), key=lambda one: -counts[one])[:MOST_ADDITIONS]
        number = {addition: place for place, addition in enumerate(kept)}
        some = [place for place, (addition, _) in enumerate(found) if addition in number]
        return cls(
            additions=tuple(kept),
            occurrences=np.array([number[found[place][0]] for place in some], np.int64),
            contexts=vstack([contexts[place] for place in some]).tocsr() if some else csr_matrix((0, here.shape[1])),
            targets=np.array([found[place][1] for place in some], np.int64),
            pairs=np.stack([paired, nearest[paired]], 1),
            replaced={taken: given.most_common(1)[0][0] for taken, given in swaps.items() if given.total() > 1},
            foreign=foreign,
            words=words,
            own=here,
        )

    def plain(self, line: Line) -> Line:
        """Return a line without what marks other styles, if that is at most half: replaced if known, else left out."""
        marked = self.foreign.marked(line.keys)
        if not marked.any() or 2 * marked.sum() > len(marked):
            return line
        pieces: list[str] = []
        place = 0
        while place < len(marked):
            if not marked[place]:
                pieces.append(line.pieces[place])
                place += 1
                continue
            last = place + 1
            while last < len(marked) and marked[last]:
                last += 1
            pieces += self.replaced.get(line.keys[place:last], ())
            place = last
        return Line(tuple(pieces), line.closing)

    def values(self, lines: Sequence[Line]) -> Values:
        """Return how much of each addition (N, U) one expects of lines: what similar ones have of its parts."""
        asked = self.words.transform([line.keys for line in lines])
        found = np.empty((len(lines), len(self.additions)))
        for first in range(0, len(lines), AT_ONCE):
            rows = slice(first, first + AT_ONCE)
            alike = (asked[rows] @ self.contexts.T).toarray()
            count = min(NEIGHBOURS, alike.shape[1])
            top = np.argpartition(-alike, count - 1, axis=1)[:, :count]
            weights = np.zeros_like(alike)
            np.put_along_axis(weights, top, np.take_along_axis(alike, top, 1), 1)
            weights /= weights.sum(1, keepdims=True) + 1e-9
            expected = weights @ self._occurring + self._usual
            found[rows] = (self._parts @ expected.T).T
        for row, line in enumerate(lines):
            own = {key for key in line.keys if len(key) > 3}
            found[row] -= REPEATED * np.minimum(self._having(own), 2)
        return found

    def nearest_additions(self, lines: Sequence[Line], count: int) -> NDArray[np.int64]:
        """Return the additions (N, count) of the most similar lines, the most similar first."""
        asked = self.words.transform([line.keys for line in lines])
        alike = (asked @ self.contexts.T).toarray()
        return self.occurrences[np.argsort(-alike, axis=1, kind="stable")[:, :count]]

    def nearest_lines(self, lines: Sequence[Line]) -> NDArray[np.int64]:
        """Return the line (N,) of the style that is most like each line."""
        return nearest_of(self.words.transform([line.keys for line in lines]), self.own)[1]

    @cached_property
    def _features(self) -> tuple[csr_matrix, csr_matrix]:
        """(U, F) the parts of each addition: counts, and what each is worth."""
        counted = DictVectorizer()
        counts = counted.fit_transform([dict.fromkeys(_parts(one), 1.0) for one in self.additions])
        worth = counted.transform([dict(_weights(one)) for one in self.additions])
        return counts.tocsr(), worth.tocsr()

    @cached_property
    def _occurring(self) -> csr_matrix:
        return self._features[0][self.occurrences]

    @property
    def _parts(self) -> csr_matrix:
        return self._features[1]

    @cached_property
    def _usual(self) -> Values:
        return np.asarray(self._occurring.mean(0))

    @cached_property
    def _long_words(self) -> dict[str, NDArray[np.int64]]:
        places: dict[str, list[int]] = defaultdict(list)
        for place, addition in enumerate(self.additions):
            for key in keys_of(addition.pieces):
                places[key].append(place)
        return {key: np.array(own) for key, own in places.items()}

    def _having(self, words: Iterable[str]) -> Values:
        count = np.zeros(len(self.additions))
        for word in words:
            if word in self._long_words:
                np.add.at(count, self._long_words[word], 1)
        return count


def nearest_of(asked: csr_matrix, among: csr_matrix) -> tuple[Values, NDArray[np.int64]]:
    """Return the greatest cosine of each row (N,) with those of `among`, and the row there that has it."""
    alike, nearest = np.zeros(asked.shape[0]), np.zeros(asked.shape[0], np.int64)
    transposed = among.T.tocsc()
    for first in range(0, asked.shape[0], AT_ONCE):
        block = (asked[first : first + AT_ONCE] @ transposed).toarray()
        nearest[first : first + len(block)] = block.argmax(1)
        alike[first : first + len(block)] = block.max(1)
    return alike, nearest


def _differences(own: Line, other: Keys, foreign: Markers, swaps: dict[Keys, Counter[Pieces]]) -> Iterator[Addition]:
    """Yield what a line has before and behind another one, or there in place of what marks that one's style.

    What it has in place of what elsewhere is counted.
    """
    marked = foreign.marked(other)
    changes = difflib.SequenceMatcher(None, other, own.keys, autojunk=False).get_opcodes()
    for kind, start, end, first, last in changes:
        given = own.pieces[first:last]
        if kind == "equal":
            continue
        if marked[start:end].all() and end == len(other):  # of nothing that was taken, too
            yield Addition(True, given)
        elif marked[start:end].all() and start == 0:
            yield Addition(False, given)
        elif kind != "insert":
            swaps[other[start:end]][given] += 1


def _marked_ends(line: Line, marked: NDArray[np.bool_]) -> Iterator[Addition]:
    """Yield the marked pieces at either end of a line that is not marked all over."""
    if marked.all():
        return
    behind = int(np.argmax(~marked[::-1]))
    yield Addition(True, line.pieces[len(marked) - behind :])
    yield Addition(False, line.pieces[: int(np.argmax(~marked))])


def _parts(addition: Addition) -> set[str]:
    """Return the runs of 1 to 3 words and of 3 to 6 characters of an addition."""
    keys = keys_of(addition.pieces)
    text = " ".join(keys)
    words = {"w " + " ".join(run) for n in (1, 2, 3) for run in grams(keys, n)}
    return words | {"c " + text[first : first + n] for n in (3, 4, 5, 6) for first in range(len(text) - n + 1)}


def _weights(addition: Addition) -> Iterator[tuple[str, float]]:
    """Yield the parts of an addition with what each is worth where it is found: a length counts as much as another."""
    for part in _parts(addition):
        yield part, 1 / 3 if part.startswith("w") else 1 / 20
