"""Decisions to stop a run, change its length, or rewind it; guard.py sets its levers. Each is an event of the run."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from ganforge.contracts import Levers, Observer
from ganforge.core.world import ALONE, World
from ganforge.engine.best import Best
from ganforge.engine.checkpoint import State, fitting_length, go_back, load_checkpoint, save_checkpoint
from ganforge.engine.ema import MovingAverage
from ganforge.engine.step import Seat, learning_rate, settle
from ganforge.errors import TrainingError
from ganforge.records import Record
from ganforge.run import Run

REPEATED = 3  # turns that were not finite within one record window: single ones are skipped, repeated ones rewound
ATTEMPTS = 3  # rewinds before training is given up
SETTLED_SECONDS = 4.0  # a rate measured over less is meaningless
PLATEAU_SHARE = 0.15  # of the examples shown so far: what a run that no longer improves may still take to settle


class Decision(Enum):
    """What to do at a record step."""

    GO_ON = "go on"
    REFIT = "refit"
    PLATEAU = "plateau"
    REWIND = "rewind"
    RETURN = "return"  # to the checkpoint from before the trouble began: the guard's


def recorded_refits(run: Run | None, state: State) -> dict[tuple[int, int], int]:
    """Return the length changes of an earlier session after the checkpoint: (attempt, step) -> length in examples.

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
    """Decide from one record, and change the state accordingly.

    A plateau needs no repeating from the events: looks are a function of the run, so a resumed run finds it again.
    Each look still to come is taken to last as long as those so far. Before the first one no time is reserved: the
    plan did that, and how much is unknown here.

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
    """Broadcast the leader's decision and state."""
    if world.size == 1:
        return decision, state
    told = world.tell({"decision": decision.value, "state": state.as_json()})
    return Decision(told["decision"]), state if world.leads else State.from_json(told["state"])


def _refit(state: State, seconds_allowed: float, pace: Pace, looks_to_come: int) -> bool:
    """Change the length to what fits the time; return whether it was changed."""
    rate, span = pace.recent()
    set_aside = looks_to_come * state.look_seconds / max(state.looks, 1)
    used = state.seconds + set_aside
    length = fitting_length(state.clock, used, seconds_allowed, rate) if span > SETTLED_SECONDS else None
    if length is None:
        return False
    if state.standing and state.standing.plateau_length:
        length = min(length, state.standing.plateau_length)  # what a plateau took from the length is not given back
    length = max(length, state.clock.examples + 1)  # one more step, so that the end is looked at
    if length == state.clock.length:
        return False
    state.clock.set_length(length)
    return True


def _shorten_on_plateau(state: State, patience_looks: int) -> bool:
    """Shorten a run whose best product was not beaten for `patience_looks` looks in a row; return whether it did.

    The rest is annealed instead of cut: the learning rate falls to its end, where products are best. It
    happens once: later, the same share of more examples ends after the end of the run.
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
    """Return the state at the checkpoint state.guard.healthy with `state`'s levers and memory; None if that
    checkpoint is damaged: then nothing has changed.

    The discarded examples count as shown: the run becomes shorter by them, so that it takes no longer than asked.
    The best product is kept, whenever it was found.
    """
    assert state.guard is not None
    path = go_back(folder, state.guard.healthy)
    if path is None:
        return None
    back = load_checkpoint(path, seats, average)
    given_up = state.clock.examples - back.clock.examples
    back.clock.set_length(max(state.clock.length - given_up, back.clock.examples + 1))
    back.go_on_from(state)
    back.guard = replace(state.guard, given_up=state.guard.given_up + given_up)
    back.looked = max(back.looked, 0.0)  # the checkpoint before the first step was written before the look at it
    save_checkpoint(folder, back, seats, average, best)
    return back


# ---- records and events while a run trains, to the run folder and to the observers -----------------------------------


class Journal:
    """A log that writes each record and event to the run folder first, then passes it to the observers."""

    def __init__(self, observers: Sequence[Observer], run: Run | None = None) -> None:
        self.observers, self.run = observers, run

    def record(self, record: Record) -> None:
        if self.run:
            self.run.add_record(record)
        for observer in self.observers:
            observer.record(record)

    def event(self, kind: str, step: int, **content: Any) -> None:
        event = self.run.add_event(kind, step, **content) if self.run else {"kind": kind, "step": step, **content}
        for observer in self.observers:
            observer.event(event)


class Pace:
    """The seconds of training over all sessions, and the recent rate of the steps, without the looks between them."""

    WINDOW = 20.0  # seconds: bridges bursts of other programs, and notices soon that the machine turned slower

    def __init__(self, state: State) -> None:
        self._state, self._before, self._started = state, state.seconds, perf_counter()
        self._paused, self._waited, self._noted = 0.0, 0.0, self._before
        self._seen: deque[tuple[float, int]] = deque([(state.seconds, state.clock.examples)])

    def seconds(self) -> float:
        """Return the seconds of training so far, in this session and earlier ones."""
        return self._before + perf_counter() - self._started

    @contextmanager
    def look(self) -> Iterator[None]:
        """Time a look inside the context: it counts as training, but not towards the rate of the steps."""
        begun = perf_counter()
        yield
        seconds = perf_counter() - begun
        self._paused += seconds
        self._state.looks += 1
        self._state.look_seconds += seconds

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Time the fetching of a batch inside the context, for which training waits."""
        begun = perf_counter()
        yield
        self._waited += perf_counter() - begun

    def waiting(self) -> float:
        """Return the share, 0..1, of the training time since the last call that was spent waiting for batches."""
        now = self.seconds() - self._paused
        share = self._waited / max(now - self._noted, 1e-9)
        self._waited, self._noted = 0.0, now
        return min(share, 1.0)

    def note(self, examples: int) -> float:
        """Note the examples shown so far; return the rate since the note before, in examples/s."""
        before, now = self._seen[-1], (self.seconds() - self._paused, examples)
        self._seen.append(now)
        while len(self._seen) > 2 and now[0] - self._seen[1][0] >= self.WINDOW:
            self._seen.popleft()
        return (now[1] - before[1]) / max(now[0] - before[0], 1e-9)

    def recent(self) -> tuple[float, float]:
        """Return the examples per second over the window, and the seconds that it spans."""
        (first_seconds, first_examples), (last_seconds, last_examples) = self._seen[0], self._seen[-1]
        span = last_seconds - first_seconds
        return (last_examples - first_examples) / max(span, 1e-9), span


