"""One trainer per run folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganforge.core.files import write_whole
from ganforge.errors import RunError


@contextmanager
def hold(lock: Path) -> Iterator[None]:
    """Holds a run folder's lock file while training.

    Raises: RunError with the other's process id if a living process holds it.
    """
    holder = _holder(lock)
    if holder is not None and holder != os.getpid() and _alive(holder):
        raise RunError(
            f"{lock.parent} is in use by process {holder}.",
            "Two trainers would spoil one run.",
            "Wait for it or stop it.",
        )
    write_whole(lock, f"{os.getpid()}\n".encode())
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def held_by(lock: Path) -> int | None:
    """The process that holds a run now, or None."""
    holder = _holder(lock)
    return holder if holder is not None and _alive(holder) else None


def _holder(lock: Path) -> int | None:
    try:
        return int(lock.read_text("ascii"))
    except (OSError, ValueError):
        return None


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
