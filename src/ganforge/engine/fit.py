"""The one loop. It trains every game: one player, two, or four; alternating or simultaneous; from the start or resumed.

No callback can change its order. Observers watch; `steer` alone decides to stop, change the length or rewind, and it
does so at record steps, where the numbers are read from the device. Where a measure says how good the product is, the
best one is kept (engine/best.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from ganforge.contracts import Feed, Game, Observer, Turn
from ganforge.core.seeds import generator_for
from ganforge.engine.average import MovingAverage
from ganforge.engine.best import Best, Standing
from ganforge.engine.checkpoint import State, load_checkpoint, newest_healthy, save_checkpoint
from ganforge.engine.clock import Clock
from ganforge.engine.journal import Journal, Pace, add_watched, make_record
from ganforge.engine.steer import Decision, decide, recorded_refits
from ganforge.engine.turn import Seat, find_gradients, sit_down, take_step
from ganforge.errors import Interrupted, TrainingError
from ganforge.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """How long and in what portions a game is trained. Everything that decides the numbers of a run is in here."""

    seed: int
    batch_size: int
    length_examples: int
    half_life_examples: float  # of the moving average
    precision: str = "float32"  # or "bfloat16"
    device: str = "cpu"
    record_every_steps: int = 50
    checkpoint_every_steps: int = 500  # saved at the first record step from each multiple of this on
    marks: tuple[float, ...] = (1.0,)  # progress at which the product is looked at; 0.0 is before the first step
    seconds_allowed: float | None = None  # refit the length when the machine turns slower or faster
    best_by: str | None = None  # the measure of a look that says how good the product is; higher is better
    patience_looks: int = 0  # looks in a row without a better product, after which the run is shortened; 0: never


Look = Callable[[nn.Module, State], Mapping[str, float]]
"""Draws samples from the product and measures them; what it returns stands in the record as `quality`."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What training leaves behind: the product, and where the run stands.

    The product is the moving average at the end, or at the best look where `state.standing.kept_best` says so.
    """

    product: nn.Module
    state: State


def fit(
    game: Game,
    feed: Feed,
    settings: FitSettings,
    *,
    run: Run | None = None,
    observers: Sequence[Observer] = (),
    look: Look | None = None,
    target: Callable[[Mapping[str, float]], bool] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Fitted:
    """Trains a game to its end, or on from the newest healthy checkpoint of `run`.

    Args: run: where records, events and checkpoints go; None keeps nothing. look: called at `settings.marks`. target:
        ends training when it holds for the quality of two looks in a row, or of the last one. stop: asked after every
        step.
    Raises: Interrupted after saving, when `stop` says so; TrainingError when gradients stay not finite.
    """
    journal = Journal(run, observers)
    seats = [sit_down(player) for player in game.players]
    average = MovingAverage(game.product_player.network, settings.half_life_examples)
    best = Best(settings.best_by) if settings.best_by else None
    state = _begin(run, seats, average, best, settings, journal)
    refits = recorded_refits(run, state)
    pace = Pace(state)

    if state.step == 0 and look and 0.0 in settings.marks:
        state.looked = 0.0
        with pace.look():
            look(average.network, state)

    while not (state.clock.done or state.reached):
        before = _weights(seats) if _due(state.step + 1, settings) else None
        _play(game, seats, feed, settings, state)
        state.step += 1
        state.clock.examples += settings.batch_size
        average.update(state.clock.examples, settings.batch_size)

        if _due(state.step, settings) or state.clock.done:
            state.seconds = pace.seconds()
            record = make_record(state, seats, before, pace)
            if look and any(state.looked < mark <= state.clock.progress for mark in settings.marks):
                state.looked = state.clock.progress
                with pace.look():
                    record["quality"] = dict(look(average.network, state))
                    add_watched(record, seats)
                if best and state.standing:
                    state.standing = best.look(state.standing, record["quality"], average.network, state.clock.examples)
                state.seconds = pace.seconds()
            to_come = sum(mark > state.clock.progress for mark in settings.marks) if look else 0
            decision = decide(
                state, record, settings.seconds_allowed, refits, pace, target, to_come, settings.patience_looks
            )
            journal.record(record)
            if decision is Decision.REWIND:
                state = _rewind(run, seats, average, state, journal)
                pace = Pace(state)
                continue
            _tell(decision, state, settings, journal)
            if run and _to_save(state.step, settings) and not state.clock.done:
                save_checkpoint(run.checkpoints, state, seats, average, best)
                journal.event("checkpoint", state.step)
        if stop() and not state.clock.done:
            state.seconds = pace.seconds()
            _stop(run, state, seats, average, best, journal)

    if best:
        _choose(best, state, journal)
    if run:
        save_checkpoint(run.checkpoints, state, seats, average, best)
    if best and state.standing and state.standing.kept_best:
        best.put_into(average.network)  # only now: the checkpoint keeps both
    return Fitted(average.network, state)


def _play(game: Game, seats: Sequence[Seat], feed: Feed, settings: FitSettings, state: State) -> None:
    """One step of the game: every player that plays now takes its turn, on a fresh batch and with fresh randomness."""
    progress = state.clock.progress
    playing = [seat for seat in seats if seat.player.plays(progress)]
    for seat in playing:
        find_gradients(seat, seats, _turn(seat, feed, settings, state, progress), settings.precision)
        if game.order == "alternating":
            take_step(seat, _learning_rate(seat, state, progress))
    if game.order == "simultaneous":
        for seat in playing:
            take_step(seat, _learning_rate(seat, state, progress))


def _turn(seat: Seat, feed: Feed, settings: FitSettings, state: State, progress: float) -> Turn:
    """A fresh batch, drawn uniformly with replacement, and a generator for this player and step alone."""
    name, step, attempt = seat.player.name, state.step, state.attempt
    drawing = generator_for(settings.seed, f"{name}/batch", step=step, attempt=attempt)
    indices = torch.randint(len(feed), (settings.batch_size,), generator=drawing)
    random = generator_for(settings.seed, f"{name}/random", step=step, attempt=attempt, device=settings.device)
    return Turn(feed.batch(indices), random, progress)


def _learning_rate(seat: Seat, state: State, progress: float) -> float:
    return state.learning_rate_scale * seat.player.optimiser.learning_rate.at(progress)


def _due(step: int, settings: FitSettings) -> bool:
    return step % settings.record_every_steps == 0


def _to_save(step: int, settings: FitSettings) -> bool:
    """Whether a record step is the first from some multiple of `checkpoint_every_steps` on.

    By the step alone, so that a resumed run saves at the same steps.
    """
    every, before = settings.checkpoint_every_steps, step - settings.record_every_steps
    return step // every > before // every


def _weights(seats: Sequence[Seat]) -> list[list[torch.Tensor]]:
    """A copy of all weights before a record step, from which the record says how far the step went."""
    return [[parameter.detach().clone() for parameter in seat.parameters] for seat in seats]


def _begin(
    run: Run | None,
    seats: Sequence[Seat],
    average: MovingAverage,
    best: Best | None,
    settings: FitSettings,
    journal: Journal,
) -> State:
    """The state to go on from: that of the newest healthy checkpoint, or a fresh one."""
    fresh = State(Clock(settings.length_examples), standing=Standing() if best else None)
    if run is None:
        return fresh
    newest, damaged = newest_healthy(run.checkpoints)
    for sentence in damaged:
        journal.event("damaged_checkpoint", 0, sentence=sentence)
    if newest is None:
        save_checkpoint(run.checkpoints, fresh, seats, average, best)  # so that there is always one to rewind to
        return fresh
    state = load_checkpoint(newest, seats, average, best)
    if best and state.standing is None:  # written before anybody asked which product is best
        state.standing = Standing()
    journal.event("resumed", state.step, examples=state.clock.examples)
    return state


def _rewind(run: Run | None, seats: Sequence[Seat], average: MovingAverage, state: State, journal: Journal) -> State:
    """Back to the last healthy checkpoint, with a new attempt number and half the learning rate."""
    attempt, scale, step, seconds = state.attempt + 1, state.learning_rate_scale * 0.5, state.step, state.seconds
    newest = newest_healthy(run.checkpoints)[0] if run else None
    if newest is None:
        raise TrainingError(
            f"Training stopped at step {step}: gradients were not finite again and again.",
            "There is no checkpoint to go back to.",
            "Lower the learning rate or raise gamma.",
        )
    back = load_checkpoint(newest, seats, average)  # the best product is kept, wherever it was found
    back.attempt, back.learning_rate_scale, back.seconds, back.skipped = attempt, scale, seconds, state.skipped
    back.looks, back.look_seconds = state.looks, state.look_seconds
    if state.standing:
        back.standing = state.standing.rewound(back.standing or Standing())
    journal.event("rewound", step, to_step=back.step, attempt=attempt, learning_rate_scale=scale)
    return back


def _tell(decision: Decision, state: State, settings: FitSettings, journal: Journal) -> None:
    """A change of the length as an event."""
    length, standing = state.clock.length, state.standing
    if decision is Decision.REFIT:
        journal.event("refitted", state.step, attempt=state.attempt, length=length)
    if decision is Decision.PLATEAU and standing:
        reason = (
            f"{settings.best_by} was {standing.best_score:.4g} after {standing.best_examples:,} examples "
            f"and not higher in the {standing.unbeaten} looks since"
        )
        journal.event("plateau", state.step, attempt=state.attempt, reason=reason, length=length)


def _choose(best: Best, state: State, journal: Journal) -> None:
    """Decides whether the run gives its best product instead of its last one. A finished run has decided already.

    A run that reached its target gives the product that reached it.
    """
    standing = state.standing
    if standing is None or standing.kept_best or state.reached or not standing.prefers_best(state.clock.examples):
        return
    state.standing = replace(standing, kept_best=True)
    journal.event(
        "kept_best",
        state.step,
        measure=best.measure,
        best_score=standing.best_score,
        best_examples=standing.best_examples,
        final_score=standing.score,
        final_examples=standing.examples,
    )


def _stop(
    run: Run | None,
    state: State,
    seats: Sequence[Seat],
    average: MovingAverage,
    best: Best | None,
    journal: Journal,
) -> None:
    """Saves and says how to go on."""
    if run is None:
        raise Interrupted("Stopped on request.")
    state.unrecorded += sum(int(seat.skipped.item()) for seat in seats if seat.skipped is not None)
    save_checkpoint(run.checkpoints, state, seats, average, best)
    journal.event("interrupted", state.step, examples=state.clock.examples)
    raise Interrupted(
        f"Stopped on request after {state.clock.examples:,} examples; nothing is lost.",
        do=f"Go on with: ganforge resume {run.folder}",
    )
