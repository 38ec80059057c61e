"""Conditions that few training rows met: what goes with them rests on these rows alone, and that is said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ganforge.kinds.tables.codec.categories import CategoryUnit
from ganforge.kinds.tables.codec.numbers import NumberUnit, SeenValues
from ganforge.kinds.tables.columns import RARE
from ganforge.kinds.tables.rules.conditions import Condition, in_words

if TYPE_CHECKING:
    from ganforge.kinds.tables.codec.codec import TableCodec


def rare_conditions(codec: TableCodec, conditions: Sequence[Condition]) -> tuple[str, ...]:
    """Return a sentence for each condition that fewer than RARE training rows met, without a full stop.

    Conditions are counted one by one: how many rows met several at once is not kept.
    """
    found = [(condition, rows_meeting(codec, condition)) for condition in conditions]
    return tuple(
        f"{rows:,} training rows met {in_words(condition, codec.columns)}: what goes with it rests on these few"
        for condition, rows in found
        if rows is not None and rows < RARE
    )


def rows_meeting(codec: TableCodec, condition: Condition) -> int | None:
    """Return how many of the training rows that the codec was fitted on met a condition; None where it did not count.

    It counts the values of categories, and those of numbers that are drawn as they were seen.
    """
    if condition.column in codec.constants:
        return None
    unit = codec.units[codec.unit_of(condition.column)]
    if isinstance(unit, CategoryUnit):
        return round(float(unit.counts[condition.holds(unit.values)].sum()))
    if isinstance(unit, NumberUnit) and isinstance(unit.inside, SeenValues) and not condition.missing:
        return round(float(np.diff(unit.inside.cumulative)[condition.holds({unit.column: unit.inside.values})].sum()))
    return None
