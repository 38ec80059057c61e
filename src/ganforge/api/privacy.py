"""The verb `privacy`: what a run published of its data, what that costs, and what is not covered."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganforge.privacy.accounting import Release, epsilon_of
from ganforge.privacy.ledger import Ledger, read_ledger
from ganforge.run import Run

NOT_PRIVATE = "This run is not private: it learned from its data without noise, and nothing bounds what it tells."


@dataclass(frozen=True, slots=True)
class Privacy:
    """The ledger of a run, and its epsilon recomputed from it; without a ledger the run is not private."""

    ledger: Ledger | None
    epsilon: float | None  # by the accountant of ganforge
    prv: float | None  # by the PRV accountant of Opacus; None where it is not installed or cannot tell

    @property
    def sentence(self) -> str:
        """Return the result in words."""
        if self.ledger is None or self.epsilon is None:
            return NOT_PRIVATE
        told = f"epsilon {self.epsilon:.4g} at delta {self.ledger.delta:g}"
        return f"Private: {told} for {self.ledger.record}, where {self.ledger.neighbours}."

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values, for a program."""
        told = None if self.ledger is None else asdict(self.ledger)
        return {"sentence": self.sentence, "epsilon": self.epsilon, "prv": self.prv, "ledger": told}


def privacy_of(run: str | Path) -> Privacy:
    """Read the ledger of a run and account for its releases again. Raises: RunError."""
    ledger = read_ledger(Run.open(run))
    if ledger is None:
        return Privacy(None, None, None)
    return Privacy(ledger, epsilon_of(ledger.releases, ledger.delta), prv_epsilon(ledger.releases, ledger.delta))


def prv_epsilon(releases: Sequence[Release], delta: float) -> float | None:
    """Return the epsilon by Opacus' accountant of privacy loss variables (Gopi, Lee and Wutschitz 2021), an upper
    bound that is within 0.01.

    None where Opacus is not installed (the extra ganforge[opacus]), or a release is not Gaussian.
    """
    if any(release.mechanism != "gaussian" or release.multiplier <= 0 for release in releases) or not releases:
        return None
    try:
        from opacus.accountants import PRVAccountant
    except ModuleNotFoundError:
        return None
    accountant = PRVAccountant()
    accountant.history = [(release.multiplier, release.rate, release.steps) for release in releases]
    with warnings.catch_warnings(), np.errstate(all="ignore"):  # it takes logarithms of 0 at rate 1, as it means to
        warnings.simplefilter("ignore")
        return float(accountant.get_epsilon(delta))
