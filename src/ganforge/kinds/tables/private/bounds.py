"""Bounds that are bought: types, ranges and categories of columns from noisy counts on a public grid.

Ranges: each value is of one sort: missing, a whole number or a decimal between two powers of two, a date in a decade,
or another text. The column's type is what most rows have, its range the sorts with clearly more rows than noise.
Categories: the values that come more often than a threshold, counted with noise. A value that a single row has passes
with a chance of at most `delta`, over all columns of the row: that chance is taken off the delta of the run
(Korolova et al. 2009; with Gaussian noise).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from ganforge.core.noise import PrivateNoise
from ganforge.kinds.tables.private.counts import Codes, Numbers
from ganforge.kinds.tables.private.schema import MOST_CATEGORIES, PublicColumn, word_of
from ganforge.kinds.tables.private.source import raw_rows, refuse_changed
from ganforge.kinds.tables.reading.text_values import MISSING as MISSING_WORDS

LOWEST, HIGHEST = -10, 40  # powers of two that bound the size of a number
SIZES = HIGHEST - LOWEST + 1  # 0 up to 2^LOWEST, then each power
NUMBERS = 2 * SIZES  # of both signs
DECADES = range(1900, 2101, 10)
MISSING, WHOLE, DECIMAL, DATE = 0, 1, 1 + NUMBERS, 1 + 2 * NUMBERS
TEXT = DATE + len(DECADES) - 1
SORTS = TEXT + 1
CLEAR = 4.0  # deviations of noise above which a sort is in the range
FEW = 2**7  # a whole number below: its values may be categories, such as 0 and 1
Bought = Mapping[str, NDArray[Any]]


def present(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return values (N,) with None in the place of words for missing ones, such as NA."""
    return values.where(~values.isin(MISSING_WORDS), None) if pd.api.types.is_string_dtype(values.dtype) else values


