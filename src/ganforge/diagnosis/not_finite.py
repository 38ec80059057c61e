"""Numbers that are not numbers: turns that had to be skipped, and runs that had to be rewound."""

from __future__ import annotations

from ganforge.contracts import Finding, History

_MANY = 0.01  # one turn in a hundred: more than the odd overflow


def not_finite(history: History) -> Finding | None:
    """Turns were skipped because a loss or a gradient was NaN or infinite, or the run was rewound because of it."""
    last = history.records[-1] if history.records else {}
    rewinds = sum(event.get("kind") == "rewound" for event in history.events)
    rewinds = max(rewinds, int(last.get("attempt", 0)))
    skipped = max(int(last.get("skipped", 0)), sum(event.get("kind") == "skipped" for event in history.events))
    if not skipped and not rewinds:
        return None
    steps = max(1, int(last.get("step", 0)))
    times = "once" if rewinds == 1 else f"{rewinds} times"
    evidence = f"{skipped} of {steps:,} steps had a loss or gradient that was not a finite number and were skipped"
    evidence += f"; the run was taken back to its last healthy checkpoint {times}." if rewinds else "."
    return Finding(
        ailment="not_finite",
        severity="critical" if rewinds > 1 else "warning" if rewinds or skipped > _MANY * steps else "note",
        evidence=evidence,
        cause="The steps are too large for this loss: weights jump to where numbers overflow. Extreme values in the "
        "data do the same.",
        remedy="Train again with half of the plan's learning rate: `--set optimiser.learning_rate_start=...`. If it "
        "comes back, look at the data passport for extreme values.",
    )
