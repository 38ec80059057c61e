"""The plan for translating pictures: what the person did not ask for, each choice with its reason."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from ganforge import __version__
from ganforge.contracts import Tell
from ganforge.core.seeds import seed_for
from ganforge.data.images.feed import HALF
from ganforge.data.images.pairs import Pairs
from ganforge.networks import refuse_unbuildable
from ganforge.recipe import (
    Adversary,
    Data,
    Length,
    Network,
    Optimiser,
    Recipe,
    Request,
    Size,
    Translation,
    override,
    refuse_two_lengths,
)
from ganforge.tasks.on_machine import compute_on
from ganforge.tasks.plan_pictures import (
    GAMMA_DECAY,
    SECONDS_PER_LOOK,
    chosen_device,
    chosen_objective,
    for_asked_examples,
    gamma_rule,
    seconds_for_training,
    with_length,
)
from ganforge.tasks.timing import in_pieces, measure_rate
from ganforge.tasks.translate_game import build_networks, build_translation

BATCH = 16
PAIRED_WEIGHT = 9.0  # of the distance to the truth
KEEPING_WEIGHT, IDENTITY_WEIGHT = 2.0, 2.0  # of what holds a result to its input, where no truth is known
PAIRED_RATE, UNPAIRED_RATE = 1e-3, 3e-4  # learning rates up to MEASURED_WIDTH; less above it
MEASURED_WIDTH = 32
WARMUP = 0.05  # of the run, where no distance to a truth holds the first steps
MOMENTUM = 0.5
UNPAIRED_AUGMENTATION = 0.2
MOST_PASSES, FEWEST_STEPS = 30, 1_000  # over the pictures of A, without pairs; and what is done also where they are few
PAIRS = 2_000  # random pairs behind the mean squared distance of two pictures
SIZES: dict[Size, Network] = {
    "tiny": Network(name="translator", latent_size=1, width=16, depth=1),
    "small": Network(name="translator", latent_size=1, width=32, depth=2),
    "medium": Network(name="translator", latent_size=1, width=48, depth=3),
    "base": Network(name="translator", latent_size=1, width=64, depth=4),
    "large": Network(name="translator", latent_size=1, width=128, depth=6),
}
STEADY = "as at the start: where it falls, the generator learns which pictures are inputs, and paints beside them"
REASONS = {
    "data__source": "you gave it",
    "data__kind": "found there",
    "data__label_names": "not used: what a picture shows is in the picture",
    "network__name": "a U-Net that begins as the identity; normalises nothing, so that tiles leave no seam",
    "network__latent_size": "not used: a translation draws nothing",
    "network__depth": "residual blocks where it is narrowest",
    "translate__unpaired_by": "half the time of a cycle, and nearer to the other kind (docs/decisions/010)",
    "translate__adversarial": "the unit in which the other weights are given",
    "objective__name": "relativistic pairing with R1 and R2: converges",
    "objective__order": "each player answers the others' newest step",
    "objective__augmentation_target": "not used: patches are many where pictures are few",
    "objective__flips": "a mirrored pair is a pair, and results are averaged over both; for text and maps say false",
    "optimiser__kind": "a step size for each weight, which layers of different scale need",
    "optimiser__beta1": "half: the distance asks for the same at every step, the other players do not (docs/log.md)",
    "optimiser__beta2": "a memory of about 100 steps for the size of the gradients",
    "length__examples_per_second": "timed on this machine just now",
    "records__checkpoint_every_steps": "every 20th record",
    "records__marks": f"few in a short run: a look takes about {SECONDS_PER_LOOK:g} seconds",
    "records__look_samples": "not used: all held-out pictures are looked at, up to a bound",
    "records__best_by": "not used: the last model is the one that is kept",
    "records__patience_looks": "not used: a run keeps to its length",
}


def plan_translation(request: Request, pairs: Pairs, size_reason: str, tell: Tell) -> Recipe:
    """Everything chosen, each choice with its reason; times a few steps on this machine.

    Raises: RecipeError for unknown names and impossible values.
    """
    refuse_two_lengths(request)
    objective = chosen_objective(request)
    draft = _for_width(override(_draft(request, pairs, objective), request.settings))
    refuse_unbuildable(draft.network, lambda: list(build_networks(draft).values()))
    tell("timing", size=request.size or "small")
    draft = in_pieces(draft, pairs.train, build_translation)
    by_examples = request.examples is not None or "length.examples" in request.settings
    rate = partial(measure_rate, build=build_translation)
    draft = for_asked_examples(draft, pairs.train, rate) if by_examples else _for_minutes(draft, pairs)
    return override(draft.with_reason(data__shape=size_reason), request.settings)


def mean_squared_distance(pictures: np.ndarray) -> float:
    """Of two of the pictures uint8 (N, C, H, W), with numbers in -1..1, summed over their numbers."""
    random = np.random.default_rng(seed_for(0, "data/pairs"))
    first, last = random.integers(0, len(pictures), (2, PAIRS))
    differences = (pictures[one].astype(np.float32) - pictures[other] for one, other in zip(first, last, strict=True))
    return math.prod(pictures.shape[1:]) * float(np.mean([np.square(found / HALF).mean() for found in differences]))


def _draft(request: Request, pairs: Pairs, objective: str) -> Recipe:
    """Everything but the length."""
    compute, computed = compute_on(chosen_device(request))
    paired = pairs.pairing == "paired"
    distance = mean_squared_distance(pairs.train.pictures("y"))
    gamma = gamma_rule(distance)
    count = len(pairs.train)
    return Recipe(
        ganforge=__version__,
        task="translate",
        seed=request.seed,
        ask=request,
        data=Data(source=request.source, kind="pictures", shape=pairs.shape, hash=pairs.data_hash),
        network=SIZES[request.size or "small"],
        translate=Translation(
            pairing=pairs.pairing,
            reconstruction=PAIRED_WEIGHT if paired else KEEPING_WEIGHT,
            identity=IDENTITY_WEIGHT,
        ),
        objective=Adversary(
            name=objective,
            gamma_start=gamma,
            gamma_end=gamma * GAMMA_DECAY if paired else gamma,
            augmentation=0.0 if paired else UNPAIRED_AUGMENTATION,
            flips=True,
        ),
        optimiser=Optimiser(
            batch_size=min(BATCH, count),
            learning_rate_start=PAIRED_RATE if paired else UNPAIRED_RATE,
            learning_rate_end=0.0 if paired else UNPAIRED_RATE,
            warmup=0.0 if paired else WARMUP,
            beta1=MOMENTUM,
        ),
        length=Length(examples=request.examples or BATCH),
        compute=compute,
    ).with_reason(
        **REASONS,
        task="you asked for it",
        translate__pairing=str(pairs.passport["pairing_why"]),
        translate__reconstruction="how near to the truth against how like the others: measured (docs/log.md)"
        if paired
        else "how much of the input must be found again: measured (docs/log.md)",
        translate__identity="not used: there are pairs" if paired else "what is already like B should stay as it is",
        network__width="you asked for it" if request.size else "that of size small, which suits minutes on a processor",
        objective__gamma_start=f"0.01 x the mean squared distance of two pictures ({distance:.4g})",
        objective__gamma_end="a tenth of the start: sharper once the results are near" if paired else STEADY,
        objective__augmentation="none: the distance to the truth keeps the generator"
        if paired
        else "measured on emoji",
        optimiser__batch_size=f"{BATCH} pictures of each side a step, from {count:,}",
        optimiser__learning_rate_start=f"measured on emoji; less above a width of {MEASURED_WIDTH}",
        optimiser__learning_rate_end="falls along a half cosine: the last steps settle what was learned"
        if paired
        else STEADY,
        optimiser__warmup="none: the distance to the truth holds the first steps"
        if paired
        else "the first steps of a young discriminator are wild: the result would leave its input for good",
        **computed,
    )


def _for_width(draft: Recipe) -> Recipe:
    """Learning rates that suit the network's width: at twice the width, twice as many weights move each value."""
    share = min(1.0, MEASURED_WIDTH / draft.network.width)
    rates = {name: share * getattr(draft.optimiser, name) for name in ("learning_rate_start", "learning_rate_end")}
    return draft.model_copy(update={"optimiser": draft.optimiser.model_copy(update=rates)})


def _for_minutes(draft: Recipe, pairs: Pairs) -> Recipe:
    seconds, training, looks = seconds_for_training(draft)
    rate = measure_rate(draft, pairs.train, build=build_translation)
    examples = max(draft.optimiser.batch_size, int(rate * training))
    most = max(MOST_PASSES * len(pairs.train), FEWEST_STEPS * draft.optimiser.batch_size)
    if pairs.pairing == "unpaired" and examples > most:
        passes = f"{most / len(pairs.train):.0f} passes: more of them paint what is not there (docs/log.md)"
        return with_length(draft, most, None, rate).with_reason(length__examples=f"{passes}; --examples asks for more")
    why = f"{seconds / 60:g} minutes at {rate:,.0f} pictures/s, without the time of {looks} looks"
    return with_length(draft, examples, seconds, rate).with_reason(length__examples=why)
