"""Settings of every verb, pinned to odd values: what cannot be is refused in three sentences before training."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import ganforge as gf
from ganforge.errors import RecipeError
from ganforge.kinds.sounds.speak.task import Speak
from ganforge.kinds.sounds.speak.text import Alphabet, as_spelled, spelled
from ganforge.recipe import Request

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fixtures"))

from spoken import write_spoken

RATE = 8_000


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, time = tmp_path_factory.mktemp("sounds"), np.arange(RATE) / RATE
    for number in range(24):
        path = folder / ("low" if number < 12 else "high") / f"{number}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * 200 * 2 ** (number / 12) * time), RATE)
    return folder


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speech")
    write_spoken(folder, 40)
    return folder


def _refused(source: Path, task: str, **settings: str) -> RecipeError:
    with pytest.raises(RecipeError) as refusal:
        gf.plan(source, task=task, size="tiny", examples=16, settings=settings)
    assert refusal.value.why and refusal.value.do
    return refusal.value


@pytest.mark.parametrize(
    "name", ["vocode.mel", "convert.mel", "speak.mel", "recognise.grid", "generate.grid", "generate.sorts"]
)
@pytest.mark.parametrize("value", ["3", "", '{"rate": 8000, "n_fft": 256, "hop": 64, "bands": 40}'])
def test_what_follows_from_the_data_is_not_set(sounds: Path, name: str, value: str) -> None:
    task, _, key = name.partition(".")
    assert "follows from the data" in _refused(sounds, task, **{f"task.{key}": value}).why


@pytest.mark.parametrize("task", ["vocode", "convert", "recognise", "generate"])
def test_a_network_larger_than_the_memory_is_refused(sounds: Path, task: str) -> None:
    assert "GB" in _refused(sounds, task, **{"network.width": "1000000"}).why


def test_a_width_that_cannot_be_normalised_in_groups_is_refused(sounds: Path) -> None:
    assert "divisible" in _refused(sounds, "recognise", **{"network.width": "7"}).why


def test_a_stretch_longer_than_all_of_a_voice_is_refused(sounds: Path) -> None:
    short = _refused(sounds, "convert", **{"convert.frames": "1024", "convert.seconds": "1"})
    assert "stretch of one voice" in short.why


def test_a_latent_without_a_principal_component_is_refused(sounds: Path) -> None:
    assert "17 numbers" in _refused(sounds, "generate", **{"network.latent_size": "17"}).why


# ---- the alphabet of a voice -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signs", "why"),
    [
        ("abc", "Recordings say 'd', 'e', 'f', 'g', 'h' too."),
        ("abcdefghz ", "No text has 'z'."),
        ("ABCDEFGH ", "small letters"),
        ("aabcdefgh ", "once"),
        ("\u00e9abcdefgh", "accents by themselves"),
        ("", "at least 1 character"),
        ("a" * 5_001, "at most 5000"),
        ("12", "valid string"),
    ],
)
def test_signs_that_do_not_suit_the_texts_are_refused(speech: Path, signs: str, why: str) -> None:
    assert why in _refused(speech, "speak", **{"speak.signs": signs}).why


def test_signs_that_were_pinned_are_those_that_are_learned(speech: Path) -> None:
    request = Request(source=str(speech), task="speak", size="tiny", examples=16, settings={"speak.signs": "hgfedcba"})
    job = Speak().plan(request, lambda *event, **content: None)
    assert job.passport["signs"] == job.corpus.alphabet.signs == "hgfedcba"
    first = job.sentences.raw(0, 1)["text"][0]
    said = spelled(job.corpus.train.texts[0]).replace(" ", "")
    assert first.tolist() == [1, *(2 + "hgfedcba".index(sign) for sign in said), 1]
    again = Speak().open(job.recipe, lambda *event, **content: None)
    assert (again.sentences.raw(0, 1)["text"][0] == first).all()


@pytest.mark.parametrize(
    "text", ["\u1ea5\u1edb\u1eb7 \u1ee3\u1ecd", "\u210c\u2122", "\u039f\u0394\u039f\u03a3 \u0130", "\u00bd\u00b4"]
)
def test_every_alphabet_of_texts_is_one_that_a_model_may_have(text: str) -> None:
    found = Alphabet.of([text] * 5, {})
    assert as_spelled(found.signs) == found.signs and spelled(spelled(text)) == spelled(text)
