"""The translator of lines: its network, what it learns from, what is chosen, and what `apply` keeps."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import sacrebleu
import torch
import torch.nn.functional as F

import ganforge as gf
from ganforge.core.seeds import Draws, generator_for
from ganforge.core.sequences import BEGIN, END, PAD
from ganforge.errors import DataError, InputError, RecipeError
from ganforge.kinds.text.translate.corpus import TwoTexts, open_two_texts
from ganforge.kinds.text.translate.model import NETWORK, WORDS, SentenceTranslator, StoredTranslator, load_translator
from ganforge.kinds.text.translate.networks import Translator
from ganforge.kinds.text.translate.plan import surprise, without_some
from ganforge.kinds.text.translate.verdict import Judge, chosen_methods
from ganforge.measures.sequences import corpus_bleu

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fixtures"))

from languages import cipher, write_languages


def opened(folder: Path, *, parallel: bool, pairs: bool | None = None, count: int = 600) -> TwoTexts:
    source = folder / "two"
    if not source.exists():
        write_languages(source, count, parallel=parallel)
    return open_two_texts(str(source), None, {}, pairs, 0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A translator of pairs, which has hardly learned."""
    folder = tmp_path_factory.mktemp("run")
    source = write_languages(folder / "two", 600, parallel=True)
    gf.train(source, run=folder / "run", task="translate", size="tiny", examples=128)
    return folder / "run"


@pytest.fixture(scope="module")
def model(run: Path) -> SentenceTranslator:
    return load_translator(run / "model")


# ---- the network


def test_a_text_is_read_and_written_the_same_whatever_its_padding() -> None:
    torch.manual_seed(0)
    network, language = Translator(40, 16), torch.tensor([1])
    x = torch.tensor([[5, 6, 7, END]])
    longer = F.pad(x, (0, 9), value=PAD)
    tokens = torch.tensor([[BEGIN, 8, 9, END]])
    with torch.no_grad():
        seen, again = (network.seen(network.read(one), language, tokens).known for one in (x, longer))
    torch.testing.assert_close(seen, again)
    assert torch.equal(network.written(x, language, 12), network.written(longer, language, 12))


def test_units_are_written_as_they_are_learned_from() -> None:
    """What is known while a text is written unit by unit is what is known of it as a whole."""
    torch.manual_seed(1)
    network, language = Translator(40, 16), torch.tensor([0, 1])
    x = torch.tensor([[5, 6, 7, END], [9, END, PAD, PAD]])
    made = network.written(x, language, 6)
    tokens = torch.cat([torch.full((2, 1), BEGIN), made], 1)
    with torch.no_grad():
        best = network.logits(network.seen(network.read(x), language, tokens[:, :-1]).known).argmax(2)
    before_end = (made == END).cumsum(1) - (made == END).int() == 0
    before_end[:, -1] = False  # where a text that goes on is ended
    assert torch.equal(best[before_end], made[before_end])


def test_nothing_is_written_after_the_end_and_every_text_has_one() -> None:
    torch.manual_seed(2)
    made = Translator(30, 8).written(torch.randint(3, 30, (5, 4)), torch.zeros(5, dtype=torch.int64), 7)
    assert ((made == END).sum(1) == 1).all()
    assert (made[(made == END).cumsum(1) - (made == END).int() > 0] == PAD).all()
    assert (made != BEGIN).all()


def test_surprise_is_the_mean_cross_entropy_of_a_texts_own_units() -> None:
    torch.manual_seed(3)
    network, known = Translator(30, 8), torch.randn(2, 3, 8)
    units = torch.tensor([[4, 5, END], [6, END, PAD]])
    every = F.log_softmax(network.logits(known), 2)
    due = [-(every[0, 0, 4] + every[0, 1, 5] + every[0, 2, END]) / 3, -(every[1, 0, 6] + every[1, 1, END]) / 2]
    torch.testing.assert_close(surprise(network, known, units), torch.stack(due))


