"""Modified Kneser-Ney n-grams against closed forms."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from ganforge.measures.ngrams import Ngrams

SIZE = 8  # padding, beginning, end, and five units


def _texts(count: int, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.integers(3, SIZE, random.integers(0, 6)).astype(np.int32) for _ in range(count)]


def _chance(model: Ngrams, *units: int) -> float:
    """The chance that a text is these units, and ends."""
    return float(np.exp(-model.surprise([np.array(units, np.int32)])[0][0]))


def test_the_chances_of_all_texts_add_up_to_one() -> None:
    model = Ngrams.fit(_texts(60), SIZE)
    short = sum(_chance(model, *units) for n in range(4) for units in product(range(3, SIZE), repeat=n))
    drawn = model.sample(40_000, np.random.default_rng(1))
    longer = np.mean([len(text) > 3 for text in drawn])
    assert short + longer == pytest.approx(1, abs=4 * 0.5 / 200)


@pytest.mark.parametrize("context", [(), (3,), (3, 4), (7, 7, 7), (3, 4, 5, 6), (5, 5, 5, 5, 5, 5)])
def test_after_every_context_the_chances_add_up_to_one(context: tuple[int, ...]) -> None:
    model = Ngrams.fit(_texts(60), SIZE)
    flat = [np.array([1, *context, unit]) for unit in range(2, SIZE)]
    assert sum(model._chances(one, np.arange(len(one)))[-1] for one in flat) == pytest.approx(1, abs=1e-12)


def _flat(text: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = np.array([1, *text.tolist(), 2])
    return flat, np.arange(len(flat))


def test_bigrams_of_a_corpus_by_hand() -> None:
    """Texts: a a, a b, b. Too few counts of counts, so the discounts are 0.5, 1, 1.5."""
    a, b = 3, 4
    model = Ngrams.fit([np.array(t, np.int32) for t in ([a, a], [a, b], [b])], 5, order=2)
    # Bigrams: <a 2, <b 1, aa 1, ab 1, a> 1, b> 2. Different units before: a 2 (<, a), b 2 (<, a), > 2 (a, b).
    lowest = (2 - 1.0) / 6 + (3.0 / 6) / 3  # of each unit alike: 3 of 6 are freed, for 3 units
    assert lowest == pytest.approx(1 / 3)
    begins_with_a = (2 - 1.0) / 3 + (1.0 + 0.5) / 3 * lowest
    a_after_a = (1 - 0.5) / 3 + (3 * 0.5) / 3 * lowest
    ends_after_a = a_after_a
    assert _chance(model, a, a) == pytest.approx(begins_with_a * a_after_a * ends_after_a, abs=1e-12)
    ends_after_b = (2 - 1.0) / 2 + 1.0 / 2 * lowest
    begins_with_b = (1 - 0.5) / 3 + (1.0 + 0.5) / 3 * lowest
    assert _chance(model, b) == pytest.approx(begins_with_b * ends_after_b, abs=1e-12)


def test_drawn_texts_have_the_chances_that_the_model_gives_them() -> None:
    model, count = Ngrams.fit(_texts(60), SIZE), 40_000
    drawn = [tuple(text.tolist()) for text in model.sample(count, np.random.default_rng(0))]
    for text in [(), (4,), (6, 7), (5, 3)]:
        chance = _chance(model, *text)
        assert abs(drawn.count(text) / count - chance) < 5 * (chance / count) ** 0.5


def test_what_was_never_seen_has_a_chance_where_every_count_is_high() -> None:
    often = [np.array([3, 4], np.int32)] * 9 + _texts(60)
    model = Ngrams.fit(often * 3, SIZE + 1)
    assert _chance(model, SIZE) > 0 and _chance(model, 3, 4, SIZE, 5) > 0


def test_what_is_not_scored_is_not_counted() -> None:
    model = Ngrams.fit(_texts(60), SIZE)
    text = np.array([3, 4, 5], np.int32)
    chances = model._chances(*_flat(text))
    lost, counts = model.surprise([text, text[:0]], unscored=4)
    assert counts.tolist() == [3, 1]
    assert lost[0] == pytest.approx(-np.log(chances[[1, 3, 4]]).sum())
