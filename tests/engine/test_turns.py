"""One step of the loop is exactly what a person would write by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from toy_games import (
    BATCH,
    LATENT,
    Notebook,
    TableFeed,
    adam_steps,
    adversarial_game,
    adversarial_players,
    line_feed,
    plain_steps,
    points,
    regression_game,
    same,
    settings,
    tiny_pair,
    weights,
)

from ganforge.contracts import Game, Loss, OptimiserSettings, Player, Schedule, Turn, is_on
from ganforge.core import device as threads
from ganforge.core.device import in_order
from ganforge.core.seeds import Draws, generator_for
from ganforge.engine.fit import fit
from ganforge.engine.step import begin_step, find_gradients, settle, sit_down
from ganforge.errors import RecipeError
from ganforge.networks.mlp import MlpPair
from ganforge.objectives import OBJECTIVES, squared_slope

STEPS = 25


def by_hand(order: str) -> tuple[nn.Module, nn.Module]:
    """The same game as a plain script: Adam at a constant rate, the loop's batches and latents."""
    generator, discriminator = tiny_pair()
    x, scored = points(), OBJECTIVES["r3gan"]()
    optimisers = {
        network: torch.optim.Adam(network.parameters(), lr=0.01, betas=(0.0, 0.99), fused=True)
        for network in (discriminator, generator)
    }

    def draw(name: str, step: int) -> tuple[Tensor, Tensor, torch.Generator]:
        drawing = generator_for(1, f"{name}/batch", step=step)
        random = generator_for(1, f"{name}/random", step=step)
        # row j is drawn from the j-th of BATCH equal stretches of the data
        places = torch.rand(BATCH, generator=drawing, dtype=torch.float64)
        real = x[((torch.arange(BATCH) + places) * len(x) / BATCH).long()]
        return real, generator(torch.randn(BATCH, LATENT, generator=random)), random

    def gradients(name: str, network: nn.Module, step: int) -> None:
        real, fake, random = draw(name, step)
        if name == "discriminator":
            loss = scored.discriminator_loss(discriminator, real, fake.detach(), 0.5, random)
        else:
            loss = scored.generator_loss(discriminator, real, fake)
        found = torch.autograd.grad(sum(loss.terms.values(), torch.zeros(())).mean(), list(network.parameters()))
        for parameter, gradient in zip(network.parameters(), found, strict=True):
            parameter.grad = gradient

    for step in range(STEPS):
        gradients("discriminator", discriminator, step)
        if order == "alternating":
            optimisers[discriminator].step()
        gradients("generator", generator, step)
        if order == "simultaneous":
            optimisers[discriminator].step()
        optimisers[generator].step()
    return generator, discriminator


@pytest.mark.parametrize("order", ["alternating", "simultaneous"])
def test_the_loop_makes_the_steps_of_hand_written_code_bit_for_bit(order: str) -> None:
    game = adversarial_game(order, OptimiserSettings(Schedule(0.01, 0.01, "constant")))
    fit(game, TableFeed(x=points()), settings(STEPS))
    generator, discriminator = by_hand(order)
    assert same(weights(game.players[0].network), weights(discriminator))
    assert same(weights(game.players[1].network), weights(generator))


def test_alternating_and_simultaneous_play_differ() -> None:
    games = [adversarial_game(order) for order in ("alternating", "simultaneous")]
    for game in games:
        fit(game, TableFeed(x=points()), settings(3))
    assert not same(*(weights(game.players[1].network) for game in games))


@pytest.mark.parametrize("pieces", [2, 8])
def test_a_batch_in_pieces_has_the_gradient_and_the_account_of_the_whole(pieces: int) -> None:
    batch = {name: x[:BATCH] for name, x in line_feed().tensors.items()}
    found = []
    for cut in (1, pieces):
        seat = sit_down(regression_game().players[0])
        seat.count(find_gradients(seat, [seat], Turn(batch, Draws(generator_for(0, "turn"))), "float32", cut))
        begin_step(seat, 0.0).finish()
        account = settle(seat)
        assert account is not None
        told = torch.tensor([account.gradient_norm, *account.terms.values()])
        found.append([*(parameter.grad for parameter in seat.parameters), told])
    for whole, cut in zip(*found, strict=True):
        torch.testing.assert_close(cut, whole)


def test_a_gradient_in_pieces_lies_in_memory_as_its_weight_does() -> None:
    """Fused optimisers go through both from one end to the other, whatever their strides."""
    feed = TableFeed(x=torch.randn(BATCH, 3, 8, 8, generator=generator_for(0, "toy/pictures")))
    found = []
    for pieces in (1, 2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 1, 6), nn.Flatten(0))
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

        def loss(turn: Turn, network: nn.Module = network) -> Loss:
            x = turn.batch["x"].clone().requires_grad_()  # what comes back through a penalty lies in another order
            return Loss({"slope": squared_slope(network(x), x)})

        fit(Game((Player("learner", network, loss, plain_steps(0.01)),), "learner"), feed, settings(5, pieces=pieces))
        found.append(weights(network))
    for whole, cut in zip(*found, strict=True):
        torch.testing.assert_close(cut, whole)


