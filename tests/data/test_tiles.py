"""A picture in tiles gives what the whole picture gives."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganforge.core.levels import HALF, to_uint8
from ganforge.kinds.pictures.image_to_image import in_tiles


class Twice(nn.Module):
    """Three 3x3 convolutions on blocks of 2x2 pixels, then twice the size: reach 6, multiple 2, factor 2."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        widths = (12, 16, 16, 48)
        self.layers = nn.ModuleList(nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.pixel_unshuffle(x, 2)
        for layer in self.layers:
            x = torch.tanh(3 * layer(x))
        return torch.pixel_shuffle(x, 4)


def whole(network: nn.Module, picture: np.ndarray) -> np.ndarray:
    x = torch.from_numpy(picture.transpose(2, 0, 1).copy())[None].float() / HALF - 1
    with torch.no_grad():
        return to_uint8(network(x))[0].numpy().transpose(1, 2, 0)


def some_picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_tiles_give_the_whole_picture() -> None:
    picture = some_picture(70, 94)
    expected = whole(Twice(), picture).astype(int)
    made = in_tiles(Twice(), picture, reach=6, multiple=2, factor=2, tile=24)
    assert made.shape == (140, 188, 3)
    assert np.abs(made.astype(int) - expected).max() <= 1


def test_with_too_little_around_a_tile_there_is_a_seam() -> None:
    """The same comparison fails where the reach is not told truly, so it can fail."""
    picture = some_picture(70, 94)
    expected = whole(Twice(), picture).astype(int)
    made = in_tiles(Twice(), picture, reach=2, multiple=2, factor=2, tile=24)
    assert np.abs(made.astype(int) - expected).max() > 10


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (25, 49), (24, 48)])
def test_a_picture_of_any_size_keeps_its_size(height: int, width: int) -> None:
    made = in_tiles(Twice(), some_picture(height, width), reach=6, multiple=2, factor=2, tile=24)
    assert made.shape == (2 * height, 2 * width, 3)


def test_the_network_never_sees_more_than_a_tile_and_its_surroundings() -> None:
    sizes: list[tuple[int, ...]] = []

    def watched(x: Tensor) -> Tensor:
        sizes.append(tuple(x.shape[2:]))
        return x

    shares: list[float] = []
    picture = some_picture(100, 130)
    made = in_tiles(watched, picture, reach=5, tile=32, progress=shares.append)
    assert np.array_equal(made, picture)
    assert max(max(size) for size in sizes) == 32 + 2 * 5
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
