"""How long and in what portions a game is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ganforge.contracts import Levers
from ganforge.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptation:
    """How the strength moves."""

    player: str  # the discriminator whose notes are read
    target: float  # share of pairs ranked right, 0.5..1, at which the strength stays where it is
    ramp_examples: float  # shown while the strength goes from 0 to 1, at the most
    most: float  # the greatest strength, 0..1


def adapted(levers: Levers, record: Record, examples: int, settings: Adaptation) -> Levers:
    """The levers after one record.

    The strength is moved up or down by examples / ramp_examples, as the record says: a function of the records alone,
    so that a resumed run does the same. Args: examples shown since the record before.
    """
    notes: Mapping[str, float] = (record.get("notes") or {}).get(settings.player) or {}
    share = notes.get("ranked_right")
    if share is None:
        return levers
    step = examples / settings.ramp_examples
    moved = levers.adapted + (step if share > settings.target else -step)
    return replace(levers, adapted=min(settings.most, max(0.0, moved)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """How long and in what portions a game is trained. Everything that decides the numbers of a run is in here."""

    seed: int
    batch_size: int
    length_examples: int
    half_life_examples: float  # of the moving average
    precision: str = "float32"  # or "bfloat16"
    pieces: int = 1  # into which a batch is cut, see engine/turn.py: find_gradients
    capture: bool = True  # whether a GPU repeats a recorded step; elsewhere it makes no difference
    record_every_steps: int = 50
    checkpoint_every_steps: int = 500  # saved at the first record step from each multiple of this on
    marks: tuple[float, ...] = (1.0,)  # progress at which the product is looked at; 0.0 is before the first step
    seconds_allowed: float | None = None  # refit the length when the machine turns slower or faster
    best_by: str | None = None  # the measure of a look that says how good the product is; higher is better
    adaptation: Adaptation | None = None  # of the augmentation's strength; None leaves it alone
    patience_looks: int = 0  # looks in a row without a better product, after which the run is shortened; 0: never
