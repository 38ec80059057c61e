"""Every objective against numbers worked out by hand, and the contract that all of them keep."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganforge.contracts import Loss
from ganforge.core.seeds import Draws, generator_for
from ganforge.objectives import OBJECTIVES, softened_error, squared_error, squared_slope

NAMES = sorted(OBJECTIVES)
PENALISED = sorted(set(OBJECTIVES) - {"wasserstein"})


def softplus(s: float) -> float:
    return math.log1p(math.exp(s))


def random() -> Draws:
    return Draws(generator_for(0, "test/objectives"))


def curved(weight: Tensor) -> object:
    """D(x) = tanh(w x) . 1, in the precision of w: a discriminator that is not a line."""
    return lambda x: torch.tanh(x @ weight).sum(dim=1)


def total(loss: Loss) -> Tensor:
    return torch.stack(list(loss.terms.values())).sum(dim=0)  # (B,)


def a_batch(count: int = 6) -> tuple[Tensor, Tensor, object]:
    source = generator_for(0, "test/batch")
    real, fake, weight = (torch.randn(size, generator=source) for size in ((count, 3), (count, 3), (3, 4)))
    return real, fake, curved(weight)


# ---- values by hand: D(x) = 2 x, real 0.5 and fake -0.25, so scores 1 and -0.5, slopes 2 ----------------------------

REAL, FAKE = torch.tensor([[0.5]]), torch.tensor([[-0.25]])


def double(x: Tensor) -> Tensor:
    return 2.0 * x[:, 0]


BY_HAND = {
    "minimax": (softplus(-1.0) + softplus(-0.5), -softplus(-0.5)),
    "nonsaturating": (softplus(-1.0) + softplus(-0.5), softplus(0.5)),
    "least_squares": (0.5 * (1.0 - 1.0) ** 2 + 0.5 * 0.25, 0.5 * 2.25),
    "hinge": (0.0 + 0.5, 0.5),
    "wasserstein": (-1.0 - 0.5, 0.5),
    "r3gan": (softplus(-1.5), softplus(1.5)),
}


@pytest.mark.parametrize("name", NAMES)
def test_values_without_penalty_are_those_worked_out_by_hand(name: str) -> None:
    objective = OBJECTIVES[name]()
    for_discriminator, for_generator = BY_HAND[name]
    told = objective.discriminator_loss(double, REAL, FAKE, 0.0, random())
    assert total(told).item() == pytest.approx(for_discriminator, rel=1e-6)
    assert total(objective.generator_loss(double, REAL, FAKE)).item() == pytest.approx(for_generator, rel=1e-6)


@pytest.mark.parametrize("name", PENALISED)
def test_the_penalty_of_a_line_is_its_squared_slope(name: str) -> None:
    """gamma/2 |w|^2 on real and the same on fake: gamma 0.3 and w = (3, -4), so 0.15 x 25 each."""
    slope = torch.tensor([3.0, -4.0])
    told = OBJECTIVES[name]().discriminator_loss(
        lambda x: x @ slope + 1.0, torch.randn(5, 2), torch.randn(5, 2), 0.3, random()
    )
    for term in ("r1", "r2"):
        torch.testing.assert_close(told.terms[term], torch.full((5,), 3.75))


def test_squared_slope_of_a_line_is_the_squared_norm_of_its_weights() -> None:
    weight = random().normal(3 * 4 * 5)
    x = torch.randn(7, 3, 4, 5, requires_grad=True)
    slopes = squared_slope(x.flatten(1) @ weight, x)
    torch.testing.assert_close(slopes, weight.square().sum().expand(7))


@pytest.mark.parametrize("slope", [1.0, -1.0, 3.0])
def test_wassersteins_penalty_is_zero_for_a_slope_of_one_and_grows_with_the_distance_from_it(slope: float) -> None:
    direction = torch.tensor([0.6, 0.8])
    told = OBJECTIVES["wasserstein"]().discriminator_loss(
        lambda x: slope * (x @ direction), torch.randn(4, 2), torch.randn(4, 2), 10.0, random()
    )
    expected = 10.0 * (abs(slope) - 1.0) ** 2
    torch.testing.assert_close(told.terms["gradient_penalty"], torch.full((4,), expected), atol=1e-5, rtol=1e-5)


def test_wassersteins_penalty_is_taken_between_real_and_fake() -> None:
    seen: list[Tensor] = []

    def watched(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x[:, 0]

    real, fake = torch.full((50, 1), 5.0), torch.full((50, 1), 2.0)
    OBJECTIVES["wasserstein"]().discriminator_loss(watched, real, fake, 10.0, random())
    between = seen[1]
    assert between.min() >= 2.0
    assert between.max() <= 5.0
    assert between.std() > 0.5


# ---- the contract of all --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.0, 0.7])
@pytest.mark.parametrize("name", NAMES)
def test_the_contract(name: str, gamma: float) -> None:
    """Named terms and notes, each one finite number per example; notes without graph; real without gradient."""
    objective, (real, fake, discriminator) = OBJECTIVES[name](), a_batch()
    fake = fake.requires_grad_()
    sides = (
        objective.discriminator_loss(discriminator, real, fake.detach(), gamma, random()),
        objective.generator_loss(discriminator, real, fake),
    )
    for told in sides:
        assert told.terms
        for value in (*told.terms.values(), *told.notes.values()):
            assert value.shape == (6,)
            assert value.dtype == torch.float32
            assert torch.isfinite(value).all()
        assert not any(note.requires_grad for note in told.notes.values())
    assert {"score_real", "score_fake", "ranked_right"} <= set(sides[0].notes)
    (gradient,) = torch.autograd.grad(total(sides[1]).mean(), fake)
    assert gradient.abs().sum() > 0
    assert real.grad is None


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_of_a_batch_is_the_mean_of_the_losses_of_its_examples(name: str) -> None:
    """What per-example privacy rests on. The Wasserstein penalty draws, so each example gets its own draw."""
    objective, (real, fake, discriminator) = OBJECTIVES[name](), a_batch()
    gamma = 0.0 if name == "wasserstein" else 0.7
    whole = total(objective.discriminator_loss(discriminator, real, fake, gamma, random()))
    generated = total(objective.generator_loss(discriminator, real, fake))
    for index in range(len(real)):
        one = slice(index, index + 1)
        alone = total(objective.discriminator_loss(discriminator, real[one], fake[one], gamma, random()))
        torch.testing.assert_close(alone, whole[one])
        torch.testing.assert_close(total(objective.generator_loss(discriminator, real[one], fake[one])), generated[one])


@pytest.mark.parametrize("name", NAMES)
def test_what_the_generator_says_of_reading_real_data_is_true(name: str) -> None:
    objective, (real, fake, discriminator) = OBJECTIVES[name](), a_batch()
    first = total(objective.generator_loss(discriminator, real, fake))
    other = total(objective.generator_loss(discriminator, real + 1.0, fake))
    assert (not torch.equal(first, other)) is objective.generator_reads_real


@pytest.mark.parametrize("name", NAMES)
def test_the_generator_moves_its_fakes_towards_higher_scores(name: str) -> None:
    fake = FAKE.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(total(OBJECTIVES[name]().generator_loss(double, REAL, fake)).mean(), fake)
    assert -gradient.item() > 0  # D(x) = 2 x: higher is to the right


@pytest.mark.parametrize("name", NAMES)
def test_the_discriminator_moves_real_scores_up_and_fake_scores_down(name: str) -> None:
    """By the gradient with respect to the scores themselves, where no side is content yet."""
    scores = nn.Parameter(torch.tensor([0.2, -0.1]))
    gap = lambda x: scores[: len(x)] + 0.0 * x[:, 0]  # noqa: E731 - real first, fake second
    told = OBJECTIVES[name]().discriminator_loss(gap, REAL, FAKE, 0.0, random())
    up_real, up_fake = -torch.autograd.grad(total(told).mean(), scores)[0]
    assert up_real > 0
    if name == "least_squares":  # it pulls the fake score to 0, from below here
        assert up_fake > 0
    else:
        assert up_fake < 0


@pytest.mark.parametrize("name", PENALISED)
def test_the_gradient_of_the_penalty_is_that_of_finite_differences(name: str) -> None:
    """Double backpropagation, checked in float64 against (L(w + h) - L(w - h)) / 2h for every weight."""
    source = generator_for(0, "test/double")
    real, fake = (torch.randn(5, 3, generator=source, dtype=torch.float64) for _ in range(2))
    weight = torch.randn(3, 4, generator=source, dtype=torch.float64).requires_grad_()

    def penalty(w: Tensor) -> Tensor:
        both = torch.cat([real, fake]).requires_grad_()
        (slope,) = torch.autograd.grad(torch.tanh(both @ w).sum(), both, create_graph=True)
        return 0.5 * slope.square().sum(dim=1).mean() * 2.0

    (exact,) = torch.autograd.grad(penalty(weight), weight)
    numeric = torch.zeros_like(weight)
    for i in range(3):
        for j in range(4):
            step = torch.zeros_like(weight)
            step[i, j] = 1e-5
            numeric[i, j] = (penalty(weight + step) - penalty(weight - step)).detach() / 2e-5
    torch.testing.assert_close(exact, numeric, atol=1e-8, rtol=1e-6)

    told = OBJECTIVES[name]().discriminator_loss(curved(weight), real, fake, 1.0, random())
    ours = torch.autograd.grad((told.terms["r1"] + told.terms["r2"]).mean(), weight)[0]
    torch.testing.assert_close(ours, numeric, atol=1e-5, rtol=1e-4)  # our terms are float32


# ---- theory ---------------------------------------------------------------------------------------------------------


def densities() -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Two Gaussians on a grid: points, p, q and the width of a cell."""
    x = np.linspace(-12, 12, 48_001)
    normal = lambda mean, std: np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))  # noqa: E731
    return x, normal(-0.5, 1.0), normal(1.0, 1.5), float(x[1] - x[0])


