"""One step of a game: players' turns, their gradients and optimiser steps, then the moving average.

A turn is one player's loss, the gradients of its own network, and one step of its optimiser, without host
synchronisation. One whose gradients are not finite is skipped on the device: the fused optimisers take a flag
(`found_inf`) and leave weights and moments as they were. The flags are counted and read at record steps.

A step has two parts. The host chooses the examples, the seeds, and the value of every number that moves: a few
hundred bytes. The device's part is a fixed computation over those, over weights and over moments; what a seat sums lies
at fixed places of one tensor. It needs nothing from the host and returns nothing, so a GPU can repeat it from a
recording (capture.py). Run at once or repeated, the numbers are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from ganforge.contracts import Batch, Dial, Feed, Game, Levers, Loss, Player, Turn
from ganforge.core.device import SPANS, side_by_side, widened
from ganforge.core.seeds import Draws, seed_for
from ganforge.core.world import ALONE, World
from ganforge.engine.allreduce import Averaging
from ganforge.engine.ema import MovingAverage
from ganforge.engine.optimiser import build_optimiser
from ganforge.engine.private import PrivateTurns
from ganforge.errors import RecipeError

if TYPE_CHECKING:
    from ganforge.engine.checkpoint import State
    from ganforge.engine.control import Pace
    from ganforge.engine.fit import FitSettings

PLACES = 64  # of a seat's sums
NORM, SKIPPED, FIRST = 0, 1, 2  # places of the gradient norm, of the turns skipped, and of the first term or note

Name: TypeAlias = tuple[str, str]
"""(kind, name) of a summed number: ("term", "adversarial")."""


@dataclass(slots=True)
class Seat:
    """A player in the loop: the player, its optimiser, and the sums of its turns since the last record."""

    player: Player
    optimiser: torch.optim.Optimizer
    parameters: list[nn.Parameter]
    random: Draws  # on the device; seeded anew for each turn
    sums: Tensor  # (PLACES,) on the device
    names: list[Name] = field(default_factory=list)  # of the sums from FIRST on; a name keeps its place
    heard: dict[Name, None] = field(default_factory=dict)  # names that a turn has reported since the last record
    turns: int = 0

    def count(self, names: Iterable[Name]) -> None:
        """Count one more turn, which reported `names`."""
        self.turns += 1
        self.heard |= dict.fromkeys(names)


def sit_down(player: Player, world: World = ALONE) -> Seat:
    """Make a seat for a player, with an empty account."""
    parameters = list(player.network.parameters())
    device, dtype = parameters[0].device, torch.promote_types(parameters[0].dtype, torch.float32)
    random, sums = Draws(torch.Generator(device), world), torch.zeros(PLACES, dtype=dtype, device=device)
    return Seat(player, build_optimiser(player.optimiser, parameters), parameters, random, sums)


def learning_rate(seat: Seat, progress: float, levers: Levers, product: str) -> float:
    """Return a player's learning rate at `progress`. Args: product the player whose network is the product, by name."""
    factor = levers.learning_rate * (1.0 if seat.player.name == product else levers.opponent_learning_rate)
    return factor * seat.player.optimiser.learning_rate.at(progress)


def find_gradients(seat: Seat, others: Sequence[Seat], turn: Turn, precision: str, pieces: int = 1) -> tuple[Name, ...]:
    """Leave the gradient of the player's loss in its parameters; every other network is frozen meanwhile.

    Args: pieces into which the batch is cut: the gradient is the same mean over all examples, and takes the memory of
        one piece. They go through the networks one after the other, on a processor side by side (core/device.py).
    Returns: the names of the loss's terms and notes, which have been added to the seat's sums.
    """
    for other in others:
        other.player.network.requires_grad_(False)
    seat.player.network.requires_grad_(True)  # last: one player's network may hold another's
    for parameter in seat.parameters:
        parameter.grad = None
    told = dict[Name, None]()
    if pieces > 1 and turn.random.device.type == "cpu":
        for loss in _side_by_side(seat, turn, precision, pieces):
            told |= dict.fromkeys(_account(seat, loss, pieces))
        return tuple(told)
    for piece in _cut(turn, pieces):
        loss, total = _loss(seat, piece, precision)
        with SPANS["backward"]:
            # For these alone: an input that a penalty differentiates by wants no gradient of its own.
            (total / pieces).backward(inputs=seat.parameters)  # type: ignore[no-untyped-call]
        told |= dict.fromkeys(_account(seat, loss, pieces))
    return tuple(told)


