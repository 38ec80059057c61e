"""The device and precision of a run, each with its reason in words; threads; names for a profiler's spans."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar, get_args

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.profiler import record_function

# Read at the first product on a GPU; without it torch.use_deterministic_algorithms refuses products there.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
THREADS = torch.get_num_threads()  # as torch found the machine, before any run of this process set its own number


@dataclass(frozen=True, slots=True)
class Machine:
    """The device of a run and what it can do."""

    device: str  # "cuda", "mps" or "cpu"
    device_reason: str
    precision: str  # "bfloat16" or "float32": what convolutions and products are computed in; losses are always float32
    precision_reason: str
    threads: int  # that share each operation on the processor
    description: str


def survey_machine() -> Machine:
    """Find the best device here. It depends on the hardware alone, not on a timing, so that plans are reproducible."""
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
        bfloat = torch.cuda.is_bf16_supported(including_emulation=False)
        why = f"{name} {'multiplies' if bfloat else 'does not multiply'} bfloat16 in hardware"
        return Machine("cuda", f"a CUDA device is here: {name}", _name(bfloat), why, THREADS, name)
    if torch.backends.mps.is_available():
        return Machine("mps", "Apple's GPU is here", "float32", "the safe choice on mps", THREADS, "Apple GPU")
    # Without one of these units bfloat16 is emulated and slower than float32.
    bfloat = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    why = f"this processor {'multiplies' if bfloat else 'does not multiply'} bfloat16 in hardware"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    where = f"a processor with {cores} cores"
    return Machine("cpu", "no CUDA or Apple GPU is here", _name(bfloat), why, 1, where)  # see side_by_side


def devices_here() -> list[str]:
    """Return the names by which a recipe may ask for a device of this machine: "cpu", "cuda", "cuda:1", "mps"."""
    here = ["cpu"]
    if torch.cuda.is_available():
        here += ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        here.append("mps")
    return here


def memory_bytes() -> int:
    """Return the bytes of memory in this machine; where the system does not report it (Windows), a huge number."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 2**62


def _name(bfloat: bool) -> str:
    return "bfloat16" if bfloat else "float32"


def widened(x: Tensor) -> Tensor:
    """Return x in float32, or in float64 if it is that already: bfloat16 is only for matrix products."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class Carrier:
    """A transfer of arrays to a device while it computes.

    To a GPU they go through pinned memory and on a stream of their own, so that the copy for the next step runs beside
    the kernels of this one. torch uses a pinned buffer again as soon as its copy is done: in the long run there are
    two, one that is filled and one that is on its way.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        on_gpu = device.type == "cuda"
        self._stream = torch.cuda.Stream(device) if on_gpu else None  # type: ignore[no-untyped-call]

    def carry(self, array: NDArray[Any]) -> Tensor:
        """Return the array on the device. Work on it there waits for the copy; the host does not."""
        here = torch.from_numpy(array)
        if self._stream is None:
            return here.to(self._device)
        pinned = here.pin_memory()
        with torch.cuda.stream(self._stream):
            there = pinned.to(self._device, non_blocking=True)
        user = torch.cuda.current_stream(self._device)
        user.wait_stream(self._stream)
        there.record_stream(user)  # its memory must not be given away while it is used
        return there


# ---- pieces of work side by side, each on one thread -----------------------------------------------------------------
# Threads that share each operation wait for each other at its end, some hundred times in a training step; beside
# another program one of them is often not scheduled, and all wait for it (docs/decisions/012). Threads that compute a
# piece each wait once. Which thread computes a piece, and whether two are computed at the same time, changes no bit of
# it.


T = TypeVar("T")

_in_order = False  # whether pieces are computed one after the other
_helpers: ThreadPoolExecutor | None = None


def threads_for(pieces: int) -> int:
    """Return how many of `pieces` are computed at once: one where operations have several threads of their own."""
    return 1 if _in_order or torch.get_num_threads() > 1 else min(pieces, THREADS)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """A context in which `count` threads share each operation of torch."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def side_by_side(pieces: Sequence[Callable[[], T]]) -> list[T]:
    """Compute `pieces`; return the results in their order.

    This thread takes piece after piece, and so does each helper that the system lets run; none waits for a helper that
    has not begun. Raises: what a piece raises, once no other piece is being computed.
    """
    helping = threads_for(len(pieces)) - 1
    if helping < 1:
        return [piece() for piece in pieces]
    waiting, results = deque(enumerate(pieces)), dict[int, T]()

    def take() -> None:
        while True:
            try:
                place, piece = waiting.popleft()
            except IndexError:
                return
            results[place] = piece()

    helpers = [_pool().submit(take) for _ in range(helping)]
    try:
        take()
    finally:
        waiting.clear()
        wait([helper for helper in helpers if not helper.cancel()])
    for helper in helpers:
        if not helper.cancelled():
            helper.result()
    return [results[place] for place in range(len(pieces))]


@contextmanager
def in_order() -> Iterator[None]:
    """Inside the context, compute pieces one after the other in the calling thread, where a profiler sees them."""
    global _in_order  # noqa: PLW0603 - one switch for the process, as torch's profiler is one for the process
    before, _in_order = _in_order, True
    try:
        yield
    finally:
        _in_order = before


def _pool() -> ThreadPoolExecutor:
    global _helpers  # noqa: PLW0603 - threads are made once for the process
    if _helpers is None:
        helpers = max(1, THREADS - 1)
        _helpers = ThreadPoolExecutor(helpers, "ganforge-piece", initializer=torch.set_num_threads, initargs=(1,))
    return _helpers


def _forget_helpers() -> None:
    """Drop the helpers in a forked process, which has only the thread that forked."""
    global _helpers  # noqa: PLW0603
    _helpers = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_helpers)


# ---- spans of a step, by which a profile groups; where nobody profiles they cost next to nothing ---------------------


Part: TypeAlias = Literal["data", "forward", "penalty", "backward", "optimiser", "average"]
PREFIX = "ganforge."
SPANS: dict[Part, AbstractContextManager[Any]] = dict.fromkeys(get_args(Part), nullcontext())
"""What happens inside `with SPANS[part]` belongs to that part."""


@contextmanager
def named() -> Iterator[None]:
    """Write spans into torch's profile inside the context."""
    SPANS.update({part: record_function(PREFIX + part) for part in SPANS})
    try:
        yield
    finally:
        SPANS.update(dict.fromkeys(SPANS, nullcontext()))
