"""Waveforms of any length through a network, a piece at a time and in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import soxr
import torch
from torch import Tensor

from ganforge.kinds.sounds.features import Mel
from ganforge.kinds.sounds.reading import Samples
from ganforge.kinds.sounds.sound_file import Waveform

NOTHING = np.zeros(0, np.float32)

Make: TypeAlias = Callable[[Tensor, int, int, int], Samples]
"""(samples (T,) from frame `begins` on, begins, first, last) -> what is made of them, of which that from frame `first`
to `last` is used. Pieces follow each other without gaps."""


class Stream:
    """Samples in, samples made of them out: equal to one pass over the whole, up to the rounding of sums.

    Every piece is made with the frames around it that its samples depend on.
    """

    def __init__(self, make: Make, mel: Mel, reach: tuple[int, int], chunk: int) -> None:
        """Args: reach frames behind and ahead that a sample depends on; chunk frames that are made at once: fewer wait
        less and cost more."""
        self.make, self.mel, self.chunk = make, mel, chunk
        self.behind, self.ahead = reach
        self._held = NOTHING  # samples from frame `_begins` on
        self._begins, self._made, self._given = 0, 0, 0  # frames, frames, samples

    @property
    def latency(self) -> float:
        """Return the seconds that a sample waits for those after it, at most."""
        return (self.chunk + self.ahead) * self.mel.hop / self.mel.rate

    def push(self, samples: np.ndarray) -> Samples:
        """Take samples (n,) float32 at the network's rate, and return those that are ready."""
        self._held, self._given = np.concatenate([self._held, samples]), self._given + len(samples)
        ready, wait = [NOTHING], self.chunk + self.ahead
        while (self._made + wait) * self.mel.hop <= self._given:
            ready.append(self._piece(self._made + self.chunk, self._made + wait))
        return np.concatenate(ready)

    def end(self) -> Samples:
        """Return the rest: as many samples in all as were given."""
        ready, last = [NOTHING], -(-self._given // self.mel.hop)
        while self._made < last:
            ready.append(self._piece(min(self._made + self.chunk, last), last + 1))
        return np.concatenate(ready)

    def whole(self, samples: Samples) -> Samples:
        """Return what becomes of samples (T,) that are all of a sound."""
        return np.concatenate([self.push(samples), self.end()])

    def _piece(self, upto: int, seen: int) -> Samples:
        """Make the frames up to `upto` from those up to `seen`, of whose samples missing ones are silence."""
        hop, count = self.mel.hop, (seen - self._begins) * self.mel.hop
        given = self._held[:count]
        x = torch.from_numpy(np.pad(given, (0, count - len(given))))
        waveform = self.make(x, self._begins, self._made, upto)
        last = min(upto * hop, self._given) - self._begins * hop
        made: Samples = np.nan_to_num(waveform[(self._made - self._begins) * hop : last], posinf=0.0, neginf=0.0)
        keep = max(self._begins, upto - self.behind)
        self._made, self._held, self._begins = upto, self._held[(keep - self._begins) * hop :], keep
        return made


class Channel:
    """One channel on its way: converted to a stream's rate, through the stream, and converted back."""

    def __init__(self, stream: Stream, rate: int) -> None:
        """Args: rate of the channel."""
        self._stream, own = stream, stream.mel.rate
        self._inward, self._outward = converter(rate, own), converter(own, rate)
        self._given, self._returned = 0, 0

    @property
    def latency(self) -> float:
        """Return the seconds that a sample waits for those after it, besides a conversion of the rate."""
        return self._stream.latency

    def push(self, samples: np.ndarray) -> Samples:
        """Take samples (n,) at the rate outside, and return those that are ready."""
        self._given += len(samples)
        x = np.ascontiguousarray(samples, np.float32)
        return self._counted(self._outward(self._stream.push(self._inward(x, False)), False))

    def end(self) -> Samples:
        """Return the rest: as many samples in all as were given."""
        rest = self._stream.whole(self._inward(NOTHING, True))
        left = self._counted(self._outward(rest, True))
        return np.pad(left, (0, self._given - self._returned))

    def _counted(self, made: Samples) -> Samples:
        kept = made[: self._given - self._returned]
        self._returned += len(kept)
        return kept


def converter(rate: int, to: int) -> Callable[[Samples, bool], Samples]:
    """Return a function (samples, whether they are the last) -> samples at another rate, in as many calls as wanted."""
    if rate == to:
        return lambda samples, last: samples
    stream = soxr.ResampleStream(rate, to, 1, dtype="float32", quality="HQ")
    convert: Callable[[Samples, bool], Samples] = stream.resample_chunk
    return convert


def through(channels: Sequence[Channel], blocks: Iterable[Waveform]) -> Iterator[Waveform]:
    """Send blocks (n, C) through C channels, which advance together; yield as many samples as were given."""
    for block in blocks:
        yield np.stack([channel.push(block[:, number]) for number, channel in enumerate(channels)], 1)
    yield np.stack([channel.end() for channel in channels], 1)
