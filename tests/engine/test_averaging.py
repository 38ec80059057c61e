"""Gradients travel while the next player computes, and are back before anybody uses the network that waits for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toy_games import TableFeed, adversarial_game, points, same, settings, weights

from ganforge.contracts import Game, Loss, Player, Turn
from ganforge.core.world import World
from ganforge.engine.checkpoint import Clock, State
from ganforge.engine.control import Pace
from ganforge.engine.ema import MovingAverage
from ganforge.engine.fit import fit
from ganforge.engine.step import AtOnce, Step, sit_down


@dataclass(frozen=True, slots=True)
class Postal(World):
    """A world whose other processes add nothing: what is sent comes back as it was, and both are noted."""

    log: list[str] = field(default_factory=list, compare=False)

    def send_off(self, tensors: Sequence[Tensor]) -> Any:
        count = str(sum(tensor.numel() for tensor in tensors))
        self.log.append(f"sent {count}")
        return _Parcel(lambda: self.log.append(f"back {count}"))


@dataclass(frozen=True)
class _Parcel:
    arrive: Callable[[], None]


def noted(game: Game, log: list[str]) -> Game:
    """The same game, whose networks write down when they are used."""

    def watch(player: Player) -> Player:
        name = player.name
        player.network.register_forward_hook(lambda *_: log.append(f"{name} used"))

        def loss(turn: Turn) -> Loss:
            log.append(f"turn of {name}")
            return player.loss(turn)

        return replace(player, loss=loss)

    return replace(game, players=tuple(watch(player) for player in game.players))


def counts(game: Game) -> tuple[int, ...]:
    return tuple(sum(weight.numel() for weight in player.network.parameters()) for player in game.players)


def played(order: str) -> tuple[list[str], int, int]:
    """What happens in one step; what each player sends."""
    world = Postal()
    game = adversarial_game(order)
    judge, painter = counts(game)
    play(noted(game, world.log), world)
    return world.log, judge, painter


def play(game: Game, world: World, steps: int = 1) -> list[Tensor]:
    """The weights after some steps, without the meetings of a real world at its beginning and end."""
    seats = [sit_down(player, world) for player in game.players]
    average = MovingAverage(game.product_player.network, 100.0)
    runner = AtOnce(torch.device("cpu"))
    step = Step(game, TableFeed(x=points()), seats, average, runner, settings(steps))
    state = State(Clock(16 * steps))
    for _ in range(steps):
        step.take(state, Pace(state))
        state.step, state.clock.examples = state.step + 1, state.clock.examples + 16
    return [tensor for player in game.players for tensor in weights(player.network)] + weights(average.network)


def test_in_turn_the_discriminators_gradients_travel_while_the_generator_draws() -> None:
    log, judge, painter = played("alternating")
    assert log == [
        "turn of discriminator", "generator used", "discriminator used", f"sent {judge}",
        "turn of generator", "generator used", f"back {judge}", "discriminator used", "discriminator used",
        f"sent {painter}", f"back {painter}",
    ]  # fmt: skip


def test_at_once_all_gradients_travel_while_the_others_are_found() -> None:
    log, judge, painter = played("simultaneous")
    assert log == [
        "turn of discriminator", "generator used", "discriminator used", f"sent {judge}",
        "turn of generator", "generator used", "discriminator used", "discriminator used", f"sent {painter}",
        f"back {judge}", f"back {painter}",
    ]  # fmt: skip


@pytest.mark.parametrize("order", ["alternating", "simultaneous"])
def test_the_bits_are_those_of_a_world_that_waits(order: str) -> None:
    together, alone = adversarial_game(order), adversarial_game(order)
    travelled = play(together, Postal(), steps=20)
    fitted = fit(alone, TableFeed(x=points()), settings(20))
    waited = [x for player in alone.players for x in weights(player.network)] + weights(fitted.product)
    assert same(travelled, waited)
    hooks = [module._forward_pre_hooks for player in together.players for module in player.network.modules()]
    assert not any(hooks)  # nothing is left on a person's networks


def test_a_player_whose_network_holds_anothers_waits_for_it() -> None:
    """Its turn clears the gradients of all that it holds: those of the other must have been used by then."""

    def build() -> Game:
        torch.manual_seed(0)
        part = nn.Linear(2, 1)
        whole = nn.Sequential(part)

        def loss(turn: Turn) -> Loss:
            return Loss({"height": part(turn.batch["x"])[:, 0]})

        def far(turn: Turn) -> Loss:  # reaches the weights without a call of the layer
            return Loss({"size": turn.batch["x"][:, 0] * part.weight.square().sum()})

        steps = adversarial_game().players[0].optimiser
        return Game((Player("part", part, loss, steps), Player("whole", whole, far, steps)), "whole")

    assert same(play(build(), Postal(), steps=5), play(build(), World(), steps=5))
