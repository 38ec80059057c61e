"""What is done to good pictures: against closed forms, Pillow, and what a person may type."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data as photos

from ganforge.core.seeds import Draws, generator_for
from ganforge.errors import RecipeError
from ganforge.kinds.pictures.enhance.degradation import read_degradation, resized


def draws() -> Draws:
    return Draws(generator_for(0, "test"))


def photo() -> torch.Tensor:
    return torch.from_numpy(photos.astronaut()[:96, 100:196].copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def levels(x: torch.Tensor) -> np.ndarray:
    return ((x[0] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_downscaling_is_pillows_bicubic(factor: int) -> None:
    made = levels(read_degradation(f"downscale:{factor}")(photo(), draws()))
    side = 96 // factor
    by_pillow = np.asarray(Image.fromarray(levels(photo())).resize((side, side), Image.Resampling.BICUBIC))
    assert np.abs(made.astype(int) - by_pillow).max() <= 1


def test_enlarging_is_pillows_bicubic() -> None:
    made = levels(resized(photo(), 2))
    by_pillow = np.asarray(Image.fromarray(levels(photo())).resize((192, 192), Image.Resampling.BICUBIC))
    assert np.abs(made.astype(int) - by_pillow)[2:-2, 2:-2].max() <= 2  # Pillow rounds between its two passes


def test_noise_has_the_deviation_that_was_asked_for_and_a_range_is_drawn_for_each_picture() -> None:
    grey = torch.zeros(64, 1, 32, 32)
    fixed = read_degradation("noise:25")(grey, draws()) * 127.5
    assert abs(float(fixed.std()) - 25) < 0.3
    blind = (read_degradation("noise:0-50")(grey, draws()) * 127.5).flatten(1).std(1)
    assert float(blind.min()) < 5
    assert float(blind.max()) > 45


def test_blur_of_a_point_is_a_gaussian() -> None:
    point = torch.full((1, 1, 33, 33), -1.0)
    point[0, 0, 16, 16] = 1.0
    made = (read_degradation("blur:1.5")(point, draws())[0, 0] + 1) * 127.5
    places = torch.arange(33) - 16.0
    bell = torch.exp(-(places[:, None] ** 2 + places[None] ** 2) / (2 * 1.5**2))
    assert float((made - 255 * bell / bell.sum()).abs().max()) <= 0.6


def test_grey_keeps_the_luma_and_nothing_else() -> None:
    red = torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    assert np.unique(levels(read_degradation("grey")(red, draws()))).tolist() == [76]  # 0.299 of 255


def test_a_hole_is_one_grey_box_and_the_rest_stays() -> None:
    made = read_degradation("hole:10")(photo(), draws())
    changed = (made != photo()).any(1)[0]
    rows, columns = changed.any(1).nonzero()[:, 0], changed.any(0).nonzero()[:, 0]
    assert (int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1) == (10, 10)
    assert levels(made)[rows.min() + 4, columns.min() + 4].tolist() == [128, 128, 128]


def test_jpeg_is_pillows() -> None:
    made = levels(read_degradation("jpeg:20")(photo(), draws()))
    assert 1 < np.abs(made.astype(int) - levels(photo())).mean() < 20


def test_several_are_made_in_the_order_in_which_they_are_written() -> None:
    damage = read_degradation(" downscale:2 , noise:10,jpeg:50")
    assert damage.names == ("downscale", "noise", "jpeg")
    assert damage.factor == 2
    assert damage(photo(), draws()).shape == (1, 3, 48, 48)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sharpen:2", r"no degradation 'sharpen:2'"),
        ("nois:25", "Did you mean 'noise'"),
        ("downscale:5", "the factor, 2, 3 or 4"),
        ("noise:300", "from 0 to 255"),
        ("noise:30-10", "not understood"),
        ("grey:3", "no strength"),
        ("noise:5,noise:6", "one step twice"),
        ("", "no degradation ''"),
    ],
)
def test_what_is_not_understood_is_named(text: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        read_degradation(text)
