"""Games whose answer is known in closed form: the loop has to find it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from toy_games import (
    TableFeed,
    adam_steps,
    adversarial_players,
    line_feed,
    plain_steps,
    regression_game,
    settings,
)

from ganforge.contracts import Game, Loss, OptimiserSettings, Player, Schedule, Turn
from ganforge.core.seeds import generator_for
from ganforge.engine.fit import fit
from ganforge.kinds.tables.regress.model import LinearRegressor
from ganforge.networks.mlp import LinearDiscriminator
from ganforge.objectives import OBJECTIVES, squared_error


class Affine(nn.Module):
    """G(z) = scale z + mean: a generator of one number that can be any Gaussian."""

    def __init__(self, mean: float, scale: float) -> None:
        super().__init__()
        self.mean, self.scale = nn.Parameter(torch.tensor([mean])), nn.Parameter(torch.tensor([scale]))

    def forward(self, latent: Tensor) -> Tensor:
        return self.scale * latent + self.mean


class Point(nn.Module):
    """The Dirac-GAN's generator: all of its mass on one number."""

    def __init__(self, theta: float) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([theta]))

    def forward(self, latent: Tensor) -> Tensor:
        return self.theta.expand(len(latent), 1)


class Slope(nn.Module):
    """The Dirac-GAN's discriminator: D(x) = psi x."""

    def __init__(self, psi: float) -> None:
        super().__init__()
        self.psi = nn.Parameter(torch.tensor([psi]))

    def forward(self, x: Tensor) -> Tensor:
        return self.psi * x[:, 0]


def play_dirac(
    start: tuple[float, float], steps: int, *, objective: str, order: str, rate: float, gamma: float = 0.0
) -> tuple[float, float]:
    """(theta, psi) after `steps` steps of plain gradient descent; the data is the number 0."""
    point, slope = Point(start[0]), Slope(start[1])
    players = adversarial_players(
        ("discriminator", "generator"),
        point,
        slope,
        plain_steps(rate),
        objective=objective,
        gamma=gamma,
        latent_size=1,
    )
    game = Game(players, product="generator", order=order)  # type: ignore[arg-type]
    fit(game, TableFeed(x=torch.zeros(1, 1)), settings(steps, batch_size=1, half_life_examples=0.0))
    return point.theta.item(), slope.psi.item()


def one_step_matrix(**how: object) -> np.ndarray:
    """The linear map (theta, psi) -> (theta, psi) of one step, read off two short games."""
    tiny = 1e-3  # so near the balance that a smooth loss is linear
    columns = [play_dirac(start, 1, **how) for start in ((tiny, 0.0), (0.0, tiny))]  # type: ignore[arg-type]
    return np.array(columns, dtype=np.float64).T / tiny


def test_one_player_with_whole_batches_reaches_the_closed_form() -> None:
    feed = line_feed()
    x = torch.cat([torch.ones(len(feed), 1), feed.tensors["x"]], dim=1)
    closed = torch.linalg.lstsq(x, feed.tensors["y"]).solution
    network = LinearRegressor(2)

    def loss(turn: Turn) -> Loss:  # the textbook's sum runs over all examples, so no drawing
        return squared_error(network(feed.tensors["x"]), feed.tensors["y"])

    game = Game((Player("learner", network, loss, plain_steps(0.5)),), product="learner")
    fitted = fit(game, feed, settings(200, half_life_examples=0.0))
    torch.testing.assert_close(fitted.product.theta.detach(), closed, atol=1e-5, rtol=1e-5)


def test_one_player_with_drawn_batches_and_falling_steps_comes_near_the_closed_form() -> None:
    feed = line_feed()
    x = torch.cat([torch.ones(len(feed), 1), feed.tensors["x"]], dim=1)
    closed = torch.linalg.lstsq(x, feed.tensors["y"]).solution
    steps = OptimiserSettings(Schedule(0.3, 0.0, "cosine"), kind="sgd")
    fitted = fit(regression_game(steps), feed, settings(600))
    torch.testing.assert_close(fitted.product.theta.detach(), closed, atol=0.02, rtol=0.0)


@pytest.mark.slow
def test_r3gan_with_a_linear_discriminator_finds_the_mean_and_only_the_mean() -> None:
    real = 1.5 + 2.0 * torch.randn(4000, 1, generator=generator_for(0, "toy/gaussian"))
    generator = Affine(mean=-1.0, scale=0.3)
    steps = OptimiserSettings(Schedule(0.1, 0.0, "cosine"), kind="sgd")
    players = adversarial_players(
        ("discriminator", "generator"), generator, LinearDiscriminator(1, 0), steps, gamma=0.1, latent_size=1
    )
    game = Game(players, product="generator")
    fitted = fit(game, TableFeed(x=real), settings(1500, batch_size=64, half_life_examples=5000.0))
    assert fitted.product.mean.item() == pytest.approx(real.mean().item(), abs=0.1)
    assert abs(fitted.product.scale.item()) < 0.6  # a line cannot see the spread, which is 2


