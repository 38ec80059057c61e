"""Voices as stored frames, and conversion: each frame is moved to the target's statistics, and towards its neighbours.

A frame is a column of M + 2 numbers: the log-mel envelope relative to the loudness of the recording, log2 of the pitch
in Hz, and periodicity from 0 to 1. Source: Baas, van Niekerk and Kamper 2023, "Voice conversion with just nearest
neighbors", here with cepstra and pitch in place of a large speech model. Their mean alone loses words,
so a part of each envelope stays the source's own, whose cepstra get the mean and deviation of the target's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ganforge.kinds.sounds.features import LogMel, Mel, cosines

ORDER = 18  # cepstral coefficients of an envelope: harmonics of voices up to some 250 Hz are smoothed away
ROUNDS = 6  # of smoothing, each of which lifts the envelope towards the peaks of harmonics
LOUDNESS = 0.9  # quantile of the frames' levels
QUIETEST = -9.0  # of the natural logarithm, below which nothing is told apart
ACTIVE = -4.6  # of the level, from which a frame counts for the statistics of a voice: 40 dB below the loudness
VOICED = 0.7  # periodicity from which a pitch counts
AROUND = ((-0.08, 0.4), (-0.04, 0.7), (0.0, 1.0), (0.04, 0.7), (0.08, 0.4))  # seconds from a frame, and weights
PITCH_WEIGHT, PERIODIC_WEIGHT = 0.5, 1.0  # beside the cepstra
STEP, LARGEST = 0.1, 127  # contents are whole multiples, at most so many: distances are exact in any order of summation
FARTHEST = 2.0  # octaves of a pitch from its mean
BELOW, ABOVE = 1.7, 1.9  # times a voice's median pitch, between which its pitch is sought
RELEVANCE = 1000  # frames of a voice, from which on it is known better than the most similar one
SMOOTHING = (0.25, 0.5, 0.25)  # over frames
LEVEL = -4.7  # of the natural logarithm: the loudness at which the network speaks


class Frames(NamedTuple):
    """Frames of a recording."""

    values: Tensor  # (M + 2, N)
    loudness: float


class Hearing:
    """A waveform (T,) -> frames (M + 2, N), and the logarithm of the loudness that the envelopes are relative to."""

    def __init__(self, mel: Mel) -> None:
        self.mel, self.features, self.cosines = mel, LogMel(mel), cosines(mel.bands, min(ORDER, mel.bands))

    @torch.no_grad()
    def frames(self, waveform: Tensor, pitch: float | None = None, loudness: float | None = None) -> Frames:
        """Args: pitch log2 of the voice's median pitch in Hz, None to seek everywhere; loudness None to measure it."""
        low, high = (2**pitch / BELOW, 2**pitch * ABOVE) if pitch is not None else (LOWEST, HIGHEST)
        log_mel = self.features(waveform[None])[0]
        loudness = float(log_mel.mean(0).quantile(LOUDNESS)) if loudness is None else loudness
        envelope = (self._envelope(log_mel) - loudness).clamp(min=QUIETEST)
        found = pitch_of(waveform * math.exp(LEVEL - loudness), self.mel.rate, self.mel.hop, low, high)
        return Frames(torch.cat([envelope, found[:1].log2(), found[1:]]), loudness)

    def _envelope(self, log_mel: Tensor) -> Tensor:
        """Return the smooth curve over the peaks of (M, N) (Roebel and Rodet 2005, "true envelope")."""
        peaks = log_mel
        for _ in range(ROUNDS):
            smooth = self.cosines.T @ (self.cosines @ peaks)
            peaks = torch.maximum(log_mel, smooth)
        return smooth


def median_pitch(frames: Tensor) -> float:
    """Return the median of log2 of the pitch in Hz, of the frames (M + 2, N) that have one."""
    voiced = frames[-1] > VOICED
    return float(frames[-2][voiced].median() if voiced.any() else frames[-2].median())


