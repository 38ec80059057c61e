"""Log-mel spectrograms for any sample rate, and the way back: pseudo-inverse, and Griffin and Lim's iterations.

Shape letters here: T samples, N frames, M mel bands, K = n_fft / 2 + 1 frequencies.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from ganforge.recipe import Section

WINDOW_SECONDS = 0.032  # 256 samples at 8 kHz
BANDS_AT_8_KHZ = 40  # of 129 frequencies: of 64 bands a spectrogram can be inverted nearly without loss (docs/log.md)
MOST_STEP = 3.0  # of the natural logarithm: 26 dB by which a frequency is scaled at once
MOMENTUM = 0.99
FLOOR = 1e-5  # magnitude below which everything is silence: -100 dB of full scale
LINEAR, LINEAR_HZ, LOG_STEP = 200.0 / 3.0, 1000.0, math.log(6.4) / 27.0  # of the mel scale
DERIVED = {"mel": "Use --rate, from which it follows."}  # of the sections of tasks (recipe.Section)


class Mel(Section):
    """How a waveform becomes a log-mel spectrogram, as other tools name it. In model.json, for their spectrograms.

    Frames are centred (frame n at sample n * hop, zeros beyond the ends), the window is a periodic Hann one, magnitudes
    are summed by area-normalised triangles on Slaney's mel scale from 0 Hz to rate / 2, and the natural logarithm of
    max(., floor) is taken.
    """

    rate: Annotated[int, Field(ge=1000, le=384_000)]  # samples a second
    n_fft: Annotated[int, Field(ge=16, le=8192)]
    hop: Annotated[int, Field(ge=4, le=4096)]
    bands: Annotated[int, Field(ge=4, le=512)]
    floor: Annotated[float, Field(gt=0, le=1)] = FLOOR

    @classmethod
    def at(cls, rate: int) -> Mel:
        """Derive the settings for a sample rate: a window of about 32 ms, and bands as wide as 40 are at 8 kHz."""
        n_fft = 2 ** round(math.log2(WINDOW_SECONDS * rate))
        bands = round(BANDS_AT_8_KHZ * mel_of(rate / 2) / mel_of(4000.0))
        return cls(rate=rate, n_fft=n_fft, hop=n_fft // 4, bands=bands)

    def frames_of(self, samples: int) -> int:
        """Return the number of frames of a waveform."""
        return 1 + samples // self.hop


def mel_of(hertz: float) -> float:
    """Return a frequency on Slaney's mel scale: linear below 1000 Hz, logarithmic above ("Auditory Toolbox", 1998)."""
    if hertz < LINEAR_HZ:
        return hertz / LINEAR
    return LINEAR_HZ / LINEAR + math.log(hertz / LINEAR_HZ) / LOG_STEP


def hertz_of(mel: float) -> float:
    """Invert `mel_of`."""
    knee = LINEAR_HZ / LINEAR
    return mel * LINEAR if mel < knee else LINEAR_HZ * math.exp(LOG_STEP * (mel - knee))


