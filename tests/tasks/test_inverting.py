"""Inversion: a linear generator has a closed form, an encoder repeats to the bit, directions do what they say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganforge.core.levels import to_uint8
from ganforge.core.seeds import generator_for
from ganforge.kinds.pictures.generate.model import PictureModel
from ganforge.kinds.pictures.invert.directions import ATTRIBUTES, named_directions
from ganforge.kinds.pictures.invert.encoder import new_encoder, train_encoder
from ganforge.kinds.pictures.invert.optimise import PULL, invert_pictures

SIDE, LATENT = 8, 5


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Linear(nn.Module):
    """x = A z, plus a shift for each label; small enough that no value leaves -1..1."""

    def __init__(self, labels: int = 0) -> None:
        super().__init__()
        random = generator_for(0, "test/linear")
        self.a = nn.Parameter(0.08 * torch.randn(SIDE * SIDE, LATENT, generator=random), requires_grad=False)
        shift = 0.3 * torch.randn(max(1, labels), SIDE * SIDE, generator=random)
        self.shift = nn.Parameter(shift if labels else 0 * shift, requires_grad=False)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        shift = self.shift[0] if label is None else self.shift[label]
        return (latent @ self.a.T + shift).view(-1, 1, SIDE, SIDE)


class Bar(nn.Module):
    """A bright upright bar: the latent's first number sets how bright, the second how it leans."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1), requires_grad=False)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        level, lean = 0.5 + 0.1 * latent[:, 0], 0.15 * latent[:, 1]
        rows = torch.arange(16.0)[None, :, None] - 7.5
        columns = torch.arange(16.0)[None, None, :] - 7.5
        ink = torch.exp(-((columns + lean[:, None, None] * rows) ** 2) / 4) * (rows.abs() < 6)
        return (2 * level[:, None, None] * ink - 1)[:, None]


def model_of(network: nn.Module, latent_size: int = LATENT, labels: tuple[str, ...] = ()) -> PictureModel:
    return PictureModel(network, latent_size, labels, tuple(1 / len(labels) for _ in labels))


def ridge(network: Linear, pictures: NDArray[np.uint8], labels: NDArray[np.int64]) -> Tensor:
    """The latents (N, Z) that a linear generator's pictures come from, by the closed form of what is minimised."""
    x = torch.from_numpy(pictures).double().flatten(1) / 127.5 - 1 - network.shift.double()[labels]
    a, pixels = network.a.double(), SIDE * SIDE
    normal = a.T @ a / pixels + PULL / LATENT * torch.eye(LATENT)
    return torch.linalg.solve(normal, a.T @ x.T / pixels).T


def test_the_latent_of_a_linear_generator_is_the_ridge_regression_of_the_picture() -> None:
    network = Linear()
    model = model_of(network)
    random = np.random.default_rng(0)
    pictures = random.integers(64, 192, (6, 1, SIDE, SIDE), dtype=np.uint8)  # none that the generator could draw
    found = invert_pictures(model, new_encoder(model), pictures)
    expected = ridge(network, pictures, np.zeros(6, np.int64))
    torch.testing.assert_close(found.latents.double(), expected, atol=2e-3, rtol=2e-3)


def test_a_generated_picture_is_found_with_its_label_and_alone_as_among_others() -> None:
    network = Linear(labels=4)
    model = model_of(network, labels=("a", "b", "c", "d"))
    labels = np.arange(8) % 4
    drawn = model.draw_pictures(8, labels=labels, seed=3)
    encoder = new_encoder(model)
    found = invert_pictures(model, encoder, drawn)
    assert (found.labels == labels).all()
    expected = to_uint8(network(ridge(network, drawn, labels).float(), torch.from_numpy(labels))).numpy()
    assert np.abs(found.pictures.astype(int) - expected).max() <= 1  # level
    alone = invert_pictures(model, encoder, drawn[5:6])
    torch.testing.assert_close(alone.latents[0], found.latents[5], atol=1e-4, rtol=1e-4)
    asked = invert_pictures(model, encoder, drawn[:1], label=2)
    assert asked.labels is not None
    assert asked.labels[0] == 2


def test_an_encoder_repeats_to_the_bit_and_undoes_a_linear_generator() -> None:
    model = model_of(Linear(labels=2), labels=("a", "b"))
    one, other = (train_encoder(model, examples=12_800) for _ in range(2))
    for first, second in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(first, second)
    latents, labels = model.draw_latents(0, seed=9), torch.arange(500) % 2
    pictures = model.network(latents, labels)
    with torch.no_grad():
        error = (one(pictures, labels) - latents).square().mean()
    assert error < 0.3  # 1 is what knowing nothing gives


def test_a_named_direction_moves_what_it_names_and_says_what_it_cannot() -> None:
    model = model_of(Bar(), latent_size=6)
    known = {one.name: one for one in named_directions(model)}
    assert known["slant"].explained > 0.9
    assert known["brightness"].explained > 0.9
    assert "saturation" not in known  # grey pictures have none
    start = model.draw_latents(0, seed=1)[:20]
    for name in ("slant", "brightness"):
        one = known[name]
        moved = [
            ATTRIBUTES[name](to_uint8(model.network(start + amount * one.way)).numpy() / 255.0) for amount in (-1, 0, 1)
        ]
        assert (np.diff(np.stack(moved), axis=0) > 0).all()
        assert abs((moved[2] - moved[0]).mean() / (2 * one.unit) - 1) < 0.15  # a step is one standard deviation
