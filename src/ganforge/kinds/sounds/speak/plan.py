"""The plan for a voice: features, networks, length, and when the adversary joins."""

from __future__ import annotations

from ganforge.contracts import Tell
from ganforge.kinds.sounds.speak.corpus import Corpus, SentenceFeed
from ganforge.kinds.sounds.speak.game import Speaking, build_game
from ganforge.kinds.sounds.vocode.plan import choose_adversary
from ganforge.planning.compute import Pace, choose_compute, choose_length, choose_pieces, for_two_phases
from ganforge.planning.draft import ASKED, Draft
from ganforge.planning.game import choose_optimiser
from ganforge.recipe import Compute, Data, Network, Recipe, Size

BATCH = 8
MARKS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.85, 1.0)
SECONDS_PER_LOOK = 3.0
SIZES: dict[Size, Network] = {
    "tiny": Network(name="speech", width=32, depth=2),
    "small": Network(name="speech", width=128, depth=6),
    "medium": Network(name="speech", width=192, depth=6),
    "base": Network(name="speech", width=256, depth=8),
    "large": Network(name="speech", width=384, depth=8),
}
ABSENT = {
    "augmentation": "No change of a spectrogram is known that leaves what is said.",
    "network.latent_size": "Nothing is drawn from noise.",
    "records.look_samples": "A look takes the same held-out sentences each time.",
}
PACE = Pace(
    examples="sentences",
    looks="looks",
    seconds_per_look=SECONDS_PER_LOOK,
    steady_rate=30.0,
    half_life_share=0.01,
    most_steps=50,
    marks=lambda seconds: MARKS,
    why_marks=f"few: a look at results takes about {SECONDS_PER_LOOK:g} seconds",
)


def plan_voice(draft: Draft, corpus: Corpus, feed: SentenceFeed, tell: Tell) -> Recipe:
    """Choose every setting, with its reason; times a few steps of both phases on this machine.

    Raises: RecipeError for settings that do not fit.
    """
    draft.explain({"task": ASKED})
    mel, alphabet = corpus.mel, corpus.alphabet
    draft.choose(
        Data,
        source=(draft.request.source, "you gave it"),
        kind=("sounds", "found there"),
        shape=((mel.bands,), f"{mel.bands} mel bands; sentences have any number of frames"),
        hash=(corpus.sha256, ""),
    )
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
    size = draft.request.size or ("small" if draft.device == "cpu" else "large")
    draft.choose(
        Network,
        name=("speech", "convolutions over signs, then over frames"),
        width=(SIZES[size].width, f"size {size}"),
        depth=(SIZES[size].depth, f"size {size}: so many blocks make the spectrogram"),
    )
    choose_adversary(draft)
    choose_optimiser(
        draft,
        rate=(3e-3, "found on one voice (docs/log.md); falls along a half cosine"),
        warmup=(0.02, "the first steps are small, until the size of the gradients is known"),
        beta1=(0.9, "as usual where no opponent moves"),
        batch_size=(min(BATCH, len(feed) // 2 * 2), f"from {len(feed):,} sentences"),
    )
    tell("timing", size=size)
    choose_pieces(draft, feed, build=build_game)
    choose_length(draft, PACE, for_two_phases(draft, PACE, feed, chosen.sharp_from, build=build_game))
    return draft.recipe()
