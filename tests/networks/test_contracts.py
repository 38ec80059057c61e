"""What every listed pair must do, and what it must refuse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from ganforge.core.seeds import generator_for
from ganforge.errors import RecipeError
from ganforge.kinds.pictures.networks import PICTURE_PAIRS
from ganforge.kinds.points.networks import POINT_PAIRS
from ganforge.networks import NetworkPair, Pairs
from ganforge.networks.conv import bounded
from ganforge.networks.resnet import ResnetPair
from ganforge.objectives import squared_slope
from ganforge.planning.game import network_pair, refuse_unbuildable_pair
from ganforge.recipe import Data, Network

ALL: Pairs = {**PICTURE_PAIRS, **POINT_PAIRS}
PICTURES = [(channels, *size) for size in ((8, 8), (28, 28), (48, 48), (9, 13)) for channels in (1, 3, 4)]
ROWS = [(2,), (5,)]
SHAPES = {"points": ROWS, "mlp": PICTURES + ROWS, "linear": PICTURES + ROWS}  # of the others: pictures
UNBOUNDED = ("mlp", "points")  # they draw rows too, which have no bounds
CASES = [(name, shape, labels) for name in ALL for shape in SHAPES.get(name, PICTURES) for labels in (0, 3)]
ODD = [(name, SHAPES.get(name, [(3, 9, 13)])[-1], 3) for name in ALL]  # one of each, where sides do not halve
LATENT, BATCH = 10, 3

every_case = pytest.mark.parametrize(("name", "shape", "labels"), CASES)
one_of_each = pytest.mark.parametrize(("name", "shape", "labels"), ODD)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other cost more than networks this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def data_of(shape: tuple[int, ...], labels: int = 0) -> Data:
    return Data(source="x", kind="x", shape=shape, label_names=tuple("abcdef"[:labels]))


def pair_of(name: str, shape: tuple[int, ...], labels: int) -> NetworkPair:
    return network_pair(Network(name=name, latent_size=LATENT, width=4, depth=1), data_of(shape, labels), ALL)


def networks_of(name: str, shape: tuple[int, ...], labels: int) -> tuple[nn.Module, nn.Module]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pair = pair_of(name, shape, labels)
        return pair.generator(), pair.discriminator()


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator_for(0, "test"))


def label_of(labels: int) -> Tensor | None:
    return torch.arange(BATCH) % labels if labels else None


@every_case
def test_latents_become_examples_and_examples_become_scores(name: str, shape: tuple[int, ...], labels: int) -> None:
    generator, discriminator = networks_of(name, shape, labels)
    x = generator(100.0 * drawn(BATCH, LATENT), label_of(labels))
    assert x.shape == (BATCH, *shape)
    assert x.isfinite().all()
    if name not in UNBOUNDED:
        assert x.abs().max() <= 1.0
    assert discriminator(x, label_of(labels)).shape == (BATCH,)


@every_case
def test_both_players_get_finite_gradients_through_a_penalty(name: str, shape: tuple[int, ...], labels: int) -> None:
    generator, discriminator = networks_of(name, shape, labels)
    label = label_of(labels)
    x = drawn(BATCH, *shape).requires_grad_()
    score = discriminator(x, label)
    penalty = squared_slope(score, x)
    assert penalty.shape == (BATCH,)
    assert penalty.min() > 0
    (score + penalty).mean().backward()
    discriminator.requires_grad_(False)
    discriminator(generator(drawn(BATCH, LATENT), label), label).mean().backward()
    for network in (generator, discriminator):
        for parameter_name, parameter in network.named_parameters():
            assert parameter.grad is not None, parameter_name
            assert parameter.grad.isfinite().all(), parameter_name
        assert any(parameter.grad.abs().max() > 0 for parameter in network.parameters())


@one_of_each
def test_the_gradient_of_a_penalty_is_its_slope(name: str, shape: tuple[int, ...], labels: int) -> None:
    """Against a finite difference: the second backward pass goes through every layer, padding included."""
    discriminator = networks_of(name, shape, labels)[1].double()
    x, label = drawn(BATCH, *shape).double().requires_grad_(), label_of(labels)
    parameters = list(discriminator.parameters())
    direction = [drawn(*parameter.shape).double() for parameter in parameters]

    def penalty() -> Tensor:
        (slope,) = torch.autograd.grad(discriminator(x, label).sum(), x, create_graph=True)
        return slope.square().sum()

    gradients = torch.autograd.grad(penalty(), parameters, allow_unused=True)
    slope = sum((g * d).sum().item() for g, d in zip(gradients, direction, strict=True) if g is not None)
    ends, step = [], 1e-7
    for sign in (1, -2):
        with torch.no_grad():
            torch._foreach_add_(parameters, direction, alpha=sign * step)
        ends.append(penalty().item())
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(slope, rel=1e-4)


@every_case
def test_no_layer_ties_the_examples_of_a_batch_together(name: str, shape: tuple[int, ...], labels: int) -> None:
    """Penalties, privacy and the 2B pass rest on it."""
    for network, size in zip(networks_of(name, shape, labels), ((LATENT,), shape), strict=True):
        given, label = drawn(BATCH, *size).requires_grad_(), label_of(labels)
        answer = network(given, label)
        (slope,) = torch.autograd.grad(answer[1].sum(), given)
        assert slope[1].abs().max() > 0
        assert slope[[0, 2]].abs().max() == 0
        others = given.detach().clone()
        others[[0, 2]] = 5.0
        torch.testing.assert_close(network(others, label)[1], answer[1])
        alone = None if label is None else label[1:2]
        torch.testing.assert_close(network(given[1:2], alone), answer[1:2])


@pytest.mark.parametrize(("name", "shape"), [(name, shape) for name, shape, labels in CASES if labels])
def test_the_label_changes_what_is_drawn_and_how_it_is_scored(name: str, shape: tuple[int, ...]) -> None:
    for network, size in zip(networks_of(name, shape, 3), ((LATENT,), shape), strict=True):
        answers = network(drawn(1, *size).repeat(3, *(1 for _ in size)), torch.arange(3))
        assert len(torch.unique(answers, dim=0)) == 3


@pytest.mark.parametrize("side", [33, 36, 40, 48, 50, 96, 100, 112, 192, 224, 256])
@pytest.mark.parametrize("width", [16, 50, 256])
def test_a_resnet_of_any_width_can_be_built_for_any_size(side: int, width: int) -> None:
    refuse_unbuildable_pair(Network(name="resnet", width=width), data_of((3, side, side), 2), PICTURE_PAIRS)


def test_the_widths_of_r3gan_are_kept_as_they_are() -> None:
    assert ResnetPair(shape=(3, 256, 256), width=768).widths() == (768, 768, 768, 768, 384, 192, 96)
    assert ResnetPair(shape=(3, 100, 100), width=256).widths() == (256, 256, 256, 160, 80)
    assert ResnetPair(shape=(3, 32, 32), width=50).widths() == (48,) * 4


@pytest.mark.parametrize(
    ("name", "shape", "asked", "word"),
    [
        ("points", (2,), {"latent_size": 8}, "latent_size"),
        ("points", (2,), {"depth": 0}, "depth"),
        ("mlp", (1, 8, 8), {"depth": 0}, "depth"),
        ("resnet", (1, 8, 8), {"depth": 0}, "depth"),
        ("resnet", (2,), {}, "cannot be built"),
        ("conv", (2,), {}, "cannot be built"),
        ("conv", (1, 8, 8), {"width": 10**10}, "width 10000000000"),
        ("conv", (1, 8, 8), {"width": 10**30}, "cannot be built"),
        ("conv", (1, 8, 8), {"width": 10**6}, "GB"),
        ("covn", (1, 8, 8), {}, "Did you mean 'conv'"),
    ],
)
def test_what_cannot_be_built_is_refused_in_words(
    name: str, shape: tuple[int, ...], asked: dict[str, int], word: str
) -> None:
    with pytest.raises(RecipeError, match=word):
        refuse_unbuildable_pair(
            Network(name=name, **{"width": 4, "latent_size": LATENT, **asked}), data_of(shape, 2), ALL
        )


def test_a_picture_is_clipped_and_its_gradient_passes_where_it_leads_back_inside() -> None:
    x = torch.tensor([-2.0, -2.0, -1.0, -1.0, 0.3, 0.3, 1.0, 1.0, 2.0, 2.0], requires_grad=True)
    gradient = torch.tensor([1.0, -1.0] * 5)  # a descent step moves x against it
    picture = bounded(x)
    assert picture.tolist() == pytest.approx([-1, -1, -1, -1, 0.3, 0.3, 1, 1, 1, 1])
    picture.backward(gradient)
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, 0.0]
    assert bounded(torch.zeros(2, dtype=torch.bfloat16)).dtype == torch.float32
