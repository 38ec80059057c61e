"""The evaluation of a dictionary: how often it is right, whether beginnings agree, and what the adversary adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganforge.kinds.text.dictionary.corpus import ALIGNED, ALIKE, GIVEN, Corpus
from ganforge.kinds.text.dictionary.matching import Pairs
from ganforge.kinds.text.dictionary.model import Stored
from ganforge.kinds.text.dictionary.starts import (
    ADVERSARY,
    BOTH,
    CHANCE,
    HALF,
    NEARNESS,
    PLACES,
)
from ganforge.measures.intervals import Estimate, measures_of, of_share, rival, rival_rows
from ganforge.records import GRADES, Block, Evaluation, Meaning, Rows, Verdict

FEWEST_JUDGED = 20  # words whose translation is known, below which nothing is said of them
BOUNDS = (0.7, 0.5, 0.3, 0.1)  # shares of known words that are right, of the first four grades
AGREE_WELL, AGREE_FAIRLY = 0.8, 0.5  # shares of words on which beginnings agree in a good and a fair dictionary
SHOWN = 30
MEANINGS = {
    "found": Meaning("higher", "Share of words, of those with a known translation, whose first translation is right."),
    "agreement": Meaning("higher", "Share of frequent words that another beginning translates in the same way."),
    "mutual": Meaning("higher", "Share of frequent words whose translation is translated back into them."),
}
SENTENCES = {
    ALIGNED: "Words of lines that are translations of each other, then self-learning.",
    GIVEN: "The pairs that were given, then self-learning.",
    ALIKE: "Words that are written alike in both languages, then self-learning.",
    PLACES: "How frequent words are and where they stand in a line, then self-learning.",
    BOTH: "The same, and how near other words are, then self-learning.",
    NEARNESS: "How near other words are, then self-learning (VecMap's beginning).",
    ADVERSARY: "A rotation that discriminators cannot tell from the other language, then self-learning.",
    CHANCE: "Pairs drawn at random, then self-learning: what is reached where nothing is known.",
}


@dataclass(frozen=True, slots=True)
class Known:
    """Pairs to judge by, which no beginning that is judged has used."""

    pairs: Pairs
    what: str  # they are
    of: str = ""  # the beginning that knows them: instead of it the one that began with the other half is judged
    sure: bool = True  # whether they are translations

    @classmethod
    def of_corpus(cls, corpus: Corpus) -> Known:
        """Return those of held-out lines, else every second that was given, else of the words written alike."""
        if len(corpus.unseen) >= FEWEST_JUDGED:
            return cls(corpus.unseen, "pairs of words in held-out lines that are translations of each other")
        if len(corpus.seeds) >= 2 * FEWEST_JUDGED:
            return cls(corpus.seeds[1::2], "your pairs that were left out", GIVEN)
        words = corpus.languages[0].words
        long = [pair for pair in corpus.same[1::2].tolist() if len(words[pair[0]]) > 3 and words[pair[0]].isalpha()]
        what = "words that are written alike, which need not mean the same"
        return cls(np.array(long, np.int64).reshape(-1, 2), what, ALIKE, sure=False)


def right(forward: NDArray[np.int64], pairs: Pairs) -> NDArray[np.bool_]:
    """Return which words get their known translation, in their order. Args: forward (J,) matches of frequent words."""
    true: dict[int, set[int]] = {}
    for word, other in pairs.tolist():
        if word < len(forward):
            true.setdefault(word, set()).add(other)
    return np.array([int(forward[word]) in others for word, others in sorted(true.items())], bool)


def evaluate_dictionary(stored: Stored, corpus: Corpus) -> Evaluation:
    """Return the evaluation of a dictionary, beside those of every other beginning."""
    matches, criteria = stored.get_buffer("matches").numpy(), stored.get_buffer("criteria").tolist()
    starts, chosen, count = stored.starts, int(stored.get_buffer("chosen")), matches.shape[1]
    forward, back = (stored.translations(side).words[:, 0] for side in (0, 1))
    known, null = Known.of_corpus(corpus), starts.index(CHANCE)
    judged = [place for place, name in enumerate(starts) if name != CHANCE and not name.endswith(HALF)]
    others = [place for place in judged if place != chosen]

    def found(place: int) -> Estimate | None:
        own = matches[starts.index(known.of + HALF)] if starts[place] == known.of else matches[place]
        hits = right(forward[:count] if place == chosen and starts[place] != known.of else own, known.pairs)
        return of_share(int(hits.sum()), len(hits)) if len(hits) >= FEWEST_JUDGED else None

    shares = {place: share for place in (*judged, null) if (share := found(place)) is not None}
    same = {place: int((matches[place] == matches[chosen]).sum()) for place in (*others, null)}
    nearest = max(others, key=lambda place: same[place])
    returned = int((back[forward[:count]] == np.arange(count)).sum())
    scored = {"agreement": of_share(same[nearest], count), "mutual": of_share(returned, count)}
    simplest = {"agreement": same[null] / count, "mutual": 1 / len(corpus.languages[1].words)}
    if chosen in shares:
        scored["found"], simplest["found"] = shares[chosen], shares[null].value
    told = [
        rival(
            f"{starts[place]} {place - starts.index(ADVERSARY) + 1}" if starts[place] == ADVERSARY else starts[place],
            SENTENCES[starts[place]],
            {"criterion": criteria[place], "agrees": same.get(place, count) / count}
            | ({"found": shares[place].value} if place in shares else {}),
        )
        for place in (chosen, *others, null)
    ]
    helps = _adversary_helps(starts, shares, criteria)
    sentences = (
        f"The dictionary began with {starts[chosen]}; {scored['agreement'].value:.0%} of frequent words are the same "
        f"when it begins with {starts[nearest]}.",
        *_about(stored, corpus, known, shares.get(chosen)),
        f"The adversary was {'' if helps else 'not '}certainly better than every beginning without it.",
    )
    return Evaluation(
        measures=measures_of(scored, MEANINGS, dict.fromkeys(scored, 1.0), simplest),
        verdict=_verdict(stored, corpus, known, scored, sentences, helps),
        samples=count,
        held_out=len(known.pairs),
        judge={"kind": "known words", "sentence": f"What is right is told by {known.what}."},
        floor="The floor is every word right, and the same at every beginning.",
        reference="The reference is self-learning from random pairs, and translations drawn at random.",
        best="every word right",
        simplest="random pairs",
        blocks=(
            some_words(stored, corpus),
            Block(
                "What each beginning led to",
                "The one with the highest criterion, the mean CSLS of best matches, was chosen.",
                (rival_rows(told, {"criterion": "criterion", "found": "right", "agrees": "agrees with the chosen"}),),
            ),
        ),
        facts={"rivals": told, "chosen": starts[chosen], "established": bool(stored.get_buffer("established"))},
    )


def some_words(stored: Stored, corpus: Corpus) -> Block:
    """Show some words with their translations, evenly among the most frequent ones."""
    one, other = corpus.languages
    certain, found = stored.get_buffer("certain_0").numpy(), stored.translations(0).words
    rows = []
    for place in np.linspace(0, min(len(one.words), 10 * SHOWN) - 1, SHOWN).astype(int).tolist():
        best = ", ".join(other.words[word] for word in found[place, :3])
        rows.append((one.words[place], best, "yes" if certain[place] else "no"))
    table = Rows((one.name, other.name, "certain"), tuple(rows))
    return Block("Some words", "Frequent words with their best three translations.", (table,), first=True)


def _adversary_helps(starts: Sequence[str], shares: Mapping[int, Estimate], criteria: Sequence[float]) -> bool:
    """Return whether the best restart of the adversary is certainly better than every beginning without it."""
    without = [place for place, name in enumerate(starts) if name not in (ADVERSARY, CHANCE)]
    best = max((place for place, name in enumerate(starts) if name == ADVERSARY), key=lambda place: criteria[place])
    if best in shares:
        return all(shares[best].low > shares[place].value for place in without if place in shares)
    return False


def _about(stored: Stored, corpus: Corpus, known: Known, found: Estimate | None) -> list[str]:
    """Return sentences on what is certain, and on what is right."""
    certain = float(stored.get_buffer("certain_0").double().mean())
    first = ": look at those first" * (certain > 0)
    sentences = [f"{certain:.0%} of the words of {corpus.languages[0].name} are certain{first}."]
    if found is None:
        sentences.append("No translations are known: give pairs with --seeds to learn how many are right.")
    else:
        sentences.append(f"Of {known.what}, {found.value:.0%} are right ({found.low:.0%} to {found.high:.0%}).")
    if corpus.passport["parallel"]:
        sentences.append("The lines are translations of each other, and were used as such.")
    return sentences


def _verdict(
    stored: Stored,
    corpus: Corpus,
    known: Known,
    scored: Mapping[str, Estimate],
    sentences: tuple[str, ...],
    helps: bool,
) -> Verdict:
    """Grade by the share of known words that are right, or, without any, by how far two beginnings agree."""
    one, other = corpus.languages
    if not stored.get_buffer("established"):
        headline = f"Failed: a dictionary of {one.name} and {other.name} is not established."
        do = "Give more text, texts on one subject, or some pairs of words with --seeds."
        return Verdict("failed", headline, (*sentences, do), False)
    agreement = scored["agreement"].value
    if "found" in scored and known.sure:
        share = scored["found"].value
        grade, headline = GRADES[sum(share < bound for bound in BOUNDS)], f"{share:.0%} of known words are right"
    else:
        grade = "good" if agreement >= AGREE_WELL else "fair" if agreement >= AGREE_FAIRLY else "poor"
        headline = f"two beginnings agree on {agreement:.0%} of frequent words; how many are right is not known"
    return Verdict(grade, f"{grade.capitalize()}: {headline}.", sentences, helps)
