"""What a person asks of generated rows: `sex=Female`, `age>=60`, `income in {<=50K, >50K}`."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Among:
    """A column's value is one of these texts. None among them allows a missing value."""

    column: str
    values: frozenset[str | None]


@dataclass(frozen=True, slots=True)
class Between:
    """A number or datetime lies in low..high, in plain units (contracts.Plain), both ends included. Never missing."""

    column: str
    low: float = -math.inf
    high: float = math.inf


Condition = Among | Between
