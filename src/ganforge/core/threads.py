"""Pieces of work computed side by side, each on one thread.

Threads that share each operation wait for each other at its end, some hundred times in a training step; beside another
program one of them is often not scheduled, and all wait for it (docs/decisions/012). Threads that compute a piece each
wait once. Which thread computes a piece, and whether two are computed at the same time, changes no bit of it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

import torch

from ganforge.core.device import THREADS

T = TypeVar("T")

_in_order = False  # whether pieces are computed one after the other
_helpers: ThreadPoolExecutor | None = None


def threads_for(pieces: int) -> int:
    """How many of `pieces` are computed at the same time: one where operations have several threads of their own."""
    return 1 if _in_order or torch.get_num_threads() > 1 else min(pieces, THREADS)


def side_by_side(pieces: Sequence[Callable[[], T]]) -> list[T]:
    """The results of `pieces`, in their order.

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
    """Within it, pieces are computed one after the other by the thread that asks, where a profiler sees them."""
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
    """A forked process has no threads but the one that forked."""
    global _helpers  # noqa: PLW0603
    _helpers = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_helpers)