class Voice:
    """The frames of one speaker, with their statistics."""

    def __init__(self, frames: Tensor) -> None:
        """Args: frames (M + 2, n)."""
        self.frames = frames
        bands = len(frames) - 2
        self.cosines = cosines(bands, min(ORDER, bands))
        level = frames[:-2].mean(0)
        active = level > min(ACTIVE, float(level.max()) - 0.1)
        cepstra = self.cosines @ frames[:-2][:, active]
        self.mean, self.spread = cepstra.mean(1, keepdim=True), cepstra.std(1, correction=0, keepdim=True) + 1e-3
        voiced = active & (frames[-1] >= min(VOICED, float(frames[-1][active].median())))
        pitches = frames[-2:-1, voiced]
        self.pitch, self.pitch_spread = pitches.mean(), pitches.std(correction=0) + 1e-2
        self.heard = int(active.sum())  # frames that were counted
        self._seen = cepstra, pitches

    def adapted(self, voices: Sequence[Voice]) -> Voice:
        """Return this voice with the statistics of the most similar of others, as far as too little was heard of it.

        Source: Reynolds, Quatieri and Dunn 2000, adaptation by maximum a posteriori.
        """
        prior, weight = max(voices, key=self._likelihood), self.heard / (self.heard + RELEVANCE)
        made = copy(self)
        made.mean, made.spread = _between(prior.mean, prior.spread, self.mean, self.spread, weight)
        made.pitch, made.pitch_spread = _between(prior.pitch, prior.pitch_spread, self.pitch, self.pitch_spread, weight)
        return made

    def _likelihood(self, other: Voice) -> float:
        """Return the mean log-likelihood of these frames, as independent normal numbers with another's statistics."""
        cepstra, pitches = self._seen
        spoken = -0.5 * ((cepstra - other.mean) / other.spread).square() - other.spread.log()
        sung = -0.5 * ((pitches - other.pitch) / other.pitch_spread).square() - other.pitch_spread.log()
        return float(spoken[1:].mean() * (len(cepstra) - 1) + sung.mean())  # without the level

    def cepstra(self, frames: Tensor, of: Voice) -> Tensor:
        """Return cepstra of frames (M + 2, N) of a voice, (K, N), with the mean and deviation of this one."""
        return (of.cosines @ frames[:-2] - of.mean) / of.spread * self.spread + self.mean

    def contents(self, frames: Tensor, of: Voice, rate: float) -> Tensor:
        """Return what is said in frames (M + 2, N) of a voice, (D, N), in units of this one. Args: rate of frames."""
        cepstra = self.cepstra(frames, of) - self.mean
        places = torch.arange(frames.shape[1])
        around = [
            weight * cepstra[:, (places + round(seconds * rate)).clamp(0, len(places) - 1)]
            for seconds, weight in AROUND
        ]
        pitch = ((frames[-2:-1] - of.pitch) / of.pitch_spread).clamp(-3, 3) * frames[-1:].clamp(min=0.2)
        found = torch.cat([*around, PITCH_WEIGHT * pitch, PERIODIC_WEIGHT * frames[-1:]])
        return (found / STEP).round().clamp(-LARGEST, LARGEST)


class Target:
    """A voice that others are converted to."""

    def __init__(self, frames: Tensor, rate: float, count: int, kept: float) -> None:
        """Args: frames (M + 2, n); rate of frames a second; count of neighbours; kept share of the source's own."""
        self.voice, self.rate, self.count, self.kept = Voice(frames), rate, min(count, frames.shape[1]), kept
        self.contents = self.voice.contents(frames, self.voice, rate)
        self.squares = self.contents.square().sum(0)

    def convert(self, frames: Tensor, source: Voice, without: slice | None = None) -> Tensor:
        """Return the frames (M + 2, N) that this voice has for those of a source.

        Args: without the place of a recording among the own frames, which is then not used.
        """
        voice = self.voice
        asked = voice.contents(frames, source, self.rate)
        distances = self.squares - 2 * asked.T @ self.contents
        if without is not None:
            distances[:, without] = math.inf
        nearest = distances.topk(self.count, dim=1, largest=False).indices
        found = voice.frames[:, nearest].mean(2)
        envelope = torch.lerp(found[:-2], voice.cosines.T @ voice.cepstra(frames, source), self.kept)
        envelope = smoothed(envelope + (frames[:-2].mean(0) - envelope.mean(0)) / 2)
        moved = (frames[-2] - source.pitch) / source.pitch_spread * voice.pitch_spread
        pitch = moved.clamp(-FARTHEST, FARTHEST) + voice.pitch
        periodic = (frames[-1] + found[-1]) / 2
        return torch.cat([envelope, pitch[None], periodic[None]])


