"""Opening of sounds: what is told of them, what is refused, and how they are split."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ganforge.errors import DataError, InputError
from ganforge.kinds.sounds.reading import Segments, list_sounds, open_sounds
from ganforge.kinds.sounds.sound_file import limited, read_header, read_sound, write_sound


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _noise(seconds: float, rate: int = 8_000, seed: int = 0, channels: int = 1) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal((int(seconds * rate), channels))


def _write(folder: Path, name: str, x: np.ndarray, rate: int = 8_000, **how: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, x, rate, **how)
    return path


def _twelve(folder: Path) -> Path:
    for number in range(12):
        _write(folder, f"{number}.wav", _noise(0.5, seed=number))
    return folder


def test_most_seconds_decide_the_rate_and_others_are_converted(tmp_path: Path) -> None:
    folder = _twelve(tmp_path / "s")
    _write(folder, "long.flac", _noise(30, 16_000), 16_000)
    sounds = open_sounds(str(folder))
    assert sounds.rate == 16_000 and sounds.passport["rates"] == {"8000": 12, "16000": 1}
    assert any("several rates" in words for words in sounds.passport["warnings"])
    assert sounds.passport["seconds"] == pytest.approx(36, abs=0.01)
    assert open_sounds(str(folder), 11_025).rate == 11_025


def test_planted_faults_are_told(tmp_path: Path) -> None:
    folder = _twelve(tmp_path / "s")
    _write(folder, "clipped.wav", np.clip(20 * _noise(1), -1, 1))
    _write(folder, "silent.wav", np.zeros(8_000))
    _write(folder, "offset.wav", _noise(1) + 0.2)
    _write(folder, "stereo.wav", _noise(1, channels=2))
    _write(folder, "copy.wav", _noise(0.5, seed=3))
    _write(folder, "short.wav", _noise(1)[:3])
    (folder / "text.wav").write_text("not a sound")
    (folder / "film.mp4").write_bytes(b"0")
    passport = open_sounds(str(folder)).passport
    told = " ".join(passport["warnings"])
    for words in (
        "clipped.wav has clipped",
        "an offset of up to 0.2",
        "stereo.wav has several channels",
        "copies",
        "film.mp4",
    ):
        assert words in told, words
    skipped = " ".join(passport["skipped"])
    assert passport["skipped_count"] == 3
    assert all(name in skipped for name in ("silent.wav", "short.wav", "text.wav"))


def test_copies_are_in_one_part_and_few_sounds_are_cut(tmp_path: Path) -> None:
    folder = _twelve(tmp_path / "s")
    for number in range(12):
        _write(folder, f"again{number}.wav", _noise(0.5, seed=number))
    sounds = open_sounds(str(folder))
    train = {sounds.train[place].tobytes() for place in range(len(sounds.train))}
    held_out = {sounds.held_out[place].tobytes() for place in range(len(sounds.held_out))}
    assert len(sounds.held_out) == 2 and not train & held_out
    alone = open_sounds(str(_write(tmp_path, "one.wav", _noise(10))))
    assert (int(alone.train.lengths[0]), int(alone.held_out.lengths[0])) == (72_000, 8_000)
    assert "too few" in alone.passport["split"]


def test_subfolders_are_labels_and_each_is_in_both_parts(tmp_path: Path) -> None:
    for label in ("drum", "flute"):
        for number in range(10):
            _write(tmp_path / "s", f"{label}/{number}.wav", _noise(0.3, seed=hash((label, number)) % 1_000))
    sounds = open_sounds(str(tmp_path / "s"), labelled=True)
    assert sounds.label_names == ("drum", "flute")
    for part in (sounds.train, sounds.held_out):
        assert part.labels is not None and set(part.labels.tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        (lambda folder: None, "holds no sounds"),
        (lambda folder: (folder / "a.mp4").write_bytes(b"0"), "a.mp4 is of a format that is not read"),
        (lambda folder: (folder / "a.wav").write_bytes(b"RIFF"), "None of the 1 sounds"),
        (lambda folder: _write(folder, "a.wav", np.zeros(9_000)), "a.wav: silence only"),
    ],
)
def test_what_cannot_be_learned_is_refused_with_the_file(tmp_path: Path, fill, words: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "s").mkdir()
    fill(tmp_path / "s")
    with pytest.raises(DataError, match=words):
        open_sounds(str(tmp_path / "s"))


def test_decoded_once_and_again_only_when_changed(tmp_path: Path, cache: Path) -> None:
    folder = _twelve(tmp_path / "s")
    before = open_sounds(str(folder))
    written = {path: path.stat().st_mtime_ns for path in cache.rglob("samples")}
    assert open_sounds(str(folder)).sha256 == before.sha256
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("samples")} == written
    _write(folder, "0.wav", _noise(0.7, seed=99))
    assert open_sounds(str(folder)).sha256 != before.sha256


def test_segments_cover_every_sample_once_at_least(tmp_path: Path) -> None:
    part = open_sounds(str(_twelve(tmp_path / "s"))).train
    for length, step in ((1_000, 250), (100_000, 1)):
        seen = np.zeros(len(part.samples), int)
        segments = Segments(part, length, step)
        for first, there in segments.places:
            seen[first : first + there] += 1
        last = segments[np.array([len(segments) - 1])][0]
        assert (last[:there] == part.samples[first : first + there]).all() and not last[there:].any()
        inside = np.zeros(len(part.samples), bool)
        for start, whole in zip(part.starts, part.lengths, strict=True):
            inside[start : start + whole] = True
        assert (seen[inside] >= 1).all() and (seen[~inside] == 0).all()


@pytest.mark.parametrize("form", [("a.wav", "PCM_16"), ("a.wav", "PCM_24"), ("a.wav", "FLOAT"), ("a.flac", "PCM_16")])
def test_files_keep_their_form_and_only_integers_are_pressed_below_full_scale(
    tmp_path: Path, form: tuple[str, str]
) -> None:
    name, subtype = form
    x = np.linspace(-2.1, 2.1, 5_000, dtype=np.float32)[:, None]
    write_sound(tmp_path / name, [x[:2_000], x[2_000:]], 8_000, 1, subtype)
    header, read = read_header(tmp_path / name), read_sound(tmp_path / name)
    assert (header.subtype, header.samples) == (subtype, 5_000)
    assert np.abs(read - (x if subtype == "FLOAT" else limited(x))).max() <= 2**-15
    assert subtype == "FLOAT" or np.abs(read).max() <= 1


def test_the_limiter_leaves_what_is_below_its_knee_and_stays_in_order() -> None:
    x = np.linspace(-3, 3, 1_001, dtype=np.float32)[:, None]
    pressed = limited(x)
    quiet = np.abs(x) <= 0.9
    assert (pressed[quiet] == x[quiet]).all()
    assert (np.diff(pressed[:, 0]) >= 0).all() and np.abs(pressed).max() <= 1


def test_labels_begin_below_the_folders_that_all_share_and_in_one_form_of_unicode(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        for number in range(3):
            name = unicodedata.normalize(form, "größe")
            _write(tmp_path / "s", f"wrapped/{name}/{number}{form}.wav", _noise(0.1))
    _write(tmp_path / "s", "wrapped/kick/deeper/a.wav", _noise(0.1))
    assert set(list_sounds(tmp_path / "s").labels) == {"größe", "kick"}
    _write(tmp_path / "s", "wrapped/beside.wav", _noise(0.1))
    listing = list_sounds(tmp_path / "s")
    assert set(listing.labels) == {""} and any("beside the subfolders" in words for words in listing.others)


def test_labels_of_one_sound_each_leave_nothing_to_measure_with(tmp_path: Path) -> None:
    for number in range(30):
        _write(tmp_path / "s", f"{number}/a.wav", _noise(0.1, seed=number))
    with pytest.raises(DataError, match="0 of 30 sounds can be spared"):
        open_sounds(str(tmp_path / "s"), labelled=True, fewest=12)


def test_a_rate_that_a_format_does_not_have_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at 10,007 Hz"):
        write_sound(tmp_path / "a.mp3", [np.zeros((10_000, 1), np.float32)], 10_007, 1)
    assert not list(tmp_path.glob("*.mp3")) and not list(tmp_path.glob(".a*"))


def test_too_few_sounds_are_refused_with_the_reason_why_others_were_skipped(tmp_path: Path) -> None:
    folder = _twelve(tmp_path / "s")
    _write(folder, "click.wav", _noise(1)[:40])
    with pytest.raises(DataError, match=r"click.wav: 40 samples"):
        open_sounds(str(folder), fewest=12)
