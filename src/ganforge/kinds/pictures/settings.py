"""What the tasks on pictures own of a recipe, and what their models' model.json says."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from ganforge.errors import DataError
from ganforge.recipe import Recipe, TaskSection

APPLY = {"apply RUN pictures/ --out made/": "your own pictures, of any size"}
NEXT_STEPS = {  # by task: contracts.Model.next_steps
    "generate": {"sample RUN -n 64 --out new.png": "new samples"},
    "translate": APPLY,
    "enhance": {**APPLY, "apply RUN pictures/ --out sharp/ --strength 1": "choose between faithful (0) and sharp (1)"},
}


class Enhancement(TaskSection):
    """What is taken back from pictures."""

    key: ClassVar[str] = "enhance"

    degradation: str  # steps separated by commas, such as "noise:0-50,jpeg:20"
    patch: int = Field(48, ge=24, le=96, multiple_of=12)  # pixels of the side of what is learned from at a time
    sharp_from: float = Field(0.7, ge=0, le=1)  # progress from which the discriminator and the sharp end play
    adversarial: float = Field(0.01, ge=0)  # weight of the adversarial loss beside the mean error, of values in -1..1
    sharp_rate: float = Field(5e-4, gt=0)  # learning rate of both from progress 0 on, falling linearly to 0 at 1


class Translation(TaskSection):
    """How pictures of one kind become pictures of another."""

    key: ClassVar[str] = "translate"

    pairing: Literal["paired", "unpaired"]  # whether each picture of A has its truth in B
    unpaired_by: Literal["contrastive", "cycle"] | None = None  # how a result is held to its input without a truth
    adversarial: float = Field(1.0, ge=0)  # weight of the adversarial term; 0 trains without a discriminator
    reconstruction: float = Field(2.0, ge=0)  # weight of the distance to the truth, or of what holds it to its input
    identity: float | None = Field(None, ge=0)  # without pairs: weight of how far a picture of B moves


def model_description(recipe: Recipe, **more: Any) -> dict[str, Any]:
    """What model.json says. Args: more what models of this task alone need."""
    own = {recipe.own.key: recipe.own.content()} if recipe.own is not None else {}
    return {
        "ganforge": recipe.ganforge,
        "task": recipe.task,
        "kind": "pictures",
        "next_steps": NEXT_STEPS[recipe.task],
        "data": recipe.data.content(),
        "network": recipe.network.content(),
        **own,
        **more,
    }


def refuse_misfits(recipe: Recipe, shape: tuple[int, ...], label_names: tuple[str, ...] = ()) -> None:
    """Raises: DataError for changed pictures that have not the shape and the labels that the networks were made for."""
    here, known = (shape, label_names), (recipe.data.shape, recipe.data.label_names)
    if here != known:
        labels = [f" and the {len(names)} labels {', '.join(names)}" if names else "" for _, names in (here, known)]
        raise DataError(
            f"The pictures at {recipe.data.source!r} do not fit this run: they have the shape {shape}{labels[0]}.",
            f"Its networks were made for the shape {known[0]}{labels[1]}.",
            "Put the old pictures back, or train a new run.",
        )