def test_missing_units_leave_no_gap_and_the_end_stays() -> None:
    x = torch.tensor([[*range(3, 103), END, PAD]]).repeat(50, 1)
    random = Draws(generator_for(0, "test"))
    random.begin(0)
    left = without_some(x, 0.25, random)
    lengths = (left != PAD).sum(1)
    assert all(left[row, count - 1] == END for row, count in enumerate(lengths.tolist()))
    assert all((left[row, : count - 1].diff() > 0).all() for row, count in enumerate(lengths.tolist()))
    gone = 1 - (lengths - 1).double().mean() / 100
    assert abs(gone - 0.25) < 5 * (0.25 * 0.75 / 5_000) ** 0.5


def test_the_order_of_words_is_learned_from_pairs(tmp_path: Path) -> None:
    """Of a cipher whose words change places two by two the dictionary knows each word, the network their order, too."""
    source = write_languages(tmp_path / "two", 1_500, parallel=True)
    lines = [line.split() for line in (source / "two.txt").read_text().splitlines()]
    turned = [[word for first in range(0, len(line), 2) for word in line[first : first + 2][::-1]] for line in lines]
    (source / "two.txt").write_text("\n".join(map(" ".join, turned)) + "\n")
    run = gf.train(
        source, run=tmp_path / "run", task="translate", size="tiny", examples=24_000, unit="words",
        settings={"network.width": "64", "optimiser.learning_rate_start": "0.01"},
    )  # fmt: skip
    found = json.loads((run.folder / "evaluation.json").read_text())
    bleu = {one["name"]: one["measures"]["bleu"] for one in found["rivals"]["two"]}
    assert found["methods"] == {"one": NETWORK, "two": NETWORK}
    assert bleu[NETWORK] > 0.8
    assert bleu[WORDS] < 0.4


@pytest.mark.parametrize("pairs", [True, False])
def test_an_adversary_can_be_asked_for(tmp_path: Path, pairs: bool) -> None:
    """It plays, and its opinion reaches the translator."""
    source = write_languages(tmp_path / "two", 300, parallel=pairs)
    run = gf.train(
        source, run=tmp_path / "run", task="translate", size="tiny", examples=192,
        settings={"translate.against": "0.5", "translate.back_from": "0.5"},
    )  # fmt: skip
    last = json.loads((run.folder / "metrics.jsonl").read_text().splitlines()[-1])
    assert set(last["terms"]) == {"discriminator", "translator"}
    assert last["terms"]["translator"]["against"] > 0


# ---- what it learns from


def test_held_out_pairs_stand_nowhere_among_what_is_learned_from(tmp_path: Path) -> None:
    source = write_languages(tmp_path / "two", 600, parallel=True)
    for name in ("one", "two"):  # line 11 is line 1, which is held out: it must not be learned from either
        lines = (source / f"{name}.txt").read_text().splitlines()
        lines[10] = lines[0]
        lines[11] = lines[0] if name == "one" else lines[11]
        (source / f"{name}.txt").write_text("\n".join(lines) + "\n")
    texts = opened(tmp_path, parallel=True)
    assert texts.pairs
    for side in (0, 1):
        assert not set(texts.train[side]) & set(texts.held[side])
    assert [" ".join(map(cipher, line.split())) for line in texts.held[0][2:]] == texts.held[1][2:]
    assert [" ".join(map(cipher, line.split())) for line in texts.train[0]] == texts.train[1]


def test_rows_are_sources_beside_targets_of_the_label_s_language(tmp_path: Path) -> None:
    texts = opened(tmp_path, parallel=True)
    feed = texts.feed("cpu")
    batch = feed.batch(torch.arange(len(feed)))
    for row in (0, len(feed) - 1):
        source, target = (texts.units.decode(ids) for ids in batch["x"][row])
        side = int(batch["label"][row])
        assert target in texts.train[side]
        assert source == texts.train[1 - side][texts.train[side].index(target)]


def test_without_pairs_sources_are_the_dictionarys(tmp_path: Path) -> None:
    texts = opened(tmp_path, parallel=True, pairs=False)
    feed = texts.feed("cpu")
    source, target = (texts.units.decode(ids) for ids in feed.batch(torch.tensor([0]))["x"][0])
    assert source == texts.dictionary.line(target, 0)


