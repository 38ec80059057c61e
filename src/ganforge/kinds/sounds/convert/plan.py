"""The plan for a voice converter: features, what is kept of each voice, network, and length."""

from __future__ import annotations

from ganforge.contracts import Feed, Tell
from ganforge.kinds.sounds.convert.corpus import ALL_SECONDS, ENOUGH_SECONDS
from ganforge.kinds.sounds.convert.game import Converting, build_game
from ganforge.kinds.sounds.features import Mel
from ganforge.kinds.sounds.reading import Sounds
from ganforge.kinds.sounds.vocode.plan import ABSENT, AGAINST, FRAMES, PACE, choose_adversary, span_of
from ganforge.planning.compute import choose_compute, choose_length, choose_pieces
from ganforge.planning.draft import ASKED, Draft
from ganforge.planning.game import choose_optimiser
from ganforge.recipe import Data, Network, Recipe, Size

SIZES: dict[Size, Network] = {
    "tiny": Network(name="source-filter", width=32, depth=2),
    "small": Network(name="source-filter", width=128, depth=4),
    "medium": Network(name="source-filter", width=192, depth=6),
    "base": Network(name="source-filter", width=256, depth=8),
    "large": Network(name="source-filter", width=512, depth=8),
}
BATCH = 12
NO_ADVERSARY = "Nothing judges the network but the spectral distance: --set convert.sharp_from=0.7 adds an adversary."
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
    adversary = draft.pinned.get("convert.sharp_from", 1.0) < 1
    if not adversary:
        draft.leave_out(dict.fromkeys(("objective", *(f"convert.{name}" for name in AGAINST)), NO_ADVERSARY))
    return draft.choose(
        Converting,
        mel=(mel, f"for {sounds.rate:,} Hz: a window of about 32 ms, and bands as wide as 40 are at 8 kHz"),
        frames=(FRAMES, "what a batch of this machine's speed holds"),
        sharp_from=(1.0, "no adversary: a vocoder's made nothing certainly better in the same time; not measured here"),
        **(AGAINST if adversary else {}),
        neighbours=(4, "fewer jump from frame to frame, more are over-smoothed (Baas et al. 2023)"),
        kept=(
            0.6,
            "digits read in six pairs of voices: .92, of neighbours alone .87, which sound .03 more alike",
        ),
        seconds=(
            min(1.2 * ENOUGH_SECONDS, max(ENOUGH_SECONDS / 5, ALL_SECONDS / count)),
            "of each voice: more find hardly nearer neighbours, and the model holds the frames",
        ),
    )


def plan_converter(draft: Draft, feed: Feed, tell: Tell) -> Recipe:
    """Choose every other setting, with its reason; times a few steps of both phases on this machine."""
    size = draft.request.size or ("small" if draft.device == "cpu" else "large")
    draft.choose(
        Network,
        name=("source-filter", "filters pulses and noise, frame by frame, with an inverse STFT at the end"),
        width=(SIZES[size].width, f"size {size}"),
        depth=(SIZES[size].depth, f"size {size}: so many blocks"),
    )
    if (sharp_from := draft[Converting].sharp_from) < 1:
        choose_adversary(draft)
    choose_optimiser(
        draft,
        rate=(1e-3, "found on speech (docs/log.md); falls along a half cosine"),
        warmup=(0.02, "the first steps are small, until the size of the gradients is known"),
        beta1=(0.8, "as in HiFi-GAN"),
        batch_size=(BATCH, f"{BATCH} examples of {FRAMES} frames each"),
    )
    tell("timing", size=size)
    choose_pieces(draft, feed, build=build_game)
    choose_length(draft, PACE, span_of(draft, feed, sharp_from, build_game))
    return draft.recipe()
