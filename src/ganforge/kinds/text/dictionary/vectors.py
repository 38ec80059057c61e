"""Words of a text as vectors of the company they keep, and traits of theirs that hardly depend on the language.

Shape letters here: V words of a language, the most frequent first, F dimensions, M traits.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import svds
from scipy.special import ndtri
from scipy.stats import rankdata

from ganforge.errors import DataError
from ganforge.kinds.text.units import split_words

LEAST = (5, 3, 2)  # times that a word is seen, the first of them with ENOUGH words
ENOUGH, FEWEST = 300, 40  # words
WINDOW = 5  # words to either side that are company, each with the weight 1 / distance
SMOOTHING = 0.75  # power of the frequencies of companions (Levy, Goldberg and Dagan 2015)
POWER = 1.5  # of the singular values: the largest lever there is (docs/log.md)
DIMENSIONS = 200  # at most, that are kept
WORDS_A_DIMENSION = 5  # at least
SIMILARITIES = (1, 2, 3, 5, 8, 13, 21, 34, 55)  # nearest words whose similarities are traits, besides quantiles
QUANTILES = 20
SIMILARITY_WEIGHT = 0.3  # of each of those, beside the traits of places
Array = NDArray[np.floating]
_ELISION = re.compile(r"(?<=['\u2019])(?=.)")  # "l'homme" is two words


def words_of(line: str) -> list[str]:
    """Split a line into words and signs in lower case, HTML entities decoded; "l'homme" is "l'" and "homme"."""
    text = html.unescape(line) if "&" in line else line
    pieces = (piece.strip() for piece in split_words(text.casefold()))
    return list(chain.from_iterable(_ELISION.split(piece) for piece in pieces if piece))


@dataclass(frozen=True)
class Language:
    """The words of a text that are seen often enough, their vectors and their traits."""

    name: str
    words: tuple[str, ...]
    counts: NDArray[np.int64]  # (V,)
    components: Array  # (V, DIMENSIONS or fewer) left singular vectors times the singular values to the power POWER
    places: Array  # (V, 8) how frequent a word is, how long, and where in a line and in what lines it stands

    @cached_property
    def index(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.words)}

    def vectors(self, dimensions: int, most: int | None = None) -> Array:
        """Return vectors (V, F) of norm 1 about a centre of 0. Args: most frequent words, None for all."""
        return normalised(self.components[:most, :dimensions])

    def traits(self, most: int) -> Array:
        """Return the traits (most, 8) of the most frequent words, each as a normal quantile of its rank among them."""
        return quantiles(self.places[:most])

    def similarities(self, dimensions: int, most: int) -> Array:
        """Return how near the other words are to each, (most, M): the same under every rotation of the vectors.

        Source: Artetxe, Labaka and Agirre 2018, "A robust self-learning method for ... cross-lingual mappings".
        """
        vectors = self.vectors(dimensions, most)
        sorted_ = np.sort(vectors @ vectors.T, axis=1)
        ranks = {round(q * (len(sorted_) - 1) / (QUANTILES - 1)) for q in range(QUANTILES)}
        ranks |= {len(sorted_) - 1 - near for near in SIMILARITIES if near < len(sorted_)}
        return SIMILARITY_WEIGHT * quantiles(sorted_[:, sorted(ranks)])


def language_of(name: str, lines: Iterable[str], most: int) -> Language:
    """Count the words of lines and find their vectors: of those seen often enough, more rarely where there are few.

    Args: most words, V. Raises: DataError for fewer than FEWEST.
    """
    split = [words_of(line) for line in lines]
    counts = Counter(chain.from_iterable(split))
    least = next((least for least in LEAST if sum(seen >= least for seen in counts.values()) >= ENOUGH), LEAST[-1])
    words = tuple(sorted((word for word in counts if counts[word] >= least), key=lambda word: (-counts[word], word)))
    if len(words) < FEWEST:
        raise DataError(
            f"{name!r} has {len(words)} words that are seen {least} times or more.",
            f"At least {FEWEST} are needed. Words are what stands between blanks: other languages are not split.",
            "Give more text.",
        )
    words = words[:most]
    index = {word: place for place, word in enumerate(words)}
    ids = np.fromiter((index.get(word, -1) for word in chain.from_iterable(split)), np.int64)
    lengths = np.array([len(one) for one in split])
    company = companions(ids, np.repeat(np.arange(len(split)), lengths), len(words))
    return Language(
        name,
        words,
        np.array([counts[word] for word in words]),
        components(positive(company)),
        places(ids, lengths, words),
    )


def companions(ids: NDArray[np.int64], lines: NDArray[np.int64], count: int) -> sparse.csr_matrix:
    """Count which words stand near each other. Args: ids (T,) of words, -1 for others; lines (T,) of each."""
    near = sparse.csr_matrix((count, count))
    for distance in range(1, WINDOW + 1):
        one, other = ids[:-distance], ids[distance:]
        both = (one >= 0) & (other >= 0) & (lines[:-distance] == lines[distance:])
        weights = np.full(int(both.sum()), 1 / distance)
        found = sparse.coo_matrix((weights, (one[both], other[both])), shape=(count, count)).tocsr()
        near = near + found + found.T
    return near


def positive(near: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return the positive pointwise mutual information of companions (V, V), with smoothed contexts."""
    cells = near.tocoo()
    words, contexts = np.asarray(near.sum(1)).ravel(), np.asarray(near.sum(0)).ravel() ** SMOOTHING
    value = np.log(cells.data * contexts.sum() / (words[cells.row] * contexts[cells.col]))
    kept = value > 0
    return sparse.csr_matrix((value[kept], (cells.row[kept], cells.col[kept])), shape=near.shape)


