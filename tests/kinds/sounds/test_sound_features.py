"""Spectrograms against closed forms, and streams against the whole."""

import math

import numpy as np
import pytest
import torch

from ganforge.kinds.sounds.features import InverseSTFT, LogMel, Mel, filters_of, griffin_lim, hertz_of, mel_of, stft
from ganforge.kinds.sounds.networks import Vocoder
from ganforge.kinds.sounds.stream import Channel
from ganforge.kinds.sounds.vocode.model import stream_of

RATES = [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000]


@pytest.mark.parametrize("rate", RATES)
def test_settings_are_derived_for_any_rate(rate: int) -> None:
    mel = Mel.at(rate)
    assert 0.02 < mel.n_fft / rate < 0.047 and mel.n_fft & (mel.n_fft - 1) == 0
    assert mel.hop * 4 == mel.n_fft
    assert (filters_of(mel).sum(1) > 0).all()  # no band falls between two frequencies


def test_the_mel_scale_is_that_of_slaney() -> None:
    assert mel_of(1000.0) == pytest.approx(15.0)
    assert mel_of(6400.0) == pytest.approx(42.0)  # 27 steps above 1000 Hz
    assert hertz_of(mel_of(3210.0)) == pytest.approx(3210.0)


def test_every_filter_has_area_one_in_hertz() -> None:
    mel = Mel.at(8_000).model_copy(update={"n_fft": 4096, "hop": 1024})
    area = filters_of(mel).double().sum(1) * mel.rate / mel.n_fft
    assert torch.allclose(area, torch.ones_like(area), atol=0.01)


def test_a_sine_is_loudest_in_the_band_of_its_frequency() -> None:
    mel = Mel.at(8_000)
    time = torch.arange(8_000) / 8_000
    for hertz in (300.0, 1_000.0, 2_500.0):
        frame = LogMel(mel)(torch.sin(2 * math.pi * hertz * time)[None])[0, :, 60]
        centre = hertz_of(mel_of(4_000.0) * (int(frame.argmax()) + 1) / (mel.bands + 1))
        assert centre == pytest.approx(hertz, rel=0.12)


@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_the_inverse_is_that_of_torch_and_gives_the_waveform_back(rate: int) -> None:
    mel = Mel.at(rate)
    x = 0.1 * torch.randn(2, 40 * mel.hop, generator=torch.Generator().manual_seed(0))
    window = torch.hann_window(mel.n_fft)
    spectrum = stft(x, mel.n_fft, mel.hop, window)
    made = InverseSTFT(mel.n_fft, mel.hop)(spectrum.real, spectrum.imag)
    theirs = torch.istft(spectrum, mel.n_fft, mel.hop, window=window, length=x.shape[1])
    assert torch.allclose(made, theirs, atol=1e-6) and torch.allclose(made, x, atol=1e-6)


def test_griffin_lim_returns_a_sine_of_the_same_frequency_and_level() -> None:
    mel = Mel.at(8_000)
    sine = 0.3 * torch.sin(2 * math.pi * 500 * torch.arange(128 * mel.hop) / 8_000)
    made = griffin_lim(LogMel(mel)(sine[None]), LogMel(mel))[0]
    inner = made[16 * mel.hop : -16 * mel.hop]
    spectrum = torch.fft.rfft(inner).abs()
    assert float(spectrum.argmax()) * 8_000 / len(inner) == pytest.approx(500, abs=20)
    assert float(inner.square().mean().sqrt()) == pytest.approx(0.3 / math.sqrt(2), rel=0.15)


def _vocoder(rate: int = 8_000) -> Vocoder:
    torch.manual_seed(0)
    return Vocoder(Mel.at(rate), width=16, depth=2, lookahead=2, corrections=1).eval()


@pytest.mark.parametrize("length", [64 * 300, 64 * 300 + 17, 1_000, 50, 64])
@pytest.mark.parametrize("block", [333, 10_000])
def test_a_stream_equals_the_whole_wherever_it_is_cut(length: int, block: int) -> None:
    network = _vocoder()
    x = 0.3 * np.random.default_rng(length).standard_normal(length).astype(np.float32)
    stream = stream_of(network, chunk=32)
    parts = [stream.push(x[first : first + block]) for first in range(0, length, block)]
    made = np.concatenate([*parts, stream.end()])
    padded = np.pad(x, (0, 2 * network.features.mel.hop))
    with torch.no_grad():
        whole = network(network.features(torch.from_numpy(padded)[None]))[0].numpy()
    assert len(made) == length
    inside = (length // 64 - network.reach()[1] - 4) * 64  # what lies beyond the end reaches back so far
    assert np.abs(made[: max(0, inside)] - whole[: max(0, inside)]).max(initial=0.0) < 1e-5


@pytest.mark.parametrize(("refinements", "fewer"), [(0, 6), (3, 18)])
def test_a_stream_made_with_too_little_around_would_be_noticed(refinements: int, fewer: int) -> None:
    network = _vocoder()
    x = 0.3 * np.random.default_rng(0).standard_normal(64 * 200).astype(np.float32)

    def made(less: int) -> np.ndarray:
        stream = stream_of(network, refinements, chunk=32)
        stream.behind, stream.ahead = stream.behind - less, stream.ahead - less
        return np.concatenate([stream.push(x), stream.end()])

    right = stream_of(network, refinements, chunk=10_000)
    whole = np.concatenate([right.push(x), right.end()])
    assert np.abs(made(0) - whole).max() < 1e-5
    assert np.abs(made(fewer) - whole).max() > 1e-4


@pytest.mark.parametrize("rate", [8_000, 11_025, 48_000])
def test_a_channel_returns_as_many_samples_as_it_was_given_at_any_rate(rate: int) -> None:
    channel = Channel(stream_of(_vocoder()), rate)
    x = np.random.default_rng(0).standard_normal(rate + 123).astype(np.float32)
    made = [channel.push(x[:1_000]), channel.push(x[1_000:]), channel.end()]
    assert sum(len(part) for part in made) == len(x)