def make_record(
    state: State,
    seats: Sequence[Seat],
    before: list[list[Tensor]] | None,
    pace: Pace,
    product: str,
    world: World = ALONE,
) -> Record:
    """Make a record of the run: read every seat's account from the device; keys as listed in run.py."""
    accounts = {seat.player.name: settle(seat, world) for seat in seats}
    told = {name: account for name, account in accounts.items() if account is not None}
    skipped_now = sum(account.skipped for account in told.values())
    state.skipped += skipped_now
    progress = state.clock.progress
    record: Record = {
        "step": state.step,
        "examples": state.clock.examples,
        "length_examples": state.clock.length,
        "progress": progress,
        "seconds": state.seconds,
        "examples_per_second": pace.note(state.clock.examples),
        "waiting": pace.waiting(),
        "attempt": state.attempt,
        "skipped": state.skipped,
        "skipped_now": skipped_now,
        "terms": {name: account.terms for name, account in told.items()},
        "notes": {name: account.notes for name, account in told.items()},
        "gradient_norms": {name: account.gradient_norm for name, account in told.items()},
        "learning_rates": {seat.player.name: learning_rate(seat, progress, state.levers, product) for seat in seats},
    }
    if before is not None:
        norms = {seat.player.name: _norms(seat, old) for seat, old in zip(seats, before, strict=True)}
        record["update_ratios"] = {name: _update_ratio(of) for name, of in norms.items()}
        record["layers"] = {seat.player.name: _layers(seat, norms[seat.player.name]) for seat in seats}
    return record


@torch.no_grad()
def add_watched(record: Record, seats: Sequence[Seat], state: State) -> None:
    """Add the players' own notes to a record when the product is looked at."""
    for seat in seats:
        if seat.player.watch is not None:
            dials = seat.player.dials(state.clock.progress, state.levers)
            told = {name: float(value.mean()) for name, value in seat.player.watch(dials).items()}
            record["notes"][seat.player.name] = {**record["notes"].get(seat.player.name, {}), **told}


@torch.no_grad()
def _norms(seat: Seat, old: list[Tensor]) -> Tensor:
    """Return the L2 norms of each parameter's gradient, of itself, and of its last step, (3, parameters)."""
    weights: list[Tensor] = list(seat.parameters)
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in seat.parameters]
    groups = (gradients, weights, list(torch._foreach_sub(weights, old)))
    return torch.stack([torch.stack(torch._foreach_norm(group)) for group in groups])


def _update_ratio(norms: Tensor) -> float:
    """Return the norm of the last step over that of the weights: near 0.001 in healthy training. Args: see `_norms`."""
    _, weights, steps = norms
    return float(steps.norm() / weights.norm().clamp_min(1e-12))


def _layers(seat: Seat, norms: Tensor) -> dict[str, dict[str, float | None]]:
    """Return the norms of each layer, in the order of the network: {layer: {gradient_norm, ...}}.

    A layer is the module that holds its weights; all of its parameters count together. What is not finite is None.
    """
    named = [name.rpartition(".")[0] for name, _ in seat.player.network.named_parameters()]
    squares = norms.square().tolist()
    sums: dict[str, list[float]] = {}
    for place, layer in enumerate(named):
        known = sums.setdefault(layer or "network", [0.0, 0.0, 0.0])
        for kind in range(3):
            known[kind] += squares[kind][place]
    return {layer: _told(*(math.sqrt(total) for total in totals)) for layer, totals in sums.items()}


def _told(gradient: float, weight: float, step: float) -> dict[str, float | None]:
    numbers = {"gradient_norm": gradient, "weight_norm": weight, "update_ratio": step / max(weight, 1e-12)}
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}


# ---- the augmentation that adapts ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptation:
    """The settings of the adaptive strength."""

    player: str  # the discriminator whose notes are read
    target: float  # share of pairs ranked right, 0.5..1, at which the strength stays where it is
    ramp_examples: float  # shown while the strength goes from 0 to 1, at the most
    most: float  # the greatest strength, 0..1


def adapted(levers: Levers, record: Record, examples: int, settings: Adaptation) -> Levers:
    """Return the levers after one record.

    The strength is moved up or down by examples / ramp_examples, by its notes: a function of the records alone,
    so that a resumed run does the same. Args: examples shown since the record before.
    """
    notes: Mapping[str, float] = (record.get("notes") or {}).get(settings.player) or {}
    share = notes.get("ranked_right")
    if share is None:
        return levers
    step = examples / settings.ramp_examples
    moved = levers.adapted + (step if share > settings.target else -step)
    return replace(levers, adapted=min(settings.most, max(0.0, moved)))
