"""The small networks: shapes, labels, the textbook's formulas."""

from __future__ import annotations

import math

import pytest
import torch

from ganforge.contracts import NetworkPair
from ganforge.core.seeds import generator_for
from ganforge.networks.linear import LinearPair
from ganforge.networks.mlp import MlpPair, hidden_layers
from ganforge.networks.regressor import LinearRegressor, MlpRegressor

PAIRS = {"linear": LinearPair, "mlp": MlpPair}


def pair_of(name: str, shape: tuple[int, ...], labels: int = 0) -> NetworkPair:
    return PAIRS[name](shape=shape, labels=labels, latent_size=5, width=8, depth=2)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("shape", [(2,), (1, 8, 8), (3, 5, 7)])
@pytest.mark.parametrize("labels", [0, 4])
def test_a_pair_turns_latents_into_examples_and_examples_into_scores(
    name: str, shape: tuple[int, ...], labels: int
) -> None:
    pair = pair_of(name, shape, labels)
    label = torch.tensor([0, 1, 3]) if labels else None
    x = pair.generator()(torch.randn(3, pair.latent_size), label)
    assert x.shape == (3, *shape)
    score = pair.discriminator()(x, label)
    assert score.shape == (3,)
    score.sum().backward()


@pytest.mark.parametrize("name", PAIRS)
def test_the_label_changes_what_is_drawn_and_how_it_is_scored(name: str) -> None:
    pair = pair_of(name, (2,), labels=3)
    generator, discriminator = pair.generator(), pair.discriminator()
    latent, x = torch.ones(3, 5), torch.ones(3, 2)
    labels = torch.arange(3)
    assert len(torch.unique(generator(latent, labels), dim=0)) == 3
    assert len(torch.unique(discriminator(x, labels))) == 3


@pytest.mark.parametrize("name", PAIRS)
def test_no_layer_ties_the_examples_of_a_batch_together(name: str) -> None:
    """Penalties, privacy and the 2B pass rest on it."""
    pair = pair_of(name, (1, 4, 4))
    generator, discriminator = pair.generator(), pair.discriminator()
    latent = torch.randn(6, 5, generator=generator_for(0, "test"))
    x = generator(latent)
    torch.testing.assert_close(generator(latent[2:3]), x[2:3])
    torch.testing.assert_close(discriminator(x[2:3]), discriminator(x)[2:3])


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
