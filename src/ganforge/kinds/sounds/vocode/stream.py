"""A waveform of any length through a vocoder, a piece at a time and in bounded memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import soxr
import torch
from torch import Tensor

from ganforge.kinds.sounds.features import refined
from ganforge.kinds.sounds.networks import Vocoder
from ganforge.kinds.sounds.reading import Samples

CHUNK = 1024  # frames that are made at once
NOTHING = np.zeros(0, np.float32)


@torch.no_grad()
def waveform_of(network: Vocoder, log_mel: Tensor, refinements: int) -> Tensor:
    """Return the waveform (B, (N - 1) * hop) of log-mel spectrograms (B, M, N), on the CPU."""
    given = log_mel.to(next(network.parameters()).device)
    return refined(network(given), given, network.features, refinements).cpu()


class Stream:
    """Samples in, samples made again out: equal to one pass over the whole, up to the rounding of sums.

    Every piece is made with the frames around it that its samples depend on.
    """

    def __init__(self, network: Vocoder, refinements: int = 0, chunk: int = CHUNK) -> None:
        """Args: chunk frames that are made at once: fewer wait less and cost more."""
        self.network, self.refinements, self.chunk = network, refinements, chunk
        self.hop = network.features.mel.hop
        self.behind, self.ahead = network.reach(refinements)
        self._held = NOTHING  # samples from frame `_begins` on
        self._begins, self._made, self._given = 0, 0, 0  # frames, frames, samples

    @property
    def latency(self) -> float:
        """Return the seconds that a sample waits for those after it, at most."""
        return (self.chunk + self.ahead) * self.hop / self.network.features.mel.rate

    def push(self, samples: np.ndarray) -> Samples:
        """Take samples (n,) float32 at the network's rate, and return those that are ready."""
        self._held, self._given = np.concatenate([self._held, samples]), self._given + len(samples)
        ready = [NOTHING]
        while (self._made + self.chunk + self.ahead) * self.hop <= self._given:
            ready.append(self._piece(self._made + self.chunk, (self._made + self.chunk + self.ahead) * self.hop))
        return np.concatenate(ready)

    def end(self) -> Samples:
        """Return the rest: as many samples in all as were given."""
        ready, last = [NOTHING], -(-self._given // self.hop)
        while self._made < last:
            upto = min(self._made + self.chunk, last)
            ready.append(self._piece(upto, (last + 1) * self.hop))
        return np.concatenate(ready)

    def _piece(self, upto: int, end: int) -> Samples:
        """Make the frames up to `upto` from the samples up to `end`, of which missing ones are silence."""
        given = self._held[: end - self._begins * self.hop]
        padded = np.pad(given, (0, end - self._begins * self.hop - len(given)))
        x = torch.from_numpy(padded)[None].to(next(self.network.parameters()).device)
        waveform = waveform_of(self.network, self.network.features(x), self.refinements)[0].numpy()
        last = min(upto * self.hop, self._given) - self._begins * self.hop
        made: Samples = waveform[(self._made - self._begins) * self.hop : last]
        self._made = upto
        keep = max(self._begins, upto - self.behind)
        self._held, self._begins = self._held[(keep - self._begins) * self.hop :], keep
        return made


class Channel:
    """One channel on its way: converted to the network's rate, made again, and converted back."""

    def __init__(self, network: Vocoder, rate: int, refinements: int = 0, chunk: int = CHUNK) -> None:
        own = network.features.mel.rate
        self._stream = Stream(network, refinements, chunk)
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
        rest = np.concatenate([self._stream.push(self._inward(NOTHING, True)), self._stream.end()])
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
