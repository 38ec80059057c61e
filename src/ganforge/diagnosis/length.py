"""Runs that ended too early, and machines that were busy with something else."""

from __future__ import annotations

import math

from ganforge.contracts import Finding, History
from ganforge.diagnosis.reading import discriminators, leading_quality, middle, window

_STILL = 0.1  # a tenth better over the last quarter of the run
_SLOW = 0.5  # of its best speed


def too_short(history: History) -> Finding | None:
    """Quality was still improving when the run ended, and is not at its floor yet."""
    records = history.records
    seen = leading_quality(history)
    if not records or not discriminators(history) or seen is None or float(records[-1].get("progress", 0)) < 0.98:
        return None
    values = [value for value in seen.values if math.isfinite(value)]
    if len(values) < 4:
        return None
    before, last = values[-max(2, math.ceil(len(values) / 4)) - 1], values[-1]
    floor = seen.floor or 0.0
    gain = (before - last) / max(abs(before - floor), 1e-12)
    if seen.better == "higher":
        gain = (last - before) / max(abs(before), 1e-12)
    at_floor = seen.better == "lower" and last <= 1.5 * floor
    if gain < _STILL or at_floor:
        return None
    minutes = max(1, round(2 * float(records[-1].get("seconds", 0.0)) / 60))
    return Finding(
        ailment="too_short",
        severity="note",
        evidence=f"{seen.name} went from {before:.3g} to {last:.3g} in the last quarter of the run ({seen.better} is "
        "better).",
        cause="The model was still getting better when its time was over. This is no fault.",
        remedy=f"Train for longer, for example twice as long: `ganforge train DATA --minutes {minutes}`.",
    )


def starved(history: History) -> Finding | None:
    """The machine was much slower at the end than it had been at its best."""
    speeds = [float(r["examples_per_second"]) for r in history.records if (r.get("examples_per_second") or 0) > 0]
    if len(speeds) < 10:
        return None
    best = sorted(speeds)[math.ceil(0.9 * len(speeds)) - 1]  # the ninth decile: one lucky record is not a best
    now = middle(window(speeds))
    if now >= _SLOW * best:
        return None
    return Finding(
        ailment="starved",
        severity="warning" if now < 0.25 * best else "note",
        evidence=f"Training ran at {now:,.0f} examples/s in its last part and at {best:,.0f} at its best.",
        cause="Something else used the machine, it got too hot and slowed down, or the data is read from a slow disk.",
        remedy="Close other programs and go on with `ganforge resume RUN`, or give it more time with `--minutes`.",
    )
