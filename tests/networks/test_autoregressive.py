"""The generator that draws unit after unit: its chances are those of a product, and its draws follow them."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from ganforge.core.seeds import Draws
from ganforge.kinds.tables.autoregressive import AutoregressiveGenerator
from ganforge.kinds.tables.generate import draw, likelihood
from ganforge.kinds.tables.generate.draw import Chain
from ganforge.kinds.tables.generate.likelihood import draw_before, likelihood_of
from ganforge.kinds.tables.low_rank import LowRankGenerator, sums_before
from ganforge.kinds.tables.networks import RowLayout

SIZES = (2, 9, 3, 1)
ROWS = torch.tensor(list(itertools.product(*map(range, SIZES))))  # every possible row


def randomly(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module", params=[AutoregressiveGenerator, LowRankGenerator])
def generator(request: pytest.FixtureRequest) -> AutoregressiveGenerator:
    """Of random weights, so large that its units depend on each other."""
    torch.manual_seed(0)
    made: AutoregressiveGenerator = request.param(SIZES, 16, 2)
    with torch.no_grad():
        made.weights.mul_(4)
    return made.eval().requires_grad_(False)


LAYOUT = RowLayout(SIZES)


def shares_of(codes: Tensor) -> Tensor:
    """The share of each of ROWS among rows (B, U)."""
    keys = [(rows * torch.tensor([27, 3, 1, 1])).sum(dim=1) for rows in (codes, ROWS)]
    return torch.bincount(keys[0], minlength=54)[keys[1]] / len(codes)


def test_the_chances_of_all_rows_sum_to_one(generator: AutoregressiveGenerator) -> None:
    chances = likelihood_of(generator, LAYOUT, ROWS).double().exp()
    assert float(chances.sum()) == pytest.approx(1.0, abs=1e-4)
    assert float(chances.max()) > 3 / len(ROWS)  # and they are not all alike


@pytest.mark.parametrize("seen_by_others", [{0, 1, 2, 3}, {1, 3}], ids=["in an order", "those that are given"])
def test_a_unit_sees_those_before_it_alone(generator: AutoregressiveGenerator, seen_by_others: set[int]) -> None:
    ranks, given = torch.tensor([2, 0, 3, 1]), torch.tensor([unit in seen_by_others for unit in range(4)])
    x = LAYOUT.one_hot(ROWS[:1]).requires_grad_()
    logits = generator(x, LAYOUT, ((ranks[:, None] < ranks) & given[:, None]).float())
    for unit in range(len(SIZES)):
        (slope,) = torch.autograd.grad(logits[0, LAYOUT.unit_places(unit)].square().sum(), x, retain_graph=True)
        seen = {other for other in range(len(SIZES)) if slope[0, LAYOUT.unit_places(other)].any()}
        assert seen == {other for other in seen_by_others if ranks[other] < ranks[unit]}


@pytest.mark.parametrize("given", [[], [2], [3, 0, 2]])
def test_one_unit_by_itself_has_the_logits_that_it_has_among_all(
    generator: AutoregressiveGenerator, given: list[int]
) -> None:
    shown = torch.zeros(len(ROWS), len(SIZES))
    shown[:, given] = 1.0
    among_all = generator(LAYOUT.one_hot(ROWS) * LAYOUT.spread(shown), LAYOUT)
    alone = generator.logits_of(1, generator.given(torch.where(shown > 0, ROWS, -1), LAYOUT, [1, 0, 2, 3]), LAYOUT)
    torch.testing.assert_close(alone, among_all[:, LAYOUT.unit_places(1)], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("of", [AutoregressiveGenerator, LowRankGenerator])
def test_training_begins_at_independent_columns(of: type[AutoregressiveGenerator]) -> None:
    torch.manual_seed(0)
    generator, shares = of(SIZES, 16, 1), torch.zeros(LAYOUT.width)
    for unit, size in enumerate(SIZES):
        shares[LAYOUT.unit_places(unit)] = torch.arange(1, size + 1) / (size * (size + 1) / 2)
    generator.start_from(shares)
    generator.weights.data.zero_()  # then the bias alone speaks
    told = LAYOUT.probabilities(generator(LAYOUT.one_hot(ROWS), LAYOUT).detach())
    torch.testing.assert_close(told, shares.expand_as(told), atol=1e-5, rtol=1e-4)


def test_rows_are_drawn_by_their_chances(generator: AutoregressiveGenerator) -> None:
    chances = likelihood_of(generator, LAYOUT, ROWS).exp()
    found = shares_of(Chain(generator, LAYOUT).draw(100_000, randomly())[0])
    assert ((found - chances).abs() < 5 * (chances / 100_000).sqrt() + 1e-4).all()


def test_under_conditions_rows_follow_the_conditional_distribution_of_whole_rows(
    generator: AutoregressiveGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the generator, as here, was never taught to begin with the unit that has the condition."""
    allowed = torch.tensor([True, False, True])
    may = allowed[ROWS[:, 2]]
    exact = torch.where(may, likelihood_of(generator, LAYOUT, ROWS).exp(), 0.0)
    exact /= exact.sum()

    def off(pool: int) -> float:
        monkeypatch.setattr(draw, "POOL", pool)
        rows = Chain(generator, LAYOUT).draw(500, randomly(), {2: lambda codes: allowed}, each=2)
        assert rows.shape == (2, 500, len(SIZES)) and allowed[rows[:, :, 2]].all()
        return float((shares_of(rows.flatten(0, 1)) - exact).abs().sum() / 2)

    first = off(1)
    assert first > 0.35 and first > 1.2 * off(8) and off(300) < 0.2


