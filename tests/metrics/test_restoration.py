"""The plain ways of taking damage back, and the estimate of noise that one of them needs."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data as photos

from ganforge.kinds.pictures.measures.psnr_ssim import psnr
from ganforge.kinds.pictures.measures.restoration import baselines, noise_deviation


@pytest.mark.parametrize("sigma", [10, 25, 40])
def test_the_noise_of_a_photo_is_estimated_within_a_fifth(sigma: int) -> None:
    photo = photos.chelsea()[:200, :200].astype(np.float64)
    noisy = photo + np.random.default_rng(0).normal(0, sigma, photo.shape)
    assert abs(noise_deviation(noisy) / sigma - 1) < 0.2


@pytest.mark.parametrize(("damage", "reference"), [(("noise",), "non-local means"), (("hole",), "biharmonic")])
def test_the_reference_is_better_than_doing_nothing(damage: tuple[str, ...], reference: str) -> None:
    truth = np.ascontiguousarray(photos.chelsea()[100:164, 100:164].transpose(2, 0, 1))
    given = truth.copy()
    if damage == ("hole",):
        given[:, 20:32, 20:32] = 128
    else:
        noise = np.random.default_rng(0).normal(0, 25, truth.shape)
        given = np.rint(truth + noise).clip(0, 255).astype(np.uint8)
    ways = baselines(damage)
    assert next(iter(ways)) == reference
    made = ways[reference][1](given, truth)
    assert psnr(truth[None], made[None])[0] > psnr(truth[None], given[None])[0] + 3


@pytest.mark.parametrize("damage", [("noise",), ("hole",), ("downscale", "noise")])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_plain_way_gives_the_truths_shape(damage: tuple[str, ...], channels: int) -> None:
    truth = np.ascontiguousarray(photos.chelsea()[100:132, 100:140].transpose(2, 0, 1))[:channels]
    given = np.ascontiguousarray(truth[:, ::2, ::2]) if "downscale" in damage else truth.copy()
    given[:, 5:9, 5:9] = 128
    for name, (_, way) in baselines(damage).items():
        assert way(given, truth).shape == truth.shape, name