@pytest.mark.slow
def test_wasserstein_with_a_linear_critic_circles_the_mean_and_the_moving_average_finds_it() -> None:
    real = torch.full((8, 1), 1.5)
    generator, critic = Point(0.5), Slope(0.0)
    players = adversarial_players(
        ("critic", "generator"), generator, critic, plain_steps(0.1), objective="wasserstein", gamma=0.0, latent_size=1
    )
    path: list[float] = []
    fitted = fit(
        Game(players, product="generator"),
        TableFeed(x=real),
        settings(2000, batch_size=1, half_life_examples=400.0),
        stop=lambda: bool(path.append(generator.theta.item())),
    )
    assert max(path[-70:]) > 2.4 and min(path[-70:]) < 0.6  # it still goes round, as wide as at the start
    assert fitted.product.theta.item() == pytest.approx(1.5, abs=0.1)


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_simultaneous_play_of_the_dirac_gan_has_eigenvalues_one_plus_minus_i_alpha(rate: float) -> None:
    matrix = one_step_matrix(objective="wasserstein", order="simultaneous", rate=rate)
    np.testing.assert_allclose(matrix, [[1.0, rate], [-rate, 1.0]], atol=1e-5)
    values = np.linalg.eigvals(matrix)
    np.testing.assert_allclose(sorted(values.imag), [-rate, rate], atol=1e-5)
    np.testing.assert_allclose(values.real, 1.0, atol=1e-5)


def test_simultaneous_play_spirals_out_by_exactly_the_modulus_of_the_eigenvalue() -> None:
    rate, steps = 0.1, 300
    theta, psi = play_dirac((1.0, 0.0), steps, objective="wasserstein", order="simultaneous", rate=rate)
    assert np.hypot(theta, psi) == pytest.approx((1 + rate**2) ** (steps / 2), rel=1e-4)


def test_alternating_play_goes_round_without_growing() -> None:
    matrix = one_step_matrix(objective="wasserstein", order="alternating", rate=0.1)
    assert np.abs(np.linalg.eigvals(matrix)) == pytest.approx([1.0, 1.0], abs=1e-5)
    theta, psi = play_dirac((1.0, 0.0), 1000, objective="wasserstein", order="alternating", rate=0.1)
    assert 0.9 < np.hypot(theta, psi) < 1.1


@pytest.mark.parametrize("objective", ["minimax", "nonsaturating"])
def test_logistic_dirac_gan_diverges_in_simultaneous_play(objective: str) -> None:
    matrix = one_step_matrix(objective=objective, order="simultaneous", rate=0.2)
    np.testing.assert_allclose(np.linalg.eigvals(matrix).real, 1.0, atol=1e-4)
    assert np.abs(np.linalg.eigvals(matrix)) == pytest.approx([np.hypot(1.0, 0.1)] * 2, abs=1e-4)  # f'(0) = 1/2
    theta, psi = play_dirac((0.5, 0.0), 400, objective=objective, order="simultaneous", rate=0.2)
    assert np.hypot(theta, psi) > 1.2 * 0.5


@pytest.mark.parametrize("objective", ["minimax", "nonsaturating", "r3gan"])
@pytest.mark.parametrize("order", ["simultaneous", "alternating"])
def test_the_gradient_penalty_makes_the_dirac_gan_converge(objective: str, order: str) -> None:
    theta, psi = play_dirac((0.5, 0.5), 300, objective=objective, order=order, rate=0.1, gamma=0.5)
    assert np.hypot(theta, psi) < 1e-3


@pytest.mark.parametrize("gamma", [0.2, 0.5, 2.0])
def test_eigenvalues_with_penalty_are_mescheders(gamma: float) -> None:
    rate = 0.1
    matrix = one_step_matrix(objective="minimax", order="simultaneous", rate=rate, gamma=gamma)
    # Mescheder et al. 2018, lemma 2.3 with f'(0) = 1/2; R1 and R2 together are twice the paper's penalty
    root = np.emath.sqrt(gamma**2 - 0.25)
    expected = 1.0 + rate * np.array([-gamma + root, -gamma - root])
    found = np.linalg.eigvals(matrix)
    np.testing.assert_allclose(np.sort_complex(found), np.sort_complex(expected), atol=2e-4)


def test_every_objective_goes_through_the_loop() -> None:
    for name in OBJECTIVES:
        players = adversarial_players(
            ("discriminator", "generator"),
            Affine(0.0, 1.0),
            LinearDiscriminator(1, 0),
            adam_steps(),
            objective=name,
            latent_size=1,
        )
        state = fit(Game(players, "generator"), TableFeed(x=torch.randn(50, 1)), settings(20)).state
        assert state.skipped == 0
        assert state.clock.examples == 20 * 16
