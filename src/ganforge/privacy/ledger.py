"""The ledger of a private run: every release, what all of them cost together, and what the guarantee does not cover.

RUN/privacy.json holds it. It is written before anything is released, so it never says less than what was published.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ganforge.errors import RunError, refused
from ganforge.privacy.accounting import Release, epsilon_of
from ganforge.recipe import Recipe
from ganforge.run import Run

ADD_REMOVE = "one record is added or removed"
OUTSIDE = (
    "The noise is computed in floating point (64 bits): an attack on its lowest bits is not excluded.",
    "How long the run took, what it used of the machine, and what was shown on the screen are not protected.",
    "Settings that a person chose after looking at the data, or at earlier runs on it, are not accounted for.",
    "Several runs on the same data add up: each has its own ledger, and their epsilons must be added.",
)
"""Sentences that hold for every private run; a kind of data adds its own."""
PUBLIC_COUNT = "The number of records is taken as public: it is in the passport and in this ledger, without noise."


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a private run publishes of its data."""

    record: str  # what a record is, in words: "a picture with its label"
    records: int  # their number, which is public
    epsilon: float  # the most that was asked for
    delta: float
    releases: tuple[Release, ...]
    outside: tuple[str, ...]  # sentences: what the guarantee does not cover
    public: tuple[str, ...] = ()  # sentences: what was known before, and is not protected
    neighbours: str = ADD_REMOVE
    asked: Mapping[str, Any] = field(default_factory=dict)  # the recipe's request and settings: a resume compares them

    @property
    def spent(self) -> float:
        """The epsilon of all releases together, by the accountant of privacy/accounting.py."""
        return epsilon_of(self.releases, self.delta)

    def to_json(self) -> dict[str, Any]:
        """Return the object for privacy.json."""
        return {**asdict(self), "spent": self.spent}


def asked_of(recipe: Recipe) -> dict[str, Any]:
    """Return what a resumed run must have in common with the one that was released."""
    own = recipe.own.content() if recipe.own is not None else {}
    data = {name: value for name, value in recipe.data.content().items() if name != "source"}
    ask = {name: value for name, value in recipe.ask.content().items() if name != "source"}
    return {"task": recipe.task, "seed": recipe.seed, "ask": ask, "settings": own, "data": data}


def read_ledger(run: Run) -> Ledger | None:
    """Read the ledger of a run; None if it is not a private run. Raises: RunError if it is damaged."""
    content = run.read_json(run.privacy)
    if not content:
        return None
    with refused(f"The ledger at {str(run.privacy)!r}"):
        releases = tuple(_release(each) for each in content["releases"])
        return Ledger(
            record=str(content["record"]),
            records=int(content["records"]),
            epsilon=float(content["epsilon"]),
            delta=_share(content["delta"]),
            releases=releases,
            outside=_sentences(content["outside"]),
            public=_sentences(content["public"]),
            neighbours=str(content["neighbours"]),
            asked=dict(content["asked"]),
        )


def open_ledger(run: Run, ledger: Ledger) -> None:
    """Write the ledger of a run before its first release, or check that it is the one that was written.

    Raises: RunError for a run whose settings changed since, or whose releases would cost more than what was asked for.
    """
    known = read_ledger(run)
    if known is None:
        if ledger.spent > ledger.epsilon * (1 + 1e-6):
            raise RunError(
                f"The releases cost an epsilon of {ledger.spent:.4g}, and {ledger.epsilon:g} was asked for.",
                "Nothing was released.",
                "This is a fault of ganforge: please report it.",
            )
        run.write_json(run.privacy, ledger.to_json())
    elif _differs(known, ledger):
        raise RunError(
            f"The settings of {str(run.folder)!r} are not those of its release.",
            "A second release with other settings would cost its epsilon again.",
            "Put recipe.json back as it was, or train a new run.",
        )


def _differs(known: Ledger, now: Ledger) -> bool:
    one, other = (json.dumps({**each.to_json(), "spent": None}, sort_keys=True) for each in (known, now))
    return one != other


def _release(told: Mapping[str, Any]) -> Release:
    found = Release(**told)
    if found.mechanism not in ("gaussian", "exponential") or min(found.multiplier, found.rate, found.steps) < 0:
        raise ValueError(f"the release {found.name[:50]!r} is none that can be accounted for")
    if found.mechanism == "exponential" and not (found.epsilon or 0) > 0:
        raise ValueError(f"the release {found.name[:50]!r} has no epsilon")
    return found


def _share(value: Any) -> float:
    if not 0 < float(value) < 1:
        raise ValueError(f"its delta is {value}")
    return float(value)


def _sentences(told: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in told)
