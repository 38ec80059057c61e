"""The plan for pictures: settings chosen from the data and this machine, unless requested.

The rules were found on digits 8x8, MNIST, CIFAR-10 and emoji 64x64; docs/log.md says what was tried for each.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.spatial.distance import cdist

from ganforge.contracts import Tell
from ganforge.core.seeds import subset
from ganforge.kinds.pictures.game import build_game
from ganforge.kinds.pictures.networks import PICTURE_PAIRS
from ganforge.kinds.pictures.picture_data import choose_picture_data
from ganforge.kinds.pictures.reading.open import Pictures, few_of_label
from ganforge.objectives import OBJECTIVES
from ganforge.planning.compute import (
    DEFAULT_MINUTES,
    Pace,
    Span,
    choose_compute,
    choose_length,
    choose_pieces,
    for_examples,
    for_minutes,
    measure_rate,
)
from ganforge.planning.draft import ASKED, Draft
from ganforge.planning.game import choose_network, choose_objective, choose_optimiser, refuse_unbuildable_pair
from ganforge.recipe import (
    Adversary,
    Augmentation,
    Compute,
    Data,
    Network,
    Optimiser,
    Recipe,
    Size,
    TaskSection,
)

APPLY = {"apply RUN pictures/ --out made/": "your own pictures, of any size"}
SAMPLE = {"sample RUN -n 64 --out new.png": "new samples"}
NEXT_STEPS = {  # by task: contracts.Model.next_steps
    "generate": SAMPLE,
    "private": SAMPLE,
    "translate": APPLY,
    "enhance": {**APPLY, "apply RUN pictures/ --out sharp/ --strength 1": "choose between faithful (0) and sharp (1)"},
}


class Enhancement(TaskSection):
    """The settings of enhancement."""

    key: ClassVar[str] = "enhance"

    degradation: str  # steps separated by commas, such as "noise:0-50,jpeg:20"
    patch: int = Field(48, ge=24, le=96, multiple_of=12)  # pixels of the side of a training patch
    sharp_from: float = Field(0.7, ge=0, le=1)  # progress from which the discriminator and the sharp end play
    adversarial: float = Field(0.01, ge=0)  # weight of the adversarial loss beside the mean error, of values in -1..1
    sharp_rate: float = Field(5e-4, gt=0)  # learning rate of both from progress 0 on, falling linearly to 0 at 1


class Translation(TaskSection):
    """The settings of translation."""

    key: ClassVar[str] = "translate"

    pairing: Literal["paired", "unpaired"]  # whether each picture of A has its truth in B
    unpaired_by: Literal["contrastive", "cycle"] | None = None  # how a result is tied to its input without a truth
    adversarial: float = Field(1.0, ge=0)  # weight of the adversarial term; 0 trains without a discriminator
    reconstruction: float = Field(2.0, ge=0)  # weight of the distance to the truth, or of the tie to its input
    identity: float | None = Field(None, ge=0)  # without pairs: weight of how far a picture of B moves


def model_description(recipe: Recipe, **more: Any) -> dict[str, Any]:
    """Return the contents of model.json. Args: more: entries of this task only."""
    own = {recipe.own.key: recipe.own.content()} if recipe.own is not None else {}
    return {
        "ganforge": recipe.ganforge,
        "task": recipe.task,
        "kind": "pictures",
        "next_steps": NEXT_STEPS[recipe.task],
        "data": recipe.data.content(),
        "network": recipe.network.content(),
        **own,
        **more,
    }


BATCH = 64
BATCH_ON_GPU = 256  # of residual networks: R3GAN's for 64 pixels and more
RATE = 2e-3
RATE_WIDTH = 64.0  # of a residual network: RATE applies up to it, above it the rate falls as the width grows
LARGEST_ON_CPU = 64  # pixels: above this a CPU shows too few pictures in minutes to learn from
LONG_ON_CPU = 30.0  # minutes from which on 64 pixels pay off on a CPU over 32, if free to choose
GAMMA_PER_SQUARED_DISTANCE = 0.01  # see gamma_rule
COMPARED = 500  # training pictures used to decide whether a mirrored one could be one of them
COMPARED_SIDE = 16  # pixels that pictures are compared at: positions count, fine texture does not
MIRRORED = 1.02  # a ratio up to it means that mirrored pictures belong to the data
FEW = 1_000  # training pictures, below which a discriminator may memorise them within a run
RIGHT_AT_MOST = 0.8  # share of pairs that a discriminator ranks right while it generalises (engine/control.py)
GAMMA_DECAY = 0.1  # gamma at the end over gamma at the start
HALF_LIFE_SHARE = 0.05  # of the run
SECONDS_PER_LOOK = 2.0
STEADY_RATE = 1_000.0  # pictures/s for the spacing of records and looks if examples were requested, not minutes

SIZES: dict[Size, Network] = {
    "tiny": Network(name="conv", latent_size=64, width=16),
    "small": Network(name="conv", latent_size=64, width=32),
    "medium": Network(name="conv", latent_size=64, width=64),
    # R3GAN's, for a GPU; `large` is its configuration for 32 pixels (Huang et al. 2024, table of appendix).
    "base": Network(name="resnet", latent_size=64, width=256, depth=2),
    "large": Network(name="resnet", latent_size=64, width=768, depth=2),
}
FOR_A_GPU: tuple[Size, ...] = ("base", "large")
# Examples that a network of each size needs to beat the size below it.
WORTH_IT_FROM: dict[Size, int] = {"tiny": 0, "small": 30_000, "medium": 500_000}
RULED: tuple[Size, ...] = ("medium", "small", "tiny")  # the plan's choices, in the order of trial


def target_size(native: tuple[int, int] | None, draft: Draft) -> tuple[tuple[int, int], str]:
    """Return height and width for training, with the reason."""
    processor, request = draft.device == "cpu", draft.request
    if (side := request.options.get("resolution")) is not None:
        return (side, side), ASKED
    if native is not None and max(native) <= (LARGEST_ON_CPU if processor else 256):
        return native, "all pictures have this size"
    side = 64
    if processor and request.examples is None and (request.minutes or DEFAULT_MINUTES) < LONG_ON_CPU:
        side = 32
    sizes = "have different sizes" if native is None else f"are {native[0]}x{native[1]}"
    more = "; --resolution 64 asks for more" if side == 32 else ""
    return (side, side), f"the pictures {sizes}; {side} pixels suit this machine and time{more}"


def gamma_rule(mean_squared_distance: float) -> float:
    """Return the penalty's weight at the start, from the mean squared distance of two training examples.

    A gradient penalty gamma |dD/dx|^2 keeps its meaning when x is scaled by s only if gamma scales by s^2. The mean
    squared distance S of two examples carries that scale, and grows with the number of pixels as it should:
    gamma = 0.01 S. A weight several times larger does no harm, one several times smaller does (docs/log.md).
    """
    return float(f"{GAMMA_PER_SQUARED_DISTANCE * mean_squared_distance:.2g}")


def plan_pictures(draft: Draft, pictures: Pictures, size_reason: str, tell: Tell) -> Recipe:
    """Choose every setting, with its reason; times a few steps on this machine.

    Raises: RecipeError for unsuitable networks.
    """
    draft.explain({"task": ASKED if draft.request.task else "what can be made of pictures: more like them"})
    choose_picture_data(
        draft, (pictures.shape, size_reason), pictures.data_hash, pictures.label_names, {"values": pictures.values}
    )
    if few := few_of_label(pictures.passport["labels"]):
        draft.explain({"data.label_names": few[0]})
    choose_compute(draft)
    _choose_objective(draft, pictures)
    _choose_augmentation(draft, pictures)
    _choose_optimiser(draft, len(pictures.train))
    span = _choose_size(draft, pictures, tell)
    choose_length(draft, PACE, span, look_samples=(1000, "enough for a trend; the evaluation at the end draws more"))
    return draft.recipe()


def _choose_objective(draft: Draft, pictures: Pictures) -> Adversary:
    distance = math.prod(pictures.shape) * float(pictures.passport["mean_squared_distance"])
    gamma = gamma_rule(distance)
    rule = f"{GAMMA_PER_SQUARED_DISTANCE:g} x the mean squared distance of two training pictures ({distance:.4g})"
    return choose_objective(
        draft, (gamma, rule), (gamma * GAMMA_DECAY, "a tenth of that rule's: sharper once the samples are near")
    )


def _choose_augmentation(draft: Draft, pictures: Pictures) -> Augmentation:
    """Choose augmentation that adapts if pictures are few. An objective with its own penalty stays as in its paper."""
    count, as_in_paper = len(pictures.train), OBJECTIVES[draft[Adversary].name].gamma is not None
    adapts = count < FEW and not as_in_paper
    few = f"{count:,} pictures are few: augmentation grows while more than this share of pairs is ranked right"
    never = "never: this objective is left as its paper has it" if as_in_paper else "never: that is for few pictures"
    return draft.choose(
        Augmentation,
        strength=(0.0, "none from the start: it slows learning where it is not needed (docs/log.md)"),
        target=(RIGHT_AT_MOST, few) if adapts else (0.0, never),
        flips=(False, _why_no_flips(pictures) if adapts else "nobody asked for it, and nothing is augmented so far"),
    )


def _why_no_flips(pictures: Pictures) -> str:
    """Explain whether the data permits mirroring. It is advice: no gain in quality was measured (docs/log.md)."""
    chosen = subset(len(pictures.train), COMPARED, "plan/mirrored")
    ratio = mirrored_ratio(pictures.train.examples(chosen))
    measured = f"a mirrored picture lies {ratio:.3g} x as far from the others as the picture itself"
    if ratio <= MIRRORED:
        return f"nobody asked for it; {measured}, so --set augmentation.flips=true would be true to the data"
    return f"{measured}: left and right have a meaning here"


def mirrored_ratio(pictures: NDArray[np.uint8]) -> float:
    """Return the median distance of a mirrored picture to the other pictures, relative to the picture itself.

    About 1 if a mirrored picture could have been one of them; far above if not. Measured (docs/
    log.md): photos 1.00, emoji of animals, faces and things 1.00 to 1.01, people 1.04, digits 1.1 and more. A picture
    is never compared with itself, nor its mirror image with it.

    Args: pictures (N, C, H, W), N >= 3. Returns: the median over pictures of d(mirrored) / d(as it is), where d is the
        distance to the nearest other picture; pictures that have a copy do not count; infinity if all have.
    """
    small = _reduced(pictures)
    as_they_are, mirrored = small.reshape(len(small), -1), small[..., ::-1].reshape(len(small), -1)
    near, far = _nearest_other(as_they_are, as_they_are), _nearest_other(mirrored, as_they_are)
    unique = near > 0
    return float(np.median(far[unique] / near[unique])) if unique.any() else float("inf")


def _nearest_other(pictures: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N,): distance from row i of `pictures` to the nearest row of `others` except row i."""
    distances = cdist(pictures, others)
    np.fill_diagonal(distances, np.inf)
    nearest: NDArray[np.float64] = distances.min(axis=1)
    return nearest


