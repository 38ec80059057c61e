"""The section `private` of a recipe, and what every private plan checks and chooses."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from pydantic import Field

from ganforge.errors import RecipeError
from ganforge.privacy.accounting import gaussian_multiplier
from ganforge.privacy.options import EXAMPLE, read_private
from ganforge.recipe import Request, TaskSection

DELTA = 1e-5
JUDGE = 0.05
ASKED = "you asked for it"
UNGUARDED = "nothing is trained that could go wrong"
UNTRAINED = "A noisy release is all that a private run reads of the data; no network is trained."
ABSENT = dict.fromkeys(("objective", "augmentation", "optimiser", "average", "length", "records"), UNTRAINED)
"""Sections that a recipe of a release does not have, and why (planning.draft.Draft)."""


class PrivateSettings(TaskSection):
    """The budget of a private run. A kind of data may add its own settings."""

    key: ClassVar[str] = "private"
    apart: ClassVar[Mapping[str, str]] = {
        "epsilon": "Use --private.",
        "delta": "Use --delta.",
        "judge": 'Use --private "epsilon=1,judge=0.05".',
    }

    epsilon: float = Field(gt=0)
    delta: float = Field(gt=0, lt=1)
    judge: float = Field(JUDGE, ge=0, lt=1)  # share of the budget that measures how good the samples are

    def multiplier(self, share: float) -> float:
        """Return the noise multiplier of a Gaussian release that takes a share of the budget, in (0, 1].

        Shares that add up to 1 cost the whole epsilon together, exactly: 1 / multiplier^2 adds up.
        """
        return gaussian_multiplier(self.epsilon, self.delta) / math.sqrt(share)


def budget_of(request: Request, records: int, also: Collection[str] = ()) -> dict[str, tuple[Any, str]]:
    """Return epsilon, delta and judge, each with its reason, for the section `private`.

    Args: records of the data, whose number is public; also shares that the kind of data knows, beside the judge's.
    Raises: RecipeError without --private, for a share that the kind does not know, or for a delta above 1/n.
    """
    if (text := request.options.get("private")) is None:
        raise RecipeError("The task private needs a budget.", "--private says how much may leak at most.", EXAMPLE)
    asked, most = read_private(text), 1 / max(records, 1)
    for name in set(asked.shares) - {"judge", *also}:
        raise RecipeError(f"{name} cannot be bought here.", "All that it stands for is public.", "Leave it out.")
    delta, why = request.options.get("delta"), ASKED
    if delta is None:
        delta, why = (DELTA, "the usual one") if most >= DELTA else (most / 10, f"a tenth of 1 / {records:,} records")
        why = f"{why}; it must stay below 1 / records"
    if delta > most:
        raise RecipeError(
            f"A delta of {delta:g} is above 1 / {records:,} records.",
            "Then publishing one record as it is would count as private.",
            f"Use: --delta {min(DELTA, most / 10):.1g}",
        )
    told = "told to measure how good the samples are, without a second look at the data"
    return {
        "epsilon": (asked.epsilon, ASKED),
        "delta": (delta, why),
        "judge": (asked.shares.get("judge", JUDGE), ASKED if "judge" in asked.shares else f"of the budget, {told}"),
    }


def why_once(settings: PrivateSettings) -> str:
    """Return why a private run is judged only once, with the price (records.Page.once)."""
    bought = f"{settings.judge:.0%} of its epsilon of {settings.epsilon:g} bought one look"
    spent = bought if settings.judge else "of its epsilon nothing was kept for a look"
    return f"Each look at private data costs a part of epsilon: {spent}, and nothing is left."
