"""The plan for a voice: features, networks, length, and when the adversary joins."""

from __future__ import annotations

from ganforge.contracts import Tell
from ganforge.kinds.sounds.plan import ABSENT, SIZES, WARMUP, choose_adversary, choose_sized, pace_of, timed
from ganforge.kinds.sounds.speak.corpus import Corpus, SentenceFeed
from ganforge.kinds.sounds.speak.game import Speaking, build_game
from ganforge.planning.compute import choose_compute
from ganforge.planning.draft import ASKED, Draft, choose_data
from ganforge.planning.game import choose_optimiser
from ganforge.recipe import Compute, Recipe

BATCH = 8
PACE = pace_of("sentences", 3.0, 30.0, (0.0, 0.1, 0.3, 0.5, 0.7, 0.85, 1.0))
NOT_HERE = {
    **ABSENT,
    "augmentation": "No change of a spectrogram is known that leaves what is said.",
    "records.look_samples": "A look takes the same held-out sentences each time.",
}


def plan_voice(draft: Draft, corpus: Corpus, feed: SentenceFeed, tell: Tell) -> Recipe:
    """Choose every setting, with its reason; times a few steps of both phases on this machine.

    Raises: RecipeError for settings that do not fit.
    """
    draft.explain({"task": ASKED})
    mel, alphabet = corpus.mel, corpus.alphabet
    shape = ((mel.bands,), f"{mel.bands} mel bands; sentences have any number of frames")
    choose_data(draft, "sounds", shape, corpus.sha256)
    compute = choose_compute(draft)
    if compute.device.startswith("cuda"):
        draft.revise(Compute, capture=(False, "every batch has the length of its longest sentence"))
    chosen = draft.choose(
        Speaking,
        mel=(mel, f"for {mel.rate:,} Hz: bands of which a waveform can be made without a trained vocoder"),
        signs=(alphabet.signs, f"the {len(alphabet.signs)} signs that are heard often enough"),
        voice_from=(0.15, "first the reader finds out which frame says which sign"),
        sharp_from=(0.7, "without an adversary first: what it has learned is where the sharp one begins"),
        adversarial=(0.05, "small beside the distance (docs/log.md)"),
        matching=(0.5, "half of the distance (docs/log.md)"),
        sharp_rate=(5e-4, "as of a vocoder; not tuned"),
    )
    blocks = "so many blocks make the spectrogram"
    choose_sized(draft, "speech", "convolutions over signs, then over frames", {**SIZES, "large": (384, 8)}, blocks)
    choose_adversary(draft)
    choose_optimiser(
        draft,
        rate=(3e-3, "found on one voice (docs/log.md); falls along a half cosine"),
        warmup=WARMUP,
        beta1=(0.9, "as usual where no opponent moves"),
        batch_size=(min(BATCH, len(feed) // 2 * 2), f"from {len(feed):,} sentences"),
    )
    return timed(draft, feed, build_game, PACE, chosen.sharp_from, tell)
