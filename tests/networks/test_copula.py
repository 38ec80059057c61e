"""The copula that a generator of many columns starts from: exact in any order, and what it is counted from."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor

from ganforge.engine.feed import TensorFeed
from ganforge.kinds.tables.copula import Copula
from ganforge.kinds.tables.generate.draw import Chain
from ganforge.kinds.tables.generate.likelihood import held_out_likelihood, likelihood_of, trust_as_measured
from ganforge.kinds.tables.generate.scores import covariance_of, fit_scores
from ganforge.kinds.tables.low_rank import LowRankGenerator
from ganforge.kinds.tables.networks import RowLayout

ROWS, SPANS, WORDS, COLUMNS = 4_000, 16, 5, 24
SIZES = (SPANS,) * 10 + (SPANS + 1,) * 6 + (WORDS,) * 7 + (1,)
KINDS = (False,) * 10 + (True,) * 6 + (None,) * 8
LAYOUT = RowLayout(SIZES)
ORDER = list(range(COLUMNS))


def rows_of(seed: int, count: int = ROWS) -> Tensor:
    """Two hidden factors; numbers cut into spans, some missing where a factor is high; words that hang on a factor."""
    random = np.random.default_rng(seed)
    weights = np.random.default_rng(0).normal(0, 1, (2, COLUMNS))
    factors = random.standard_normal((count, 2))
    signals = factors @ weights + 0.5 * random.standard_normal((count, COLUMNS))
    signals /= np.sqrt((weights**2).sum(axis=0) + 0.25)
    spans = np.searchsorted(torch.special.ndtri(torch.arange(1, SPANS) / SPANS).numpy(), signals)
    codes = spans.copy()
    codes[:, 10:16] = np.where(signals[:, 10:16] + random.standard_normal((count, 6)) > 1.5, 0, spans[:, 10:16] + 1)
    pulls = np.random.default_rng(1).normal(0, 1.5, (7, WORDS))
    words = signals[:, 16:23, None] * pulls + random.gumbel(size=(count, 7, WORDS))
    codes[:, 16:23], codes[:, 23] = words.argmax(axis=2), 0
    return torch.from_numpy(codes)


@pytest.fixture(scope="module")
def generator() -> LowRankGenerator:
    """As training begins."""
    train = rows_of(0)
    torch.manual_seed(0)
    made = LowRankGenerator(SIZES, 8, 1)
    shares = LAYOUT.one_hot(train).mean(dim=0)
    made.start_from_copula(shares, Copula.of(*fit_scores(TensorFeed(x=train), SIZES, KINDS)))
    return made.eval().requires_grad_(False)


def independent(codes: Tensor) -> Tensor:
    shares = LAYOUT.one_hot(rows_of(0)).mean(dim=0).clamp_min(1e-6)
    return (LAYOUT.one_hot(codes) * shares.log()).sum(dim=1)


def test_it_makes_unseen_rows_much_likelier_than_independent_columns_do(generator: LowRankGenerator) -> None:
    unseen = rows_of(7, 1_000)
    assert float((likelihood_of(generator, LAYOUT, unseen) - independent(unseen)).mean()) > 6.0  # nats a row


def test_drawn_rows_have_the_correlations_of_real_ones(generator: LowRankGenerator) -> None:
    made = Chain(generator, LAYOUT).draw(4_000, torch.Generator().manual_seed(0))[0]
    assert made[:, 23].eq(0).all()
    real, drawn = (np.corrcoef(codes[:, :10].numpy(), rowvar=False) for codes in (rows_of(0), made))
    assert np.abs(real).mean() > 0.3 and np.abs(real - drawn).max() < 0.1  # standard error of 4,000 rows: 0.02
    for number in range(10, 16):  # a missing cell goes with high values of the others
        with_it = [float(codes[codes[:, number] == 0, 0].float().mean()) for codes in (rows_of(0), made)]
        assert with_it[0] == pytest.approx(with_it[1], abs=0.8)
    for word in range(16, 23):
        tables = [
            torch.stack([codes[codes[:, word] == code, :10].float().mean(dim=0) for code in range(WORDS)])
            for codes in (rows_of(0), made)
        ]
        assert float((tables[0] - tables[1]).abs().mean()) < 0.5  # spans, of 16


@pytest.mark.parametrize("order", [ORDER, ORDER[::-1], [5, 20, 11, *(u for u in ORDER if u not in (5, 20, 11))]])
def test_one_unit_after_the_other_has_the_logits_that_it_has_among_all(
    generator: LowRankGenerator, order: list[int]
) -> None:
    rows = rows_of(3, 20)
    ranks = torch.tensor(order).argsort()
    among_all = generator(LAYOUT.one_hot(rows), LAYOUT, (ranks[:, None] < ranks).float())
    given = generator.given(torch.full_like(rows, -1), LAYOUT, order)
    for unit in order:
        alone = generator.logits_of(unit, given, LAYOUT)
        torch.testing.assert_close(alone, among_all[:, LAYOUT.unit_places(unit)], atol=2e-3, rtol=1e-3)
        given = generator.with_unit(given, unit, rows[:, unit], torch.ones(20, dtype=torch.bool), LAYOUT)


def test_whatever_is_given_in_each_row_the_others_are_told_by_it(generator: LowRankGenerator) -> None:
    rows, given = rows_of(4, 30), torch.rand(30, COLUMNS, generator=torch.Generator().manual_seed(0)) < 0.4
    given[0], given[1] = False, True  # nothing, and everything
    together = generator(LAYOUT.one_hot(rows) * LAYOUT.spread(given), LAYOUT)
    for row in range(30):
        first = torch.arange(COLUMNS) + COLUMNS * ~given[row]
        before = ((first[:, None] < first) & given[row][:, None]).float()
        alone = generator(LAYOUT.one_hot(rows[row : row + 1]), LAYOUT, before)[0]
        for unit in (~given[row]).nonzero()[:, 0].tolist():
            mine = LAYOUT.unit_places(unit)
            torch.testing.assert_close(together[row, mine], alone[mine], atol=2e-3, rtol=1e-3)


def test_rows_with_other_holes_are_each_completed_by_what_they_have(generator: LowRankGenerator) -> None:
    rows = rows_of(5, 200)
    holes = rows.clone()
    holes[:100, :12], holes[100:, 12:] = -1, -1
    made = Chain(generator, LAYOUT).complete(holes, torch.Generator().manual_seed(0))
    assert torch.equal(made[holes >= 0], rows[holes >= 0]) and bool((made >= 0).all())
    fit = [np.corrcoef(made[:100, unit].numpy(), rows[:100, unit].numpy())[0, 1] for unit in range(10)]
    assert np.mean(fit) > 0.5  # drawn, not guessed: of independent columns it would be 0, with a standard error of .03


def test_correlations_that_chance_gives_are_not_kept() -> None:
    random = np.random.default_rng(0)
    hidden = random.standard_normal((2_000, 300)).astype(np.float32)
    hidden[:, 1] = 0.6 * hidden[:, 0] + 0.8 * hidden[:, 1]  # two columns that share what no others do
    hidden -= hidden.mean(axis=0)
    hidden /= hidden.std(axis=0)
    found = covariance_of(hidden)
    others = found - np.diag(np.diag(found))
    assert found[0, 1] == pytest.approx(0.6, abs=0.06)
    others[0, 1] = others[1, 0] = 0.0
    assert np.abs(others).mean() < 0.004  # as counted: 0.018
    assert np.linalg.eigvalsh(found)[0] > 0


@pytest.mark.parametrize("rows", [30, 200])
def test_it_can_be_counted_in_fewer_rows_than_there_are_dimensions(rows: int) -> None:
    scores, covariance = fit_scores(TensorFeed(x=rows_of(6, rows)), SIZES, KINDS)
    assert bool(scores.isfinite().all()) and int(torch.linalg.cholesky_ex(covariance).info) == 0
    Copula.of(scores, covariance).refuse_unusable(LAYOUT)


def test_a_copula_that_does_not_fit_itself_is_refused(generator: LowRankGenerator) -> None:
    assert generator.copula is not None
    scores, covariance = generator.copula.scores, generator.copula.covariance
    for fault in (covariance[1:, 1:], covariance - 2 * torch.eye(len(covariance)), covariance * torch.nan):
        with pytest.raises(ValueError, match="covariance of its codes"):
            Copula.of(scores, fault).refuse_unusable(LAYOUT)


def test_what_training_adds_is_kept_as_far_as_it_makes_held_out_rows_likelier(generator: LowRankGenerator) -> None:
    shares = LAYOUT.one_hot(rows_of(0)).mean(dim=0)
    held_out, spoiled = TensorFeed(x=rows_of(8, 500)), copy.deepcopy(generator)
    before = held_out_likelihood(generator, LAYOUT, held_out).value
    assert generator.is_copula_alone
    spoiled.weights.add_(torch.randn(spoiled.weights.shape, generator=torch.Generator().manual_seed(0)))
    spoiled.logits_bias.add_(torch.randn(len(shares), generator=torch.Generator().manual_seed(1)))
    assert held_out_likelihood(spoiled, LAYOUT, held_out).value < before - 1
    assert trust_as_measured(spoiled, LAYOUT, shares, held_out) == 0.0 and spoiled.is_copula_alone
    assert held_out_likelihood(spoiled, LAYOUT, held_out).value == pytest.approx(before)
    better = copy.deepcopy(generator)  # it lacks the shares, and training has found them
    flat = torch.full_like(shares, 0.5)
    assert trust_as_measured(better, LAYOUT, flat, held_out) == 1.0
