"""The small networks: the textbook's formulas, and how hidden layers begin."""

from __future__ import annotations

import math

import pytest
import torch

from ganforge.core.seeds import generator_for
from ganforge.kinds.tables.regress.model import LinearRegressor, MlpRegressor
from ganforge.networks.mlp import LinearPair, hidden_layers
from ganforge.networks.resnet import Block, ResnetPair


def test_the_linear_discriminator_is_w_x_plus_b() -> None:
    network = LinearPair(shape=(2,)).discriminator()
    with torch.no_grad():
        network.score.weight.copy_(torch.tensor([[2.0, -1.0]]))
        network.score.bias.fill_(0.5)
    assert network(torch.tensor([[1.0, 3.0]])).item() == pytest.approx(2.0 - 3.0 + 0.5)


def test_the_linear_generator_is_a_sigmoid_moved_to_minus_one_and_one() -> None:
    network = LinearPair(shape=(1,), latent_size=1).generator()
    with torch.no_grad():
        network.draw.weight.fill_(2.0)
        network.draw.bias.fill_(-1.0)
    assert network(torch.tensor([[1.0]])).item() == pytest.approx(2.0 / (1.0 + math.exp(-1.0)) - 1.0)


def test_the_regressor_starts_at_zero_and_has_an_intercept() -> None:
    network = LinearRegressor(2)
    assert network.theta.tolist() == [0.0, 0.0, 0.0]
    with torch.no_grad():
        network.theta.copy_(torch.tensor([1.0, 2.0, -3.0]))
    assert network(torch.tensor([[10.0, 1.0], [0.0, 0.0]])).tolist() == [18.0, 1.0]


def test_a_curve_regressor_gives_one_number_a_row() -> None:
    assert MlpRegressor(3, width=4, depth=2)(torch.randn(5, 3)).shape == (5,)


def test_hidden_layers_keep_the_size_of_what_goes_through() -> None:
    """He et al. 2015: the mean square neither grows nor dies with depth."""
    torch.manual_seed(0)
    layers = hidden_layers(256, 256, depth=10)
    x = torch.randn(500, 256, generator=generator_for(0, "test"))
    with torch.no_grad():
        assert 0.4 < (layers(x).square().mean() / x.square().mean()).item() < 2.5


def test_in_bfloat16_every_block_of_a_residual_network_works_in_it() -> None:
    """One float32 summand at the lowest resolution would keep the whole sum of residuals in float32."""
    pair = ResnetPair(shape=(3, 16, 16), labels=2, width=16)
    seen: list[torch.dtype] = []
    generator, discriminator = pair.generator(), pair.discriminator()
    for network in (generator, discriminator):
        for module in network.modules():
            if isinstance(module, Block):
                module.register_forward_pre_hook(lambda _, given: seen.append(given[0].dtype))
    label = torch.tensor([0, 1])
    with torch.autocast("cpu", torch.bfloat16):
        discriminator(generator(torch.randn(2, pair.latent_size), label), label)
    assert len(seen) == 6
    assert set(seen) == {torch.bfloat16}


def test_widths_change_where_there_are_fewer_pixels_and_nothing_else_changes() -> None:
    """A 1x1 convolution without bias commutes with resampling."""
    change, x = torch.nn.Conv2d(8, 16, 1, bias=False), torch.randn(2, 8, 6, 6)
    larger = torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    smaller = torch.nn.functional.avg_pool2d(x, 2)
    after = torch.nn.functional.interpolate(change(x), scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(after, change(larger))
    torch.testing.assert_close(torch.nn.functional.avg_pool2d(change(x), 2), change(smaller))
    pair = ResnetPair(shape=(1, 64, 64), width=64)
    seen: dict[str, int] = {}
    for name, network, given in (
        ("generator", pair.generator(), torch.zeros(1, pair.latent_size)),
        ("discriminator", pair.discriminator(), torch.zeros(1, 1, 64, 64)),
    ):
        for module in network.changes:
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_hook(lambda _, args, out, name=name: seen.update({name: out.shape[-1]}))
        network(given)
    assert seen == {"generator": 32, "discriminator": 32}  # at the one step between 32 and 64 pixels
