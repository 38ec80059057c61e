"""Texts at several temperatures as points of a curve: how likely, how varied, how easily told from real ones."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from ganforge.core.sequences import Ids
from ganforge.kinds.text.generate.vocabulary import UNKNOWN, known
from ganforge.kinds.text.judges import fit_small_network
from ganforge.measures.intervals import Estimate, from_standard_error, means_by_bootstrap, of_share
from ganforge.measures.ngrams import Ngrams, Numbers
from ganforge.measures.sequences import Copies, Shares, bleu, copies_of, detection, distinct
from ganforge.networks.language_model import surprise_of
from ganforge.records import Meaning

MOST_BLEU = 1_000  # texts whose BLEU is measured, and that Self-BLEU compares
MOST_WEIGHED = 3_000_000  # texts times units that a small network learns from
TEMPERATURES = (0.7, 0.8, 0.9, 1.0, 1.1)
MEANINGS: Mapping[str, Meaning] = {
    "reverse_perplexity": Meaning(
        "lower", "How surprised an n-gram model of the drawn texts is by real ones: it needs quality and variety."
    ),
    "forward_perplexity": Meaning(
        "lower",
        "How surprised an n-gram model of real texts is by the drawn ones; below that of real texts it is bland.",
    ),
    "detection": Meaning("lower", "Chance that a classifier ranks a real text above a drawn one; 0.5 is a guess."),
    "bleu": Meaning("higher", "BLEU-4 of drawn texts against held-out ones; blandness raises it."),
    "self_bleu": Meaning("lower", "BLEU-4 of each drawn text against the other ones: how much they repeat each other."),
    "distinct_2": Meaning("higher", "Share of different pairs of units among all pairs in the drawn texts."),
    "length": Meaning("higher", "Units of a text; it should be that of real texts."),
    "copies": Meaning("lower", "Share of drawn texts that are training texts, word for word."),
    "copied_run": Meaning("lower", "Units of the longest run that stands in a training text, of the usual text."),
}


@dataclass(frozen=True, slots=True)
class Point:
    """Some texts, measured."""

    name: str
    scores: Mapping[str, Estimate]
    lost: Shares  # (N,) surprise of the scored real texts by an n-gram model of these texts, in nats
    texts: Sequence[Ids]


@dataclass(frozen=True, slots=True)
class Judges:
    """Held-out texts in two halves, one that judges and one that is scored."""

    size: int  # of the units
    most: int  # units of n-grams in the classifier
    longest: int  # units that are read of a text
    forward: Ngrams
    judging: Sequence[Ids]
    scored: Sequence[Ids]

    @classmethod
    def of(cls, held_out: Sequence[Ids], size: int, most: int, longest: int) -> Judges:
        """Divide held-out texts by turns."""
        return cls(size, most, longest, Ngrams.fit(held_out[::2], size), held_out[::2], held_out[1::2])

    def points(
        self, sets: Mapping[str, Sequence[Ids]], train: Iterable[Sequence[Ids]]
    ) -> tuple[dict[str, Point], float]:
        """Measure sets of texts, by their names. Args: train blocks of training texts, among which copies are sought.

        Returns: the points, and the share of held-out texts that are training texts.
        """
        every = [text for texts in sets.values() for text in texts]
        copies = copies_of([*every, *self.judging, *self.scored], train)
        found, first = dict[str, Point](), 0
        for name, texts in sets.items():
            own = slice(first, first := first + len(texts))
            found[name] = self._point(name, texts, Copies(copies.whole[own], copies.run[own]))
        return found, float(copies.whole[len(every) :].mean())

    def real_point(self, name: str, texts: Sequence[Ids]) -> Point:
        """Measure training texts: all of them copies."""
        return self._point(name, texts, Copies(np.ones(len(texts), bool), np.array([len(text) for text in texts])))

    def _point(self, name: str, texts: Sequence[Ids], copies: Copies) -> Point:
        lost, counts = Ngrams.fit(texts, self.size).surprise(self.scored, UNKNOWN)
        some, real = texts[:MOST_BLEU], known([*self.judging, *self.scored])
        means = means_by_bootstrap(
            {
                "bleu": bleu(some, self.judging),
                "self_bleu": bleu(some),
                "length": np.array([float(len(text)) for text in texts]),
                "copied_run": copies.run.astype(np.float64),
            },
            "text/point",
        )
        pairs = distinct(texts, 2)
        scores = {
            "reverse_perplexity": perplexity(lost, counts),
            "forward_perplexity": perplexity(*self.forward.surprise(texts, UNKNOWN)),
            "detection": detection(real, known(texts), self.most),
            "distinct_2": Estimate(pairs, pairs, pairs),
            "copies": of_share(int(copies.whole.sum()), len(texts)),
            **means,
        }
        return Point(name, {key: scores[key] for key in MEANINGS}, lost, texts)

    def beyond(self, mine: Point, curve: Sequence[Point], networks: int = 0) -> Estimate:
        """Return how much more surprised a model of `mine` is than one of texts on the curve that are as likely.

        In nats a unit, below 0 where `mine` is better; the interval is that of the scored texts. On the curve the
        surprise is interpolated by the logarithm of the forward perplexity. Args: networks how many small ones
        judge, by their mean; 0 for n-grams.
        """
        places = sorted(curve, key=_likely)
        at = float(np.interp(_likely(mine), [_likely(one) for one in places], np.arange(len(places))))
        low, high = places[int(at)], places[min(int(at) + 1, len(places) - 1)]
        sides = [self._network_lost(one, networks) if networks else one.lost for one in (mine, low, high)]
        counts = np.array([len(text) + 1 - int((text == UNKNOWN).sum()) for text in self.scored])
        share = at - int(at)
        return _ratio(sides[0] - (1 - share) * sides[1] - share * sides[2], counts)

    def _network_lost(self, one: Point, count: int) -> Shares:
        most = max(500, MOST_WEIGHED // self.size)
        networks = [fit_small_network(one.texts[:most], self.size, self.longest, seed) for seed in range(count)]
        every = [surprise_of(network, self.scored, unscored=UNKNOWN)[0] for network in networks]
        return np.asarray(np.mean(every, axis=0), np.float64)


def _likely(one: Point) -> float:
    return float(np.log(one.scores["forward_perplexity"].value))


def _ratio(lost: Shares, counts: Numbers) -> Estimate:
    """Return the sum of lost over that of counts, with the interval of a ratio of means."""
    value = float(lost.sum() / counts.sum())
    error = float((lost - value * counts).std() / counts.mean() / np.sqrt(len(counts)))
    return from_standard_error(value, error)


def perplexity(lost: Shares, counts: Numbers) -> Estimate:
    """Return the perplexity a unit. Args: lost surprise of each text (N,) in nats; counts its units (N,)."""
    mean = _ratio(lost, counts)
    return Estimate(*(float(np.exp(end)) for end in (mean.value, mean.low, mean.high)))


def picture(plain: Sequence[Point], guided: Sequence[Point], others: Sequence[Point]) -> bytes:
    """Draw the curves as a .png. Args: plain, guided points by temperature; others real texts and rivals."""
    panels = (("forward_perplexity", "reverse_perplexity"), ("forward_perplexity", "detection"), ("bleu", "self_bleu"))
    figure = Figure(figsize=(12, 3.8), layout="constrained", dpi=110)
    for axes, (across, up) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        for points, colour, label in ((plain, "#888888", "without the adversary"), (guided, "#c0392b", "with it")):
            if not points:
                continue
            x, y = ([one.scores[name] for one in points] for name in (across, up))
            at = [one.value for one in x]
            axes.plot(at, [one.value for one in y], "o-", color=colour, label=label)
            axes.fill_between(at, [one.low for one in y], [one.high for one in y], color=colour, alpha=0.2)
            for one, place in zip(points, zip(at, [each.value for each in y], strict=True), strict=True):
                axes.annotate(one.name.split()[-1], place, fontsize=7)
        for one, mark in zip(others, "s^D", strict=False):
            axes.plot(one.scores[across].value, one.scores[up].value, mark, color="black", label=one.name)
        axes.set_xlabel(across.replace("_", " "))
        axes.set_ylabel(up.replace("_", " "))
        if across == "forward_perplexity":
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.xaxis.set_major_formatter("{x:g}")  # the default, powers of ten, is set as mathematics and overlaps
            axes.xaxis.set_minor_locator(NullLocator())
    axes.legend(fontsize=7)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
