"""Texts of recordings: how they are found, spelled and refused, and what a voice says of signs it does not know."""

import codecs
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ganforge.core.text_file import read_text
from ganforge.errors import DataError, GanforgeError, InputError
from ganforge.kinds.sounds.features import Mel
from ganforge.kinds.sounds.speak.corpus import mel_at, open_corpus, to_levels, to_log_mel
from ganforge.kinds.sounds.speak.measures import (
    MEANS,
    RECORDINGS,
    SHARP,
    WITHOUT,
    heard,
    judge_voice,
    mel_distance,
    variance_gap,
)
from ganforge.kinds.sounds.speak.model import Speaker, read_words, speaker_of, write_words
from ganforge.kinds.sounds.speak.networks import RANGE, Speech
from ganforge.kinds.sounds.speak.plan import Speaking
from ganforge.kinds.sounds.speak.text import Alphabet, find_dictionary, named, not_known, read, read_dictionary, spelled
from ganforge.kinds.sounds.speak.transcripts import read_transcripts
from ganforge.measures.edits import error_rate

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fixtures"))

from spoken import RATE, write_spoken


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "cache"))


def _recordings(folder: Path, names: list[str]) -> Path:
    for name in names:
        path = folder / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.zeros(800), RATE)
    return folder


# ---- texts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  Caf\u00e9\t\u201cOK\u201d \u2013 it\u2019s ", 'cafe\u0301 "ok" - it\'s'),
        ("\uff21\u2460\u2026", "a1..."),
        ("a\u200bb\ufeff\x07c", "abc"),
        ("\u0130\u00df\ud55c", "i\u0307\u00df\u1112\u1161\u11ab"),
        ("\n \u00a0", ""),
    ],
)
def test_what_is_written_in_several_ways_has_one_spelling(text: str, plain: str) -> None:
    assert spelled(text) == plain == spelled(plain)


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", b""), ("utf-8", codecs.BOM_UTF8), ("utf-16", b""), ("utf-32", b""), ("cp1252", b"")],
)
def test_files_of_several_encodings_are_read(tmp_path: Path, encoding: str, mark: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(mark + "na\u00efve \u2014 \u00e9t\u00e9".encode(encoding))
    assert read_text(tmp_path / "a.txt")[0] == "na\u00efve \u2014 \u00e9t\u00e9"


def test_what_is_not_a_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"RIFF\0\0\0\0")
    with pytest.raises(DataError, match="zero bytes"):
        read_text(tmp_path / "a.txt")


def test_signs_that_are_rare_are_not_learned_and_are_named() -> None:
    alphabet = Alphabet.of([spelled("ab a\u0301")] * 5 + ["7"], {})
    assert alphabet.signs == " ab\u0301"
    assert alphabet.known("A-B 7 b\u00e1!") == "ab ba\u0301" and alphabet.unknown("A7-7") == ["7", "-"]
    assert alphabet.ids("ab") == [1, 3, 4, 1] and alphabet.letters == {3, 4, 5}
    assert named(["7", "\u0301"]) == "'7', combining acute accent"


# ---- dictionaries ----------------------------------------------------------------------------------------------------


def test_dictionaries_of_several_forms_are_read_as_letters_of_ipa(tmp_path: Path) -> None:
    lines = [
        ";;; a comment", "", "water  W AO1 T ER0 # as in bottle", "WATER(2) W AA1 T ER0", "a AH0", "don't D OW1 N T",
        "ich\t1.0\t0.25\t\u026a \u00e7", "Chat\tt\u0283 \u00e6 t", "go G OW1", "gut\t\u0261 u t",
    ]  # fmt: skip
    path = tmp_path / "words.dict"
    path.write_text("\n".join(lines), "utf-8")
    words = read_dictionary(path)
    assert words == {
        "water": "w\u0254t\u025d", "a": "\u0259", "don't": "do\u028ant",
        "ich": "\u026ac\u0327", "chat": "t\u0283\u00e6t", "go": "go\u028a", "gut": "gut",
    }  # fmt: skip
    said = "A \u2018Water\u2019-tap, don\u2019t CHAT 7!"
    assert read(said, words) == "\u0259 w\u0254t\u025d-tap, do\u028ant t\u0283\u00e6t 7!"
    assert not_known(said + " tap", words) == ["tap"]
    assert Alphabet.of([said] * 5, words).known("water x7") == "w\u0254t\u025d 7"