def test_pairs_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="not translations of each other"):
        opened(tmp_path, parallel=False, pairs=True)


def test_too_few_lines_are_refused_and_the_other_task_is_named(tmp_path: Path) -> None:
    texts = opened(tmp_path, parallel=True, count=90)
    with pytest.raises(DataError, match="--task dictionary"):
        texts.feed("cpu")


# ---- what is chosen, and measured


@pytest.mark.parametrize("pairs", [True, False])
def test_an_untrained_network_is_never_chosen(tmp_path: Path, pairs: bool) -> None:
    texts = opened(tmp_path, parallel=True, pairs=pairs)
    torch.manual_seed(0)
    product = StoredTranslator(Translator(texts.units.size, 16), texts.dictionary.stored)
    untrained = SentenceTranslator(product, texts.dictionary, texts.units, 20)
    assert chosen_methods(Judge(texts), untrained) == [WORDS, WORDS]


def test_bleu_is_that_of_sacrebleu() -> None:
    made, due = ["a dog runs in the park today", "two cats sleep"], ["the dog runs in a park today", "two cats sleep"]
    found = corpus_bleu(made, due, np.random.default_rng(0))
    assert found.value == pytest.approx(sacrebleu.corpus_bleu(made, [due]).score / 100)
    assert found.low <= found.value <= found.high


def test_the_verdict_says_which_method_is_used_and_what_it_reaches(run: Path) -> None:
    verdict = json.loads((run / "evaluation.json").read_text())["verdict"]
    assert "BLEU" in verdict["headline"]
    assert any("the network is not certainly better than the dictionary" in one for one in verdict["sentences"])


# ---- apply


def test_lines_keep_their_number_ends_and_blanks(run: Path, tmp_path: Path, model: SentenceTranslator) -> None:
    known = model.dictionary.words[0][0]
    (tmp_path / "in.txt").write_bytes(f"  {known}\r\n\r\n{known} {known}\n\t{known}".encode())
    out = gf.apply(run, tmp_path / "in.txt", out=tmp_path / "out.txt")
    other = model.dictionary.words[1][int(model.dictionary.stored.translations(0).words[0, 0])]
    assert out.read_bytes() == f"  {other}\r\n\r\n{other} {other}\n\t{other}".encode()


def test_the_network_translates_sentence_by_sentence_and_long_ones_in_pieces(model: SentenceTranslator) -> None:
    line = "ao000 bo001. " + " ".join(["co002"] * 200)
    first, second = line.split(". ")
    alone = model.by_network([f"{first}.", second], 1)
    assert model.translated([f" {line}\n"], 1, NETWORK) == [f" {' '.join(alone)}\n"]
    assert model.by_network([first, "x", first], 1)[0] == model.by_network([first], 1)[0]  # whatever stands beside it


def test_words_are_found_as_in_a_dictionary(run: Path, tmp_path: Path, model: SentenceTranslator) -> None:
    word = model.dictionary.words[0][0]
    assert next(iter(gf.apply(run, word=word)["translation"])) == cipher(word)
    (tmp_path / "words.txt").write_text(f"{word}\n")
    assert cipher(word) in gf.apply(run, tmp_path / "words.txt", out=tmp_path / "words.csv").read_text()


@pytest.mark.parametrize(
    ("options", "says"),
    [({"to": "three"}, "no language 'three'"), ({"strength": 0.5}, "of a restyler"), ({}, "cannot be written as")],
)
def test_what_it_cannot_do_is_refused_in_words(run: Path, tmp_path: Path, options: dict, says: str) -> None:
    (tmp_path / "in.txt").write_text("ao000\n")
    with pytest.raises((InputError, RecipeError), match=says):
        gf.apply(run, tmp_path / "in.txt", out=tmp_path / ("out.pdf" if not options else "out.txt"), **options)
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


def test_a_text_in_neither_language_is_refused(run: Path) -> None:
    with pytest.raises(InputError, match="No word of it is a word of 'one'"):
        gf.apply(run, ["ни одного слова"], to="two")
