"""The section of a recipe that the task `translate` owns."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ganforge.recipe import TaskSection

NEXT_STEPS = {"apply RUN pictures/ --out made/": "your own pictures, of any size"}  # contracts.Model.next_steps


class Translation(TaskSection):
    """How pictures of one kind become pictures of another."""

    key: ClassVar[str] = "translate"

    pairing: Literal["paired", "unpaired"]  # whether each picture of A has its truth in B
    unpaired_by: Literal["contrastive", "cycle"] | None = None  # how a result is held to its input without a truth
    adversarial: float = Field(1.0, ge=0)  # weight of the adversarial term; 0 trains without a discriminator
    reconstruction: float = Field(2.0, ge=0)  # weight of the distance to the truth, or of what holds it to its input
    identity: float | None = Field(None, ge=0)  # without pairs: weight of how far a picture of B moves
