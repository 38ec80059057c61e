"""PSNR and SSIM between results and their truth, by scikit-image."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from ganforge.measures.intervals import Estimate, from_standard_error

EQUAL_DECIBELS = 100.0  # in place of the infinite PSNR of two equal pictures, so that means stay finite
SMALLEST = 11  # pixels of a side: the window of SSIM


def psnr(truth: NDArray[np.uint8], result: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the PSNR in decibels, 10 log10(255^2 / mean squared error); at most EQUAL_DECIBELS.

    Args: truth, result uint8 (N, C, H, W). Returns: (N,), higher is nearer.
    """
    found = np.empty(len(truth))
    for number, (one, other) in enumerate(zip(truth, result, strict=True)):
        equal = np.array_equal(one, other)
        found[number] = EQUAL_DECIBELS if equal else peak_signal_noise_ratio(one, other, data_range=255)
    return np.minimum(found, EQUAL_DECIBELS)


def ssim(truth: NDArray[np.uint8], result: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the SSIM, a mean over the picture and its channels; pictures under SMALLEST are padded by mirroring.

    Args: truth, result uint8 (N, C, H, W). Returns: (N,) in -1..1, 1 for equal pictures.
    Source: Wang et al. 2004, equation 13: a Gaussian window of 11 x 11 with sigma 1.5, population covariances.
    """
    found = np.empty(len(truth))
    for number, pair in enumerate(zip(truth, result, strict=True)):
        one, other = (_large_enough(picture) for picture in pair)
        found[number] = structural_similarity(
            one,
            other,
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
        )
    return found


def mean_of(scores: NDArray[np.float64]) -> Estimate:
    """Return the mean of scores (N,), N >= 1, one for each picture, and its interval."""
    spread = float(scores.std(ddof=1)) / math.sqrt(len(scores)) if len(scores) > 1 else 0.0
    return from_standard_error(float(scores.mean()), spread)


def _large_enough(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    missing = [max(0, SMALLEST - side) for side in picture.shape[1:]]
    return np.pad(picture, ((0, 0), (0, missing[0]), (0, missing[1])), mode="symmetric") if any(missing) else picture
