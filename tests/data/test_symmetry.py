"""Mirrored pictures are allowed where the data says that they are pictures like the others."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.data import astronaut, chelsea, coffee, rocket
from sklearn.datasets import load_digits

from ganforge.kinds.pictures.plan import MIRRORED, mirrored_ratio


def test_left_and_right_have_a_meaning_in_digits() -> None:
    pictures = (load_digits().images[:300, None] * 15).astype(np.uint8)
    assert mirrored_ratio(pictures) > 1.3


def test_pieces_of_photos_may_be_mirrored() -> None:
    pieces = [
        photo[top : top + 32, left : left + 32]
        for photo in (astronaut(), chelsea(), coffee(), rocket())
        for top in range(0, 289 - 32, 32)
        for left in range(0, 385 - 32, 32)
    ]
    assert mirrored_ratio(np.stack(pieces).transpose(0, 3, 1, 2)) <= MIRRORED


@pytest.mark.parametrize("size", [(16, 16), (33, 47), (8, 9)])
def test_of_data_that_holds_each_picture_and_its_mirror_image_it_is_1_or_less(size: tuple[int, int]) -> None:
    half = np.random.default_rng(0).integers(0, 256, (20, 1, *size), dtype=np.uint8)
    assert mirrored_ratio(np.concatenate([half, half[..., ::-1]])) <= 1.0


def test_copies_do_not_decide() -> None:
    same = np.full((5, 3, 16, 16), 7, np.uint8)
    assert mirrored_ratio(same) == float("inf")
