"""The section `data` of the recipes of pictures: shape, labels, and how values of more than 8 bits are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import field_validator

from ganforge.errors import DataError
from ganforge.kinds.pictures.reading.values import Range, Reading
from ganforge.planning.draft import ASKED, Choice, Draft, choose_data
from ganforge.recipe import Data, Recipe, Request

SAY_VALUES = "Use --values."


class PictureData(Data):
    """The place and the shape of pictures, and how values of more than 8 bits become theirs."""

    apart: ClassVar[Mapping[str, str]] = {**Data.apart, "values": SAY_VALUES, "values_to": SAY_VALUES}

    values: Range | None = None  # of black and white; of a translation those of A
    values_to: Range | None = None  # of a translation, those of B

    @field_validator("values", "values_to")
    @classmethod
    def _apart(cls, values: Range | None) -> Range | None:
        if values is not None and not values[0] < values[1]:
            raise ValueError(f"black and white are {values[0]:g} and {values[1]:g}, and must rise")
        return values


def reading_of(asked: Request) -> Reading:
    """Return how values of more than 8 bits are to be read: as asked, or by looking at them."""
    return Reading(asked.options.get("values"))


def reading_again(recipe: Recipe, name: str = "values") -> Reading:
    """Return how they were read when the run began. Args: name of the setting."""
    return Reading(getattr(recipe.data, name, None), looks=False)


def choose_picture_data(
    draft: Draft,
    shape: Choice,
    data_hash: str,
    label_names: tuple[str, ...] = (),
    values: Mapping[str, Range | None] | None = None,
) -> Data:
    """Choose the section `data`: the data found, and the shape (C, H, W) for training.

    Args: values by the names of their settings.
    """
    why = ASKED if "values" in draft.request.options else "the range of the whole set: --values says otherwise"
    ranges = {name: (found, why) for name, found in (values or {}).items() if found is not None}
    named = (label_names, f"{len(label_names)} labels: one model draws each of them on demand")
    return choose_data(draft, "pictures", shape, data_hash, **({"label_names": named} if label_names else {}), **ranges)


def refuse_misfits(recipe: Recipe, shape: tuple[int, ...], label_names: tuple[str, ...] = ()) -> None:
    """Raise DataError for changed pictures whose shape or labels do not match the networks."""
    here, known = (shape, label_names), (recipe.data.shape, recipe.data.label_names)
    if here != known:
        labels = [f" and the {len(names)} labels {', '.join(names)}" if names else "" for _, names in (here, known)]
        raise DataError(
            f"The pictures at {recipe.data.source!r} do not fit this run: they have the shape {shape}{labels[0]}.",
            f"Its networks were made for the shape {known[0]}{labels[1]}.",
            "Put the old pictures back, or train a new run.",
        )
