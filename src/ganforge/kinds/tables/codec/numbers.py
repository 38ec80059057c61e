"""Numbers as codes: one for each span of values, one for each frequent value by itself, and one for a missing value.

All columns become codes, so that one kind of network learns them all (the prototype of docs/log.md). Values within
a span are not learned: they are drawn from its training values, or from a smooth curve through their quantiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.kinds.tables.codec.breaks import cut_at_gaps
from ganforge.kinds.tables.codec.rare_numbers import with_stand_ins
from ganforge.kinds.tables.codec.stored import Arrays, climbing, listed, rising
from ganforge.kinds.tables.columns import MOST_DECIMALS, Column
from ganforge.kinds.tables.rules.conditions import Condition, all_of

SPIKE = 0.03  # a value in more than this share of the rows gets a code of its own
KEPT = 20_000  # distinct values kept of a column: beyond that their quantiles
LEAST_SHARE = 1e-3  # of a code's values that can meet a condition, though no training value of it did
KNOTS = 9  # quantiles of a span that a smooth curve goes through
Numbers = NDArray[np.float64]
Codes = NDArray[np.int32]
Inside = Literal["seen", "smooth"]


@dataclass(frozen=True, slots=True)
class SeenValues:
    """The training values of every span, with their frequencies."""

    values: Numbers  # (M,) ascending, distinct
    cumulative: Numbers  # (M + 1,) rows with a smaller value
    starts: NDArray[np.int64]  # (K + 1,) where each span begins in `values`

    def draw(self, spans: Codes, low: Any, high: Any, random: np.random.Generator) -> Numbers:
        """Draw one value within low..high, each a number or (N,), for each span (N,); the nearest if none fits."""
        first = np.maximum(self.starts[spans], np.searchsorted(self.values, low, "left"))
        last = np.minimum(self.starts[spans + 1], np.searchsorted(self.values, high, "right"))
        first = np.minimum(first, self.starts[spans + 1] - 1)
        last = np.maximum(last, first + 1)
        begin, end = self.cumulative[first], self.cumulative[last]
        place = np.searchsorted(self.cumulative, begin + random.random(len(spans)) * (end - begin), "right") - 1
        drawn: Numbers = self.values[np.clip(place, first, last - 1)]
        return drawn

    def between(self, low: float, high: float) -> Numbers:
        """Return the share of each span's rows whose value lies in low..high, (K,)."""
        first, last = np.searchsorted(self.values, low, "left"), np.searchsorted(self.values, high, "right")
        rows = np.diff(self.cumulative[np.clip(self.starts, first, max(first, last))])
        return np.asarray(rows / np.diff(self.cumulative[self.starts]))