@pytest.mark.parametrize("order", ["alternating", "simultaneous"])
def test_pieces_side_by_side_have_the_bits_of_pieces_one_after_the_other(
    order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "THREADS", 4)
    monkeypatch.setattr(threads, "_helpers", None)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        games = [adversarial_game(order) for _ in range(2)]
        fit(games[0], TableFeed(x=points()), settings(STEPS, pieces=4))
        with in_order():
            fit(games[1], TableFeed(x=points()), settings(STEPS, pieces=4))
    finally:
        torch.set_num_threads(before)
    for one, other in zip(games[0].players, games[1].players, strict=True):
        assert same(weights(one.network), weights(other.network))


def test_pieces_draw_their_own_random_numbers() -> None:
    """Else the generator would see each latent as often as there are pieces."""
    discriminator, generator = adversarial_game().players
    seen: list[Tensor] = []
    generator.network.register_forward_pre_hook(lambda _, given: seen.append(given[0].clone()))
    seats = [sit_down(player) for player in (discriminator, generator)]
    find_gradients(seats[1], seats, Turn({"x": points()[:BATCH]}, Draws(generator_for(0, "turn"))), "float32", 4)
    assert len(torch.cat(seen).unique(dim=0)) == BATCH


def test_pieces_that_cannot_be_equal_are_refused() -> None:
    with pytest.raises(RecipeError, match="batch of 16 cannot be cut into 3"):
        fit(regression_game(), line_feed(), settings(2, pieces=3))


def test_a_turn_leaves_no_gradient_on_the_other_players_network() -> None:
    game = adversarial_game()
    seats = [sit_down(player) for player in game.players]
    for seat, other in (seats, seats[::-1]):
        for parameter in other.parameters:
            parameter.grad = None
        find_gradients(seat, seats, Turn({"x": points()[:BATCH]}, Draws(generator_for(0, "turn"))), "float32")
        assert all(parameter.grad is not None for parameter in seat.parameters)
        assert all(parameter.grad is None for parameter in other.parameters)
        assert not any(parameter.requires_grad for parameter in other.parameters)


def test_plain_steps_are_the_textbooks_theta_minus_alpha_gradient() -> None:
    game = regression_game(plain_steps(0.25))
    seat = sit_down(game.players[0])
    x, y = torch.tensor([[1.0, 2.0]]), torch.tensor([3.0])
    find_gradients(seat, [seat], Turn({"x": x, "y": y}, Draws(generator_for(0, "turn"))), "float32")
    begin_step(seat, 0.25).finish()
    # h(x) = 0 at first, so the gradient is -y (1, x_0, x_1)
    assert seat.parameters[0].tolist() == [0.75, 0.75, 1.5]


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_a_turn_that_is_not_finite_leaves_weights_and_moments_as_they_were(kind: str) -> None:
    steps = adam_steps() if kind == "adam" else plain_steps(0.1)
    game = regression_game(steps)
    seat = sit_down(game.players[0])
    good = Turn({"x": torch.ones(2, 2), "y": torch.ones(2)}, Draws(generator_for(0, "turn")))
    bad = Turn({"x": torch.ones(2, 2), "y": torch.tensor([1.0, float("inf")])}, Draws(generator_for(0, "turn")))

    def everything() -> list[Tensor]:
        moments = [value.clone() for state in seat.optimiser.state.values() for value in state.values()]
        return weights(game.players[0].network) + moments

    for turn, moves in ((good, True), (bad, False), (bad, False), (good, True)):
        seat.count(find_gradients(seat, [seat], turn, "float32"))
        before = everything()
        begin_step(seat, 0.1).finish()
        assert same(before, everything()) is not moves
    account = settle(seat)
    assert account is not None
    assert account.skipped == 2


def test_a_first_turn_that_is_not_finite_is_as_if_it_had_not_been() -> None:
    bad = Turn({"x": torch.ones(1, 2), "y": torch.tensor([float("nan")])}, Draws(generator_for(0, "turn")))
    good = Turn({"x": torch.ones(1, 2), "y": torch.ones(1)}, Draws(generator_for(0, "turn")))
    seats = [sit_down(regression_game().players[0]) for _ in range(2)]
    for seat, turns in zip(seats, ([bad, good, good], [good, good]), strict=True):
        for turn in turns:
            find_gradients(seat, [seat], turn, "float32")
            begin_step(seat, 0.1).finish()
    assert same(*(weights(seat.player.network) for seat in seats))  # Adam's step count included