def _between(mean: Tensor, spread: Tensor, own: Tensor, own_spread: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of a mixture, in which the own ones have a weight."""
    both = torch.lerp(mean, own, weight)
    squares = torch.lerp(spread.square() + (mean - both).square(), own_spread.square() + (own - both).square(), weight)
    return both, squares.sqrt()


def smoothed(rows: Tensor) -> Tensor:
    """Return rows (M, N), smoothed over frames."""
    kernel, half = rows.new_tensor(SMOOTHING)[None, None], len(SMOOTHING) // 2
    padded = torch.nn.functional.pad(rows[:, None], (half, half), mode="replicate")
    return torch.nn.functional.conv1d(padded, kernel)[:, 0]


# ---- pitch -----------------------------------------------------------------------------------------------------------

LOWEST, HIGHEST = 60.0, 420.0  # Hz
FIRST = 0.88  # of the highest peak: the first peak that has so much is the period, not a multiple of it
SPAN = 0.025  # seconds that are compared with those a period later
MEDIAN = 5  # frames whose median is taken
TOP = 1000.0  # Hz above which nothing is heard of a pitch
AT_ONCE = 4096  # frames


def pitch_of(waveform: Tensor, rate: int, hop: int, lowest: float = LOWEST, highest: float = HIGHEST) -> Tensor:
    """Return pitch in Hz and periodicity from 0 to 1, (2, N), in frames around every `hop`-th sample of (T,).

    The pitch of a frame that has none is whatever fits best. Source: Talkin 1995, "A robust algorithm for pitch
    tracking", its first stage.
    """
    spread = round(rate / TOP / 2)
    if spread > 1:
        kernel = torch.hann_window(2 * spread + 1, periodic=False, device=waveform.device)
        waveform = F.conv1d(waveform[None, None], (kernel / kernel.sum())[None, None], padding=spread)[0, 0]
    span, first, last = round(SPAN * rate), math.floor(rate / highest), math.ceil(rate / lowest)
    whole = span + last
    padded = F.pad(waveform, (whole // 2, whole))
    count = 1 + len(waveform) // hop
    frames = padded.unfold(0, whole, hop)[:count]
    found = torch.cat([_periods(part, span, first, last) for part in torch.split(frames, AT_ONCE)], 1)
    middle = F.pad(found[None], (MEDIAN // 2, MEDIAN // 2), mode="replicate")[0].unfold(1, MEDIAN, 1).median(-1).values
    return torch.stack([rate / middle[0], middle[1]])


def _periods(frames: Tensor, span: int, first: int, last: int) -> Tensor:
    """Return the period in samples and its correlation, (2, N), of frames (N, span + last)."""
    frames = frames - frames.mean(1, keepdim=True)
    size = 2 ** math.ceil(math.log2(span + last))
    spectrum = torch.fft.rfft(frames[:, :span], size).conj() * torch.fft.rfft(frames, size)
    products = torch.fft.irfft(spectrum, size)[:, : last + 1]
    energy = F.pad(frames.square().cumsum(1), (1, 0))
    energy = energy[:, span : span + last + 1] - energy[:, : last + 1]
    alike = products / (energy[:, :1] * energy + 1e-9).sqrt()
    before, here, after = alike[:, first - 1 : last - 1], alike[:, first:last], alike[:, first + 1 : last + 1]
    peaks = torch.where((here >= before) & (here >= after), here, here.new_tensor(-1.0))
    best = peaks.amax(1, keepdim=True)
    place = (peaks >= FIRST * best.clamp(min=0)).int().argmax(1, keepdim=True)
    left, middle, right = (x.gather(1, place)[:, 0] for x in (before, here, after))
    bend = left - 2 * middle + right
    shift = torch.where(bend < -1e-9, 0.5 * (left - right) / bend, torch.zeros_like(bend)).clamp(-0.5, 0.5)
    return torch.stack([first + place[:, 0] + shift, middle.clamp(0, 1)])
