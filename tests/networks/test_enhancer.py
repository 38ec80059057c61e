"""The enhancer begins at the plain enlargement, and a pixel's result depends on no more than its reach."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data as photos

from ganforge.core.levels import to_uint8
from ganforge.kinds.pictures.image_to_image import in_tiles
from ganforge.kinds.pictures.networks.enhancer import Critic, Enhancer


def unsettled(factor: int) -> Enhancer:
    """A network whose zeros are gone, as after training."""
    torch.manual_seed(0)
    network = Enhancer(3, 3, 8, 1, factor)
    torch.nn.init.normal_(network.last.weight, std=0.3)
    return network


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_it_begins_at_the_bicubic_enlargement(factor: int) -> None:
    picture = np.ascontiguousarray(photos.chelsea()[100:124, 100:132])
    x = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
    made = to_uint8(Enhancer(3, 3, 8, 1, factor)(x))[0].permute(1, 2, 0).numpy()
    size = (32 * factor, 24 * factor)
    plain = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
    assert np.abs(made.astype(int) - plain).max() <= 1


@pytest.mark.parametrize("factor", [1, 3])
def test_tiles_give_the_whole(factor: int) -> None:
    network = unsettled(factor)
    picture = np.random.default_rng(0).integers(0, 256, (61, 83, 3), np.uint8)
    options = {"reach": network.reach, "multiple": network.multiple, "factor": factor}
    whole = in_tiles(network, picture, tile=10**6, **options)
    assert whole.shape == (61 * factor, 83 * factor, 3)
    assert np.abs(in_tiles(network, picture, tile=24, **options).astype(int) - whole).max() <= 1


def test_the_discriminator_takes_patches_of_any_size() -> None:
    assert Critic(3, 8)(torch.rand(4, 3, 48, 40)).shape == (4,)