@dataclass(frozen=True, slots=True)
class SmoothValues:
    """A curve through the quantiles of every span, which does not reproduce training values, except a span's ends."""

    knots: Numbers  # (K, KNOTS)

    def draw(self, spans: Codes, low: Any, high: Any, random: np.random.Generator) -> Numbers:
        """Draw one value within low..high, each a number or (N,), for each span (N,)."""
        share = random.random(len(spans)) * (KNOTS - 1)
        left = share.astype(np.int64)
        between = share - left
        values = (1 - between) * self.knots[spans, left] + between * self.knots[spans, left + 1]
        least, most = np.maximum(self.knots[spans, 0], low), np.minimum(self.knots[spans, -1], high)
        again = np.minimum(least, most) + random.random(len(spans)) * np.maximum(most - least, 0.0)
        return np.where((values < low) | (values > high), again, values)

    def between(self, low: float, high: float) -> Numbers:
        """Return the share of each span's curve that lies in low..high, (K,)."""
        share = np.linspace(0, 1, KNOTS)
        met = [np.diff(np.interp([low, high], knots, share))[0] for knots in self.knots]
        flat = (self.knots[:, 0] == self.knots[:, -1]) & (self.knots[:, 0] >= low) & (self.knots[:, 0] <= high)
        return np.where(flat, 1.0, met)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberUnit:
    """One column of numbers. Code 0 is a missing value if there are any; the spans follow in ascending order."""

    column: str
    low: float  # every value that is drawn lies in low..high
    high: float
    decimals: int | None  # digits behind the point; None for as many as there are
    with_missing: bool
    least: Numbers  # (K',) the smallest and the largest training value of each span
    most: Numbers
    means: Numbers
    inside: SeenValues | SmoothValues

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def size(self) -> int:
        return len(self.least) + self.with_missing

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Return which codes stand for a value, (K,)."""
        codes = np.ones(self.size, dtype=bool)
        codes[: int(self.with_missing)] = False
        return codes

    def encode(self, plain: Plain) -> Codes:
        """Return (N,) codes; -1 for a missing value where training had none."""
        return self.encode_values(plain[self.column])

    def encode_values(self, values: Numbers) -> Codes:
        """Return the codes of values (N,)."""
        spans = np.clip(np.searchsorted(self.least, values, "right") - 1, 0, None) + self.with_missing
        return np.where(np.isnan(values), 0 if self.with_missing else -1, spans).astype(np.int32)

    def allowed(self, conditions: tuple[Condition, ...]) -> NDArray[np.bool_]:
        """Return which codes can stand for a value that meets all conditions on this column, (K,)."""
        asked = all_of(conditions, self.column)
        spans = (self.most >= asked.low) & (self.least <= asked.high)
        if asked.numbers is not None:
            spans = np.isin(np.arange(len(spans)), self.encode_values(asked.numbers) - self.with_missing)
        elif not asked.nothing and not spans.any():  # between two: the nearer lends its code, and `decode` the value
            spans[max(0, int(np.searchsorted(self.least, asked.low, "right")) - 1)] = True
        return np.concatenate([np.full(int(self.with_missing), asked.missing), spans])

    def meeting(self, conditions: tuple[Condition, ...]) -> Numbers:
        """Return which share of each code's training values meets all conditions, (K,): above 0 where `allowed`."""
        allowed, asked = self.allowed(conditions), all_of(conditions, self.column)
        if asked.numbers is not None:
            return allowed.astype(np.float64)
        met = self.inside.between(asked.low, asked.high)
        shares = np.concatenate([np.ones(int(self.with_missing)), np.clip(met, LEAST_SHARE, 1.0)])
        return np.where(allowed, shares, 0.0)

    def decode(
        self,
        codes: Codes,
        conditions: tuple[Condition, ...],
        random: np.random.Generator,
        low: Any = -np.inf,
        high: Any = np.inf,
    ) -> dict[str, NDArray[Any]]:
        """Draw a value (N,) for each code, within low..high (numbers or (N,)) and all conditions, with certainty."""
        asked = all_of(conditions, self.column)
        least, most = np.maximum(max(self.low, asked.low), low), np.minimum(min(self.high, asked.high), high)
        spans = np.maximum(codes - self.with_missing, 0)
        values = self.rounded(self.inside.draw(spans, least, most, random), least, most)
        if asked.numbers is not None and len(asked.numbers):
            values = self._one_of(asked.numbers, codes, random)
        values[codes < self.with_missing] = np.nan
        return {self.column: values}

    def ends(self, codes: Codes, end: Literal["least", "most"]) -> Numbers:
        """Return the smallest, or largest, value (N,) that codes stand for; NaN for a missing one."""
        values = (self.least if end == "least" else self.most)[np.maximum(codes - self.with_missing, 0)]
        return np.where(codes < self.with_missing, np.nan, values)

    def rounded(self, values: Numbers, low: Any, high: Any) -> Numbers:
        """Round to the column's decimals and clip to low..high, whose ends are moved inwards to such values."""
        if self.decimals is not None:
            values, low, high = np.round(values, self.decimals), self.lifted(low), -self.lifted(-np.asarray(high))
        cut: Numbers = np.minimum(np.maximum(values, low), high) + 0.0  # -0.0 becomes 0.0
        return cut

    def lifted(self, values: Any) -> Any:
        """Return the smallest numbers with the column's decimals that are not below the values (...)."""
        if self.decimals is None:
            return values
        near = np.round(values, self.decimals)
        return np.where(near < values, np.round(near + 10.0**-self.decimals, self.decimals), near)

    def _one_of(self, named: Numbers, codes: Codes, random: np.random.Generator) -> Numbers:
        """Return one of the numbers that a condition names, of the same code if one of them has it."""
        theirs = self.encode_values(named)
        order = np.argsort(theirs, kind="stable")
        named, theirs = named[order], theirs[order]
        first, last = np.searchsorted(theirs, codes, "left"), np.searchsorted(theirs, codes, "right")
        alone = last <= first
        first, last = np.where(alone, 0, first), np.where(alone, len(named), last)
        return named[first + (random.random(len(codes)) * (last - first)).astype(np.int64)]


def fit_numbers(
    column: Column,
    values: Numbers,
    rows: int,
    spans: int,
    inside: Inside,
    rare: int = 0,
    cuts: Numbers | None = None,
) -> NumberUnit:
    """Fit the codes of a column of numbers or datetimes.

    Args: values (N,) training values, a sample of them where there are very many; rows how many rows a frequent value
        is a share of; spans how many codes numbers are cut into, besides the frequent ones; rare the rows from which on
        a value is drawn as it is (rare_numbers.py); cuts (C,) numbers at which a span begins as well, besides
        at gaps (breaks.py); None for neither.
    """
    there = np.sort(values[~np.isnan(values)])
    distinct, counts = np.unique(there, return_counts=True)
    if len(distinct) == 0:
        distinct, counts = np.array([column.minimum or 0.0]), np.array([1])
    distinct, counts = with_stand_ins(column, distinct, counts, rare)
    first = _first_of_spans(distinct, counts, max(rows, 1), spans)
    if cuts is not None:
        more = np.minimum(np.searchsorted(distinct, cuts), len(distinct) - 1)
        first = np.union1d(cut_at_gaps(first, distinct, counts), more)
    starts = np.append(first, len(distinct))
    cumulative = np.concatenate([[0.0], np.cumsum(counts)])
    sums = np.concatenate([[0.0], np.cumsum(distinct * counts)])
    means = (sums[starts[1:]] - sums[starts[:-1]]) / (cumulative[starts[1:]] - cumulative[starts[:-1]])
    least, most = distinct[starts[:-1]], distinct[starts[1:] - 1]
    drawn: SeenValues | SmoothValues
    if inside == "smooth":
        knots = [
            np.quantile(np.repeat(distinct[a:b], counts[a:b]), np.linspace(0, 1, KNOTS)) for a, b in pairwise(starts)
        ]
        drawn = SmoothValues(np.stack(knots))
    else:
        drawn = _kept(distinct, cumulative, starts)
    return NumberUnit(
        column=column.name,
        low=float(distinct[0]) if column.minimum is None else column.minimum,
        high=float(distinct[-1]) if column.maximum is None else column.maximum,
        decimals=column.decimals if column.kind == "decimal" else 0,
        with_missing=bool(column.missing) or len(there) < len(values),
        least=least,
        most=most,
        means=means,
        inside=drawn,
    )


