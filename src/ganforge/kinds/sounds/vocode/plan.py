"""The plan for a vocoder: features, network, length, and when the adversary joins."""

from __future__ import annotations

from collections.abc import Callable

from ganforge.contracts import Feed, Game, Tell
from ganforge.engine.feed import ArrayFeed
from ganforge.kinds.sounds.features import Mel
from ganforge.kinds.sounds.reading import Segments, Sounds
from ganforge.kinds.sounds.vocode.game import Vocoding, build_game
from ganforge.planning.compute import (
    Pace,
    Span,
    choose_compute,
    choose_length,
    choose_pieces,
    for_examples,
    for_minutes,
    for_two_phases,
    measure_rate,
)
from ganforge.planning.draft import ASKED, Choice, Draft
from ganforge.planning.game import choose_objective, choose_optimiser
from ganforge.recipe import Data, Network, Recipe, Size

BATCH = 6  # more examples in a step learn less in the same time (docs/log.md)
FRAMES = 64  # of an example: half a second at 8 kHz
LOOKAHEAD = 2  # frames: a stream stays below a tenth of a second
REFINEMENTS = 16
OVERLAP = 4  # examples that hold a given sample
MARKS = (0.0, 0.05, 0.2, 0.5, 0.7, 0.85, 1.0)
SECONDS_PER_LOOK = 2.0
SIZES: dict[Size, Network] = {
    "tiny": Network(name="vocoder", width=32, depth=2),
    "small": Network(name="vocoder", width=128, depth=6),
    "medium": Network(name="vocoder", width=192, depth=6),
    "base": Network(name="vocoder", width=256, depth=8),
    "large": Network(name="vocoder", width=512, depth=8),
}
AGAINST: dict[str, Choice] = {
    "adversarial": (0.05, "small beside the spectral distance (docs/log.md)"),
    "matching": (0.1, "small beside the spectral distance (docs/log.md)"),
    "sharp_rate": (5e-4, "found on speech (docs/log.md)"),
}
ABSENT = {
    "augmentation": "Examples are cut anywhere and heard at random levels.",
    "network.latent_size": "Nothing is drawn from noise.",
    "records.look_samples": "A look takes the same held-out sounds each time.",
}
NO_ADVERSARY = "Nothing judges the network but the spectral distance: --set vocode.sharp_from=0.7 adds an adversary."
PACE = Pace(
    examples="examples",
    looks="looks",
    seconds_per_look=SECONDS_PER_LOOK,
    steady_rate=50.0,
    half_life_share=0.01,
    most_steps=50,
    marks=lambda seconds: MARKS,
    why_marks=f"few: a look at results takes about {SECONDS_PER_LOOK:g} seconds",
)


def feed_of(sounds: Sounds, chosen: Vocoding, device: str) -> ArrayFeed:
    """Return the training examples: stretches of a fixed number of frames."""
    length = (chosen.frames - 1) * chosen.mel.hop
    return ArrayFeed(Segments(sounds.train, length, max(1, length // OVERLAP)), device=device)


def plan_vocoder(draft: Draft, sounds: Sounds, tell: Tell) -> Recipe:
    """Choose every setting, with its reason; times a few steps of both phases on this machine.

    Raises: RecipeError for settings that do not fit.
    """
    draft.explain({"task": ASKED})
    mel = Mel.at(sounds.rate)
    draft.choose(
        Data,
        source=(draft.request.source, "you gave it"),
        kind=("sounds", "found there"),
        shape=((mel.bands, FRAMES), f"{mel.bands} mel bands, and frames of which one comes every {mel.hop} samples"),
        hash=(sounds.sha256, ""),
    )
    choose_compute(draft)
    adversary = draft.pinned.get("vocode.sharp_from", 1.0) < 1
    if not adversary:
        draft.leave_out(dict.fromkeys(("objective", *(f"vocode.{name}" for name in AGAINST)), NO_ADVERSARY))
    chosen = draft.choose(
        Vocoding,
        mel=(mel, f"for {sounds.rate:,} Hz: a window of about 32 ms, and bands as wide as 40 are at 8 kHz"),
        frames=(FRAMES, "what a batch of this machine's speed holds"),
        lookahead=(LOOKAHEAD, "so few that a stream waits about a tenth of a second, at little cost"),
        corrections=(1, "the bands are known exactly: one correction is worth more than all other settings"),
        refinements=(REFINEMENTS, "where a sound need not be had at once; more are slower and little better"),
        sharp_from=(1.0, "no adversary: in the same time it makes nothing certainly better (docs/log.md)"),
        **(AGAINST if adversary else {}),
    )
    size = draft.request.size or ("small" if draft.device == "cpu" else "large")
    draft.choose(
        Network,
        name=("vocoder", "works frame by frame, with an inverse STFT at the end"),
        width=(SIZES[size].width, f"size {size}"),
        depth=(SIZES[size].depth, f"size {size}: so many blocks"),
    )
    if adversary:
        choose_adversary(draft)
    choose_optimiser(
        draft,
        rate=(1e-3, "found on speech (docs/log.md); falls along a half cosine"),
        warmup=(0.02, "the first steps are small, until the size of the gradients is known"),
        beta1=(0.8, "as in HiFi-GAN"),
        batch_size=(BATCH, f"{BATCH} examples of {FRAMES} frames each"),
    )
    feed = feed_of(sounds, chosen, draft.device)
    tell("timing", size=size)
    choose_pieces(draft, feed, build=build_game)
    choose_length(draft, PACE, span_of(draft, feed, chosen.sharp_from, build_game))
    return draft.recipe()


def choose_adversary(draft: Draft) -> None:
    """Choose the section `objective` of discriminators that judge waveforms."""
    choose_objective(
        draft,
        (0.0, "none: discriminators of many scores are held by their margin"),
        (0.0, "none"),
        name=("hinge", "each of many scores has a margin, beyond which it is left alone"),
        order="the players follow each other; nothing else is possible where one network holds another",
    )


def span_of(draft: Draft, feed: Feed, sharp_from: float, build: Callable[[Recipe], Game]) -> Span:
    """Return the length of a game that an adversary joins at the progress `sharp_from`, or, at 1, never."""
    if sharp_from < 1:
        return for_two_phases(draft, PACE, feed, sharp_from, build=build)

    def measure(recipe: Recipe, steps: int) -> float:
        return measure_rate(recipe, feed, steps, build=build)

    return for_minutes(draft, PACE, measure) if draft.examples is None else for_examples(draft, draft.examples, measure)
