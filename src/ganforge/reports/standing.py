"""Where each measure stands between the simplest alternative and real data; classes; a regression's answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganforge.reports.words import number, title

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


@dataclass(frozen=True, slots=True)
class ClassShare:
    """One class: its share of the training data and of the samples, as text and as percent of the largest bar."""

    name: str
    training: str
    sample: str
    training_bar: float
    sample_bar: float


def standings(evaluation: Mapping[str, Any], best: str = "real data") -> list[Standing]:
    """Every measure of the evaluation beside its floor, which is called `best` in words, and its reference."""
    return [_standing(measure, best) for measure in evaluation.get("measures") or []]


def class_shares(evaluation: Mapping[str, Any]) -> list[ClassShare]:
    """Training share beside sample share for at most 60 classes; [] without labels."""
    classes = evaluation.get("classes") or {}
    training, samples = classes.get("training_shares") or [], classes.get("sample_shares") or []
    top = max([*training, *samples], default=0.0) or 1.0
    return [
        ClassShare(str(name), f"{real:.1%}", f"{drawn:.1%}", 100 * real / top, 100 * drawn / top)
        for name, real, drawn in list(zip(classes.get("names") or [], training, samples, strict=False))[:60]
    ]


def solution_rows(evaluation: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """A regression's coefficients: feature, what training found, what the closed form gives."""
    solution = evaluation.get("solution") or {}
    theta = solution.get("theta") or []
    exact = solution.get("closed_form") or [None] * len(theta)
    rows = zip(solution.get("features") or [], theta, exact, strict=False)
    return [(str(name), _precise(found), _precise(answer)) for name, found, answer in rows]


def _standing(measure: Mapping[str, Any], best: str) -> Standing:
    value, low, high, floor, reference = (
        _float(measure.get(k)) for k in ("value", "low", "high", "floor", "reference")
    )
    sign = -1.0 if measure.get("better") == "lower" else 1.0
    span = floor - reference
    track = sign * span > 0 and math.isfinite(value)  # a reference that beats real data spans no track
    if math.isfinite(high - low):
        track = track and abs(span) > 0.5 * (high - low)  # else it would show nothing but chance
    share = (value - reference) / span if track else math.nan
    ends = sorted(_percent((end - reference) / span) for end in (low, high) if math.isfinite(end)) if track else []
    low_end, high_end = (ends[0], ends[-1]) if ends else (0.0, 0.0)
    return Standing(
        title=title(str(measure.get("name", ""))),
        meaning=str(measure.get("meaning", "")),
        better={"lower": "lower is better", "higher": "higher is better"}.get(str(measure.get("better")), ""),
        value=number(value),
        interval=f"{number(low)} to {number(high)}" if math.isfinite(low) and math.isfinite(high) else "",
        floor=number(floor) if math.isfinite(floor) else "",
        reference=number(reference) if math.isfinite(reference) else "",
        place=_percent(share) if track else None,
        low=low_end,
        wide=max(high_end - low_end, 0.6),
        sentence=_on_track(share, best)
        if track
        else _off_track(sign * value, sign * floor, sign * (low if sign < 0 else high), best),
    )


def _off_track(value: float, floor: float, best_end: float, best: str) -> str:
    """Where floor and reference are about the same, only the distance to the floor says something. Higher is better."""
    if max(value, best_end) >= floor:
        return f"as good as {best}"
    return f"not as good as {best}" if math.isfinite(value) and math.isfinite(floor) else ""


def _on_track(share: float, best: str) -> str:
    if share >= 1:
        return f"as good as {best}"
    if share <= 0:
        return "no better than the simplest alternative"
    return f"{100 * share:.0f} % of the way to {best}" if share < 0.995 else f"nearly as good as {best}"


def _percent(share: float) -> float:
    """A place on the track in percent: reference at the left margin, floor at the right one, kept on the track."""
    return min(max(_MARGIN + (100 - 2 * _MARGIN) * share, 0.8), 99.2)


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _precise(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, int | float) else ""
