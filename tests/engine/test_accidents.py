"""Numbers that are not finite: skipped once, rewound when they repeat, given up when that does not help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from toy_games import (
    Killed,
    Notebook,
    TableFeed,
    adam_steps,
    adversarial_game,
    kill_after,
    line_feed,
    points,
    regression_game,
    same,
    settings,
    stop_after,
    weights,
)

from ganforge.contracts import Game, Loss, OptimiserSettings, Schedule, Turn, is_on
from ganforge.core.files import sha256_of
from ganforge.core.seeds import seed_for
from ganforge.engine.checkpoint import list_checkpoints
from ganforge.engine.fit import fit
from ganforge.errors import Interrupted, TrainingError
from ganforge.run import Run

RECORDED = (
    "step", "examples", "attempt", "skipped", "skipped_now", "terms", "notes", "gradient_norms", "learning_rates",
    "update_ratios", "layers",
)  # fmt: skip
CONSTANT = OptimiserSettings(Schedule(0.01, 0.01, "constant"))


def planted(game: Game, who: str, bad: Callable[[Turn], bool]) -> Game:
    """The same game, in which one player's loss is NaN in the turns that `bad` picks."""

    def wrap(loss: Callable[[Turn], Loss]) -> Callable[[Turn], Loss]:
        def told(turn: Turn) -> Loss:
            given = loss(turn)
            factor = float("nan") if bad(turn) else 1.0
            return Loss({name: term * factor for name, term in given.terms.items()}, given.notes)

        return told

    players = tuple(replace(p, loss=wrap(p.loss)) if p.name == who else p for p in game.players)
    return replace(game, players=players)


def at(who: str, steps: set[int], attempts: tuple[int, ...] = (0,), seed: int = 1) -> Callable[[Turn], bool]:
    """Picks turns by step and attempt, which a turn shows only through its seed."""
    seeds = {seed_for(seed, f"{who}/random", step=step, attempt=attempt) for step in steps for attempt in attempts}
    return lambda turn: turn.random.generator.initial_seed() in seeds


def test_one_bad_turn_is_skipped_counted_and_touches_no_weight() -> None:
    game = planted(regression_game(), "learner", at("learner", {12}))
    seen = [weights(game.players[0].network)]
    notebook = Notebook()
    state = fit(
        game,
        line_feed(),
        settings(30),
        observers=[notebook],
        stop=lambda: bool(seen.append(weights(game.players[0].network))),
    ).state
    moved = [not same(before, after) for before, after in pairwise(seen)]
    assert [step for step, move in enumerate(moved) if not move] == [12]
    assert state.skipped == 1
    assert [record["skipped"] for record in notebook.records] == [0, 1, 1]
    assert state.attempt == 0


@pytest.mark.parametrize("order", ["alternating", "simultaneous"])
def test_a_bad_turn_of_one_player_does_not_stop_the_other(order: str) -> None:
    game = planted(adversarial_game(order), "discriminator", at("discriminator", {0}))
    before = [weights(player.network) for player in game.players]
    state = fit(game, TableFeed(x=points()), settings(1)).state
    after = [weights(player.network) for player in game.players]
    assert same(before[0], after[0])
    assert not same(before[1], after[1])
    assert state.skipped == 1


def test_repeated_bad_turns_rewind_to_the_checkpoint_with_half_the_rate_and_new_randomness(tmp_path: Path) -> None:
    notebook, run = Notebook(), Run(tmp_path)
    game = planted(regression_game(CONSTANT), "learner", at("learner", {43, 44, 47}))
    state = fit(game, line_feed(), settings(80), run=run, observers=[notebook]).state
    rewound = [event for event in notebook.events if event["kind"] == "rewound"]
    assert [(event["step"], event["to_step"]) for event in rewound] == [(50, 40)]
    assert (state.attempt, state.levers.learning_rate, state.skipped) == (1, 0.5, 3)
    rates = [record["learning_rates"]["learner"] for record in run.read_records()]
    assert rates == pytest.approx([0.01] * 4 + [0.005] * 4)
    assert all(torch.isfinite(tensor).all() for tensor in weights(game.players[0].network))


