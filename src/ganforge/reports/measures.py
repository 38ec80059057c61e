"""Where each measure stands between its reference and its floor."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ganforge.core.format import number, title
from ganforge.records import Evaluation, Measure

_MARGIN = 5.0  # percent of the track on either side of reference and floor, for values beyond them


@dataclass(frozen=True, slots=True)
class Standing:
    """One measure as a row: its numbers as text, and places on a track in percent (reference left, floor right)."""

    title: str
    meaning: str
    better: str
    value: str
    interval: str
    floor: str
    reference: str
    place: float | None  # None when floor and reference are too near to each other to span a track
    low: float
    wide: float
    sentence: str


def standings(evaluation: Evaluation) -> list[Standing]:
    """Every measure of the evaluation beside its floor and its reference."""
    return [_standing(measure, evaluation.best, evaluation.simplest) for measure in evaluation.measures]


def _standing(measure: Measure, best: str, simplest: str) -> Standing:
    value, low, high, floor, reference = measure.value, measure.low, measure.high, measure.floor, measure.reference
    sign = -1.0 if measure.better == "lower" else 1.0
    span = floor - reference
    track = sign * span > 0 and math.isfinite(value)  # a reference that beats the floor spans no track
    if math.isfinite(high - low):
        track = track and abs(span) > 0.5 * (high - low)  # else it would show nothing but chance
    share = (value - reference) / span if track else math.nan
    ends = sorted(_percent((end - reference) / span) for end in (low, high) if math.isfinite(end)) if track else []
    low_end, high_end = (ends[0], ends[-1]) if ends else (0.0, 0.0)
    best_end = sign * (low if sign < 0 else high)
    return Standing(
        title=title(measure.name),
        meaning=measure.meaning,
        better=f"{measure.better} is better",
        value=number(value),
        interval=f"{number(low)} to {number(high)}" if math.isfinite(low) and math.isfinite(high) else "",
        floor=number(floor) if math.isfinite(floor) else "",
        reference=number(reference) if math.isfinite(reference) else "",
        place=_percent(share) if track else None,
        low=low_end,
        wide=max(high_end - low_end, 0.6),
        sentence=_on_track(share, best, simplest)
        if track
        else _off_track(sign * value, sign * floor, sign * reference, best_end, best, simplest),
    )


def _off_track(value: float, floor: float, reference: float, best_end: float, best: str, simplest: str) -> str:
    """Without a track: the floor, or where it is unknown the reference, says how good a value is. Higher is better."""
    if not math.isfinite(value):
        return ""
    if math.isfinite(floor):
        return f"as good as {best}" if max(value, best_end) >= floor else f"not as good as {best}"
    if math.isfinite(reference):
        return f"better than {simplest}" if value > reference else f"no better than {simplest}"
    return ""


def _on_track(share: float, best: str, simplest: str) -> str:
    if share >= 1:
        return f"as good as {best}"
    if share <= 0:
        return f"no better than {simplest}"
    return f"{100 * share:.0f} % of the way from {simplest} to {best}" if share < 0.995 else f"nearly as good as {best}"


def _percent(share: float) -> float:
    """A place on the track in percent: reference at the left margin, floor at the right one, kept on the track."""
    return min(max(_MARGIN + (100 - 2 * _MARGIN) * share, 0.8), 99.2)
