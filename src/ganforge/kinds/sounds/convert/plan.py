"""The plan for a voice converter: features, what is kept of each voice, network, and length."""

from __future__ import annotations

from ganforge.contracts import Feed, Tell
from ganforge.kinds.sounds.convert.corpus import ALL_SECONDS, ENOUGH_SECONDS
from ganforge.kinds.sounds.convert.game import Converting, build_game
from ganforge.kinds.sounds.features import Mel
from ganforge.kinds.sounds.plan import (
    ABSENT,
    FRAMES,
    SIZES,
    WAVEFORM_PACE,
    WAVEFORM_STEPS,
    adversary_asked,
    choose_adversary,
    choose_sized,
    features_of,
    timed,
)
from ganforge.kinds.sounds.reading import Sounds
from ganforge.planning.compute import choose_compute
from ganforge.planning.draft import ASKED, Draft
from ganforge.planning.game import choose_optimiser
from ganforge.recipe import Data, Recipe

BATCH = 12
NOT_HERE = {**ABSENT, "augmentation": "Examples are cut anywhere."}


def choose_features(draft: Draft, sounds: Sounds) -> Converting:
    """Choose what is kept of each voice, which must be known before anything is timed. Raises: RecipeError."""
    draft.explain({"task": ASKED})
    mel, count = Mel.at(sounds.rate), len(sounds.label_names)
    draft.choose(
        Data,
        source=(draft.request.source, "you gave it"),
        kind=("sounds", "found there"),
        shape=((mel.bands + 2, FRAMES), f"{mel.bands} mel bands, pitch and periodicity, every {mel.hop} samples"),
        label_names=(sounds.label_names, "each subfolder is a voice"),
        hash=(sounds.sha256, ""),
    )
    choose_compute(draft)
    seconds = min(1.2 * ENOUGH_SECONDS, max(ENOUGH_SECONDS / 5, ALL_SECONDS / count))
    no_adversary = "no adversary: a vocoder's made nothing certainly better in the same time; not measured here"
    return draft.choose(
        Converting,
        **features_of(mel),
        **adversary_asked(draft, "convert", no_adversary),
        neighbours=(4, "fewer jump from frame to frame, more are over-smoothed (Baas et al. 2023)"),
        seconds=(seconds, "of each voice: more find hardly nearer neighbours, and the model holds the frames"),
    )


def plan_converter(draft: Draft, feed: Feed, tell: Tell) -> Recipe:
    """Choose every other setting, with its reason; times a few steps of both phases on this machine."""
    why = "filters pulses and noise, frame by frame, with an inverse STFT at the end"
    choose_sized(draft, "source-filter", why, {**SIZES, "small": (128, 4)})
    if (sharp_from := draft[Converting].sharp_from) < 1:
        choose_adversary(draft)
    choose_optimiser(draft, **WAVEFORM_STEPS, batch_size=(BATCH, f"{BATCH} examples of {FRAMES} frames each"))
    return timed(draft, feed, build_game, WAVEFORM_PACE, sharp_from, tell)
