"""The one loop. It trains every game: one player, two, or four; alternating or simultaneous; from the start or resumed.

No callback can change its order. Observers watch; `control.decide` alone stops a run, changes its length or rewinds it,
and the guard sets levers, both at record steps, where the numbers are read from the device. Where a measure ranks the
product, the best one is kept (engine/best.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from ganforge.contracts import Feed, Game, Observer
from ganforge.core.world import ALONE, World
from ganforge.engine.best import Best, Standing
from ganforge.engine.capture import Captured, CudaRecorder
from ganforge.engine.checkpoint import Clock, State, load_checkpoint, newest_healthy, save_checkpoint, share_checkpoint
from ganforge.engine.control import (
    Adaptation,
    Decision,
    Journal,
    Pace,
    adapted,
    add_watched,
    agree,
    decide,
    make_record,
    recorded_refits,
    return_to_healthy,
)
from ganforge.engine.ema import MovingAverage
from ganforge.engine.guard import Guard
from ganforge.engine.private import Ledger, PrivateGradients, PrivateTurns
from ganforge.engine.private_refusals import private_player, refuse_judging, refuse_unsafe
from ganforge.engine.step import AtOnce, Runner, Seat, Step, open_account, sit_down
from ganforge.errors import Interrupted, RunError, TrainingError
from ganforge.records import Record
from ganforge.run import Run

Look = Callable[[nn.Module, State], Mapping[str, float]]
"""Draws samples from the product and measures them; what it returns stands in the record as `quality`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """The length and the intervals of training. Everything that decides the numbers of a run is in here."""

    seed: int
    batch_size: int
    length_examples: int
    half_life_examples: float  # of the moving average
    precision: str = "float32"  # or "bfloat16"
    pieces: int = 1  # into which a batch is cut, see engine/step.py: find_gradients
    capture: bool = True  # whether a GPU repeats a recorded step; elsewhere it makes no difference
    record_every_steps: int = 50
    checkpoint_every_steps: int = 500  # saved at the first record step from each multiple of this on
    marks: tuple[float, ...] = (1.0,)  # progress at which the product is looked at; 0.0 is before the first step
    seconds_allowed: float | None = None  # refit the length when the machine turns slower or faster
    best_by: str | None = None  # the measure of a look that says how good the product is; higher is better
    adaptation: Adaptation | None = None  # of the augmentation's strength; None leaves it alone
    patience_looks: int = 0  # looks in a row without a better product, after which the run is shortened; 0: never


@dataclass(frozen=True, slots=True)
class Fitted:
    """The result of training: the product and the state of the run. It is complete in the leader's process only.

    The product is the moving average at the end, or at the best look where `state.standing.kept_best` is set.
    """

    product: nn.Module
    state: State