def _loss(seat: Seat, turn: Turn, precision: str) -> tuple[Loss, Tensor]:
    """Return the player's loss on a turn, and the mean over its examples of the sum of its terms."""
    device = turn.random.device
    with SPANS["forward"], torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        loss = seat.player.loss(turn)
        return loss, sum(loss.terms.values(), start=torch.zeros((), device=device)).mean()


def _side_by_side(seat: Seat, turn: Turn, precision: str, pieces: int) -> list[Loss]:
    """Leave the gradient in the player's parameters, summed in the order of the pieces. Returns: each piece's loss."""

    def work(piece: Turn) -> tuple[Loss, tuple[Tensor | None, ...]]:
        loss, total = _loss(seat, piece, precision)
        with SPANS["backward"]:
            return loss, torch.autograd.grad(total / pieces, seat.parameters, allow_unused=True)

    cut = [Turn(piece.batch, turn.random.piece(place), turn.dials) for place, piece in enumerate(_cut(turn, pieces))]
    found = side_by_side([partial(work, piece) for piece in cut])
    for parameter, *gradients in zip(seat.parameters, *(gradient for _, gradient in found), strict=True):
        there = [gradient for gradient in gradients if gradient is not None]
        if there:
            parameter.grad = torch.empty_like(parameter).copy_(there[0])  # in the parameter's own order in memory
            for gradient in there[1:]:
                parameter.grad += gradient
    return [loss for loss, _ in found]


def _cut(turn: Turn, pieces: int) -> Iterator[Turn]:
    """Return turns over parts of the batch. They share the random numbers' generator, so each draws its own."""
    parts = {name: x.chunk(pieces) for name, x in turn.batch.items()}
    for place in range(pieces):
        yield Turn({name: part[place] for name, part in parts.items()}, turn.random, turn.dials)


def begin_step(seat: Seat, learning_rate: Tensor | float, world: World = ALONE) -> Averaging:
    """Begin to average over all processes the gradients that `find_gradients` left; the step is taken when that is
    finished, unless a gradient is not finite. That is checked after the averaging, so that all processes step or none.

    Args: learning_rate a number, or () on the device.
    """
    gradients = [parameter.grad for parameter in seat.parameters if parameter.grad is not None]

    def step() -> None:
        norm = torch.stack(torch._foreach_norm(gradients)).norm()
        bad = 1.0 - torch.isfinite(norm).float()
        for group in seat.optimiser.param_groups:
            group["lr"] = learning_rate
        seat.optimiser.grad_scale = None  # type: ignore[attr-defined]
        seat.optimiser.found_inf = bad  # type: ignore[attr-defined]
        with SPANS["optimiser"]:
            seat.optimiser.step()
        seat.sums[NORM] += torch.nan_to_num(norm, 0.0, 0.0, 0.0)  # only the account: the step was skipped whole
        seat.sums[SKIPPED] += bad

    return Averaging(world.send_off(gradients), step)


def _account(seat: Seat, loss: Loss, pieces: int) -> tuple[Name, ...]:
    """Add the means of the terms and notes, of one piece of a batch, to the seat's sums."""
    named = (("term", loss.terms), ("note", loss.notes))
    told = {(kind, name): widened(value.detach()).mean() for kind, found in named for name, value in found.items()}
    seat.names += [name for name in told if name not in seat.names]
    if FIRST + len(seat.names) > PLACES:
        raise ValueError(f"{seat.player.name} tells of {len(seat.names)} terms and notes, {PLACES - FIRST} at most")
    # A term that comes or goes counts as 0 in the turns in which it is absent.
    values = torch.stack([told[name] if name in told else seat.sums.new_zeros(()) for name in seat.names])
    seat.sums[FIRST : FIRST + len(values)] += torch.nan_to_num(values, 0.0, 0.0, 0.0) / pieces
    return tuple(told)


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """A seat's sums since the last record, as a checkpoint between two records keeps them."""

    names: tuple[Name, ...]
    sums: tuple[float, ...]  # of the names in order, and of the gradient norm
    dtype: str  # of the sums: "float32" or "float64"
    turns: int
    skipped: int


