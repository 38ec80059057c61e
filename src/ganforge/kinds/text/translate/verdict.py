"""The evaluation of a dictionary: how often it is right, whether beginnings agree, and what the adversary adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ganforge.kinds.text.translate.corpus import Corpus
from ganforge.kinds.text.translate.dictionary import Pairs
from ganforge.kinds.text.translate.model import Stored
from ganforge.kinds.text.translate.starts import ADVERSARY, AGREE, CHANCE, HALF
from ganforge.measures.intervals import Estimate, measures_of, of_share, rival, rival_rows
from ganforge.records import GRADES, Block, Evaluation, Meaning, Rows, Verdict

FEWEST_JUDGED = 20  # words whose translation is known, below which nothing is said of them
BOUNDS = (0.7, 0.5, 0.3, 0.1)  # shares of known words that are right, of the first four grades
SHOWN = 30
MEANINGS = {
    "found": Meaning("higher", "Share of words, of those with a known translation, whose first translation is right."),
    "agreement": Meaning("higher", "Share of frequent words that another beginning translates in the same way."),
    "mutual": Meaning("higher", "Share of frequent words whose translation is translated back into them."),
}
SENTENCES = {
    "aligned lines": "Words of lines that are translations of each other, then self-learning.",
    "your pairs": "The pairs that were given, then self-learning.",
    "words written alike": "Words that are written alike in both languages, then self-learning.",
    "places": "How frequent words are and where they stand in a line, then self-learning.",
    "places and nearness": "The same, and how near other words are, then self-learning.",
    "nearness": "How near other words are, then self-learning (VecMap's beginning).",
    ADVERSARY: "A rotation that discriminators cannot tell from the other language, then self-learning.",
    CHANCE: "Pairs drawn at random, then self-learning: what is reached where nothing is known.",
}


def known_of(corpus: Corpus) -> tuple[Pairs, str]:
    """Return pairs to judge by, and what they are: of held-out lines, or, without any, of words written alike."""
    if len(corpus.unseen) >= FEWEST_JUDGED:
        return corpus.unseen, "pairs of words in held-out lines that are translations of each other"
    one = corpus.languages[0]
    letters = [pair for pair in corpus.same.tolist() if len(one.words[pair[0]]) > 3 and one.words[pair[0]].isalpha()]
    return np.array(letters, np.int64).reshape(-1, 2), "words of four letters or more that are written alike"


def right(forward: NDArray[np.int64], pairs: Pairs) -> NDArray[np.bool_]:
    """Return which words get their known translation, in their order. Args: forward (J,) matches of frequent words."""
    true: dict[int, set[int]] = {}
    for word, other in pairs.tolist():
        if word < len(forward):
            true.setdefault(word, set()).add(other)
    return np.array([int(forward[word]) in others for word, others in sorted(true.items())], bool)


def evaluate_dictionary(stored: Stored, starts: Sequence[str], corpus: Corpus) -> Evaluation:
    """Return the evaluation. Args: starts the names of the beginnings, in the order of the stored ones."""
    other = corpus.languages[1]
    matches, criteria = stored.get_buffer("matches").numpy(), stored.get_buffer("criteria").tolist()
    chosen, count = int(stored.get_buffer("chosen")), matches.shape[1]
    pairs, what = known_of(corpus)
    use = {name: np.arange(len(pairs)) for name in starts}
    from_alike = not len(corpus.unseen) and f"words written alike{HALF}" in starts
    forward, back = (stored.translations(side).words[:, 0] for side in (0, 1))
    shares: dict[int, Estimate] = {}
    for place, name in enumerate(starts):
        judged = _unused(corpus, pairs) if name.endswith(HALF) and from_alike else pairs[use[name]]
        hits = right(forward[:count] if place == chosen else matches[place], judged)
        if len(hits) >= FEWEST_JUDGED and not (from_alike and name == "words written alike"):
            shares[place] = of_share(int(hits.sum()), len(hits))
    own = chosen
    if chosen not in shares and starts[chosen] + HALF in starts:
        own = starts.index(starts[chosen] + HALF)
    returned = back[forward[:count]] == np.arange(count)
    null = starts.index(CHANCE)
    agreements = {place: float((matches[place] == matches[chosen]).mean()) for place in range(len(starts))}
    rivals_ = [
        place for place, name in enumerate(starts) if place != chosen and name != CHANCE and not name.endswith(HALF)
    ]
    nearest = max(rivals_, key=lambda place: agreements[place])
    scored = {
        "agreement": of_share(int((matches[nearest] == matches[chosen]).sum()), count),
        "mutual": of_share(int(returned.sum()), count),
    }
    floors, simplest = (
        {"agreement": 1.0, "mutual": 1.0},
        {"agreement": agreements[null], "mutual": 1 / len(other.words)},
    )
    if own in shares:
        scored = {"found": shares[own], **scored}
        floors["found"], simplest["found"] = 1.0, shares[null].value if null in shares else 0.0
    told = [
        rival(
            starts[place] if starts[place] != starts[chosen] or place == chosen else f"{starts[place]} again",
            SENTENCES[starts[place]],
            {"criterion": criteria[place], "agrees": agreements[place]}
            | ({"found": shares[place].value} if place in shares else {}),
        )
        for place in (chosen, *rivals_, null)
    ]
    helps = _adversary_helps(starts, shares, criteria)
    verdict = _verdict(
        stored, starts[chosen], shares.get(own), scored["agreement"], starts[nearest], what, helps, corpus
    )
    return Evaluation(
        measures=measures_of(scored, MEANINGS, floors, simplest),
        verdict=verdict,
        samples=count,
        held_out=len(pairs),
        judge={"kind": "known words", "sentence": f"What is right is told by {what}."},
        floor="The floor is every word right, and the same at every beginning.",
        reference="The reference is self-learning from random pairs, and translations drawn at random.",
        best="every word right",
        simplest="random pairs",
        blocks=(
            _words(stored, corpus),
            Block(
                "What each beginning led to",
                "The one with the highest criterion, the mean CSLS of best matches, was chosen.",
                (rival_rows(told, {"criterion": "criterion", "found": "right", "agrees": "agrees with the chosen"}),),
            ),
        ),
        facts={"rivals": told, "chosen": starts[chosen], "established": bool(stored.get_buffer("established"))},
    )


def _unused(corpus: Corpus, pairs: Pairs) -> Pairs:
    """Return the pairs that self-learning from every second word written alike did not begin with."""
    began = {tuple(pair) for pair in corpus.same[::2].tolist()}
    return np.array([pair for pair in pairs.tolist() if tuple(pair) not in began], np.int64).reshape(-1, 2)


def _words(stored: Stored, corpus: Corpus) -> Block:
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


def _verdict(
    stored: Stored, chosen: str, found: Estimate | None, agreement: Estimate, with_: str, what: str, helps: bool,
    corpus: Corpus,
) -> Verdict:  # fmt: skip
    one, other = corpus.languages
    certain = float(stored.get_buffer("certain_0").double().mean())
    sentences = [
        f"The chosen dictionary began with {chosen}; {agreement.value:.0%} of frequent words are the same "
        f"when it begins with {with_} ({agreement.low:.0%} to {agreement.high:.0%})."
    ]
    if found is not None:
        sentences.append(f"Of {what}, {found.value:.0%} are right ({found.low:.0%} to {found.high:.0%}).")
    else:
        sentences.append(
            "There are no words whose translation is known: give some with --seeds to learn how many are right."
        )
    sentences.append(
        "The adversary was certainly better than every other beginning."
        if helps
        else "The adversary was not certainly better than beginnings without it."
    )
    if not stored.get_buffer("established"):
        headline = f"Failed: a dictionary of {one.name} and {other.name} is not established"
        do = "Give more text, texts on one subject, or some pairs of words with --seeds."
        return Verdict("failed", f"{headline}.", (*sentences, do), False)
    grade = GRADES[sum(found.value < bound for bound in BOUNDS)] if found is not None else "fair"
    if agreement.value < AGREE:
        grade = GRADES[max(3, GRADES.index(grade))]
        sentences.append("The beginnings agree on few words: trust the certain ones alone.")
    right_ = (
        f"{found.value:.0%} of known words are right" if found is not None else "how many words are right is unknown"
    )
    sentences.insert(1, f"{certain:.0%} of the words of {one.name} are certain: look at those first.")
    if corpus.passport["parallel"]:
        sentences.append("The lines are translations of each other, and were used as such.")
    return Verdict(grade, f"{grade.capitalize()}: {right_}.", tuple(sentences), helps)