def fit(  # noqa: PLR0913 - the one loop: everything that a run may have is named here
    game: Game,
    feed: Feed,
    settings: FitSettings,
    *,
    run: Run | None = None,
    observers: Sequence[Observer] = (),
    look: Look | None = None,
    target: Callable[[Mapping[str, float]], bool] | None = None,
    stop: Callable[[], bool] = lambda: False,
    world: World = ALONE,
    guard: Guard | None = None,
    private: type[PrivateGradients] = PrivateGradients,
) -> Fitted:
    """Train a game to its end, or on from the newest healthy checkpoint of `run`.

    Args: run: where records, events and checkpoints go; None keeps nothing. look: called at `settings.marks`. target:
        ends training when it holds for the quality of two looks in a row, or of the last one. stop: asked after every
        step; where several processes train, at record steps. world: the processes that train this run together. Only
        the leader's run, observers, look and target count, and only its product is looked at. guard: sets levers
        and takes the run back when it goes wrong; new for this call. private: how a private player's gradients are
        found; the audit of the engine passes broken ones.
    Raises: Interrupted after saving, when `stop` is true; TrainingError when gradients stay not finite; RecipeError if
        the batch cannot be shared by the processes; WorldError if another of them is lost.
    """
    world.share_of(settings.batch_size)
    turns = _private_turns(game, feed, run, private)
    if turns:
        refuse_unsafe(game, feed, settings, world, judged=target is not None, guarded=guard is not None)
    seats = [sit_down(player, world) for player in game.players]
    average = MovingAverage(game.product_player.network, settings.half_life_examples)
    best = Best(settings.best_by) if settings.best_by and world.leads else None
    sitting = _Sitting(seats, average, best, settings, run, Journal(observers, run), look, target, world, guard, turns)
    state = _begin(sitting)
    step = _step(game, feed, sitting, state)
    if guard and run:
        guard.begin(run.read_records(), state.step)
    refits = recorded_refits(run, state)
    pace = Pace(state)

    if state.step == 0 and look and 0.0 in settings.marks:
        state.looked = 0.0
        with pace.look():
            quality = _looked(sitting, look, state)
        if guard:
            guard.first_look(state, quality)

    while not (state.clock.done or state.reached):
        before = _weights(seats) if (state.step + 1) % settings.record_every_steps == 0 else None
        step.take(state, pace)
        state.step += 1
        state.clock.examples += settings.batch_size

        recorded = before is not None or state.clock.done
        if recorded:
            state.seconds = pace.seconds()
            record = make_record(state, seats, before, pace, game.product, world)
            decision = _consider(sitting, state, record, refits, pace) if world.leads else Decision.GO_ON
            decision, state = agree(world, decision, state)
            if decision in (Decision.REWIND, Decision.RETURN):
                state = _rewind(sitting, state, decision)
                step.forget()
                pace = Pace(state)
                continue
            if run and _to_save(state.step, settings) and not state.clock.done:
                save_checkpoint(run.checkpoints, state, seats, average, best)
                sitting.journal.event("checkpoint", state.step)
        stopped = stop() if world.size == 1 else recorded and world.any(stop())
        if stopped and not state.clock.done:
            state.seconds = pace.seconds()
            _stop(sitting, state)

    if best:
        _choose(best, state, sitting.journal)
    if run:
        save_checkpoint(run.checkpoints, state, seats, average, best)
    if best and state.standing and state.standing.kept_best:
        best.put_into(average.network)  # only now: the checkpoint keeps both
    return Fitted(average.network, state)


@dataclass(frozen=True, slots=True)
class _Sitting:
    """The constants of a training session, from the first step to the last."""

    seats: Sequence[Seat]
    average: MovingAverage
    best: Best | None
    settings: FitSettings
    run: Run | None
    journal: Journal
    look: Look | None
    target: Callable[[Mapping[str, float]], bool] | None
    world: World
    guard: Guard | None = None
    turns: PrivateTurns | None = None


def _consider(
    sitting: _Sitting, state: State, record: Record, refits: Mapping[tuple[int, int], int], pace: Pace
) -> Decision:
    """Look at the product if due, decide, and write the record. At a record step, in the leader only."""
    settings, look, best = sitting.settings, sitting.look, sitting.best
    if look and any(state.looked < mark <= state.clock.progress for mark in settings.marks):
        state.looked = state.clock.progress
        with pace.look():
            record["quality"] = _looked(sitting, look, state)
            add_watched(record, sitting.seats, state)
        if best and state.standing:
            quality, product = record["quality"], sitting.average.network
            state.standing = best.look(state.standing, quality, product, state.clock.examples)
        state.seconds = pace.seconds()
    if settings.adaptation:
        since = settings.batch_size * (state.step % settings.record_every_steps or settings.record_every_steps)
        state.levers = adapted(state.levers, record, since, settings.adaptation)
        record["augmentation"] = state.levers.adapted
    to_come = sum(mark > state.clock.progress for mark in settings.marks) if look else 0
    decision = decide(
        state, record, settings.seconds_allowed, refits, pace, sitting.target, to_come, settings.patience_looks
    )
    sitting.journal.record(record)
    _tell(decision, state, settings, sitting.journal)
    if sitting.guard is None or decision is Decision.REWIND or state.reached:
        return decision
    return _guarded(sitting, sitting.guard, state, record, decision)


