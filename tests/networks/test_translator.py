"""The translator begins as the identity, and a pixel's result depends on no more than its reach."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganforge.kinds.pictures.image_to_image import in_tiles
from ganforge.kinds.pictures.networks.translator import (
    MirrorAveraged,
    PatchDiscriminator,
    TranslatorGenerator,
    patch_discriminator,
)
from ganforge.recipe import Data, Network


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


@pytest.mark.parametrize("mirrored", [False, True])
def test_tiles_give_the_whole(mirrored: bool) -> None:
    generator = MirrorAveraged(unsettled()) if mirrored else unsettled()
    picture = np.random.default_rng(0).integers(0, 256, (150, 203, 3), np.uint8)
    options = {"reach": generator.reach, "multiple": generator.multiple}
    whole = in_tiles(generator, picture, tile=10**6, **options)
    assert np.abs(in_tiles(generator, picture, tile=64, **options).astype(int) - whole).max() <= 1


def test_the_mean_of_both_ways_is_mirrored_where_the_picture_is() -> None:
    both, x = MirrorAveraged(unsettled()), torch.rand(2, 3, 16, 24) * 2 - 1
    torch.testing.assert_close(both(x.flip(3)), both(x).flip(3))
    assert not torch.allclose(both.network(x.flip(3)), both.network(x).flip(3), atol=1e-3)


@pytest.mark.parametrize(("side", "patch"), [(8, 4), (32, 10), (64, 22), (256, 94)])
def test_the_discriminator_judges_patches_of_about_a_third_of_the_side(side: int, patch: int) -> None:
    data = Data(source="here", kind="pictures", shape=(3, side, side), hash="none")
    judge = patch_discriminator(Network(name="translator", latent_size=1, width=4, depth=1), data)
    assert isinstance(judge, PatchDiscriminator)
    x = torch.rand(5, 3, side, side, requires_grad=True)
    assert judge(x).shape == (5,)
    features = x
    for layer in judge.down:
        features = layer(features)
    middle = features.shape[2] // 2
    judge.score(features)[0, 0, middle, middle].backward()
    assert x.grad is not None
    seen = x.grad[0].abs().sum((0, 2)).nonzero()
    assert 0 < len(seen) <= patch
    assert len(seen) > patch - 2 ** len(judge.down)  # the border may cut some off
