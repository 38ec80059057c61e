"""The plan for enhancement: networks, length, and the progress at which the sharp end joins."""

from __future__ import annotations

import torch

from ganforge.contracts import Task, Tell
from ganforge.core.seeds import Draws, generator_for
from ganforge.errors import DataError, RecipeError
from ganforge.kinds.pictures.enhance.degradation import read_degradation, resized
from ganforge.kinds.pictures.enhance.game import build_game, enhancer_for
from ganforge.kinds.pictures.enhance.photos import TILE
from ganforge.kinds.pictures.picture_data import choose_picture_data
from ganforge.kinds.pictures.plan import Enhancement
from ganforge.kinds.pictures.reading.open import Pictures
from ganforge.planning.compute import (
    Pace,
    choose_compute,
    choose_length,
    choose_pieces,
    for_two_phases,
)
from ganforge.planning.draft import ASKED, Draft
from ganforge.planning.game import choose_objective, choose_optimiser, choose_sized, refuse_unbuildable
from ganforge.recipe import Recipe, Request, Size

BATCH = 16
DEGRADATION = "downscale:2"
GIVEN = 24  # pixels of the side of the network's input in training, if pictures are enlarged
PATCH = 48  # the same if they are not
GAMMA_PER_SQUARED_ERROR = 0.01  # see kinds/pictures/plan.py; here truth and result are discriminated
HALF_LIFE_SHARE = 0.01  # of the run
SECONDS_PER_LOOK = 2.0
STEADY_RATE = 300.0  # patches/s for the spacing of records if examples were requested, not minutes
MARKS = (0.0, 0.05, 0.2, 0.5, 0.7, 0.85, 1.0)
SIZES: dict[Size, tuple[int, int]] = {  # width and depth
    "tiny": (16, 2), "small": (32, 4), "medium": (40, 6), "base": (48, 8), "large": (64, 16),
}  # fmt: skip
ABSENT = {
    "augmentation": "Patches are cut, turned and mirrored at random anyway, on both sides.",
    "network.latent_size": "Nothing is drawn from noise.",
    "records.look_samples": "A look takes the same held-out tiles each time.",
}


def begin(request: Request, task: type[Task]) -> Draft:
    """Return a draft with the user's settings. Raises: RecipeError before a picture is read."""
    draft = Draft(request, task, absent=ABSENT)
    read_degradation(_asked(draft))
    if draft.pinned.get("objective.order", "alternating") != "alternating":
        raise RecipeError(
            "The players cannot step simultaneously here.",
            "The sharp end's network holds the faithful one.",
            "Leave objective.order to the plan.",
        )
    return draft


def plan_enhancement(draft: Draft, photos: Pictures, tell: Tell) -> Recipe:
    """Choose every setting, with its reason; times a few steps of both phases on this machine.

    Raises: RecipeError for networks that cannot be built; DataError if the data cannot be degraded so.
    """
    damage = read_degradation(_asked(draft))
    if "grey" in damage.names and photos.shape[0] == 1:
        raise DataError(
            f"The pictures of {draft.request.source!r} are grey already.",
            "Colours can only be learned from coloured pictures.",
            "Give coloured ones, or another task.degradation.",
        )
    draft.explain({"task": ASKED})
    why = f"tiles of {TILE} pixels, of which patches are cut at random; nothing is resized"
    data = choose_picture_data(draft, (photos.shape, why), photos.data_hash, values={"values": photos.values})
    choose_compute(draft)
    chosen = _choose_enhancement(draft)
    why = "residual blocks at low resolution, no normalisation"
    network = choose_sized(draft, "enhancer", why, SIZES, "so many residual blocks")
    _choose_objective(draft, photos)
    choose_optimiser(
        draft,
        rate=(2e-3, "found on photos (docs/log.md); falls along a half cosine"),
        warmup=(0.02, "the first steps are small, until the size of the gradients is known"),
        beta1=(0.9, "the usual momentum for the faithful end, which has no opponent; none for the other two"),
        batch_size=(BATCH, f"{BATCH} patches hold thousands of pixels, each of which is an example"),
    )
    refuse_unbuildable(network, lambda: (enhancer_for(chosen, network, data),) * 2)
    tell("timing", size=draft.request.size or network.name)
    choose_pieces(draft, photos.train, build=build_game)
    choose_length(draft, PACE, for_two_phases(draft, PACE, photos.train, chosen.sharp_from, build=build_game))
    return draft.recipe()


def _asked(draft: Draft) -> str:
    """Return the requested degradation, or the default."""
    asked: str = draft.pinned.get("enhance.degradation", DEGRADATION)
    return asked


def _choose_enhancement(draft: Draft) -> Enhancement:
    factor = read_degradation(_asked(draft)).factor
    patch = GIVEN * factor if factor > 1 else PATCH
    return draft.choose(
        Enhancement,
        degradation=(DEGRADATION, "you did not say which: pictures twice as large"),
        patch=(patch, f"the network is given {patch // factor} pixels, as much as it can see at once"),
        sharp_from=(0.7, "the faithful end first: what it has learned is where the sharp one begins (docs/log.md)"),
        adversarial=(0.01, "found on photos, twice and four times enlarged (docs/log.md)"),
        sharp_rate=(5e-4, "found on photos (docs/log.md)"),
    )


def _choose_objective(draft: Draft, photos: Pictures) -> None:
    """Choose the penalty's weight from the distance of the bicubic input to the truth.
    That is the difference that the discriminator has to see."""
    enhancement = draft[Enhancement]
    damage = read_degradation(enhancement.degradation)
    places = torch.linspace(0, len(photos.train) - 1, min(64, len(photos.train))).round().long()
    truth = photos.train.batch(places)["x"]
    given = damage(truth, Draws(generator_for(0, "enhance/gamma", device=truth.device)))
    error = float((resized(given, damage.factor) - truth).square().mean())
    squared = error * photos.shape[0] * enhancement.patch**2
    gamma = float(f"{max(GAMMA_PER_SQUARED_ERROR * squared, 1e-3):.2g}")
    choose_objective(
        draft,
        (gamma, f"{GAMMA_PER_SQUARED_ERROR:g} x the squared distance of truth and input ({squared:.3g})"),
        (0.1 * gamma, "a tenth of that rule's, as for other pictures"),
        order="the players follow each other; nothing else is possible where one network holds another",
    )


PACE = Pace(
    examples="patches",
    looks="looks",
    seconds_per_look=SECONDS_PER_LOOK,
    steady_rate=STEADY_RATE,
    half_life_share=HALF_LIFE_SHARE,
    most_steps=100,
    marks=lambda seconds: MARKS,
    why_marks=f"few: a look at results takes about {SECONDS_PER_LOOK:g} seconds",
)
