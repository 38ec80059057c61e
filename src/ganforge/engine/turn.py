"""One player's turn: its loss, the gradients of its own network, one step of its optimiser. No host synchronisation.

A turn whose gradients are not finite is skipped on the device: the fused optimisers take a flag (`found_inf`) and leave
weights and moments as they were. The flags are counted and read at record steps; nothing is silently set to zero.

What a seat sums lies at fixed places of one tensor, and the learning rate is a tensor too, so that a turn is the same
computation each time and a GPU can repeat it (engine/capture.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor, nn

from ganforge.contracts import Loss, OptimiserSettings, Player, Turn
from ganforge.core.device import side_by_side, span, widened
from ganforge.core.seeds import Draws
from ganforge.core.world import ALONE, World
from ganforge.engine.allreduce import Averaging

PLACES = 64  # of a seat's sums
NORM, SKIPPED, FIRST = 0, 1, 2  # places of the gradient norm, of the turns skipped, and of the first term or note

Name: TypeAlias = tuple[str, str]
"""(kind, name) of a summed number: ("term", "adversarial")."""


@dataclass(slots=True)
class Seat:
    """A player at the table: the player, its optimiser, and what its turns have summed since the last record."""

    player: Player
    optimiser: torch.optim.Optimizer
    parameters: list[nn.Parameter]
    random: Draws  # on the device; seeded anew for each turn
    sums: Tensor  # (PLACES,) on the device
    names: list[Name] = field(default_factory=list)  # of the sums from FIRST on; a name keeps its place
    heard: dict[Name, None] = field(default_factory=dict)  # names of which a turn has told since the last record
    turns: int = 0

    def count(self, names: Iterable[Name]) -> None:
        """One more turn, which told of `names`."""
        self.turns += 1
        self.heard |= dict.fromkeys(names)


def build_optimiser(settings: OptimiserSettings, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    """A fused optimiser whose learning rate is a tensor that is given before every step."""
    start = torch.tensor(settings.learning_rate.start)
    if settings.kind == "sgd":
        return torch.optim.SGD(parameters, lr=start, fused=True)
    betas = (float(settings.beta1), float(settings.beta2))
    return torch.optim.Adam(parameters, lr=start, betas=betas, fused=True, capturable=parameters[0].is_cuda)


def sit_down(player: Player, world: World = ALONE) -> Seat:
    """A seat for a player, with an empty account."""
    parameters = list(player.network.parameters())
    device, dtype = parameters[0].device, torch.promote_types(parameters[0].dtype, torch.float32)
    random, sums = Draws(torch.Generator(device), world), torch.zeros(PLACES, dtype=dtype, device=device)
    return Seat(player, build_optimiser(player.optimiser, parameters), parameters, random, sums)


def find_gradients(seat: Seat, others: Sequence[Seat], turn: Turn, precision: str, pieces: int = 1) -> tuple[Name, ...]:
    """Leaves the gradient of the player's loss in its parameters; every other network is frozen meanwhile.

    Args: pieces into which the batch is cut: the gradient is the same mean over all examples, and takes the memory of
        one piece. They go through the networks one after the other, on a processor side by side (core/device.py).
    Returns: the names of what the loss tells, which has been added to the seat's sums.
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
        with span("backward"):
            # For these alone: an input that a penalty differentiates by wants no gradient of its own.
            (total / pieces).backward(inputs=seat.parameters)  # type: ignore[no-untyped-call]
        told |= dict.fromkeys(_account(seat, loss, pieces))
    return tuple(told)


def _loss(seat: Seat, turn: Turn, precision: str) -> tuple[Loss, Tensor]:
    """The player's loss on a turn, and the mean over its examples of the sum of its terms."""
    device = turn.random.device
    with span("forward"), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        loss = seat.player.loss(turn)
        return loss, sum(loss.terms.values(), start=torch.zeros((), device=device)).mean()


def _side_by_side(seat: Seat, turn: Turn, precision: str, pieces: int) -> list[Loss]:
    """Leaves the gradient in the player's parameters, summed in the order of the pieces. Returns: each piece's loss."""

    def work(piece: Turn) -> tuple[Loss, tuple[Tensor | None, ...]]:
        loss, total = _loss(seat, piece, precision)
        with span("backward"):
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
    """Turns over parts of the batch. They share the random numbers' generator, so each draws its own."""
    parts = {name: x.chunk(pieces) for name, x in turn.batch.items()}
    for place in range(pieces):
        yield Turn({name: part[place] for name, part in parts.items()}, turn.random, turn.dials)


def begin_step(seat: Seat, learning_rate: Tensor | float, world: World = ALONE) -> Averaging:
    """Begins to average over all processes the gradients that `find_gradients` left; the step is taken when that is
    finished, unless a gradient is not finite. That is asked after the averaging, so that all processes step or none.

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
        with span("optimiser"):
            seat.optimiser.step()
        seat.sums[NORM] += torch.nan_to_num(norm, 0.0, 0.0, 0.0)  # only the account: the step was skipped whole
        seat.sums[SKIPPED] += bad

    return Averaging(world.send_off(gradients), step)


def _account(seat: Seat, loss: Loss, pieces: int) -> tuple[Name, ...]:
    """Adds the means of the terms and notes, of one piece of a batch, to the seat's sums."""
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
    """What a seat has summed since the last record, as a checkpoint between two records keeps it."""

    names: tuple[Name, ...]
    sums: tuple[float, ...]  # of the names in order, and of the gradient norm
    dtype: str  # of the sums: "float32" or "float64"
    turns: int
    skipped: int


def open_account(seat: Seat) -> OpenAccount | None:
    """None if the seat has not played since the last record."""
    if seat.turns == 0:
        return None
    numbers = seat.sums.tolist()
    sums = (*(numbers[FIRST + seat.names.index(name)] for name in seat.heard), numbers[NORM])
    dtype = str(seat.sums.dtype).removeprefix("torch.")
    return OpenAccount(tuple(seat.heard), sums, dtype, seat.turns, int(numbers[SKIPPED]))


def go_on_with(seat: Seat, account: OpenAccount) -> None:
    """Puts back what `open_account` gave, so that the next record says the same as without the stop."""
    seat.names += [name for name in account.names if name not in seat.names]
    seat.heard, seat.turns = dict.fromkeys(account.names), account.turns
    *sums, norm = account.sums
    numbers = dict(zip(account.names, sums, strict=True))
    summed = [norm, float(account.skipped), *(numbers.get(name, 0.0) for name in seat.names)]
    seat.sums[: len(summed)] = torch.tensor(summed, dtype=getattr(torch, account.dtype))


@dataclass(frozen=True, slots=True)
class Account:
    """What a player's turns gave since the last record, read from the device in one go."""

    terms: dict[str, float]
    notes: dict[str, float]
    gradient_norm: float
    skipped: int


def settle(seat: Seat, world: World = ALONE) -> Account | None:
    """Reads and clears a seat's account: the one host synchronisation. None if it has not played since.

    Of a run that several processes train, the means are over the examples of all.
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
