"""Which of many candidates a line becomes: the expected one, at prices that an adversary sets.

Without prices every line gets what is expected of it most, which is nearly the same for all: more typical than what
real lines of the style have, and with one ending. The adversary is a discriminator of real additions against chosen
ones that is linear in three kinds of evidence: how typical they are to classifiers of styles, which ending they have,
and how long they are. Where chosen ones exceed real ones its weights rise, and become prices; the choice answers. This
saddle point is found as in fictitious play, and cannot collapse, since nothing but prices is learned. Shape letters:
N lines, U additions, K styles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression

from ganforge.core.seeds import subset
from ganforge.kinds.text.restyle.edits import (
    MOST_LINES,
    Addition,
    Edits,
    Line,
    Values,
    ending_of,
    grams,
    keys_of,
    words_of,
)
from ganforge.kinds.text.units import Units
from ganforge.measures.ngrams import Ngrams

FOLDS = 3  # an addition is weighed by classifiers that never saw the line in which it was found
FEATURES = 2**15  # of hashed runs of one and two words
PER_STYLE = 4_000  # lines of each style from which a classifier learns
PROBES = 800  # lines of other styles on which prices are set
ROUNDS = 120
MOST_ENDING = 0.04  # share of the lines of a file that may have one ending
STRONG = 0.9  # quantile of how typical real additions are, which chosen ones reach at strength 1
SHORTER = 0.9  # length of chosen additions, of that of real ones: found on captions (docs/log.md)
NATURAL = 0.5  # the strength at which chosen additions are as typical as real ones
CANDIDATES = 15  # of the reranked template


class Classifier:
    """Which style a line is of: logistic regression on hashed runs of words, additive in them."""

    def __init__(self, lines: Sequence[Line], labels: NDArray[np.int64]) -> None:
        """Args: labels (N,) of at least two styles, 0..K-1, each there."""
        self._model = LogisticRegression(C=1.0, max_iter=100, tol=1e-3, class_weight="balanced").fit(
            _hashed([line.keys for line in lines]), labels
        )

    def scores(self, lines: Sequence[Line]) -> Values:
        """Return the logits (N, K) of lines."""
        return self._widened(self._model.decision_function(_hashed([line.keys for line in lines])))

    def effects(self, additions: Sequence[Addition]) -> Values:
        """Return what additions add to the logits (U, K)."""
        made = self._widened(
            self._model.decision_function(_hashed([words_of(keys_of(one.pieces)) for one in additions]))
        )
        return made - self._widened(np.asarray(self._model.intercept_)[None])

    @staticmethod
    def _widened(scores: Values) -> Values:
        """Return scores of two styles, of which scikit-learn tells one, as (N, 2)."""
        flat = scores.reshape(len(scores), -1)
        return np.hstack([-flat / 2, flat / 2]) if flat.shape[1] == 1 else flat


def _hashed(texts: Sequence[Sequence[str]]) -> object:
    def runs(keys: Sequence[str]) -> list[str]:
        return [" ".join(run) for n in (1, 2) for run in grams(keys, n)]

    hashing = HashingVectorizer(analyzer=runs, n_features=FEATURES, norm=None, alternate_sign=False, binary=True)
    return hashing.transform(texts)


def surprise_by(ngrams: Ngrams, units: Units, lines: Sequence[Line]) -> Values:
    """Return minus the mean log-probability of a unit of each line (N,)."""
    encoded = units.encode_all(line.text for line in lines)
    lost, counted = ngrams.surprise(encoded)
    return lost / counted


def _sides(lines: Sequence[Line], labels: NDArray[np.int64], style: int) -> tuple[list[Line], list[Line]]:
    """Return the lines of a style, and at most 2 MOST_LINES of all others."""
    others = np.flatnonzero(labels != style)
    others = np.sort(others[subset(len(others), 2 * MOST_LINES, "restyle/others")])
    return [lines[place] for place in np.flatnonzero(labels == style).tolist()], [
        lines[place] for place in others.tolist()
    ]


def balanced(labels: NDArray[np.int64], most: int, purpose: str) -> NDArray[np.int64]:
    """Return places of at most so many lines of each style, in order."""
    own = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return np.sort(np.concatenate([places[subset(len(places), most, purpose)] for places in own]))


@dataclass
class Selection:
    """The additions of one style, what they cost, and the methods that use them."""

    lines: Sequence[Line]  # of all styles
    labels: NDArray[np.int64]  # (N,)
    style: int
    units: Units
    edits: Edits
    prices: Values = field(default_factory=lambda: np.zeros((3, 0)))  # (3, U): of the length alone, natural, strong
    ranks: Values = field(default_factory=lambda: np.zeros(0))  # net values of the probes, sorted
    constant: int = 0  # the addition that does best on all lines

    @classmethod
    def of(cls, lines: Sequence[Line], labels: NDArray[np.int64], style: int, units: Units) -> Selection:
        """Find the edits into a style, weigh its additions by classifiers that did not see their lines, set prices."""
        made = cls(lines, labels, style, units, Edits.between(*_sides(lines, labels, style)))
        number = np.zeros(len(labels), np.int64)  # of a line in its style
        for one in np.unique(labels):
            number[labels == one] = np.arange(int((labels == one).sum()))
        some = balanced(labels, PER_STYLE, "restyle/classifier")
        additions, fold_of = made.edits.additions, number % FOLDS
        effects, weights = np.zeros((len(additions), len(np.unique(labels)))), np.zeros(len(additions))
        for fold in range(FOLDS if additions else 0):
            seen = some[fold_of[some] != fold]
            model = Classifier([lines[place] for place in seen.tolist()], labels[seen])
            here = made.edits.occurrences[made.edits.targets % FOLDS == fold]
            count = np.bincount(here, minlength=len(additions))
            effects += model.effects(additions) * count[:, None]
            weights += count
        if additions:
            made._set_prices(effects / weights[:, None])
        return made

    @classmethod
    def stored(
        cls, lines: Sequence[Line], labels: NDArray[np.int64], style: int, units: Units, prices: Values, ranks: Values,
        constant: int,
    ) -> Selection:  # fmt: skip
        """Find the edits again for prices that are stored. Raises: ValueError if these belong to other lines."""
        edits = Edits.between(*_sides(lines, labels, style))
        if prices.shape[1] != len(edits.additions) or not 0 <= constant < max(1, len(edits.additions)):
            raise ValueError("its prices belong to other lines")
        return cls(lines, labels, style, units, edits, prices=prices, ranks=ranks, constant=constant)

    @cached_property
    def own(self) -> list[Line]:
        """The lines of the style."""
        return [self.lines[place] for place in np.flatnonzero(self.labels == self.style).tolist()]

    @cached_property
    def classifier(self) -> Classifier:
        """A classifier that has seen lines of all styles."""
        some = balanced(self.labels, PER_STYLE, "restyle/classifier")
        return Classifier([self.lines[place] for place in some.tolist()], self.labels[some])

    @cached_property
    def ngrams(self) -> Ngrams:
        """The chance of lines of the style."""
        return Ngrams.fit(self.units.encode_all(line.text for line in self.own), self.units.size)

    def _set_prices(self, effects: Values) -> None:
        """Set the prices. Args: effects (U, K) of additions on the logits."""
        others = np.flatnonzero(self.labels != self.style)
        places = others[subset(len(others), PROBES, "restyle/probes")]
        values = self.edits.values([self.edits.plain(self.lines[place]) for place in places.tolist()])
        typical = effects[:, self.style] - np.delete(effects, self.style, 1).max(1)
        real = typical[self.edits.occurrences]
        wanted = (None, float(real.mean()), float(np.quantile(real, STRONG)))
        self.prices = np.stack([self._priced(values, typical, one) for one in wanted])
        self.ranks = np.sort((values - self.prices[1]).max(1))
        self.constant = int(np.where(typical >= real.mean(), values.mean(0) - self.prices[0], -np.inf).argmax())

    def _priced(self, values: Values, typical: Values, wanted: float | None) -> Values:
        """Return prices (U,) at which chosen additions are nearly as long as real ones, and as typical as wanted.

        Args: values (N, U); typical (U,); wanted None for a price of the length alone, without an adversary.
        """
        names = [ending_of(Line(one.pieces, ())) if one.behind else one.pieces for one in self.edits.additions]
        number = {name: place for place, name in enumerate(sorted(set(names)))}
        ending = np.array([number[name] for name in names])
        most = max(MOST_ENDING, 2 / len(number)) * 0.75
        length = np.array([len(one.pieces) for one in self.edits.additions], np.float64)
        usual, spread = SHORTER * float(length[self.edits.occurrences].mean()), float(values.std()) + 1e-9
        unit = float(typical.std()) + 1e-9
        weight, long, costs = 0.0, 0.0, np.zeros(len(number))
        for turn in range(ROUNDS):
            chosen = (values - costs[ending] - weight * typical - long * length).argmax(1)
            step = spread / (1 + 0.1 * turn)
            long += 0.2 * step * (float(length[chosen].mean()) - usual)
            if wanted is not None:
                there = np.bincount(ending[chosen], minlength=len(number)) / len(values)
                costs = np.maximum(0.0, costs + 0.3 * step * np.clip(there / most - 1, -1, 3))
                weight += step / unit * (float(typical[chosen].mean()) - wanted) / unit
        prices: Values = costs[ending] + weight * typical + long * length
        return prices

    # ---- methods: lines -> lines

    def selected(self, lines: Sequence[Line], strength: float = NATURAL) -> list[Line]:
        """Return lines with what is expected of them at the adversary's prices, no ending too often.

        Args: strength 0 leaves lines as they are; up to .5 more and more of them are changed; from there on they are
        more typical of the style, at 1 as typical as possible.
        """
        plain = [self.edits.plain(line) for line in lines]
        if not len(self.edits.additions) or not lines:
            return plain if strength > 0 else list(lines)
        toward = max(0.0, min(1.0, strength / NATURAL - 1))
        net = self.edits.values(plain) - (1 - toward) * self.prices[1] - toward * self.prices[2]
        kept = float(np.quantile(self.ranks, max(0.0, 1 - strength / NATURAL))) if strength < NATURAL else -np.inf
        most = max(1, int(MOST_ENDING * len(lines)), -(-2 * len(lines) // len(self.edits.additions)))
        used = Counter[object]()
        made = list(lines)
        best = net.max(1)
        for place in np.argsort(-best, kind="stable").tolist():
            if best[place] < kept or strength == 0:
                continue
            for one in np.argsort(-net[place], kind="stable"):
                candidate = plain[place].with_(self.edits.additions[one])
                ending = ending_of(candidate)
                if used[ending] < most:
                    used[ending] += 1
                    made[place] = candidate
                    break
        return made

    def expected(self, lines: Sequence[Line]) -> list[Line]:
        """Return lines with what is expected of them most, whatever it costs: the selection without its adversary."""
        plain = [self.edits.plain(line) for line in lines]
        return (
            self._with(plain, (self.edits.values(plain) - self.prices[0]).argmax(1))
            if len(self.edits.additions)
            else plain
        )

    def suffix(self, lines: Sequence[Line]) -> list[Line]:
        """Return lines with one and the same addition."""
        plain = [self.edits.plain(line) for line in lines]
        return self._with(plain, np.full(len(lines), self.constant)) if len(self.edits.additions) else plain

    def nearest(self, lines: Sequence[Line]) -> list[Line]:
        """Return the lines of the style that are most like them."""
        return [self.own[place] for place in self.edits.nearest_lines(lines).tolist()]

    def template(self, lines: Sequence[Line]) -> list[Line]:
        """Return lines without what marks others, with the addition of the most similar line of the style."""
        plain = [self.edits.plain(line) for line in lines]
        return self._with(plain, self.edits.nearest_additions(plain, 1)[:, 0]) if len(self.edits.additions) else plain

    def reranked(self, lines: Sequence[Line]) -> list[Line]:
        """Return of several templates the one that is most typical and least surprising."""
        plain = [self.edits.plain(line) for line in lines]
        if not len(self.edits.additions):
            return plain
        near = self.edits.nearest_additions(plain, CANDIDATES)
        every = [line.with_(self.edits.additions[one]) for line, row in zip(plain, near, strict=True) for one in row]
        scores = self.classifier.scores(every)
        margin = scores[:, self.style] - np.delete(scores, self.style, 1).max(1)
        good = (margin - surprise_by(self.ngrams, self.units, every)).reshape(near.shape).argmax(1)
        return [every[row * near.shape[1] + place] for row, place in enumerate(good)]

    def _with(self, lines: Sequence[Line], chosen: NDArray[np.int64]) -> list[Line]:
        return [line.with_(self.edits.additions[one]) for line, one in zip(lines, chosen, strict=True)]