@pytest.mark.parametrize(
    ("content", "why"), [("water\n", "Line 1 .* no phonemes: 'water'"), (";;; none\n", "no words")]
)
def test_what_is_not_a_dictionary_is_refused(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / "words.dict").write_text(content, "utf-8")
    with pytest.raises(DataError, match=why):
        read_dictionary(tmp_path / "words.dict")
    (tmp_path / "more.DICT").write_text("a AH0", "utf-8")
    with pytest.raises(DataError, match=r"2 dictionaries: more.DICT, words.dict"):
        find_dictionary(tmp_path)


def test_a_dictionary_beside_the_recordings_is_used_and_told(tmp_path: Path) -> None:
    texts = [text for text, _ in write_spoken(tmp_path / "s", 60)]
    told = open_corpus(str(tmp_path / "s")).passport["warnings"]
    assert any("Words are read as they are spelled" in one for one in told)
    words = sorted({word for text in texts for word in text.split()})
    (tmp_path / "s" / "tones.dict").write_text("\n".join(f"{word} B AA1" for word in words[1:]), "utf-8")
    corpus = open_corpus(str(tmp_path / "s"))
    assert corpus.passport["dictionary"] == "tones.dict" and set("b\u0251") < set(corpus.alphabet.signs)
    without = f"not in tones.dict and are read as they are spelled, such as {words[0]!r}."
    assert any(without in one for one in corpus.passport["warnings"])
    assert corpus.alphabet.known(words[1]) == "b\u0251"
    write_words(tmp_path, corpus.alphabet.words)
    assert read_words(tmp_path) == corpus.alphabet.words
    (tmp_path / "words.json").write_text('{"a": 1}', "utf-8")
    with pytest.raises(ValueError, match="not a dictionary"):
        read_words(tmp_path)


# ---- which recording says what ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("metadata.csv", ["a|Hello, you", 'b|He said "no']),
        ("metadata.csv", ["a|1|Hello, you", 'b|2|He said "no']),
        ("metadata.csv", ["a.wav,Hello, you", 'sub/b,"He said ""no"']),
        ("list.tsv", ["path\tage\tsentence", "a.wav\t30\tHello, you", 'b.wav\t30\t"He said ""no"']),
        ("metadata.csv", ["text;file", "Hello, you;./a.wav", '"He said ""no";sub\\b.wav']),
    ],
)
def test_lists_of_several_forms_are_read(tmp_path: Path, name: str, lines: list[str]) -> None:
    folder = _recordings(tmp_path / "s", ["a", "sub/b"])
    (folder / name).write_text("\n".join(lines) + "\n\n", "utf-8")
    found = read_transcripts(folder)
    assert found.texts == {folder / "a.wav": "Hello, you", folder / "sub" / "b.wav": 'He said "no'}
    assert not found.warnings


def test_what_has_no_partner_is_left_out_and_told(tmp_path: Path) -> None:
    folder = _recordings(tmp_path / "s", ["a", "b", "c"])
    for name, text in (("a", "one"), ("b", " \n"), ("d", "four")):
        (folder / f"{name}.txt").write_text(text, "utf-8")
    found = read_transcripts(folder)
    assert list(found.texts) == [folder / "a.wav"]
    assert any("1 texts have no recording" in one and "'d.txt'" in one for one in found.warnings)
    assert any("2 recordings have no text" in one and "'b.wav', 'c.wav'" in one for one in found.warnings)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "has a text"),
        ({"metadata.csv": "a|one\na|two\n"}, "two texts for 'a'"),
        ({"metadata.csv": "only words\n"}, "no columns"),
        ({"one.csv": "a|x\n", "two.csv": "a|x\n"}, "holds 2 lists"),
        ({"metadata.csv": "z|one\n"}, "has a text"),
        ({"metadata.csv": 'a,"' + "x" * 200_000}, "cannot be read"),
    ],
)
def test_folders_without_usable_texts_are_refused(tmp_path: Path, files: dict[str, str], words: str) -> None:
    folder = _recordings(tmp_path / "s", ["a", "b"])
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    with pytest.raises(DataError, match=words) as caught:
        read_transcripts(folder)
    assert caught.value.why


