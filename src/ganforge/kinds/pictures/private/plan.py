"""The plan of a private release: how many coefficients, centres and directions the noise leaves room for."""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field

from ganforge.errors import DataError
from ganforge.kinds.pictures.picture_data import choose_picture_data
from ganforge.kinds.pictures.private.mixture import ROUNDS, SHARES, multipliers
from ganforge.kinds.pictures.private.model import MIXTURE
from ganforge.kinds.pictures.reading.open import Pictures
from ganforge.planning.compute import choose_compute
from ganforge.planning.draft import Draft
from ganforge.privacy.accounting import Release
from ganforge.privacy.ledger import OUTSIDE, PUBLIC_COUNT, Ledger, asked_of
from ganforge.privacy.settings import PrivateSettings, budget_of
from ganforge.recipe import Network, Recipe

RECORD = "a picture with its label"
FEW = 25.0  # pictures of a label for each unit of noise, below which its mean is mostly noise
DIRECTIONS = 64  # of the deviations from centres, at most
SIDES = ((0.0, 8), (4000.0, 12))  # pictures of a label for each unit of noise -> coefficients a side
CENTRES = ((0.0, 1), (150.0, 4), (4000.0, 12))  # the same -> centres of a label


class PrivatePictureSettings(PrivateSettings):
    """The budget of a private run of pictures, and the number of its records, which is public."""

    records: int = Field(gt=0)


def plan_release(draft: Draft, pictures: Pictures, records: int, size_reason: str) -> Recipe:
    """Choose every setting from what is public: the number of pictures and labels, their size, and the budget.

    Raises: RecipeError for an impossible budget; DataError for so few pictures that noise alone would be left.
    """
    draft.explain({"task": "--private asks for it: one noisy release, from which everything follows"})
    choose_picture_data(draft, (pictures.shape, size_reason), "", pictures.label_names, {"values": pictures.values})
    choose_compute(draft)
    budget = budget_of(draft.request, records)
    own = draft.choose(PrivatePictureSettings, **budget, records=(records, "so many pictures; this is public"))
    room = room_of(own, len(pictures.label_names))
    if room < FEW:
        needed = math.ceil(FEW / room * records)
        raise DataError(
            f"{records:,} pictures are too few for an epsilon of {own.epsilon:g}.",
            f"Of each label's mean little but noise would be left; about {needed:,} pictures would do.",
            "Give more pictures, fewer labels (--label none), or a larger epsilon.",
        )
    kept, centres = _at(SIDES, room), _at(CENTRES, room)
    sides = [min(kept, side) for side in pictures.shape[1:]]
    directions = min(DIRECTIONS, pictures.shape[0] * sides[0] * sides[1])
    a_unit = f"{room:,.0f} pictures of a label for each unit of noise leave room for"
    draft.choose(
        Network,
        name=(MIXTURE, "a mixture of Gaussians in low frequencies, which needs sums of the data alone"),
        latent_size=(1 + directions, f"one number chooses a centre, {directions} move away from it"),
        width=(centres, f"{a_unit} so many centres of each label"),
        depth=(kept, f"{a_unit} so many frequencies a side: finer detail is not learned"),
    )
    return draft.recipe()


def room_of(settings: PrivatePictureSettings, labels: int) -> float:
    """Return the mean number of pictures of a label over the multiplier of all noise together."""
    return settings.records / max(labels, 1) / settings.multiplier(1.0)


def _at(steps: tuple[tuple[float, int], ...], room: float) -> int:
    return next(value for least, value in reversed(steps) if room >= least)


def noise_of(settings: PrivatePictureSettings) -> dict[str, float]:
    """Return the noise multiplier of each release but the judge's."""
    return multipliers(settings.multiplier(1 - settings.judge))


def ledger_of(recipe: Recipe) -> Ledger:
    """Return the ledger of a run, before anything is released."""
    own = recipe.section(PrivatePictureSettings)
    noise = noise_of(own)
    bounds = "on norms of pictures, on their distances from means, and on those from centres"
    releases = [
        Release(f"three bounds, {bounds}", "gaussian", noise["bounds"], steps=3),
        Release("count and mean of each label", "gaussian", noise["means"]),
        Release("counts and centres within each label, by k-means", "gaussian", noise["centres"], steps=ROUNDS),
        Release("second moments of each label around its centres", "gaussian", noise["covariances"]),
    ]
    if own.judge:
        releases.append(Release("two counts that tell how good the samples are", "gaussian", own.multiplier(own.judge)))
    return Ledger(
        record=RECORD,
        records=own.records,
        epsilon=own.epsilon,
        delta=own.delta,
        releases=tuple(releases),
        outside=OUTSIDE,
        public=(PUBLIC_COUNT, "The size and colours of the pictures and the names of the labels are taken as public."),
        asked=asked_of(recipe),
    )


def guarantee(recipe: Recipe) -> list[str]:
    """Return what is private, against whom, and what it costs, in sentences."""
    own = recipe.section(PrivatePictureSettings)
    total, room = own.multiplier(1.0), room_of(own, len(recipe.data.label_names))
    shares = ", ".join(f"{share * (1 - own.judge):.0%} {name}" for name, share in SHARES.items())
    softness = f"{recipe.network.need('depth')} frequencies a side are kept"
    return [
        f"Private is each picture with its label: whoever knows all others cannot tell whether it was there, up to an "
        f"epsilon of {own.epsilon:g} at a delta of {own.delta:g} (neighbours: one record is added or removed).",
        f"All noise together is {total:.3g} times what one record can change: {shares}, {own.judge:.0%} judge.",
        f"It costs sharpness: {softness}, and {room:,.0f} pictures of a label stand against each unit of noise. "
        f"No network is trained.",
    ]


def passport_of(recipe: Recipe) -> dict[str, Any]:
    """Return a passport of what is public alone: nothing in it is computed from the pictures."""
    own, (channels, height, width) = recipe.section(PrivatePictureSettings), recipe.data.shape
    return {
        "source": recipe.data.source,
        "count": own.records,
        "size": [height, width],
        "channels": channels,
        "label_names": list(recipe.data.label_names),
        "split": "none: every picture is one record of the release",
        "notes": ["Private data: this page holds nothing that was computed from them without noise."],
        "warnings": guarantee(recipe),
    }
