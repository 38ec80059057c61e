"""Where a step goes: counted against closed forms, and planted where it must be found."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toy_games import (
    TableFeed,
    adversarial_players,
    line_feed,
    plain_steps,
    points,
    regression_game,
    settings,
    tiny_pair,
)

from ganforge.contracts import Game, Loss, Player, Turn
from ganforge.engine import profile as profiling
from ganforge.engine import roofline as ceilings
from ganforge.engine.profile import PARTS, StepProfile, Variant, gains, profile_step
from ganforge.engine.roofline import Ceilings, measure_ceilings
from ganforge.objectives import squared_slope

INPUTS, OUTPUTS, ROWS = 64, 128, 32


@pytest.fixture(autouse=True)
def one_measured_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are measured once, in their own test."""
    monkeypatch.setattr(profiling, "measure_ceilings", lambda device, precision: Ceilings(1e11, 1e10))


def linear_game() -> Game:
    network = nn.Linear(INPUTS, OUTPUTS)

    def loss(turn: Turn) -> Loss:
        return Loss({"height": network(turn.batch["x"]).mean(1)})

    return Game((Player("line", network, loss, plain_steps(0.1)),), "line")


def profiled(game: Game, feed: Any, **changes: Any) -> StepProfile:
    return profile_step(game, feed, settings(10, batch_size=ROWS, **changes), seconds=0.1)


def test_operations_are_those_of_the_closed_form() -> None:
    step = profiled(linear_game(), TableFeed(x=torch.randn(100, INPUTS)))
    product = 2 * ROWS * INPUTS * OUTPUTS  # of the way forwards, and of the gradient of the weights
    assert step.flops == 2 * product
    assert step.bytes > 4 * (INPUTS * OUTPUTS * 3 + ROWS * (INPUTS + OUTPUTS) * 2)
    assert step.flops_share == pytest.approx(step.flops / step.seconds / 1e11)
    assert step.examples_per_second == pytest.approx(ROWS / step.seconds)


def test_a_product_with_a_vector_counts_too() -> None:
    rows = line_feed()
    step = profile_step(regression_game(), rows, settings(10, batch_size=ROWS), seconds=0.1)
    assert step.flops == 2 * 2 * ROWS * 3  # forwards and back, with a column of ones beside two features


@pytest.mark.parametrize(("objective", "there"), [("r3gan", True), ("nonsaturating", False)])
def test_the_penalty_is_found_where_there_is_one(objective: str, there: bool) -> None:
    gamma = 0.5 if there else 0.0
    players = adversarial_players(
        ("judge", "painter"), *tiny_pair(), plain_steps(0.01), objective=objective, gamma=gamma
    )
    step = profiled(Game(players, "painter"), TableFeed(x=points()))
    assert tuple(step.parts) == PARTS
    assert math.isclose(sum(step.parts.values()), 1.0)
    assert (step.parts["penalty"] > 0.01) is there
    assert all(step.parts[part] > 0 for part in ("data", "forward", "backward", "optimiser", "average"))
    assert not step.captured


def test_most_of_a_penalty_is_the_second_way_back_and_is_counted_with_it() -> None:
    """Of five products of the wide layer three are the penalty's: one towards the input, and two back through it."""
    network = nn.Sequential(nn.Linear(1024, 1024), nn.Softplus(), nn.Linear(1024, 1))

    def loss(turn: Turn) -> Loss:
        x = turn.batch["x"].clone().requires_grad_()
        return Loss({"slope": squared_slope(network(x)[:, 0], x)})

    game = Game((Player("judge", network, loss, plain_steps(0.01)),), "judge")
    parts = profile_step(
        game, TableFeed(x=torch.randn(999, 1024)), settings(10, batch_size=256), seconds=0.1
    ).parts  # fmt: skip
    assert parts["penalty"] > 1.5 * max(parts["forward"], parts["backward"])


def test_a_slow_disk_is_waiting_for_data() -> None:
    class Slow(TableFeed):
        def batch(self, indices: Tensor) -> Mapping[str, Tensor]:
            time.sleep(0.05)
            return super().batch(indices)

    step = profiled(linear_game(), Slow(1e-9, x=torch.randn(100, INPUTS)))
    assert step.parts["data"] > max(share for part, share in step.parts.items() if part != "data")
    assert step.idle > 0.5


def test_other_ways_are_timed_in_turn_with_the_first_one() -> None:
    game, feed = linear_game(), TableFeed(x=torch.randn(2_000, INPUTS))
    base = Variant("as it is", "", settings(10, batch_size=ROWS), 1)
    larger = replace(base, settings=settings(10, batch_size=32 * ROWS))
    before = torch.get_num_threads()
    same, more = gains(game, feed, base, [base, larger], seconds=0.05)
    assert 0.5 < same < 2 < more  # a step this small costs the same however many rows it shows
    assert torch.get_num_threads() == before


def test_ceilings_are_above_what_a_step_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ceilings.SIDES, "cpu", 256)
    monkeypatch.setitem(ceilings.COPIED_BYTES, "cpu", 2**24)
    found = measure_ceilings(torch.device("cpu"), "float32")
    assert 1e8 < found.flops_per_second < 1e14
    assert 1e8 < found.bytes_per_second < 1e13


def test_nothing_is_written_to_the_error_output(capfd: pytest.CaptureFixture[str]) -> None:
    """torch's profiler announces itself there."""
    profiled(linear_game(), TableFeed(x=torch.randn(100, INPUTS)))
    assert capfd.readouterr().err == ""