def test_a_record_tells_the_mean_of_each_term_over_its_window() -> None:
    seen: list[float] = []
    game = regression_game()
    player = game.players[0]

    def loss(turn: Turn) -> Loss:
        told = player.loss(turn)
        seen.append(told.terms["squared_error"].mean().item())
        return told

    watched = Game((replace(player, loss=loss),), product="learner")
    notebook = Notebook()
    fit(watched, line_feed(), settings(25), observers=[notebook])
    assert [record["step"] for record in notebook.records] == [10, 20, 25]
    told = [record["terms"]["learner"]["squared_error"] for record in notebook.records]
    windows = [seen[:10], seen[10:20], seen[20:]]
    assert told == pytest.approx([sum(window) / len(window) for window in windows], rel=1e-5)


def test_a_term_that_appears_between_two_records_counts_from_then_on() -> None:
    """A penalty whose weight leaves 0 brings a term and a note that were not there in the turns before."""
    player = regression_game().players[0]

    def loss(turn: Turn) -> Loss:
        told = player.loss(turn)
        if not is_on(turn.dials["late"]):
            return told
        ones = torch.ones_like(told.terms["squared_error"])
        return Loss({"penalty": ones, **told.terms}, {"slope": 2 * ones})

    late = replace(player, loss=loss, dials=lambda progress, levers: {"late": float(progress >= 0.5)})
    notebook = Notebook()
    fit(Game((late,), product="learner"), line_feed(), settings(20), observers=[notebook])
    first, second = notebook.records  # steps 1 to 10 and 11 to 20; progress is 0.5 from step 11 on
    assert set(first["terms"]["learner"]) == {"squared_error"}
    assert second["terms"]["learner"]["penalty"] == pytest.approx(1.0)
    fit(Game((late,), product="learner"), line_feed(), settings(18), observers=[notebook])
    first = notebook.records[2]  # steps 1 to 10 of 18: the tenth is the first with a penalty
    assert first["terms"]["learner"]["penalty"] == pytest.approx(0.1)
    assert first["notes"]["learner"]["slope"] == pytest.approx(0.2)
    assert first["gradient_norms"]["learner"] > 0


def test_a_player_is_watched_only_when_the_product_is_looked_at() -> None:
    player = replace(regression_game().players[0], watch=lambda dials: {"seen": torch.tensor([1.0, 2.0])})
    notebook = Notebook()
    fit(
        Game((player,), product="learner"),
        line_feed(),
        settings(30, marks=(0.5, 1.0)),
        observers=[notebook],
        look=lambda product, state: {"quality": 1.0},
    )
    seen = [record["notes"]["learner"].get("seen") for record in notebook.records]
    assert seen == [None, 1.5, 1.5]


def test_a_player_plays_only_when_it_says_so() -> None:
    discriminator, generator = adversarial_game().players
    late = replace(generator, plays=lambda progress: progress >= 0.5)
    before = weights(late.network)
    moved: list[bool] = []
    fit(
        Game((discriminator, late), "generator"),
        TableFeed(x=points()),
        settings(10),
        stop=lambda: bool(moved.append(not same(before, weights(late.network)))),
    )
    assert moved == [False] * 5 + [True] * 5


@pytest.mark.parametrize("order", ["alternating", "simultaneous"])
def test_four_players_go_through_the_same_loop(order: str) -> None:
    """Two pairs on two different clouds: nothing in the loop knows how many players there are."""
    players = []
    for index, key in enumerate(("left", "right")):
        pair = MlpPair(shape=(1,), latent_size=LATENT, width=16, depth=1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(index)
            generator, discriminator = pair.generator(), pair.discriminator()
        names = (f"judge_{key}", f"painter_{key}")
        players += adversarial_players(names, generator, discriminator, adam_steps(), key=key, gamma=0.1)
    feed = TableFeed(left=points(300, 1) - 4.0, right=points(300, 1) + 1.0)
    game = Game(tuple(players), product="painter_right", order=order)  # type: ignore[arg-type]
    notebook = Notebook()
    fitted = fit(game, feed, settings(400, half_life_examples=200.0), observers=[notebook])
    assert set(notebook.records[-1]["terms"]) == {"judge_left", "painter_left", "judge_right", "painter_right"}
    latent = torch.randn(500, LATENT, generator=generator_for(0, "test"))
    with torch.no_grad():
        assert fitted.product(latent).mean().item() == pytest.approx(3.0, abs=0.6)
        assert players[1].network(latent).mean().item() == pytest.approx(-2.0, abs=0.6)
