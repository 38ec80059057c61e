"""How fast a game trains on this machine now, and into how many pieces its batches are cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch

from ganforge.contracts import Feed, Game, Record
from ganforge.core.device import THREADS
from ganforge.engine.fit import FitSettings, fit
from ganforge.engine.profiling import StepCost, cost_of_step
from ganforge.errors import Interrupted
from ganforge.recipe import Recipe
from ganforge.tasks.adversarial import build_game
from ganforge.tasks.on_machine import use

TIMED_STEPS, TIMED_STRETCHES = 10, 4  # steps in a timed stretch; stretches, besides the one that warms up
MOST_RECORDS = 2_000.0  # in a run whose examples were asked for, however long
MOST_TIMING_SECONDS = 4.0  # per candidate, on a machine that is slow or busy
FLOPS_PER_START, FEWEST_ROWS = 2e6, 2  # see pieces_for (docs/log.md)


def in_pieces(draft: Recipe, feed: Feed, build: Callable[[Recipe], Game] = build_game) -> Recipe:
    """The recipe with its batch in as many pieces as are worth computing side by side on the cores of this machine.

    What a step costs is counted, not timed: the same command gives the same pieces on a busy machine. Where a person
    has set pieces or threads, the recipe is as it was.
    """
    compute, batch = draft.compute, draft.optimiser.batch_size
    if compute.device != "cpu" or THREADS == 1 or {"compute.pieces", "compute.threads"} & draft.ask.settings.keys():
        return draft
    settings = FitSettings(
        seed=draft.seed, batch_size=batch, length_examples=batch, half_life_examples=1000, precision=compute.precision
    )
    before = torch.get_num_threads()
    use(compute)
    try:
        cost = cost_of_step(build(draft), feed, settings)
    finally:
        torch.set_num_threads(before)
    pieces = pieces_for(cost, batch, THREADS)
    if pieces == 1:
        why = f"a batch is computed as a whole: its {cost.flops:.2g} operations of arithmetic are too few to be divided"
    else:
        why = f"computed side by side on {THREADS} cores: {cost.flops:.2g} operations of arithmetic are enough for it"
    cut = draft.model_copy(update={"compute": compute.model_copy(update={"pieces": pieces})})
    return cut.with_reason(compute__pieces=why)


def pieces_for(cost: StepCost, batch: int, cores: int) -> int:
    """Into how many equal pieces a batch is cut: at most one for each core, each of at least FEWEST_ROWS.

    Every further piece starts all operations of a step once more. It is worth that, and costs little where no second
    core is free, if the arithmetic of the whole step is FLOPS_PER_START for each operation that is started again.
    """
    most = min(cores, batch // FEWEST_ROWS, 1 + int(cost.flops / cost.operations / FLOPS_PER_START))
    return next(pieces for pieces in range(max(1, most), 0, -1) if batch % pieces == 0)


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


def measure_rate(
    recipe: Recipe, feed: Feed, steps: int = TIMED_STEPS, build: Callable[[Recipe], Game] = build_game
) -> float:
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
        capture=recipe.compute.capture,
        record_every_steps=steps,
    )
    before = torch.get_num_threads()
    use(recipe.compute)
    enough = perf_counter() + MOST_TIMING_SECONDS
    try:
        fit(build(recipe), feed, settings, observers=(rates,), stop=lambda: _timed(rates, enough))
    except Interrupted:
        pass  # by the line above: what was measured is enough
    finally:
        torch.set_num_threads(before)
    measured = sorted(rates.seen[1:] or rates.seen)
    return measured[len(measured) // 2]


def _timed(rates: _Rates, enough: float) -> bool:
    return bool(rates.seen) and perf_counter() > enough
