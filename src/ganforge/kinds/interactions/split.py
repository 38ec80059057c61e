"""The split of a log: of each user some interactions to learn from, some to choose by, and some to judge by once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ganforge.core.seeds import seed_for
from ganforge.errors import DataError
from ganforge.kinds.interactions.log import Log

TEST, VALIDATION = 0.2, 0.2  # of the interactions of a user; of what is left
By = Literal["time", "random"]


@dataclass(frozen=True, slots=True)
class Split:
    """A log in three parts, of the same users and items. What is chosen is chosen by `validation`."""

    fit: Log
    validation: Log
    test: Log
    train: Log  # fit and validation together: what a model that is judged by test may know


def split_by(source: str | Path, log: Log, asked: By | None) -> By:
    """Return how a log is split: as asked, else in time where there is time.

    Args: source where it was read. Raises: DataError if it is to be split in time and has none.
    """
    if asked == "time" and log.time is None:
        raise DataError(
            f"{str(source)!r} has no times, and interactions.split is time.",
            "The last interactions of a user are not known.",
            "Name the column with --set interactions.time=COLUMN, or split at random: --set interactions.split=random",
        )
    return asked or ("random" if log.time is None else "time")


def split_log(log: Log, by: By, seed: int) -> Split:
    """Split each user's interactions: the last ones, or random ones, are judged by.

    Interactions at one time have no order: by time, they are split at random among themselves. A user with fewer than
    3 interactions is only learned from.
    """
    random = np.random.default_rng(seed_for(seed, "interactions/split"))
    chance = random.random(len(log))
    time = log.time if by == "time" and log.time is not None else np.zeros(len(log))
    order = np.lexsort((chance, time, log.user))
    counts, starts = log.counts(), log.starts()
    place = np.empty(len(log), np.int64)  # of each interaction within its user's
    place[order] = np.arange(len(log)) - np.repeat(starts[:-1], counts)
    many = np.where(counts >= 3, counts, 0)
    tests = np.where(many > 0, np.maximum(1, np.round(TEST * many)), 0).astype(np.int64)
    validations = np.where(many > 0, np.maximum(1, np.round(VALIDATION * (many - tests))), 0).astype(np.int64)
    last = counts[log.user] - place  # 1 for the last one
    test = last <= tests[log.user]
    validation = ~test & (last <= (tests + validations)[log.user])
    return Split(log.taken(~test & ~validation), log.taken(validation), log.taken(test), log.taken(~test))
