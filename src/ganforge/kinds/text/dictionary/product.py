"""The dictionary of two texts, found from every beginning: what a model stores."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import torch

from ganforge.core.seeds import seed_for
from ganforge.kinds.text.dictionary.corpus import Corpus, translated
from ganforge.kinds.text.dictionary.matching import led_by
from ganforge.kinds.text.dictionary.model import Described, Stored
from ganforge.kinds.text.dictionary.starts import certain_of, choose, dictionary_of, reach
from ganforge.kinds.text.dictionary.vectors import Array


def found(corpus: Corpus, rotations: Sequence[Array], seed: int) -> Stored:
    """Go on from every beginning by self-learning, choose, and find the translations of all words.

    Args: rotations (F, F) that an adversary found, if any.
    """
    languages = corpus.languages
    reached = reach(languages, corpus.known, rotations, seed_for(seed, "translate"))
    choice = choose(reached)
    stored = _described(corpus, [one.name for one in reached]).stored()
    stored.get_buffer("matches").copy_(torch.from_numpy(np.stack([one.forward for one in reached])))
    stored.get_buffer("criteria").copy_(torch.tensor([one.criterion for one in reached]))
    stored.get_buffer("chosen").fill_(choice.chosen)
    stored.get_buffer("established").fill_(choice.established)
    own, second = (dictionary_of(languages, reached[place]) for place in (choice.chosen, choice.second))
    for side in (0, 1):
        certain = certain_of(own[side], own[1 - side], second[side]) & choice.established
        told = corpus.told[:, [side, 1 - side]]
        certain[told[:, 0]] = True
        stored.fill(side, led_by(own[side], told), certain)
    return stored


def led_by_lines(stored: Stored, corpus: Corpus, lines: tuple[Sequence[str], Sequence[str]]) -> Stored:
    """Return a dictionary in which what lines tell stands first; what this changes is not certain.

    Args: lines of both languages, each beside its translation.
    """
    pairs, made = translated(lines, *corpus.languages), deepcopy(stored)
    for side in (0, 1):
        before = stored.translations(side)
        after = led_by(before, pairs[:, [side, 1 - side]])
        same = before.words[:, 0] == after.words[:, 0]
        made.fill(side, after, stored.get_buffer(f"certain_{side}").numpy() & same)
    return made


def description(corpus: Corpus, stored: Stored) -> Described:
    """Return what model.json says of a dictionary."""
    return _described(corpus, stored.starts)


def _described(corpus: Corpus, starts: Sequence[str]) -> Described:
    one, other = corpus.languages
    return Described(languages=(one.name, other.name), words=(one.words, other.words), starts=tuple(starts))