def _looked(sitting: _Sitting, look: Look, state: State) -> dict[str, float]:
    """Look at the product. Raises: RecipeError if the look of a private game measured something."""
    quality = dict(look(sitting.average.network, state))
    if any(seat.player.private for seat in sitting.seats):
        refuse_judging(quality)
    return quality


def _guarded(sitting: _Sitting, guard: Guard, state: State, record: Record, decision: Decision) -> Decision:
    """Run the guard at a record step and report its events; return the decision, or RETURN if it takes the run back."""
    settings, run = sitting.settings, sitting.run
    done = guard.step(
        state,
        record,
        half_life_examples=settings.half_life_examples,
        can_return=run is not None and not state.clock.done,
        saves=run is not None and _to_save(state.step, settings),
    )
    for event in done.events:
        sitting.journal.event(step=state.step, attempt=state.attempt, examples=state.clock.examples, **event)
    return Decision.RETURN if done.goes_back else decision


def _to_save(step: int, settings: FitSettings) -> bool:
    """Return whether a record step is the first from some multiple of `checkpoint_every_steps` on.

    It depends on the step alone, so that a resumed run saves at the same steps.
    """
    every, before = settings.checkpoint_every_steps, step - settings.record_every_steps
    return step // every > before // every


def _weights(seats: Sequence[Seat]) -> list[list[torch.Tensor]]:
    """Copy all weights before a record step, to measure the length of the step for the record."""
    return [[parameter.detach().clone() for parameter in seat.parameters] for seat in seats]


def _private_turns(game: Game, feed: Feed, run: Run | None, kind: type[PrivateGradients]) -> PrivateTurns | None:
    """Return the turns of a private player, with a new key and the count of all sessions before; None without one."""
    player = private_player(game)
    if player is None or player.private is None:
        return None
    return PrivateTurns(kind(player, feed), Ledger(player.private, run.folder if run else None))


def _keep_to_price(sitting: _Sitting, state: State) -> None:
    """Shorten a private run that was taken back, so that it takes no more private turns than its price covers."""
    turns = sitting.turns
    if turns and turns.ledger.shorten(state.clock, sitting.settings.batch_size):
        sitting.journal.event("price_spent", state.step, turns=turns.ledger.turns, length=state.clock.length)


def _step(game: Game, feed: Feed, sitting: _Sitting, state: State) -> Step:
    """Build the steps of the game from the state of the run."""
    settings = sitting.settings

    def tell(kind: str, **content: Any) -> None:
        sitting.journal.event(kind, state.step, **content)

    _keep_to_price(sitting, state)
    seats, turns = sitting.seats, sitting.turns
    runner = AtOnce(seats[0].random.device) if turns else runner_for(seats, settings, sitting.world, tell)
    return Step(game, feed, seats, sitting.average, runner, settings, turns)


def runner_for(seats: Sequence[Seat], settings: FitSettings, world: World, tell: Callable[..., None]) -> Runner:
    """Return a runner: on a GPU steps are repeated from a recording, elsewhere they run operation by operation."""
    device = seats[0].random.device
    if device.type != "cuda":
        return AtOnce(device)
    if settings.capture and world.size == 1:
        return Captured(CudaRecorder(device, [seat.random.generator for seat in seats]), seats, tell)
    if world.leads:
        tell("not_captured", reason="several processes train together" if settings.capture else "you asked for it")
    return AtOnce(device)


