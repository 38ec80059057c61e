"""The cost of a training step: its time, by part, and how far that is from the machine's limits.

Time is that of ordinary steps without a profiler. Its division comes from a few more steps under torch's profiler:
on a processor by the time of each operation, on a GPU by that of its kernels. Operations and bytes are counted in one
step more: multiplications and additions of products and convolutions, and the bytes of every operation's tensors, each
read or written once.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter, process_time
from typing import Any

import torch
from torch import Tensor
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from torch.utils.flop_counter import flop_registry

from ganforge.contracts import Feed, Game
from ganforge.core.device import PREFIX, SPANS, in_order, named, threads_for, torch_threads
from ganforge.core.world import ALONE
from ganforge.engine.checkpoint import Clock, State
from ganforge.engine.control import Pace
from ganforge.engine.ema import MovingAverage
from ganforge.engine.fit import FitSettings, runner_for
from ganforge.engine.step import Runner, Step, sit_down

SIDES = {"cuda": 8192, "cpu": 1536}  # of the matrices: large enough to fill the device, small enough for a second
COPIED_BYTES = {"cuda": 2**30, "cpu": 2**28}  # beyond every cache
PEAK_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The machine's limits, each the best of a few rounds."""

    flops_per_second: float  # of one large product of random matrices, 2 n^3 operations
    bytes_per_second: float  # of one large copy, each byte counted as read and as written


def measure_ceilings(device: torch.device, precision: str) -> Ceilings:
    """Measure the limits. Args: precision "float32" or "bfloat16", that of the product."""
    side = SIDES.get(device.type, 4096)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    one, other = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))  # zeros may be faster
    result = torch.empty_like(one)
    flops = 2 * side**3 / _fastest(lambda: torch.mm(one, other, out=result), device)
    count = COPIED_BYTES.get(device.type, 2**28)
    given, taken = (torch.randint(256, (count,), dtype=torch.uint8, device=device) for _ in range(2))
    return Ceilings(flops, 2 * count / _fastest(lambda: taken.copy_(given), device))