def sorts_of(values: pd.Series[Any]) -> Codes:
    """Return the sort of each value (N,), 0..SORTS-1. It depends on the value alone."""
    missing = values.isna().to_numpy()
    if pd.api.types.is_datetime64_any_dtype(values):
        numbers = np.full(len(values), np.nan)
        moments = values
    else:
        plain = values.astype(object).where(~values.isna(), None)
        numbers = np.asarray(pd.to_numeric(plain, errors="coerce"), np.float64)
        numbers = np.where(np.isfinite(numbers), numbers, np.nan)
        text = plain.map(lambda value: value if isinstance(value, str) else None)
        moments = pd.to_datetime(text, errors="coerce", format="ISO8601", utc=True)
    years = moments.dt.year.to_numpy(np.float64, na_value=np.nan)
    size = np.clip(np.ceil(np.log2(np.maximum(np.abs(numbers), 2.0 ** (LOWEST - 1)))), LOWEST, HIGHEST) - LOWEST
    place = np.where(numbers < 0, SIZES - 1 - size, SIZES + size)
    sort = np.full(len(values), TEXT, np.float64)
    dated = (years >= DECADES[0]) & (years < DECADES[-1])
    sort = np.where(dated, DATE + (years - DECADES[0]) // 10, sort)
    known = ~np.isnan(numbers)
    sort = np.where(known, np.where(numbers == np.floor(numbers), WHOLE, DECIMAL) + place, sort)
    return np.where(missing, MISSING, np.nan_to_num(sort, nan=TEXT)).astype(np.int64)


def release_ranges(
    source: str | Path, names: Sequence[str], rows: int, multiplier: float, noise: PrivateNoise
) -> Bought:
    """Release how many values of each column are of which sort, (columns, SORTS). A row counts once in each column."""
    counts, seen = np.zeros((len(names), SORTS)), 0
    for frame in raw_rows(source):
        seen += len(frame)
        for place, name in enumerate(names):
            counts[place] += np.bincount(sorts_of(present(frame[name])), minlength=SORTS)
    refuse_changed(source, rows, seen)
    return {"sorts": counts + noise.gaussian(counts.shape, multiplier * math.sqrt(len(names)))}


def threshold_of(columns: int, multiplier: float, delta: float) -> float:
    """Return the noisy count from which on a category is published: one of a single row passes with delta at most."""
    return float(1 + multiplier * math.sqrt(columns) * -ndtri(delta / columns))


def release_categories(
    source: str | Path, names: Sequence[str], rows: int, multiplier: float, delta: float, noise: PrivateNoise
) -> Bought:
    """Release the values of columns that pass the threshold: bytes of JSON, without their counts."""
    found: dict[str, Counter[str]] = {name: Counter() for name in names}
    seen = 0
    for frame in raw_rows(source):
        seen += len(frame)
        for name in names:
            found[name].update(word_of(value) for value in present(frame[name]).dropna())
    refuse_changed(source, rows, seen)
    least, passed = threshold_of(len(names), multiplier, delta), {}
    for name, counter in found.items():
        words = sorted(counter)
        noisy = np.array([counter[word] for word in words]) + noise.gaussian(
            len(words), multiplier * math.sqrt(len(names))
        )
        kept = sorted(np.flatnonzero(noisy >= least), key=lambda place: -noisy[place])[:MOST_CATEGORIES]
        passed[name] = sorted(words[place] for place in kept)
    return {"words": np.frombuffer(json.dumps(passed).encode(), np.uint8)}


def bounded(
    columns: Sequence[PublicColumn], ranges: Bought, categories: Bought, deviation: float
) -> tuple[list[PublicColumn], list[str]]:
    """Return the columns with the bounds that were bought, and the names of those that nothing was found of.

    Args: deviation of the noise of `ranges`.
    """
    words: dict[str, list[str]] = json.loads(bytes(categories["words"]))
    made, lost = [], []
    for column in columns:
        if column.kind != "unknown":
            made.append(column)
            continue
        sorts = ranges["sorts"][list(words).index(column.name)]
        found = _bounded(column, sorts, words[column.name], deviation)
        lost += [] if found else [column.name]
        made += [found] if found else []
    return made, lost


def _bounded(column: PublicColumn, sorts: Numbers, words: list[str], deviation: float) -> PublicColumn | None:
    clear = np.where(sorts > CLEAR * deviation, sorts, 0.0)
    whole, decimal = clear[WHOLE:DECIMAL], clear[DECIMAL:DATE]
    dates, text = clear[DATE:TEXT], clear[TEXT]
    most = max(whole.sum() + decimal.sum(), dates.sum(), text)
    missing = column.missing and bool(clear[MISSING] > 0)
    about: dict[str, Any] = {"name": column.name, "missing": missing}
    if most <= 0 or (most == text and not words):
        return None
    if most == text:
        return PublicColumn(kind="category", categories=tuple(words), **about)
    if most == dates.sum():
        first, last = np.flatnonzero(dates)[[0, -1]]
        ends = [pd.Timestamp(year=DECADES[place], month=1, day=1).timestamp() // 86_400 for place in (first, last + 1)]
        low, high = ends[0], ends[1] - 1
        return PublicColumn(kind="date", low=low, high=high, integer=True, resolution="D", **about)
    integer = decimal.sum() < whole.sum() / 10
    places = np.flatnonzero(whole if integer else whole + decimal)
    low, high = _low(places[0]), _high(places[-1])
    if integer and len(words) > 1 and low > -FEW and high < FEW:
        return PublicColumn(kind="category", categories=tuple(words), **about)
    low, high = (math.floor(low), math.ceil(high)) if integer else (low, high)
    return PublicColumn(kind="number", low=low, high=max(high, low + 1), integer=integer, **about)


def _low(place: int) -> float:
    """Return the least number of a size."""
    if place >= SIZES:
        power = place - SIZES + LOWEST
        return 0.0 if power == LOWEST else 2.0 ** (power - 1)
    return -(2.0 ** (SIZES - 1 - place + LOWEST))


def _high(place: int) -> float:
    """Return the largest number of a size."""
    if place >= SIZES:
        return 2.0 ** (place - SIZES + LOWEST)
    power = SIZES - 1 - place + LOWEST
    return 0.0 if power == LOWEST else -(2.0 ** (power - 1))
