"""Words of two languages: vectors, rotations, self-learning, the game on rotations, and what is established."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ganforge as gf
from ganforge.errors import DataError, InputError, RecipeError
from ganforge.kinds.text.dictionary.corpus import Corpus, in_parallel, open_corpus
from ganforge.kinds.text.dictionary.game import Discriminators, Rotations
from ganforge.kinds.text.dictionary.matching import (
    Translations,
    best_pairs,
    csls,
    procrustes,
    self_learning,
    translations,
)
from ganforge.kinds.text.dictionary.product import found, led_by_lines
from ganforge.kinds.text.dictionary.starts import CHANCE, NEARNESS, PLACES, Reached, beginnings, choose, reach
from ganforge.kinds.text.dictionary.vectors import Language, companions, positive, words_of
from ganforge.kinds.text.reading import open_texts

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fixtures"))

from languages import cipher, lines, write_languages


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return open_corpus(str(write_languages(tmp_path_factory.mktemp("text") / "two")), None, None, None)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    gf.train(
        write_languages(folder / "two", parallel=True),
        run=folder / "run",
        task="dictionary",
        size="tiny",
        examples=2_000,
    )
    return folder / "run"


def share_right(languages: tuple[Language, Language], forward: np.ndarray) -> float:
    one, other = languages
    due = [other.index.get(cipher(word), -1) for word in one.words[: len(forward)]]
    return float(np.mean([found == right for found, right in zip(forward, due, strict=True) if right >= 0]))


def random_vectors(count: int, dimensions: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, dimensions)) * np.arange(dimensions, 0, -1)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


# ---- vectors


def test_words_are_split_at_apostrophes_and_signs_and_entities_are_decoded() -> None:
    assert words_of("L&apos;homme, qu\u2019il voit.") == ["l'", "homme", ",", "qu\u2019", "il", "voit", "."]
    assert words_of("a well-known man") == ["a", "well-known", "man"]


def test_companions_are_counted_with_one_over_the_distance_and_never_across_lines() -> None:
    near = companions(np.array([0, 1, 0, 2, 1]), np.array([0, 0, 0, 1, 1]), 3).toarray()
    np.testing.assert_allclose(near, [[1.0, 2.0, 0.0], [2.0, 0.0, 1.0], [0.0, 1.0, 0.0]])  # 0-0: 1/2 in both directions


def test_information_is_that_of_the_formula() -> None:
    near = companions(np.array([0, 1, 0, 2, 1]), np.array([0, 0, 0, 1, 1]), 3)
    counts = near.toarray()
    contexts = counts.sum(0) ** 0.75
    with np.errstate(divide="ignore"):
        due = np.log(counts / counts.sum(1)[:, None] / (contexts / contexts.sum()))
    np.testing.assert_allclose(positive(near).toarray(), np.maximum(due, 0))


# ---- dictionaries


def test_a_rotation_is_found_exactly_from_pairs_of_it() -> None:
    x, turned = random_vectors(50, 6), np.linalg.qr(random_vectors(6, 6, seed=1))[0]
    np.testing.assert_allclose(procrustes(x, x @ turned), turned, atol=1e-5)


def test_csls_takes_off_what_a_hub_has_in_common_with_all() -> None:
    similarity = torch.tensor([[0.9, 0.8, 0.1], [0.9, 0.2, 0.7], [0.9, 0.1, 0.2]])
    assert best_pairs(similarity)[:3, 1].tolist() == [0, 0, 0]
    assert best_pairs(csls(similarity))[:3, 1].tolist() == [1, 2, 0]


def test_self_learning_goes_from_a_tenth_of_the_pairs_right_to_all_of_them() -> None:
    x, turned = random_vectors(400, 30), np.linalg.qr(random_vectors(30, 30, seed=1))[0]
    random = np.random.default_rng(2)
    wrong = random.permutation(400)
    wrong[:40] = np.arange(40)
    found = self_learning(x, x @ turned, np.stack([np.arange(400), wrong], axis=1), seed=0)
    np.testing.assert_allclose(found.rotation, turned, atol=1e-4)


def test_translations_in_blocks_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = random_vectors(30, 5), random_vectors(40, 5, seed=1)
    whole = csls(torch.from_numpy(x) @ torch.from_numpy(y).T)
    monkeypatch.setattr("ganforge.kinds.text.dictionary.matching.ROWS", 7)
    forward, back = translations(x, y)
    np.testing.assert_array_equal(forward.words[:, 0], whole.argmax(1))
    np.testing.assert_array_equal(back.words[:, 0], whole.argmax(0))
    np.testing.assert_allclose(back.scores[:, 0], whole.amax(0), rtol=1e-5)


# ---- the game


def test_the_steps_of_rotations_lead_back_to_rotations() -> None:
    torch.manual_seed(0)
    rotations = Rotations(2, 8)
    x, target = torch.randn(64, 8), torch.linalg.qr(torch.randn(8, 8))[0]
    with torch.no_grad():
        rotations.weight.mul_(1.05)  # off the rotations
    for _ in range(400):
        loss = (rotations(x) - (x @ target)[:, None]).square().sum(2).mean() + rotations.pull().sum()
        (field,) = torch.autograd.grad(loss, rotations.weight)
        with torch.no_grad():
            rotations.weight.sub_(0.05 * field)
    product = rotations.weight @ rotations.weight.mT
    torch.testing.assert_close(product.detach(), torch.eye(8).expand(2, 8, 8), atol=1e-2, rtol=0)
    same_side = torch.linalg.det(rotations.weight).sign() == torch.linalg.det(target).sign()
    torch.testing.assert_close(rotations.weight.detach()[same_side][0], target, atol=2e-2, rtol=0)


def test_restarts_side_by_side_are_the_same_as_alone() -> None:
    torch.manual_seed(0)
    rotations, discriminators = Rotations(3, 4), Discriminators(3, 4, 5)
    x = torch.randn(7, 4)
    scores = discriminators(rotations(x).flatten(0, 1)).view(7, 3)
    for restart in range(3):
        hidden = x @ rotations.weight[restart]
        for place, (weight, bias) in enumerate(zip(discriminators.weights, discriminators.biases, strict=True)):
            hidden = torch.nn.functional.leaky_relu(hidden, 0.2) if place else hidden
            hidden = hidden @ weight[restart] + bias[restart]
        torch.testing.assert_close(scores[:, restart], hidden[:, 0])


# ---- beginnings


def test_a_dictionary_is_found_without_pairs_and_is_established(corpus: Corpus) -> None:
    reached = reach(corpus.languages, {}, [], seed=0)
    choice = choose(reached)
    assert choice.established
    assert share_right(corpus.languages, reached[choice.chosen].forward) > 0.7


def test_the_same_text_in_other_words_is_found_exactly(tmp_path: Path) -> None:
    found = open_corpus(str(write_languages(tmp_path / "two", 1_000, parallel=True)), None, None, None)
    for name, pairs in beginnings(found.languages, {}).items():
        assert share_right(found.languages, pairs[: len(found.languages[0].words), 1]) > 0.9, name


def test_vectors_that_have_nothing_to_do_with_each_other_establish_nothing(corpus: Corpus) -> None:
    one, other = corpus.languages
    for seed in range(3):
        random = np.random.default_rng(seed)
        strange = replace(
            other,
            components=np.stack([random.permutation(column) for column in other.components.T], axis=1),
            places=np.stack([random.permutation(column) for column in other.places.T], axis=1),
        )
        assert not choose(reach((one, strange), {}, [], seed)).established


def test_chance_that_finds_the_same_dictionary_speaks_for_it_and_another_one_against_it() -> None:
    """On an exact rotation self-learning from random pairs may find it: that is no reason to doubt it."""
    right, wrong = np.arange(100), np.arange(100)[::-1].copy()

    def established(chance: np.ndarray) -> bool:
        reached = [Reached(name, np.eye(2, dtype=np.float32), 0.6, right) for name in (PLACES, NEARNESS)]
        return choose([*reached, Reached(CHANCE, np.eye(2, dtype=np.float32), 0.6, chance)]).established

    assert established(right)
    assert not established(wrong)


def test_translated_lines_lead_a_dictionary_and_what_they_change_is_not_certain(corpus: Corpus) -> None:
    one, other = corpus.languages
    stored = found(corpus, (), 0)
    right = stored.translations(0)
    wrong = Translations(np.roll(right.words, 1, axis=0), right.scores)
    stored.fill(0, wrong, np.ones(len(one.words), bool))
    text = lines(400, 5)
    led = led_by_lines(stored, corpus, (text, [" ".join(map(cipher, line.split())) for line in text]))
    best = led.translations(0).words[:, 0]
    changed = best != wrong.words[:, 0]
    assert changed.mean() > 0.5
    assert np.mean([other.words[best[word]] == cipher(one.words[word]) for word in np.flatnonzero(changed)]) > 0.95
    assert np.array_equal(led.get_buffer("certain_0").numpy(), ~changed)
    assert np.array_equal(stored.translations(0).words, wrong.words)  # not the one that was given


# ---- lines that are translations, and pairs that are given


def test_a_word_of_every_line_is_paired_with_its_translation_and_not_with_the_full_stop(tmp_path: Path) -> None:
    """ "a" and "." stand in nearly all lines, so in nearly all lines together: that alone says nothing."""
    random = np.random.default_rng(0)
    one = [("a " if random.random() < 0.8 else "") + line + " ." for line in lines(600, 0)]
    two = [" ".join(map(cipher, line.split()[:-1])) + " ." for line in one]
    (tmp_path / "two").mkdir()
    for name, text in (("one", one), ("two", two)):
        (tmp_path / "two" / f"{name}.txt").write_text("\n".join(text))
    found = open_corpus(str(tmp_path / "two"), None, None, None)
    first, second = found.languages
    assert {second.words[other] for word, other in found.aligned.tolist() if first.words[word] == "a"} == {"za"}


def test_translated_lines_are_seen_and_shuffled_or_sorted_ones_are_not(tmp_path: Path) -> None:
    def parallel(name: str, one: list[str], two: list[str]) -> bool:
        (tmp_path / name).mkdir()
        for language, text in (("a", one), ("b", two)):
            (tmp_path / name / f"{language}.txt").write_text("\n".join(text))
        whole = open_texts(str(tmp_path / name)).whole
        return in_parallel(whole.of_label(0), whole.of_label(1)) is not None

    one = lines(300, 0)
    two = [" ".join(map(cipher, line.split())) for line in one]
    shuffled = [two[place] for place in np.random.default_rng(0).permutation(len(two))]
    assert parallel("same", one, two)
    assert not parallel("shuffled", one, shuffled)
    assert not parallel("shorter", one, two[:-20])
    assert not parallel("sorted", sorted(one, key=len), sorted(shuffled, key=len))


def test_pairs_that_are_given_are_used_and_too_few_are_refused(tmp_path: Path) -> None:
    source = write_languages(tmp_path / "two", 1_000)
    words = sorted({word for line in lines(1_000, 0) for word in line.split()})
    (tmp_path / "pairs.tsv").write_text("\n".join(f"{word}\t{cipher(word)}" for word in words[:40]))
    found = open_corpus(str(source), None, None, str(tmp_path / "pairs.tsv"))
    assert "your pairs" in found.known and len(found.seeds) > 20
    (tmp_path / "few.txt").write_text("dog chien\ncat chat\n")
    with pytest.raises(DataError, match="0 pairs of words"):
        open_corpus(str(source), None, None, str(tmp_path / "few.txt"))
    (tmp_path / "turned.tsv").write_text("\n".join(f"{cipher(word)}\t{word}" for word in words[:40]))
    with pytest.raises(DataError, match="Exchange its columns"):
        open_corpus(str(source), None, None, str(tmp_path / "turned.tsv"))
    (tmp_path / "long.tsv").write_text("x" * 200_000 + "\ty\n")
    for name in ("missing.txt", "long.tsv"):
        with pytest.raises(DataError, match="cannot be read"):
            open_corpus(str(source), None, None, str(tmp_path / name))


@pytest.mark.parametrize("names", [("one.txt",), ("one.txt", "two.txt", "three.txt")])
def test_one_or_three_languages_are_refused(names: tuple[str, ...], tmp_path: Path) -> None:
    for place, name in enumerate(names):
        (tmp_path / name).write_text("\n".join(lines(100, place)))
    with pytest.raises(DataError, match="language"):
        open_corpus(str(tmp_path), None, None, None)


def test_an_empty_file_is_named_and_one_language_twice_is_asked_about(tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text("\n".join(lines(500, 0)))
    (tmp_path / "fr.txt").touch()
    with pytest.raises(DataError, match=r"no text in 'fr\.txt'"):
        open_corpus(str(tmp_path), None, None, None)
    (tmp_path / "fr.txt").write_text("\n".join(lines(500, 0)))
    assert "one language?" in open_corpus(str(tmp_path), None, None, None).passport["warnings"][-1]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"settings": {"dictionary.dimensions": "200"}}, "the vectors have"),
        ({"settings": {"network.name": "mlp"}}, "'rotations' alone"),
        ({"unit": "words"}, "--unit words was given"),
        ({"example": "line"}, "--example line was given"),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        gf.plan(write_languages(tmp_path / "two"), task="dictionary", size="tiny", examples=256, **asked)


def test_a_text_without_words_is_refused(tmp_path: Path) -> None:
    (tmp_path / "zh.txt").write_text("\n".join(f"我们在第{number}天去看山和水" for number in range(100)))
    (tmp_path / "en.txt").write_text("\n".join(lines(500, 0)))
    with pytest.raises(DataError, match="blanks"):
        open_corpus(str(tmp_path), None, None, None)


# ---- the model


def test_words_of_either_language_are_translated_with_scores_and_certainty(run: Path) -> None:
    word = lines(10, 0)[0].split()[0]
    table = gf.apply(run, word=word)
    assert table["translation"][0] == cipher(word) and len(table) == 5
    assert table["score"].is_monotonic_decreasing and table["certain"].tolist() == [True] + [False] * 4
    assert gf.apply(run, word=cipher(word).upper())["translation"][0] == word


def test_a_list_gets_a_row_for_each_word_and_a_text_is_translated_word_by_word(run: Path, tmp_path: Path) -> None:
    text = lines(20, 0)
    (tmp_path / "text.txt").write_text("\n".join(text))
    gf.apply(run, tmp_path / "text.txt", tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_text().splitlines() == [" ".join(map(cipher, line.split())) for line in text]
    table = gf.apply(run, [text[0].split()[0], "nonsense"])
    assert table["translation"].isna().tolist() == [False, True]
    gf.apply(run, text[0].split(), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().count("\n") == 1 + len(text[0].split())


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        (None, {"word": "nonsense"}, "not known"),
        (None, {"word": "ao000", "to": "german"}, "no language"),
        (None, {}, "No words"),
        (["a"], {"out": "translated.pdf"}, "cannot be written"),
        (None, {"word": " "}, "no word in it"),
        (None, {"word": "two words"}, "Use: ganforge apply RUN text.txt"),
        (["nonsense", ""], {"out": "translated.txt"}, "No word of it"),
        ([], {"out": "translated.txt"}, "No word of it"),
        (["a"], {"strength": 0.5}, "--strength 0.5 was given"),
        ("nothing.txt", {"out": "translated.txt"}, "cannot be read: No such file"),
    ],
)
def test_what_cannot_be_translated_is_refused(run: Path, source: object, options: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words) as refused:
        gf.apply(run, source, **options)
    assert len(str(refused.value)) < 400  # not all words that it knows


def test_a_word_of_the_language_that_is_asked_for_is_told(run: Path) -> None:
    word = lines(10, 0)[0].split()[0]
    with pytest.raises(InputError, match=r"is a word of 'one' itself.*Use --to two"):
        gf.apply(run, word=word, to="one")


def test_the_verdict_counts_known_words_and_says_whether_the_adversary_helps(run: Path) -> None:
    found = gf.evaluate(run)
    assert found["verdict"]["grade"] == "excellent"
    assert found["facts"]["established"] if "facts" in found else found["established"]
    assert {measure["name"] for measure in found["measures"]} == {"found", "agreement", "mutual"}
