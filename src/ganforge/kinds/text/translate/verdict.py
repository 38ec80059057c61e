"""The measures of translations, the choice of a method, and the verdict.

Beside pairs translations are measured by BLEU and chrF. Without any, three things are measured which are none of them
enough: how far the way back leads to what was given, how surprised n-grams of the language are, and how many of the
words that the dictionary is certain of are there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from ganforge.core.seeds import seed_for
from ganforge.kinds.text.dictionary.vectors import words_of
from ganforge.kinds.text.dictionary.verdict import some_words
from ganforge.kinds.text.restyle.edits import nearest_of
from ganforge.kinds.text.translate.corpus import TwoTexts
from ganforge.kinds.text.translate.model import COPY, METHODS, NETWORK, WORDS, SentenceTranslator
from ganforge.measures.intervals import (
    Estimate,
    certainly_lower,
    from_bootstrap,
    mean_by_bootstrap,
    measures_of,
    rival,
    rival_rows,
    values_of,
)
from ganforge.measures.ngrams import Ngrams
from ganforge.measures.sequences import chrf_of_each, corpus_bleu
from ganforge.records import GRADES, Block, Evaluation, Meaning, Rows, Verdict

NEAREST, UNTRAINED = "nearest line", "untrained network"
MOST_FITTED = 20_000  # lines that n-grams are fitted on
KEPT = 0.3  # share of certain words, below which a translation says something else
BOUNDS = (0.35, 0.25, 0.15, 0.05)  # of BLEU, of the first four grades
SHOWN = 8
MEANINGS = {
    "bleu": Meaning("higher", "BLEU-4 beside held-out translations, divided by 100."),
    "chrf": Meaning("higher", "Character F-score beside held-out translations, divided by 100."),
    "round_trip": Meaning("higher", "Character F-score of a line that was translated and translated back."),
    "perplexity": Meaning("lower", "How surprised 5-grams of the language are by a unit of a translation."),
    "certain_words": Meaning("higher", "Share of the words that the dictionary is certain of that are translated so."),
}
WAYS = {NETWORK: "by the network", WORDS: "word by word"}
SENTENCES = {
    NETWORK: "Read as a whole and written anew.",
    WORDS: "Each word by its best translation in the dictionary: no network.",
    NEAREST: "The translation of the most similar line that was learned from.",
    COPY: "The line as it is.",
    UNTRAINED: "The same network before its first step.",
}
HEADS = {"bleu": "BLEU", "chrf": "chrF"}
Scores = dict[str, Estimate]


@dataclass(frozen=True)
class Judge:
    """Held-out lines of both languages, and what judges translations of them."""

    texts: TwoTexts

    def sources(self, to: int, part: int) -> Sequence[str]:
        """Return every second held-out line of the language that is translated. Args: part 0 to choose, 1 to judge."""
        return self.texts.held[1 - to][part::2]

    def references(self, to: int, part: int) -> Sequence[str]:
        return self.texts.held[to][part::2]

    @cached_property
    def _ngrams(self) -> tuple[Ngrams, Ngrams]:
        units = self.texts.units
        one, other = (Ngrams.fit(units.encode_all(own[:MOST_FITTED]), units.size) for own in self.texts.train)
        return one, other

    def surprise(self, lines: Sequence[str], to: int) -> np.ndarray:
        """Return minus the mean log-probability of a unit of each line, (N,)."""
        lost, counts = self._ngrams[to].surprise(self.texts.units.encode_all(lines))
        found: np.ndarray = lost / np.maximum(counts, 1)
        return found

    def kept(self, sources: Sequence[str], made: Sequence[str], to: int) -> np.ndarray:
        """Return the share of certain words of each line that are translated so, (N,); NaN where there are none."""
        dictionary, shares = self.texts.dictionary, list[float]()
        for source, line in zip(sources, made, strict=True):
            wanted, there = dictionary.certain_words(source, 1 - to), set(words_of(line))
            shares.append(float(np.mean([word in there for word in wanted])) if wanted else np.nan)
        return np.array(shares)

    def nearest(self, sources: Sequence[str], to: int) -> list[str]:
        """Return the translations of the most similar lines that were learned from, by weighted words."""
        words = TfidfVectorizer(analyzer=words_of, sublinear_tf=True, dtype=np.float32)
        learned = words.fit_transform(self.texts.train[1 - to])
        _, places = nearest_of(words.transform(sources), learned)
        return [self.texts.train[to][place] for place in places.tolist()]

    def scores(self, model: SentenceTranslator, made: Sequence[str], to: int, method: str) -> Scores:
        """Measure translations of the sources of part 1 into a language."""
        random = np.random.default_rng(seed_for(0, "translate/bootstrap"))
        if self.texts.pairs:
            beside = self.references(to, 1)
            return {
                "bleu": corpus_bleu(made, beside, random),
                "chrf": mean_by_bootstrap(chrf_of_each(made, beside), random),
            }
        sources, back = self.sources(to, 1), model.translated(made, 1 - to, method)
        lost, shares = self.surprise(made, to), self.kept(sources, made, to)
        shares = shares[~np.isnan(shares)]
        return {
            "round_trip": mean_by_bootstrap(chrf_of_each(back, sources), random),
            "perplexity": from_bootstrap(lambda some: float(np.exp(lost[some].mean())), len(lost), random),
            **({"certain_words": mean_by_bootstrap(shares, random)} if len(shares) else {}),
        }


def chosen_methods(judge: Judge, model: SentenceTranslator) -> list[str]:
    """Return what translates into each language: word by word, unless the network is certainly better.

    Better is nearer to pairs, or, without any, less surprising while it keeps the words that are certain.
    """
    chosen = []
    for to in (0, 1):
        sources = judge.sources(to, 0)
        made = {method: model.translated(sources, to, method) for method in (WORDS, NETWORK)}
        if judge.texts.pairs:
            beside = judge.references(to, 0)
            lost = {name: -chrf_of_each(lines, beside) for name, lines in made.items()}
            fits = True
        else:
            lost = {name: judge.surprise(lines, to) for name, lines in made.items()}
            fits = bool(np.nanmean([0.0, *judge.kept(sources, made[NETWORK], to)]) >= KEPT)
        chosen.append(NETWORK if fits and certainly_lower(lost[NETWORK], lost[WORDS]) else WORDS)
    return chosen


def evaluate_translator(judge: Judge, model: SentenceTranslator, untrained: SentenceTranslator) -> Evaluation:
    """Return the evaluation: both directions by every method."""
    texts, names = judge.texts, judge.texts.names
    used = [METHODS[method] for method in model.product.methods.tolist()]
    scored, blocks, rivals = list[dict[str, Scores]](), list[Block](), dict[str, list[dict[str, object]]]()
    for to in (0, 1):
        sources = judge.sources(to, 1)
        made = {method: model.translated(sources, to, method) for method in METHODS[::-1]}
        if texts.pairs:
            made[NEAREST] = judge.nearest(sources, to)
        own = {method: judge.scores(model, lines, to, method) for method, lines in made.items()}
        own[UNTRAINED] = judge.scores(untrained, untrained.translated(sources, to, NETWORK), to, NETWORK)
        scored.append(own)
        order = (used[to], *(method for method in own if method != used[to]))
        rows = [rival(method, SENTENCES[method], values_of(own[method])) for method in order]
        rivals[names[to]] = rows
        shown = [made[NETWORK], made[WORDS], *([judge.references(to, 1)] if texts.pairs else [])]
        heads = (names[1 - to], NETWORK, WORDS, *(["as it was written"] if texts.pairs else []))
        blocks += [
            Block(
                f"Into {names[to]}: lines", "Held-out lines.",
                (Rows(heads, tuple(zip(*(lines[:SHOWN] for lines in (sources, *shown)), strict=True))),), first=True,
            ),
            Block(f"Into {names[to]}: every method", "The one that is used stands first.", (rival_rows(rows, HEADS),)),
        ]  # fmt: skip
    measured = {name: _mean([own[method][name] for own, method in zip(scored, used, strict=True)])
                for name in MEANINGS if all(name in own[WORDS] for own in scored)}  # fmt: skip
    simplest = {name: float(np.mean([own[WORDS][name].value for own in scored])) for name in measured}
    floors = dict.fromkeys(measured, 1.0)
    if "perplexity" in measured:
        written = [float(np.exp(judge.surprise(judge.references(to, 1), to).mean())) for to in (0, 1)]
        floors["perplexity"] = float(np.mean(written))
    return Evaluation(
        measures=measures_of(measured, MEANINGS, floors, simplest),
        verdict=_verdict(judge, scored, used, measured),
        samples=sum(len(judge.sources(to, 1)) for to in (0, 1)),
        held_out=sum(map(len, texts.held)),
        judge={
            "kind": "held-out lines",
            "sentence": "Lines beside their translations, which were never learned from."
            if texts.pairs else "Lines that were never learned from. Nobody knows their translations.",
        },
        floor="The floor is the translation that was written, or a line itself.",
        reference="The reference is the dictionary, word by word.",
        best="what was written",
        simplest="word by word",
        blocks=(*blocks, some_words(model.product.words, texts.corpus)),
        facts={"rivals": rivals, "methods": dict(zip(names, used, strict=True))},
    )  # fmt: skip


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    """Return the mean of the two directions."""
    value, low, high = np.mean([(one.value, one.low, one.high) for one in estimates], axis=0).tolist()
    return Estimate(value, low, high)


def _verdict(
    judge: Judge, scored: Sequence[Mapping[str, Scores]], used: Sequence[str], measured: Mapping[str, Estimate]
) -> Verdict:
    texts, sentences = judge.texts, list[str]()
    for to, (own, method) in enumerate(zip(scored, used, strict=True)):
        mine, words = own[method], own[WORDS]
        name = texts.names[to]
        told = ", ".join(f"{what.replace('_', ' ')} {its.value:.3f} ({words[what].value:.3f} word by word)"
                         for what, its in mine.items())  # fmt: skip
        sentences.append(f"Into {name}, by {method}: {told}.")
        if texts.pairs and own[NEAREST]["chrf"].value >= mine["chrf"].low:
            sentences.append(f"Into {name} it is not certainly better than the translation of the most similar line.")
        if method == WORDS:
            sentences.append(
                f"Into {name} the network is not certainly better than the dictionary, which is used: "
                "give more text, or more minutes."
            )
    if not texts.dictionary.established and not texts.pairs:
        headline = f"Failed: a dictionary of {' and '.join(texts.names)} is not established."
        do = "Give more text, texts on one subject, or some pairs of words with --seeds."
        return Verdict("failed", headline, (*sentences, do), None)
    if texts.pairs:
        bleu = measured["bleu"].value
        grade = GRADES[sum(bleu < bound for bound in BOUNDS)]
        return Verdict(grade, f"{grade.capitalize()}: BLEU {100 * bleu:.1f} beside held-out translations.",
                       tuple(sentences), None)  # fmt: skip
    grade = "fair" if NETWORK in used else "poor"
    ways = " and ".join(WAYS[method] for method in dict.fromkeys(used))
    headline = f"{grade.capitalize()}: lines are translated {ways}; without pairs nobody knows how many are right."
    if NETWORK in used:
        sentences.append("A fluent line may say something else than its source: read both.")
    do = "Give some hundred lines with their translations, as two files of their own, to learn how good they are."
    return Verdict(grade, headline, (*sentences, do), None)
