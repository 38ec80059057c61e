"""A column that is never below others, as its distance from them: so `start <= end` holds in every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.kinds.tables.codec.numbers import (
    KEPT,
    SPIKE,
    Codes,
    Inside,
    Numbers,
    NumberUnit,
    SeenValues,
    fit_numbers,
    numbers_content,
    read_numbers,
)
from ganforge.kinds.tables.codec.rare_numbers import ends_kept
from ganforge.kinds.tables.codec.stored import Arrays, listed, rising
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.rules.conditions import Condition, all_of
from ganforge.kinds.tables.rules.values import ByDay

MORE_OFTEN = 5  # times as often as the values around it: from there on a value is frequent by itself
FEWEST = 10  # rows of such a value or base
NEAR = 3  # of those on either side
USUAL, BEYOND = 0.99, 0.75  # a base is apart where this share of its gaps is beyond that quantile of all other gaps
NOTHING = -np.inf  # the base where all lower columns are missing
ONCE = 0.01  # share of rows with a value that comes once, up to which new rows are expected to bring no new value


@dataclass(frozen=True, slots=True)
class OwnValues:
    """Values of the upper column that are learned as such, since their distance says less: 9999-12-31 means "open".

    `frequent` ones, and all above one of `bases`, whose gaps are far from all others: 1900-01-01 means "unknown".
    """

    unit: NumberUnit
    frequent: Numbers
    bases: Numbers
    usual: tuple[float, float]  # the range of all other values

    def of(self, values: Numbers, base: Numbers) -> NDArray[np.bool_]:
        """Return which rows (N,) are described so."""
        mine: NDArray[np.bool_] = (np.isin(values, self.frequent) | np.isin(base, self.bases)) & ~np.isnan(values)
        return mine

    def above(self, codes: Codes, base: Numbers, random: np.random.Generator) -> Codes:
        """Return codes of `unit` (N,): those given, if any (-1 for none); else what the base of the row calls for."""
        spans = np.arange(self.unit.size)
        usual = spans[~np.isin(self.unit.most, self.frequent)] if len(self.bases) else spans
        any_of = (usual if len(usual) else spans)[random.integers(0, len(usual) or len(spans), len(codes))]
        next_up = np.minimum(np.searchsorted(self.unit.most, base, "left"), len(spans) - 1)
        asked = np.where(np.isin(base, self.bases), any_of, next_up)
        return np.where(codes >= 0, codes, asked).astype(np.int32)


@dataclass(frozen=True, slots=True, kw_only=True)
class GapUnit:
    """`upper` as its distance from the largest of `lowers`; from `origin` in rows where all of those are missing.

    The codes of its own values, if it has any, follow those of the gaps.
    """

    lowers: tuple[str, ...]
    scales: tuple[tuple[int, int], ...]  # for each of them: its unit and that of `upper`, in a common one
    upper: str
    origin: float
    low: float  # the range of `upper`
    high: float
    gap: NumberUnit
    days: tuple[ByDay | None, ...]  # for each of `lowers`: how it is compared by the day, if it is
    own: OwnValues | None = None
    seen: SeenValues | None = None  # every training value, in one span, where they come again: no other is drawn

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.upper,)

    @property
    def size(self) -> int:
        return self.gap.size + (self.own.unit.size if self.own else 0)

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Return which codes stand for a value, (K,)."""
        return np.append(self.gap.complete, np.ones(self.size - self.gap.size, dtype=bool))

    @property
    def by_day(self) -> list[tuple[str, str]]:
        """Return the pairs of columns, lower and upper, that are compared by the day."""
        return [(name, self.upper) for name, days in zip(self.lowers, self.days, strict=True) if days]

    def encode(self, plain: Plain) -> Codes:
        """Return (N,) codes; -1 for a missing value where training had none."""
        codes = self.gap.encode_values(self.gaps(plain))
        if self.own is None:
            return codes
        values = plain[self.upper]
        mine = self.own.of(values, self._largest(plain))
        return np.where(mine, self.gap.size + self.own.unit.encode_values(values), codes).astype(np.int32)

    def gaps(self, plain: Plain) -> Numbers:
        """Return how far the upper column is above its base, (N,), without the rounding noise of decimals."""
        gaps = np.maximum(plain[self.upper] - self.base(plain), 0.0)
        return self.gap.rounded(gaps, 0.0, np.inf)

    def base(self, plain: Plain) -> Numbers:
        """Return the base of the gap, (N,): the largest lower column that is not missing, else the origin.

        It is moved up to what the upper column can hold: whole numbers above 2.5 begin at 3.
        """
        largest = self._largest(plain)
        return np.where(largest == NOTHING, self.origin, largest)

    def _largest(self, plain: Plain) -> Numbers:
        """Return the largest lower column, (N,), in the upper one's unit and decimals; NOTHING if all are missing."""
        bases = []
        for name, (mine, theirs), days in zip(self.lowers, self.scales, self.days, strict=True):
            if days:
                bases.append(days.least(plain[name]))
            else:
                bases.append(np.ceil(plain[name] * mine / theirs) if mine < theirs else plain[name] * (mine // theirs))
        largest = np.fmax.reduce(bases)
        return np.where(np.isnan(largest), NOTHING, self.gap.lifted(np.where(np.isnan(largest), 0.0, largest)))

    def allowed(self, conditions: tuple[Condition, ...]) -> NDArray[np.bool_]:
        """Return which codes may stand for an allowed value above some value of the lower columns, (K,).

        The row decides which of them do: see `allowed_above`.
        """
        asked = all_of(conditions, self.upper)
        return np.where(self.complete, not asked.nothing, asked.missing)

    def allowed_above(self, least: Numbers, most: Numbers, conditions: tuple[Condition, ...]) -> NDArray[np.bool_]:
        """Return which codes lead from a base in least..most (N,) to a value that meets all conditions, (N, K)."""
        asked = all_of(conditions, self.upper)
        reach = np.stack([self.gap.least, self.gap.most])  # (2, K')
        may = (least[:, None] + reach[0] <= asked.high) & (most[:, None] + reach[1] >= asked.low) & (not asked.nothing)
        if self.own is not None:
            theirs = self.own.unit.allowed(conditions) & (self.own.unit.most >= least[:, None])
            apart = (least == most) & np.isin(least, self.own.bases) & theirs.any(axis=1)
            may = np.concatenate([may & ~apart[:, None], theirs], axis=1)
        none = ~may.any(axis=1) & (not asked.nothing)  # no gap that was seen leads there: the nearest, and `decode`
        may[none, np.argmin(np.abs(least[none, None] + reach[0] - asked.low), axis=1)] = True
        missing = self.allowed(conditions)[: int(self.gap.with_missing)]
        return np.concatenate([np.broadcast_to(missing, (len(may), len(missing))), may], axis=1)

    def reachable(self, plain: Plain) -> NDArray[np.bool_]:
        """Return which codes lead above the lower columns (N,) of decoded rows to a value in its range, (N, K)."""
        base = self.base(plain)
        return self.allowed_above(base, base, (Condition(self.upper, high=self.high, missing=True),))

    def ends(self, codes: Codes, end: Literal["least", "most"], base: Numbers) -> Numbers:
        """Return the smallest, or largest, value (N,) that codes stand for above a base (N,); NaN for a missing one."""
        values = self.gap.ends(np.minimum(codes, self.gap.size - 1), end) + base
        if self.own is None:
            return values
        theirs = self.own.unit.ends(np.maximum(codes - self.gap.size, 0), end)
        return np.where(codes >= self.gap.size, np.fmax(theirs, base), values)

    def expected(self, shares: NDArray[np.floating[Any]], base: Numbers) -> Numbers:
        """Return the mean value above a base (N,), or the most likely of the own values where these are more likely.

        Args: shares (N, K) how likely each code is.
        """
        gaps, theirs = shares[:, int(self.gap.with_missing) : self.gap.size], shares[:, self.gap.size :]
        total = gaps.sum(axis=1)
        values: Numbers = base + (gaps @ self.gap.means) / np.where(total > 0, total, 1.0)
        if self.own is None:
            return values
        return np.where(theirs.sum(axis=1) > total, self.own.unit.means[theirs.argmax(axis=1)], values)

    def fitting(self, values: Numbers, low: Any, high: Any) -> Numbers:
        """Round values (N,) and clip them to low..high; to the nearest training value, if only those are drawn."""
        values = self.gap.rounded(values, low, high)
        if self.seen is None:
            return values
        known = self.seen.values
        at = np.clip(np.searchsorted(known, values, "left"), 0, len(known) - 1)
        below, above = known[np.maximum(at - 1, 0)], known[at]
        near = np.where((below >= low) & ((values - below < above - values) | (above > high)), below, above)
        return np.where((near >= low) & (near <= high), near, values)

    def decode(
        self, codes: Codes, conditions: tuple[Condition, ...], random: np.random.Generator, plain: Plain
    ) -> dict[str, NDArray[Any]]:
        """Draw a value (N,) for each code, not below `plain`'s lower columns, within all conditions, with certainty.

        Where the lower columns leave none, it is missing: in training they are so high only in rows without a value.
        """
        base = self.base(plain)
        asked = all_of(conditions, self.upper)
        low, high = max(asked.low, self.low), min(asked.high, self.high)
        least, most = np.maximum(base, low), np.maximum(high, base)
        values = self._above(codes, base, least, most, random)
        if self.own is not None:
            lower = self._largest(plain)
            mine = (codes >= self.gap.size) | np.isin(lower, self.own.bases) | (base > self.own.usual[1])
            spans = self.own.above(np.maximum(codes - self.gap.size, -1), lower, random)
            drawn = self.own.unit.inside.draw(spans, least, most, random)
            drawn = self.own.unit.rounded(drawn, -np.inf, np.inf)
            values = np.where(mine & ~np.isnan(values) & (drawn >= least) & (drawn <= most), drawn, values)
        named = asked.numbers
        if named is not None and len(named):  # the nearest number that is named and not below
            at = np.searchsorted(named, np.maximum(values, base), "left")
            values = np.where(np.isnan(values), values, named[np.minimum(at, len(named) - 1)])
        return {self.upper: np.where(base > high, np.nan, values) if self.gap.with_missing else values}

    def _above(
        self, codes: Codes, base: Numbers, least: Numbers, most: Numbers, random: np.random.Generator
    ) -> Numbers:
        """Draw values (N,) in least..most by their gap; by any gap where the code is that of an own value."""
        spans = codes
        if self.own is not None:
            any_gap = random.integers(int(self.gap.with_missing), self.gap.size, len(codes))
            spans = np.where(codes < self.gap.size, codes, any_gap).astype(np.int32)
            most = np.where(least <= self.own.usual[1], np.minimum(most, self.own.usual[1]), most)
        gap = self.gap.decode(spans, (), random, np.maximum(least - base, 0.0), np.maximum(most - base, 0.0))
        values = self.fitting(base + gap[self.upper], least, most)
        if self.seen is None:
            return values
        near = np.maximum(base + self.gap.ends(spans, "least"), least)
        far = np.minimum(base + self.gap.ends(spans, "most"), most)
        drawn = self.seen.draw(np.zeros_like(codes), near, far, random)
        return np.where((drawn >= near) & (drawn <= far), drawn, values)


def fit_gaps(
    lowers: Sequence[Column],
    column: Column,
    plain: Plain,
    rows: int,
    spans: int,
    inside: Inside,
    days: Sequence[ByDay | None] | None = None,
    rare: int = 0,
) -> GapUnit:
    """Fit the unit.

    Args: plain training rows, in which the rule holds; days as GapUnit.days; the others as for `fit_numbers`.
    """
    values = plain[column.name]
    distance = column.model_copy(update={"minimum": 0.0, "maximum": None})
    unit = GapUnit(
        lowers=tuple(lower.name for lower in lowers),
        scales=tuple((lower.unit, column.unit) for lower in lowers),
        upper=column.name,
        origin=ends_kept(values, rare)[0] if not np.isnan(values).all() else 0.0,
        low=-np.inf if column.minimum is None else column.minimum,
        high=np.inf if column.maximum is None else column.maximum,
        gap=fit_numbers(distance, np.zeros(1), rows, spans, inside),
        days=tuple(days or [None] * len(lowers)),
    )
    gaps, lower = unit.gaps(plain), unit._largest(plain)
    own = _own_values(column, values, lower, gaps, rows, spans, inside, rare)
    rest = np.ones(len(values), dtype=bool) if own is None else ~own.of(values, lower)
    gap = fit_numbers(distance, gaps[rest], rows, spans, inside, rare)
    seen = _all_seen(values[rest], gap, rare) if inside == "seen" else None
    return replace(unit, gap=gap, own=own, seen=seen)


def _own_values(
    column: Column, values: Numbers, base: Numbers, gaps: Numbers, rows: int, spans: int, inside: Inside, rare: int
) -> OwnValues | None:
    """Return the values that are described better by themselves than by their gaps; None if there are none.

    A frequent value is one if, in most of its rows, its gap is less frequent still.
    """
    there = ~np.isnan(values)
    values, base, gaps = values[there], base[there], gaps[there]
    distinct, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    _, gap_places, gap_counts = np.unique(gaps, return_inverse=True, return_counts=True)
    telling = np.bincount(places, counts[places] > gap_counts[gap_places], minlength=len(distinct))
    often = (counts > max(SPIKE * rows, FEWEST, rare)) & (counts > MORE_OFTEN * _neighbours(counts))
    frequent = distinct[often & (2 * telling > counts)]
    rest = ~np.isin(values, frequent)
    bases = _bases_apart(base[rest], gaps[rest], max(SPIKE * rows, FEWEST, rare))
    mine = ~rest | np.isin(base, bases)
    if not mine.any():
        return None
    others = values if mine.all() else values[~mine]
    unit = fit_numbers(column.model_copy(update={"missing": 0}), values[mine], rows, spans, inside, rare)
    return OwnValues(unit, frequent, bases, ends_kept(others, rare))


def _neighbours(counts: NDArray[np.int64]) -> Numbers:
    """Return the median of the counts (V,) of the NEAR values on either side of each; 0 where there are none."""
    padded = np.pad(counts.astype(np.float64), NEAR, constant_values=np.nan)
    shifted = [padded[at : at + len(counts)] for at in range(2 * NEAR + 1) if at != NEAR]
    return np.nan_to_num(np.nanmedian(shifted, axis=0)) if len(counts) > 1 else np.zeros(len(counts))


def _bases_apart(base: Numbers, gaps: Numbers, fewest: float) -> Numbers:
    """Return the bases of more than `fewest` rows whose gaps are far beyond all others: a date that means "unknown"."""
    distinct, places, counts = np.unique(base, return_inverse=True, return_counts=True)
    often = np.flatnonzero(counts > fewest)
    found: list[int] = []
    for place in sorted(often, key=lambda place: -float(np.median(gaps[places == place]))):
        others = gaps[~np.isin(places, np.array([*found, place]))]
        if not len(others) or (gaps[places == place] > np.quantile(others, USUAL)).mean() < BEYOND:
            break
        found.append(int(place))
    return distinct[sorted(found)]


def _all_seen(values: Numbers, unit: NumberUnit, rare: int) -> SeenValues | None:
    """Return the training values in one span where they lie apart and a new row hardly brings another; else None.

    The share of rows whose value comes once estimates the probability of a new one (Good 1953).
    """
    distinct, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    if not 1 < len(distinct) <= KEPT or (counts == 1).sum() > ONCE * counts.sum():
        return None
    step = 0.0 if unit.decimals is None else 10.0**-unit.decimals
    if np.median(np.diff(distinct)) < 1.5 * step:  # most values that can be were seen: there is nothing to keep
        return None
    distinct, counts = distinct[counts >= rare], counts[counts >= rare]
    if len(distinct) < 2:
        return None
    cumulative = np.concatenate([[0.0], np.cumsum(counts)])
    return SeenValues(distinct, cumulative, np.array([0, len(distinct)]))


# ---- as JSON and arrays, and back ---------------------------------------------------------------------------------


def gap_content(unit: GapUnit, name: str, arrays: Arrays) -> dict[str, Any]:
    """Return the unit's JSON content, and add its arrays under this name."""
    content: dict[str, Any] = {
        "lowers": list(unit.lowers),
        "scales": [list(scale) for scale in unit.scales],
        "upper": unit.upper,
        "range": [unit.origin, unit.low, unit.high],
        "gap": numbers_content(unit.gap, name, arrays),
    }
    if any(unit.days):
        content["days"] = [days and astuple(days) for days in unit.days]
    if unit.own is not None:
        arrays |= {f"{name}/frequent": unit.own.frequent, f"{name}/bases": unit.own.bases}
        content |= {"own": numbers_content(unit.own.unit, f"{name}/own", arrays), "usual": list(unit.own.usual)}
    if unit.seen is not None:
        arrays |= {f"{name}/upper": unit.seen.values, f"{name}/upper_cumulative": unit.seen.cumulative}
        content["seen"] = True
    return content


def read_gap(content: Mapping[str, Any], name: str, arrays: Mapping[str, NDArray[Any]]) -> GapUnit:
    """Build the unit from `gap_content`'s output. Raises: ValueError, KeyError if its parts do not fit."""
    origin, low, high = map(float, content["range"])
    gap = read_numbers(content["gap"], name, arrays)
    lowers = tuple(content["lowers"])
    scales = tuple((int(mine), int(theirs)) for mine, theirs in content["scales"])
    days = tuple(ByDay(*each) if each else None for each in content.get("days", [None] * len(lowers)))
    own = _read_own(content, name, arrays) if "own" in content else None
    seen = _read_seen(name, arrays) if content.get("seen") else None
    fits = len(scales) == len(lowers) == len(days) and gap.column == content["upper"]
    if not fits or (own and (own.unit.column != gap.column or own.unit.with_missing)):
        raise ValueError(f"the parts of {content['upper']!r} do not fit each other")
    return GapUnit(
        lowers=lowers, scales=scales, upper=gap.column, origin=origin, low=low, high=high, gap=gap, days=days,
        own=own, seen=seen,
    )  # fmt: skip


def _read_own(content: Mapping[str, Any], name: str, arrays: Mapping[str, NDArray[Any]]) -> OwnValues:
    frequent, bases = (listed(arrays, f"{name}/{part}", np.float64) for part in ("frequent", "bases"))
    first, last = map(float, content["usual"])
    return OwnValues(read_numbers(content["own"], f"{name}/own", arrays), frequent, bases, (first, last))


def _read_seen(name: str, arrays: Mapping[str, NDArray[Any]]) -> SeenValues:
    values, cumulative = (listed(arrays, f"{name}/{part}", np.float64) for part in ("upper", "upper_cumulative"))
    if not len(values) or len(cumulative) != len(values) + 1 or not rising(values) or not rising(cumulative):
        raise ValueError(f"the values of {name} do not fit each other")
    return SeenValues(values, cumulative, np.array([0, len(values)]))