def filters_of(mel: Mel) -> Tensor:
    """Return the triangles (M, K) float32: each rises and falls between its neighbours' centres, of area 1 in Hz."""
    top = mel_of(mel.rate / 2)
    edges = torch.tensor([hertz_of(top * k / (mel.bands + 1)) for k in range(mel.bands + 2)], dtype=torch.float64)
    places = torch.linspace(0, mel.rate / 2, mel.n_fft // 2 + 1, dtype=torch.float64)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = torch.minimum((places - low) / (centre - low), (high - places) / (high - centre)).clamp_(min=0)
    return (triangles * 2 / (high - low)).float()


def exact(x: Tensor) -> torch.autocast:
    """Return a context in which nothing is computed in bfloat16: of a waveform its 8 bits would be heard as noise."""
    return torch.autocast(x.device.type, enabled=False)


class LogMel(nn.Module):
    """A waveform (B, T) -> a log-mel spectrogram (B, M, N), and from it the magnitudes (B, K, N) of least squares."""

    window: Tensor
    filters: Tensor
    inverse: Tensor
    shares: Tensor

    def __init__(self, mel: Mel) -> None:
        super().__init__()
        self.mel = mel
        filters = filters_of(mel)
        self.register_buffer("window", torch.hann_window(mel.n_fft), persistent=False)
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("inverse", torch.linalg.pinv(filters.double()).float(), persistent=False)
        shares = filters / filters.sum(0, keepdim=True).clamp(min=1e-12)  # of the bands in each frequency
        self.register_buffer("shares", shares.T.contiguous(), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        with exact(waveform):
            return self._bands(self.spectrum(waveform).abs()).log()

    def spectrum(self, waveform: Tensor) -> Tensor:
        """Return the complex spectrogram (B, K, N) of waveforms (B, T)."""
        return stft(waveform, self.mel.n_fft, self.mel.hop, self.window)

    def magnitudes(self, log_mel: Tensor) -> Tensor:
        """Return magnitudes by the pseudo-inverse of the filters, at least the floor (Lv et al. 2024, "FreeV")."""
        with exact(log_mel):
            return (self.inverse @ log_mel.exp()).clamp(min=self.mel.floor)

    def corrected(self, spectrum: Tensor, log_mel: Tensor) -> Tensor:
        """Return a complex spectrogram (B, K, N) with the bands' levels nearer to those of a log-mel spectrogram.

        Each frequency is scaled by the mean, weighted by the filters, of what the bands that hold it lack.
        """
        with exact(log_mel):
            lacking = (log_mel - self._bands(spectrum.abs()).log()).clamp(-MOST_STEP, MOST_STEP)
            return spectrum * (self.shares @ lacking).exp()

    def _bands(self, magnitudes: Tensor) -> Tensor:
        return (self.filters @ magnitudes).clamp(min=self.mel.floor)


def stft(waveform: Tensor, n_fft: int, hop: int, window: Tensor) -> Tensor:
    """Return the complex spectrogram (B, K, N) of waveforms (B, T), with zeros beyond the ends."""
    return torch.stft(waveform, n_fft, hop, window=window, center=True, pad_mode="constant", return_complex=True)


class InverseSTFT(nn.Module):
    """A real and an imaginary part (B, K, N) -> the waveform (B, (N - 1) * hop).

    Overlap-add by one transposed convolution with the windowed inverse Fourier transform, divided by the sum of the
    squared windows: equal to torch.istft, but it exports to ONNX.
    """

    basis: Tensor
    squared: Tensor

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        window = torch.hann_window(n_fft, dtype=torch.float64)
        angle = 2 * math.pi / n_fft * torch.outer(torch.arange(n_fft // 2 + 1), torch.arange(n_fft)).double()
        twice = torch.full((n_fft // 2 + 1, 1), 2.0, dtype=torch.float64)
        twice[0], twice[-1] = 1.0, 1.0  # all others stand for a pair of conjugates
        waves = torch.cat([twice * angle.cos(), -twice * angle.sin()]) * window / n_fft  # (2K, n_fft)
        self.register_buffer("basis", waves[:, None].float(), persistent=False)
        self.register_buffer("squared", window.square()[None, None].float(), persistent=False)

    def forward(self, real: Tensor, imaginary: Tensor) -> Tensor:
        with exact(real):
            added = nn.functional.conv_transpose1d(torch.cat([real, imaginary], 1), self.basis, stride=self.hop)
            weight = nn.functional.conv_transpose1d(torch.ones_like(real[:1, :1]), self.squared, stride=self.hop)
        half = self.n_fft // 2
        inside = slice(half, half + (real.shape[2] - 1) * self.hop)
        waveform: Tensor = (added[..., inside] / weight[..., inside].clamp(min=1e-11))[:, 0]
        return waveform


@torch.no_grad()
def griffin_lim(log_mel: Tensor, features: LogMel, iterations: int = 60) -> Tensor:
    """Return a waveform (B, (N - 1) * hop) whose spectrogram is near the one given, without any training.

    The magnitudes are those of the pseudo-inverse throughout; the phases start random, from a fixed seed. Source:
    Griffin and Lim 1984; momentum: Perraudin, Balazs and Sondergaard 2013.
    """
    magnitudes, length = features.magnitudes(log_mel), (log_mel.shape[2] - 1) * features.mel.hop
    phases, before = _random_phases(magnitudes), torch.zeros_like(magnitudes, dtype=torch.complex64)
    for _ in range(iterations):
        now = features.spectrum(_inverse(magnitudes * phases, features, length))
        phases = now + MOMENTUM / (1 + MOMENTUM) * (now - before)
        phases, before = phases / phases.abs().clamp(min=1e-16), now
    return _inverse(magnitudes * phases, features, length)


@torch.no_grad()
def refined(waveform: Tensor, log_mel: Tensor, features: LogMel, iterations: int) -> Tensor:
    """Return a waveform (B, T) whose bands are nearer to a log-mel spectrogram (B, M, T / hop + 1), by iterations.

    Like Griffin and Lim's, but only the bands' levels are given: magnitudes within a band, and all phases, are those
    that the waveform has, so both are found together. Source of the idea: Masuyama, Ueno and Ono 2023, "Signal
    reconstruction from mel-spectrogram based on bi-level consistency of full-band magnitude and phase"
    (arXiv 2307.12232); the momentum is that of `griffin_lim`.
    """
    before: Tensor | None = None
    for _ in range(iterations):
        now = features.spectrum(waveform)
        ahead = now if before is None else now + MOMENTUM * (now - before)
        waveform, before = _inverse(features.corrected(ahead, log_mel), features, waveform.shape[1]), now
    return waveform


@torch.no_grad()
def mel_griffin_lim(log_mel: Tensor, features: LogMel, iterations: int = 60) -> Tensor:
    """Return a waveform (B, (N - 1) * hop) with the bands given, by `refined` from random phases: no training."""
    magnitudes = features.magnitudes(log_mel)
    start = _inverse(magnitudes * _random_phases(magnitudes), features, (log_mel.shape[2] - 1) * features.mel.hop)
    return refined(start, log_mel, features, iterations)


def _random_phases(magnitudes: Tensor) -> Tensor:
    random = torch.Generator(magnitudes.device).manual_seed(0)
    angles = torch.empty_like(magnitudes).uniform_(-math.pi, math.pi, generator=random)
    return torch.polar(torch.ones_like(angles), angles)


def _inverse(spectrum: Tensor, features: LogMel, length: int) -> Tensor:
    mel = features.mel
    return torch.istft(spectrum, mel.n_fft, mel.hop, window=features.window, center=True, length=length)


def cosines(bands: int, order: int) -> Tensor:
    """Return the first rows (order, M) of the orthonormal discrete cosine transform: log-mel bands -> cepstra."""
    place = torch.arange(bands) + 0.5
    rows = torch.stack([(math.pi * k / bands * place).cos() for k in range(order)]) * math.sqrt(2 / bands)
    rows[0] /= math.sqrt(2)
    return rows
