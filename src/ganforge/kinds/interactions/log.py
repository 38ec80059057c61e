"""A log of interactions in memory: who met what, when there is a time when, and how it was rated where that is known.

Shape letters here: N interactions, U users, I items.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Log:
    """Interactions, no pair of user and item twice. Ids are texts as they stood in the file.

    They are in the order of users, and within a user in the order of time; where there is none, in that of the file.
    """

    users: NDArray[np.str_]  # (U,) ids
    items: NDArray[np.str_]  # (I,) ids
    user: NDArray[np.int32]  # (N,) rows of users
    item: NDArray[np.int32]  # (N,) rows of items
    rating: NDArray[np.float32] | None = None  # (N,)
    time: NDArray[np.float64] | None = None  # (N,) seconds since 1970

    def __len__(self) -> int:
        return len(self.user)

    def taken(self, kept: NDArray[np.bool_] | Numbers) -> Log:
        """Return some of the interactions, of the same users and items. Args: kept a mask (N,) or sorted places."""
        return replace(
            self,
            user=self.user[kept],
            item=self.item[kept],
            rating=None if self.rating is None else self.rating[kept],
            time=None if self.time is None else self.time[kept],
        )

    def matrix(self) -> csr_matrix:
        """Return a sparse matrix (U, I) of float32: 1 where a user met an item."""
        ones = np.ones(len(self), np.float32)
        return csr_matrix((ones, (self.user, self.item)), shape=(len(self.users), len(self.items)))

    def counts(self) -> Numbers:
        """Return how many interactions each user has, (U,)."""
        return np.bincount(self.user, minlength=len(self.users))

    def starts(self) -> Numbers:
        """Return where the interactions of each user begin, (U + 1,): those of u are starts[u]:starts[u + 1]."""
        return np.concatenate([[0], np.cumsum(self.counts())])
