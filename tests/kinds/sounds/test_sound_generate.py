"""Spectrograms as levels and back, and what a generator of sounds writes and refuses."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ganforge.core.labels import Labels
from ganforge.errors import DataError, InputError
from ganforge.kinds.sounds.features import LogMel, Mel
from ganforge.kinds.sounds.generate.grid import (
    BANDS,
    Grid,
    grid_for,
    log_mel_of,
    spectrograms_of,
    to_levels,
    to_waveform,
)
from ganforge.kinds.sounds.generate.mixture import pairs_for
from ganforge.kinds.sounds.generate.model import SoundModel
from ganforge.kinds.sounds.reading import open_sounds

RATE = 8_000


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "cache"))


def _tones(folder: Path, seconds: float = 0.4, count: int = 12) -> Path:
    time = np.arange(int(seconds * RATE)) / RATE
    for label, base in (("low", 220), ("high", 880)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            tone = 0.1 * (number + 1) / count * np.sin(2 * np.pi * base * 2 ** (number / 48) * time)
            soundfile.write(folder / label / f"{number}.wav", tone, RATE)
    return folder


def _grid() -> Grid:
    return Grid(mel=Mel.at(RATE).model_copy(update={"bands": BANDS}), frames=64, top=3.0)


def test_levels_are_a_linear_scale_that_ends_at_silence_and_at_the_top() -> None:
    grid = _grid()
    log_mel = np.array([[grid.top - grid.range - 5, grid.top - grid.range, grid.top - grid.range / 2, grid.top + 5]])
    assert to_levels(log_mel.astype(np.float32), grid).tolist() == [[0, 0, 128, 255]]


def test_a_tone_comes_back_from_its_levels_with_its_frequency_and_length(tmp_path: Path) -> None:
    sounds = open_sounds(str(_tones(tmp_path / "s")), labelled=True)
    grid = grid_for(sounds)
    train, _ = spectrograms_of(sounds, grid)
    levels = train.examples()
    assert levels.shape[1:] == (1, BANDS, grid.frames) and grid.frames % 16 == 0
    assert train.labels is not None and sounds.label_names == ("high", "low")
    for place, label in enumerate(train.labels[:4]):
        made = to_waveform(levels[place, 0], grid, LogMel(grid.mel))
        assert len(made) == pytest.approx(0.4 * RATE, abs=4 * grid.mel.hop)  # the silence that filled it up is cut off
        frequency = np.abs(np.fft.rfft(made)).argmax() * RATE / len(made)
        assert (frequency > 500) == (sounds.label_names[label] == "high")


def test_sounds_of_any_level_fill_the_same_range(tmp_path: Path) -> None:
    sounds = open_sounds(str(_tones(tmp_path / "s")), labelled=True)
    levels = spectrograms_of(sounds, grid_for(sounds))[0].examples()
    loudest = levels.reshape(len(levels), -1).max(axis=1)
    assert loudest.min() > 235  # the quietest tone has a twelfth of the loudest one's level
    assert (levels[..., -1] == 0).all()  # silence after the end is the lowest level in every sound


def test_labels_divide_sounds_anew_and_the_spectrograms_of_another_division_are_not_taken(tmp_path: Path) -> None:
    folder = str(_tones(tmp_path / "s"))
    by_label, alone = open_sounds(folder, labelled=True, fewest=4), open_sounds(folder, fewest=4)
    grid = grid_for(alone)
    assert by_label.sha256 == alone.sha256 and len(by_label.train) == len(alone.train)
    first = spectrograms_of(by_label, grid)[0].examples()
    for found in (alone, by_label):
        for place, levels in enumerate(spectrograms_of(found, grid)[0].examples()):
            assert (levels[0] == to_levels(log_mel_of(found.train[place], grid, LogMel(grid.mel)), grid)).all()
    assert (first != spectrograms_of(alone, grid)[0].examples()).any()


def test_sounds_too_short_for_a_spectrogram_are_refused(tmp_path: Path) -> None:
    sounds = open_sounds(str(_tones(tmp_path / "s", seconds=0.02)), labelled=True)
    with pytest.raises(DataError, match="20 ms long"):
        grid_for(sounds)


def _model() -> SoundModel:
    grid = _grid()
    pair = pairs_for(1)["conv"](shape=(1, BANDS, grid.frames), labels=2, latent_size=8, width=4)
    return SoundModel(pair.generator(), 8, Labels(("high", "low"), (0.25, 0.75)), grid)


def test_the_first_sounds_do_not_depend_on_how_many_are_drawn() -> None:
    model = _model()
    few, many = (model.draw(count, np.zeros(count, np.int64), seed=3) for count in (2, 70))
    assert (few == many[:2]).all()
    assert (model.draw(2, np.zeros(2, np.int64), seed=4) != few).any()


def test_a_folder_has_a_file_each_named_by_its_label_and_a_file_has_them_in_a_row(tmp_path: Path) -> None:
    model = _model()
    model.write(model.sample(3, {"label": "low"}, seed=0), tmp_path / "new", force=False)
    files = sorted((tmp_path / "new").glob("*.wav"))
    assert [file.name for file in files] == [f"low-{number:05d}.wav" for number in range(3)]
    model.write(model.sample(3, {"label": "low"}, seed=0), tmp_path / "row.flac", force=False)
    row, apart = soundfile.info(tmp_path / "row.flac"), [soundfile.info(file) for file in files]
    assert row.frames == sum(one.frames for one in apart) + 3 * RATE // 4 and row.samplerate == RATE
    assert all(np.abs(soundfile.read(file)[0]).max() <= 0.901 for file in files)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda model, out: model.sample(0, {}, 0), "0 sounds"),
        (lambda model, out: model.sample(1, {"label": "lo"}, 0), "Did you mean 'low'"),
        (lambda model, out: model.write(model.sample(1, {}, 0), out / "a.txt", force=False), "cannot be written"),
        (lambda model, out: model.apply("a.wav", out, {}, ()), "draws from nothing"),
    ],
)
def test_what_cannot_be_done_is_refused(tmp_path: Path, ask, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=words):
        ask(_model(), tmp_path)


def test_labels_are_drawn_with_their_shares_and_must_fit() -> None:
    labels = Labels(("a", "b"), (0.25, 0.75))
    drawn = labels.draw(10_000, seed=0)
    assert drawn is not None and abs(float((drawn == 1).mean()) - 0.75) < 4 * (0.25 * 0.75 / 10_000) ** 0.5
    for shares in ((1.0,), (0.5, 0.6), (-0.5, 1.5)):
        with pytest.raises(ValueError, match="do not fit"):
            Labels(("a", "b"), shares)