def test_texts_that_do_not_fit_their_recordings_are_left_out(tmp_path: Path) -> None:
    write_spoken(tmp_path / "s", 60)
    (tmp_path / "s" / "000.txt").write_text("abc " * 400, "utf-8")
    soundfile.write(tmp_path / "s" / "001.wav", 0.1 * np.random.default_rng(0).standard_normal(21 * RATE), RATE)
    soundfile.write(tmp_path / "s" / "002.wav", 0.1 * np.random.default_rng(0).standard_normal(12 * RATE), RATE)
    corpus = open_corpus(str(tmp_path / "s"))
    assert len(corpus.train) + len(corpus.held_out) == 57
    told = " ".join(corpus.passport["warnings"])
    assert all(
        words in told for words in ("too long for", "longer than 20 seconds", "4 times as long", "needs about 20")
    )


def test_sentences_that_are_held_out_are_not_heard_in_training(tmp_path: Path) -> None:
    write_spoken(tmp_path / "s", 60)
    for number in range(30):  # the same texts once more, in other recordings
        sound, _ = soundfile.read(tmp_path / "s" / f"{number:03d}.wav")
        soundfile.write(tmp_path / "s" / f"again{number}.wav", 0.7 * sound, RATE)
        (tmp_path / "s" / f"again{number}.txt").write_bytes((tmp_path / "s" / f"{number:03d}.txt").read_bytes())
    corpus = open_corpus(str(tmp_path / "s"))
    assert len(corpus.train) + len(corpus.held_out) == 90
    assert not {spelled(text) for text in corpus.train.texts} & {spelled(text) for text in corpus.held_out.texts}
    (tmp_path / "s" / "000.txt").write_text("changed", "utf-8")
    assert open_corpus(str(tmp_path / "s")).sha256 != corpus.sha256


def test_too_few_sentences_are_refused(tmp_path: Path) -> None:
    write_spoken(tmp_path / "s", 14)
    with pytest.raises(DataError, match="At least 24"):
        open_corpus(str(tmp_path / "s"))


# ---- measures and models ---------------------------------------------------------------------------------------------


def test_measures_have_the_values_of_closed_forms() -> None:
    levels = torch.linspace(-1, 1, 12).reshape(4, 3)
    mel = mel_at(RATE)
    torch.testing.assert_close(to_levels(to_log_mel(levels, mel), mel), levels)
    assert mel_distance(levels + 0.1, levels) == pytest.approx(0.1 * RANGE / 2 * 20 / np.log(10), rel=1e-5)
    assert variance_gap(0.5 * levels, levels) == pytest.approx(np.log(4), rel=1e-5)
    assert heard(torch.tensor([1, 2, 2, 1, 3, 3, 2]), frozenset({2, 3})) == [2, 3, 2]


@pytest.mark.parametrize(
    ("said", "meant", "errors"),
    [([], [1, 2], 2), ([1, 2], [1, 2], 0), ([9, 1, 2], [1, 2], 1), ([2, 1], [1, 2], 2), ([1, 3, 4, 5], [1, 5], 2)],
)
def test_errors_are_counted_as_changes_from_one_to_the_other(said: list[int], meant: list[int], errors: int) -> None:
    assert error_rate(said, meant) == errors / len(meant)


