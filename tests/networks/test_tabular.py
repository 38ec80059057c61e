"""Rows of codes side by side: where they stand, how they are drawn, and that both ways of scoring them agree."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ganforge.core.seeds import Draws
from ganforge.kinds.tables.networks import NEVER, RowDiscriminator, RowGenerator, RowLayout, RowProduct

SIZES = (3, 1, 7, 2, 40, 3, 1, 33, 2)


def randomly(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def codes_of(sizes: tuple[int, ...], count: int, seed: int = 0) -> Tensor:
    return torch.stack([torch.randint(size, (count,), generator=randomly(seed + size)) for size in sizes], dim=1)


def logits_of(layout: RowLayout, count: int, seed: int = 0) -> Tensor:
    """Any logits, as a generator gives them: never for padded places."""
    logits = 2 * torch.randn(count, layout.width, generator=randomly(seed))
    return torch.where(layout.real, logits, NEVER)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=12).map(tuple))
def test_every_code_of_every_unit_has_a_place_of_its_own(sizes: tuple[int, ...]) -> None:
    layout = RowLayout(sizes)
    places = [place for unit in range(len(sizes)) for place in range(layout.width)[layout.unit_places(unit)]]
    assert len(places) == len(set(places)) == sum(sizes) == int(layout.real.sum())
    assert layout.real[places].all()
    for unit, size in enumerate(sizes):
        assert (layout.unit_of[layout.unit_places(unit)] == unit).all()
        assert layout.unit_of[layout.unit_places(unit)].shape == (size,)
    assert layout.width <= 2 * sum(sizes) + 2 * len(sizes)  # padding costs less than the codes themselves


def test_codes_become_one_hots_and_what_is_not_known_becomes_nothing() -> None:
    layout, codes = RowLayout(SIZES), codes_of(SIZES, 50)
    codes[0, 2], codes[1, :] = -1, -1
    x = layout.one_hot(codes)
    assert x.shape == (50, layout.width) and x.dtype == torch.float32
    assert x[0].sum() == len(SIZES) - 1 and x[1].sum() == 0 and (x[2:].sum(dim=1) == len(SIZES)).all()
    for unit in range(len(SIZES)):
        assert torch.equal(x[2:, layout.unit_places(unit)].argmax(dim=1), codes[2:, unit])


def test_what_is_given_is_spread_over_the_places_of_its_unit() -> None:
    layout = RowLayout(SIZES)
    given_ = (torch.rand(20, len(SIZES), generator=randomly()) < 0.5).float()
    spread = layout.spread(given_)
    for unit, size in enumerate(SIZES):
        assert torch.equal(spread[:, layout.unit_places(unit)], given_[:, [unit]].expand(-1, size))


def test_probabilities_are_those_of_a_softmax_over_each_unit() -> None:
    layout = RowLayout(SIZES)
    logits = logits_of(layout, 30)
    told = layout.probabilities(logits)
    for unit in range(len(SIZES)):
        part = layout.unit_places(unit)
        torch.testing.assert_close(told[:, part], torch.softmax(logits[:, part], dim=1))
    assert (told[:, ~layout.real] == 0).all()


@pytest.mark.parametrize("how", ["draw", "draw_codes"])
def test_codes_are_drawn_as_often_as_the_softmax_says(how: str) -> None:
    """40,000 draws of one row: each code's frequency within 4.5 standard deviations of its probability."""
    layout, count = RowLayout(SIZES), 40_000
    logits = logits_of(layout, 1, seed=3)
    if how == "draw":
        drawn = layout.draw(logits.expand(count, -1), Draws(randomly(1)), 0.5).mean(dim=0)
    else:
        drawn = layout.one_hot(layout.draw_codes(logits, randomly(1), count)[:, 0]).mean(dim=0)
    expected = layout.probabilities(logits)[0]
    deviation = (expected * (1 - expected) / count).sqrt() + 1e-6
    assert ((drawn - expected).abs() / deviation).max() < 4.5
    assert expected[layout.real].min() < 1e-3  # rare codes are among them


def test_several_draws_of_a_row_are_independent_of_each_other_and_of_other_units() -> None:
    layout = RowLayout((2, 2))
    codes = layout.draw_codes(torch.zeros(1, layout.width), randomly(0), 40_000)[:, 0].float() - 0.5
    assert (codes[:, 0] * codes[:, 1]).mean().abs() < 4 * 0.25 / 200
    assert (codes[1:, 0] * codes[:-1, 0]).mean().abs() < 4 * 0.25 / 200


@pytest.mark.parametrize("strength", [0.0, 30.0, 1000.0])
def test_padded_places_are_never_drawn_and_drawn_rows_are_exact_one_hots(strength: float) -> None:
    layout = RowLayout(SIZES)
    logits = torch.where(layout.real, strength * torch.randn(4_000, layout.width, generator=randomly(2)), NEVER)
    logits.requires_grad_()
    codes = layout.draw_codes(logits.detach(), randomly(0), 3)
    assert codes.shape == (3, 4_000, len(SIZES))
    assert (codes >= 0).all() and (codes < torch.tensor(SIZES)).all()
    for x in (layout.draw(logits, Draws(randomly(0)), 0.5), layout.draw(logits.detach(), Draws(randomly(0)), 0.5)):
        assert set(x.unique().tolist()) == {0.0, 1.0}
        assert (x[:, ~layout.real] == 0).all()
        assert (x.sum(dim=1) == len(SIZES)).all()


