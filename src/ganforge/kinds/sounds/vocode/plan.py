"""The plan for a vocoder: features, network, length, and when the adversary joins."""

from __future__ import annotations

from ganforge.contracts import Tell
from ganforge.kinds.sounds.features import Mel
from ganforge.kinds.sounds.feed import SegmentFeed
from ganforge.kinds.sounds.plan import (
    ABSENT,
    FRAMES,
    WAVEFORM_PACE,
    WAVEFORM_STEPS,
    adversary_asked,
    choose_adversary,
    choose_sized,
    features_of,
    timed,
)
from ganforge.kinds.sounds.reading import Sounds
from ganforge.kinds.sounds.vocode.game import Vocoding, build_game
from ganforge.planning.compute import choose_compute
from ganforge.planning.draft import ASKED, Draft
from ganforge.planning.game import choose_optimiser
from ganforge.recipe import Data, Recipe

BATCH = 6  # more examples in a step learn less in the same time (docs/log.md)
LOOKAHEAD = 2  # frames: a stream stays below a tenth of a second
REFINEMENTS = 16
OVERLAP = 4  # examples that hold a given sample
NOT_HERE = {**ABSENT, "augmentation": "Examples are cut anywhere and heard at random levels."}


def feed_of(sounds: Sounds, chosen: Vocoding, device: str) -> SegmentFeed:
    """Return the training examples: stretches of a fixed number of frames."""
    length = (chosen.frames - 1) * chosen.mel.hop
    return SegmentFeed.of(sounds.train, length, max(1, length // OVERLAP), device)


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
    no_adversary = "no adversary: in the same time it makes nothing certainly better (docs/log.md)"
    chosen = draft.choose(
        Vocoding,
        **features_of(mel),
        lookahead=(LOOKAHEAD, "so few that a stream waits about a tenth of a second, at little cost"),
        corrections=(1, "the bands are known exactly: one correction is worth more than all other settings"),
        refinements=(REFINEMENTS, "where a sound need not be had at once; more are slower and little better"),
        **adversary_asked(draft, "vocode", no_adversary),
    )
    choose_sized(draft, "vocoder", "works frame by frame, with an inverse STFT at the end")
    if chosen.sharp_from < 1:
        choose_adversary(draft)
    choose_optimiser(draft, **WAVEFORM_STEPS, batch_size=(BATCH, f"{BATCH} examples of {FRAMES} frames each"))
    return timed(draft, feed_of(sounds, chosen, draft.device), build_game, WAVEFORM_PACE, chosen.sharp_from, tell)
