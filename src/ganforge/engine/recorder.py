"""What a run says while it trains: records and events, written to the run folder and told to the observers."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from ganforge.contracts import Observer
from ganforge.core.world import ALONE, World
from ganforge.engine.checkpoint import State
from ganforge.engine.turn import Seat, settle
from ganforge.records import Record
from ganforge.run import Run


class Journal:
    """Writes each record and event to the run folder first, then tells the observers."""

    def __init__(self, run: Run | None, observers: Sequence[Observer]) -> None:
        self._run, self._observers = run, observers

    def record(self, record: Record) -> None:
        if self._run:
            self._run.add_record(record)
        for observer in self._observers:
            observer.record(record)

    def event(self, kind: str, step: int, **content: Any) -> None:
        event = self._run.add_event(kind, step, **content) if self._run else {"kind": kind, "step": step, **content}
        for observer in self._observers:
            observer.event(event)


class Pace:
    """Seconds of training over all sittings, and the recent rate of the steps, without the looks between them."""

    WINDOW = 20.0  # seconds: bridges bursts of other programs, and notices soon that the machine turned slower

    def __init__(self, state: State) -> None:
        self._state, self._before, self._started = state, state.seconds, perf_counter()
        self._paused, self._waited, self._noted = 0.0, 0.0, self._before
        self._seen: deque[tuple[float, int]] = deque([(state.seconds, state.clock.examples)])

    def seconds(self) -> float:
        """Seconds of training so far, this sitting's and the earlier ones'."""
        return self._before + perf_counter() - self._started

    @contextmanager
    def look(self) -> Iterator[None]:
        """A look happens inside: it counts as seconds of training, but not towards the rate of the steps."""
        begun = perf_counter()
        yield
        seconds = perf_counter() - begun
        self._paused += seconds
        self._state.looks += 1
        self._state.look_seconds += seconds

    @contextmanager
    def batch(self) -> Iterator[None]:
        """A batch is fetched inside: the time that training waits for data."""
        begun = perf_counter()
        yield
        self._waited += perf_counter() - begun

    def waiting(self) -> float:
        """Share, 0..1, of the seconds of training since it was last asked that went into waiting for batches."""
        now = self.seconds() - self._paused
        share = self._waited / max(now - self._noted, 1e-9)
        self._waited, self._noted = 0.0, now
        return min(share, 1.0)

    def note(self, examples: int) -> float:
        """Notes how many examples have been shown by now; returns the rate since the note before, in examples/s."""
        before, now = self._seen[-1], (self.seconds() - self._paused, examples)
        self._seen.append(now)
        while len(self._seen) > 2 and now[0] - self._seen[1][0] >= self.WINDOW:
            self._seen.popleft()
        return (now[1] - before[1]) / max(now[0] - before[0], 1e-9)

    def recent(self) -> tuple[float, float]:
        """Examples per second over the window, and the seconds that the window spans."""
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
    """Reads every seat's account from the device and says where the run stands; keys as listed in run.py."""
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
        "learning_rates": {seat.player.name: learning_rate(seat, state, product) for seat in seats},
    }
    if before is not None:
        norms = {seat.player.name: _norms(seat, old) for seat, old in zip(seats, before, strict=True)}
        record["update_ratios"] = {name: _update_ratio(of) for name, of in norms.items()}
        record["layers"] = {seat.player.name: _layers(seat, norms[seat.player.name]) for seat in seats}
    return record


def learning_rate(seat: Seat, state: State, product: str) -> float:
    """A player's learning rate now. Args: product the name of the player whose network is the product."""
    levers = state.levers
    factor = levers.learning_rate * (1.0 if seat.player.name == product else levers.opponent_learning_rate)
    return factor * seat.player.optimiser.learning_rate.at(state.clock.progress)


@torch.no_grad()
def add_watched(record: Record, seats: Sequence[Seat], state: State) -> None:
    """Adds to the notes what players have to say of themselves when the product is looked at."""
    for seat in seats:
        if seat.player.watch is not None:
            dials = seat.player.dials(state.clock.progress, state.levers)
            told = {name: float(value.mean()) for name, value in seat.player.watch(dials).items()}
            record["notes"][seat.player.name] = {**record["notes"].get(seat.player.name, {}), **told}


@torch.no_grad()
def _norms(seat: Seat, old: list[Tensor]) -> Tensor:
    """(3, parameters): the length of each parameter's gradient, of itself, and of its last step."""
    weights: list[Tensor] = list(seat.parameters)
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in seat.parameters]
    groups = (gradients, weights, list(torch._foreach_sub(weights, old)))
    return torch.stack([torch.stack(torch._foreach_norm(group)) for group in groups])


def _update_ratio(norms: Tensor) -> float:
    """Length of the last step over the length of the weights: near 0.001 in healthy training. Args: see `_norms`."""
    _, weights, steps = norms
    return float(steps.norm() / weights.norm().clamp_min(1e-12))


def _layers(seat: Seat, norms: Tensor) -> dict[str, dict[str, float | None]]:
    """Backpropagation made visible, layer by layer in the order of the network: {layer: {gradient_norm, ...}}.

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