def test_minimax_at_the_best_discriminator_is_two_jensen_shannon_minus_two_log_two() -> None:
    """Goodfellow et al. 2014, theorem 1. The best D is p / (p + q): the score log(p / q)."""
    x, p, q, cell = densities()
    middle = 0.5 * (p + q)
    jensen_shannon = 0.5 * cell * float(np.sum(p * np.log(p / middle) + q * np.log(q / middle)))
    best = torch.from_numpy(np.log(p / q)).float()
    points = torch.from_numpy(x).float()[:, None]
    objective = OBJECTIVES["minimax"]()
    told = objective.discriminator_loss(lambda both: best.repeat(2), points, points, 0.0, random())
    weight_p, weight_q = (torch.from_numpy(d * cell).float() for d in (p, q))
    value = -(weight_p @ told.terms["real"] + weight_q @ told.terms["fake"]).item()  # D minimises minus the value
    assert value == pytest.approx(2 * jensen_shannon - 2 * math.log(2), abs=1e-5)


def test_no_other_discriminator_gets_a_higher_value() -> None:
    x, p, q, cell = densities()
    objective, points = OBJECTIVES["minimax"](), torch.from_numpy(x).float()[:, None]
    weight_p, weight_q = (torch.from_numpy(d * cell).float() for d in (p, q))

    def loss(score: np.ndarray) -> float:
        scores = torch.from_numpy(score).float()
        told = objective.discriminator_loss(lambda both: scores.repeat(2), points, points, 0.0, random())
        return (weight_p @ told.terms["real"] + weight_q @ told.terms["fake"]).item()

    best = np.log(p / q)
    for other in (best + 0.3, best - 0.3, 0.7 * best, best + 0.2 * np.sin(x), np.zeros_like(x)):
        assert loss(other) > loss(best)


