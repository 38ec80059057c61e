"""Names for stretches of a step, which a profile groups by. Where nobody profiles they cost next to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal, TypeAlias

from torch.profiler import record_function

Part: TypeAlias = Literal["data", "forward", "penalty", "backward", "optimiser", "average"]
PREFIX = "ganforge."
_NOTHING = nullcontext()
_named = False


def span(part: Part) -> AbstractContextManager[Any]:
    """What happens inside belongs to `part`."""
    return record_function(PREFIX + part) if _named else _NOTHING


@contextmanager
def named() -> Iterator[None]:
    """Within it, spans are written into torch's profile."""
    global _named  # noqa: PLW0603 - one switch for the process, as torch's profiler is one for the process
    _named = True
    try:
        yield
    finally:
        _named = False
