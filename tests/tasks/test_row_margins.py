"""Columns are brought to their shares after the game, and what belongs together still does."""

from __future__ import annotations

import pytest
import torch

from ganforge.kinds.tables.generate.game import match_shares
from ganforge.kinds.tables.networks import RowGenerator, RowLayout

SIZES = (2, 5, 3)
WANTED = ((0.9, 0.1), (0.5, 0.2, 0.15, 0.1, 0.05), (0.01, 0.29, 0.7))


def generator_of_three_units() -> tuple[RowGenerator, RowLayout, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = RowGenerator(SIZES, latent_size=8, width=16, depth=1)
        generator.logits.weight.data.mul_(4)  # so that the latent decides much
    layout = RowLayout(SIZES)
    wanted = torch.zeros(layout.width)
    for unit, shares in enumerate(WANTED):
        wanted[layout.unit_places(unit)] = torch.tensor(shares)
    return generator, layout, wanted


@torch.no_grad()
def probabilities(generator: RowGenerator, layout: RowLayout) -> torch.Tensor:
    latent = torch.randn(20_000, 8, generator=torch.Generator().manual_seed(5))
    return layout.probabilities(generator(latent))  # (N, P)


def test_every_code_comes_as_often_as_wanted() -> None:
    generator, layout, wanted = generator_of_three_units()
    far = (probabilities(generator, layout).mean(dim=0) - wanted).abs().max()
    match_shares(generator, layout, wanted, latent_size=8, seed=0)
    near = (probabilities(generator, layout).mean(dim=0) - wanted).abs().max()
    assert far > 0.2 and near < 0.01


def test_what_the_latent_decides_stays_decided() -> None:
    generator, layout, wanted = generator_of_three_units()
    before = probabilities(generator, layout)[:, layout.unit_places(0)][:, 0].logit()
    match_shares(generator, layout, wanted, latent_size=8, seed=0)
    after = probabilities(generator, layout)[:, layout.unit_places(0)][:, 0].logit()
    assert float((after - before).std()) < 1e-3, "each row's logit moves by the same amount"


def test_a_code_that_never_comes_is_not_drawn_and_padding_stays_as_it_is() -> None:
    generator, layout, wanted = generator_of_three_units()
    place = layout.unit_places(1).start + 4
    wanted[place - 1] += wanted[place]
    wanted[place] = 0.0
    padded = generator.logits.bias[~layout.real].clone()
    match_shares(generator, layout, wanted, latent_size=8, seed=0)
    assert float(probabilities(generator, layout)[:, place].mean()) < 1e-4
    assert torch.equal(generator.logits.bias[~layout.real], padded)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_gives_the_same_biases(seed: int) -> None:
    first, layout, wanted = generator_of_three_units()
    second, _, _ = generator_of_three_units()
    for generator in (first, second):
        match_shares(generator, layout, wanted, latent_size=8, seed=seed)
    assert torch.equal(first.logits.bias, second.logits.bias)
