"""What every generated row keeps with certainty: `start <= end`, `city -> country`, `unique id`, `0 <= age <= 99`."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ordered:
    """`lower <= upper`: wherever both are there."""

    lower: str
    upper: str


@dataclass(frozen=True, slots=True)
class Within:
    """`low <= column <= high`, in plain units."""

    column: str
    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True, slots=True)
class Fixed:
    """`city -> country`: only combinations of these columns that were seen in training."""

    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unique:
    """`unique id`: no value twice, and none that stands in the training rows."""

    column: str


@dataclass(frozen=True, slots=True)
class Seen:
    """`seen store`: only values that stand in the training rows, such as a key into another table."""

    column: str


Rule = Ordered | Within | Fixed | Unique | Seen
