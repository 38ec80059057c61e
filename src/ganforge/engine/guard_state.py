"""What the guard remembers: plain numbers and words in a run's state, so that a resumed run goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Trial:
    """An action that has been taken and waits for its judgement."""

    rung: str  # "collapse 0": the first rung of the ladder against collapse
    ailment: str  # that it is against
    lever: str  # the name of a field of contracts.Levers
    before: float | None  # where the lever was
    progress: float  # of the run when it was taken
    rewound: bool
    score: float  # of the leading measure at the last look before it
    low: float  # 95 % interval
    high: float
    looks: int = 0  # since then


@dataclass(frozen=True, slots=True)
class Memory:
    """Everything that the guard must know of the run so far besides its records."""

    tried: tuple[str, ...] = ()  # rungs, in the order of trying
    trial: Trial | None = None
    seen: tuple[str, ...] = ()  # ailments found when the run was last examined
    rest: int = 0  # looks to let pass before the next action
    returns: int = 0  # times that it has taken the run back
    given_up: int = 0  # examples that were shown and taken back
    healthy: int = 0  # step of the checkpoint to go back to
    saved: int = 0  # step of a newer one, which no look has proved yet
    untrained: tuple[float, float, float] | None = None  # the leading measure before the first step, and its interval

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Memory:
        """What dataclasses.asdict gave. Raises: TypeError for unknown keys."""
        trial = content.get("trial")
        told = {name: tuple(content[name]) for name in ("tried", "seen", "untrained") if content[name] is not None}
        return cls(**{**content, **told, "trial": None if trial is None else Trial(**trial)})