def _reduced(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Average boxes to (N, C, h, w) with sides of about COMPARED_SIDE pixels.
    The rest at the edges is cut off on both sides alike, so that mirroring commutes with the reduction."""
    count, channels, height, width = pictures.shape
    by = max(1, min(height, width) // COMPARED_SIDE)
    top, left = height % by // 2, width % by // 2
    rows, columns = height // by, width // by
    kept = pictures[:, :, top : top + rows * by, left : left + columns * by].astype(np.float64)
    reduced: NDArray[np.float64] = kept.reshape(count, channels, rows, by, columns, by).mean((3, 5))
    return reduced


def _choose_optimiser(draft: Draft, count: int) -> Optimiser:
    """Choose steps that suit most networks. Args: count of training pictures."""
    return choose_optimiser(
        draft,
        rate=(RATE, "held from 8x8 grey to 64x64 colour (docs/log.md); falls along a half cosine"),
        warmup=(0.0, "none: no run has needed it"),
        batch_size=(
            min(BATCH, count),
            f"{BATCH} pictures a step, from {count:,} training pictures"
            if count > BATCH
            else f"as many as there are training pictures, which are no more than {BATCH}",
        ),
    )


def _sizes(draft: Draft) -> tuple[Size, ...]:
    """Return the sizes to choose from, largest first: only the requested one, if any."""
    if draft.request.size:
        return (draft.request.size,)
    return ("small",) if {"network.name", "network.width"} & set(draft.pinned) else RULED


def _choose_size(draft: Draft, pictures: Pictures, tell: Tell) -> Span:
    """Choose the network and its training length: of the possible sizes, the largest that pays off.
    It must pay off with the examples requested, or with those that can be shown in the minutes."""
    feed, sizes = pictures.train, _sizes(draft)

    def measure(recipe: Recipe, steps: int) -> float:
        return measure_rate(recipe, feed, steps, build=build_game)

    if draft.examples is not None:
        examples = max(draft[Optimiser].batch_size, draft.examples)
        size = next((size for size in sizes if examples >= WORTH_IT_FROM.get(size, 0)), sizes[-1])
        _choose_network(draft, size)
        tell("timing", size=size)
        choose_pieces(draft, feed, build=build_game)
        span = for_examples(draft, draft.examples, measure)
    else:
        for size in sizes:
            _choose_network(draft, size)
            tell("timing", size=size)
            choose_pieces(draft, feed, build=build_game)
            span = for_minutes(draft, PACE, measure)
            if span.examples >= WORTH_IT_FROM.get(size, 0):
                break
    if draft.request.size in FOR_A_GPU and draft.device == "cpu":
        shown = f"this processor shows it about {span.rate:,.3g} pictures a second"
        better = "--size medium learns far more in minutes"
        tell("warned", sentence=f"Size {draft.request.size} is made for a GPU: {shown}. {better}.")
    return span


def _choose_network(draft: Draft, size: Size) -> Network:
    """Choose the networks of a size, and the steps that suit them. Raises: RecipeError."""
    if draft.request.size:
        width = ASKED
    elif len(_sizes(draft)) == 1:
        width = "that of size small: you chose the network, and there is no rule for it"
    else:
        width = f"size {size}: the largest of {', '.join(reversed(RULED))} that learns well from as many as are shown"
    name = draft.pinned.get("network.name", SIZES[size].name)
    layers = "few, cheap layers" if name == "conv" else "residual blocks, made for a GPU"
    network = choose_network(
        draft,
        SIZES[size],
        PICTURE_PAIRS,
        name=f"the network of size {size}: {layers}",
        latent_size="the same for all pictures; not tuned",
        width=width,
        depth=f"that of size {size}: {SIZES[size].depth} blocks at each resolution",
    )
    refuse_unbuildable_pair(network, draft[Data], PICTURE_PAIRS)
    if network.name == "resnet":
        _revise_for_blocks(draft)
    return network


def _revise_for_blocks(draft: Draft) -> Optimiser:
    """Revise the steps of a residual network: smaller if it is wider, with larger batches on a GPU.

    2e-3 was found at width 64 and R3GAN has 2e-4 at 768: a rate that falls as the width grows meets both.
    """
    rate = float(f"{RATE * min(1.0, RATE_WIDTH / draft[Network].need('width')):.2g}")
    draft.revise(
        Optimiser,
        learning_rate_start=(
            rate,
            f"2e-3 up to width {RATE_WIDTH:g}, smaller in proportion above: at 768 it is R3GAN's; "
            "falls along a half cosine",
        ),
    )
    if draft[Compute].device.startswith("cuda"):
        batch = max(draft[Optimiser].batch_size, BATCH_ON_GPU)
        why = f"R3GAN's for larger pictures: {BATCH} would leave a GPU idle"
        draft.revise(Optimiser, batch_size=(batch, why))
    return draft[Optimiser]


def marks_for(seconds: float) -> tuple[float, ...]:
    """Return the progress of each look (samples drawn and measured): fewer in a short run, where each costs more."""
    if seconds < 30:
        return (0.0, 0.5, 1.0)
    if seconds < 100:
        return (0.0, 0.15, 0.5, 1.0)
    return (0.0, 0.02, 0.06, 0.15, 0.3, 0.5, 0.75, 1.0)


PACE = Pace(
    examples="pictures",
    looks="looks at samples",
    seconds_per_look=SECONDS_PER_LOOK,
    steady_rate=STEADY_RATE,
    half_life_share=HALF_LIFE_SHARE,
    most_steps=100,
    marks=marks_for,
    why_marks=f"few in a short run: a look at samples takes about {SECONDS_PER_LOOK:g} seconds",
)
