"""A column that never lies below another one: learned as the gap above it, so that no row can break the rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.kinds.tables.codec.numbers import Codes, Inside, Numbers, NumberUnit, fit_numbers
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.rules.conditions import Condition, all_of


@dataclass(frozen=True, slots=True, kw_only=True)
class GapUnit:
    """`upper` as its distance from the largest of `lowers`; from `origin` in rows where all of those are missing."""

    lowers: tuple[str, ...]
    scales: tuple[tuple[int, int], ...]  # for each of them: its unit and that of `upper`, in a common one
    upper: str
    origin: float
    low: float  # the range of `upper`
    high: float
    gap: NumberUnit

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.upper,)

    @property
    def size(self) -> int:
        return self.gap.size

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Which codes stand for a value, (K,)."""
        return self.gap.complete

    def encode(self, plain: Plain) -> Codes:
        """(N,) codes; -1 for a missing value where training had none."""
        return self.gap.encode_values(self.gaps(plain))

    def gaps(self, plain: Plain) -> Numbers:
        """How far the upper column lies above its base, (N,); without the noise of a difference of decimals."""
        gaps = np.maximum(plain[self.upper] - self.base(plain), 0.0)
        return self.gap.rounded(gaps, 0.0, np.inf)

    def base(self, plain: Plain) -> Numbers:
        """(N,) what the gap is counted from: the largest lower column that is there, else the origin.

        It is moved up to what the upper column can hold: whole numbers above 2.5 begin at 3.
        """
        pairs = zip(self.lowers, self.scales, strict=True)
        largest = np.fmax.reduce(
            [
                np.ceil(plain[name] * mine / theirs) if mine < theirs else plain[name] * (mine // theirs)
                for name, (mine, theirs) in pairs
            ]
        )
        return np.where(np.isnan(largest), self.origin, self.gap.lifted(largest))

    def allowed(self, conditions: tuple[Condition, ...]) -> NDArray[np.bool_]:
        """Which codes may stand for an allowed value above some value of the lower columns, (K,).

        Which of them do depends on the row: see `allowed_above`.
        """
        asked = all_of(conditions, self.upper)
        return np.where(self.complete, not asked.nothing, asked.missing)

    def allowed_above(self, least: Numbers, most: Numbers, conditions: tuple[Condition, ...]) -> NDArray[np.bool_]:
        """(N, K): which codes lead from a base somewhere in least..most (N,) to a value that meets all conditions."""
        asked = all_of(conditions, self.upper)
        reach = np.stack([self.gap.least, self.gap.most])  # (2, K')
        may = (least[:, None] + reach[0] <= asked.high) & (most[:, None] + reach[1] >= asked.low) & (not asked.nothing)
        none = ~may.any(axis=1) & (not asked.nothing)  # no gap that was seen leads there: the nearest, and `decode`
        may[none, np.argmin(np.abs(least[none, None] + reach[0] - asked.low), axis=1)] = True
        missing = self.allowed(conditions)[: int(self.gap.with_missing)]
        return np.concatenate([np.broadcast_to(missing, (len(may), len(missing))), may], axis=1)

    def decode(
        self, codes: Codes, conditions: tuple[Condition, ...], random: np.random.Generator, plain: Plain
    ) -> dict[str, NDArray[Any]]:
        """A value (N,) for each code, not below the lower columns of `plain`, within all conditions, with certainty.

        Where the lower columns leave none, it is missing: in training they lie so high only in rows without a value.
        """
        base = self.base(plain)
        asked = all_of(conditions, self.upper)
        low, high = max(asked.low, self.low), min(asked.high, self.high)
        gap = self.gap.decode(codes, (), random, np.maximum(low - base, 0.0), np.maximum(high - base, 0.0))[self.upper]
        values = self.gap.rounded(base + gap, np.maximum(base, low), np.maximum(high, base))
        named = asked.numbers
        if named is not None and len(named):  # the nearest number that is named and not below
            at = np.searchsorted(named, np.maximum(values, base), "left")
            values = np.where(np.isnan(values), values, named[np.minimum(at, len(named) - 1)])
        return {self.upper: np.where(base > high, np.nan, values) if self.gap.with_missing else values}


def fit_gaps(lowers: Sequence[Column], column: Column, plain: Plain, rows: int, spans: int, inside: Inside) -> GapUnit:
    """Args: plain training rows, in which the rule holds; the others as for `fit_numbers`."""
    values = plain[column.name]
    distance = column.model_copy(update={"minimum": 0.0, "maximum": None})
    unit = GapUnit(
        lowers=tuple(lower.name for lower in lowers),
        scales=tuple((lower.unit, column.unit) for lower in lowers),
        upper=column.name,
        origin=float(np.nanmin(values)) if not np.isnan(values).all() else 0.0,
        low=-np.inf if column.minimum is None else column.minimum,
        high=np.inf if column.maximum is None else column.maximum,
        gap=fit_numbers(distance, np.zeros(1), rows, spans, inside),
    )
    return replace(unit, gap=fit_numbers(distance, unit.gaps(plain), rows, spans, inside))