def open_account(seat: Seat) -> OpenAccount | None:
    """Return a seat's open account; None if it has not played since the last record."""
    if seat.turns == 0:
        return None
    numbers = seat.sums.tolist()
    sums = (*(numbers[FIRST + seat.names.index(name)] for name in seat.heard), numbers[NORM])
    dtype = str(seat.sums.dtype).removeprefix("torch.")
    return OpenAccount(tuple(seat.heard), sums, dtype, seat.turns, int(numbers[SKIPPED]))


def go_on_with(seat: Seat, account: OpenAccount) -> None:
    """Restore what `open_account` returned, so that the next record is the same as without the stop."""
    seat.names += [name for name in account.names if name not in seat.names]
    seat.heard, seat.turns = dict.fromkeys(account.names), account.turns
    *sums, norm = account.sums
    numbers = dict(zip(account.names, sums, strict=True))
    summed = [norm, float(account.skipped), *(numbers.get(name, 0.0) for name in seat.names)]
    seat.sums[: len(summed)] = torch.tensor(summed, dtype=getattr(torch, account.dtype))


@dataclass(frozen=True, slots=True)
class Account:
    """The results of a player's turns since the last record, read from the device at once."""

    terms: dict[str, float]
    notes: dict[str, float]
    gradient_norm: float
    skipped: int


def settle(seat: Seat, world: World = ALONE) -> Account | None:
    """Read and clear a seat's account: the one host synchronisation. None if it has not played since.

    In a distributed run, the means are over the examples of all processes.
    """
    if seat.turns == 0:
        return None
    used = seat.sums[: FIRST + len(seat.names)]
    world.average([used])
    norm, skipped, *sums = used.tolist()
    means = {name: total / seat.turns for name, total in zip(seat.names, sums, strict=True) if name in seat.heard}
    terms = {name: mean for (kind, name), mean in means.items() if kind == "term"}
    notes = {name: mean for (kind, name), mean in means.items() if kind == "note"}
    account = Account(terms, notes, norm / seat.turns, round(skipped))
    seat.sums.zero_()
    seat.turns, seat.heard = 0, {}
    return account


# ---- the step: the host's part, then the device's --------------------------------------------------------------------


Told: TypeAlias = tuple[tuple[Name, ...], ...]
"""Of each seat that has played, the names of what its loss tells."""


@dataclass(frozen=True, slots=True)
class Phase:
    """The properties that two steps share if they are the same computation over different numbers."""

    playing: tuple[int, ...]  # places of the seats that play, in turn order
    dials: tuple[tuple[tuple[str, bool], ...], ...]  # of each, its dials, and whether they are on


@dataclass(frozen=True, slots=True)
class Inputs:
    """The host's inputs of a step: of the same shapes at each step of a phase.

    Where examples live on the device, only their places travel, together with the numbers that move: everything that
    the host chooses is then one copy of some hundred bytes.
    """

    chosen: Tensor  # integers (n,): which examples each playing seat sees, if they live on the device; then numbers,
    # bit by bit: the playing seats' learning rates, the average's weight, and the dials that are on
    batches: tuple[Batch, ...] = ()  # of each playing seat, on the device; none where the examples live there

    def on(self, device: torch.device) -> Inputs:
        """Copy to the device. The host does not wait: a copy from pinned memory is queued like any other work."""
        return Inputs(queued(self.chosen, device).to(device, non_blocking=True), self.batches)


