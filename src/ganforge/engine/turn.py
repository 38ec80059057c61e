"""One player's turn: its loss, the gradients of its own network, one step of its optimiser. No host synchronisation.

A turn whose gradients are not finite is skipped on the device: the fused optimisers take a flag (`found_inf`) and leave
weights and moments as they were. The flags are counted and read at record steps; nothing is silently set to zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganforge.contracts import Loss, OptimiserSettings, Player, Turn
from ganforge.core.precision import widened
from ganforge.core.world import ALONE, World


@dataclass(slots=True)
class Seat:
    """A player at the table: the player, its optimiser, and what its turns have summed since the last record."""

    player: Player
    optimiser: torch.optim.Optimizer
    parameters: list[nn.Parameter]
    names: tuple[tuple[str, str], ...] = ()  # (kind, name) of each summed number, in order
    sums: Tensor | None = None  # on the device
    turns: int = 0
    skipped: Tensor | None = None  # () float32 on the device, since the last record


def build_optimiser(settings: OptimiserSettings, network: nn.Module) -> torch.optim.Optimizer:
    """A fused optimiser whose learning rate is set before every step."""
    parameters = list(network.parameters())
    if settings.kind == "sgd":
        return torch.optim.SGD(parameters, lr=settings.learning_rate.start, fused=True)
    betas = (float(settings.beta1), float(settings.beta2))
    return torch.optim.Adam(parameters, lr=settings.learning_rate.start, betas=betas, fused=True)


def sit_down(player: Player) -> Seat:
    """A seat for a player, with an empty account."""
    return Seat(player, build_optimiser(player.optimiser, player.network), list(player.network.parameters()))


def find_gradients(seat: Seat, others: Sequence[Seat], turn: Turn, precision: str) -> None:
    """Leaves the gradient of the player's loss in its parameters; every other network is frozen meanwhile."""
    for other in others:
        other.player.network.requires_grad_(False)
    seat.player.network.requires_grad_(True)  # last: one player's network may hold another's
    device = turn.random.device.type
    for parameter in seat.parameters:
        parameter.grad = None
    with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
        loss = seat.player.loss(turn)
        total = sum(loss.terms.values(), start=torch.zeros((), device=turn.random.device)).mean()
    total.backward()  # type: ignore[no-untyped-call]
    _account(seat, loss)


def take_step(seat: Seat, learning_rate: float, world: World = ALONE) -> None:
    """Steps with the gradients that `find_gradients` left, averaged over all processes, unless one is not finite.

    The test comes after the averaging, so that all processes step or none does.
    """
    gradients = [parameter.grad for parameter in seat.parameters if parameter.grad is not None]
    world.average(gradients)
    norm = torch.stack(torch._foreach_norm(gradients)).norm()
    bad = 1.0 - torch.isfinite(norm).float()
    for group in seat.optimiser.param_groups:
        group["lr"] = learning_rate
    seat.optimiser.grad_scale = None  # type: ignore[attr-defined]
    seat.optimiser.found_inf = bad  # type: ignore[attr-defined]
    seat.optimiser.step()
    assert seat.sums is not None
    seat.sums[-1] += torch.nan_to_num(norm, 0.0, 0.0, 0.0)  # only the account: the step above was skipped whole
    seat.skipped = bad if seat.skipped is None else seat.skipped + bad


def _account(seat: Seat, loss: Loss) -> None:
    """Adds the means of the terms and notes to the seat's sums; the last place is kept for the gradient norm."""
    values = torch.stack([widened(value.detach()).mean() for value in (*loss.terms.values(), *loss.notes.values())])
    names = (*(("term", name) for name in loss.terms), *(("note", name) for name in loss.notes))
    if seat.sums is None:
        seat.names, seat.sums = names, values.new_zeros(len(names) + 1)
    elif names != seat.names:  # a term that comes or goes, such as a penalty whose weight has just left 0
        _rearrange(seat, tuple(dict.fromkeys((*seat.names, *names))))
    told = torch.nan_to_num(values, 0.0, 0.0, 0.0)
    if names == seat.names:
        seat.sums[:-1] += told
    else:
        seat.sums[[seat.names.index(name) for name in names]] += told
    seat.turns += 1


def _rearrange(seat: Seat, names: tuple[tuple[str, str], ...]) -> None:
    """Makes places for terms that were not there before; a term counts as 0 in the turns in which it was absent."""
    assert seat.sums is not None
    sums = seat.sums.new_zeros(len(names) + 1)
    sums[[names.index(name) for name in seat.names]] = seat.sums[:-1]
    sums[-1] = seat.sums[-1]
    seat.names, seat.sums = names, sums


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """What a seat has summed since the last record, as a checkpoint between two records keeps it."""

    names: tuple[tuple[str, str], ...]
    sums: tuple[float, ...]
    dtype: str  # of the sums: "float32" or "float64"
    turns: int
    skipped: int


def open_account(seat: Seat) -> OpenAccount | None:
    """None if the seat has not played since the last record."""
    if seat.sums is None or seat.turns == 0:
        return None
    skipped = int(seat.skipped.item()) if seat.skipped is not None else 0
    dtype = str(seat.sums.dtype).removeprefix("torch.")
    return OpenAccount(seat.names, tuple(seat.sums.tolist()), dtype, seat.turns, skipped)


def go_on_with(seat: Seat, account: OpenAccount) -> None:
    """Puts back what `open_account` gave, so that the next record says the same as without the stop."""
    device = seat.parameters[0].device
    seat.names, seat.turns = account.names, account.turns
    seat.sums = torch.tensor(account.sums, dtype=getattr(torch, account.dtype), device=device)
    seat.skipped = torch.tensor(float(account.skipped), device=device)


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
    if seat.sums is None or seat.turns == 0:
        return None
    world.average([seat.sums])
    *means, norm = (seat.sums / seat.turns).tolist()
    skipped = int(seat.skipped.item()) if seat.skipped is not None else 0
    terms = {name: mean for (kind, name), mean in zip(seat.names, means, strict=True) if kind == "term"}
    notes = {name: mean for (kind, name), mean in zip(seat.names, means, strict=True) if kind == "note"}
    seat.sums, seat.turns, seat.skipped = None, 0, None
    return Account(terms, notes, norm, skipped)
