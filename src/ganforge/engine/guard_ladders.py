"""The guard's actions against each ailment: a ladder of actions, tried one after the other from its first.

The order is that of evidence. A stronger gradient penalty is what makes adversarial training converge (Mescheder,
Geiger and Nowozin 2018); a longer average hides what the players circle around (Yazici et al. 2019); augmentation is
the remedy for a discriminator that memorises its examples (Karras et al. 2020); smaller steps cost time, so they
come later, and a network that has collapsed must be restored as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Trial:
    """An action that was taken and is yet to be judged."""

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
    """The guard's state of the run so far, besides its records."""

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
        """Return the memory from dataclasses.asdict's output. Raises: TypeError for unknown keys."""
        trial = content.get("trial")
        told = {name: tuple(content[name]) for name in ("tried", "seen", "untrained") if content[name] is not None}
        return cls(**{**content, **told, "trial": None if trial is None else Trial(**trial)})


Lever: TypeAlias = Literal[
    "learning_rate", "opponent_learning_rate", "penalty", "augmentation", "half_life_examples"
]  # a field of contracts.Levers


@dataclass(frozen=True, slots=True)
class Rung:
    """One action: a lever is multiplied, except augmentation, which is set. `rewinds`: the run is also taken back."""

    lever: Lever
    by: float
    rewinds: bool = False


_STRONGER_PENALTY = Rung("penalty", 4.0)
_WEAKER_PENALTY = Rung("penalty", 0.1)
_LONGER_AVERAGE = Rung("half_life_examples", 4.0)
_SMALLER_STEPS = Rung("learning_rate", 0.1, rewinds=True)
_SLOWER_OPPONENT = Rung("opponent_learning_rate", 0.25)
_MUCH_SLOWER_OPPONENT = Rung("opponent_learning_rate", 0.05, rewinds=True)
_AUGMENTATION = Rung("augmentation", 0.3)

_UNSTABLE = (_STRONGER_PENALTY, _LONGER_AVERAGE, _SMALLER_STEPS, _SMALLER_STEPS)
_BY_HEART = (_AUGMENTATION, _STRONGER_PENALTY, _SLOWER_OPPONENT)

# Ailments that records between the looks show too; the others are looked for only where the product was looked at.
IN_EVERY_RECORD: Final = frozenset(
    {"not_finite", "exploding", "discriminator_wins", "discriminator_blind", "vanishing"}
)

# Acted upon although quality is rising, as it does when a rate falls, but only where nothing has been learned.
UNMISTAKABLE: Final = frozenset({"overshooting", "opponent_overshooting", "hopeless"})
SHAPELESS: Final = frozenset({"shapeless", "hopeless"})

LADDERS: Final[dict[str, tuple[Rung, ...]]] = {
    "lost_ground": (_SMALLER_STEPS, _SMALLER_STEPS),  # the guard's own finding: see Guard._lost
    "shapeless": (_SMALLER_STEPS, _SMALLER_STEPS),
    "overshooting": (_SMALLER_STEPS, _SMALLER_STEPS),
    "hopeless": (_MUCH_SLOWER_OPPONENT, _SMALLER_STEPS),  # the generator's own steps would be overshooting
    "opponent_overshooting": (_MUCH_SLOWER_OPPONENT, _MUCH_SLOWER_OPPONENT),
    "not_finite": (_SMALLER_STEPS, _STRONGER_PENALTY, _SMALLER_STEPS),
    "exploding": (_SMALLER_STEPS, _STRONGER_PENALTY, _SMALLER_STEPS),  # a diverged network does not recover by itself
    "oscillating": _UNSTABLE,
    "collapse": (_STRONGER_PENALTY, _SMALLER_STEPS, _SMALLER_STEPS),
    "class_collapse": (_STRONGER_PENALTY, _SMALLER_STEPS),
    "discriminator_wins": (_STRONGER_PENALTY, _SLOWER_OPPONENT, _SMALLER_STEPS),
    "discriminator_blind": (_WEAKER_PENALTY, _WEAKER_PENALTY, _SMALLER_STEPS),
    "vanishing": (_SMALLER_STEPS, _SLOWER_OPPONENT),
    "discriminator_overfits": _BY_HEART,
}
