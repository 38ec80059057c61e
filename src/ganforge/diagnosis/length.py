"""Runs that ended too early, and machines that were busy with something else."""

from __future__ import annotations

import math
from typing import Literal

from ganforge.diagnosis.history import discriminators, leading_quality, looks, middle, window
from ganforge.records import Finding, History, Record

_STILL = 0.15  # of the way to the floor, since the last look before the end
_LATE = (0.5, 0.85)  # where that look may lie: learning rates that fall always give a little at the very end
_SLOW = 0.5  # of its best speed
_WAITED = 0.4  # of the time: the run could be nearly twice as fast


def too_short(history: History) -> Finding | None:
    """Quality was still improving when the run ended, and is not at its floor yet."""
    records = history.records
    seen = leading_quality(history)
    if not records or not discriminators(history) or seen is None or float(records[-1].get("progress", 0)) < 0.98:
        return None
    told = [
        (float(record["progress"]), float(record["quality"][seen.name]))
        for record in looks(history)
        if math.isfinite(record["quality"].get(seen.name, math.nan))
    ]
    earlier = [(progress, value) for progress, value in told if _LATE[0] <= progress <= _LATE[1]]
    if not earlier or told[-1][0] < 0.98:
        return None
    (progress, before), last = earlier[-1], told[-1][1]
    floor = seen.floor or 0.0
    gain = before - last if seen.better == "lower" else last - before
    room = before - floor if seen.better == "lower" else before
    if gain < _STILL * max(abs(room), 1e-12) or (seen.better == "lower" and last <= 1.5 * floor):
        return None
    minutes = max(1, round(2 * float(records[-1].get("seconds", 0.0)) / 60))
    return Finding(
        ailment="too_short",
        severity="note",
        evidence=f"{seen.name} went from {before:.3g} at {progress:.0%} of the run to {last:.3g} at its end "
        f"({seen.better} is better).",
        cause="The model was still getting better when its time was over. This is no fault.",
        remedy=f"Train for longer, for example twice as long: `ganforge train DATA --minutes {minutes}`.",
    )


def starved(history: History) -> Finding | None:
    """Training waits for data, or the machine was much slower at the end than it had been at its best.

    Like nothing else here this depends on the clock: two runs with the same weights may differ in it.
    """
    waited = window([float(r["waiting"]) for r in history.records if isinstance(r.get("waiting"), int | float)])
    if waited and middle(waited) >= _WAITED:
        return _starved(
            "critical" if middle(waited) > 0.8 else "warning",
            f"In the last part of the run {middle(waited):.0%} of the time went by in waiting for batches.",
            "The examples come more slowly than the networks learn: from a slow disk or a network drive, or from "
            "files that are dear to decode.",
        )
    training = [record for record in history.records if "quality" not in record]  # a look at the product takes its time
    # A player that joins late makes every step dearer from then on: only steps of the same players compare.
    training = [record for record in training if _playing(record) == _playing(history.records[-1])]
    speeds = [float(record.get("examples_per_second", 0.0)) for record in training]
    if len(speeds) < 20:
        return None
    best = sorted(speeds)[math.ceil(0.9 * len(speeds)) - 1]  # the ninth decile: one lucky record is not a best
    now = middle(window(speeds))
    if now >= _SLOW * best:
        return None
    return _starved(
        "note",  # whoever shares a machine sees this every day
        f"Training ran at {now:,.0f} examples/s in its last part and at {best:,.0f} at its best.",
        "Something else used the machine, or it got too hot and slowed down.",
    )


def _playing(record: Record) -> list[str]:
    return sorted(record.get("gradient_norms") or {})


def _starved(severity: Literal["note", "warning", "critical"], evidence: str, cause: str) -> Finding:
    return Finding(
        ailment="starved",
        severity=severity,
        evidence=evidence,
        cause=cause,
        remedy="Copy the data to a fast local disk and close other programs; then go on with `ganforge resume RUN`, or "
        "give it more time with `--minutes`.",
    )
