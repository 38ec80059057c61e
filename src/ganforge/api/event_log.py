"""Events of what happens before, around and after training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ganforge.contracts import Observer
from ganforge.run import Run


class Teller:
    """Tells events to the observers and, from the moment that there is a run folder, to its log first."""

    def __init__(self, observers: Sequence[Observer], folder: Run | None = None) -> None:
        self.observers, self._folder = observers, folder

    def begin(self, folder: Run, observers: Sequence[Observer]) -> None:
        """Now there is a run folder."""
        self.observers, self._folder = observers, folder

    def __call__(self, kind: str, **content: Any) -> None:
        event = self._folder.add_event(kind, 0, **content) if self._folder else {"kind": kind, "step": 0, **content}
        for observer in self.observers:
            observer.event(event)
