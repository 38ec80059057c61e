"""How long and in what portions a game is trained."""

from __future__ import annotations

from dataclasses import dataclass

from ganforge.engine.adaptive_augmentation import Adaptation


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
