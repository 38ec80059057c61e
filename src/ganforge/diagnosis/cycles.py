"""Games that go round in circles: each player undoes the other's last step, and nothing is gained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ganforge.diagnosis.history import discriminators, leading_quality, score_gap
from ganforge.diagnosis.trend import trend
from ganforge.records import Finding, History

_LEAST_RECORDS, _MOST_RECORDS = 24, 200  # that are looked at
_LATE = 0.6  # of the run, its last part: the beginning of a game is one great swing
_TURNS = 3.0  # full turns that must be seen: two ups and downs happen by chance
_SMOOTH = 0.4  # correlation of a record with the next one: noise has none, a wave that is seen often enough much
_REVERSED = -0.25  # correlation half a turn later
_SIDE = 0.3  # of the standard deviation: nearer to the middle a value is on neither side
_SWING = 0.5  # standard deviation over the median size: smaller waves on a steady lead do no harm


@dataclass(frozen=True, slots=True)
class Cycle:
    """A rhythm in a series: how often it went round, how far it swings, and how well it reverses itself."""

    turns: float
    swing: float  # standard deviation about the drift, over the median size of the series
    reversed: float  # correlation with itself half a turn later, in -1..1


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
        steps = (int(records[-1].get("step", 0)) - int(records[0].get("step", 0))) / cycle.turns
        return Finding(
            ailment="oscillating",
            severity="warning",
            evidence=f"The lead of {judge} swings by {cycle.swing:.0%} of its size, and went up and down "
            f"{cycle.turns:.0f} times in the last {len(gaps)} records, about every {steps:,.0f} steps (half a turn "
            f"later it is reversed: correlation {cycle.reversed:.2f}).",
            cause="The players chase each other in circles: what one learns the other undoes. Without a gradient "
            "penalty nothing damps the circle, and momentum and large steps drive it.",
            remedy="Strengthen the gradient penalty (`--set objective.gamma_start=...`, two to four times the plan's), "
            "halve the learning rate (`--set optimiser.learning_rate_start=...`), and keep `optimiser.beta1` at 0.",
        )
    return None


def find_cycle(values: Sequence[float]) -> Cycle | None:
    """The rhythm of a series whose slow drift is taken off, or None where there is no clear one.

    A game's circles grow, shrink and change their pace, so no single period is looked for: a wave is smooth from one
    record to the next, which noise is not, turns against itself, which a drift does not, and comes back again and again
    to either side of its middle.
    """
    finite = [value for value in values if math.isfinite(value)]
    n = len(finite)
    if n < _LEAST_RECORDS:
        return None
    x = _without_drift(finite)
    power = sum(value * value for value in x)
    if power <= 1e-12 * sum(value * value for value in finite):
        return None
    swing = math.sqrt(power / n)
    sides = [value > 0 for value in x if abs(value) > _SIDE * swing]
    turns = sum(a != b for a, b in pairwise(sides)) / 2
    correlation = [_correlation(x, lag, power) for lag in range(1, max(2, int(n / _TURNS)))]
    if turns < _TURNS or correlation[0] < _SMOOTH or min(correlation) > _REVERSED:
        return None
    return Cycle(turns, swing / max(median(abs(value) for value in finite), 1e-12), min(correlation))


def _correlation(x: Sequence[float], lag: int, power: float) -> float:
    return sum(a * b for a, b in zip(x, x[lag:], strict=False)) / power * len(x) / (len(x) - lag)


def _without_drift(values: Sequence[float]) -> list[float]:
    """The series without its straight line."""
    n = len(values)
    centre, mean = (n - 1) / 2, sum(values) / n
    slope = sum((i - centre) * v for i, v in enumerate(values)) / sum((i - centre) ** 2 for i in range(n))
    return [v - mean - slope * (i - centre) for i, v in enumerate(values)]
