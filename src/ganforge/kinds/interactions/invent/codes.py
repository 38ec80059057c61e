"""What is known of items as codes in which all columns count alike: words as 0 and 1, numbers as ranks in 0..1.

Shape letters here: N items, F codes, C columns that count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ganforge.kinds.interactions.features import WORDS, Coding, FeatureColumn, Features
from ganforge.recipe import Section

Array = NDArray[np.float64]
MOST_KNOTS = 257  # values of a number that its ranks are told by


class Part(NamedTuple):
    """The codes of one column."""

    column: FeatureColumn
    place: slice
    form: str  # "number", "one" word of several, or "several"


class Codes(Section):
    """How features become codes, and back. It belongs to the model."""

    coding: Coding
    columns: tuple[str, ...] = Field(min_length=1)  # that count
    knots: tuple[tuple[float, ...], ...]  # (C,) values of each number, from the least; of words none
    fill: tuple[float, ...]  # (F,) the mean of each code, which stands for what is missing

    @classmethod
    def of(cls, features: Features, columns: Sequence[str]) -> Codes:
        """Choose codes by the features of the items that are learned from."""
        knots = []
        for column, place in _places(features.coding):
            if column.name in columns:
                known = features.values[:, place][~features.missing[:, place]].astype(np.float64)
                number = column.split is None and not np.isin(known, (0, 1)).all()
                shares = np.linspace(0, 1, min(MOST_KNOTS, len(known)))
                knots.append(tuple(np.quantile(known, shares, method="nearest").tolist()) if number else ())
        found = cls(coding=features.coding, columns=tuple(columns), knots=tuple(knots), fill=())
        codes, missing = found._encoded(features)
        known_counts = np.maximum(1, (~missing).sum(0))
        return found.model_copy(update={"fill": tuple((np.where(missing, 0, codes).sum(0) / known_counts).tolist())})

    @property
    def parts(self) -> list[Part]:
        """The columns that count, with their codes."""
        found, first = [], 0
        for column, knots in zip((c for c in self.coding.columns if c.name in self.columns), self.knots, strict=True):
            place = slice(first, first + len(column.features))
            form = "number" if knots else "one" if column.split == "" else "several"
            found.append(Part(column, place, form))
            first = place.stop
        return found

    @property
    def numbers(self) -> NDArray[np.bool_]:
        """Which codes are ranks of numbers, (F,)."""
        return np.concatenate([np.full(len(part.column.features), part.form == "number") for part in self.parts])

    def encoded(self, features: Features) -> Array:
        """Return the codes of items (N, F); what is missing gets the mean."""
        codes, missing = self._encoded(features)
        return np.where(missing, np.array(self.fill), codes)

    def missing(self, features: Features) -> list[list[str]]:
        """Return the columns that are missing of each item."""
        _, missing = self._encoded(features)
        return [[part.column.name for part in self.parts if row[part.place].any()] for row in missing]

    def _encoded(self, features: Features) -> tuple[Array, NDArray[np.bool_]]:
        places = {column.name: place for column, place in _places(self.coding)}
        values, missing = [], []
        for part, knots in zip(self.parts, self.knots, strict=True):
            own = features.values[:, places[part.column.name]].astype(np.float64)
            missing.append(features.missing[:, places[part.column.name]])
            if knots:
                low, high = np.searchsorted(knots, own, "left"), np.searchsorted(knots, own, "right")
                own = (low + high) / (2 * len(knots))
            values.append(own)
        return np.concatenate(values, 1), np.concatenate(missing, 1)

    def rows(self, codes: Array) -> dict[str, list[Any]]:
        """Return the cells of each column, as they would stand in a table. Args: codes (N, F)."""
        cells: dict[str, list[Any]] = {}
        for part, knots in zip(self.parts, self.knots, strict=True):
            own, column = codes[:, part.place], part.column
            if knots:
                ranks = np.clip((own[:, 0] * len(knots)).astype(int), 0, len(knots) - 1)
                values = np.array(knots)[ranks] * column.deviation + column.mean
                cells[column.name] = [_plain(value) for value in values.tolist()]
            elif column.split is None:
                cells[column.name] = (own[:, 0] > 0.5).astype(int).tolist()
            else:
                between = " " if column.split in ("", WORDS) else column.split
                words = np.array(column.words)
                cells[column.name] = [between.join(words[row > 0.5].tolist()) for row in own]
        return cells


def _places(coding: Coding) -> list[tuple[FeatureColumn, slice]]:
    """Return all columns with the places of their features."""
    ends = np.cumsum([0, *(len(column.features) for column in coding.columns)]).tolist()
    return [(column, slice(*ends[place : place + 2])) for place, column in enumerate(coding.columns)]


def _plain(value: float) -> float | int:
    """Return a number as it was written: standardising it in float32 costs its last digits."""
    rounded = float(f"{value:.6g}")
    return int(rounded) if rounded.is_integer() else rounded
