"""Measures of rewritten lines: by a judge of styles that no method has seen, beside real lines of every style.

Scores by classifier and fluency alone are won by one and the same ending behind every line; so the share of the most
common ending, and what is kept, stand beside them. Shape letters: N lines, K styles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from ganforge.core.seeds import seed_for
from ganforge.kinds.text.restyle.edits import Line, Values, ending_of, grams, words_of
from ganforge.measures.intervals import Estimate, from_bootstrap, mean_by_bootstrap, of_share
from ganforge.measures.sequences import chrf_of_each
from ganforge.records import Meaning

FOLDS = 3  # of the judge: no line is judged by one that has seen it
FEWEST_REFERENCES = 30

MEANINGS: Mapping[str, Meaning] = {
    "accuracy": Meaning("higher", "Share of rewritten lines that a judge takes to be of the style asked for."),
    "reference": Meaning(
        "higher", "Characters shared with a line of the style that says the same as the source (chrF, 0 to 1)."
    ),
    "kept": Meaning("higher", "Characters shared with the source (chrF, 0 to 1)."),
    "perplexity": Meaning("lower", "How surprising the lines are to n-grams of the style's held-out lines."),
    "common_ending": Meaning("lower", "Share of the lines that have the most common ending of three words."),
}


class Judge:
    """Logistic regression on weighted runs of one to three words, on lines that nothing else has seen."""

    def __init__(self, lines: Sequence[Line], labels: NDArray[np.int64]) -> None:
        """Args: labels (N,) of the lines."""
        self.lines, self.labels = lines, labels
        self._fold = np.arange(len(lines)) % FOLDS if len(lines) >= 2 * FOLDS else np.zeros(len(lines), np.int64)
        self._models: list[tuple[TfidfVectorizer, OneVsRestClassifier]] = []
        for fold in range(FOLDS):
            seen = np.flatnonzero(self._fold != fold)
            seen = seen if len(np.unique(labels[seen])) == len(np.unique(labels)) else np.arange(len(lines))
            weighted = TfidfVectorizer(analyzer=_runs, sublinear_tf=True, min_df=2 if len(seen) > 1_000 else 1)
            x = weighted.fit_transform([lines[place] for place in seen.tolist()])
            one = LogisticRegression(C=10.0, solver="liblinear", class_weight="balanced")
            self._models.append((weighted, OneVsRestClassifier(one).fit(x, labels[seen])))
        self.real = self.named(lines, np.arange(len(lines))) == labels

    def weighted(self, lines: Sequence[Line]) -> csr_matrix:
        """Return lines as weighted words."""
        words = TfidfVectorizer(analyzer=lambda line: words_of(line.keys), sublinear_tf=True)
        return words.fit_transform(lines)

    def named(self, lines: Sequence[Line], sources: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the style (N,) of lines. Args: sources (N,) places of the lines of which they were made."""
        found = np.zeros(len(lines), np.int64)
        for fold, (weighted, model) in enumerate(self._models):
            here = np.flatnonzero(self._fold[sources] == fold)
            if len(here):
                found[here] = model.predict(weighted.transform([lines[place] for place in here.tolist()]))
        return found


def _runs(line: Line) -> list[str]:
    return [" ".join(run) for n in (1, 2, 3) for run in grams(line.keys, n)]


@dataclass(frozen=True)
class Course:
    """How lines are put into one style, and what is measured on the way."""

    style: int
    sources: Sequence[Line]  # judged lines of the other styles
    places: NDArray[np.int64]  # (N,) of these lines among all judged ones
    references: Sequence[tuple[int, Line]]  # a place in `sources`, and a judged line of the style that says the same
    judge: Judge
    surprise: Callable[[Sequence[Line]], Values]  # minus the mean log-probability of a unit, by judged lines
    spare: Sequence[Line]  # judged lines of the style that `surprise` has not seen

    def first(self, count: int) -> Course:
        """Return the course of the first sources alone."""
        few = [(place, line) for place, line in self.references if place < count]
        return replace(self, sources=self.sources[:count], places=self.places[:count], references=few)

    def real(self) -> tuple[Estimate, float, float]:
        """Return of real lines of the style: the share that the judge knows, that of one ending, the perplexity."""
        own = self.judge.labels == self.style
        right, lines = self.judge.real[own], [line for line, mine in zip(self.judge.lines, own, strict=True) if mine]
        ending = Counter(map(ending_of, lines)).most_common(1)[0][1] / len(lines)
        return of_share(int(right.sum()), len(right)), ending, float(np.exp(self.surprise(self.spare).mean()))

    def scores(self, made: Sequence[Line]) -> dict[str, Estimate]:
        """Measure rewritten lines, one for each source."""
        right = self.judge.named(made, self.places) == self.style
        endings = Counter(map(ending_of, made))
        kept = chrf_of_each([line.text for line in made], [source.text for source in self.sources])
        random = np.random.default_rng(seed_for(0, "restyle/bootstrap"))
        found = {"accuracy": of_share(int(right.sum()), len(right))}
        if len(self.references) >= FEWEST_REFERENCES:
            places, near = zip(*self.references, strict=True)
            close = chrf_of_each([made[place].text for place in places], [line.text for line in near])
            found["reference"] = mean_by_bootstrap(close, random)
        surprise = self.surprise(made)
        return found | {
            "kept": mean_by_bootstrap(kept, random),
            "perplexity": from_bootstrap(lambda some: float(np.exp(surprise[some].mean())), len(made), random),
            "common_ending": of_share(endings.most_common(1)[0][1], len(made)),
        }
