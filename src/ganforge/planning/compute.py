"""Choose the device, precision, threads and length of a run, and configure this process for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TypeAlias

import torch
from threadpoolctl import threadpool_limits

from ganforge.contracts import Feed, Game, Observer
from ganforge.core.device import THREADS, survey_machine, torch_threads
from ganforge.engine.fit import FitSettings, fit
from ganforge.engine.profile import StepCost, cost_of_step
from ganforge.errors import Interrupted, RecipeError
from ganforge.objectives import OBJECTIVES
from ganforge.planning.draft import ASKED, Choice, Draft
from ganforge.recipe import Average, Compute, Length, Optimiser, Recipe, Records
from ganforge.records import Record

TIMED_STEPS, TIMED_STRETCHES = 10, 4  # steps in a timed stretch; stretches, besides the one that warms up
MOST_RECORDS = 2_000.0  # in a run whose examples were given, however long
MOST_TIMING_SECONDS = 4.0  # per candidate, on a machine that is slow or busy
ANY_DATA = 256  # examples of a batch that any data may have: of some, each draw is another part of an example


def steps_per_record(examples: int, batch: int, rate: float | None, steady_rate: float) -> int:
    """Return the steps from one record to the next: about a second of them, and at least twenty records in a run.

    Args: rate in examples/s as timed; None where the clock must not decide: then steady_rate replaces it.
    """
    pace = max(steady_rate, examples / MOST_RECORDS) if rate is None else rate
    return max(1, min(round(pace / batch), examples // batch // 20))


@dataclass
class _Rates(Observer):
    """An observer that stores the rate of each record."""

    seen: list[float]

    def record(self, record: Record) -> None:
        self.seen.append(record["examples_per_second"])


def refuse_large_batch(recipe: Recipe, feed: Feed) -> None:
    """Refuse a batch of more examples than there are, which only takes memory. Raises: RecipeError."""
    batch, count = recipe.optimiser.batch_size, len(feed)
    if batch > max(count, ANY_DATA) and recipe.reasons.get("optimiser.batch_size") == ASKED:
        raise RecipeError(
            f"optimiser.batch_size is {batch:,}, and there are {count:,} examples to learn from.",
            "A larger batch shows the same ones again in one step, and needs memory for all of them.",
            f"Use at most --set optimiser.batch_size={max(count, ANY_DATA)}, or leave it to the plan.",
        )


def measure_rate(recipe: Recipe, feed: Feed, steps: int = TIMED_STEPS, *, build: Callable[[Recipe], Game]) -> float:
    """Measure examples per second of real training steps on this machine: the median of a few short runs of `steps`.

    The first run only warms up: it chooses kernels and allocates memory. Raises: RecipeError for a batch of more
    examples than there are.
    """
    refuse_large_batch(recipe, feed)
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
    enough = perf_counter() + MOST_TIMING_SECONDS
    # A GPU chooses its kernels in the first stretch, which alone may take longer than that, and many times a step.
    least = 2 if recipe.compute.device.startswith("cuda") else 1
    with torch_threads(recipe.compute.threads), suppress(Interrupted):  # by `stop`: what was measured is enough
        use(recipe.compute)
        fit(build(recipe), feed, settings, observers=(rates,), stop=lambda: timed_enough(rates.seen, enough, least))
    measured = sorted(rates.seen[1:] or rates.seen)
    return measured[len(measured) // 2]


def timed_enough(seen: Sequence[float], enough: float, least: int) -> bool:
    """Return whether no more timing is needed. Args: seen their rates so far; enough by perf_counter; least of them."""
    return len(seen) >= least and perf_counter() > enough


WHOLE = "a batch is computed as a whole; more pieces take less memory"
ALONE = "each operation has one: several wait for each other, and for long where other programs run"


def choose_compute(draft: Draft) -> Compute:
    """Choose the section `compute` for the draft's device: precision, threads, and settings for NVIDIA GPUs."""
    machine, device = survey_machine(), draft.device
    best, on_gpu = device == machine.device, device.startswith("cuda")
    precision = machine.precision if best else "float32"
    reasons = (
        machine.precision_reason if best else "safe on any device",
        "products of matrices and convolutions; weights, moments, losses and penalties are float32"
        if precision == "bfloat16"
        else "",
        "what stays float32 is multiplied as TF32" if on_gpu else "",
    )
    for_a_gpu: dict[str, Choice] = {
        "capture": (True, "hundreds of small operations are started at once"),
        "deterministic": (False, "the fastest algorithms; true makes a resumed run the same to the bit"),
    }
    return draft.choose(
        Compute,
        device=(device, machine.device_reason),
        precision=(precision, "; ".join(filter(None, reasons))),
        pieces=(1, WHOLE),
        threads=(machine.threads, ALONE if machine.threads == 1 else machine.description),
        **(for_a_gpu if on_gpu else {}),
    )


