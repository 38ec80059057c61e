"""Games that go round in circles: each player undoes the other's last step, and nothing is gained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ganforge.contracts import Finding, History
from ganforge.diagnosis.reading import discriminators, leading_quality, score_gap
from ganforge.diagnosis.trend import trend

_LEAST_RECORDS, _MOST_RECORDS = 24, 200  # that are looked at
_LATE = 0.6  # of the run, its last part: the beginning of a game is one great swing
_TURNS = 3.0  # full turns that must be seen: two ups and downs happen by chance
_REPEATS = 0.4  # correlation with itself half a turn (negative) and a whole turn (positive) later
_SWING = 0.3  # standard deviation over the median size: smaller waves on a steady lead do no harm


@dataclass(frozen=True, slots=True)
class Cycle:
    """A rhythm in a series: its length in records, and how well the series repeats itself."""

    period: int
    swing: float  # standard deviation about the drift, over the median size of the series
    trough: float  # correlation half a turn later, in -1..1
    peak: float  # a whole turn later


def oscillating(history: History) -> Finding | None:
    """The discriminator's lead rises and falls in a steady rhythm, and quality does not improve."""
    for judge in discriminators(history):
        records = history.records[-min(_MOST_RECORDS, max(_LEAST_RECORDS, round(_LATE * len(history.records)))) :]
        gaps = score_gap(History(records), judge)
        cycle = find_cycle(gaps)
        seen = leading_quality(history)
        if (
            cycle is None
            or cycle.swing < _SWING
            or (seen is not None and trend(seen.values, seen.better) == "improving")
        ):
            continue
        steps = cycle.period * (int(records[-1].get("step", 0)) - int(records[0].get("step", 0))) / (len(records) - 1)
        return Finding(
            ailment="oscillating",
            severity="warning",
            evidence=f"The lead of {judge} swings by {cycle.swing:.0%} of its size, and goes up and down "
            f"{len(gaps) / cycle.period:.0f} times in the last {len(gaps)} records, about every {steps:,.0f} steps: "
            f"one turn later it repeats itself (correlation {cycle.peak:.2f}), half a turn later it is reversed "
            f"({cycle.trough:.2f}).",
            cause="The players chase each other in circles: what one learns the other undoes. Without a gradient "
            "penalty nothing damps the circle, and momentum and large steps drive it.",
            remedy="Strengthen the gradient penalty (`--set objective.gamma_start=...`, two to four times the plan's), "
            "halve the learning rate (`--set optimiser.learning_rate_start=...`), and keep `optimiser.beta1` at 0.",
        )
    return None


def find_cycle(values: Sequence[float]) -> Cycle | None:
    """The strongest rhythm of a series whose slow drift is taken off, or None where there is no clear one.

    The autocorrelation of a rhythm swings from 1 to a trough at half its period and back to a peak at the whole; that
    of noise stays near 0, and that of a drift falls and does not come back.
    """
    finite = [value for value in values if math.isfinite(value)]
    n = len(finite)
    if n < _LEAST_RECORDS:
        return None
    x = _without_drift(finite)
    power = sum(value * value for value in x)
    if power <= 1e-12 * sum(value * value for value in finite):
        return None
    longest = int(n / _TURNS)
    correlation = [
        sum(a * b for a, b in zip(x, x[lag:], strict=False)) / power * n / (n - lag) for lag in range(longest + 1)
    ]
    first = next((lag for lag in range(1, longest + 1) if correlation[lag] < 0), None)
    if first is None:
        return None
    half = next((lag for lag in range(first, longest) if correlation[lag + 1] > correlation[lag]), None)
    if half is None or half + 1 > longest:
        return None
    period = max(range(half + 1, min(longest, 3 * half + 1) + 1), key=lambda lag: correlation[lag])
    trough, peak = min(correlation[first : period + 1]), correlation[period]
    swing = math.sqrt(power / n) / max(median(abs(value) for value in finite), 1e-12)
    return Cycle(period, swing, trough, peak) if trough <= -_REPEATS and peak >= _REPEATS else None


def _without_drift(values: Sequence[float]) -> list[float]:
    """The series without its straight line."""
    n = len(values)
    centre, mean = (n - 1) / 2, sum(values) / n
    slope = sum((i - centre) * v for i, v in enumerate(values)) / sum((i - centre) ** 2 for i in range(n))
    return [v - mean - slope * (i - centre) for i, v in enumerate(values)]
