"""Ctrl-C and a cluster's SIGTERM. While training, the first asks to save and stop; the second stops at once.

Before and after training both stop at once: everything has been saved by then.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

from ganforge.errors import Interrupted, Preempted


class _Signals:
    """A context with its own handlers for some signals. Outside the main thread it does nothing."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = numbers
        self._before: dict[int, Any] = {}

    def take(self, handler: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in self._numbers:
                self._before[number] = signal.signal(number, handler)

    def give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


class StopRequest:
    """A context in which a first signal only sets a flag. If it was SIGTERM, the end raises Preempted."""

    def __init__(self) -> None:
        self._asked_by: int | None = None
        self._signals = _Signals(signal.SIGINT, signal.SIGTERM)

    def __call__(self) -> bool:
        """Return whether a stop was requested."""
        return self._asked_by is not None

    def __enter__(self) -> Self:
        self._signals.take(self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._signals.give_back()
        if isinstance(error, Interrupted) and self._asked_by == signal.SIGTERM:
            raise Preempted(error.what, error.why, error.do) from error

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self():
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
        self._asked_by = number


class Terminated(KeyboardInterrupt):
    """SIGTERM while there is nothing to save."""


class Termination:
    """A context in which SIGTERM stops the program as Ctrl-C does: through every `finally`, and with a message."""

    def __init__(self) -> None:
        self._signals = _Signals(signal.SIGTERM)
        self.asked = False

    def __enter__(self) -> Self:
        self._signals.take(self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._signals.give_back()

    def _stop(self, number: int, frame: FrameType | None) -> NoReturn:
        self.asked = True
        raise Terminated