def wait_for(device: torch.device) -> None:
    """Wait until the device has finished all queued work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _fastest(work: Callable[[], object], device: torch.device) -> float:
    """Return the least seconds."""
    seconds = []
    for _ in range(1 + PEAK_ROUNDS):  # the first one chooses kernels and touches memory
        wait_for(device)
        begun = perf_counter()
        work()
        wait_for(device)
        seconds.append(perf_counter() - begun)
    return min(seconds[1:])


WARM, TIMED, WATCHED = 5, 3, 4  # steps before anything is measured; stretches that are timed; steps that are watched
ROUNDS = 3  # in which variants are compared
OTHER = "other"
PARTS: tuple[str, ...] = (*SPANS, OTHER)
LATE = 0.9  # progress at which steps are profiled: every player plays by then
LENGTH = 10**9  # examples of a run that does not move on meanwhile
BACKWARD = "autograd::engine::evaluate_function"


@dataclass(frozen=True, slots=True)
class StepProfile:
    """One step of a game, on average."""

    device: str
    precision: str
    captured: bool  # whether the timed steps were repeated from a recording
    why_not_captured: str | None
    batch_size: int
    seconds: float  # of a step: the median of a few stretches
    seconds_lowest: float
    seconds_highest: float
    parts: Mapping[str, float]  # share of the working time, 0..1, by PARTS
    idle: float  # share of the time in which the device, or the threads that it was given, had nothing to do
    flops: float  # of a step
    bytes: float
    ceilings: Ceilings

    @property
    def examples_per_second(self) -> float:
        """Return the examples shown per second."""
        return self.batch_size / self.seconds

    @property
    def flops_share(self) -> float:
        """Return the operations per second over those of a large matrix product."""
        return self.flops / self.seconds / self.ceilings.flops_per_second

    @property
    def bytes_share(self) -> float:
        """Return the bytes per second over those of a large copy. Above 1 where tensors stay in a cache."""
        return self.bytes / self.seconds / self.ceilings.bytes_per_second


def profile_step(game: Game, feed: Feed, settings: FitSettings, seconds: float = 2.0) -> StepProfile:
    """Profile some steps of a game, which change its networks.

    Args: seconds for the steps that are timed, roughly.
    """
    player = Steps(game, feed, settings)
    device = player.device
    steps = max(1, int(seconds / TIMED / _time(player, 1)[0]))
    timed = sorted(_time(player, steps) for _ in range(TIMED))
    whole, working = timed[TIMED // 2]
    plain = Steps(game, feed, replace(settings, capture=False))  # or there would be no operation to see
    events = _watched(plain)
    kernels = sum(kernel.duration for event in events for kernel in event.kernels) / 1e6 / WATCHED
    if device.type == "cpu":
        idle = 1 - working / whole / max(torch.get_num_threads(), threads_for(settings.pieces))
    else:
        idle = 1 - kernels / whole if kernels else 0.0
    counted = _Counts()
    with counted, in_order():
        plain.play()
    return StepProfile(
        device=str(device),
        precision=settings.precision,
        captured=player.captured,
        why_not_captured=player.why_not_captured,
        batch_size=settings.batch_size,
        seconds=whole,
        seconds_lowest=timed[0][0],
        seconds_highest=timed[-1][0],
        parts=shares(events, on_device=device.type != "cpu"),
        idle=min(1.0, max(0.0, idle)),
        flops=counted.flops,
        bytes=counted.bytes,
        ceilings=measure_ceilings(device, settings.precision),
    )


@dataclass(frozen=True, slots=True)
class StepCost:
    """The operations of a step, independent of the processor."""

    flops: float
    operations: int  # of torch, on tensors


def cost_of_step(game: Game, feed: Feed, settings: FitSettings) -> StepCost:
    """Count the cost of one step, in which every player plays."""
    player, counted = Steps(game, feed, replace(settings, capture=False), warm=0), _Counts()
    with counted, in_order():
        player.play()
    return StepCost(counted.flops, counted.operations)


class Steps:
    """Steps of a game, without a run or records."""

    def __init__(
        self, game: Game, feed: Feed, settings: FitSettings, runner: Runner | None = None, warm: int = WARM
    ) -> None:
        """Play `warm` steps to warm up. Args: runner instead of the one that `fit` would take."""
        seats = [sit_down(player) for player in game.players]
        average = MovingAverage(game.product_player.network, settings.half_life_examples)
        self.device, self.captured = seats[0].random.device, False
        self.why_not_captured: str | None = None
        runs = runner or runner_for(seats, settings, ALONE, self._hear)
        self._step = Step(game, feed, seats, average, runs, settings)
        self._state = State(Clock(LENGTH, examples=int(LATE * LENGTH)))
        self._pace = Pace(self._state)
        self.play(warm)

    def play(self, steps: int = 1) -> None:
        """Take steps at the same progress; the device may still be busy with them afterwards."""
        for _ in range(steps):
            self._step.take(self._state, self._pace)
            self._state.step += 1

    def _hear(self, kind: str, **content: Any) -> None:
        self.captured = self.captured or kind == "captured"
        if kind == "not_captured":
            self.why_not_captured = str(content["reason"])


@dataclass(frozen=True, slots=True)
class Variant:
    """Another way to play the same game."""

    words: str  # what is different
    option: str  # how a person asks for it
    settings: FitSettings
    threads: int


def gains(game: Game, feed: Feed, base: Variant, others: Sequence[Variant], seconds: float = 0.7) -> list[float]:
    """Return each variant's examples per second over those of `base`, all timed in turn, ROUNDS times."""
    rates: list[list[float]] = [[] for _ in range(1 + len(others))]
    for _ in range(ROUNDS):
        for kept, variant in zip(rates, (base, *others), strict=True):
            with torch_threads(variant.threads):
                player = Steps(game, feed, variant.settings)
                steps = max(1, int(seconds / _time(player, 1)[0]))
                kept.append(variant.settings.batch_size / _time(player, steps)[0])
    ratios = [sorted(mine / basic for mine, basic in zip(kept, rates[0], strict=True)) for kept in rates[1:]]
    return [found[ROUNDS // 2] for found in ratios]


def _time(player: Steps, steps: int) -> tuple[float, float]:
    """Return the seconds of a step by the clock, and those of all threads together."""
    wait_for(player.device)
    clock, worked = perf_counter(), process_time()
    player.play(steps)
    wait_for(player.device)
    return (perf_counter() - clock) / steps, (process_time() - worked) / steps


def _watched(player: Steps) -> Sequence[FunctionEvent]:
    activities = [ProfilerActivity.CPU]
    if player.device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    seen = profile(activities=activities)
    with _without_stderr():
        seen.start()
    with named(), in_order():
        player.play(WATCHED)
        wait_for(player.device)
    with _without_stderr():
        seen.stop()
    return list(seen.events())  # type: ignore[no-untyped-call]


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Silence stderr, to which torch's profiler writes its beginning and end without passing through Python."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def shares(events: Sequence[FunctionEvent], *, on_device: bool) -> dict[str, float]:
    """Return how working time divides into PARTS.

    The penalty is not only its own pass backwards to the input: most of it is the second one, through that pass, which
    happens later among all other gradients. It is identified by the numbers of the nodes that the first pass made.

    Args: on_device counts the kernels that an operation has started, else the time of the operation itself.
    """
    penalties = [event for event in events if event.name == PREFIX + "penalty"]
    made = _made_by_penalties(events, penalties)
    sums: defaultdict[str, float] = defaultdict(float)
    for event in events:
        if event.device_type.name == "CPU":  # the others are the kernels themselves
            spent = sum(kernel.duration for kernel in event.kernels) if on_device else event.self_cpu_time_total
            sums[_part_of(event, made, penalties)] += spent
    total = sum(sums.values()) or 1.0
    return {part: sums[part] / total for part in PARTS}


def _made_by_penalties(events: Sequence[FunctionEvent], penalties: Sequence[FunctionEvent]) -> set[int]:
    """Return the numbers of the autograd nodes that were made while the penalty went backwards."""
    made: set[int] = set()
    walked: set[int] = set()
    for event in events:
        if event.sequence_nr >= 0 and _within(event, penalties):
            (walked if event.name.startswith(BACKWARD) else made).add(event.sequence_nr)
    return made - walked


def _within(event: FunctionEvent, spans: Sequence[FunctionEvent]) -> bool:
    return any(span.time_range.start <= event.time_range.start <= span.time_range.end for span in spans)


def _part_of(event: FunctionEvent, made: set[int], penalties: Sequence[FunctionEvent]) -> str:
    here: Any = event
    backward = False
    while here is not None:
        if here.name.startswith(BACKWARD):
            backward = True
            if here.sequence_nr in made or _within(here, penalties):
                return "penalty"
        if here.name.startswith(PREFIX):
            return str(here.name.removeprefix(PREFIX))
        here = here.cpu_parent
    return "backward" if backward else OTHER  # on a GPU backpropagation has a thread of its own, outside all spans


class _Counts(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A counter of the arithmetic, bytes and operations of this thread inside the context."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops, self.bytes, self.operations = 0.0, 0.0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        self.operations += 1
        result = func(*args, **given)
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.flops += count(*args, **given, out_val=result)
        elif func is torch.ops.aten.mv.default:  # torch counts products of matrices alone
            self.flops += 2 * args[0].numel()
        if not _is_view(func):
            moved = [leaf for leaf in tree_flatten((args, given, result))[0] if isinstance(leaf, Tensor)]
            self.bytes += sum(leaf.numel() * leaf.element_size() for leaf in moved)
        return result


def _is_view(func: Any) -> bool:
    returns = func._schema.returns
    return bool(returns) and all(told.alias_info is not None and not told.alias_info.is_write for told in returns)