@pytest.mark.parametrize(
    ("spoken", "recordings", "means", "grade"),
    [(0.03, 0.02, 0.5, "excellent"), (0.15, 0.02, 0.5, "fair"), (0.5, 0.5, 0.9, "poor"), (0.9, 0.3, 0.8, "failed")],
)
def test_a_verdict_trusts_no_reader_that_cannot_read_recordings(
    spoken: float, recordings: float, means: float, grade: str
) -> None:
    errors = {WITHOUT: spoken, SHARP: spoken, RECORDINGS: recordings, MEANS: means}
    values = {name: {"reading_errors": np.full(5, error)} for name, error in errors.items()}
    verdict = judge_voice(values, WITHOUT, {"seconds": 1500.0})
    assert verdict.grade == grade and verdict.adversarial_helps is False


def _speaker() -> Speaker:
    torch.manual_seed(0)
    mel = Mel(rate=RATE, n_fft=256, hop=128, bands=16, floor=1e-3)
    own = Speaking(mel=mel, signs=" abc")
    return speaker_of(Speech(own.alphabet, 16, 8, 1).eval(), mel, own.alphabet)


class Heard:
    """An observer that keeps what is noted."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def record(self, record: object) -> None: ...

    def event(self, event: dict[str, object]) -> None:  # type: ignore[override]
        self.notes.append(str(event["sentence"]))


def test_each_line_becomes_a_file_of_its_number_and_unknown_signs_are_named(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("Ab c.\n\nxyz\nCAB.\n", "utf-8")
    observer = Heard()
    _speaker().apply(tmp_path / "lines.txt", tmp_path / "said", {}, [observer])  # type: ignore[list-item]
    assert sorted(path.name for path in (tmp_path / "said").iterdir()) == ["0001.wav", "0004.wav"]
    assert observer.notes == [
        "Line 3 is left out: the voice knows no letter of it",
        "Line 1 and 1 more: '.' was not heard in training and is left out",
    ]
    _speaker().apply(tmp_path / "lines.txt", tmp_path / "all.flac", {}, [])
    parts = [soundfile.info(tmp_path / "said" / name).frames for name in ("0001.wav", "0004.wav")]
    assert soundfile.info(tmp_path / "all.flac").frames == sum(parts) + 2 * RATE // 4


def test_a_text_is_said_in_one_way_alone_or_among_others() -> None:
    speaker = _speaker()
    first, second = speaker.sample(64, {"text": ("ab c", "c")}, 0).value()
    assert np.array_equal(first, speaker.apply(["ab  c"], None, {"strength": 0.0}, ())[0])
    assert len(second) > 0 and not np.array_equal(first[: len(second)], second)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda voice, at: voice.sample(5, {}, 0), "no text was given"),
        (lambda voice, at: voice.sample(1, {"text": ("xyz",)}, 0), "'xyz' cannot be spoken"),
        (lambda voice, at: voice.sample(1, {"text": ("a" * 3_000,)}, 0), "cannot be spoken"),
        (lambda voice, at: voice.apply(at / "none.txt", at / "o.wav", {}, ()), "There is no file"),
        (lambda voice, at: voice.apply(at, at / "o.wav", {}, ()), "is a folder"),
        (lambda voice, at: voice.apply(7, at / "o.wav", {}, ()), "A int cannot be spoken"),
        (lambda voice, at: voice.apply(["", "..."], at / "o.wav", {}, ()), "None of the 2 lines"),
        (lambda voice, at: voice.apply(["ab"], at / "o.txt", {}, ()), "cannot be written"),
        (lambda voice, at: voice.apply(["ab"], at / "taken.wav", {}, ()), "exists already"),
    ],
)
def test_what_cannot_be_said_is_refused(tmp_path: Path, ask, words: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "taken.wav").write_bytes(b"")
    with pytest.raises(GanforgeError, match=words) as caught:
        ask(_speaker(), tmp_path)
    assert isinstance(caught.value, InputError | DataError)
    assert not (tmp_path / "o.wav").exists()
