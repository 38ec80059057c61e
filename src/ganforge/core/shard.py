"""The training examples of one process: a stretch of all of them."""

from __future__ import annotations

from torch import Tensor

from ganforge.contracts import Batch, Feed


class PartFeed:
    """A feed that holds a stretch of the examples and answers to their places among all of them (contracts.Feed)."""

    def __init__(self, part: Feed, first: int, count: int) -> None:
        """Args: part the examples from `first` on, of `count` in all."""
        self._part, self._first, self._count = part, first, count

    @property
    def resident(self) -> bool:
        """Whether all examples live on the training device (contracts.Feed)."""
        return self._part.resident

    def __len__(self) -> int:
        return self._count

    def batch(self, indices: Tensor) -> Batch:
        """Args: indices (B,) int64 among all examples, of this stretch alone."""
        return self._part.batch(indices - self._first)

    def raw(self, first: int, last: int) -> Batch:
        """Args: first, last among all examples, of this stretch alone."""
        return self._part.raw(first - self._first, last - self._first)
