"""Checkpoints: the full state to resume a run exactly where it stopped, written whole or not at all.

A checkpoint holds the players' networks, their optimisers' moments, the moving average (safetensors) and the clock
(JSON), with a sha256 manifest; where a measure says which product is best, that one too. It holds no random state: see
core/seeds.py. The last two are kept, and those that the guard would go back to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from safetensors.torch import load, save
from torch import Tensor

from ganforge.contracts import Levers, Player
from ganforge.core.files import check_folder, read_json_file, remove_folder, write_folder
from ganforge.core.model_files import Declared, parts_of, read_declared, read_tensors, refuse_others
from ganforge.core.world import World
from ganforge.engine.best import PREFIX, Best, Standing
from ganforge.engine.ema import MovingAverage
from ganforge.engine.guard_ladders import Memory
from ganforge.engine.step import OpenAccount, Seat, go_on_with
from ganforge.errors import RunError


@dataclass(slots=True)
class Clock:
    """The examples shown so far and the remaining range of progress."""

    length: int  # examples planned in all
    examples: int = 0
    anchor_examples: int = 0  # where the length was last changed
    anchor_progress: float = 0.0

    @property
    def progress(self) -> float:
        """Return the progress: 0 at the start, 1 when all examples have been shown."""
        left = self.length - self.anchor_examples
        if left <= 0:
            return 1.0
        share = (self.examples - self.anchor_examples) / left
        return min(1.0, self.anchor_progress + (1.0 - self.anchor_progress) * share)

    @property
    def done(self) -> bool:
        return self.examples >= self.length

    def set_length(self, length: int) -> None:
        """Plan `length` examples in all from now on; progress continues from its present value."""
        self.anchor_progress, self.anchor_examples = self.progress, self.examples
        self.length = length


def fitting_length(clock: Clock, seconds_used: float, seconds_allowed: float, examples_per_second: float) -> int | None:
    """Return how many examples in all fit the time; None if the plan would end within 3 % of the allowed time.

    A machine that was busy for a while regains its examples when it is free again.

    Args: seconds_used of training so far, and those that the looks still to come will use; seconds_allowed in all;
        examples_per_second the recent rate of the steps alone, > 0.
    """
    fits = max(0.0, seconds_allowed - seconds_used) * examples_per_second
    left = clock.length - clock.examples
    off_seconds = abs(fits - left) / examples_per_second
    return clock.examples + int(fits) if left > 0 and off_seconds > 0.03 * seconds_allowed else None


KEPT = 2
STOPPED = ".stopped"  # after the step in the name of a checkpoint that only a person's stop has made
MOMENTS = (("step", "exp_avg", "exp_avg_sq"), ("momentum_buffer",))  # what Adam and SGD keep of a weight


@dataclass(slots=True)
class State:
    """The scalar part of a run in progress."""

    clock: Clock
    step: int = 0
    seconds: float = 0.0  # of training, over all sittings
    attempt: int = 0  # one more after each rewind
    levers: Levers = field(default_factory=Levers)  # each rewind halves the learning rate
    skipped: int = 0  # turns that were not finite, in all
    streak: int = 0  # how often in a row the target was reached
    reached: bool = False  # whether the target of the run was reached
    looked: float = -1.0  # progress at which the product was last looked at
    looks: int = 0
    look_seconds: float = 0.0  # of all looks together
    standing: Standing | None = None  # of the best product; None where no measure says which that is
    accounts: dict[str, OpenAccount] = field(default_factory=dict)  # of the seats; none at a record step
    guard: Memory | None = None  # what the guard remembers; None before its first record, and where there is none

    def go_on_from(self, later: State) -> None:
        """Take over from a later state of the run what a rewind to this one does not take back."""
        self.attempt, self.seconds, self.skipped = later.attempt + 1, later.seconds, later.skipped
        self.looks, self.look_seconds = later.looks, later.look_seconds
        self.levers, self.guard = later.levers, later.guard
        if later.standing:
            self.standing = later.standing.rewound(self.standing or Standing())

    def as_json(self) -> dict[str, Any]:
        """Return the object for state.json."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> State:
        """Return the state from `as_json`'s object. Raises: TypeError for unknown keys."""
        parts = {"clock": Clock(**content["clock"]), "levers": Levers(**content["levers"])}
        state = cls(**{**content, **parts})
        state.accounts = {name: _account(account) for name, account in content.get("accounts", {}).items()}
        if "standing" in content:
            state.standing = Standing(**content["standing"])
        if "guard" in content:
            state.guard = Memory.from_json(content["guard"])
        return state


_STATE = TypeAdapter(State)  # a hash proves that a file is what was written, not who wrote it


