"""Calendar days that are written as whole numbers: 20240131, 202401 (a month), 2024031 (the 31st day of a year)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

FORMS = {"%Y%m%d": (10, "M"), "%Y%m": (12, "Y"), "%Y%j": (30, "Y")}  # fewest different ones, within more than one of
WRITTEN = {"%Y%m%d": "a number like 20240131", "%Y%m": "its month, like 202401", "%Y%j": "a number like 2024031"}
FIRST_YEAR, LAST_YEAR = 1800, 2199
LARGEST = 10**9
OPEN_YEAR = 9999  # of a day that means "no end"
NEARLY = 0.5  # share of days from which on the other numbers are told
Days = NDArray[np.float64]  # (N,) since 1970


def days_from(numbers: NDArray[np.float64], form: str) -> Days:
    """Return the days that numbers (N,) are; NaN where one is not a calendar day, or missing."""
    whole = np.where((numbers > 0) & (numbers < LARGEST), numbers, 0.0).astype(np.int64)
    scale = {"%Y%m%d": 10_000, "%Y%m": 100, "%Y%j": 1_000}[form]
    year, rest = whole // scale, whole % scale
    if form == "%Y%j":
        month, day, unit = np.ones_like(rest), rest, "Y"
    else:
        month, day, unit = (rest // 100, rest % 100, "M") if form == "%Y%m%d" else (rest, np.ones_like(rest), "M")
    known = ((year >= FIRST_YEAR) & (year <= LAST_YEAR)) | (year == OPEN_YEAR)
    known &= (month >= 1) & (month <= 12) & (day >= 1) & (numbers == whole)
    begin = (np.where(known, 12 * (year - 1970) + month - 1, 0)).astype("M8[M]").astype(f"M8[{unit}]")
    first, after = (ends.astype("M8[D]").astype(np.int64) for ends in (begin, begin + 1))
    days: Days = np.where(known & (day <= after - first), first + day - 1.0, np.nan)
    return days


def numbers_from(days: Days, form: str) -> NDArray[np.float64]:
    """Return the numbers (N,) of days; of a month or year the one that a day lies in. NaN stays."""
    there = ~np.isnan(days)
    date = np.where(there, np.rint(days), 0).astype(np.int64).astype("M8[D]")
    months = date.astype("M8[M]").astype(np.int64)
    year, month = months // 12 + 1970, months % 12 + 1
    if form == "%Y%j":
        numbers = 1_000 * year + (date - date.astype("M8[Y]")).astype(np.int64) + 1
    else:
        numbers = 100 * year + month
        numbers = 100 * numbers + (date - date.astype("M8[M]")).astype(np.int64) + 1 if form == "%Y%m%d" else numbers
    return np.where(there, numbers, np.nan)


def moments_from(array: pa.Array, form: str | None) -> pa.Array:
    """Return the moments (N,) of a column of datetimes: as they are, or those of numbers or texts such as 20240131.

    Args: form one of FORMS, if they are such numbers. Raises: ValueError for a number that is not a calendar day.
    """
    if pa.types.is_temporal(array.type) or form not in FORMS:
        return array
    numbers = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
    days = days_from(numbers, form)
    if (strange := np.isnan(days) & ~np.isnan(numbers)).any():
        raise ValueError(f"{numbers[strange][0]:.0f} is not a calendar day")
    return pa.array(days, from_pandas=True).cast(pa.int32()).cast(pa.date32())


@dataclass
class NumericDates:
    """Whether the whole numbers of a column are calendar days, narrowed down with each chunk."""

    values: int = 0
    days: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FORMS, 0))  # by form, while nearly all are
    ends: dict[str, tuple[float, float]] = field(default_factory=dict)  # the first and the last day
    other: dict[str, float] = field(default_factory=dict)  # a number that is not a day

    def update(self, numbers: NDArray[np.float64]) -> None:
        """Args: numbers (N,), none missing."""
        self.values += len(numbers)
        for form in list(self.days) if len(numbers) else ():
            days = days_from(numbers, form)
            there = ~np.isnan(days)
            if there.mean() < NEARLY:
                del self.days[form]
                continue
            self.days[form] += int(there.sum())
            first, last = self.ends.get(form, (np.inf, -np.inf))
            self.ends[form] = min(first, float(np.nanmin(days))), max(last, float(np.nanmax(days)))
            if not there.all():
                self.other.setdefault(form, float(numbers[~there][0]))

    @property
    def form(self) -> str | None:
        """Return the form that every number has."""
        return next((form for form, count in self.days.items() if count == self.values > 0), None)

    def by_nature(self, distinct: int) -> str | None:
        """Return that form where it is no accident: of many different days, in more than one month or year."""
        return self.form if self.form and self._spread(self.form, distinct) else None

    def nearly(self, distinct: int) -> tuple[str, float] | None:
        """Return the form that nearly all numbers have, and a number that is not a day."""
        forms = [form for form in self.days if form in self.other and self._spread(form, distinct)]
        return (forms[0], self.other[forms[0]]) if forms else None

    def _spread(self, form: str, distinct: int) -> bool:
        fewest, unit = FORMS[form]
        first, last = (np.int64(day).astype("M8[D]").astype(f"M8[{unit}]") for day in self.ends[form])
        return distinct >= fewest and bool(first != last)