def use(compute: Compute) -> None:
    """Configure this process by a recipe's section `compute`.

    The number of threads decides the order of sums, and with it the bits of a run; on a GPU the choice of algorithms
    does. TF32 keeps 10 bits of the factors of a product and adds in float32.
    """
    torch.set_num_threads(compute.threads)
    on_gpu = compute.device.startswith("cuda")
    torch.set_float32_matmul_precision("high" if on_gpu else "highest")
    if on_gpu:
        torch.use_deterministic_algorithms(bool(compute.deterministic))
        torch.backends.cudnn.benchmark = not compute.deterministic


def library_threads(compute: Compute) -> AbstractContextManager[object]:
    """A context in which numpy, SciPy and scikit-learn use as many threads for an operation as torch does.

    By default they use all cores. Judging digits took 4 s with one thread and 5 to 11 s with two.
    """
    limits: AbstractContextManager[object] = threadpool_limits(compute.threads)
    return limits


FLOPS_PER_START = 2e6  # see pieces_for; measured on digits and tables (docs/log.md)
FEWEST_EXAMPLES = 2  # in a piece: translation without pairs moves the examples of a batch apart by one


def choose_pieces(draft: Draft, feed: Feed, *, build: Callable[[Recipe], Game]) -> None:
    """Revise `compute.pieces` once network, objective and batch are chosen, for runs on a processor.

    The cost of a step is counted, not timed, so that the same command gives the same pieces on a busy machine.
    Pinned pieces or threads are kept, and examples that an objective ties together stay in
    one piece. Args: build the game of a recipe, of which one step is played. Raises: RecipeError as `measure_rate`.
    """
    refuse_large_batch(draft.recipe(), feed)
    compute, batch = draft[Compute], draft[Optimiser].batch_size
    if compute.device != "cpu" or THREADS == 1 or {"compute.pieces", "compute.threads"} & set(draft.pinned):
        return
    recipe = draft.recipe()
    if recipe.objective is not None and OBJECTIVES[recipe.objective.name].couples_examples:
        return
    settings = FitSettings(
        seed=recipe.seed, batch_size=batch, length_examples=batch, half_life_examples=1000, precision=compute.precision
    )
    with torch_threads(recipe.compute.threads):
        use(recipe.compute)
        cost = cost_of_step(build(recipe), feed, settings)
    pieces, arithmetic = pieces_for(cost, batch, THREADS), f"a step of {cost.flops:.2g} multiplications and additions"
    why = f"{arithmetic} is not worth dividing" if pieces == 1 else f"{arithmetic} is divided among {THREADS} cores"
    draft.revise(Compute, pieces=(pieces, why))


