import io

import numpy as np
import pytest
from PIL import Image

from ganforge.errors import InputError
from ganforge.kinds.pictures.write import GAP, grid, grid_size, image_bytes, png_bytes


def pictures(n: int, channels: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (n, channels, height, width), np.uint8)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_picture_stands_in_its_cell_unchanged(channels: int) -> None:
    given = pictures(7, channels, 50, 60)
    drawn = grid(given, columns=3)
    assert drawn.shape == (3 * (50 + GAP) + GAP, 3 * (60 + GAP) + GAP, channels)
    for i in range(7):
        top, left = (i // 3) * (50 + GAP) + GAP, (i % 3) * (60 + GAP) + GAP
        assert (drawn[top : top + 50, left : left + 60] == given[i].transpose(1, 2, 0)).all()


@pytest.mark.parametrize(("n", "height", "width"), [(1, 8, 8), (7, 50, 60), (10, 8, 200)])
def test_the_size_of_a_grid_is_known_before_it_is_drawn(n: int, height: int, width: int) -> None:
    assert grid(pictures(n, 1, height, width)).shape[:2] == grid_size(n, height, width)


def test_gaps_and_empty_cells_are_white() -> None:
    drawn = grid(np.zeros((3, 1, 64, 64), np.uint8))
    assert (drawn[:GAP] == 255).all() and (drawn[66 + GAP :, 66 + GAP :] == 255).all()
    assert (drawn == 0).sum() == 3 * 64 * 64


def test_small_pictures_are_enlarged_by_whole_pixels() -> None:
    given = pictures(4, 1, 8, 8)
    drawn = grid(given)
    assert drawn.shape == (2 * (48 + GAP) + GAP, 2 * (48 + GAP) + GAP, 1)
    assert (drawn[GAP : GAP + 48 : 6, GAP : GAP + 48 : 6, 0] == given[0, 0]).all()
    assert grid(given, scale=1).shape == (2 * (8 + GAP) + GAP, 2 * (8 + GAP) + GAP, 1)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png_bytes_hold_the_same_pixels(channels: int) -> None:
    drawn = grid(pictures(2, channels, 16, 16))
    read = np.asarray(Image.open(io.BytesIO(png_bytes(drawn))))
    assert (read.reshape(drawn.shape) == drawn).all()


def test_a_jpeg_of_transparent_pictures_is_laid_on_white() -> None:
    read = np.asarray(Image.open(io.BytesIO(image_bytes(np.zeros((16, 16, 4), np.uint8), "JPEG"))))
    assert read.shape == (16, 16, 3) and read.min() > 250


@pytest.mark.parametrize(
    "bad", [np.zeros((0, 1, 8, 8), np.uint8), np.zeros((2, 2, 8, 8), np.uint8), np.zeros((2, 1, 8, 8), np.float32)]
)
def test_what_is_not_pictures_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(InputError, match="N, C, H, W"):
        grid(bad)


@pytest.mark.parametrize("setting", [{"columns": 0}, {"scale": 0}])
def test_numbers_below_one_are_refused(setting: dict[str, int]) -> None:
    with pytest.raises(InputError, match="whole numbers"):
        grid(pictures(2, 1, 8, 8), **setting)