def _begin(sitting: _Sitting) -> State:
    """Return the state to start from, in every process: that of the newest healthy checkpoint, or a new one."""
    state = _newest(sitting) if sitting.world.leads else State(Clock(sitting.settings.length_examples))
    return share_checkpoint(sitting.world, state, sitting.seats, sitting.average, sitting.best)


def _newest(sitting: _Sitting) -> State:
    run, best, journal = sitting.run, sitting.best, sitting.journal
    fresh = State(Clock(sitting.settings.length_examples), standing=Standing() if best else None)
    if run is None:
        return fresh
    newest, damaged = newest_healthy(run.checkpoints, stopped=True)
    if newest is None and damaged:
        raise RunError(
            f"No checkpoint in {run.checkpoints} can be used: {' '.join(damaged)}",
            "Going on would begin again from nothing.",
            "Restore one of them, or remove the folder checkpoints to begin again.",
        )
    for sentence in damaged:
        journal.event("damaged_checkpoint", 0, sentence=f"{sentence} The checkpoint before it is used.")
    if newest is None:  # so that there is always one to rewind to
        save_checkpoint(run.checkpoints, fresh, sitting.seats, sitting.average, best)
        return fresh
    state = load_checkpoint(newest, sitting.seats, sitting.average, best)
    if best and state.standing is None:  # written before there was a measure of the best product
        state.standing = Standing()
    journal.event("resumed", state.step, examples=state.clock.examples)
    return state


def _rewind(sitting: _Sitting, state: State, decision: Decision) -> State:
    """Go back to a healthy checkpoint, in every process, with a new attempt number: to the last one with half the
    learning rate, or to the one that the guard chose."""
    back = state
    if sitting.world.leads:
        back = _one_before(sitting, state) if decision is Decision.REWIND else _before_trouble(sitting, state)
        if sitting.guard:
            sitting.guard.back_to(back.step)
    _keep_to_price(sitting, back)
    return share_checkpoint(sitting.world, back, sitting.seats, sitting.average, sitting.best)


def _before_trouble(sitting: _Sitting, state: State) -> State:
    assert sitting.run is not None
    back = return_to_healthy(sitting.run.checkpoints, state, sitting.seats, sitting.average, sitting.best)
    if back is None:
        sitting.journal.event("damaged_checkpoint", state.step, sentence="The checkpoint to go back to is damaged.")
    return back or state


def _one_before(sitting: _Sitting, state: State) -> State:
    newest = newest_healthy(sitting.run.checkpoints)[0] if sitting.run else None
    if newest is None:
        raise TrainingError(
            f"Training stopped at step {state.step}: gradients were not finite again and again.",
            "There is no checkpoint to go back to.",
            "Lower the learning rate or raise gamma.",
        )
    back = load_checkpoint(newest, sitting.seats, sitting.average)  # the best product is kept, whenever it was found
    back.go_on_from(state)
    back.levers = replace(state.levers, learning_rate=0.5 * state.levers.learning_rate)
    scale = back.levers.learning_rate
    sitting.journal.event("rewound", state.step, to_step=back.step, attempt=back.attempt, learning_rate_scale=scale)
    return back


def _tell(decision: Decision, state: State, settings: FitSettings, journal: Journal) -> None:
    """Report a change of the length as an event."""
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
    """Decide whether the run gives its best product instead of its last one. A finished run has decided already.

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


def _stop(sitting: _Sitting, state: State) -> None:
    """Save, and raise Interrupted, which says how to go on."""
    run, seats = sitting.run, sitting.seats
    if run is None:
        raise Interrupted("Stopped on request.")
    state.accounts = {seat.player.name: account for seat in seats if (account := open_account(seat))}
    save_checkpoint(run.checkpoints, state, seats, sitting.average, sitting.best, stopped=True)
    sitting.journal.event("interrupted", state.step, examples=state.clock.examples)
    raise Interrupted(
        f"Stopped on request after {state.clock.examples:,} examples; nothing is lost.",
        do=f"Go on with: ganforge resume {run.folder}",
    )
