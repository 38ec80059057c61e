"""The cost of a training step, the machine's limits, and other settings that were measured to be faster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ganforge.api.request import requested, task_for, task_of
from ganforge.api.stored_run import Teller, on_this_machine, recipe_of, reopened
from ganforge.api.train import fit_settings
from ganforge.contracts import Job, Observer
from ganforge.core.device import THREADS, threads_for
from ganforge.engine.profile import StepProfile, Variant, gains, profile_step
from ganforge.errors import InputError, RecipeError
from ganforge.kinds import kind_named
from ganforge.planning.compute import use
from ganforge.run import Run

HELPS = 1.1  # times the examples a second, from which on another setting is worth reporting
BUSY, WAITING, WORKING = 0.25, 0.1, 0.5  # shares from which on idling, data, or a ceiling limits a step


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another setting and its speedup."""

    words: str
    option: str
    gain: float  # times the examples a second


@dataclass(frozen=True, slots=True)
class Profile:
    """The result of `profile`. `sentence` says it in words."""

    step: StepProfile
    alternatives: tuple[Alternative, ...]
    examples: str  # what is shown: "pictures", "rows"
    threads: int

    @property
    def sentence(self) -> str:
        """Return what limits a step, and what would help."""
        return f"{what_limits(self.step, self.threads)} {_help(self.alternatives)}"

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values, for a program."""
        more = {name: getattr(self.step, name) for name in ("examples_per_second", "flops_share", "bytes_share")}
        alternatives = [asdict(alternative) for alternative in self.alternatives]
        return {
            "step": {**asdict(self.step), **more},
            "alternatives": alternatives,
            "threads": self.threads,
            "sentence": self.sentence,
        }


def profile(source: object, *, observers: Sequence[Observer] = (), **asked: Any) -> Profile:
    """Profile a few hundred training steps. Nothing is written; a run stays as it is.

    Args: source a run folder, or data as for `train`, with the same `asked`: then what `train` would do is profiled.
    Raises: DataError, RecipeError, RunError.
    """
    tell = Teller(observers)
    if isinstance(source, str | Path) and Run(source).recipe.is_file():
        if asked:
            raise RecipeError(
                f"{str(source)!r} is a run, and {', '.join(sorted(asked))} was given.",
                "A run is profiled as it was planned.",
                "Give its data instead to profile other settings.",
            )
        folder = Run.open(source)
        return _profiled(reopened(folder, on_this_machine(recipe_of(folder)), tell), tell)
    with requested(source, asked) as request:
        return _profiled(task_for(request).plan(request, tell), tell)


def _profiled(job: Job, tell: Teller) -> Profile:
    recipe = job.recipe
    if (why := task_of(recipe).untrained) is not None:
        raise InputError("There is no step to profile.", why, "Use: ganforge train")
    use(recipe.compute)
    game, feed, settings = job.game(), job.feed, fit_settings(recipe)
    tell("profiling")
    step = profile_step(game, feed, settings)
    tell("comparing")
    threads = max(recipe.compute.threads, threads_for(settings.pieces))
    base = Variant("as it is", "", settings, recipe.compute.threads)
    others = _others(base, len(feed), on_gpu=recipe.compute.device.startswith("cuda"))
    found = zip(others, gains(game, feed, base, others), strict=True)
    use(recipe.compute)
    return Profile(
        step,
        tuple(Alternative(other.words, other.option, gain) for other, gain in found),
        kind_named(recipe.data.kind).nouns,
        threads,
    )


def _others(base: Variant, examples: int, *, on_gpu: bool) -> list[Variant]:
    """Return the alternatives to the present settings. Args: examples in the training part."""
    settings = base.settings
    precision = "float32" if settings.precision == "bfloat16" else "bfloat16"
    twice, other = 2 * settings.batch_size, replace(settings, precision=precision)
    others = [Variant(precision, f"compute.precision={precision}", other, base.threads)]
    if settings.batch_size != examples:  # else a step shows them all, once each
        words, option = f"a batch of {twice}, so half the steps", f"optimiser.batch_size={twice}"
        others.append(Variant(words, option, replace(settings, batch_size=twice), base.threads))
    if on_gpu:
        again = not settings.capture
        words = "repeated from a recording" if again else "operation by operation"
        option = f"compute.capture={'true' if again else 'false'}"
        return [*others, Variant(words, option, replace(settings, capture=again), base.threads)]
    if base.threads > 1:
        others.append(Variant("one thread", "compute.threads=1", settings, 1))
    elif settings.pieces > 1:
        others.append(Variant("a batch as a whole", "compute.pieces=1", replace(settings, pieces=1), 1))
    elif THREADS > 1 and settings.batch_size % THREADS == 0:
        words = f"a batch in {THREADS} pieces side by side"
        others.append(Variant(words, f"compute.pieces={THREADS}", replace(settings, pieces=THREADS), 1))
    return others


def what_limits(step: StepProfile, threads: int) -> str:
    """Return what limits the step, in a sentence."""
    most = max((part for part in step.parts if part != "data"), key=lambda part: step.parts[part])
    idle = f"{step.idle:.0%} of the time"
    if step.parts["data"] > WAITING:
        about = f"{step.parts['data']:.0%} of a step goes into fetching examples."
    elif step.idle > BUSY and step.device != "cpu":
        about = f"The GPU waits {idle} for the host to start its next operation."
    elif step.idle > BUSY:
        waiting = f"The threads wait {idle}, for each other or for other programs."
        about = waiting if threads > 1 else f"Other programs have the processor {idle}."
    elif step.flops_share > WORKING:
        about = f"A step is bound by arithmetic, at {step.flops_share:.0%} of a large matrix product."
    elif step.bytes_share > WORKING:
        about = f"A step is bound by memory, at {step.bytes_share:.0%} of a large copy."
    else:
        about = (
            f"A step reaches {step.flops_share:.0%} of the arithmetic of a large matrix product and "
            f"{step.bytes_share:.0%} of the bytes of a large copy: its operations are small, or of shapes that suit "
            "this machine less."
        )
    return f"{about} The largest part of it is {_said(most)}, {step.parts[most]:.0%}."


def _said(part: str) -> str:
    return {
        "forward": "the networks' forward passes",
        "penalty": "the gradient penalty, its backward pass included",
        "backward": "backpropagation",
        "optimiser": "the optimisers' steps",
        "average": "the moving average",
    }.get(part, "what belongs to no part")


def _help(alternatives: Sequence[Alternative]) -> str:
    helping = sorted((found for found in alternatives if found.gain >= HELPS), key=lambda found: -found.gain)
    if not helping:
        return f"Nothing that was tried shows {HELPS - 1:.0%} more examples a second."
    told = " and ".join(f"{found.words} ({found.gain:.2f} times the examples a second)" for found in helping)
    return f"What would help: {told}."
