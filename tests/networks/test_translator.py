"""The translator begins as the identity, and a pixel's result depends on no more than its reach."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganforge.data.images.tiles import in_tiles
from ganforge.networks.translator import PatchDiscriminator, TranslatorGenerator


def unsettled(depth: int = 1) -> TranslatorGenerator:
    """A generator whose zeros are gone, as after training."""
    torch.manual_seed(0)
    generator = TranslatorGenerator(3, 8, depth)
    for parameter in generator.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.2)
    return generator


@pytest.mark.parametrize("size", [(32, 32), (28, 20), (9, 8)])
def test_it_begins_as_the_identity_at_any_size(size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size) * 2 - 1
    assert torch.equal(TranslatorGenerator(3, 8, 2)(x), x)


@pytest.mark.parametrize("depth", [0, 2])
def test_a_pixel_depends_on_nothing_beyond_the_reach(depth: int) -> None:
    generator = unsettled(depth).double()
    side = 2 * (generator.reach // 8 + 2) * 8
    x = torch.zeros(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    middle = side // 2
    generator(x)[0, 0, middle : middle + 8, middle : middle + 8].sum().backward()
    assert x.grad is not None
    rows = x.grad[0].abs().sum((0, 2)).nonzero()[:, 0]
    furthest = max(middle - int(rows.min()), int(rows.max()) - (middle + 7))
    assert furthest <= generator.reach
    assert furthest > generator.reach // 3  # the reach is not merely a large number


def test_tiles_give_the_whole() -> None:
    generator = unsettled()
    picture = np.random.default_rng(0).integers(0, 256, (150, 203, 3), np.uint8)
    options = {"reach": generator.reach, "multiple": generator.multiple}
    whole = in_tiles(generator, picture, tile=10**6, **options)
    assert np.abs(in_tiles(generator, picture, tile=64, **options).astype(int) - whole).max() <= 1


def test_the_discriminator_gives_one_score_for_each_picture() -> None:
    assert PatchDiscriminator(6, 8)(torch.rand(5, 6, 32, 24)).shape == (5,)
