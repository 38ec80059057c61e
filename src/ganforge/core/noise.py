"""Random numbers for differential privacy: nobody can draw them again, so nobody can take the noise off.

The key is 32 bytes from the operating system, lives in memory only, and is new for each session of a run; a resumed or
rewound run never repeats noise. The stream is SHAKE-256 of key and counter. What is not covered: numbers are float64,
so the lowest bits of noisy values are not hardened against an attack on floating-point arithmetic (Mironov 2012).
"""

from __future__ import annotations

import hashlib
import secrets

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

KEY_BYTES = 32
BLOCK = 1 << 17  # numbers of one call of the hash


class PrivateNoise:
    """A stream of random numbers from a secret key. No two calls return the same ones."""

    def __init__(self, key: bytes | None = None) -> None:
        """Args: key for tests alone; None draws a new one, which is never stored."""
        self._key = secrets.token_bytes(KEY_BYTES) if key is None else key
        self._counter = 0

    def uniform(self, shape: tuple[int, ...] | int = ()) -> NDArray[np.float64]:
        """Draw numbers in the open interval (0, 1), on a grid of 2^-53."""
        count = int(np.prod(shape))
        drawn = np.empty(count)
        for first in range(0, count, BLOCK):
            part = min(BLOCK, count - first)
            words = hashlib.shake_256(self._key + self._counter.to_bytes(16, "little")).digest(8 * part)
            self._counter += 1
            drawn[first : first + part] = ((np.frombuffer(words, "<u8") >> np.uint64(11)) + 0.5) * 2.0**-53
        return drawn.reshape(shape)

    def gaussian(self, shape: tuple[int, ...] | int, deviation: float) -> NDArray[np.float64]:
        """Draw from a normal distribution of mean 0. Args: deviation >= 0."""
        noise: NDArray[np.float64] = deviation * ndtri(self.uniform(shape))
        return noise

    def gumbel(self, shape: tuple[int, ...] | int) -> NDArray[np.float64]:
        """Draw from the standard Gumbel distribution: the largest of scores + Gumbel is an exponential mechanism."""
        noise: NDArray[np.float64] = -np.log(-np.log(self.uniform(shape)))
        return noise

    def poisson_sample(self, count: int, rate: float) -> NDArray[np.int64]:
        """Return the places, ascending, of the records that are in a batch: each by itself, with chance `rate`."""
        return np.flatnonzero(self.uniform(count) < rate)
