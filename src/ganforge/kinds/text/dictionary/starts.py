"""The dictionaries that different beginnings lead to, the choice among them, and whether any is established.

Every beginning is a set of pairs, from which self-learning goes on. They use different knowledge: pairs that are known;
where words stand in a line and how frequent they are; how near other words are; what the adversary found. The choice
is by the criterion AFTER self-learning; before it, it says nothing (docs/log.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.core.seeds import generator_for
from ganforge.kinds.text.dictionary.matching import (
    Pairs,
    Translations,
    forward_of,
    matching,
    pairs_of,
    refined,
    self_learning,
    translations,
)
from ganforge.kinds.text.dictionary.vectors import DIMENSIONS, Array, Language

LEARNED = 100  # dimensions of self-learning
FREQUENT = 1_500  # words of either language that it uses
JUDGED = 1_000  # words by which beginnings are compared
PLACES, BOTH, NEARNESS, ADVERSARY, CHANCE = "places", "places and nearness", "nearness", "adversary", "chance"
HALF = " (half)"  # of known pairs: the others judge it
CHANCES = 2  # dictionaries from random pairs, beyond which a criterion must be
AGREE = 0.1  # share of the judged words on which two beginnings must agree: wrong ones agree on 0 to .01
MORE, ROUNDS = 2_500, 8  # words and rounds of the last refinement, with all dimensions


@dataclass(frozen=True, slots=True)
class Reached:
    """What a beginning led to."""

    name: str
    rotation: Array  # (LEARNED, LEARNED)
    criterion: float
    forward: NDArray[np.int64]  # (JUDGED,) the match of each frequent word of the first language

    def agreement(self, other: Reached) -> float:
        """Return the share of frequent words for which both have the same match."""
        return float((self.forward == other.forward).mean())


def beginnings(languages: tuple[Language, Language], known: Mapping[str, Pairs]) -> dict[str, Pairs]:
    """Return the pairs of every beginning but the adversary's, by name."""
    one, other = languages
    count = min(FREQUENT, len(one.words), len(other.words))
    traits = one.traits(count), other.traits(count)
    near = one.similarities(LEARNED, count), other.similarities(LEARNED, count)
    both = tuple(np.concatenate(parts, axis=1) for parts in zip(near, traits, strict=True))
    return {
        **known,
        PLACES: matching(*traits),
        BOTH: matching(both[0], both[1]),
        NEARNESS: matching(*near),
    }


def reached_from(languages: tuple[Language, Language], name: str, pairs: Pairs, seed: int) -> Reached:
    """Go on from pairs of words by self-learning."""
    one, other = (language.vectors(LEARNED, FREQUENT) for language in languages)
    within = (pairs[:, 0] < len(one)) & (pairs[:, 1] < len(other))
    found = self_learning(one, other, pairs[within], seed)
    forward = forward_of(pairs_of(one, other, found.rotation), len(one))[: min(JUDGED, len(one), len(other))]
    return Reached(name, found.rotation, found.criterion, forward)


def from_chance(languages: tuple[Language, Language], seed: int) -> Reached:
    """Go on from pairs drawn at random: what is reached where nothing is known."""
    counts = [min(FREQUENT, len(language.words)) for language in languages]
    random = generator_for(seed, "translate/chance")
    drawn = [torch.randint(count, (counts[0],), generator=random).numpy() for count in counts]
    return reached_from(languages, CHANCE, np.stack(drawn, axis=1), seed)


def reach(
    languages: tuple[Language, Language], known: Mapping[str, Pairs], rotations: Sequence[Array], seed: int
) -> list[Reached]:
    """Go on from every beginning, from half of the pairs of each known one, and from chance.

    Args: rotations (F, F) that the adversary found.
    """
    began = [*beginnings(languages, known).items(), *((name + HALF, pairs[::2]) for name, pairs in known.items())]
    for rotation in rotations:
        one, other = (language.vectors(len(rotation), FREQUENT) for language in languages)
        began.append((ADVERSARY, pairs_of(one, other, rotation)))
    reached = [reached_from(languages, name, pairs, seed) for name, pairs in began]
    return [*reached, *(from_chance(languages, seed + number) for number in range(CHANCES))]


@dataclass(frozen=True, slots=True)
class Choice:
    """The beginning that is used, the one that agrees best with it, and whether the dictionary is established."""

    chosen: int
    second: int
    established: bool


def choose(reached: Sequence[Reached]) -> Choice:
    """Choose the beginning of the highest criterion.

    Its dictionary is established if the criterion is beyond what chance leads to, and another beginning led to the same
    for enough words: wrong dictionaries have nothing in common. Of an exact rotation chance may find the right one.
    """
    judged = [place for place, one in enumerate(reached) if not one.name.endswith(HALF) and one.name != CHANCE]
    chosen = max(judged, key=lambda place: reached[place].criterion)
    wrong = [one for one in reached if one.name == CHANCE and one.agreement(reached[chosen]) < AGREE]
    beyond = all(reached[chosen].criterion > one.criterion for one in wrong)
    agreements = {place: reached[place].agreement(reached[chosen]) for place in judged if place != chosen}
    second = max(agreements, key=lambda place: agreements[place])
    return Choice(chosen, second, beyond and agreements[second] >= AGREE)


def dictionary_of(languages: tuple[Language, Language], reached: Reached) -> tuple[Translations, Translations]:
    """Return the translations of all words, in all dimensions, beginning with the pairs of what was reached."""
    one, other = (language.vectors(LEARNED, MORE) for language in languages)
    pairs = pairs_of(one, other, reached.rotation)
    one, other = (language.vectors(DIMENSIONS, MORE) for language in languages)
    rotation = refined(one, other, pairs, ROUNDS)
    return translations(languages[0].vectors(DIMENSIONS) @ rotation, languages[1].vectors(DIMENSIONS))


def certain_of(own: Translations, other: Translations, second: Translations) -> NDArray[np.bool_]:
    """Return which words (V,) are translated back into themselves, and are the same after another beginning."""
    best = own.words[:, 0]
    certain: NDArray[np.bool_] = (other.words[best, 0] == np.arange(len(best))) & (second.words[:, 0] == best)
    return certain
