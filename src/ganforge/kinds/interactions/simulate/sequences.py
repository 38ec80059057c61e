"""What users met as rows of units, and how users are divided into those that are learned from and those that judge."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ganforge.core.seeds import seed_for, subset
from ganforge.core.sequences import BEGIN, PAD
from ganforge.engine.feed import Form
from ganforge.errors import DataError
from ganforge.kinds.interactions.log import Log

RESERVED = 3  # units before the first item: padding, beginning and end
WINDOW = 128  # steps that one example trains
LONGEST = 1_024  # interactions of a user that are learned from, the last ones
HELD_OUT, MOST_HELD_OUT = 0.2, 2_000  # of the users
FEWEST_USERS = 60
TOKENS = Form(lambda stored: stored.long(), lambda rows: rows)


@dataclass(frozen=True, slots=True)
class Users:
    """A log divided by users. Each part has the items of all, and its own users alone."""

    train: Log
    chooses: Log  # what is chosen is chosen by these
    judges: Log


def divide(log: Log, source: str) -> Users:
    """Hold users out, a third of whom choose. What a user met at one time is put in random order. Raises: DataError."""
    log = in_random_order_where_tied(log)
    held = subset(len(log.users), min(MOST_HELD_OUT, round(HELD_OUT * len(log.users))), "interactions/held-out users")
    if len(log.users) < FEWEST_USERS:
        raise DataError(
            f"{source!r} has {len(log.users)} users.",
            f"New ones are learned from {FEWEST_USERS} or more: a fifth of them are held out to judge.",
            "Give the log of more users.",
        )
    part = np.zeros(len(log.users), np.int8)
    part[held] = 2
    part[held[::3]] = 1
    train, chooses, judges = (of_users(log, np.flatnonzero(part == number)) for number in range(3))
    return Users(train, chooses, judges)


def of_users(log: Log, users: NDArray[np.int64]) -> Log:
    """Return the log of some users alone. Args: users their rows, each once."""
    users = np.sort(users)
    row = np.full(len(log.users), -1, np.int32)
    row[users] = np.arange(len(users), dtype=np.int32)
    found = log.taken(row[log.user] >= 0)
    return replace(found, users=log.users[users], user=row[found.user])


def in_random_order_where_tied(log: Log) -> Log:
    """Return a log in which what a user met at one time is in random order: that of a file means nothing."""
    if log.time is None:
        return log
    chance = np.random.default_rng(seed_for(0, "interactions/ties")).random(len(log))
    order = np.lexsort((chance, log.time, log.user))
    return log.taken(order)


def cut(log: Log, share: float, *, seed: int | None = None) -> tuple[Log, Log]:
    """Return a share of the interactions of each user, and the others. Args: seed None for the first ones in time."""
    counts, starts = log.counts(), log.starts()
    order = np.arange(len(log))
    if seed is not None:
        order = np.lexsort((np.random.default_rng(seed).random(len(log)), log.user))
    place = np.empty(len(log), np.int64)
    place[order] = np.arange(len(log)) - np.repeat(starts[:-1], counts)
    known = place < np.round(share * counts)[log.user]
    return log.taken(known), log.taken(~known)


class WindowRows:
    """The sequences of users: rows (n, 2 + L) of the number of a window, BEGIN, units, padding (engine.feed.Rows).

    A user has an example for every WINDOW interactions.
    """

    def __init__(self, log: Log, length: int) -> None:
        """Args: length L, of a sequence."""
        counts = np.minimum(log.counts(), length)
        self._ends, self._counts, self._length = log.starts()[1:], counts, length
        self._units = (log.item + RESERVED).astype(np.int32)
        windows = -(-counts // WINDOW)
        self._user = np.repeat(np.arange(len(counts)), windows)
        self._window = np.arange(len(self._user)) - np.repeat(np.cumsum(windows) - windows, windows)

    def __len__(self) -> int:
        return len(self._user)

    def __getitem__(self, rows: NDArray[np.integer], /) -> NDArray[np.int32]:
        users = self._user[rows]
        found = np.full((len(rows), 2 + self._length), PAD, np.int32)
        found[:, 0], found[:, 1] = self._window[rows], BEGIN
        place = np.arange(self._length)
        there = place < self._counts[users, None]
        places = (self._ends[users] - self._counts[users])[:, None] + place
        found[:, 2:][there] = self._units[places[there]]
        return found
