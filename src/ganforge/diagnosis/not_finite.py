"""Numbers that are not numbers: turns that had to be skipped, and runs that had to be rewound."""

from __future__ import annotations

from ganforge.diagnosis.history import players
from ganforge.records import Finding, History

_MANY = 0.01  # one turn in a hundred: more than the odd overflow


def not_finite(history: History) -> Finding | None:
    """Turns were skipped because a loss or a gradient was NaN or infinite, or the run was rewound because of it."""
    last = history.records[-1] if history.records else {}
    rewinds = sum(event.get("kind") == "rewound" for event in history.events)
    rewinds = max(rewinds, int(last.get("attempt", 0)) - _returns(history))
    skipped = int(last.get("skipped", 0))
    if not skipped and not rewinds:
        return None
    turns = max(1, int(last.get("step", 0)) * max(1, len(players(history))))
    times = "once" if rewinds == 1 else f"{rewinds} times"
    evidence = f"{skipped} of {turns:,} turns had a loss or gradient that was not a finite number and were skipped"
    evidence += f"; the run was taken back to its last healthy checkpoint {times}." if rewinds else "."
    return Finding(
        ailment="not_finite",
        severity="critical" if rewinds > 1 else "warning" if rewinds or skipped > _MANY * turns else "note",
        evidence=evidence,
        cause="The steps are too large for this loss: weights jump to where numbers overflow. Extreme values in the "
        "data do the same.",
        remedy="Train again with half of the plan's learning rate: `--set optimiser.learning_rate_start=...`. If it "
        "comes back, look at the data passport for extreme values.",
    )


def _returns(history: History) -> int:
    """How often the guard took the run back, which it does for other reasons too."""
    returns = (event for event in history.events if event.get("kind") == "guarded")
    return len({(event.get("attempt"), event.get("step")) for event in returns if event.get("to_step") is not None})
