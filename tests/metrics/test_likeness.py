"""PSNR and SSIM against their closed forms."""

from __future__ import annotations

import math

import numpy as np

from ganforge.kinds.pictures.measures.psnr_ssim import EQUAL_DECIBELS, mean_of, psnr, ssim


def noise(count: int, side: int = 24) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, (count, 3, side, side), np.uint8)


def test_the_psnr_of_a_constant_offset_is_known() -> None:
    one = noise(2)
    assert np.allclose(psnr(one, one + np.uint8(5)), 20 * math.log10(255 / 5))
    assert (psnr(one, one) == EQUAL_DECIBELS).all()


def test_the_ssim_of_a_constant_offset_is_the_luminance_term_alone() -> None:
    flat = np.full((1, 1, 32, 32), 100, np.uint8)
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 140 + c1) / (100**2 + 140**2 + c1)
    assert np.allclose(ssim(flat, flat + np.uint8(40)), expected)
    assert np.allclose(ssim(noise(2), noise(2)), 1.0)


def test_the_ssim_of_unrelated_noise_is_near_nothing_and_of_small_pictures_is_defined() -> None:
    assert abs(float(ssim(noise(1, 64), noise(2, 64)[1:])[0])) < 0.1
    assert np.allclose(ssim(noise(2, 8), noise(2, 8)), 1.0)


def test_the_interval_is_that_of_a_mean() -> None:
    scores = np.random.default_rng(0).normal(30, 2, 400)
    found = mean_of(scores)
    assert found.low < scores.mean() < found.high
    assert abs((found.high - found.low) / 2 - 1.96 * 2 / 20) < 0.02
