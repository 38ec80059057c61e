"""Where a step goes: counted against closed forms, and planted where it must be found."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.profiler_util import FunctionEvent
from toy_games import (
    Clock,
    SlowFeed,
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
from ganforge.core.device import PREFIX
from ganforge.engine import profile as ceilings
from ganforge.engine import profile as profiling
from ganforge.engine.profile import PARTS, Ceilings, StepProfile, Variant, gains, measure_ceilings, profile_step
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


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets every operation whose name is like a pattern take one second, and every other none: shares become counts."""

    def count(pattern: str) -> None:
        takes = property(lambda event: float(re.fullmatch(pattern, event.name) is not None))
        monkeypatch.setattr(FunctionEvent, "self_cpu_time_total", takes)

    return count


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock on the wall; the threads work none of this time."""
    mine = Clock()
    monkeypatch.setattr(profiling, "perf_counter", mine)
    monkeypatch.setattr(profiling, "process_time", lambda: 0.0)
    return mine


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
def test_the_penalty_is_found_where_there_is_one(objective: str, there: bool, counted: Callable[[str], None]) -> None:
    counted("aten::.*")
    gamma = 0.5 if there else 0.0
    players = adversarial_players(
        ("judge", "painter"), *tiny_pair(), plain_steps(0.01), objective=objective, gamma=gamma
    )
    step = profiled(Game(players, "painter"), TableFeed(x=points()))
    assert tuple(step.parts) == PARTS
    assert math.isclose(sum(step.parts.values()), 1.0)
    assert (step.parts["penalty"] > 0) is there
    assert all(step.parts[part] > 0 for part in ("data", "forward", "backward", "optimiser", "average"))
    assert not step.captured


def test_most_of_a_penalty_is_the_second_way_back_and_is_counted_with_it(counted: Callable[[str], None]) -> None:
    """Of five products three are the penalty's: one towards the input, and two back through it."""
    counted("aten::(mm|addmm)")
    network = nn.Sequential(nn.Linear(INPUTS, OUTPUTS), nn.Softplus())

    def loss(turn: Turn) -> Loss:
        x = turn.batch["x"].clone().requires_grad_()
        return Loss({"slope": squared_slope(network(x).sum(1), x)})

    game = Game((Player("judge", network, loss, plain_steps(0.01)),), "judge")
    parts = profiled(game, TableFeed(x=torch.randn(999, INPUTS))).parts
    assert {part: round(5 * share, 6) for part, share in parts.items() if share} == {
        "forward": 1.0,
        "backward": 1.0,
        "penalty": 3.0,
    }


def test_a_slow_disk_is_waiting_for_data(counted: Callable[[str], None], clock: Clock) -> None:
    """All time goes by while a batch is fetched: the step takes it, and nothing has worked meanwhile."""
    counted(f"{PREFIX}data")
    step = profiled(linear_game(), SlowFeed(clock, 0.05, x=torch.randn(100, INPUTS)))
    assert step.seconds == pytest.approx(0.05)
    assert step.parts["data"] == 1.0
    assert step.idle == 1.0


def test_other_ways_are_timed_in_turn_with_the_first_one(clock: Clock) -> None:
    """On a clock by which a batch takes the same time however many rows it has: more rows, as much a higher rate."""
    shown: list[int] = []

    class Seen(SlowFeed):
        def batch(self, indices: Tensor) -> Mapping[str, Tensor]:
            shown.append(len(indices))
            return super().batch(indices)

    game, feed = linear_game(), Seen(clock, 0.01, x=torch.randn(2_000, INPUTS))
    base = Variant("as it is", "", settings(10, batch_size=ROWS), 1)
    larger = replace(base, settings=settings(10, batch_size=32 * ROWS))
    before = torch.get_num_threads()
    same, more = gains(game, feed, base, [larger, base], seconds=0.05)[::-1]
    assert (same, more) == (pytest.approx(1.0), pytest.approx(32.0))
    turns = [size for size, other in zip(shown, [0, *shown], strict=False) if size != other]
    assert turns == [ROWS, 32 * ROWS] * profiling.ROUNDS + [ROWS]
    assert torch.get_num_threads() == before


def test_ceilings_are_the_best_of_a_few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock by which each round takes half as long as the one before it; the first one is not counted."""
    monkeypatch.setitem(ceilings.SIDES, "cpu", 256)
    monkeypatch.setitem(ceilings.COPIED_BYTES, "cpu", 2**20)
    rounds = [1e-9, *(2.0**-number for number in range(ceilings.PEAK_ROUNDS))]
    ticks = iter([moment for seconds in (*rounds, *rounds) for moment in (0.0, seconds)])
    monkeypatch.setattr(ceilings, "perf_counter", lambda: next(ticks))
    found = measure_ceilings(torch.device("cpu"), "float32")
    assert found.flops_per_second == 2 * 256**3 / min(rounds[1:])
    assert found.bytes_per_second == 2 * 2**20 / min(rounds[1:])


def test_nothing_is_written_to_the_error_output(capfd: pytest.CaptureFixture[str]) -> None:
    """torch's profiler announces itself there."""
    profiled(linear_game(), TableFeed(x=torch.randn(100, INPUTS)))
    assert capfd.readouterr().err == ""