def pieces_for(cost: StepCost, batch: int, cores: int) -> int:
    """Return the number of equal pieces: at most one for each core, each of at least FEWEST_EXAMPLES.

    Every further piece starts all operations of a step once more. That costs little, also where no other core is free,
    if the step has FLOPS_PER_START multiplications and additions for each operation that is started again.
    """
    worth = 1 + int(cost.flops / (FLOPS_PER_START * cost.operations))
    most = max(1, min(worth, cores, batch // FEWEST_EXAMPLES))
    return next(pieces for pieces in range(most, 0, -1) if batch % pieces == 0)


# ---- the length of a run, its moving average, and the intervals of records and looks ---------------------------------


DEFAULT_MINUTES = 5.0
MOST_TIMED_SHARE = 0.1  # of a run whose examples were asked for: so that its plan costs next to nothing

Measure: TypeAlias = Callable[[Recipe, int], float]
"""Examples a second of a recipe's game on this machine, by stretches of so many steps: `measure_rate`."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The intervals of records and looks for a kind of data."""

    examples: str  # what is shown: "pictures"
    looks: str  # "looks at samples"
    seconds_per_look: float
    steady_rate: float  # examples/s that space records and looks where examples were given, not minutes
    half_life_share: float  # of the run, for the moving average
    most_steps: int  # from one record to the next
    marks: Callable[[float], tuple[float, ...]]  # seconds of training -> progress at which samples are looked at
    why_marks: str


@dataclass(frozen=True, slots=True)
class Span:
    """The length of a run, before it is written into a draft."""

    examples: int
    why: str
    rate: float  # examples/s, as timed
    seconds: float | None = None  # of training, where minutes decide; None where examples were asked for


def for_examples(draft: Draft, asked: int, measure: Measure) -> Span:
    """Return the span for given examples: at least one step.

    Only the rate is timed, and no choice that the weights depend on uses it: the same command gives the same model.
    """
    batch = draft[Optimiser].batch_size
    examples = max(batch, asked)
    steps = int(MOST_TIMED_SHARE * examples / batch / (TIMED_STRETCHES + 1))
    rate = measure(draft.recipe(), min(TIMED_STEPS, max(1, steps)))
    why = "you asked for it" if asked >= batch else f"you asked for {asked}; one step shows {batch}, the least"
    return Span(examples, why, rate)


def for_minutes(draft: Draft, pace: Pace, measure: Measure) -> Span:
    """Return the span for given minutes."""
    seconds, training, looks = seconds_for_training(draft, pace)
    rate = measure(draft.recipe(), TIMED_STEPS)
    examples = max(draft[Optimiser].batch_size, int(rate * training))
    why = f"{seconds / 60:g} minutes at {rate:,.0f} {pace.examples}/s, without the time of {looks} {pace.looks}"
    return Span(examples, why, rate, seconds)


def for_one_phase(draft: Draft, pace: Pace, feed: Feed, *, build: Callable[[Recipe], Game]) -> Span:
    """Return the span of a game whose players all play from its beginning to its end."""
    return _for_either(draft, pace, lambda recipe, steps: measure_rate(recipe, feed, steps, build=build))


def for_fixed(
    draft: Draft, pace: Pace, feed: Feed, examples: int, why: str, *, build: Callable[[Recipe], Game]
) -> Span:
    """Return the span that was asked for, or else so many examples: one after which more is no better.

    Args: why as the plan says it.
    """
    if draft.examples is not None or draft.request.minutes is not None:
        return for_one_phase(draft, pace, feed, build=build)
    measured = for_examples(draft, examples, lambda recipe, steps: measure_rate(recipe, feed, steps, build=build))
    return replace(measured, why=why)


def at_most(draft: Draft, span: Span, examples: int, why: str) -> Span:
    """Return a span with no more examples than are any use, unless more were asked for. Args: why if it is cut."""
    enough = max(draft.request.examples or 0, examples)
    if draft.examples is not None or span.examples <= enough:
        return span
    return replace(span, examples=enough, seconds=None, why=why)


def for_two_phases(
    draft: Draft, pace: Pace, feed: Feed, joined: float, *, build: Callable[[Recipe], Game], name: str = "sharp_from"
) -> Span:
    """Return the span of a game whose later players join at the progress `joined`, or, at 1, never.

    Both phases are timed, and their rates weighted by their shares of the examples.
    Args: name of the setting of its own section that says when.
    """

    def phase(recipe: Recipe, at: float) -> Recipe:
        assert recipe.own is not None
        return recipe.model_copy(update={"own": recipe.own.model_copy(update={name: at})})

    def measure(recipe: Recipe, steps: int) -> float:
        alone, together = (measure_rate(phase(recipe, at), feed, steps, build=build) for at in (1.0, 0.0))
        return 1 / (joined / alone + (1 - joined) / together)

    return _for_either(draft, pace, measure) if joined < 1 else for_one_phase(draft, pace, feed, build=build)


def _for_either(draft: Draft, pace: Pace, measure: Measure) -> Span:
    return for_minutes(draft, pace, measure) if draft.examples is None else for_examples(draft, draft.examples, measure)


def seconds_for_training(draft: Draft, pace: Pace) -> tuple[float, float, int]:
    """Return the seconds that were given, those that remain for training without the looks, and the number of looks."""
    seconds = 60.0 * (draft.request.minutes or DEFAULT_MINUTES)
    looks = len(draft.pinned.get("records.marks", pace.marks(seconds)))
    return seconds, max(0.5 * seconds, seconds - looks * pace.seconds_per_look), looks


def choose_length(draft: Draft, pace: Pace, span: Span, **records: Choice) -> None:
    """Choose the sections `average`, `length` and `records` of a run whose span is known.

    Where examples were given nothing here depends on the clock: the times of looks decide what the guard sees.
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
