"""The small networks: the textbook's formulas, and how hidden layers begin."""

from __future__ import annotations

import math

import pytest
import torch

from ganforge.core.seeds import generator_for
from ganforge.networks.linear import LinearPair
from ganforge.networks.mlp import hidden_layers
from ganforge.networks.regressor import LinearRegressor, MlpRegressor


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
