"""Pictures as low frequencies: the first cosine coefficients of each channel, orthonormal (DCT-II)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

Coefficients = NDArray[np.float64]  # (N, D), D = C x K x K; pixels are in 0..1
BLOCK = 4096


def basis(side: int, count: int) -> NDArray[np.float64]:
    """Return the first `count` orthonormal cosines (count, side) of a side in pixels."""
    k, i = np.arange(count)[:, None], np.arange(side)[None]
    waves: NDArray[np.float64] = np.sqrt(2 / side) * np.cos(np.pi * k * (2 * i + 1) / (2 * side))
    waves[0] /= np.sqrt(2)
    return waves


def coefficients(pictures: NDArray[np.uint8], kept: int) -> Coefficients:
    """Return the low frequencies of pictures (N, C, H, W): rows and columns below `kept`."""
    count, channels, height, width = pictures.shape
    rows, columns = min(kept, height), min(kept, width)
    found = np.empty((count, channels * rows * columns))
    for first in range(0, count, BLOCK):
        block = pictures[first : first + BLOCK].astype(np.float64) / 255
        found[first : first + BLOCK] = dctn(block, axes=(2, 3), norm="ortho")[:, :, :rows, :columns].reshape(
            len(block), -1
        )
    return found


def clipped(vectors: Coefficients, most: float) -> Coefficients:
    """Return vectors (N, D) scaled down to an L2 norm of at most `most`."""
    norms = np.sqrt(np.square(vectors).sum(1, keepdims=True))
    shorter: Coefficients = vectors * np.minimum(1.0, most / np.maximum(norms, 1e-300))
    return shorter
