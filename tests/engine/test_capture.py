"""A step that is repeated from a recording is the step that runs operation by operation.

The recording is a processor's (tape.py); the same tests run over CUDA graphs where there is a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tape import TapeRecorder
from torch import Tensor
from toy_games import (
    BATCH,
    Clock,
    Notebook,
    SlowFeed,
    TableFeed,
    adversarial_game,
    line_feed,
    plain_steps,
    points,
    regression_game,
    same,
    settings,
    weights,
)

import ganforge.engine.fit as loop
from ganforge.contracts import Game, Levers, Loss, Turn, is_on
from ganforge.core.world import World
from ganforge.engine.capture import WARM_UP, Captured, Recorder
from ganforge.engine.fit import FitSettings, fit
from ganforge.engine.step import Seat
from ganforge.run import Run

STEPS = 100
MOST = 1e-9  # relative difference after STEPS steps in float64


@dataclass
class Bench:
    """Whether `fit` records, and what came of it."""

    recorder: Callable[[Sequence[torch.Generator]], Recorder]
    on: bool = True
    made: list[Any] = field(default_factory=list)

    def runner(self, seats: Sequence[Seat], plan: FitSettings, world: World, tell: Callable[..., None]) -> Any:
        if not self.on:
            return loop.AtOnce(seats[0].random.device)
        self.made.append(self.recorder([seat.random.generator for seat in seats]))
        return Captured(self.made[-1], seats, tell)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    made = Bench(TapeRecorder)
    monkeypatch.setattr(loop, "runner_for", made.runner)
    yield made
    torch.set_default_dtype(before)


def both_ways(bench: Bench, build: Callable[[], tuple[Game, Any]], plan: FitSettings) -> tuple[list[Tensor], ...]:
    """All weights at the end and the average's, operation by operation and repeated."""
    told = []
    for on in (False, True):
        bench.on = on
        game, feed = build()
        product = fit(game, feed, plan).product
        told.append([tensor for player in game.players for tensor in weights(player.network)] + weights(product))
    return told[0], told[1]


def furthest(first: list[Tensor], second: list[Tensor]) -> float:
    return max(float((a - b).norm() / b.norm().clamp_min(1e-300)) for a, b in zip(first, second, strict=True))


GAMES: dict[str, Callable[[], tuple[Game, Any]]] = {
    "regression, adam": lambda: (regression_game(), line_feed()),
    "regression, sgd": lambda: (regression_game(plain_steps(0.05)), line_feed()),
    "two players in turn": lambda: (adversarial_game(), TableFeed(x=points())),
    "two players at once": lambda: (adversarial_game("simultaneous"), TableFeed(x=points())),
    "examples from elsewhere": lambda: (adversarial_game(), SlowFeed(Clock(), 0.0, x=points())),
}


@pytest.mark.parametrize("name", GAMES)
def test_a_hundred_repeated_steps_are_a_hundred_steps(name: str, bench: Bench) -> None:
    plain, repeated = both_ways(bench, GAMES[name], settings(STEPS))
    assert furthest(repeated, plain) < MOST
    assert [len(recorder.tapes) for recorder in bench.made] == [1]


def test_records_say_the_same_whether_steps_are_repeated_or_not(bench: Bench) -> None:
    """Gradient norms are read from the weights' gradients, and the sums have run on while nothing ran in Python."""
    notebooks = []
    for bench.on in (False, True):
        notebooks.append(Notebook())
        fit(adversarial_game(), TableFeed(x=points()), settings(40), observers=[notebooks[-1]])
    for plain, repeated in zip(*(notebook.records for notebook in notebooks), strict=True):
        for part in ("terms", "notes", "layers", "gradient_norms", "update_ratios", "learning_rates"):
            assert _numbers(repeated[part]) == pytest.approx(_numbers(plain[part]), rel=1e-9)


def _numbers(told: Any) -> list[float]:
    return [x for value in told.values() for x in _numbers(value)] if isinstance(told, Mapping) else [told]


def test_a_player_that_joins_and_a_term_that_comes_are_phases_of_their_own(bench: Bench) -> None:
    def build() -> tuple[Game, TableFeed]:
        discriminator, generator = adversarial_game().players
        plain = discriminator.loss

        def loss(turn: Turn) -> Loss:
            told = plain(turn)
            if is_on(turn.dials["more"]):
                told = Loss({**told.terms, "more": turn.dials["more"] * told.terms["adversarial"].square()}, told.notes)
            return told

        def dials(progress: float, levers: Levers) -> dict[str, float]:
            return {"more": max(0.0, progress - 0.6)}  # moves at each step

        late = replace(generator, plays=lambda progress: progress >= 0.3)
        return Game((replace(discriminator, loss=loss, dials=dials), late), "generator"), TableFeed(x=points())

    plain, repeated = both_ways(bench, build, settings(STEPS))
    assert furthest(repeated, plain) < MOST
    assert len(bench.made[-1].tapes) == 3


