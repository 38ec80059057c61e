"""What is learned from: a log with features of items, of which some are kept aside as if nobody had met them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ganforge.core.seeds import seed_for
from ganforge.errors import DataError
from ganforge.kinds.interactions.columns import LogSettings
from ganforge.kinds.interactions.features import Features
from ganforge.kinds.interactions.reading import Reading, read_log

TEST, VALIDATION = 0.2, 0.15  # of the items with features; of what is left
FEWEST = 50  # items with features
FEWEST_USERS = 20


@dataclass(frozen=True)
class Material:
    """A log and the items that have features, in three parts that share no item."""

    reading: Reading
    items: NDArray[np.int64]  # (N,) rows in the log of those with features
    part: NDArray[np.int8]  # (N,) 0: learned from; 1: chosen by; 2: judged by, once
    features: Features  # (N,)

    @property
    def passport(self) -> Mapping[str, Any]:
        counts = np.bincount(self.part, minlength=3).tolist()
        return {
            **self.reading.passport,
            "without_features": len(self.reading.log.items) - len(self.items),
            "learned_from": counts[0],
            "chosen_by": counts[1],
            "judged_by": counts[2],
        }

    @cached_property
    def matrix(self) -> csr_matrix:
        """Who met the items, (U, N)."""
        return csr_matrix(self.reading.log.matrix()[:, self.items])

    @property
    def known(self) -> NDArray[np.int64]:
        """The places of all items but those that judge."""
        return np.flatnonzero(self.part < 2)

    @property
    def unseen(self) -> NDArray[np.int64]:
        """The places of the items that judge."""
        return np.flatnonzero(self.part == 2)

    def features_of(self, places: NDArray[np.int64]) -> Features:
        """Return the features of some items."""
        return self.features.at(self.features.ids[places])


def open_material(source: str | Path, asked: LogSettings, seed: int) -> Material:
    """Read a log with a table of items beside it. Raises: DataError if there is none, or it says too little."""
    reading = read_log(source, asked)
    log = reading.log
    if reading.items is None:
        raise DataError(
            f"There are no features of items beside {str(source)!r}.",
            "A new item is known by its features alone, and they are learned from those of other items.",
            "Put items.csv beside the log, or NAME.item beside NAME.inter: a row for each item, with its id.",
        )
    features = reading.items.at(log.items)
    items = np.flatnonzero(~features.missing.all(1))
    if len(items) < FEWEST or len(log.users) < FEWEST_USERS:
        raise DataError(
            f"{len(items):,} items have features, and there are {len(log.users):,} users.",
            f"At least {FEWEST} items and {FEWEST_USERS} users are needed: some items are kept to judge by.",
            "Give a larger log, or a table with more of its items.",
        )
    order = np.random.default_rng(seed_for(seed, "invent/split")).permutation(len(items))
    part = np.zeros(len(items), np.int8)
    tests = round(TEST * len(items))
    part[order[:tests]] = 2
    part[order[tests : tests + round(VALIDATION * (len(items) - tests))]] = 1
    kept = features.at(log.items[items])
    return Material(reading, items, part, kept)
