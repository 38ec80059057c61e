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
from ganforge.kinds.sounds.stream import Stream

CHUNK = 512  # frames that are made at once


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of the voice of a recording before any of it is converted."""

    voice: Voice
    loudness: float

    @classmethod
    def of(cls, samples: Samples, hearing: Hearing, known: Sequence[Voice]) -> Source:
        """Hear samples (T,): first everywhere, then around the median pitch. Args: known voices, if it is short."""
        x = torch.from_numpy(np.pad(samples, (0, max(0, hearing.mel.n_fft - len(samples)))))
        frames, loudness = hearing.frames(x, median_pitch(hearing.frames(x).values))
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
