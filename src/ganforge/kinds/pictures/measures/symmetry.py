"""Is a mirrored picture one of these? What a plan says of augmentation that exchanges left and right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

SIDE = 16  # pixels that pictures are compared at: positions count, fine texture does not
MIRRORED = 1.02  # a ratio up to it says that mirrored pictures belong to the data


def mirrored_ratio(pictures: NDArray[np.uint8]) -> float:
    """How far a mirrored picture lies from the other pictures, relative to the picture itself: the median.

    About 1 where a mirrored picture could as well have been one of them; far above where it could not. Measured (docs/
    log.md): photos 1.00, emoji of animals, faces and things 1.00 to 1.01, people 1.04, digits 1.1 and more. A picture
    is never compared with itself, nor its mirror image with it.

    Args: pictures (N, C, H, W), N >= 3. Returns: the median over pictures of d(mirrored) / d(as it is), where d is the
        distance to the nearest other picture; pictures that have a copy do not count; infinity where all have.
    """
    small = _reduced(pictures)
    as_they_are, mirrored = small.reshape(len(small), -1), small[..., ::-1].reshape(len(small), -1)
    near, far = _nearest_other(as_they_are, as_they_are), _nearest_other(mirrored, as_they_are)
    unique = near > 0
    return float(np.median(far[unique] / near[unique])) if unique.any() else float("inf")


def _nearest_other(pictures: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,): from row i of `pictures` to the nearest row of `others` but for row i."""
    distances = cdist(pictures, others)
    np.fill_diagonal(distances, np.inf)
    nearest: NDArray[np.float64] = distances.min(axis=1)
    return nearest


def _reduced(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N, C, h, w) with sides of about SIDE pixels, by the mean of each box; what is left over at the edges is cut off
    on both sides alike, so that the mirror image of a picture is that of its reduction."""
    count, channels, height, width = pictures.shape
    by = max(1, min(height, width) // SIDE)
    top, left = height % by // 2, width % by // 2
    rows, columns = height // by, width // by
    kept = pictures[:, :, top : top + rows * by, left : left + columns * by].astype(np.float64)
    reduced: NDArray[np.float64] = kept.reshape(count, channels, rows, by, columns, by).mean((3, 5))
    return reduced