def queued(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a host tensor from which the device can copy while the host goes on."""
    return tensor.pin_memory() if device.type == "cuda" else tensor


class Program(Protocol):
    """The device's part of a step."""

    def __call__(self, phase: Phase, inputs: Inputs) -> Told: ...


class Runner(Protocol):
    """A way to run the device's part."""

    def __call__(self, phase: Phase, inputs: Inputs, program: Program) -> Told: ...

    def forget(self) -> None:
        """Note that weights or moments may be elsewhere in memory from now on."""
        ...


class AtOnce:
    """A runner of the device's part operation by operation."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def __call__(self, phase: Phase, inputs: Inputs, program: Program) -> Told:
        return program(phase, inputs.on(self._device))

    def forget(self) -> None:
        """Do nothing: nothing is stored."""


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
        private: PrivateTurns | None = None,
    ) -> None:
        """Args: private the private player's turns. Raises: RecipeError if a batch cannot be shared or cut."""
        self._game, self._feed, self._seats, self._average = game, feed, seats, average
        self._runner, self._world = runner, seats[0].random.world
        self._settings, self._rows, self._private = settings, self._world.share_of(settings.batch_size), private
        if self._rows % (pieces := settings.pieces):
            raise RecipeError(
                f"A batch of {self._rows} cannot be cut into {pieces} equal pieces.",
                "Each piece counts as much as any other.",
                f"Use --set optimiser.batch_size={-(-settings.batch_size // pieces) * pieces}, or other pieces.",
            )
        self._choosing, self._examples, self._resident = Draws(torch.Generator(), self._world), len(feed), feed.resident
        device = seats[0].random.device.type
        # Fused optimisers read their rate as float32 on a GPU, and as float64 on a processor; mps has no float64.
        self._rates = torch.float64 if device == "cpu" else torch.float32
        wide = device != "mps"
        self._numbers, self._places = (torch.float64, torch.int64) if wide else (torch.float32, torch.int32)
        weights = [{id(weight) for weight in seat.parameters} for seat in seats]
        self._kin = [{place for place, theirs in enumerate(weights) if ours & theirs} for ours in weights]

    def take(self, state: State, pace: Pace) -> None:
        """Take one step: every player that plays now takes its turn, on a new batch and with new random numbers."""
        progress, step, attempt = state.clock.progress, state.step, state.attempt
        seed, batch_size = self._settings.seed, self._settings.batch_size
        playing = [place for place, seat in enumerate(self._seats) if seat.player.plays(progress)]
        batches, places, rates, numbers, dials = [], [], [], [], []
        for seat in (self._seats[place] for place in playing):
            found = seat.player.dials(progress, state.levers)
            dials.append(tuple((name, value != 0) for name, value in found.items()))
            numbers += [value for value in found.values() if value != 0]
            rates.append(learning_rate(seat, progress, state.levers, self._game.product))
            self._choosing.begin(seed_for(seed, f"{seat.player.name}/batch", 0, step, attempt))
            indices = self._choosing.examples(self._examples, batch_size)
            if self._private:
                batches.append(self._private.begin(seat))
            elif self._resident:
                places.append(indices.to(self._places))
            else:
                with pace.batch(), SPANS["data"]:
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
        """Note that weights or moments were restored from a checkpoint."""
        self._runner.forget()

    def perform(self, phase: Phase, inputs: Inputs) -> Told:
        """Run the device's part.

        `alternating`: each player steps in turn, and the next one sees the step. `simultaneous`: all gradients first,
        then all steps. In a distributed run, gradients are averaged while the next player computes.
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
            with SPANS["data"]:
                seen = self._feed.batch(batch.long()) if isinstance(batch, Tensor) else batch
            turn = Turn(seen, seat.random, standing)
            precision, pieces = self._settings.precision, self._settings.pieces
            told.append(find_gradients(seat, self._seats, turn, precision, pieces))
            for _ in self._private.add_to(seat) if self._private else ():  # its turns but the last
                begin_step(seat, rate, self._world).finish()
                find_gradients(seat, self._seats, turn, precision, pieces)
            steps[place] = begin_step(seat, rate, self._world)
            if self._game.order == "alternating":
                steps[place].finish_before_use_of(seat.player.network)
        for step in steps.values():
            step.finish()
        with SPANS["average"]:
            self._average.follow(weight)
        return tuple(told)
