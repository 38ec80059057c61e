"""A column that never lies below another one: learned as the gap above it, so that no row can break the rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.data.tables.conditions import Among, Between, Condition, among_numbers
from ganforge.data.tables.datetimes import MICROSECONDS
from ganforge.data.tables.numbers import Codes, Inside, Numbers, NumberUnit, fit_numbers
from ganforge.recipe import Column


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
        return self.gap.encode_values(_gaps(plain[self.upper], self.base(plain)))

    def base(self, plain: Plain) -> Numbers:
        """(N,) what the gap is counted from: the largest lower column that is there, else the origin."""
        pairs = zip(self.lowers, self.scales, strict=True)
        largest = np.fmax.reduce(
            [
                np.ceil(plain[name] * mine / theirs) if mine < theirs else plain[name] * (mine // theirs)
                for name, (mine, theirs) in pairs
            ]
        )
        return np.where(np.isnan(largest), self.origin, largest)

    def allowed(self, conditions: tuple[Condition, ...]) -> NDArray[np.bool_]:
        """Which codes may stand for an allowed value above some value of the lower columns, (K,).

        Which of them do depends on the row: see `allowed_above`.
        """
        codes = np.ones(self.size, dtype=bool)
        for condition in conditions:
            if isinstance(condition, Between):
                codes &= self.complete
            elif self.gap.with_missing:
                codes[0] &= None in condition.values
                codes[1:] &= bool(among_numbers(condition))
        return codes

    def allowed_above(self, least: Numbers, most: Numbers, conditions: tuple[Condition, ...]) -> NDArray[np.bool_]:
        """(N, K): which codes lead from a base somewhere in least..most (N,) to a value that meets all conditions."""
        low, high = _span(conditions)
        reach = np.stack([self.gap.least, self.gap.most])  # (2, K')
        may = (least[:, None] + reach[0] <= high) & (most[:, None] + reach[1] >= low)
        none = ~may.any(axis=1)  # no gap that was seen leads there: the nearest one, and `decode` sees to the rest
        may[none, np.argmin(np.abs(least[none, None] + reach[0] - low), axis=1)] = True
        missing = self.allowed(conditions)[: int(self.gap.with_missing)]
        return np.concatenate([np.broadcast_to(missing, (len(may), len(missing))), may], axis=1)

    def decode(
        self, codes: Codes, conditions: tuple[Condition, ...], random: np.random.Generator, plain: Plain
    ) -> dict[str, NDArray[Any]]:
        """A value (N,) for each code, not below the lower columns of `plain`, within all conditions, with certainty."""
        base = self.base(plain)
        low, high = _span(conditions)
        low, high = max(low, self.low), min(high, self.high)
        gap = self.gap.decode(codes, (), random, np.maximum(low - base, 0.0), np.maximum(high - base, 0.0))[self.upper]
        values = self.gap.rounded(base + gap, np.maximum(base, low), np.maximum(high, base))
        named = [condition for condition in conditions if isinstance(condition, Among) and among_numbers(condition)]
        for condition in named:  # the nearest number that is named and not below
            numbers = np.array(among_numbers(condition))
            at = np.searchsorted(numbers, np.maximum(values, base), "left")
            values = np.where(np.isnan(values), values, numbers[np.minimum(at, len(numbers) - 1)])
        return {self.upper: values}


def fit_gaps(lowers: Sequence[Column], column: Column, plain: Plain, rows: int, spans: int, inside: Inside) -> GapUnit:
    """Args: plain training rows, in which the rule holds; the others as for `fit_numbers`."""
    values = plain[column.name]
    distance = column.model_copy(update={"minimum": 0.0, "maximum": None})
    unit = GapUnit(
        lowers=tuple(lower.name for lower in lowers),
        scales=tuple((_unit(lower), _unit(column)) for lower in lowers),
        upper=column.name,
        origin=float(np.nanmin(values)) if not np.isnan(values).all() else 0.0,
        low=-np.inf if column.minimum is None else column.minimum,
        high=np.inf if column.maximum is None else column.maximum,
        gap=fit_numbers(distance, np.zeros(1), rows, spans, inside),
    )
    gaps = _gaps(values, unit.base(plain))
    return replace(unit, gap=fit_numbers(distance, gaps, rows, spans, inside))


def _unit(column: Column) -> int:
    return MICROSECONDS[column.resolution or "D"] if column.kind == "datetime" else 1


def _gaps(values: Numbers, base: Numbers) -> Numbers:
    return np.maximum(values - base, 0.0)


def _span(conditions: tuple[Condition, ...]) -> tuple[float, float]:
    """The range in which all conditions can hold."""
    low, high = -np.inf, np.inf
    for condition in conditions:
        if isinstance(condition, Between):
            low, high = max(low, condition.low), min(high, condition.high)
        elif numbers := among_numbers(condition):
            low, high = max(low, numbers[0]), min(high, numbers[-1])
    return low, high