def _first_of_spans(distinct: Numbers, counts: NDArray[np.int64], rows: int, spans: int) -> NDArray[np.int64]:
    """Return where each span begins in `distinct`: frequent values alone, the rest in spans of equally many rows."""
    if len(distinct) <= spans:
        return np.arange(len(distinct))
    alone = counts > SPIKE * rows
    rest = np.where(alone, 0, counts)
    share = (np.cumsum(rest) - 0.5 * rest) / max(rest.sum(), 1)
    span = np.minimum((share * spans).astype(np.int64), spans - 1)
    begins = np.ones(len(distinct), dtype=bool)
    begins[1:] = (span[1:] != span[:-1]) | alone[1:] | alone[:-1]
    return np.flatnonzero(begins)


def _kept(distinct: Numbers, cumulative: Numbers, starts: NDArray[np.int64]) -> SeenValues:
    """Return at most about KEPT values: of a span with more than its share, evenly spaced ones that keep its rows."""
    most = max(1, KEPT // (len(starts) - 1))
    chosen = [np.unique(np.linspace(a, b - 1, min(b - a, most)).round().astype(np.int64)) for a, b in pairwise(starts)]
    places = np.concatenate(chosen)
    # The rows of those that are left out go to the kept value before them, which is in the same span.
    return SeenValues(
        distinct[places],
        np.append(cumulative[places], cumulative[-1]),
        np.concatenate([[0], np.cumsum([len(part) for part in chosen])]),
    )


# ---- as JSON and arrays, and back ---------------------------------------------------------------------------------


def numbers_content(unit: NumberUnit, name: str, arrays: Arrays) -> dict[str, Any]:
    """Return a unit's JSON content, and add its arrays under this name."""
    arrays |= {f"{name}/least": unit.least, f"{name}/most": unit.most, f"{name}/means": unit.means}
    match unit.inside:
        case SeenValues(values, cumulative, starts):
            kind, kept = "seen", {"seen": values, "cumulative": cumulative, "starts": starts}
        case SmoothValues(knots):
            kind, kept = "smooth", {"knots": knots}
    arrays |= {f"{name}/{part}": array for part, array in kept.items()}
    about = {"column": unit.column, "range": [unit.low, unit.high], "decimals": unit.decimals}
    return {**about, "with_missing": unit.with_missing, "inside": kind}


def read_numbers(content: Mapping[str, Any], name: str, arrays: Mapping[str, NDArray[Any]]) -> NumberUnit:
    """Build the unit from `numbers_content`'s output. Raises: ValueError, KeyError if its parts do not fit."""

    def part(of: str, dtype: type[Any] = np.float64) -> NDArray[Any]:
        return listed(arrays, f"{name}/{of}", dtype)

    least, most, means = map(part, ("least", "most", "means"))
    decimals, (low, high) = content["decimals"], map(float, content["range"])
    inside: SeenValues | SmoothValues
    if content["inside"] == "seen":
        inside = SeenValues(part("seen"), part("cumulative"), part("starts", np.int64))
        fits = climbing(inside.starts, len(inside.values)) and len(inside.starts) == len(least) + 1
        fits = fits and len(inside.cumulative) == len(inside.values) + 1
        fits = fits and rising(inside.values) and rising(inside.cumulative)
    else:
        inside = SmoothValues(arrays[f"{name}/knots"])
        fits = inside.knots.shape == (len(least), KNOTS)
    if not fits or not len(least) == len(most) == len(means) or not rising(least) or (least > most).any():
        raise ValueError(f"the spans of {content['column']!r} do not fit each other")
    if decimals is not None and (not isinstance(decimals, int) or not 0 <= decimals <= MOST_DECIMALS):
        raise ValueError(f"{content['column']!r} cannot have {decimals!r} decimals")
    return NumberUnit(
        column=str(content["column"]),
        low=low,
        high=high,
        decimals=decimals,
        with_missing=bool(content["with_missing"]),
        least=least,
        most=most,
        means=means,
        inside=inside,
    )
