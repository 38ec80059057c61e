"""One step of a game, in two parts: the host decides, then the device does.

The host's part chooses which examples, which seeds, and where every number that moves stands: a few hundred bytes. The
device's part is a fixed computation over those, over weights and over moments: every playing seat's batch, loss,
gradients and optimiser step, then the moving average. It asks nothing of the host and gives nothing back to it, so a
GPU can repeat it from a recording (capture.py). Run at once or repeated, the numbers are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

from ganforge.contracts import Batch, Dial, Feed, Game, Turn
from ganforge.core.device import span
from ganforge.core.seeds import Draws, seed_for
from ganforge.engine.allreduce import Averaging
from ganforge.engine.checkpoint import State
from ganforge.engine.ema import MovingAverage
from ganforge.engine.recorder import Pace, learning_rate
from ganforge.engine.settings import FitSettings
from ganforge.engine.turn import Name, Seat, begin_step, find_gradients
from ganforge.errors import RecipeError

Told: TypeAlias = tuple[tuple[Name, ...], ...]
"""Of each seat that has played, the names of what its loss tells."""


@dataclass(frozen=True, slots=True)
class Phase:
    """What two steps must have in common to be the same computation over different numbers."""

    playing: tuple[int, ...]  # places of the seats that play, in turn order
    dials: tuple[tuple[tuple[str, bool], ...], ...]  # of each, its dials, and whether they are on


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the host gives a step: of the same shapes at each step of a phase.

    Where examples live on the device, only their places travel, together with the numbers that move: everything that
    the host chooses is then one copy of some hundred bytes.
    """

    chosen: Tensor  # integers (n,): which examples each playing seat sees, if they live on the device; then numbers,
    # bit by bit: the playing seats' learning rates, the average's weight, and the dials that are on
    batches: tuple[Batch, ...] = ()  # of each playing seat, on the device; none where the examples live there

    def on(self, device: torch.device) -> Inputs:
        """The same on the device. The host does not wait: a copy from pinned memory is queued like any other work."""
        return Inputs(queued(self.chosen, device).to(device, non_blocking=True), self.batches)


