"""The labels that a generator was trained with: their names, and how often each is drawn."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganforge.core.seeds import seed_for
from ganforge.errors import InputError, did_you_mean


@dataclass(frozen=True, slots=True)
class Labels:
    """Names of labels and their shares in training; empty for a model without labels."""

    names: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        shares = np.array(self.shares, np.float64)
        if shares.shape != (len(self.names),) or (self.names and not _add_up(shares)):
            raise ValueError("its labels' shares do not fit its labels")

    @classmethod
    def counted(cls, names: Sequence[str], labels: NDArray[np.int64] | None) -> Labels:
        """Return the labels of training examples. Args: labels (N,) in `names`, None without labels."""
        if not names or labels is None:
            return cls()
        counts = np.bincount(labels, minlength=len(names))
        return cls(tuple(names), tuple(float(share) for share in counts / counts.sum()))

    def draw(self, count: int, seed: int) -> NDArray[np.int64] | None:
        """Draw (count,) labels with their shares in training; None without labels."""
        if not self.names:
            return None
        random = np.random.default_rng(seed_for(seed, "sample/labels"))
        return random.choice(len(self.names), size=count, p=self.shares).astype(np.int64)

    def index(self, name: str) -> int:
        """Return the index of a label's name. Raises: InputError with the nearest name."""
        if not self.names:
            raise InputError(f"There is no label {name!r}.", "This model was trained without labels.", "Leave --label.")
        same = [unicodedata.normalize("NFC", one) for one in self.names]  # a name may be typed in the other form
        if (typed := unicodedata.normalize("NFC", name)) not in same:
            raise InputError(f"There is no label {name!r}.", did_you_mean(name, self.names))
        return same.index(typed)


def _add_up(shares: NDArray[np.float64]) -> bool:
    return bool((shares >= 0).all() and abs(shares.sum() - 1) < 1e-6)
