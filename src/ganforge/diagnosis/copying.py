"""Samples that are training examples: the model has learnt by heart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ganforge.contracts import Finding, History
from ganforge.diagnosis.reading import measures

_NAMES = ("copy", "copies", "authenticity", "nearest", "memor")  # what a measure of copying is called
_MARGIN = 0.04  # of the samples: fewer may be luck, or simple pictures that many examples resemble


def copying(history: History) -> Finding | None:
    """The samples lie nearer to training examples than held-out real examples do, beyond the measure's interval.

    Every measure of copying has real held-out data as its floor. A distance may convict a model and never acquits one
    (arXiv 2505.01524, "the DCR delusion"), so silence here is not a proof of privacy.
    """
    for name, measure in measures(history).items():
        if any(word in name for word in _NAMES) and _beyond_floor(measure):
            floor, value = float(measure["floor"]), float(measure["value"])
            return Finding(
                ailment="copying",
                severity="critical",
                evidence=f"{name.replace('_', ' ')} is {value:.3g} "
                f"(95 % interval {float(measure['low']):.3g} to {float(measure['high']):.3g}); real held-out examples "
                f"get {floor:.3g}. {measure.get('meaning', '')}".strip(),
                cause="The model reproduces training examples instead of inventing new ones: too little data for its "
                "size, trained for too long, or many duplicates in the data.",
                remedy="Do not publish these samples if the data is private. Add more data or remove duplicates (see "
                "the data passport), train a smaller network with `--size tiny`, or stop earlier with `--minutes`.",
            )
    return None


def _beyond_floor(measure: Mapping[str, Any]) -> bool:
    """Whether the whole interval is worse than what unseen real data gets, by more than a trifle."""
    floor, value = float(measure["floor"]), float(measure["value"])
    if measure.get("better") == "higher":
        return value < floor - _MARGIN and float(measure["high"]) < floor
    return value > floor + _MARGIN and float(measure["low"]) > floor