def test_a_run_that_was_taken_back_is_recorded_anew(bench: Bench, tmp_path: Path) -> None:
    """A checkpoint gives the optimiser new moments, elsewhere in memory."""
    told = []
    for bench.on in (False, True):
        game = regression_game()
        feed, run = line_feed(), Run(tmp_path / str(bench.on))
        spoiled = feed.tensors["y"]

        def record(notes: Any, spoiled: Tensor = spoiled) -> None:
            spoiled[0] = float("nan") if notes["step"] == 30 and notes["attempt"] == 0 else 3.0

        watcher = Notebook()
        watcher.record = record  # type: ignore[method-assign]
        state = fit(game, feed, settings(80, batch_size=120), run=run, observers=[watcher]).state
        assert state.attempt == 1
        told.append(weights(game.players[0].network))
    assert furthest(told[1], told[0]) < MOST
    assert len(bench.made[-1].tapes) == 2


def test_what_reads_from_the_device_is_not_captured_and_the_reason_is_told(bench: Bench) -> None:
    def build() -> tuple[Game, TableFeed]:
        player = regression_game().players[0]

        def loss(turn: Turn) -> Loss:
            told = player.loss(turn)
            assert told.terms["squared_error"].sum().detach().item() >= 0
            return told

        return Game((replace(player, loss=loss),), "learner"), line_feed()

    plain, repeated = both_ways(bench, build, settings(20))
    assert same(plain, repeated)
    notebook = Notebook()
    fit(*build(), settings(20), observers=[notebook])
    reasons = [event["reason"] for event in notebook.events if event["kind"] == "not_captured"]
    assert len(reasons) == 1
    assert "the host reads a number from the device" in reasons[0]


def test_once_a_recording_has_failed_the_ones_before_are_not_repeated(bench: Bench) -> None:
    """The failure may have spoiled the random generators that they draw from."""

    class Counting(TapeRecorder):
        def __init__(self, generators: Sequence[torch.Generator]) -> None:
            super().__init__(generators)
            self.step_by_step = 0

        def warm_up(self, work: Callable[[], Any]) -> Any:
            self.step_by_step += 1
            return work()

    bench.recorder = Counting

    def build() -> tuple[Game, TableFeed]:
        player = regression_game().players[0]

        def loss(turn: Turn) -> Loss:
            told = player.loss(turn)
            assert not is_on(turn.dials["late"]) or told.terms["squared_error"].sum().detach().item() >= 0
            return told

        def dials(progress: float, levers: Levers) -> dict[str, float]:
            return {"late": float(0.3 <= progress < 0.7)}

        return Game((replace(player, loss=loss, dials=dials),), "learner"), line_feed()

    plain, repeated = both_ways(bench, build, settings(40))
    assert furthest(repeated, plain) < MOST
    before_failure = 12 - WARM_UP  # repeated steps of the first phase
    assert (len(bench.made[-1].tapes), bench.made[-1].step_by_step) == (1, 40 - before_failure)


def test_batches_that_change_their_shape_are_not_captured_and_the_reason_is_told(bench: Bench) -> None:
    class Ragged(SlowFeed):
        def batch(self, indices: Tensor) -> Mapping[str, Tensor]:
            return super().batch(indices[: BATCH // 2 + int(indices.sum()) % 3])

    def build() -> tuple[Game, TableFeed]:
        line = line_feed()
        return regression_game(), Ragged(Clock(), 0.0, **line.tensors)

    plain, repeated = both_ways(bench, build, settings(40))
    assert same(plain, repeated)
    notebook = Notebook()
    fit(*build(), settings(40), observers=[notebook])
    reasons = [event["reason"] for event in notebook.events if event["kind"] == "not_captured"]
    assert reasons == ["the shape of a batch changes from step to step"]


def test_a_number_that_the_host_chose_while_recording_would_be_found_out(bench: Bench) -> None:
    """The tape is a proof only if it notices: a weight that moves without a dial stays as it was recorded."""
    seen = [0]

    def build() -> tuple[Game, TableFeed]:
        player = regression_game().players[0]

        def loss(turn: Turn) -> Loss:
            seen[0] += 1
            return Loss({"moving": seen[0] * player.loss(turn).terms["squared_error"]})

        return Game((replace(player, loss=loss),), "learner"), line_feed()

    seen[0] = 0
    plain, repeated = both_ways(bench, build, settings(STEPS))
    assert furthest(repeated, plain) > 1e-3


def test_a_phase_is_warm_before_it_is_recorded(bench: Bench) -> None:
    notebook = Notebook()
    fit(regression_game(), line_feed(), settings(20), observers=[notebook])
    assert [(e["kind"], e["players"]) for e in notebook.events] == [("captured", ["learner"])]
    notebook = Notebook()
    fit(regression_game(), line_feed(), settings(WARM_UP), observers=[notebook])
    assert notebook.events == []


def test_only_so_many_phases_are_recorded_and_those_go_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganforge.engine.capture.MOST_PHASES", 1)

    def build() -> tuple[Game, TableFeed]:
        player = regression_game().players[0]

        def dials(progress: float, levers: Levers) -> dict[str, float]:
            return {"late": float(0.3 <= progress < 0.7)}

        return Game((replace(player, dials=dials),), "learner"), line_feed()

    plain, repeated = both_ways(bench, build, settings(40))
    assert furthest(repeated, plain) < MOST
    assert len(bench.made[-1].tapes) == 1
    notebook = Notebook()
    fit(*build(), settings(40), observers=[notebook])
    assert notebook.kinds() == ["captured", "not_captured"]
    assert "after the first 1" in notebook.events[1]["reason"]
