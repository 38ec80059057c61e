"""The plan for pictures: looks at the data and at this machine, and chooses what the person did not ask for.

The rules were found on digits 8x8, MNIST, CIFAR-10 and emoji 64x64; docs/log.md says what was tried for each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch

from ganforge import __version__
from ganforge.contracts import Feed, Record, Tell
from ganforge.core.device import Machine, survey_machine
from ganforge.data.images import Pictures
from ganforge.engine.fit import FitSettings, fit
from ganforge.errors import Interrupted, RecipeError, did_you_mean
from ganforge.objectives import OBJECTIVES
from ganforge.recipe import (
    Adversary,
    Average,
    Compute,
    Data,
    Length,
    Network,
    Optimiser,
    Recipe,
    Records,
    Request,
    override,
)
from ganforge.tasks.adversarial import build_game

DEFAULT_MINUTES = 5.0
BATCH = 64
LARGEST_ON_CPU = 64  # pixels: above this a processor shows too few pictures in minutes to learn from
LONG_ON_CPU = 30.0  # minutes from which on 64 pixels are worth it on a processor where 32 are free to be chosen
GAMMA_PER_SQUARED_DISTANCE = 0.01  # see gamma_rule
GAMMA_DECAY = 0.1  # gamma at the end over gamma at the start
HALF_LIFE_SHARE = 0.05  # of the run
SECONDS_PER_LOOK = 2.0
MOST_TIMING_SECONDS = 4.0  # per candidate, on a machine that is slow or busy

SIZES: dict[str, Network] = {
    "tiny": Network(name="conv", latent_size=64, width=16),
    "small": Network(name="conv", latent_size=64, width=32),
    "base": Network(name="conv", latent_size=64, width=64),
    "large": Network(name="resnet", latent_size=64, width=256, depth=1),
}
# Examples that a network of each size must see before it is better than the size below it.
WORTH_IT_FROM = {"tiny": 0, "small": 30_000, "base": 200_000}


def target_size(native: tuple[int, int] | None, request: Request) -> tuple[tuple[int, int], str]:
    """Height and width to learn at, with the reason."""
    if request.resolution is not None:
        return (request.resolution, request.resolution), "you asked for it"
    processor = survey_machine().device == "cpu"
    if native is not None and max(native) <= (LARGEST_ON_CPU if processor else 256):
        return native, "all pictures have this size"
    side = 64
    if processor and request.examples is None and (request.minutes or DEFAULT_MINUTES) < LONG_ON_CPU:
        side = 32
    sizes = "have different sizes" if native is None else f"are {native[0]}x{native[1]}"
    more = "; --resolution 64 asks for more" if side == 32 else ""
    return (side, side), f"the pictures {sizes}; {side} pixels suit this machine and time{more}"


def gamma_rule(mean_squared_distance: float) -> float:
    """The penalty's weight at the start, from the mean squared distance of two training examples.

    A gradient penalty gamma |dD/dx|^2 keeps its meaning when x is scaled by s only if gamma scales by s^2. The mean
    squared distance S of two examples carries that scale, and grows with the number of pixels as it should:
    gamma = 0.01 S. A weight several times larger does no harm, one several times smaller does (docs/log.md).
    """
    return float(f"{GAMMA_PER_SQUARED_DISTANCE * mean_squared_distance:.2g}")


def plan_pictures(request: Request, pictures: Pictures, size_reason: str, tell: Tell) -> Recipe:
    """Everything chosen, each choice with its reason; times a few steps of each candidate when minutes were asked for.

    Raises: RecipeError for unknown names and impossible values.
    """
    if request.minutes is not None and request.examples is not None:
        raise RecipeError("Both --minutes and --examples were given.", "They say the same thing twice.", "Give one.")
    if request.objective is not None and request.objective not in OBJECTIVES:
        raise RecipeError(f"There is no objective {request.objective!r}.", did_you_mean(request.objective, OBJECTIVES))
    machine = survey_machine()
    draft = _draft(request, pictures, machine)
    draft = _with_length(draft, request, pictures.train, tell)
    draft = draft.with_reason(data__shape=size_reason)
    return override(draft, request.settings)


def _draft(request: Request, pictures: Pictures, machine: Machine) -> Recipe:
    """Everything but network size and length."""
    count, distance = len(pictures.train), math.prod(pictures.shape) * float(pictures.passport["mean_squared_distance"])
    objective, gamma = request.objective or "r3gan", gamma_rule(distance)
    adversary = (
        Adversary(name=objective, gamma_start=10.0, gamma_end=10.0)
        if objective == "wasserstein"
        else Adversary(name=objective, gamma_start=gamma, gamma_end=gamma * GAMMA_DECAY)
    )
    labels = f"{len(pictures.label_names)} labels are there: one model draws each of them on demand"
    rule = f"{GAMMA_PER_SQUARED_DISTANCE:g} x the mean squared distance of two training pictures ({distance:.4g}); falls to a tenth"
    return Recipe(
        ganforge=__version__,
        task="generate",
        seed=request.seed,
        ask=request,
        data=Data(
            source=request.source,
            kind="pictures",
            shape=pictures.shape,
            label_names=pictures.label_names,
            hash=pictures.data_hash,
        ),
        network=SIZES[request.size or "small"],
        objective=adversary,
        optimiser=Optimiser(batch_size=min(BATCH, count)),
        length=Length(examples=request.examples or BATCH),
        compute=Compute(device=machine.device, precision=machine.precision, threads=machine.threads),
    ).with_reason(
        data__label_names=labels if pictures.label_names else "there are no labels",
        objective__name="you asked for it" if request.objective else "relativistic pairing with R1 and R2: converges",
        objective__gamma_start="the paper's weight" if objective == "wasserstein" else rule,
        optimiser__batch_size=f"{BATCH} pictures a step, from {count:,} training pictures",
        optimiser__learning_rate_start="falls to the end along a half cosine",
        compute__device=machine.device_reason,
        compute__precision=machine.precision_reason,
        compute__threads=machine.description,
    )


def _with_length(draft: Recipe, request: Request, feed: Feed, tell: Tell) -> Recipe:
    """Network size and length: from a timing when minutes were asked for, else from the examples."""
    if request.examples is not None:
        return _finish(draft, request, draft.network, request.examples, None, None)
    seconds = 60.0 * (request.minutes or DEFAULT_MINUTES)
    candidates = [request.size] if request.size else ["base", "small", "tiny"]
    rate, network = 0.0, draft.network
    for size in candidates:
        network = SIZES[size]
        tell("timing", size=size)
        draft, rate = _on_fewest_threads(draft.model_copy(update={"network": network}), feed)
        marks = len(_marks(seconds))
        if rate * (seconds - marks * SECONDS_PER_LOOK) >= WORTH_IT_FROM.get(size, 0):
            break
    training = max(0.5 * seconds, seconds - len(_marks(seconds)) * SECONDS_PER_LOOK)
    return _finish(draft, request, network, int(rate * training), seconds, rate)


def _on_fewest_threads(draft: Recipe, feed: Feed) -> tuple[Recipe, float]:
    """All threads or one, whichever is faster now, with the rate.

    Threads wait for each other at every operation. On a small network, or on a machine that is busy with other things,
    that wait costs more than the second core brings: 30 times as much was seen.
    """
    many = measure_rate(draft, feed)
    if draft.compute.threads == 1 or draft.compute.device != "cpu":
        return draft, many
    alone = draft.model_copy(update={"compute": draft.compute.model_copy(update={"threads": 1})})
    one = measure_rate(alone, feed)
    told = f"{draft.compute.threads} threads make {many:,.0f} pictures/s now, one makes {one:,.0f}"
    chosen = alone if one > many else draft
    return chosen.with_reason(compute__threads=f"{draft.reasons['compute.threads']}; {told}"), max(one, many)


def _finish(
    draft: Recipe, request: Request, network: Network, examples: int, seconds: float | None, rate: float | None
) -> Recipe:
    """The recipe once network and length are known."""
    batch = draft.optimiser.batch_size
    examples = max(batch, examples)
    steps_per_second = (rate or 1000.0) / batch
    every = max(1, min(100, round(steps_per_second)))
    asked = {
        "minutes": f"{seconds / 60:g} minutes at {rate:,.0f} pictures/s" if seconds and rate else "you asked for it"
    }
    size = "you asked for it" if request.size else f"the largest that learns well from {examples:,} pictures shown"
    return draft.model_copy(
        update={
            "network": network,
            "average": Average(half_life_examples=round(HALF_LIFE_SHARE * examples)),
            "length": Length(examples=examples, seconds_allowed=seconds, examples_per_second=rate),
            "records": Records(
                every_steps=every,
                checkpoint_every_steps=every * 20,
                marks=_marks(seconds if seconds else examples / 1000.0),
            ),
        }
    ).with_reason(
        length__examples=asked["minutes"],
        network__width=size,
        average__half_life_examples=f"{HALF_LIFE_SHARE:.0%} of the run",
    )


def _marks(seconds: float) -> tuple[float, ...]:
    """Progress at which samples are drawn and measured: fewer in a short run, where each look costs more."""
    if seconds < 30:
        return (0.0, 0.5, 1.0)
    if seconds < 100:
        return (0.0, 0.15, 0.5, 1.0)
    return (0.0, 0.02, 0.06, 0.15, 0.3, 0.5, 0.75, 1.0)


@dataclass(slots=True)
class _Rates:
    """An observer that keeps the rate of each record."""

    seen: list[float]

    def record(self, record: Record) -> None:
        self.seen.append(record["examples_per_second"])

    def event(self, event: Any) -> None:
        pass


def measure_rate(recipe: Recipe, feed: Feed, steps: int = 10, repeats: int = 4) -> float:
    """Examples per second of real training steps on this machine: the median of a few short stretches.

    The first stretch only warms up: kernels are chosen and memory is taken in it.
    """
    batch, rates = recipe.optimiser.batch_size, _Rates([])
    settings = FitSettings(
        seed=recipe.seed,
        batch_size=batch,
        length_examples=batch * steps * (repeats + 1),
        half_life_examples=1000,
        precision=recipe.compute.precision,
        device=recipe.compute.device,
        record_every_steps=steps,
    )
    before = torch.get_num_threads()
    torch.set_num_threads(recipe.compute.threads)
    enough = perf_counter() + MOST_TIMING_SECONDS
    try:
        fit(build_game(recipe), feed, settings, observers=(rates,), stop=lambda: _timed(rates, enough))
    except Interrupted:
        pass  # by the line above: what was measured is enough
    finally:
        torch.set_num_threads(before)
    measured = sorted(rates.seen[1:] or rates.seen)
    return measured[len(measured) // 2]


def _timed(rates: _Rates, enough: float) -> bool:
    return bool(rates.seen) and perf_counter() > enough
