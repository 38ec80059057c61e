"""Sounds and spectrograms as people have them: each fault gets a sentence with the file, and nothing is lost by it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from ganforge.contracts import Observer
from ganforge.errors import GanforgeError, InputError, StorageError
from ganforge.kinds.sounds.features import LogMel, Mel
from ganforge.kinds.sounds.networks import Vocoder
from ganforge.kinds.sounds.reading import open_sounds
from ganforge.kinds.sounds.vocode.model import SoundMap

RATE = 8_000
Fill = Callable[[Path], object]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def vocoder() -> SoundMap:
    torch.manual_seed(0)
    return SoundMap(Vocoder(Mel.at(RATE), width=8, depth=1, lookahead=1, corrections=1).eval(), refinements=1)


def noise(seconds: float, rate: int = RATE, channels: int = 1, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal((int(seconds * rate), channels))


def write(path: Path, x: np.ndarray, rate: int = RATE, **how: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, x, rate, **how)
    return path


def cut(path: Path, share: float = 0.5) -> Path:
    content = write(path, noise(5)).read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path


def with_length(path: Path, length: int) -> Path:
    """A .wav whose header gives another number of bytes."""
    content = bytearray(write(path, noise(1)).read_bytes())
    content[40:44] = length.to_bytes(4, "little")
    path.write_bytes(content)
    return path


def not_finite(path: Path) -> Path:
    x = noise(1)
    x[100], x[200] = np.nan, np.inf
    return write(path, x, subtype="FLOAT")


TOLD: dict[str, tuple[Fill, str]] = {
    "silence": (lambda at: write(at / "silent.wav", np.zeros(RATE)), "silent.wav: silence only"),
    "clipped throughout": (lambda at: write(at / "square.wav", np.sign(noise(1))), "square.wav has clipped values"),
    "3 samples": (lambda at: write(at / "tiny.wav", noise(1)[:3]), "tiny.wav: 3 samples are too few"),
    "rates": (lambda at: write(at / "cd.wav", noise(0.5, 44_100), 44_100), "all are converted to 8000 Hz, such as"),
    "stereo": (lambda at: write(at / "two.wav", noise(1, channels=2)), "two.wav has several channels"),
    "video": (lambda at: (at / "film.mp4").write_bytes(b"0000ftyp"), "film.mp4 is of a format that is not read"),
    "video as wav": (lambda at: (at / "film.wav").write_bytes(b"\0\0\0\x18ftypmp42" * 50), "film.wav' cannot be read"),
    "cut mp3": (lambda at: cut(at / "cut.mp3"), "cut.mp3 has less sound than the header says"),
    "stub of an mp3": (lambda at: cut(at / "stub.mp3", 0.001), "stub.mp3' cannot be read: no sound was found"),
    "u-law": (lambda at: write(at / "phone.au", noise(1), subtype="ULAW"), "phone.au has 8 bits"),
    "no sounds": (lambda at: (at / "label").mkdir(), "label holds no sounds"),
    "folder named so": (lambda at: (at / "dir.wav").mkdir(), "dir.wav holds no sounds"),
    "0 bytes": (lambda at: (at / "zero.wav").touch(), "zero.wav' cannot be read"),
    "header alone": (lambda at: with_length(at / "none.wav", 0), "none.wav: 0 samples are too few"),
    "NaN": (lambda at: not_finite(at / "nan.wav"), "nan.wav has values that are not finite"),
    "huge": (lambda at: write(at / "huge.wav", 1e9 * noise(1), subtype="FLOAT"), "huge.wav: its values reach"),
    "dangling": (lambda at: (at / "gone.wav").symlink_to("nowhere.wav"), "gone.wav is a link that leads nowhere"),
    "offset": (lambda at: write(at / "dc.wav", noise(1) + 0.2), "dc.wav has an offset of up to 0.20"),
}
SILENT: dict[str, Fill] = {  # of what is read as any other sound, nothing is said
    "Unicode": lambda at: write(at / "Ünïcødé 日本.wav", noise(1)),
    "a line's end": lambda at: write(at / "new\nline.wav", noise(1)),
    "24 bits": lambda at: write(at / "deep.wav", noise(1), subtype="PCM_24"),
    "header too long": lambda at: with_length(at / "long.wav", 10**9),
}


def twelve(folder: Path) -> Path:
    for number in range(12):
        write(folder / f"{number}.wav", noise(0.5, seed=number + 1))
    return folder


@pytest.mark.parametrize("name", TOLD)
def test_each_fault_is_told_with_the_file_and_the_others_are_used(tmp_path: Path, name: str) -> None:
    fill, words = TOLD[name]
    fill(twelve(tmp_path / "s"))
    passport = open_sounds(str(tmp_path / "s")).passport
    assert words in " ".join([*passport["warnings"], *passport["skipped"]])
    assert passport["sounds"] in (12, 13)


@pytest.mark.parametrize("name", SILENT)
def test_what_is_read_as_any_other_sound_is(tmp_path: Path, name: str) -> None:
    SILENT[name](twelve(tmp_path / "s"))
    passport = open_sounds(str(tmp_path / "s")).passport
    assert passport["sounds"] == 13 and not passport["warnings"]


def test_a_link_to_a_folder_above_does_not_read_it_twice(tmp_path: Path) -> None:
    folder = twelve(tmp_path / "s")
    (folder / "again").symlink_to(folder)
    (folder / "more").symlink_to(twelve(tmp_path / "t"))
    assert open_sounds(str(folder)).passport["sounds"] == 24


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    (twelve(tmp_path / "s") / "3.wav").chmod(0)
    assert "3.wav' cannot be read" in " ".join(open_sounds(str(tmp_path / "s")).passport["skipped"])


# ---- apply ---------------------------------------------------------------------------------------------------------


class Heard(Observer):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def event(self, event: Any) -> None:
        self.words += [f"{event['file']} {event.get('reason') or event.get('sentence') or event['path']}"]


@pytest.mark.parametrize(
    ("source", "out", "words"),
    [
        ("a.wav", "b.xyz", "cannot be written as 'b.xyz'"),
        ("six.wav", "b.mp3", "6 channels at 8,000 Hz cannot be written as 'b.mp3'"),
        ("fast.wav", "b.mp3", "96,000 Hz cannot be written"),
        ("a.wav", "a.wav", "Originals are never replaced"),
        (".", "b.wav", "is the name of a file"),
        ("film.mp4", "b.wav", "ffmpeg"),
        ("zero.wav", "b.wav", "zero.wav' cannot be read"),
        ("none.wav", "b.wav", "none.wav' holds no samples"),
        ("huge.wav", "b.wav", "huge.wav' has values up to"),
        ("nowhere.wav", "b.wav", "There is nothing at"),
        ("empty", "b", "holds no sounds"),
        ("a.wav", "a.wav/b.wav", "could not be written"),
    ],
)
def test_a_file_that_cannot_be_converted_is_refused(
    tmp_path: Path, vocoder: SoundMap, monkeypatch: pytest.MonkeyPatch, source: str, out: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.wav", noise(0.5))
    write(tmp_path / "six.wav", noise(0.2, channels=6))
    write(tmp_path / "fast.wav", noise(0.1, 96_000), 96_000)
    write(tmp_path / "huge.wav", 1e9 * noise(0.1), subtype="FLOAT")
    with_length(tmp_path / "none.wav", 0)
    (tmp_path / "zero.wav").touch()
    (tmp_path / "film.mp4").write_bytes(b"0000ftyp")
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises((GanforgeError, StorageError), match=words):
        vocoder.apply(source, Path(out), {}, ())
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_changed_in_a_file_is_told_and_its_form_is_kept(tmp_path: Path, vocoder: SoundMap) -> None:
    folder, heard = tmp_path / "s", Heard()
    forms = [("six.wav", 6, RATE, "PCM_16"), ("fast.flac", 1, 96_000, "PCM_24"), ("phone.wav", 1, RATE, "ULAW")]
    for name, channels, rate, subtype in forms:
        write(folder / name, noise(0.2, rate, channels), rate, subtype=subtype)
    not_finite(folder / "nan.wav")
    cut(folder / "cut.mp3")
    write(folder / "old.au", noise(0.2))
    (folder / "zero.wav").touch()
    (folder / "notes.txt").write_text("not a sound")
    vocoder.apply(folder, tmp_path / "out", {}, (heard,))
    told = " ".join(heard.words)
    for words in (
        "nan.wav 2 values that are not finite were taken", "cut.mp3 a file was cut off", "zero.wav' cannot be read",
        "old.au .au files are not written: it became a WAV", "1 files were left alone",
    ):  # fmt: skip
        assert words in told, words
    for name, channels, rate, subtype in forms:
        made, given = soundfile.info(tmp_path / "out" / name), soundfile.info(folder / name)
        assert (made.channels, made.samplerate, made.subtype, made.frames) == (channels, rate, subtype, given.frames)
    assert np.isfinite(soundfile.read(tmp_path / "out" / "nan.wav")[0]).all()
    assert not (tmp_path / "out" / "zero.wav").exists()


def test_a_file_that_was_cut_off_gives_no_more_than_it_holds(tmp_path: Path) -> None:
    from ganforge.kinds.sounds.sound_file import read_sound

    read = read_sound(cut(tmp_path / "cut.mp3"))
    assert 0 < len(read) < 4 * RATE and np.abs(read).max() < 1  # not memory that was never written


# ---- spectrograms that other tools made ----------------------------------------------------------------------------


def log_mel(seconds: float = 0.4) -> np.ndarray:
    x = torch.from_numpy(noise(seconds)[:, 0].astype(np.float32))
    return LogMel(Mel.at(RATE))(x[None])[0].numpy()


def test_a_spectrogram_in_a_file_becomes_the_sound_that_the_waveform_would(tmp_path: Path, vocoder: SoundMap) -> None:
    np.save(tmp_path / "a.npy", log_mel())
    np.savez(tmp_path / "b.npz", mel=log_mel(), rate=RATE, n_fft=256)
    np.savez(tmp_path / "c.npz", log_mel()[None].astype(np.float64))
    vocoder.apply(tmp_path, tmp_path / "out", {}, ())
    expected = vocoder.synthesise(torch.from_numpy(log_mel()[None]))[0].numpy()
    for name in "abc":
        made, rate = soundfile.read(tmp_path / "out" / f"{name}.wav")
        assert rate == RATE and np.abs(made - expected).max() < 2**-14
    assert vocoder.synthesise(torch.from_numpy(log_mel()[None]), refinements=0).shape == (1, len(expected))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (log_mel().T, "transpose it"),
        (log_mel()[:30], r"shape \(1, 30, 51\)"),
        (np.stack([log_mel()] * 2), "2 spectrograms"),
        (np.zeros((40, 0), np.float32), "shape"),
        (np.rint(log_mel()).astype(np.int16), "int16"),
        (8.7 * log_mel(), "decibels"),
        (np.exp(log_mel()) + 9, "magnitudes themselves"),
        (np.where(log_mel() > 0, log_mel(), np.nan), "not finite"),
        (np.array(["a"]), "shape"),
        ({"a": log_mel(), "b": log_mel()}, "not clear which"),
        ({"mel": log_mel(), "rate": 22_050}, "rate 22050, and this vocoder takes rate 8000"),
        ({"mel": log_mel(), "hop": 128}, "hop 128"),
        ({}, "holds the arrays none"),
    ],
)
def test_a_spectrogram_of_another_shape_or_other_settings_is_refused(
    tmp_path: Path, vocoder: SoundMap, array: Any, words: str
) -> None:
    path = tmp_path / ("a.npz" if isinstance(array, dict) else "a.npy")
    np.savez(path, **array) if isinstance(array, dict) else np.save(path, array)
    with pytest.raises(InputError, match=words):
        vocoder.apply(path, tmp_path / "b.wav", {}, ())


@pytest.mark.parametrize("content", [b"", b"not an array", b"PK\x03\x04 cut"])
def test_a_damaged_array_file_is_refused(tmp_path: Path, vocoder: SoundMap, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(GanforgeError, match=r"a\.npz' cannot be read"):
        vocoder.apply(tmp_path / "a.npz", tmp_path / "b.wav", {}, ())


def test_a_vocoder_of_one_end_has_no_dial(tmp_path: Path, vocoder: SoundMap) -> None:
    with pytest.raises(InputError, match="has one end"):
        vocoder.apply((noise(0.2)[:, 0], RATE), None, {"strength": 0.5}, ())


def test_a_stream_waits_less_than_a_tenth_of_a_second_and_equals_the_whole() -> None:
    torch.manual_seed(0)
    network = Vocoder(Mel.at(RATE), width=8, depth=6, lookahead=2, corrections=1).eval()
    model, x = SoundMap(network, refinements=2), noise(1.5)[:, 0].astype(np.float32)
    stream, made, latest = model.stream(RATE), [], 0
    for first in range(0, len(x), 80):
        made.append(stream.push(x[first : first + 80]))
        latest = max(latest, min(first + 80, len(x)) - sum(map(len, made)))
    made.append(stream.end())
    assert stream.latency < 0.1 and latest <= stream.latency * RATE + 80
    whole = model.stream(RATE, chunk=10_000)
    assert np.abs(np.concatenate(made) - np.concatenate([whole.push(x), whole.end()])).max() < 1e-5