def test_where_the_discriminator_is_sure_minimax_falls_silent_and_nonsaturating_does_not() -> None:
    gradients = {}
    for name in ("minimax", "nonsaturating"):
        fake = torch.tensor([[-5.0]], requires_grad=True)  # the score is -10: D(G(z)) = 0.00005
        (gradient,) = torch.autograd.grad(total(OBJECTIVES[name]().generator_loss(double, REAL, fake)).mean(), fake)
        gradients[name] = -gradient.item()
    sure = 1 / (1 + math.exp(10.0))
    assert gradients["minimax"] == pytest.approx(2.0 * sure, rel=1e-3)
    assert gradients["nonsaturating"] == pytest.approx(2.0 * (1 - sure), rel=1e-3)


def test_scores_far_out_stay_finite() -> None:
    """log(sigmoid(s)) written as such is minus infinity below -104; from scores it is not."""
    for name in NAMES:
        for size in (1e4, -1e4):
            told = OBJECTIVES[name]().discriminator_loss(lambda x, size=size: size * x[:, 0], REAL, FAKE, 0.0, random())
            assert torch.isfinite(total(told)).all()


def test_squared_error_is_half_the_square_and_its_gradient_the_error() -> None:
    prediction = torch.tensor([1.0, 4.0], requires_grad=True)
    told = squared_error(prediction, torch.tensor([3.0, 3.0]))
    assert told.terms["squared_error"].tolist() == [2.0, 0.5]
    (gradient,) = torch.autograd.grad(told.terms["squared_error"].mean(), prediction)
    assert gradient.tolist() == [-1.0, 0.5]  # (h(x) - y) / m


# ---- distances without an adversary ----------------------------------------------------------------------------------


def test_a_softened_error_counts_squared_where_it_is_small_and_as_it_is_where_it_is_large() -> None:
    made = torch.tensor([[0.0, 0.0], [0.03, -0.04], [1.0, -1.0]], dtype=torch.float64, requires_grad=True)
    found = softened_error(made, torch.zeros(3, 2, dtype=torch.float64), 1.0)
    root = math.sqrt
    wanted = [0.0, (root(1.0009) + root(1.0016)) / 2 - 1, root(2.0) - 1]
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64))
    assert float(found[1].detach()) == pytest.approx((0.03**2 + 0.04**2) / 4, rel=1e-3)
    found.sum().backward()
    assert made.grad is not None
    assert not made.grad[0].any()  # an error of nothing pushes nowhere, unlike the absolute one
    far = torch.tensor([[100.0]], dtype=torch.float64)
    assert float(softened_error(far, -far, 0.1)) == pytest.approx(200 - 0.1, rel=1e-6)
