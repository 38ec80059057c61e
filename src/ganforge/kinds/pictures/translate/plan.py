"""The plan for translating pictures: every setting not requested, with its reason."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ganforge.contracts import Tell
from ganforge.core.levels import HALF
from ganforge.core.seeds import seed_for
from ganforge.kinds.pictures.picture_data import choose_picture_data
from ganforge.kinds.pictures.plan import GAMMA_DECAY, PACE, SECONDS_PER_LOOK, Translation, gamma_rule
from ganforge.kinds.pictures.translate.game import build_networks, build_translation
from ganforge.kinds.pictures.translate.pairs import Pairs
from ganforge.planning.compute import (
    Pace,
    Span,
    choose_compute,
    choose_length,
    choose_pieces,
    for_examples,
    for_minutes,
    measure_rate,
)
from ganforge.planning.draft import ASKED, Choice, Draft
from ganforge.planning.game import choose_objective, choose_optimiser, refuse_unbuildable
from ganforge.recipe import Augmentation, Network, Optimiser, Recipe, Size

BATCH = 16
PAIRED_WEIGHT = 9.0  # of the distance to the truth
KEEPING_WEIGHT, IDENTITY_WEIGHT = 2.0, 2.0  # of the terms that tie a result to its input without a truth
PAIRED_RATE, UNPAIRED_RATE = 1e-3, 3e-4  # learning rates up to MEASURED_WIDTH; less above it
MEASURED_WIDTH = 32
WARMUP = 0.05  # of the run, if no distance to a truth constrains the first steps
MOMENTUM = 0.5
UNPAIRED_AUGMENTATION = 0.2
MOST_PASSES, FEWEST_STEPS = 30, 1_000  # over the pictures of A, without pairs; and the minimum if they are few
PAIRS = 2_000  # random pairs for the mean squared distance of two pictures
SIZES: dict[Size, Network] = {
    "tiny": Network(name="translator", width=16, depth=1),
    "small": Network(name="translator", width=32, depth=2),
    "medium": Network(name="translator", width=48, depth=3),
    "base": Network(name="translator", width=64, depth=4),
    "large": Network(name="translator", width=128, depth=6),
}
STEADY = "as at the start: where it falls, the generator learns which pictures are inputs, and paints beside them"
PATCHES_ARE_MANY = "never: patches are many where pictures are few"
ABSENT = {
    "network.latent_size": "A translation draws nothing from noise.",
    "records.look_samples": "All held-out pictures are looked at, up to a bound.",
}
PAIRED = "There are pairs, whose truth says what a result should be."
ABSENT_WITH_PAIRS = {"translate.unpaired_by": PAIRED, "translate.identity": PAIRED}
TRANSLATION_PACE: Pace = replace(
    PACE, looks="looks", why_marks=f"few in a short run: a look takes about {SECONDS_PER_LOOK:g} seconds"
)


def plan_translation(draft: Draft, pairs: Pairs, size_reason: str, tell: Tell) -> Recipe:
    """Choose every setting, with its reason; times a few steps on this machine.

    Raises: RecipeError for networks that cannot be built.
    """
    paired = pairs.pairing == "paired"
    draft.explain({"task": ASKED})
    choose_picture_data(draft, (pairs.shape, size_reason), pairs.data_hash, values=pairs.values)
    choose_compute(draft)
    _choose_translation(draft, pairs)
    _choose_network(draft)
    _choose_objective(draft, pairs)
    draft.choose(
        Augmentation,
        strength=(0.0, "none: the distance to the truth keeps the generator")
        if paired
        else (UNPAIRED_AUGMENTATION, "measured on emoji"),
        target=(0.0, PATCHES_ARE_MANY),
        flips=(
            True,
            "a mirrored pair is a pair, and results are averaged over both; for text and maps say false",
        ),
    )
    _choose_steps(draft, pairs)
    refuse_unbuildable(draft[Network], lambda: list(build_networks(draft.recipe()).values()))
    tell("timing", size=draft.request.size or "small")
    choose_pieces(draft, pairs.train, build=build_translation)
    choose_length(draft, TRANSLATION_PACE, _span(draft, pairs))
    return draft.recipe()


def _choose_translation(draft: Draft, pairs: Pairs) -> Translation:
    """Choose how a result is tied to its input: by the truth, if there are pairs."""
    pairing = (pairs.pairing, str(pairs.passport["pairing_why"]))
    adversarial = (1.0, "the unit in which the other weights are given")
    if pairs.pairing == "paired":
        draft.leave_out(ABSENT_WITH_PAIRS)
        near = "how near to the truth against how like the others: measured (docs/log.md)"
        return draft.choose(Translation, pairing=pairing, adversarial=adversarial, reconstruction=(PAIRED_WEIGHT, near))
    return draft.choose(
        Translation,
        pairing=pairing,
        unpaired_by=("contrastive", "half the time of a cycle, and nearer to the other kind (docs/decisions/010)"),
        adversarial=adversarial,
        reconstruction=(KEEPING_WEIGHT, "how much of the input must be found again: measured (docs/log.md)"),
        identity=(IDENTITY_WEIGHT, "what is already like B should stay as it is"),
    )


def _choose_network(draft: Draft) -> Network:
    sized = SIZES[draft.request.size or "small"]
    return draft.choose(
        Network,
        name=(sized.name, "a U-Net that begins as the identity; normalises nothing, so that tiles leave no seam"),
        width=(
            sized.width,
            ASKED if draft.request.size else "that of size small, which suits minutes on a processor",
        ),
        depth=(sized.depth, "residual blocks where it is narrowest"),
    )


def _choose_objective(draft: Draft, pairs: Pairs) -> None:
    distance = mean_squared_distance(pairs.train.sides["y"].examples())
    gamma = gamma_rule(distance)
    end: Choice = (gamma, STEADY)
    if pairs.pairing == "paired":
        end = (gamma * GAMMA_DECAY, "a tenth of that rule's: sharper once the results are near")
    rule = f"0.01 x the mean squared distance of two pictures ({distance:.4g})"
    choose_objective(draft, (gamma, rule), end, order="each player answers the others' newest step")


def mean_squared_distance(pictures: np.ndarray) -> float:
    """Return the mean squared distance of two pictures of uint8 (N, C, H, W), in -1..1, summed over numbers."""
    random = np.random.default_rng(seed_for(0, "data/pairs"))
    first, last = random.integers(0, len(pictures), (2, PAIRS))
    differences = (pictures[one].astype(np.float32) - pictures[other] for one, other in zip(first, last, strict=True))
    return math.prod(pictures.shape[1:]) * float(np.mean([np.square(found / HALF).mean() for found in differences]))


def _choose_steps(draft: Draft, pairs: Pairs) -> Optimiser:
    """Choose learning rates for the network's width: at twice the width, twice as many weights move each value."""
    share, count = min(1.0, MEASURED_WIDTH / draft[Network].need("width")), len(pairs.train)
    paired = pairs.pairing == "paired"
    rate = PAIRED_RATE if paired else UNPAIRED_RATE
    why_end = "falls along a half cosine: the last steps settle what was learned"
    wild = "the first steps of a young discriminator are wild: the result would leave its input for good"
    return choose_optimiser(
        draft,
        rate=(share * rate, f"measured on emoji; less above a width of {MEASURED_WIDTH}"),
        rate_end=(0.0, why_end) if paired else (share * rate, STEADY),
        warmup=(0.0, "none: the distance to the truth holds the first steps") if paired else (WARMUP, wild),
        beta1=(
            MOMENTUM,
            "half: the distance asks for the same at every step, the other players do not (docs/log.md)",
        ),
        batch_size=(min(BATCH, count), f"{BATCH} pictures of each side a step, from {count:,}"),
    )


def _span(draft: Draft, pairs: Pairs) -> Span:
    """Choose the length. Without pairs no longer than is useful, unless more examples are requested."""

    def measure(recipe: Recipe, steps: int) -> float:
        return measure_rate(recipe, pairs.train, steps, build=build_translation)

    if draft.examples is not None:
        return for_examples(draft, draft.examples, measure)
    span = for_minutes(draft, TRANSLATION_PACE, measure)
    most = max(MOST_PASSES * len(pairs.train), FEWEST_STEPS * draft[Optimiser].batch_size)
    if pairs.pairing == "paired" or span.examples <= most:
        return span
    passes = f"{most / len(pairs.train):.0f} passes: more of them paint what is not there (docs/log.md)"
    return Span(most, f"{passes}; --examples asks for more", span.rate)
