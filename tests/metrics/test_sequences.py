"""Measures of texts against plain loops, and planted faults that each must notice."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from ganforge.kinds.text.generate.selection import BITS, Guide, discriminate, learn_guide
from ganforge.measures.sequences import (
    bleu,
    bucket_of,
    buckets_of_lengths,
    copies_of,
    detection,
    distinct,
    end_logits,
    features,
    grams_of,
    longer,
)

Text = np.ndarray


def _texts(count: int, seed: int, longest: int = 9, size: int = 8) -> list[Text]:
    random = np.random.default_rng(seed)
    return [random.integers(3, size, random.integers(0, longest)).astype(np.int32) for _ in range(count)]


def _plain_bleu(text: Text, references: list[Text]) -> float:
    logs = []
    for n in range(1, 5):
        counts = _counts(text, n)
        if counts:
            most = Counter[tuple[int, ...]]()
            for one in references:
                most |= _counts(one, n)
            matched = sum(min(count, most[gram]) for gram, count in counts.items())
            logs.append(math.log((matched or 0.1) / counts.total()))
    return math.exp(sum(logs) / len(logs)) if logs else 0.0


def _counts(text: Text, n: int) -> Counter[tuple[int, ...]]:
    return Counter(tuple(text[i : i + n].tolist()) for i in range(len(text) - n + 1))


def test_bleu_and_self_bleu_without_the_text_itself_are_those_of_plain_loops() -> None:
    texts, references = _texts(30, 0), _texts(20, 1)
    assert bleu(texts, references) == pytest.approx([_plain_bleu(one, references) for one in texts], abs=1e-12)
    others = [[two for place, two in enumerate(texts) if place != own] for own in range(len(texts))]
    assert bleu(texts) == pytest.approx([_plain_bleu(*pair) for pair in zip(texts, others, strict=True)], abs=1e-12)


def test_a_text_repeated_by_another_has_a_self_bleu_of_one_and_a_single_one_hardly_any() -> None:
    one, other = np.arange(3, 9, dtype=np.int32), np.arange(9, 15, dtype=np.int32)
    assert bleu([one, one, other])[:2] == pytest.approx(1)
    assert bleu([one, other]).max() < 0.1


def test_distinct_pairs_are_those_of_a_plain_count() -> None:
    texts = _texts(30, 0)
    pairs = [gram for text in texts for gram in _counts(text, 2).elements()]
    assert distinct(texts, 2) == len(set(pairs)) / len(pairs)


def test_the_longest_copied_run_is_that_of_a_plain_search_however_the_training_texts_are_divided() -> None:
    texts, train = _texts(30, 0), _texts(20, 1)
    texts.append(train[3].copy())
    found = copies_of(texts, [train[:7], train[7:]])
    for text, whole, run in zip(texts, found.whole, found.run, strict=True):
        assert whole == any(np.array_equal(text, one) for one in train)
        shared = [n for n in range(1, len(text) + 1) if any(_counts(text, n) & _counts(one, n) for one in train)]
        assert run == max(shared, default=0)


def test_detection_is_a_guess_between_equals_and_finds_a_planted_habit() -> None:
    real, other = _texts(400, 0, 12, 30), _texts(400, 1, 12, 30)
    same = detection(real, other)
    assert same.low < 0.5 < same.high or abs(same.value - 0.5) < 0.1
    habit = [np.r_[text, [5, 7, 5]].astype(np.int32) if place % 3 else text for place, text in enumerate(other)]
    assert detection(real, habit).low > 0.65


def test_what_a_guide_adds_along_a_text_is_the_logit_of_the_whole_text() -> None:
    weights = np.random.default_rng(0).normal(size=2**BITS).astype(np.float32)
    guide, text = Guide(weights, 3), np.array([4, 5, 3, 4], np.int32)
    whole = np.array([[1, *text.tolist(), 2]])
    along = sum(guide.raised(whole[:, :place], whole[:, place : place + 1])[0, 0] for place in range(1, 6))
    begin = weights[bucket_of(longer(np.zeros(1, np.uint64), np.ones(1, np.uint64)), 1, BITS)][0]
    length = weights[buckets_of_lengths(5, BITS)[4]]
    assert along == pytest.approx((features([text], 3, BITS, pairs=True) @ weights)[0] - begin + length, abs=1e-4)


def test_pairs_around_one_unit_are_those_of_a_plain_count() -> None:
    texts = _texts(30, 0)
    *_, found = grams_of(texts, 2, ends=True, pairs=True)
    whole = [[1, *text.tolist(), 2] for text in texts]
    counts = Counter(pair for text in whole for pair in zip(text, text[2:], strict=False))
    assert sorted(Counter(found.hashes.tolist()).values()) == sorted(counts.values())
    assert np.bincount(found.text, minlength=30).tolist() == [len(text) for text in texts]


def test_the_logits_of_ends_turn_the_lengths_of_drawn_texts_into_those_of_real_ones() -> None:
    random = np.random.default_rng(0)
    real, drawn = ([np.ones(length, np.int32) for length in random.binomial(9, share, 20_000)] for share in (0.5, 0.4))
    change, left = end_logits(real, drawn), 1.0
    for length, one in enumerate(change[:8]):
        ends = np.mean([len(text) == length for text in drawn if len(text) >= length])
        ends = 1 / (1 + (1 - ends) / ends * np.exp(-one))
        assert left * ends == pytest.approx(np.mean([len(text) == length for text in real]), abs=0.01)
        left *= 1 - ends


def _with_pairs(count: int, share: float, seed: int) -> list[Text]:
    """Texts of ten units in which 5 follows 4 with a given chance, else whatever."""
    random = np.random.default_rng(seed)
    texts = random.integers(3, 12, (count, 10))
    for place in range(9):
        follows = (texts[:, place] == 4) & (random.random(count) < share)
        texts[follows, place + 1] = 5
    return list(texts.astype(np.int32))


def test_a_discriminator_finds_the_habit_of_real_texts_and_a_guide_learns_it_in_rounds() -> None:
    real, unseen = _with_pairs(1_500, 0.9, 0), _with_pairs(300, 0.9, 1)
    weights, ranked = discriminate(real, _with_pairs(1_500, 0.0, 2), unseen, _with_pairs(300, 0.0, 3), most=2)
    assert ranked > 0.65
    after_4 = Guide(weights, 2).raised(np.array([[1, 4]]), np.arange(3, 12)[None])[0]
    assert after_4.argmax() == 5 - 3
    _, nothing = learn_guide(lambda guide, number: _with_pairs(800, 0.9, 9 + number), real, unseen, 2, rounds=4)
    assert len(nothing) == 1  # real texts against real texts: there is nothing to correct
