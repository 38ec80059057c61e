"""Voices converted to others: pitch, pulses, neighbours, streams, and what is said of bad data and bad converters."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import lfilter

from ganforge.errors import DataError, InputError
from ganforge.kinds.sounds.convert.corpus import Heard, kept_of, open_voices
from ganforge.kinds.sounds.convert.measures import Speakers, distances_of_words, judge_converter
from ganforge.kinds.sounds.convert.model import VoiceMap
from ganforge.kinds.sounds.convert.network import Source, SourceFilter, pulse_train, voice_stream
from ganforge.kinds.sounds.convert.plan import Converting, SpokenFeed
from ganforge.kinds.sounds.convert.voices import Hearing, Target, median_pitch, pitch_of
from ganforge.kinds.sounds.features import Mel
from ganforge.kinds.sounds.stream import Stream

RATE = 8_000
MEL = Mel.at(RATE)
VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480))  # formants, Peterson and Barney


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "cache"))


def _spoken(pitch: float, tract: float, seed: int, vowels: int = 4) -> np.ndarray:
    """Speak vowels: pulses through resonances, whose frequencies a shorter tract raises."""
    random, said = np.random.default_rng(seed), []
    for vowel in random.permutation(4)[:vowels]:
        time = np.arange(RATE // 5)
        phase = np.cumsum(pitch * (1 + 0.1 * np.sin(2 * np.pi * 3 * time / RATE + seed)) / RATE)
        wave = (np.diff(np.floor(phase), prepend=0.0) > 0) + 0.01 * random.standard_normal(len(time))
        for formant in VOWELS[vowel]:
            pole = 0.96 * np.exp(2j * np.pi * min(formant * tract, 3800) / RATE)
            wave = lfilter([1.0], [1, -2 * pole.real, abs(pole) ** 2], wave)
        said.append(np.hanning(len(time)) ** 0.3 * wave / np.abs(wave).max())
    return (0.5 * np.concatenate(said)).astype(np.float32)


def _voice(pitch: float, tract: float, count: int = 8, first: int = 0) -> Heard:
    pieces = tuple(_spoken(pitch, tract, seed) for seed in range(first, first + count))
    return Heard.of(pieces, Hearing(MEL))


def _folder(root: Path, **voices: int) -> Path:
    for place, (name, count) in enumerate(voices.items()):
        (root / name).mkdir(parents=True)
        for number in range(count):
            soundfile.write(root / name / f"{number}.wav", _spoken(110 + 60 * place, 1 + 0.2 * place, number), RATE)
    return root


def _network() -> SourceFilter:
    torch.manual_seed(0)
    return SourceFilter(MEL, 16, 2, voices=2)


def _model() -> VoiceMap:
    targets = {name: _voice(*about).target(MEL, 4, 0.6) for name, about in (("low", (110, 1.0)), ("high", (190, 1.2)))}
    return VoiceMap(_network(), targets)


# ---- pitch and pulses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8_000, 22_050])
@pytest.mark.parametrize("pitch", [80.0, 131.0, 247.0, 390.0])
def test_the_pitch_of_harmonics_is_theirs(rate: int, pitch: float) -> None:
    time = np.arange(rate) / rate
    tone = sum(np.sin(2 * np.pi * pitch * k * time + k) / k for k in range(1, 9))
    found, periodic = pitch_of(torch.from_numpy(np.asarray(tone, np.float32)), rate, rate // 125)
    inside = slice(10, -10)
    assert (found[inside].log2() - np.log2(pitch)).abs().max() * 1200 < 10  # cents
    assert periodic[inside].min() > 0.9


def test_noise_has_no_pitch() -> None:
    noise = torch.randn(4 * RATE, generator=torch.Generator().manual_seed(0))
    assert pitch_of(noise, RATE, 64)[1].median() < 0.6


def test_pulses_have_power_one_and_equal_harmonics_up_to_half_the_rate() -> None:
    train = pulse_train(torch.full((1, RATE), 100 / RATE), torch.zeros(1).double(), RATE)[0]
    assert train.square().mean() == pytest.approx(1, abs=0.05)
    spectrum = torch.fft.rfft(train).abs()
    harmonics = spectrum[100:3901:100]
    assert harmonics.std() / harmonics.mean() < 0.01
    assert spectrum[50:3950:100].max() < 0.02 * harmonics.mean()


def test_pulses_go_on_where_a_piece_ends() -> None:
    periods = torch.linspace(90, 140, RATE)[None] / RATE
    whole = pulse_train(periods, torch.zeros(1).double(), RATE)
    turns = periods[:, :3000].double().sum(1)
    torch.testing.assert_close(pulse_train(periods[:, 3000:], turns, RATE), whole[:, 3000:], atol=2e-3, rtol=0)


# ---- neighbours ------------------------------------------------------------------------------------------------------


def test_the_nearest_neighbour_of_a_voices_own_frame_is_that_frame() -> None:
    heard = _voice(120, 1.0, count=3)
    frames = torch.cat(heard.frames, 1)
    target = Target(frames, RATE / MEL.hop, count=1, kept=0.6)
    made = target.convert(frames, target.voice)
    torch.testing.assert_close(made[-2:], frames[-2:], atol=1e-4, rtol=0)
    level = (made[:-2] - frames[:-2]).mean(1)  # smoothing over time keeps the mean
    assert level.abs().max() < 0.1


def test_a_piece_is_rebuilt_of_the_others_alone() -> None:
    heard = _voice(120, 1.0, count=4)
    target = heard.target(MEL, 4, kept=0.0)
    odd = heard.frames[1].shape[1]
    place = heard.frames[0].shape[1]
    target.voice.frames[:-2, place : place + odd] = 77.0  # would be seen in every mean that holds one of them
    rebuilt = list(heard.rebuilt(target))
    assert rebuilt[1][:-2].max() < 30
    assert max(float(made[:-2].max()) for made in rebuilt) > 5


def test_neighbours_give_the_targets_pitch_and_keep_the_order_of_vowels() -> None:
    low, high = _voice(110, 1.0), _voice(190, 1.2)
    target, hearing = high.target(MEL, 4, 0.6), Hearing(MEL)
    given = _spoken(110, 1.0, seed=50)
    truth = _spoken(190, 1.2, seed=50)  # the same vowels
    made = target.convert(hearing.frames(torch.from_numpy(given)).values, low.target(MEL, 4, 0.6).voice)
    assert 2 ** median_pitch(made) == pytest.approx(190, rel=0.1)  # that of the voice, as far as its vowels move
    expected, copied = (hearing.frames(torch.from_numpy(x)).values[:-2] for x in (truth, given))
    inside = expected.mean(0) > -3
    assert (made[:-2] - expected)[:, inside].abs().mean() < 0.6 * (copied - expected)[:, inside].abs().mean()


def test_what_is_too_short_to_know_a_voice_by_is_taken_for_the_most_similar_one() -> None:
    low, high = (_voice(*about).target(MEL, 4, 0.6).voice for about in ((110, 1.0), (190, 1.2)))
    short = Source.of(_spoken(187, 1.2, seed=77, vowels=1), Hearing(MEL), [low, high]).voice
    assert (short.mean - high.mean).square().mean() < 0.05 * (short.mean - low.mean).square().mean()
    assert 2 ** float(short.pitch) == pytest.approx(190, rel=0.1)
    long = np.concatenate([_spoken(150, 1.1, seed) for seed in range(20)])
    own = Source.of(long, Hearing(MEL), [low]).voice  # of a voice that is not among those known
    share = own.heard / (own.heard + 1000)
    assert float(own.pitch) == pytest.approx(np.log2(110) + share * np.log2(150 / 110), abs=0.1)


def test_a_speaker_that_is_named_is_not_guessed() -> None:
    model = _model()
    given = _spoken(187, 1.2, seed=77, vowels=1)  # as the voice "high" speaks

    def made(speaker: str | None) -> np.ndarray:
        waveform: np.ndarray = model.apply((given, RATE), None, {"to": "high", "speaker": speaker}, ())[0]
        return waveform

    frames = [Hearing(MEL).frames(torch.from_numpy(made(speaker))).values for speaker in ("high", "low")]
    heard = [2 ** median_pitch(own) for own in frames]
    assert heard[0] == pytest.approx(187, rel=0.1)
    assert heard[1] > 1.2 * heard[0]  # such a high pitch of the voice "low" is far above its mean
    np.testing.assert_array_equal(made("high"), made("high"))


def test_stretches_are_beside_their_frames_and_every_voice_is_there() -> None:
    heard = [_voice(110, 1.0, 3), _voice(190, 1.2, 3)]
    chosen = Converting(mel=MEL)
    targets = [one.target(MEL, 4, 0.6) for one in heard]
    feed = SpokenFeed.of(heard, targets, chosen, "cpu")
    batch = feed.batch(torch.arange(len(feed)))
    assert batch["x"].shape == (len(feed), 63 * MEL.hop) and batch["frames"].shape == (len(feed), MEL.bands + 2, 64)
    assert set(batch["voice"].tolist()) == {0, 1}
    rebuilt = torch.cat(list(heard[0].rebuilt(targets[0])), 1)
    torch.testing.assert_close(batch["frames"][0], rebuilt[:, :64])


# ---- streams and files -----------------------------------------------------------------------------------------------


def test_a_stream_in_pieces_equals_the_whole() -> None:
    model, hearing = _model(), Hearing(MEL)
    x = np.concatenate([_spoken(110, 1.0, seed) for seed in range(4)])
    source = Source.of(x, hearing, [target.voice for target in model.targets.values()])

    def made(chunk: int, step: int) -> np.ndarray:
        stream = voice_stream(model.network, hearing, source, model.targets["high"], 1, chunk=chunk)
        return np.concatenate([*(stream.push(x[k : k + step]) for k in range(0, len(x), step)), stream.end()])

    whole = made(100_000, len(x))
    assert len(whole) == len(x) and np.abs(whole).max() > 0.01
    np.testing.assert_allclose(made(40, 777), whole, atol=5e-4 * np.abs(whole).max())


def test_rate_channels_length_and_level_stay() -> None:
    model = _model()
    x = np.stack([_spoken(110, 1.0, seed) for seed in (0, 1)], 1)
    made, rate = model.apply((x, 11_025), None, {"to": "high"}, ())
    assert (made.shape, rate) == (x.shape, 11_025)
    quiet, _ = model.apply((0.25 * x, 11_025), None, {"to": "high"}, ())  # by a power of 2: no pitch flips by rounding
    np.testing.assert_allclose(4 * quiet, made, atol=0.02 * np.abs(made).max())
    for given in (x[:20], np.zeros((4_000, 1), np.float32)):
        made, _ = model.apply((given, RATE), None, {"to": "high"}, ())
        assert made.shape == given.shape and np.abs(made).max() < 1


def test_a_voice_that_was_not_named_or_is_not_there_gets_a_sentence() -> None:
    model = _model()
    with pytest.raises(InputError, match=r"No voice was named.*low, high.*--to"):
        model.apply((np.zeros(800, np.float32), RATE), None, {}, ())
    with pytest.raises(InputError, match=r"no voice 'hihg'.*high"):
        model.apply((np.zeros(800, np.float32), RATE), None, {"to": "hihg"}, ())
    with pytest.raises(InputError, match=r"no voice 'me'.*high, low.*leave --speaker out"):
        model.apply((np.zeros(800, np.float32), RATE), None, {"to": "high", "speaker": "me"}, ())
    with pytest.raises(DataError, match=r"shape \(0,\) is not a waveform"):
        model.apply((np.zeros(0, np.float32), RATE), None, {"to": "high"}, ())


# ---- the data --------------------------------------------------------------------------------------------------------


def test_one_voice_alone_sounds_beside_the_folders_and_too_little_get_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds one voice only"):
        open_voices(str(_folder(tmp_path / "one", A=4)), None)
    beside = _folder(tmp_path / "beside", A=4, B=4)
    soundfile.write(beside / "x.wav", _spoken(110, 1.0, 90), RATE)
    with pytest.raises(DataError, match=r"one voice only.*beside the subfolders"):
        open_voices(str(beside), None)
    short = _folder(tmp_path / "short", A=4)
    (short / "B").mkdir()
    soundfile.write(short / "B" / "b.wav", _spoken(200, 1.2, 5, vowels=1), RATE)
    with pytest.raises(DataError, match=r"0.2 s of B are too short"):
        open_voices(str(short), None)


def test_little_of_a_voice_is_told_before_training(tmp_path: Path) -> None:
    sounds = open_voices(str(_folder(tmp_path / "few", A=50, B=5)), None)
    assert "4 s of B: converting needs about 5 minutes." in sounds.passport["warnings"]


def test_every_voice_has_sounds_that_are_not_learned(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "v", A=12)
    (folder / "B").mkdir()
    soundfile.write(folder / "B" / "long.wav", np.concatenate([_spoken(200, 1.2, s) for s in range(40)]), RATE)
    learned, held_out = kept_of(open_voices(str(folder), None), seconds=360)
    assert all(learned) and all(held_out)
    assert len(learned[1]) > 3  # a long recording is heard in pieces
    short, _ = kept_of(open_voices(str(folder), None), seconds=3)
    assert sum(map(len, short[0])) < 4 * RATE


# ---- the judge -------------------------------------------------------------------------------------------------------


def test_the_classifier_knows_voices_and_words_are_compared_without_them() -> None:
    hearing = Hearing(MEL)
    kinds = ((110, 1.0), (190, 1.2))
    learned = [[_spoken(*kind, seed) for seed in range(8)] for kind in kinds]
    others = [[_spoken(*kind, seed) for seed in range(8, 12)] for kind in kinds]
    speakers = Speakers(learned, hearing)
    assert [speakers.named(own).tolist() for own in others] == [[0] * 4, [1] * 4]
    same = distances_of_words(others[0], others[1], hearing)  # the same vowels of another voice
    shuffled = distances_of_words(others[0], others[1][::-1], hearing)
    assert distances_of_words(others[0], others[0], hearing).max() < 1e-6
    assert same.mean() < 0.8 * shuffled.mean()


def test_voices_are_told_apart_by_one_recording_of_each_and_what_is_not_finite_is_silence() -> None:
    speakers = Speakers([[_spoken(*voice, seed=0)] for voice in ((110, 1.0), (200, 0.8))], Hearing(MEL))
    assert speakers.named([_spoken(110, 1.0, seed=1), _spoken(200, 0.8, seed=1)]).tolist() == [0, 1]
    broken = Stream(lambda x, begins, first, last: np.full(len(x), np.nan, np.float32), MEL, (1, 1), 4)
    assert broken.whole(np.ones(4_000, np.float32)).tolist() == [0.0] * 4_000


def _found(target: float, source: float, words: float) -> dict[str, np.ndarray]:
    return {"target": np.full(10, target), "source": np.full(10, source), "words": np.full(10, words)}


def test_a_converter_that_gives_back_its_input_is_said_to() -> None:
    def judge(mine: dict[str, np.ndarray]) -> tuple[str, str]:
        found = {"faithful": mine, "plain": _found(0.8, 0.1, 0.5)}
        verdict = judge_converter(found, "faithful", "plain", 1.0, {})
        return verdict.grade, verdict.headline

    grade, headline = judge(_found(0.0, 1.0, 0.0))
    assert grade == "failed" and "gives back its input" in headline
    assert judge(_found(0.95, 0.0, 0.5))[0] == "excellent"
    assert "do as well or better" in judge(_found(0.6, 0.2, 0.5))[1]  # less like the target than plain neighbours
    assert "do as well or better" in judge(_found(0.95, 0.0, 0.9))[1]  # the words are lost
