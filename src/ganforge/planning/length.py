"""Choose how long a run is, how it is averaged, and how often it is recorded and looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ganforge.planning.compute import TIMED_STEPS, TIMED_STRETCHES, steps_per_record
from ganforge.planning.draft import Choice, Draft
from ganforge.recipe import Average, Length, Optimiser, Recipe, Records

DEFAULT_MINUTES = 5.0
MOST_TIMED_SHARE = 0.1  # of a run whose examples were asked for: so that its plan costs next to nothing

Measure: TypeAlias = Callable[[Recipe, int], float]
"""Examples a second of a recipe's game on this machine, by stretches of so many steps (planning/compute.py)."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a kind of data is recorded and looked at while it is learned."""

    examples: str  # what is shown: "pictures"
    looks: str  # "looks at samples"
    seconds_per_look: float
    steady_rate: float  # examples/s that records and looks are spaced by where examples were asked for, not minutes
    half_life_share: float  # of the run, for the moving average
    most_steps: int  # from one record to the next
    marks: Callable[[float], tuple[float, ...]]  # seconds of training -> progress at which samples are looked at
    why_marks: str


@dataclass(frozen=True, slots=True)
class Span:
    """How long a run is, before it is written into a draft."""

    examples: int
    why: str
    rate: float  # examples/s, as timed
    seconds: float | None = None  # of training, where minutes decide; None where examples were asked for


def for_examples(draft: Draft, asked: int, measure: Measure) -> Span:
    """The span that was asked for: one step shows the least that can be.

    Only the rate is timed, and no choice hangs on it that the weights depend on: the same command gives the same model.
    """
    batch = draft[Optimiser].batch_size
    examples = max(batch, asked)
    steps = int(MOST_TIMED_SHARE * examples / batch / (TIMED_STRETCHES + 1))
    rate = measure(draft.recipe(), min(TIMED_STEPS, max(1, steps)))
    why = "you asked for it" if asked >= batch else f"you asked for {asked}; one step shows {batch}, the least"
    return Span(examples, why, rate)


def for_minutes(draft: Draft, pace: Pace, measure: Measure) -> Span:
    """The span of the minutes that were asked for."""
    seconds, training, looks = seconds_for_training(draft, pace)
    rate = measure(draft.recipe(), TIMED_STEPS)
    examples = max(draft[Optimiser].batch_size, int(rate * training))
    why = f"{seconds / 60:g} minutes at {rate:,.0f} {pace.examples}/s, without the time of {looks} {pace.looks}"
    return Span(examples, why, rate, seconds)


def seconds_for_training(draft: Draft, pace: Pace) -> tuple[float, float, int]:
    """Seconds asked for, those that are left for training once the looks are taken off, and the number of looks."""
    seconds = 60.0 * (draft.request.minutes or DEFAULT_MINUTES)
    looks = len(draft.pinned.get("records.marks", pace.marks(seconds)))
    return seconds, max(0.5 * seconds, seconds - looks * pace.seconds_per_look), looks


def choose_length(draft: Draft, pace: Pace, span: Span, **records: Choice) -> None:
    """Choose the sections `average`, `length` and `records` of a run whose span is known.

    Where examples were asked for nothing here follows the clock: what is looked at when decides what the guard sees.
    Args: records more choices of that section.
    """
    examples, seconds = span.examples, span.seconds
    batch = draft[Optimiser].batch_size
    every = steps_per_record(examples, batch, span.rate if seconds else None, pace.steady_rate)
    every = draft.pinned.get("records.every_steps", min(pace.most_steps, every))
    draft.choose(
        Average,
        half_life_examples=(round(pace.half_life_share * examples), f"{pace.half_life_share:.0%} of the run"),
    )
    draft.choose(
        Length,
        examples=(examples, span.why),
        seconds_allowed=(seconds, ""),
        examples_per_second=(span.rate, "timed on this machine just now"),
    )
    draft.choose(
        Records,
        every_steps=(
            every,
            "about once a second, and 20 times in a short run"
            if seconds
            else "by the examples alone, so that the same command gives the same run; 20 times in a short one",
        ),
        checkpoint_every_steps=(20 * every, "every 20th record"),
        marks=(pace.marks(seconds or examples / pace.steady_rate), pace.why_marks),
        **records,
    )
