"""The plan for pictures: looks at the data and at this machine, and chooses what the person did not ask for.

The rules were found on digits 8x8, MNIST, CIFAR-10 and emoji 64x64; docs/log.md says what was tried for each.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ganforge import __version__
from ganforge.contracts import Feed, Tell
from ganforge.core.device import devices_here, survey_machine
from ganforge.core.subset import subset
from ganforge.data.images import MIRRORED, Pictures, mirrored_ratio
from ganforge.errors import RecipeError, did_you_mean
from ganforge.networks import refuse_unbuildable_pair
from ganforge.objectives import OBJECTIVES
from ganforge.recipe import (
    Adversary,
    Average,
    Data,
    Length,
    Network,
    Optimiser,
    Recipe,
    Records,
    Request,
    Size,
    override,
    refuse_two_lengths,
)
from ganforge.tasks.on_machine import compute_on
from ganforge.tasks.timing import TIMED_STEPS, TIMED_STRETCHES, in_pieces, measure_rate, steps_per_record

DEFAULT_MINUTES = 5.0
BATCH = 64
BATCH_ON_GPU = 256  # of residual networks: R3GAN's for 64 pixels and more
RATE = 2e-3
RATE_WIDTH = 64.0  # of a residual network: up to it RATE holds, above it the rate falls as the width grows
LARGEST_ON_CPU = 64  # pixels: above this a processor shows too few pictures in minutes to learn from
LONG_ON_CPU = 30.0  # minutes from which on 64 pixels are worth it on a processor where 32 are free to be chosen
GAMMA_PER_SQUARED_DISTANCE = 0.01  # see gamma_rule
COMPARED = 500  # training pictures that tell whether a mirrored one could be one of them
FEW = 1_000  # training pictures, under which a discriminator may come to know them by heart within a run
RIGHT_AT_MOST = 0.8  # share of pairs that a discriminator ranks right while it judges by likeness (engine/adapting.py)
GAMMA_DECAY = 0.1  # gamma at the end over gamma at the start
HALF_LIFE_SHARE = 0.05  # of the run
SECONDS_PER_LOOK = 2.0
MOST_TIMED_SHARE = 0.1  # of a run whose examples were asked for: so that its plan costs next to nothing
STEADY_RATE = 1_000.0  # pictures/s that records and looks are spaced by where examples were asked for, not minutes

SIZES: dict[Size, Network] = {
    "tiny": Network(name="conv", latent_size=64, width=16),
    "small": Network(name="conv", latent_size=64, width=32),
    "medium": Network(name="conv", latent_size=64, width=64),
    # R3GAN's, for a GPU; `large` is its configuration for 32 pixels (Huang et al. 2024, table of appendix).
    "base": Network(name="resnet", latent_size=64, width=256, depth=2),
    "large": Network(name="resnet", latent_size=64, width=768, depth=2),
}
FOR_A_GPU: tuple[Size, ...] = ("base", "large")
# Examples that a network of each size must see before it is better than the size below it.
WORTH_IT_FROM: dict[Size, int] = {"tiny": 0, "small": 30_000, "medium": 500_000}
RULED: tuple[Size, ...] = ("medium", "small", "tiny")  # what the plan chooses from, in the order in which it tries them

# Of choices that are the same for all pictures.
REASONS = {
    "data__source": "you gave it",
    "data__kind": "found there",
    "network__latent_size": "the same for all pictures; not tuned",
    "objective__order": "each player answers the other's newest step",
    "objective__augmentation": "none from the start: it slows learning where it is not needed (docs/log.md)",
    "optimiser__kind": "a step size for each weight, which layers of different scale need",
    "optimiser__learning_rate_start": "held from 8x8 grey to 64x64 colour (docs/log.md); falls along a half cosine",
    "optimiser__learning_rate_end": "the last steps settle what was learned",
    "optimiser__warmup": "none: no run has needed it",
    "optimiser__beta1": "no momentum: each step of one player changes the other's task",
    "optimiser__beta2": "a memory of about 100 steps for the size of the gradients",
    "length__examples_per_second": "timed on this machine just now",
    "records__checkpoint_every_steps": "every 20th record",
    "records__marks": f"few in a short run: a look at samples takes about {SECONDS_PER_LOOK:g} seconds",
    "records__look_samples": "enough for a trend; the evaluation at the end draws more",
    "records__best_by": "not used: the looks at pictures tell a trend and not which model is best",
    "records__patience_looks": "not used: a run keeps to its length",
}


def chosen_device(request: Request) -> str:
    """The device that was asked for, else the best one here. Raises: RecipeError where it is not here."""
    name = request.settings.get("compute.device", survey_machine().device)
    here = devices_here()
    if name not in here:
        raise RecipeError(
            f"There is no device {name!r} on this machine.",
            did_you_mean(name, here),
            "Leave out --set compute.device for the best one.",
        )
    return name


def chosen_objective(request: Request) -> str:
    """The objective that was asked for, else the default. Raises: RecipeError where there is none of that name."""
    objective = request.settings.get("objective.name", request.objective or "r3gan")
    if objective not in OBJECTIVES:
        raise RecipeError(f"There is no objective {objective!r}.", did_you_mean(objective, OBJECTIVES))
    return objective


def target_size(native: tuple[int, int] | None, request: Request) -> tuple[tuple[int, int], str]:
    """Height and width to learn at, with the reason. Raises: RecipeError where the device asked for is not here."""
    processor = chosen_device(request) == "cpu"
    if request.resolution is not None:
        return (request.resolution, request.resolution), "you asked for it"
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
    """Everything chosen, each choice with its reason; times a few steps on this machine.

    What a person has set holds from the start, so that it is their network which is timed, and again at the end, so
    that their word is the last one.

    Raises: RecipeError for unknown names and impossible values.
    """
    refuse_two_lengths(request)
    objective = chosen_objective(request)
    draft = override(_draft(request, pictures, objective), request.settings)
    if request.examples is not None or "length.examples" in request.settings:
        draft = _for_examples(draft, pictures.train, tell)
    else:
        draft = _for_minutes(draft, pictures.train, tell)
    if request.size in FOR_A_GPU and draft.compute.device == "cpu":
        rate = draft.length.examples_per_second or 0.0
        shown = f"this processor shows it about {rate:,.3g} pictures a second"
        better = "--size medium learns far more in minutes"
        tell("warned", sentence=f"Size {request.size} is made for a GPU: {shown}. {better}.")
    return override(draft.with_reason(data__shape=size_reason), request.settings)


def _draft(request: Request, pictures: Pictures, objective: str) -> Recipe:
    """Everything but network size and length."""
    compute, computed = compute_on(chosen_device(request))
    count, distance = len(pictures.train), math.prod(pictures.shape) * float(pictures.passport["mean_squared_distance"])
    gamma, labels = gamma_rule(distance), len(pictures.label_names)
    if objective == "wasserstein":
        adversary = Adversary(name=objective, gamma_start=10.0, gamma_end=10.0)
        why_start, why_end = "the paper's weight", "constant, as in the paper"
    else:
        target = RIGHT_AT_MOST if count < FEW else 0.0
        adversary = Adversary(
            name=objective, gamma_start=gamma, gamma_end=gamma * GAMMA_DECAY, augmentation_target=target
        )
        rule = f"{GAMMA_PER_SQUARED_DISTANCE:g} x the mean squared distance of two training pictures"
        why_start, why_end = f"{rule} ({distance:.4g})", "a tenth of the start: sharper once the samples are near"
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
        compute=compute,
    ).with_reason(
        **REASONS,
        task="you asked for it" if request.task else "what can be made of pictures: more like them",
        data__label_names=f"{labels} labels: one model draws each of them on demand" if labels else "there are none",
        objective__name="you asked for it" if request.objective else "relativistic pairing with R1 and R2: converges",
        objective__flips=_why_no_flips(pictures) if adversary.augmentation_target else "not used: nothing is augmented",
        objective__augmentation_target=f"{count:,} pictures are few: augmentation grows while more than this share of "
        "pairs is ranked right"
        if adversary.augmentation_target
        else "not used: that would be for few pictures",
        objective__gamma_start=why_start,
        objective__gamma_end=why_end,
        optimiser__batch_size=f"{BATCH} pictures a step, from {count:,} training pictures"
        if count > BATCH
        else f"as many as there are training pictures, which are no more than {BATCH}",
        **computed,
    )


def _why_no_flips(pictures: Pictures) -> str:
    """What the data says of mirrored pictures. It is advice: no gain in quality was measured (docs/log.md)."""
    chosen = subset(len(pictures.train), COMPARED, "plan/mirrored")
    ratio = mirrored_ratio(pictures.train.pictures(chosen))
    measured = f"a mirrored picture lies {ratio:.3g} x as far from the others as the picture itself"
    if ratio <= MIRRORED:
        return f"nobody asked for it; {measured}, so --set objective.flips=true would be true to the data"
    return f"{measured}: left and right have a meaning here"


def _sizes(request: Request) -> tuple[Size, ...]:
    """The sizes to choose from, largest first: just one where a person has chosen."""
    if request.size:
        return (request.size,)
    return ("small",) if {"network.name", "network.width"} & set(request.settings) else RULED


def _of_size(draft: Recipe, size: Size) -> Recipe:
    """The draft with the network of a size, but for what a person has set of it. Raises: RecipeError."""
    settings = draft.ask.settings
    sized = override(draft.model_copy(update={"network": SIZES[size]}), settings)
    refuse_unbuildable_pair(sized.network, sized.data)
    name = sized.network.name
    if draft.ask.size:
        width = "you asked for it"
    elif len(_sizes(draft.ask)) == 1:
        width = "that of size small: you chose the network, and there is no rule for it"
    else:
        width = f"size {size}: the largest of {', '.join(reversed(RULED))} that learns well from as many as are shown"
    layers = "few, cheap layers" if name == "conv" else "residual blocks, made for a GPU"
    chosen = sized.with_reason(
        network__name=f"the network of size {size}: {layers}",
        network__width=width,
        network__depth="not used: this network has no blocks"
        if name in ("conv", "linear")
        else f"that of size {size}: {sized.network.depth} blocks at each resolution",
    )
    return _for_blocks(chosen) if name == "resnet" else chosen


def _for_blocks(draft: Recipe) -> Recipe:
    """The steps of a residual network: smaller where it is wider, over larger batches on a GPU.

    2e-3 was found at width 64 and R3GAN has 2e-4 at 768: a rate that falls as the width grows meets both.
    """
    width, on_gpu = draft.network.width, draft.compute.device.startswith("cuda")
    rate = float(f"{RATE * min(1.0, RATE_WIDTH / width):.2g}")
    batch = max(draft.optimiser.batch_size, BATCH_ON_GPU) if on_gpu else draft.optimiser.batch_size
    steps = draft.optimiser.model_copy(update={"learning_rate_start": rate, "batch_size": batch})
    told = draft.model_copy(update={"optimiser": steps}).with_reason(
        optimiser__learning_rate_start=f"2e-3 up to width {RATE_WIDTH:g}, smaller in proportion above: at 768 it is "
        "R3GAN's; falls along a half cosine",
        optimiser__batch_size=f"R3GAN's for larger pictures: {BATCH} would leave a GPU idle"
        if on_gpu
        else draft.reasons["optimiser.batch_size"],
    )
    return override(told, draft.ask.settings)


def _for_examples(draft: Recipe, feed: Feed, tell: Tell) -> Recipe:
    """Network size and records for the examples that were asked for, and how long they take.

    Only the rate is timed, and no choice hangs on it that the weights depend on: the same command gives the same model.
    """
    examples = max(draft.optimiser.batch_size, draft.length.examples)
    sizes = _sizes(draft.ask)
    size = next((size for size in sizes if examples >= WORTH_IT_FROM.get(size, 0)), sizes[-1])
    tell("timing", size=size)
    return for_asked_examples(in_pieces(_of_size(draft, size), feed), feed, measure_rate)


def for_asked_examples(draft: Recipe, feed: Feed, measure: Callable[[Recipe, Feed, int], float]) -> Recipe:
    """The recipe with the length that was asked for, and how long it takes by a short timing.

    Args: measure the rate in examples/s of a recipe's game on a feed, by stretches of so many steps.
    """
    batch, asked = draft.optimiser.batch_size, draft.length.examples
    examples = max(batch, asked)
    steps = int(MOST_TIMED_SHARE * examples / batch / (TIMED_STRETCHES + 1))
    rate = measure(draft, feed, min(TIMED_STEPS, max(1, steps)))
    return with_length(draft, examples, None, rate).with_reason(length__examples=why_so_many(asked, batch))


def why_so_many(asked: int, batch: int) -> str:
    """The reason for the length in examples, where they were asked for: one step shows the least that can be."""
    return "you asked for it" if asked >= batch else f"you asked for {asked}; one step shows {batch}, the least"


def seconds_for_training(draft: Recipe) -> tuple[float, float, int]:
    """Seconds asked for, those that are left for training once the looks are taken off, and the number of looks."""
    seconds = 60.0 * (draft.ask.minutes or DEFAULT_MINUTES)
    looks = len(draft.records.marks if "records.marks" in draft.ask.settings else marks_for(seconds))
    return seconds, max(0.5 * seconds, seconds - looks * SECONDS_PER_LOOK), looks


def _for_minutes(draft: Recipe, feed: Feed, tell: Tell) -> Recipe:
    """Network size and length from a timing of each size that comes into question."""
    seconds, training, looks = seconds_for_training(draft)
    trial, rate = draft, 0.0
    for size in _sizes(draft.ask):
        tell("timing", size=size)
        trial = in_pieces(_of_size(draft, size), feed)
        rate = measure_rate(trial, feed)
        if rate * training >= WORTH_IT_FROM.get(size, 0):
            break
    examples = max(trial.optimiser.batch_size, int(rate * training))
    why = f"{seconds / 60:g} minutes at {rate:,.0f} pictures/s, without the time of {looks} looks at samples"
    return with_length(trial, examples, seconds, rate).with_reason(length__examples=why)


def with_length(draft: Recipe, examples: int, seconds: float | None, rate: float) -> Recipe:
    """The recipe once network and length are known. Args: seconds that were asked for; rate in examples/s.

    Without seconds nothing here follows the clock: what is looked at when decides what the guard sees.
    """
    batch = draft.optimiser.batch_size
    every = min(100, steps_per_record(examples, batch, rate if seconds else None, STEADY_RATE))
    return draft.model_copy(
        update={
            "average": Average(half_life_examples=round(HALF_LIFE_SHARE * examples)),
            "length": Length(examples=examples, seconds_allowed=seconds, examples_per_second=rate),
            "records": Records(
                every_steps=every, checkpoint_every_steps=every * 20, marks=marks_for(seconds or examples / STEADY_RATE)
            ),
        }
    ).with_reason(
        average__half_life_examples=f"{HALF_LIFE_SHARE:.0%} of the run",
        records__every_steps="about once a second, and 20 times in a short run"
        if seconds
        else "by the examples alone, so that the same command gives the same run; 20 times in a short one",
    )


def marks_for(seconds: float) -> tuple[float, ...]:
    """Progress at which samples are drawn and measured: fewer in a short run, where each look costs more."""
    if seconds < 30:
        return (0.0, 0.5, 1.0)
    if seconds < 100:
        return (0.0, 0.15, 0.5, 1.0)
    return (0.0, 0.02, 0.06, 0.15, 0.3, 0.5, 0.75, 1.0)