def test_two_bad_turns_in_a_window_are_an_accident_and_not_rewound() -> None:
    state = fit(planted(regression_game(), "learner", at("learner", {3, 4})), line_feed(), settings(20)).state
    assert (state.attempt, state.skipped) == (0, 2)


def test_turns_that_stay_bad_end_in_a_training_error_that_says_what_was_tried(tmp_path: Path) -> None:
    run = Run(tmp_path)
    game = planted(regression_game(), "learner", lambda turn: is_on(turn.dials["late"]))
    late = replace(game.players[0], dials=lambda progress, levers: {"late": float(progress >= 0.5)})
    game = replace(game, players=(late,))
    with pytest.raises(TrainingError, match=r"rewound 3 times.*Lower the learning rate"):
        fit(game, line_feed(), settings(80), run=run)
    assert [event["kind"] for event in run.read_events()].count("rewound") == 3


def test_without_a_run_there_is_nothing_to_go_back_to() -> None:
    with pytest.raises(TrainingError, match="no checkpoint"):
        fit(planted(regression_game(), "learner", lambda turn: True), line_feed(), settings(80))


@pytest.mark.parametrize("kills", [(45,), (70,), (52, 12)])
def test_a_rewound_run_that_was_killed_ends_like_one_that_was_not(kills: tuple[int, ...], tmp_path: Path) -> None:
    digests = []
    for name in ("straight", "killed"):
        run = Run(tmp_path / name)
        for calls in kills if name == "killed" else ():
            with pytest.raises(Killed):
                game = planted(adversarial_game(), "generator", at("generator", {43, 44, 47}))
                fit(game, TableFeed(x=points()), settings(90), run=run, stop=kill_after(calls))
        game = planted(adversarial_game(), "generator", at("generator", {43, 44, 47}))
        fit(game, TableFeed(x=points()), settings(90), run=run)
        digests.append(sha256_of(list_checkpoints(run.checkpoints)[-1] / "tensors.safetensors"))
    assert digests[0] == digests[1]


@pytest.mark.parametrize("stops", [(45,), (46, 1, 1), (44, 3, 12, 9, 30), (50,), (51, 5)])
def test_a_rewound_run_that_a_person_stopped_ends_like_one_that_was_not(stops: tuple[int, ...], tmp_path: Path) -> None:
    """Also between the bad turns, and between two records: it is rewound to the same checkpoint, at the same record."""
    told = []
    for name in ("straight", "stopped"):
        run = Run(tmp_path / name)
        for calls in stops if name == "stopped" else ():
            with pytest.raises(Interrupted):
                game = planted(adversarial_game(), "generator", at("generator", {43, 44, 47}))
                fit(game, TableFeed(x=points()), settings(90), run=run, stop=stop_after(calls))
        game = planted(adversarial_game(), "generator", at("generator", {43, 44, 47}))
        fit(game, TableFeed(x=points()), settings(90), run=run)
        rewound = [(e["step"], e["to_step"]) for e in run.read_events() if e["kind"] == "rewound"]
        records = [{key: record[key] for key in RECORDED} for record in run.read_records()]
        last = list_checkpoints(run.checkpoints)
        told.append((sha256_of(last[-1] / "tensors.safetensors"), rewound[:1], records, [path.name for path in last]))
        assert sorted(path.name for path in run.checkpoints.iterdir()) == told[-1][-1]  # no stop is left
    assert told[0] == told[1]


def test_skipped_turns_are_still_counted_after_a_stop_between_two_records(tmp_path: Path) -> None:
    run = Run(tmp_path)
    game = planted(regression_game(adam_steps()), "learner", at("learner", {12, 13}))
    with pytest.raises(Interrupted):
        fit(game, line_feed(), settings(40), run=run, stop=stop_after(15))
    state = fit(
        planted(regression_game(), "learner", at("learner", {12, 13})), line_feed(), settings(40), run=run
    ).state
    assert state.skipped == 2
