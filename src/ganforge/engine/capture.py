"""A step recorded once and repeated: on a GPU, a small network's step is hundreds of kernels that cost the host more to
launch than the device to run.

The first steps of a phase run operation by operation. Then the device's part of a step is recorded while it runs over
fixed places in memory, and from there on a step is: fill the places, repeat. Nothing else differs: random numbers come
from the same generators, seeded anew before each step, and so the samples are the same. A phase that cannot be recorded
goes on operation by operation, and the reason is reported.

Source: PyTorch's "CUDA semantics", section CUDA graphs, whose rules are kept: no synchronisation, no memory from
outside, warm-up on a side stream, generators registered, optimisers capturable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor

from ganforge.engine.step import Inputs, Phase, Program, Seat, Told, queued

WARM_UP = 3  # steps of a phase before it is recorded: kernels are chosen and moments are made in them
MOST_PHASES = 8  # that are recorded: each holds the memory of a whole step

Repeat: TypeAlias = Callable[[], None]


class Recorder(Protocol):
    """A recorder of a device's operations."""

    def warm_up(self, work: Callable[[], Told]) -> Told:
        """Run `work` in the environment in which it will be recorded."""
        ...

    def record(self, work: Callable[[], Told]) -> tuple[Told, Repeat]:
        """Record `work` without executing it, and return a function that repeats it over the same memory.

        Raises: RuntimeError if something in it cannot be recorded. Earlier recordings must then be discarded.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Recording:
    places: Inputs  # where each step's inputs are put
    told: Told
    repeat: Repeat
    gradients: tuple[tuple[Tensor | None, ...], ...]  # of each seat: where a repeated step leaves them


class Captured:
    """A runner that repeats recorded steps of each phase (engine/step.Runner)."""

    def __init__(self, recorder: Recorder, seats: Sequence[Seat], tell: Callable[..., None]) -> None:
        """Args: tell(kind, **content) reports an event."""
        self._recorder, self._seats, self._tell = recorder, seats, tell
        self._device = seats[0].random.device
        self._recordings: dict[Phase, _Recording] = {}
        self._steps: dict[Phase, int] = {}  # of each phase that is not recorded
        self._last: _Recording | None = None
        self._gave_up = False  # nothing more is recorded, once that has failed

    def __call__(self, phase: Phase, inputs: Inputs, program: Program) -> Told:
        recording = self._recordings.get(phase) or self._new(phase, inputs, program)
        if recording is not None and not _same_shapes(recording.places, inputs):
            self._refuse("the shape of a batch changes from step to step")
            self.forget()
            recording = None
        if recording is None:
            self._last = None
            return self._recorder.warm_up(lambda: program(phase, inputs.on(self._device)))
        self._fill(recording.places, inputs)
        recording.repeat()
        if recording is not self._last:  # a record step reads gradients from the weights
            for seat, gradients in zip(self._seats, recording.gradients, strict=True):
                for parameter, gradient in zip(seat.parameters, gradients, strict=True):
                    parameter.grad = gradient
            self._last = recording
        return recording.told

    def forget(self) -> None:
        """Discard the recordings, which hold addresses; they are made anew."""
        self._recordings, self._steps, self._last = {}, {}, None

    def _new(self, phase: Phase, inputs: Inputs, program: Program) -> _Recording | None:
        """Record a phase once it is warm; None before, and if it cannot be recorded."""
        seen = self._steps[phase] = self._steps.get(phase, 0) + 1
        if self._gave_up or seen <= WARM_UP:
            return None
        if len(self._recordings) == MOST_PHASES:
            self._refuse(f"this is the phase after the first {MOST_PHASES}, and each takes memory")
            return None
        batches = tuple({name: x.clone() for name, x in batch.items()} for batch in inputs.batches)
        places = Inputs(inputs.chosen.to(self._device, copy=True), batches)
        try:
            told, repeat = self._recorder.record(lambda: program(phase, places))
        except RuntimeError as error:
            self._refuse(str(error).strip().splitlines()[0])
            self.forget()
            return None
        gradients = tuple(tuple(parameter.grad for parameter in seat.parameters) for seat in self._seats)
        self._recordings[phase] = _Recording(places, told, repeat, gradients)
        self._tell("captured", players=[self._seats[place].player.name for place in phase.playing])
        return self._recordings[phase]

    def _fill(self, places: Inputs, inputs: Inputs) -> None:
        places.chosen.copy_(queued(inputs.chosen, self._device), non_blocking=True)
        for kept, given in zip(places.batches, inputs.batches, strict=True):
            for name, x in given.items():
                kept[name].copy_(x, non_blocking=True)

    def _refuse(self, reason: str) -> None:
        self._gave_up = True
        self._tell("not_captured", reason=reason)


class CudaRecorder:
    """A recorder of CUDA graphs, each with memory of its own, so that they may be repeated in any order."""

    def __init__(self, device: torch.device, generators: Sequence[torch.Generator]) -> None:
        self._stream, self._generators = torch.cuda.Stream(device), generators  # type: ignore[no-untyped-call]

    def warm_up(self, work: Callable[[], Told]) -> Told:
        """Run `work` on the stream of the recording: autograd remembers the stream on which it first met a weight."""
        user = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(user)
        with torch.cuda.stream(self._stream):
            told = work()
        user.wait_stream(self._stream)
        return told

    def record(self, work: Callable[[], Told]) -> tuple[Told, Repeat]:
        """Record a graph. Nothing runs meanwhile."""
        # A graph and the places of its seeds lie on the current device, which "cuda:1" alone does not choose.
        with torch.cuda.device(self._stream.device):
            user, graph, pool = torch.cuda.current_stream(), torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()
            for generator in self._generators:
                graph.register_generator_state(generator)
            cause: RuntimeError | None = None
            try:
                with torch.cuda.graph(graph, pool=pool, stream=self._stream):
                    try:
                        told = work()
                    except RuntimeError as error:
                        cause = error
                        raise
            except RuntimeError as error:  # the error at the end of a recording only means that something failed before
                torch.cuda.set_stream(user)  # torch.cuda.graph does so only where the recording ended well
                _end_pool(graph, pool)
                self._renew_generators()
                raise (cause or error) from None
        return told, graph.replay

    def _renew_generators(self) -> None:
        """Give every generator a new state, with the same seed and offset.

        In torch 2.11 the generators of a failed recording behave as if it still ran: the next number that is drawn
        raises "Offset increment outside graph capture encountered unexpectedly".
        """
        default = torch.cuda.default_generators[torch.cuda.current_device()]  # torch records it without being asked
        for generator in (*self._generators, default):
            fresh = torch.Generator(generator.device)
            fresh.set_state(generator.get_state())
            generator.graphsafe_set_state(fresh)


_FAILED: list[torch.cuda.CUDAGraph] = []
"""Recordings that failed. They must live on: torch's allocator of pinned memory may still ask them what is theirs."""


def _end_pool(graph: torch.cuda.CUDAGraph, pool: Any) -> None:
    """Close what a failed recording leaves open in torch 2.11: the allocator behaves as if it still ran, and keeps
    every batch that came over another stream until it ends."""
    _FAILED.append(graph)
    device = torch.cuda.current_device()
    try:
        torch._C._cuda_endAllocateToPool(device, pool)
    except RuntimeError:  # torch has done it
        return
    torch._C._cuda_releasePool(device, pool)


def _same_shapes(places: Inputs, inputs: Inputs) -> bool:
    """Return whether batches have the same shapes; the phase gives the length of what is chosen."""
    shapes = [[{name: x.shape for name, x in batch.items()} for batch in given.batches] for given in (places, inputs)]
    return shapes[0] == shapes[1]
