"""How fast a game trains on this machine now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch

from ganforge.contracts import Feed, Game
from ganforge.engine.fit import FitSettings, fit
from ganforge.errors import Interrupted
from ganforge.planning.compute import use
from ganforge.recipe import Recipe
from ganforge.records import Record

TIMED_STEPS, TIMED_STRETCHES = 10, 4  # steps in a timed stretch; stretches, besides the one that warms up
MOST_RECORDS = 2_000.0  # in a run whose examples were asked for, however long
MOST_TIMING_SECONDS = 4.0  # per candidate, on a machine that is slow or busy


def steps_per_record(examples: int, batch: int, rate: float | None, steady_rate: float) -> int:
    """Steps from one record to the next: about a second of them, and at least twenty records in a run.

    Args: rate in examples/s as timed; None where the clock must not decide: then steady_rate stands for it.
    """
    pace = max(steady_rate, examples / MOST_RECORDS) if rate is None else rate
    return max(1, min(round(pace / batch), examples // batch // 20))


@dataclass(slots=True)
class _Rates:
    """An observer that keeps the rate of each record."""

    seen: list[float]

    def record(self, record: Record) -> None:
        self.seen.append(record["examples_per_second"])

    def event(self, event: Any) -> None:
        pass


def measure_rate(recipe: Recipe, feed: Feed, steps: int = TIMED_STEPS, *, build: Callable[[Recipe], Game]) -> float:
    """Examples per second of real training steps on this machine: the median of a few short stretches of `steps`.

    The first stretch only warms up: kernels are chosen and memory is taken in it.
    """
    batch, rates = recipe.optimiser.batch_size, _Rates([])
    settings = FitSettings(
        seed=recipe.seed,
        batch_size=batch,
        length_examples=batch * steps * (TIMED_STRETCHES + 1),
        half_life_examples=1000,
        precision=recipe.compute.precision,
        pieces=recipe.compute.pieces,
        capture=recipe.compute.capture is not False,
        record_every_steps=steps,
    )
    before = torch.get_num_threads()
    use(recipe.compute)
    enough = perf_counter() + MOST_TIMING_SECONDS
    # A GPU chooses its kernels in the first stretch, which alone may take longer than that, and many times a step.
    least = 2 if recipe.compute.device.startswith("cuda") else 1
    try:
        fit(build(recipe), feed, settings, observers=(rates,), stop=lambda: timed_enough(rates.seen, enough, least))
    except Interrupted:
        pass  # by the line above: what was measured is enough
    finally:
        torch.set_num_threads(before)
    measured = sorted(rates.seen[1:] or rates.seen)
    return measured[len(measured) // 2]


def timed_enough(seen: Sequence[float], enough: float, least: int) -> bool:
    """Whether no more stretches need be timed. Args: seen their rates so far; enough by perf_counter; least of them."""
    return len(seen) >= least and perf_counter() > enough