def save_checkpoint(
    folder: Path,
    state: State,
    seats: Sequence[Seat],
    average: MovingAverage,
    best: Best | None = None,
    *,
    stopped: bool = False,
) -> Path:
    """Write `folder`/<step> and remove all but the last two and those that the guard would go back to.

    Args: stopped for one that only a person's stop has made. It is a place to resume from, and is called
        <step>.stopped: a run that was never stopped has none, so nothing is rewound to it, and it pushes out no other.
    Raises: StorageError; the older ones then remain intact.
    """

    def fill(target: Path) -> None:
        # `save` and not `save_file`: that one raises an error of its own on a full disk, which nobody would catch
        (target / "tensors.safetensors").write_bytes(_saved(seats, average, best))
        (target / "state.json").write_text(json.dumps(state.as_json(), indent=2) + "\n", "utf-8")

    written = folder / f"{state.step:09d}{STOPPED if stopped else ''}"
    write_folder(written, fill)
    for old in _stops(folder):
        if old != written:
            remove_folder(old)
    if stopped:
        return written
    # A damaged newer one, left behind when a run goes on from before it, must not count: it would push out this one.
    wanted = (state.guard.healthy, state.guard.saved) if state.guard else ()
    for old in [path for path in list_checkpoints(folder) if int(path.name) <= state.step][:-KEPT]:
        if int(old.name) not in wanted:
            remove_folder(old)
    return written


def list_checkpoints(folder: Path) -> list[Path]:
    """List the checkpoints in a folder, oldest first, damaged ones included."""
    if not folder.is_dir():
        return []
    found = (path for path in folder.iterdir() if re.fullmatch("[0-9]+", path.name))
    return sorted(path for path in found if path.is_dir() and not path.is_symlink())


def _stops(folder: Path) -> list[Path]:
    """List the checkpoint that a person's stop has made, if it is still needed. Two only after a kill."""
    found = (path for path in folder.glob(f"*{STOPPED}") if re.fullmatch("[0-9]+", path.stem))
    return sorted(path for path in found if path.is_dir() and not path.is_symlink())


def _account(content: Mapping[str, Any]) -> OpenAccount:
    names = tuple((str(kind), str(name)) for kind, name in content["names"])
    if content["dtype"] not in ("float32", "float64"):
        raise ValueError(f"no sums are of type {content['dtype']!r}")
    if len(content["sums"]) != len(names) + 1:
        raise ValueError(f"{len(content['sums'])} sums for {len(names)} names and the gradient norm")
    return OpenAccount(**{**content, "names": names, "sums": tuple(content["sums"])})


def newest_healthy(folder: Path, *, stopped: bool = False) -> tuple[Path | None, list[str]]:
    """Return the newest intact checkpoint, by its hashes, and a sentence for each damaged one that is newer.

    Args: stopped counts those that a person's stop has made.
    """
    damaged: list[str] = []
    for path in sorted([*list_checkpoints(folder), *(_stops(folder) if stopped else ())], reverse=True):
        try:
            check_folder(path)
        except RunError as error:
            damaged.append(str(error))
            continue
        return path, damaged
    return None, damaged


def go_back(folder: Path, step: int) -> Path | None:
    """Return the checkpoint at `step` and remove later ones. None, and nothing is removed, if it is damaged.

    The newest goes first, so that a kill in between leaves a run that comes to this point again.
    """
    wanted = folder / f"{step:09d}"
    try:
        check_folder(wanted)
    except RunError:
        return None
    for later in (*_stops(folder), *reversed([path for path in list_checkpoints(folder) if int(path.name) > step])):
        remove_folder(later)
    return wanted


@torch.no_grad()
def load_checkpoint(path: Path, seats: Sequence[Seat], average: MovingAverage, best: Best | None = None) -> State:
    """Put a checkpoint back into the networks, optimisers and average, and return the scalar state.

    Args: best is restored from the checkpoint; without it that part of the checkpoint is ignored.
    Raises: RunError if it does not fit the networks; they are then as they were.
    """
    try:
        state = _STATE.validate_python(State.from_json(read_json_file(path / "state.json")).as_json())
        if min(state.step, state.clock.examples, state.clock.length) < 0:
            raise ValueError("a count is below 0")
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(
            f"{path / 'state.json'} cannot be used: {str(error).splitlines()[0]}.",
            "It is damaged, or another version of ganforge wrote it.",
            "Train again, or resume with the version that wrote it.",
        ) from error
    tensors = path / "tensors.safetensors"
    declared = read_declared(tensors)
    refuse_others(tensors, declared, _expected(declared, seats, average))
    _restore(read_tensors(tensors), seats, average, best, str(path))
    for seat in seats:
        if account := state.accounts.pop(seat.player.name, None):
            go_on_with(seat, account)
    return state


