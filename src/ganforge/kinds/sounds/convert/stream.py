"""A recording of any length in another voice: heard once for its statistics, then converted a piece at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganforge.kinds.sounds.convert.network import SourceFilter, Spoken
from ganforge.kinds.sounds.convert.voices import AROUND, LEVEL, Hearing, Target, Voice, median_pitch
from ganforge.kinds.sounds.reading import Samples
from ganforge.kinds.sounds.vocode.stream import NOTHING, Channel, Stream, converter

CHUNK = 512  # frames that are made at once
HEARD_SECONDS = 360.0  # of a recording, from which its voice is known


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of the voice of a recording before any of it is converted."""

    voice: Voice
    loudness: float

    @classmethod
    def of(cls, samples: Samples, hearing: Hearing, known: Sequence[Voice]) -> Source:
        """Hear samples (T,): first everywhere, then around the median pitch. Args: known voices, if it is short."""
        x = torch.from_numpy(np.pad(samples, (0, max(0, hearing.mel.n_fft - len(samples)))))
        first = hearing.frames(x)
        found = hearing.frames(x, median_pitch(first.values))
        return cls(Voice(found.values).adapted(known), found.loudness)


class VoiceStream(Stream):
    """Samples in, samples of another voice out: equal to one pass over the whole, up to the rounding of sums."""

    def __init__(
        self, network: SourceFilter, hearing: Hearing, source: Source, target: Target, label: int, chunk: int = CHUNK
    ) -> None:
        """Args: label of the target among the network's voices; chunk frames that are made at once."""
        self.speaker, self.hearing, self.source, self.target, self.label = network, hearing, source, target, label
        mel = hearing.mel
        seen = max(seconds for seconds, _ in AROUND) * mel.rate / mel.hop  # and pitch, medians and smoothing
        self.chunk, self.hop = chunk, mel.hop
        self.behind = self.ahead = network.reach + math.ceil(seen) + 2 * mel.n_fft // mel.hop
        self._held = NOTHING  # samples from frame `_begins` on
        self._begins, self._made, self._given = 0, 0, 0  # frames, frames, samples
        self._turns = 0.0  # the phase at frame `_made`, in periods

    def _piece(self, upto: int, end: int) -> Samples:
        """Make the frames up to `upto` from the samples up to `end`, of which missing ones are silence."""
        given = self._held[: end - self._begins * self.hop]
        x = torch.from_numpy(np.pad(given, (0, end - self._begins * self.hop - len(given))))
        heard = self.hearing.frames(x, float(self.source.voice.pitch), self.source.loudness)
        frames = self.target.convert(heard.values, self.source.voice)
        turns = self._turns - self._passed(frames, self._begins, self._made)
        waveform = spoken(self.speaker, frames, self.label, self._begins * self.hop, turns)
        last = min(upto * self.hop, self._given) - self._begins * self.hop
        made: Samples = waveform[(self._made - self._begins) * self.hop : last] * math.exp(self.source.loudness - LEVEL)
        self._turns = (self._turns + self._passed(frames, self._made, upto)) % 1.0
        keep = max(self._begins, upto - self.behind)
        self._made, self._held, self._begins = upto, self._held[(keep - self._begins) * self.hop :], keep
        return made

    def _passed(self, frames: Tensor, first: int, last: int) -> float:
        """Return the periods between two frames."""
        inside = frames[None, -2, first - self._begins : last - self._begins + 1]
        return float(self.speaker.periods(inside.to(self.speaker.noise.device)).double().sum())


@torch.no_grad()
def spoken(network: SourceFilter, frames: Tensor, label: int, first: int = 0, turns: float = 0.0) -> Samples:
    """Return the waveform ((N - 1) * hop,) of frames (M + 2, N), at the level that the network has learned."""
    device = next(network.parameters()).device
    places = torch.tensor([first], device=device)
    given = Spoken(
        frames[None].to(device), torch.tensor([label], device=device), places, torch.tensor([turns]).double().to(device)
    )
    waveform: Samples = network(given)[0].cpu().numpy()
    return waveform


class VoiceChannel(Channel):
    """One channel on its way: converted to the network's rate, to another voice, and back."""

    def __init__(
        self, network: SourceFilter, hearing: Hearing, target: Target, label: int, source: Source, rate: int
    ) -> None:
        """Args: label of the target among the network's voices; rate of the channel."""
        own = hearing.mel.rate
        self._stream = VoiceStream(network, hearing, source, target, label)
        self._inward, self._outward = converter(rate, own), converter(own, rate)
        self._given, self._returned = 0, 0