def test_pairs_that_are_kept_apart_are_never_drawn(generator: AutoregressiveGenerator) -> None:
    apart = torch.zeros(LAYOUT.width, LAYOUT.width, dtype=torch.bool)
    one, other = int(LAYOUT.starts[0]) + 1, int(LAYOUT.starts[2]) + 2
    apart[one, other] = apart[other, one] = True

    def together(codes: Tensor) -> int:
        return int(((codes[:, 0] == 1) & (codes[:, 2] == 2)).sum())

    free, bound = (Chain(generator, LAYOUT, pairs).draw(20_000, randomly())[0] for pairs in (None, apart))
    assert together(free) > 100 and together(bound) == 0
    first = Chain(generator, LAYOUT, apart).draw(500, randomly(), {2: lambda codes: torch.arange(3) == 2})[0]
    assert (first[:, 2] == 2).all() and (first[:, 0] == 0).all()


@pytest.mark.parametrize("whole", [0.0, 0.5, 1.0])
def test_what_is_given_is_never_a_circle_and_whole_rows_are_drawn_in_order(whole: float) -> None:
    in_order = torch.ones(6, 6).triu(1)
    drawn = [draw_before(6, whole, Draws(randomly(seed))) for seed in range(400)]
    share = sum(torch.equal(before, in_order) for before in drawn) / len(drawn)
    assert share > whole - 0.1 if whole < 1 else share == 1  # 400 draws: 0.1 is four standard errors
    for before in drawn:
        assert not torch.matrix_power(before, 6).any()  # nobody is, in the end, before itself
    alone = [before for before in drawn if len(before.unique(dim=1).T) == 2 and before.any()]
    assert bool(alone) is (whole < 1)  # all that are not given are given the same


def test_given_cells_stay_and_the_others_are_drawn_to_fit_each_other(generator: AutoregressiveGenerator) -> None:
    """Given the first unit, all others follow in the order of drawing: their exact chances are known."""
    rows = torch.full((60_000, len(SIZES)), -1)
    rows[:, 0] = 1
    made = Chain(generator, LAYOUT).complete(rows, randomly())
    assert (made[:, 0] == 1).all() and (rows[:, 1:] == -1).all()
    exact = torch.where(ROWS[:, 0] == 1, likelihood_of(generator, LAYOUT, ROWS).exp(), 0.0)
    exact /= exact.sum()
    assert ((shares_of(made) - exact).abs() < 5 * (exact / 60_000).sqrt() + 1e-4).all()


def test_a_low_temperature_draws_the_likely_rows(generator: AutoregressiveGenerator) -> None:
    told = [
        likelihood_of(generator, LAYOUT, Chain(generator, LAYOUT, None, heat).draw(5_000, randomly())[0]).mean()
        for heat in (0.3, 1.0, 3.0)
    ]
    assert told[0] > told[1] + 0.3 > told[2] + 0.6


@pytest.mark.parametrize("units", [1, 31, 32, 33, 100])
def test_sums_of_all_earlier_units_are_those_of_a_cumulative_sum(units: int) -> None:
    x = torch.randn(units, 3, 2, generator=randomly())
    torch.testing.assert_close(sums_before(x), x.cumsum(dim=0) - x, atol=1e-5, rtol=1e-5)


def test_with_shared_sums_weights_grow_with_the_number_of_units_and_not_with_its_square() -> None:
    few, many = (sum(weights.numel() for weights in LowRankGenerator((5,) * n, 8, 1).parameters()) for n in (50, 500))
    assert many == 10 * few


def test_likelihoods_in_parts_are_those_of_all_rows_at_once(
    generator: AutoregressiveGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = likelihood_of(generator, LAYOUT, ROWS)
    monkeypatch.setattr(likelihood, "MOST_PLACES", 5 * LAYOUT.width)
    torch.testing.assert_close(likelihood_of(generator, LAYOUT, ROWS), whole)
