"""Networks for waveforms: a vocoder that works frame by frame, and discriminators of periods and spectrograms.

Shape letters: T samples, N frames, M mel bands, K = n_fft / 2 + 1 frequencies, P scores of an example.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.core.device import widened
from ganforge.kinds.sounds.features import InverseSTFT, LogMel, Mel, exact, stft
from ganforge.networks.convnext import KERNEL, ConvNeXt, FrameConv

PERIODS = (2, 3, 5)  # of the discriminators; Kong et al. 2020, "HiFi-GAN", have 7 and 11 too
WINDOWS = (512, 256)  # samples of the spectrograms that discriminators see, at 8 kHz
SLOPE = 0.1
COMPARED = (64, 128, 256, 512, 1024)  # samples, at 8 kHz, of the spectrograms that a distance is taken of
LEAST = 1e-3  # magnitude below which a difference of logarithms is not counted


class Vocoder(nn.Module):
    """A log-mel spectrogram (B, M, N) -> a waveform (B, (N - 1) * hop), at the rate of frames throughout.

    The network predicts what the pseudo-inverse of the mel filters lacks: the logarithm of a factor for each magnitude,
    and the phase; an inverse STFT follows. Then the waveform's bands are brought nearer to those given, `corrections`
    times: training goes through that too. Sources: Siuzdak 2023, "Vocos"; Lv et al. 2024, "FreeV"; `refined` in
    features.py.
    """

    def __init__(self, mel: Mel, width: int, depth: int, *, lookahead: int, corrections: int) -> None:
        """Args: lookahead frames that the convolutions see ahead, all together."""
        super().__init__()
        self.features, self.inverse = LogMel(mel), InverseSTFT(mel.n_fft, mel.hop)
        self.corrections = corrections
        layers, frequencies = depth + 1, mel.n_fft // 2 + 1
        ahead = [lookahead // layers + (place < lookahead % layers) for place in range(layers)]
        self.lookahead, self.lookback = lookahead, layers * (KERNEL - 1) - lookahead
        self.first = FrameConv(mel.bands, width, ahead[0])
        self.norm = nn.LayerNorm(width)
        self.blocks = nn.Sequential(*(ConvNeXt(width, 1 / depth, own) for own in ahead[1:]))
        self.last_norm = nn.LayerNorm(width)
        self.last = nn.Linear(width, 2 * frequencies)
        nn.init.trunc_normal_(self.last.weight, std=0.02)
        nn.init.zeros_(self.last.bias)

    def forward(self, log_mel: Tensor) -> Tensor:
        x = self.norm(self.first(log_mel).transpose(1, 2)).transpose(1, 2)
        x = widened(self.last_norm(self.blocks(x).transpose(1, 2)))
        with exact(x):
            factor, phase = self.last(x).transpose(1, 2).chunk(2, dim=1)
            magnitude = torch.exp(self.features.magnitudes(log_mel).log() + factor.clamp(max=8.0))
            waveform: Tensor = self.inverse(magnitude * phase.cos(), magnitude * phase.sin())
            for _ in range(self.corrections):
                spectrum = self.features.corrected(self.features.spectrum(waveform), log_mel)
                waveform = self.inverse(spectrum.real, spectrum.imag)
        return waveform

    def reach(self, refinements: int = 0) -> tuple[int, int]:
        """Return how many frames behind and ahead a waveform's sample depends on, by its spectrogram and the network.

        Args: refinements iterations of `refined` after the network.
        """
        mel = self.features.mel
        half = -(-mel.n_fft // (2 * mel.hop))  # frames that a window reaches to each side
        around = 2 * half * (1 + self.corrections + refinements) - 1  # a spectrogram and its inverse, each time
        return self.lookback + around, self.lookahead + around


class PeriodDiscriminator(nn.Module):
    """A waveform (B, T) -> scores (B, P) and features: every p-th sample side by side (Kong et al. 2020)."""

    def __init__(self, period: int, width: int) -> None:
        super().__init__()
        self.period = period
        widths = [1, width, 2 * width, 4 * width]
        self.layers = nn.ModuleList(
            nn.Conv2d(into, out, (5, 1), (3, 1), padding=(2, 0)) for into, out in pairwise(widths)
        )
        self.score = nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0))

    def forward(self, waveform: Tensor) -> tuple[Tensor, list[Tensor]]:
        missing = -waveform.shape[1] % self.period
        x = F.pad(waveform, (0, missing)).reshape(len(waveform), 1, -1, self.period)
        return scored(x, self.layers, self.score)


class SpectrogramDiscriminator(nn.Module):
    """A waveform (B, T) -> scores (B, P) and features: its complex spectrogram as a picture (Jang et al. 2021)."""

    window: Tensor

    def __init__(self, n_fft: int, width: int) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        widths = [2, width, width, 2 * width]
        self.layers = nn.ModuleList(
            nn.Conv2d(into, out, (5, 3), (2, 2) if place else (2, 1), padding=(2, 1))
            for place, (into, out) in enumerate(pairwise(widths))
        )
        self.score = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, waveform: Tensor) -> tuple[Tensor, list[Tensor]]:
        spectrum = stft(waveform, self.n_fft, self.n_fft // 4, self.window)
        return scored(torch.stack([spectrum.real, spectrum.imag], 1), self.layers, self.score)


def scored(x: Tensor, layers: nn.ModuleList, score: nn.Module) -> tuple[Tensor, list[Tensor]]:
    """Return scores (B, P) of x (B, C, ...), and what each of some layers finds on the way."""
    features: list[Tensor] = []
    for layer in layers:
        x = F.leaky_relu(layer(x), SLOPE)
        features.append(x)
    scores: Tensor = score(x)
    return scores.flatten(1), features


class Discriminators(nn.Module):
    """A waveform (B, T) -> the scores (B, P) of each discriminator, and all of their features."""

    def __init__(self, rate: int, width: int) -> None:
        super().__init__()
        grown = 2 ** max(0, round(math.log2(rate / 8000)))
        self.parts = nn.ModuleList(
            [
                *(PeriodDiscriminator(period, width) for period in PERIODS),
                *(SpectrogramDiscriminator(n_fft * grown, width) for n_fft in WINDOWS),
            ]
        )

    def forward(self, waveform: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        judged = [part(waveform) for part in self.parts]
        return [scores for scores, _ in judged], [one for _, features in judged for one in features]


class SpectralDistance(nn.Module):
    """Made and true waveforms (B, T) -> (B,): how far their spectrograms are apart, at several resolutions.

    The mean over windows of spectral convergence and of the difference of log magnitudes (Yamamoto et al. 2020,
    equations 5 and 6), and the difference of log-mel spectrograms.
    """

    def __init__(self, mel: Mel) -> None:
        super().__init__()
        self.features = LogMel(mel)
        grown = mel.n_fft // 256 or 1
        self.windows = [window * grown for window in COMPARED]
        for window in self.windows:
            self.register_buffer(f"window_{window}", torch.hann_window(window), persistent=False)

    def forward(self, made: Tensor, truth: Tensor) -> dict[str, Tensor]:
        mel = (self.features(made) - self.features(truth)).abs().mean((1, 2))
        convergence, logarithm = torch.zeros_like(mel), torch.zeros_like(mel)
        for size in self.windows:
            window = getattr(self, f"window_{size}")
            ours, theirs = (stft(x, size, size // 4, window).abs() for x in (made, truth))
            gap = (ours - theirs).square().sum((1, 2)).sqrt()
            convergence = convergence + gap / theirs.square().sum((1, 2)).sqrt().clamp(min=LEAST)
            logarithm = logarithm + ((ours + LEAST).log() - (theirs + LEAST).log()).abs().mean((1, 2))
        return {"mel": mel, "convergence": convergence / len(self.windows), "logarithm": logarithm / len(self.windows)}