def restore_network(folder: Path, player: Player) -> str:
    """Put the weights of the newest intact checkpoint into a player's network; return why not, "" if it was done.

    Raises: RunError if they do not fit it.
    """
    path, _ = newest_healthy(folder, stopped=True)
    if path is None:
        return "No intact checkpoint is left in the run."
    tensors, prefix = path / "tensors.safetensors", f"{player.name}/network/"
    expected = {name: Declared.of(tensor) for name, tensor in player.network.state_dict().items()}
    refuse_others(tensors, parts_of(read_declared(tensors), prefix), expected)
    player.network.load_state_dict(parts_of(read_tensors(tensors), prefix))
    return ""


@torch.no_grad()
def share_checkpoint(
    world: World, state: State, seats: Sequence[Seat], average: MovingAverage, best: Best | None
) -> State:
    """Broadcast everything that the leader's checkpoint would hold, and return the leader's state."""
    if world.size == 1:
        return state
    told = State.from_json(world.tell(state.as_json()))
    content = world.tell_bytes(_saved(seats, average, best) if world.leads else b"")
    if not world.leads:
        _restore(load(content), seats, average, best, "the leader's checkpoint")
    return told


def _saved(seats: Sequence[Seat], average: MovingAverage, best: Best | None) -> bytes:
    tensors = {**dict(_tensors(seats, average)), **dict(best.tensors() if best else ())}
    written, own = {}, set()
    for name, tensor in tensors.items():  # one network may be part of another: safetensors keeps no tensor twice
        whole = tensor.contiguous()
        written[name] = whole.clone() if whole.data_ptr() in own else whole
        own.add(whole.data_ptr())
    return save(written)


def _restore(
    everything: Mapping[str, Tensor], seats: Sequence[Seat], average: MovingAverage, best: Best | None, where: str
) -> None:
    kept = {name: tensor for name, tensor in everything.items() if name.startswith(PREFIX)}
    stored = {name: tensor for name, tensor in everything.items() if name not in kept}
    for seat in seats:
        _restore_moments(seat, stored)
    present = dict(_tensors(seats, average))
    if set(present) != set(stored) or any(present[name].shape != stored[name].shape for name in present):
        raise RunError(
            f"{where} does not fit this run's networks.",
            "The recipe or ganforge has changed since it was written.",
            "Train again, or resume with the version that wrote it.",
        )
    for name, tensor in present.items():
        tensor.copy_(stored[name])
    if best is not None:
        best.restore(kept, average.network)


def _expected(declared: Mapping[str, Declared], seats: Sequence[Seat], average: MovingAverage) -> dict[str, Declared]:
    """Return what a checkpoint of these networks may declare: all of them, known kinds of moments, all of the best."""
    expected: dict[str, Declared] = {}
    for seat in seats:
        network = seat.player.network.state_dict()
        expected |= {f"{seat.player.name}/network/{name}": Declared.of(tensor) for name, tensor in network.items()}
        for index, parameter in enumerate(seat.parameters):
            prefix, like = f"{seat.player.name}/optimiser/{index}/", Declared.of(parameter)
            kinds = next((kinds for kinds in MOMENTS if all(prefix + kind in declared for kind in kinds)), ())
            for kind in kinds:
                here = declared[prefix + kind]
                counter = kind == "step" and here.shape == () and here.dtype in ("float32", "float64")
                expected[prefix + kind] = here if counter else like
    product = {name: Declared.of(tensor) for name, tensor in average.network.state_dict().items()}
    expected |= {f"average/{name}": tensor for name, tensor in product.items()}
    if any(name.startswith(PREFIX) for name in declared):
        expected |= {f"{PREFIX}{name}": tensor for name, tensor in product.items()}
    return expected


def _tensors(seats: Sequence[Seat], average: MovingAverage) -> Iterable[tuple[str, Tensor]]:
    """Return every tensor of a run under a stable name; the tensors themselves, not copies."""
    for seat in seats:
        for name, tensor in seat.player.network.state_dict().items():
            yield f"{seat.player.name}/network/{name}", tensor
        for index, parameter in enumerate(seat.parameters):
            for name, value in sorted(seat.optimiser.state[parameter].items()):
                if isinstance(value, Tensor):
                    yield f"{seat.player.name}/optimiser/{index}/{name}", value
    for name, tensor in average.network.state_dict().items():
        yield f"average/{name}", tensor


def _restore_moments(seat: Seat, stored: Mapping[str, Tensor]) -> None:
    """Give the optimiser empty moments of the stored kinds: it makes its own only at its first step."""
    for index, parameter in enumerate(seat.parameters):
        prefix = f"{seat.player.name}/optimiser/{index}/"
        moments = {name.removeprefix(prefix): value for name, value in stored.items() if name.startswith(prefix)}
        seat.optimiser.state[parameter] = {
            name: torch.zeros_like(parameter) if value.shape == parameter.shape else value.to(parameter.device)
            for name, value in moments.items()
        }
