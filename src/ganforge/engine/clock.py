"""The clock of a run: examples shown, how many are planned, and progress between 0 and 1.

Every schedule is a function of progress, so everything stays in examples whatever the batch size. A person who asked
for minutes gets them turned into examples at the start; when the machine turns slower the remaining examples are cut,
and when it turns faster they are given back. Progress runs on from where it is: it never jumps, and a resumed run that
repeats the change gets the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Clock:
    """Examples shown so far and the stretch of progress that is left."""

    length: int  # examples planned in all
    examples: int = 0
    anchor_examples: int = 0  # where the length was last changed
    anchor_progress: float = 0.0

    @property
    def progress(self) -> float:
        """0 at the start, 1 when all examples have been shown."""
        left = self.length - self.anchor_examples
        if left <= 0:
            return 1.0
        share = (self.examples - self.anchor_examples) / left
        return min(1.0, self.anchor_progress + (1.0 - self.anchor_progress) * share)

    @property
    def done(self) -> bool:
        return self.examples >= self.length

    def set_length(self, length: int) -> None:
        """Plans `length` examples in all from now on; progress goes on from its present value."""
        self.anchor_progress, self.anchor_examples = self.progress, self.examples
        self.length = length


def fitting_length(clock: Clock, seconds_used: float, seconds_allowed: float, examples_per_second: float) -> int | None:
    """How many examples in all fit the time, or None if the plan would end within 3 % of the allowed time anyway.

    A machine that was busy for a while gets its examples back when it is free again.

    Args: seconds_used of training so far, and those that the looks still to come will use; seconds_allowed in all;
        examples_per_second the recent rate of the steps alone, > 0.
    """
    fits = max(0.0, seconds_allowed - seconds_used) * examples_per_second
    left = clock.length - clock.examples
    off_seconds = abs(fits - left) / examples_per_second
    return clock.examples + int(fits) if left > 0 and off_seconds > 0.03 * seconds_allowed else None
