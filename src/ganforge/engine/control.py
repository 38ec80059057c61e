"""Stops a run, changes its length, or rewinds it; guard.py turns its levers. Every decision is an event in the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path

from ganforge.core.world import World
from ganforge.engine.best import Best, Standing
from ganforge.engine.checkpoint import State, fitting_length, go_back, load_checkpoint, save_checkpoint
from ganforge.engine.ema import MovingAverage
from ganforge.engine.recorder import Pace
from ganforge.engine.turn import Seat
from ganforge.errors import TrainingError
from ganforge.records import Record
from ganforge.run import Run

REPEATED = 3  # turns that were not finite within one record window: an accident may be skipped, a habit is rewound
ATTEMPTS = 3  # rewinds before training is given up
SETTLED_SECONDS = 4.0  # a rate measured over less says nothing
PLATEAU_SHARE = 0.15  # of the examples shown so far: what a run that no longer improves may still take to settle


class Decision(Enum):
    """What is to happen at a record step."""

    GO_ON = "go on"
    REFIT = "refit"
    PLATEAU = "plateau"
    REWIND = "rewind"
    RETURN = "return"  # to the checkpoint from before the trouble began: the guard's


def recorded_refits(run: Run | None, state: State) -> dict[tuple[int, int], int]:
    """Changes of the length that an earlier sitting made after the checkpoint: (attempt, step) -> length in examples.

    A resumed run repeats them instead of looking at the clock, so that it ends with the same weights.
    """
    if run is None:
        return {}
    events = [event for event in run.read_events() if event["kind"] == "refitted"]
    return {
        (event["attempt"], event["step"]): event["length"]
        for event in events
        if (event["attempt"], event["step"]) > (state.attempt, state.step)
    }


def decide(
    state: State,
    record: Record,
    seconds_allowed: float | None,
    refits: Mapping[tuple[int, int], int],
    pace: Pace,
    target: Callable[[Mapping[str, float]], bool] | None,
    looks_to_come: int,
    patience_looks: int = 0,
) -> Decision:
    """Looks at one record and changes the state accordingly.

    A plateau needs no repeating from the events: looks are a function of the run, so a resumed run finds it again.
    Each look still to come is taken to last as long as those so far. Before the first one nothing is set aside: the
    plan did that, and what it set aside is unknown here.

    Raises: TrainingError if gradients were not finite again after ATTEMPTS rewinds.
    """
    if record["skipped_now"] >= REPEATED:
        if state.attempt - (state.guard.returns if state.guard else 0) >= ATTEMPTS:
            raise TrainingError(
                f"Training stopped at step {state.step}: gradients were not finite in {record['skipped_now']} turns.",
                f"It was rewound {ATTEMPTS} times with half the learning rate each time, and it happened again.",
                "Lower the learning rate or raise gamma: --set optimiser.learning_rate_start=0.0005",
            )
        return Decision.REWIND
    if target is not None and record.get("quality"):
        state.streak = state.streak + 1 if target(record["quality"]) else 0
        # One lucky look must not end a run early; at the end the finished product is what the target is about.
        state.reached = state.streak >= (1 if state.clock.done else 2)
    if _shorten_on_plateau(state, patience_looks):
        return Decision.PLATEAU
    here = (state.attempt, state.step)
    if here in refits:
        state.clock.set_length(refits[here])
    elif seconds_allowed is not None and not state.clock.done and not any(refit > here for refit in refits):
        return Decision.REFIT if _refit(state, seconds_allowed, pace, looks_to_come) else Decision.GO_ON
    return Decision.GO_ON


def agree(world: World, decision: Decision, state: State) -> tuple[Decision, State]:
    """The leader's decision and state, in every process."""
    if world.size == 1:
        return decision, state
    told = world.tell({"decision": decision.value, "state": state.as_json()})
    return Decision(told["decision"]), state if world.leads else State.from_json(told["state"])


def _refit(state: State, seconds_allowed: float, pace: Pace, looks_to_come: int) -> bool:
    """Changes the length to what fits the time; returns whether it was changed."""
    rate, span = pace.recent()
    set_aside = looks_to_come * state.look_seconds / max(state.looks, 1)
    used = state.seconds + set_aside
    length = fitting_length(state.clock, used, seconds_allowed, rate) if span > SETTLED_SECONDS else None
    if length is None:
        return False
    if state.standing and state.standing.plateau_length:
        length = min(length, state.standing.plateau_length)  # what was given up for good is not given back
    length = max(length, state.clock.examples + 1)  # one more step, so that the end is looked at
    if length == state.clock.length:
        return False
    state.clock.set_length(length)
    return True


def _shorten_on_plateau(state: State, patience_looks: int) -> bool:
    """Shortens a run whose best product was not beaten for `patience_looks` looks in a row; returns whether it did.

    What is left is annealed instead of cut: the learning rate falls to its end, which is where products get best. It
    happens once: later on, the same share of more examples ends later than the run does by then.
    """
    standing, clock = state.standing, state.clock
    if standing is None or state.reached or not 0 < patience_looks <= standing.unbeaten:
        return False
    length = clock.examples + max(1, int(PLATEAU_SHARE * clock.examples))
    if length >= clock.length:
        return False
    clock.set_length(length)
    state.standing = replace(standing, plateau_length=length)
    return True


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
