"""What the plans of vocoders, converters and voices choose alike: features, network, adversary, length."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ganforge.contracts import Feed, Game, Tell
from ganforge.kinds.sounds.features import Mel
from ganforge.planning.compute import Pace, choose_length, choose_pieces, for_two_phases
from ganforge.planning.draft import Choice, Draft
from ganforge.planning.game import choose_objective, choose_optimiser, refuse_unbuildable_game, size_of
from ganforge.recipe import Recipe, Size

FRAMES = 64  # of an example: half a second at 8 kHz
SIZES: dict[Size, tuple[int, int]] = {  # width and depth
    "tiny": (32, 2), "small": (128, 6), "medium": (192, 6), "base": (256, 8), "large": (512, 8),
}  # fmt: skip
AGAINST: dict[str, Choice] = {
    "adversarial": (0.05, "small beside the spectral distance (docs/log.md)"),
    "matching": (0.1, "small beside the spectral distance (docs/log.md)"),
    "sharp_rate": (5e-4, "found on speech (docs/log.md)"),
}
ABSENT = {
    "network.latent_size": "Nothing is drawn from noise.",
    "records.look_samples": "A look takes the same held-out sounds each time.",
}
WARMUP: Choice = (0.02, "the first steps are small, until the size of the gradients is known")


def pace_of(examples: str, seconds_per_look: float, steady_rate: float, marks: tuple[float, ...]) -> Pace:
    """Return the intervals of records and looks. Args: examples what is shown; marks the progress of looks."""
    return Pace(
        examples=examples,
        looks="looks",
        seconds_per_look=seconds_per_look,
        steady_rate=steady_rate,
        half_life_share=0.01,
        most_steps=50,
        marks=lambda seconds: marks,
        why_marks=f"few: a look at results takes about {seconds_per_look:g} seconds",
    )


WAVEFORM_PACE = pace_of("examples", 2.0, 50.0, (0.0, 0.05, 0.2, 0.5, 0.7, 0.85, 1.0))


def features_of(mel: Mel) -> dict[str, Choice]:
    """Return the choices of spectrograms, of which a network makes waveforms, and of the length of an example."""
    why = f"for {mel.rate:,} Hz: a window of about 32 ms, and bands as wide as 40 are at 8 kHz"
    return {"mel": (mel, why), "frames": (FRAMES, "what a batch of this machine's speed holds")}


def adversary_asked(draft: Draft, task: str, why_none: str) -> Mapping[str, Choice]:
    """Return the choices of an adversary of waveforms, which is there where a person set `sharp_from`.

    Args: why_none the reason for none. Raises: RecipeError where it is absent and a setting of it was pinned.
    """
    asked = draft.pinned.get(f"{task}.sharp_from", 1.0) < 1
    if not asked:
        absent = f"Nothing judges the network but the spectral distance: --set {task}.sharp_from=0.7 adds an adversary."
        draft.leave_out(dict.fromkeys(("objective", *(f"{task}.{name}" for name in AGAINST)), absent))
    return {"sharp_from": (1.0, why_none), **(AGAINST if asked else {})}


def choose_adversary(draft: Draft) -> None:
    """Choose the section `objective` of discriminators that judge patches."""
    choose_objective(
        draft,
        (0.0, "none: discriminators of many scores are held by their margin"),
        (0.0, "none"),
        name=("hinge", "each of many scores has a margin, beyond which it is left alone"),
        order="the players follow each other; nothing else is possible where one network holds another",
    )


def waveforms_of(
    draft: Draft, feed: Feed, build: Callable[[Recipe], Game], batch: int, sharp_from: float, tell: Tell
) -> Recipe:
    """Return the recipe of a network that makes waveforms, which is chosen, after the rest is. Args as of `timed`."""
    if sharp_from < 1:
        choose_adversary(draft)
    choose_optimiser(
        draft,
        rate=(1e-3, "found on speech (docs/log.md); falls along a half cosine"),
        warmup=WARMUP,
        beta1=(0.8, "as in HiFi-GAN"),
        batch_size=(batch, f"{batch} examples of {FRAMES} frames each"),
    )
    return timed(draft, feed, build, WAVEFORM_PACE, sharp_from, tell)


def timed(
    draft: Draft, feed: Feed, build: Callable[[Recipe], Game], pace: Pace, sharp_from: float, tell: Tell
) -> Recipe:
    """Return the recipe with the length that fits this machine, on which a few steps of each phase are timed.

    Args: sharp_from the progress at which an adversary joins; 1: none does.
    """
    refuse_unbuildable_game(draft, build)
    tell("timing", size=size_of(draft))
    choose_pieces(draft, feed, build=build)
    choose_length(draft, pace, for_two_phases(draft, pace, feed, sharp_from, build=build))
    return draft.recipe()
