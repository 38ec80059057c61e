"""The network that speaks: an envelope, a pitch and a periodicity for each frame become a waveform; and its streams.

Shape letters: T samples, N frames, M mel bands, K = n_fft / 2 + 1 frequencies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ganforge.core.device import widened
from ganforge.core.seeds import generator_for
from ganforge.kinds.sounds.convert.voices import AROUND, LEVEL, Hearing, Target, Voice, median_pitch
from ganforge.kinds.sounds.features import InverseSTFT, Mel, mel_of, stft
from ganforge.kinds.sounds.reading import Samples
from ganforge.kinds.sounds.stream import Stream
from ganforge.networks.convnext import KERNEL, ConvNeXt, FrameConv

NOISE = 2**17 - 1  # samples, after which the noise is the same again
CHUNK = 512  # frames that a stream makes at once
REFERENCE = math.log2(120.0)  # of the logarithm of a pitch in Hz


class Spoken(NamedTuple):
    """What is to be spoken."""

    frames: Tensor  # (B, M + 2, N): envelope, log2 of the pitch in Hz, periodicity
    voice: Tensor  # (B,) int64, of those that the network knows
    first: Tensor  # (B,) int64: the place of the first sample, for the noise
    turns: Tensor  # (B,) float64: the phase there, in periods


class SourceFilter(nn.Module):
    """Frames (B, M + 2, N) -> a waveform (B, (N - 1) * hop): envelopes of a pulse train and of noise, and phases.

    The pulse train and the noise, each with the envelope given, are where the network begins: for each frequency it
    predicts the logarithm of a factor of both, and how far the phases of the pulses are from 0. An inverse STFT
    follows.
    Sources: Engel et al. 2020, "DDSP"; Siuzdak 2023, "Vocos".
    """

    noise: Tensor
    window: Tensor
    bins: Tensor

    def __init__(self, mel: Mel, width: int, depth: int, voices: int) -> None:
        super().__init__()
        self.mel, self.inverse = mel, InverseSTFT(mel.n_fft, mel.hop)
        frequencies = mel.n_fft // 2 + 1
        self.reach = (depth + 1) * (KERNEL // 2) + mel.n_fft // mel.hop
        self.first = FrameConv(mel.bands + 2, width, KERNEL // 2)
        self.voices = nn.Embedding(voices, width)
        self.norm = nn.LayerNorm(width)
        self.blocks = nn.Sequential(*(ConvNeXt(width, 1 / depth, KERNEL // 2) for _ in range(depth)))
        self.last_norm = nn.LayerNorm(width)
        self.last = nn.Linear(width, 3 * frequencies)
        nn.init.trunc_normal_(self.last.weight, std=0.01)
        nn.init.zeros_(self.last.bias)
        noise = torch.randn(NOISE, generator=generator_for(0, "convert/noise"), device="cpu")
        self.register_buffer("noise", noise, persistent=False)
        self.register_buffer("window", torch.hann_window(mel.n_fft), persistent=False)
        self.register_buffer("bins", _interpolation(mel), persistent=False)

    def silence(self) -> None:
        """Predict nothing: what is left are pulses and noise with the envelope given."""
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, given: Spoken) -> Tensor:
        frames, voice, first, turns = given
        envelope, pitch, periodic = frames[:, :-2], frames[:, -2:-1] - REFERENCE, frames[:, -1:]
        x = self.first(torch.cat([envelope, pitch, periodic], 1)).transpose(1, 2) + self.voices(voice)[:, None]
        x = self.norm(x).transpose(1, 2)
        x = self.last_norm(self.blocks(x).transpose(1, 2))
        pulses, turned, hiss = widened(self.last(x)).transpose(1, 2).chunk(3, dim=1)
        voiced, unvoiced = self.excitation(frames[:, -2], first, turns)
        scale = math.log(self.mel.rate / self.mel.n_fft / float(self.window.square().sum().sqrt()))  # of a band
        level = self.bins @ envelope + LEVEL + scale
        voiced = voiced * torch.exp((level + 0.5 * (periodic + 1e-2).log() + pulses).clamp(max=8.0))
        unvoiced = unvoiced * torch.exp((level + 0.5 * (1.01 - periodic).log() + hiss).clamp(max=8.0))
        cos, sin = turned.cos(), turned.sin()
        real = voiced.real * cos - voiced.imag * sin + unvoiced.real
        waveform: Tensor = self.inverse(real, voiced.real * sin + voiced.imag * cos + unvoiced.imag)
        return waveform

    def excitation(self, pitch: Tensor, first: Tensor, turns: Tensor) -> tuple[Tensor, Tensor]:
        """Return the spectrograms (B, K, N) of a pulse train and of noise, both of power 1."""
        length = (pitch.shape[1] - 1) * self.mel.hop
        train = pulse_train(self.periods(pitch), turns, self.mel.rate)
        places = (first[:, None] + torch.arange(length, device=pitch.device)) % NOISE
        size, hop = self.mel.n_fft, self.mel.hop
        return stft(train, size, hop, self.window), stft(self.noise[places], size, hop, self.window)

    def periods(self, pitch: Tensor) -> Tensor:
        """Return the periods in each sample (B, T), of log2 pitches (B, N) in Hz."""
        hop = self.mel.hop
        weight = torch.arange(hop, device=pitch.device) / hop
        between = torch.lerp(pitch[:, :-1, None], pitch[:, 1:, None], weight)
        return torch.exp2(between).flatten(1) / self.mel.rate


def pulse_train(periods: Tensor, turns: Tensor, rate: int) -> Tensor:
    """Return harmonics of equal size up to rate / 2, of power 1 in all: (B, T) of the periods in each sample.

    The sum of cosines in closed form (Dirichlet's kernel), and a part of the next one, so that none begins at once.
    """
    turned = periods.double().cumsum(1) + turns[:, None]
    phase = 2 * math.pi * (turned - turned.round()).float()  # around 0, where the kernel is steep
    most = 0.5 / periods - 0.5
    whole = most.floor()
    half = phase / 2
    sine = half.sin()
    kernel = torch.where(sine.abs() < 1e-4, whole, ((whole + 0.5) * phase).sin() / (2 * sine + 1e-12) - 0.5)
    return (kernel + (most - whole) * ((whole + 1) * phase).cos()) * (2 / most).sqrt()


def _interpolation(mel: Mel) -> Tensor:
    """Return the matrix (K, M) from values at the centres of bands to values at frequencies, linear in mel."""
    step = mel_of(mel.rate / 2) / (mel.bands + 1)
    places = [mel_of(mel.rate / 2 * k / (mel.n_fft // 2)) / step - 1 for k in range(mel.n_fft // 2 + 1)]
    matrix = torch.zeros(len(places), mel.bands)
    for k, place in enumerate(places):
        low = min(max(math.floor(place), 0), mel.bands - 2)
        share = min(max(place - low, 0.0), 1.0)
        matrix[k, low], matrix[k, low + 1] = 1 - share, share
    return matrix


# ---- streams ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of the voice of a recording before any of it is converted."""

    voice: Voice
    loudness: float

    @classmethod
    def of(cls, samples: Samples, hearing: Hearing, known: Sequence[Voice], speaker: Voice | None = None) -> Source:
        """Hear samples (T,): first everywhere, then around the median pitch, unless it is known whose voice they are.

        Args: known voices, if the recording is short; speaker the voice, if it is one of them.
        """
        x = torch.from_numpy(np.pad(samples, (0, max(0, hearing.mel.n_fft - len(samples)))))
        first = hearing.frames(x)
        if speaker is not None:
            return cls(speaker, first.loudness)
        frames, loudness = hearing.frames(x, median_pitch(first.values))
        return cls(Voice(frames).adapted(known), loudness)


def voice_stream(
    network: SourceFilter, hearing: Hearing, source: Source, target: Target, label: int, chunk: int = CHUNK
) -> Stream:
    """Return a stream of samples of one voice, which become those of another.

    Args: label of the target among the network's voices; chunk frames that are made at once.
    """
    mel, device = hearing.mel, network.noise.device
    seen = max(seconds for seconds, _ in AROUND) * mel.rate / mel.hop  # and pitch, medians and smoothing
    around = network.reach + math.ceil(seen) + 2 * mel.n_fft // mel.hop
    turns = 0.0  # the phase at the first frame that is not made yet, in periods

    @torch.no_grad()
    def make(x: Tensor, begins: int, first: int, last: int) -> Samples:
        nonlocal turns
        heard = hearing.frames(x, float(source.voice.pitch), source.loudness).values
        frames = target.convert(heard, source.voice)[None].to(device)

        def passed(start: int, end: int) -> float:
            """Return the periods between two frames."""
            return float(network.periods(frames[:, -2, start - begins : end - begins + 1]).double().sum())

        place, voice = (torch.tensor([number], device=device) for number in (begins * mel.hop, label))
        begun = torch.tensor([turns - passed(begins, first)]).double().to(device)
        turns = (turns + passed(first, last)) % 1.0
        waveform: Samples = network(Spoken(frames, voice, place, begun))[0].cpu().numpy()
        return waveform * math.exp(source.loudness - LEVEL)

    return Stream(make, mel, (around, around), chunk)
