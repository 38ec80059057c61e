"""What is off about a column or a pair, in one sentence with the numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.measures.coding import by_frequency, ranks
from ganforge.kinds.tables.reading.datetimes import moment

LOST = 0.02  # of a score that is more than chance where there are many rows
CHANCE = 0.5  # times 1 / root of the rows: what a score of few rows loses by chance
MOST_LETTERS = 40  # of a value in a sentence


def is_off(score: float, floor: float, rows: int) -> bool:
    """Whether a score is clearly below what as many real rows get."""
    return floor - score > LOST + CHANCE / math.sqrt(rows)


def column_sentence(column: Column, real: NDArray[Any], made: NDArray[Any]) -> str:
    """Where a column's generated values (M,) differ most from its real ones (N,), both non-empty."""
    what, share, expected = (_of_numbers if column.is_number else _of_texts)(column, real, made)
    if share == 0:
        return f"{column.name}: none of the rows {what}, {percent(expected)} of the real ones do."
    return f"{column.name}: {percent(share)} of the rows {what}, {percent(expected)} of the real ones do."


def pair_sentence(first: Column, second: Column, real: tuple[Any, Any], made: tuple[Any, Any]) -> str:
    """How two number columns' correlation differs; "" where one is a category, which the picture shows better."""
    if not (first.is_number and second.is_number):
        return ""
    found, expected = _correlation(*made), _correlation(*real)
    return f"{first.name} and {second.name}: their correlation is {found:.2f}, {expected:.2f} in the real rows."


def lost_values(column: Column, real: NDArray[Any], made: NDArray[Any], least: float = 0.05) -> list[str]:
    """The texts that at least the share `least` of the real rows have and none of the generated ones."""
    if column.is_number:
        return []
    common = [str(text) for text in by_frequency(real)[: round(1 / least)] if (real == text).mean() >= least]
    present = set(by_frequency(made))
    return [text for text in common if text not in present]


def percent(share: float) -> str:
    """With as many digits as tell it from 0 and from 1."""
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    digits = 0 if 0.1 <= share <= 0.9 or share > 1 else 1 if 0.001 <= share <= 0.999 else 2
    return f"{100 * share:.{digits}f} %"


def shown(text: str) -> str:
    """A value as it stands in a sentence."""
    return f'"{text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…"}"'


def _of_texts(column: Column, real: NDArray[Any], made: NDArray[Any]) -> tuple[str, float, float]:
    texts = by_frequency(np.concatenate([real, made]))
    sizes = [np.bincount(ranks(side, texts) + 1, minlength=len(texts) + 1) / len(side) for side in (real, made)]
    gaps = np.abs(sizes[0] - sizes[1])
    worst = int((gaps + 1e-3 * (gaps > 0) * (sizes[1] == 0)).argmax())  # of equal ones the one that is gone
    what = "have no value" if worst == 0 else f"have {shown(str(texts[worst - 1]))}"
    return what, float(sizes[1][worst]), float(sizes[0][worst])


def _of_numbers(column: Column, real: NDArray[Any], made: NDArray[Any]) -> tuple[str, float, float]:
    """At the value where the distribution functions are farthest apart, or at the missing values."""
    gone = float(np.isnan(made).mean()), float(np.isnan(real).mean())
    values = np.unique(np.concatenate([real[~np.isnan(real)], made[~np.isnan(made)]]))
    if not len(values):
        return "have no value", *gone
    below = [np.searchsorted(np.sort(side[~np.isnan(side)]), values, "right") / len(side) for side in (made, real)]
    gaps = np.abs(below[0] + gone[0] - below[1] - gone[1])  # missing lies below all, as in the score
    at = int(gaps.argmax())
    if abs(gone[0] - gone[1]) > 0.8 * gaps[at]:  # nearly all of it
        return "have no value", *gone
    value = _value(column, float(values[at]))
    if below[1][at] > 0.5:  # the rarer side says more
        rest = [float((side > values[at]).mean()) for side in (made, real)]
        return f"lie above {value}", rest[0], rest[1]
    return f"lie at or below {value}", float(below[0][at]), float(below[1][at])


def _value(column: Column, value: float) -> str:
    if column.kind == "datetime":
        return str(moment(value, column)).replace("T", " ")
    return f"{value:,.0f}" if value.is_integer() else f"{value:.4g}"


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    there = ~(np.isnan(first) | np.isnan(second))
    a, b = first[there], second[there]
    if len(a) < 2 or a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
