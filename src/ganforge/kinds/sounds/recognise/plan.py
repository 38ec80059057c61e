"""The plan for recognition: networks, stages, length."""

from __future__ import annotations

from ganforge.contracts import Tell
from ganforge.errors import RecipeError
from ganforge.kinds.sounds.recognise.game import Recognising, build_game
from ganforge.kinds.sounds.recognise.labelled import EVERY, Labelled
from ganforge.planning.compute import Pace, choose_compute, choose_length, choose_pieces, for_two_phases
from ganforge.planning.draft import ASKED, Draft
from ganforge.planning.game import choose_objective, choose_optimiser
from ganforge.recipe import Network, Recipe, Size

BATCH = 32
FOLDS, STUDENT_FROM, SHARE = 3, 0.5, 0.7
LATENT = 64
MARKS = (0.0, 0.1, 0.2, 0.4, 0.7, 1.0)
SECONDS_PER_LOOK = 1.0
WIDTHS: dict[Size, int] = {"tiny": 8, "small": 16, "medium": 32, "base": 64, "large": 128}
ABSENT = {
    "augmentation": "Examples are changed in speed, pitch, place and level, and partly masked, in every run.",
    "network.depth": "Three convolutions halve a spectrogram to 4 by 4 cells.",
    "records.look_samples": "A look takes every labelled sound.",
}
ALONE = {"objective": "It needs a generator, which plays with --set recognise.adversarial=1."}
PACE = Pace(
    examples="pairs of sounds",
    looks="looks",
    seconds_per_look=SECONDS_PER_LOOK,
    steady_rate=500.0,
    half_life_share=0.01,
    most_steps=100,
    marks=lambda seconds: MARKS,
    why_marks="few: at each look every labelled sound is recognised",
)


def plan_recogniser(draft: Draft, found: Labelled, tell: Tell) -> Recipe:
    """Choose every setting, with its reason; times a few steps of both stages on this machine.

    Raises: RecipeError for settings that do not fit.
    """
    draft.explain({"task": ASKED})
    grid, names = found.grid, found.names
    labelled = (names, f"the {len(names)} subfolders with labels")
    draft.choose_data("sounds", grid.shape, found.sha256, label_names=labelled)
    choose_compute(draft)
    others = len(found.others)
    chosen = draft.choose(
        Recognising,
        grid=(grid, f"for {grid.mel.rate:,} Hz, and as long as 95 % of the sounds"),
        folds=(
            FOLDS if (found.folds != EVERY).any() else 0,
            "each label is left out once, to measure with and to choose by",
        ),
        student_from=(
            STUDENT_FROM if others else 1.0,
            "first the labels, then what they say of the others" if others else "there are no sounds without a label",
        ),
        share=(SHARE, "of each label; the rest would teach too many errors"),
        adversarial=(0.0, "at equal time it was no better than self-training (docs/benchmarks.md)"),
    )
    if chosen.student_from < 1 and not others:
        raise RecipeError(
            f"recognise.student_from is {chosen.student_from}, and there are no sounds without labels.",
            "A student learns from what is said of those.",
            "Leave it out, or give a folder `unlabelled`.",
        )
    size = draft.request.size or "small"
    latent = {"latent_size": (LATENT, "enough for short sounds")} if chosen.adversarial else {}
    if not chosen.adversarial:
        draft.leave_out({**ALONE, "network.latent_size": "Nothing is drawn from noise."})
    draft.choose(
        Network,
        name=("convolutions", "small ones: a few labels hold no more"),
        width=(WIDTHS[size], f"size {size}"),
        **latent,
    )
    if chosen.adversarial:
        choose_objective(
            draft,
            (0.0, "none: the labels hold the discriminator"),
            (0.0, "none"),
            name=("nonsaturating", "real is Z / (Z + 1) of the labels' scores"),
        )
    choose_optimiser(
        draft,
        rate=(4e-3, "found on spoken digits (docs/log.md); falls along a half cosine, once in each stage"),
        warmup=(0.02, "the first steps are small, until the size of the gradients is known"),
        beta1=(0.9, "what is learned stays the same"),
        batch_size=(BATCH, f"{BATCH} labelled sounds, and as many without"),
    )
    feed = found.feed(draft.device)
    tell("timing", size=size)
    choose_pieces(draft, feed, build=build_game)
    span = for_two_phases(draft, PACE, feed, chosen.student_from, build=build_game, name="student_from")
    choose_length(draft, PACE, span)
    return draft.recipe()