def components(information: sparse.csr_matrix) -> Array:
    """Return the first left singular vectors times their values to the power POWER, (V, F) in float32."""
    count = information.shape[0]
    vectors, values, _ = svds(
        information, k=min(DIMENSIONS, max(2, count // WORDS_A_DIMENSION)), v0=np.full(count, count**-0.5)
    )
    order = np.argsort(-values)
    scaled: Array = (vectors[:, order] * values[order] ** POWER).astype(np.float32)
    return scaled


def places(ids: NDArray[np.int64], lengths: NDArray[np.int64], words: Sequence[str]) -> Array:
    """Return (V, 8): log count, mean and variance of the place in a line, share among the first two, the last two and
    the first words, mean length of its lines, and number of letters."""
    known = ids >= 0
    word, count = ids[known], len(words)
    place = np.concatenate([np.arange(length) for length in lengths])[known]
    length = np.repeat(lengths, lengths)[known]
    relative = (place + 0.5) / length
    seen = np.bincount(word, minlength=count)

    def mean(values: NDArray[np.generic]) -> Array:
        found: Array = np.bincount(word, values, count) / seen
        return found

    centre = mean(relative)
    return np.stack(
        [
            np.log(seen), centre, mean(relative**2) - centre**2, mean(place < 2), mean(place >= length - 2),
            mean(place == 0), mean(length), np.array([len(one) for one in words]),
        ],
        axis=1,
    )  # fmt: skip


def quantiles(values: Array) -> Array:
    """Return each column as the normal quantiles of its ranks, so that two languages have the same. Args: (V, M)."""
    ranks = np.apply_along_axis(rankdata, 0, values)
    scaled: Array = ndtri((ranks - 0.5) / len(values)).astype(np.float32)
    return scaled


def normalised(vectors: Array) -> Array:
    """Return vectors (V, F) of norm 1, centred, and of norm 1 again."""
    once = _unit(vectors)
    return _unit(once - once.mean(axis=0))


def _unit(vectors: Array) -> Array:
    unit: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return unit
