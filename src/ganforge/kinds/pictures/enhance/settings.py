"""The section of a recipe that the task `enhance` owns."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ganforge.recipe import TaskSection

NEXT_STEPS = {  # contracts.Model.next_steps
    "apply RUN pictures/ --out made/": "your own pictures, of any size",
    "apply RUN pictures/ --out sharp/ --strength 1": "choose between faithful (0) and sharp (1)",
}


class Enhancement(TaskSection):
    """What is taken back from pictures."""

    key: ClassVar[str] = "enhance"

    degradation: str  # steps separated by commas, such as "noise:0-50,jpeg:20"
    patch: int = Field(48, ge=24, le=96, multiple_of=12)  # pixels of the side of what is learned from at a time
    sharp_from: float = Field(0.7, ge=0, le=1)  # progress from which the discriminator and the sharp end play
    adversarial: float = Field(0.01, ge=0)  # weight of the adversarial loss beside the mean error, of values in -1..1
    sharp_rate: float = Field(5e-4, gt=0)  # learning rate of both from progress 0 on, falling linearly to 0 at 1
