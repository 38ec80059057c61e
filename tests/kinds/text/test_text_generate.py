"""Runs that draw new texts: their files, prompts and labels, and that what the adversary learned is used."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ganforge as gf
from ganforge.cli import main
from ganforge.core.device import torch_threads
from ganforge.core.files import write_folder
from ganforge.core.labels import Labels
from ganforge.core.seeds import generator_for
from ganforge.core.sequences import PAD
from ganforge.errors import DataError, InputError, RecipeError, RunError
from ganforge.kinds.text.generate.model import Asked, TextModel, Writer, load_writer
from ganforge.kinds.text.generate.selection import BITS
from ganforge.kinds.text.generate.task import Generate
from ganforge.kinds.text.generate.vocabulary import UNKNOWN, Vocabulary
from ganforge.kinds.text.reading import open_texts
from ganforge.kinds.text.units import choose_units
from ganforge.measures.sequences import bucket_of, longer
from ganforge.networks.language_model import MODELS, draw_texts, padded, surprise_of
from ganforge.recipe import Request

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fixtures"))

from written import texts

LINES = texts(200, ["road", "street"])


def _model(name: str = "gru", labels: int = 0) -> tuple[Writer, Vocabulary]:
    vocabulary = Vocabulary.of(choose_units(LINES)[0])
    torch.manual_seed(0)
    return Writer(MODELS[name](vocabulary.size, labels, 32, 2, 0.0, 20)).eval(), vocabulary


@pytest.mark.parametrize("name", MODELS)
def test_drawing_step_by_step_gives_the_chances_of_reading_a_whole_text(name: str) -> None:
    writer, vocabulary = _model(name, labels=2)
    network, label = writer.network, torch.tensor([0, 1])
    tokens = padded(list(vocabulary.encoded(LINES[:2])))
    with torch.no_grad():
        whole = network(tokens, label)
        state = network.begin(2, label)
        for place in range(tokens.shape[1]):
            hidden, state = network.step(tokens[:, place], state)
            torch.testing.assert_close(hidden, whole[:, place], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_drawn_texts_are_as_frequent_as_the_model_says(name: str) -> None:
    writer, _ = _model(name)
    network, count = writer.network, 4_000
    with torch.no_grad():
        network.bias[3:] -= 3  # short texts, so that some come often
        network.embedding.weight *= 0.3
    drawn = [text.tobytes() for text in draw_texts(network, count, generator_for(0, "test"), longest=18)]
    for units in ([], [5]):
        text = np.array(units, np.int32)
        chance = float(np.exp(-surprise_of(network, [text])[0][0]))
        assert abs(drawn.count(text.tobytes()) / count - chance) < 5 * (chance / count) ** 0.5 + 1e-3


def test_the_chance_of_padding_and_of_longer_texts_is_not_counted() -> None:
    writer, vocabulary = _model()
    one, *_ = vocabulary.encoded(LINES[:1])
    alone = surprise_of(writer.network, [one])
    beside = surprise_of(writer.network, [one, np.concatenate([one, one])])
    assert alone[1][0] == beside[1][0] == len(one) + 1
    assert alone[0][0] == pytest.approx(beside[0][0], rel=1e-5)
    cut = surprise_of(writer.network, [one], longest=3)
    assert cut[1][0] == 3  # without an end
    assert padded([one], 3)[0, -1] == PAD


def test_rare_words_are_read_as_unknown_and_never_drawn() -> None:
    writer, vocabulary = _model()
    ids = next(vocabulary.encoded(["a small zebra sits near the quay quay"]))
    assert (ids == UNKNOWN).sum() == 3
    assert vocabulary.text_of(ids) == "a small sits near the"
    model = TextModel(writer, vocabulary, Labels(), 18)
    drawn = model.draw(200, Asked(1.5, 0.0), None, seed=0)
    assert not any((text == UNKNOWN).any() for text in drawn)
    subwords = Vocabulary.of(choose_units(LINES, "subwords")[0])
    assert subwords.text_of(next(subwords.encoded(["a zebra \U0001f600"]))) == "a zebra \U0001f600"


def test_sampling_takes_one_thread_and_leaves_the_number_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    writer, vocabulary = _model()
    logits, threads = writer.network.logits, list[int]()
    monkeypatch.setattr(
        writer.network, "logits", lambda hidden: (threads.append(torch.get_num_threads()), logits(hidden))[1]
    )
    with torch_threads(2):
        assert len(TextModel(writer, vocabulary, Labels(), 18).sample(3, {}, seed=0).value()) == 3
        assert torch.get_num_threads() == 2
    assert set(threads) == {1}


def test_a_guide_changes_what_is_drawn_as_far_as_its_strength() -> None:
    writer, vocabulary = _model()
    wanted = next(vocabulary.encoded(["dog"]))[0]
    model = TextModel(writer, vocabulary, Labels(), 18)

    def share(strength: float) -> float:
        return float(np.mean([(text == wanted).any() for text in model.draw(500, Asked(0.9, strength), None, 0)]))

    plain = share(1.0)  # nothing was learned yet
    place = bucket_of(longer(np.zeros(1, np.uint64), np.array([wanted], np.uint64)), 1, BITS)[0]
    writer.guides[:, place] = 3.0
    assert share(0.0) == plain < share(0.3) < share(1.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    (folder / "captions").mkdir()
    for name, scene in (("land", ["road", "street", "field"]), ("sea", ["boat", "beach", "wave"])):
        (folder / "captions" / f"{name}.txt").write_text("\n".join(texts(300, scene, seed=len(name))), "utf-8")
    gf.train(folder / "captions", run=folder / "run", size="tiny", examples=6_000, settings={"text.rounds": "1"})
    return folder / "run"


@pytest.mark.slow
def test_texts_are_written_to_each_format_and_begin_alike_however_many_there_are(run: Path, tmp_path: Path) -> None:
    drawn = gf.load(run).sample(700, seed=3)
    assert drawn[:20] == gf.load(run).sample(20, seed=3)
    for name in ("new.txt", "new.jsonl", "new.csv"):
        assert main(["sample", str(run), "-n", "20", "--seed", "3", "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / "new.txt").read_text().splitlines() == drawn[:20]
    rows = [json.loads(line) for line in (tmp_path / "new.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == drawn[:20]
    with (tmp_path / "new.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == rows
    sea = {"boat", "beach", "wave"}
    right = [bool(sea & set(row["text"].split())) == (row["label"] == "sea") for row in rows]
    assert np.mean(right) > 0.7
    only = gf.load(run).sample(40, seed=0, label="sea")
    assert np.mean([bool(sea & set(text.split())) for text in only]) > 0.7


@pytest.mark.slow
def test_prompts_and_words_are_kept_as_they_were_typed(run: Path) -> None:
    model = gf.load(run)
    for prompt in ("a small", "a small dog ", "Žižka and the \U0001f600"):
        assert all(text.startswith(prompt.rstrip(" ")) for text in model.sample(5, seed=0, prompt=prompt))
    held = model.sample(5, seed=0, contains="dog", temperature=0.9)
    assert len(held) == 5 and all("dog" in text.split() for text in held)
    with pytest.raises(InputError, match="0 hold 'zebra'"):
        model.sample(5, seed=0, contains="zebra")
    with pytest.raises(InputError, match="as long as a whole text"):
        model.sample(5, seed=0, prompt="a dog " * 40)
    with pytest.raises(InputError, match="no label 'se'"):
        model.sample(5, seed=0, label="se")
    with pytest.raises(RecipeError, match="--temperature cannot be"):
        model.sample(5, seed=0, temperature=0)


@pytest.mark.slow
def test_the_report_shows_texts_and_curves_and_says_whether_the_adversary_helps(run: Path) -> None:
    found = json.loads((run / "evaluation.json").read_text())
    told = " ".join(found["verdict"]["sentences"])
    assert "perplexity of held-out texts" in told
    assert "adversary" in told or "nothing to correct" in told
    assert [block["title"] for block in found["blocks"]][:2] == ["Read", "Quality against variety"]
    assert (run / "pictures" / "curve.png").read_bytes().startswith(b"\x89PNG")
    copies = next(measure for measure in found["measures"] if measure["name"] == "copies")
    assert copies["floor"] < 1.0
    texts_again = next(one for one in found["rivals"] if one["name"] == "training texts")
    assert texts_again["measures"]["copies"] == 1.0  # drawn again: all of them copies


def _forge(model: Path, content: dict[str, Any], empty: Path) -> None:
    shutil.copy(model / "model.safetensors", empty)
    (empty / "model.json").write_text(json.dumps(content))


@pytest.mark.slow
def test_a_damaged_model_is_refused_in_words(run: Path, tmp_path: Path) -> None:
    for change in ({"text": {"units": "words", "size": 9}}, {"units": {"name": "words", "pieces": [1]}}, {"data": {}}):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        content = json.loads((run / "model" / "model.json").read_text())

        write_folder(folder, partial(_forge, run / "model", {**content, **change}))
        with pytest.raises(RunError, match="model at"):
            load_writer(folder)


@pytest.mark.parametrize("setting", ["text.size=10", "text.size=100000", "text.units=characters"])
def test_settings_that_follow_from_the_text_cannot_be_set(setting: str) -> None:
    name, value = setting.split("=")
    with pytest.raises(RecipeError, match="It follows from the data"):
        gf.plan(LINES, task="generate", size="tiny", examples=100, settings={name: value})


def test_other_texts_are_not_learned_from_if_they_have_other_units(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text("\n".join(LINES))
    recipe = Generate().plan(Request(source=str(source), size="tiny", examples=100), lambda *told, **more: None).recipe
    source.write_text("\n".join([*LINES, *["entirely new words"] * 5]))
    now = open_texts(str(source)).sha256
    accepted = recipe.model_copy(update={"data": recipe.data.model_copy(update={"hash": now})})
    with pytest.raises(DataError, match="units now, and had"):
        Generate().open(accepted, lambda *told, **more: None)


def test_more_texts_than_can_be_counted_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be drawn"):
        gf.sample(run, 10**20, tmp_path / "new.txt")
    assert not list(tmp_path.iterdir())


def test_too_few_texts_to_judge_with_are_refused_in_words() -> None:
    with pytest.raises(DataError, match="could be held out"):
        gf.plan(texts(30, ["road"]) * 4, task="generate", size="tiny", examples=100)