def test_a_code_without_probability_is_never_drawn() -> None:
    layout = RowLayout((5,))
    logits = torch.tensor([[NEVER, 0.0, NEVER, 1.0, NEVER]])
    assert set(layout.draw_codes(logits, randomly(0), 50_000).unique().tolist()) == {1, 3}


def test_the_gradient_of_a_draw_is_that_of_its_soft_sample() -> None:
    """The same Gumbel noise, made anew from the same generator."""
    layout, temperature = RowLayout(SIZES), 0.5
    logits = logits_of(layout, 6, seed=5).requires_grad_()
    weight = torch.randn(6, layout.width, generator=randomly(9))
    (layout.draw(logits, Draws(randomly(4)), temperature) * weight).sum().backward()
    uniform = torch.empty(6, layout.width).uniform_(1e-9, 1 - 1e-7, generator=randomly(4))
    soft_logits = logits.detach().clone().requires_grad_()
    noisy = (soft_logits - (-uniform.log()).log()) / temperature
    for unit in range(len(SIZES)):
        part = layout.unit_places(unit)
        (torch.softmax(noisy[:, part], dim=1) * weight[:, part]).sum().backward(retain_graph=True)
    assert logits.grad is not None and soft_logits.grad is not None
    torch.testing.assert_close(logits.grad, soft_logits.grad, atol=1e-5, rtol=1e-4)
    assert logits.grad.abs().max() > 0.1


def test_drawing_repeats_with_its_generator() -> None:
    layout = RowLayout(SIZES)
    logits = logits_of(layout, 9)
    assert torch.equal(layout.draw(logits, Draws(randomly(1)), 0.5), layout.draw(logits, Draws(randomly(1)), 0.5))
    first, again, other = (layout.draw_codes(logits, randomly(seed), 2) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def shares_of(layout: RowLayout) -> Tensor:
    shares = torch.zeros(layout.width)
    for unit, size in enumerate(layout.sizes):
        shares[layout.unit_places(unit)] = torch.arange(1, size + 1) / (size * (size + 1) / 2)
    return shares


def test_training_begins_at_independent_columns() -> None:
    torch.manual_seed(0)
    layout, generator = RowLayout(SIZES), RowGenerator(SIZES, 16, 32, 2)
    shares = shares_of(layout)
    given_ = torch.zeros(4_000, layout.width + len(SIZES))
    latent = torch.randn(4_000, 16, generator=randomly())

    def distance() -> float:
        told = layout.probabilities(generator(latent, given_).detach()).mean(dim=0)
        return float((told - shares).abs().sum() / 2 / len(SIZES))

    before = distance()
    generator.start_from(shares)
    assert distance() < 0.02 < 5 * 0.02 < before
    with torch.no_grad():
        generator.logits.weight.zero_()  # then the bias alone speaks
    torch.testing.assert_close(layout.probabilities(generator(latent[:1], given_[:1]))[0], shares, atol=1e-5, rtol=1e-4)


def test_nothing_given_is_the_same_as_zeros() -> None:
    torch.manual_seed(0)
    layout, generator = RowLayout(SIZES), RowGenerator(SIZES, 16, 32, 2)
    latent = torch.randn(10, 16, generator=randomly())
    whole = generator(latent, torch.zeros(10, layout.width + len(SIZES)))
    torch.testing.assert_close(generator(latent), whole, atol=1e-5, rtol=1e-5)


def test_scores_of_codes_are_those_of_their_one_hots() -> None:
    torch.manual_seed(1)
    layout, judge = RowLayout(SIZES), RowDiscriminator(SIZES, 64, 2)
    codes = codes_of(SIZES, 200)
    none = torch.zeros(200, len(SIZES))
    torch.testing.assert_close(
        judge.score_whole(codes + layout.starts), judge(layout.one_hot(codes), none), atol=1e-5, rtol=1e-5
    )


def test_trust_is_a_factor_of_every_score() -> None:
    torch.manual_seed(1)
    layout, judge = RowLayout(SIZES), RowDiscriminator(SIZES, 16, 1)
    x, none = layout.one_hot(codes_of(SIZES, 20)), torch.zeros(20, len(SIZES))
    before = judge(x, none)
    judge.trust(0.3)
    torch.testing.assert_close(judge(x, none), 0.3 * before)
    judge.trust(0.0)
    assert (judge(x, none) == 0).all()


def test_units_of_a_single_code_are_drawn_as_that_code() -> None:
    torch.manual_seed(0)
    sizes = (1, 1)
    layout, generator = RowLayout(sizes), RowGenerator(sizes, 4, 8, 1)
    logits = generator(torch.randn(5, 4), torch.zeros(5, layout.width + 2))
    assert (layout.draw_codes(logits, randomly(), 2) == 0).all()
    assert torch.equal(layout.draw(logits, Draws(randomly()), 0.5), torch.ones(5, 2))


def test_a_product_holds_the_referee_only_where_there_is_one() -> None:
    generator, referee = RowGenerator(SIZES, 4, 8, 1), RowDiscriminator(SIZES, 8, 1)
    assert not any(name.startswith("referee.") for name in RowProduct(generator, None).state_dict())
    whole = RowProduct(generator, referee).state_dict()
    assert {name.partition(".")[0] for name in whole} == {"generator", "referee"}
    assert not any("never" in name for name in whole)  # it follows from the sizes