def queued(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host from which the device can copy while the host goes on."""
    return tensor.pin_memory() if device.type == "cuda" else tensor


class Program(Protocol):
    """The device's part of a step."""

    def __call__(self, phase: Phase, inputs: Inputs) -> Told: ...


class Runner(Protocol):
    """How the device's part is run."""

    def __call__(self, phase: Phase, inputs: Inputs, program: Program) -> Told: ...

    def forget(self) -> None:
        """Weights or moments may lie elsewhere in memory from now on."""
        ...


class AtOnce:
    """Runs the device's part operation by operation."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def __call__(self, phase: Phase, inputs: Inputs, program: Program) -> Told:
        return program(phase, inputs.on(self._device))

    def forget(self) -> None:
        """Nothing is remembered."""


class Step:
    """The steps of one game, by its seats, from its feed."""

    def __init__(
        self,
        game: Game,
        feed: Feed,
        seats: Sequence[Seat],
        average: MovingAverage,
        runner: Runner,
        settings: FitSettings,
    ) -> None:
        """Raises: RecipeError if a batch cannot be shared by the processes, or a process's part be cut into pieces."""
        self._game, self._feed, self._seats, self._average = game, feed, seats, average
        self._runner, self._world = runner, seats[0].random.world
        self._settings, self._rows = settings, self._world.share_of(settings.batch_size)
        if self._rows % (pieces := settings.pieces):
            raise RecipeError(
                f"A batch of {self._rows} cannot be cut into {pieces} equal pieces.",
                "Each piece counts as much as any other.",
                f"Use --set optimiser.batch_size={-(-settings.batch_size // pieces) * pieces}, or other pieces.",
            )
        self._choosing = Draws(torch.Generator(), self._world)
        device = seats[0].random.device.type
        # Fused optimisers read their rate as float32 on a GPU, and as float64 on a processor; mps has no float64.
        self._rates = torch.float64 if device == "cpu" else torch.float32
        wide = device != "mps"
        self._numbers, self._places = (torch.float64, torch.int64) if wide else (torch.float32, torch.int32)
        weights = [{id(weight) for weight in seat.parameters} for seat in seats]
        self._kin = [{place for place, theirs in enumerate(weights) if ours & theirs} for ours in weights]

    def take(self, state: State, pace: Pace) -> None:
        """One step: every player that plays now takes its turn, on a fresh batch and with fresh random numbers."""
        progress, step, attempt = state.clock.progress, state.step, state.attempt
        seed, batch_size = self._settings.seed, self._settings.batch_size
        playing = [place for place, seat in enumerate(self._seats) if seat.player.plays(progress)]
        batches, places, rates, numbers, dials = [], [], [], [], []
        for seat in (self._seats[place] for place in playing):
            found = seat.player.dials(progress, state.levers)
            dials.append(tuple((name, value != 0) for name, value in found.items()))
            numbers += [value for value in found.values() if value != 0]
            rates.append(learning_rate(seat, state, self._game.product))
            self._choosing.begin(seed_for(seed, f"{seat.player.name}/batch", 0, step, attempt))
            indices = self._choosing.examples(len(self._feed), batch_size)
            if self._feed.resident:
                places.append(indices.to(self._places))
            else:
                with pace.batch(), span("data"):
                    batches.append(self._feed.batch(indices))
            seat.random.begin(seed_for(seed, f"{seat.player.name}/random", 0, step, attempt))
        shown = state.clock.examples + batch_size
        weight = self._average.weight(shown, batch_size, state.levers.half_life_examples)
        moving = torch.tensor([*rates, weight, *numbers], dtype=self._numbers)
        inputs = Inputs(torch.cat([*places, moving.view(self._places)]), tuple(batches))
        told = self._runner(Phase(tuple(playing), tuple(dials)), inputs, self.perform)
        for place, names in zip(playing, told, strict=True):
            self._seats[place].count(names)

    def forget(self) -> None:
        """To be called when weights or moments have been put back from a checkpoint."""
        self._runner.forget()

    def perform(self, phase: Phase, inputs: Inputs) -> Told:
        """The device's part.

        `alternating`: each player steps in turn, and the next one sees the step. `simultaneous`: all gradients first,
        then all steps. Where several processes train, gradients travel while the next player computes.
        """
        count, chosen = len(phase.playing), inputs.chosen
        places, chosen = chosen.tensor_split([0 if inputs.batches else count * self._rows])
        rates, others = chosen.view(self._numbers).tensor_split([count])
        weight, *moving = others.to(torch.get_default_dtype()).unbind()
        numbers, told, steps = iter(moving), [], dict[int, Averaging]()
        given: Sequence[Batch | Tensor] = inputs.batches or places.view(count, self._rows).unbind()
        turns = zip(phase.playing, phase.dials, given, rates.to(self._rates).unbind(), strict=True)
        for place, dials, batch, rate in turns:
            for kin in self._kin[place] & steps.keys():  # one player's network may hold another's
                steps[kin].finish()
            seat = self._seats[place]
            standing: dict[str, Dial] = {name: next(numbers) if on else 0.0 for name, on in dials}
            with span("data"):
                seen = self._feed.batch(batch.long()) if isinstance(batch, Tensor) else batch
            turn = Turn(seen, seat.random, standing)
            precision, pieces = self._settings.precision, self._settings.pieces
            told.append(find_gradients(seat, self._seats, turn, precision, pieces))
            steps[place] = begin_step(seat, rate, self._world)
            if self._game.order == "alternating":
                steps[place].finish_before_use_of(seat.player.network)
        for step in steps.values():
            step.finish()
        with span("average"):
            self._average.follow(weight)
        return tuple(told)
