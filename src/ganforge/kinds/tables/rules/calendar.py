"""Parts of a datetime: its month, its weekday, the first day of its quarter and the like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.kinds.tables.columns import Column

RANGE = "range"  # the part of a number that is the number itself
Numbers = NDArray[np.float64]
Moments = NDArray[np.datetime64]


def _days(moments: Moments) -> NDArray[np.int64]:
    return np.asarray(moments.astype("M8[D]").astype(np.int64))


def _months(moments: Moments) -> NDArray[np.int64]:
    return np.asarray(moments.astype("M8[M]").astype(np.int64))


def _first_of(months: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(months.astype("M8[M]").astype("M8[us]").astype(np.int64))


def _clock(moments: Moments) -> NDArray[np.int64]:
    return np.asarray((moments - moments.astype("M8[D]")).astype("m8[us]").astype(np.int64))


_DAY, _HOUR = 86_400_000_000, 3_600_000_000  # microseconds
PARTS: dict[str, Callable[[Moments], NDArray[Any]]] = {  # of a datetime, those with few values first
    "quarter": lambda moments: _months(moments) % 12 // 3 + 1,
    "weekday": lambda moments: (_days(moments) + 3) % 7,  # 0: Monday
    "month": lambda moments: _months(moments) % 12 + 1,
    "year": lambda moments: moments.astype("M8[Y]").astype(np.int64) + 1970,
    "hour": lambda moments: _clock(moments) // _HOUR,
    "day": lambda moments: _days(moments) - _days(moments.astype("M8[M]")) + 1,
    "week": lambda moments: pd.DatetimeIndex(moments).isocalendar()["week"].to_numpy(),  # of ISO 8601
    # microseconds since 1970
    "quarterstart": lambda moments: _first_of(_months(moments) // 3 * 3),
    "monthstart": lambda moments: _first_of(_months(moments)),
    "weekstart": lambda moments: (_days(moments) - (_days(moments) + 3) % 7) * _DAY,
    "date": lambda moments: _days(moments) * _DAY,
    "clock": _clock,  # microseconds since midnight
}
MOMENTS = ("quarterstart", "monthstart", "weekstart", "clock")  # that a datetime or time of day can be itself


def parts_of(part: str, values: Numbers, column: Column) -> Numbers:
    """Return a part (N,) of values of a column, on the clock of its zone; NaN where they are missing."""
    if part == RANGE:
        return values
    found, there = np.full(len(values), np.nan), np.isfinite(values)
    moments = (values[there].astype(np.int64) * column.unit).astype("M8[us]")
    if column.zone:
        moments = pd.DatetimeIndex(moments, tz="UTC").tz_convert(column.zone).tz_localize(None).to_numpy()
    found[there] = PARTS[part](moments)
    return found
