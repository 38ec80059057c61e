"""How the guard's return is done: to the checkpoint from before the trouble began, which becomes the newest one.

The checkpoints after it are removed and it is written again with the new attempt number and levers, so that a run that
is killed now goes on from here and not from the stretch that was given up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ganforge.engine.best import Best, Standing
from ganforge.engine.checkpoint import State, go_back, load_checkpoint, save_checkpoint
from ganforge.engine.ema import MovingAverage
from ganforge.engine.turn import Seat


def return_to_healthy(
    folder: Path, state: State, seats: Sequence[Seat], average: MovingAverage, best: Best | None
) -> State | None:
    """The state at the checkpoint state.guard.healthy, with the levers and the memory of `state`; None if that
    checkpoint is damaged: then nothing has changed.

    What was given up counts as shown: the run becomes shorter by it, so that it takes no longer than was asked for.
    The best product is kept, wherever it was found.
    """
    assert state.guard is not None
    path = go_back(folder, state.guard.healthy)
    if path is None:
        return None
    back = load_checkpoint(path, seats, average)
    given_up = state.clock.examples - back.clock.examples
    back.clock.set_length(max(state.clock.length - given_up, back.clock.examples + 1))
    back.attempt, back.seconds, back.skipped = state.attempt + 1, state.seconds, state.skipped
    back.levers, back.guard = state.levers, replace(state.guard, given_up=state.guard.given_up + given_up)
    back.looked = max(back.looked, 0.0)  # the checkpoint before the first step was written before the look at it
    back.looks, back.look_seconds = state.looks, state.look_seconds
    if state.standing:
        back.standing = state.standing.rewound(back.standing or Standing())
    save_checkpoint(folder, back, seats, average, best)
    return back
