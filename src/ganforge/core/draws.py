"""Random numbers of a turn, the same for an example whether one process trains or many do.

Numbers are drawn for the whole batch and each process keeps those of its own rows. What is thrown away is small beside
the work on an example; in return one process and N processes with the same batch train the same run.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ganforge.core.world import ALONE, World


class Draws:
    """Random numbers for the rows of a batch, made for one player and step alone."""

    def __init__(self, generator: torch.Generator, world: World = ALONE) -> None:
        self.generator = generator  # for games that are never shared among processes
        self._world = world

    @property
    def device(self) -> torch.device:
        return self.generator.device

    def normal(self, rows: int, *shape: int) -> Tensor:
        """Standard normal numbers (rows, *shape). Args: rows of this process."""
        whole = torch.randn(rows * self._world.size, *shape, generator=self.generator, device=self.device)
        return whole[self._own(rows)]

    def uniform(self, rows: int, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Uniform numbers in [low, high), (rows, *shape). Args: rows of this process."""
        whole = torch.empty(rows * self._world.size, *shape, device=self.device)
        return whole.uniform_(low, high, generator=self.generator)[self._own(rows)]

    def examples(self, count: int, batch_size: int) -> Tensor:
        """Which of `count` training examples this process's rows of a batch are: int64 (B / processes,) on the CPU.

        Row j of a batch of B is drawn uniformly from the j-th of B equal stretches of the examples, so over the batch
        every example is as likely as any other, each process needs only its own stretch of the data
        (core/world.stretch), and a batch is spread more evenly than B independent draws would be.
        """
        own = self._world.own(batch_size)
        rows = torch.arange(own.start, own.stop)
        places = torch.rand(batch_size, generator=self.generator, dtype=torch.float64)[own]
        first, last = rows * count // batch_size, ((rows + 1) * count - 1) // batch_size
        drawn = ((rows + places) * (count / batch_size)).long()
        return torch.minimum(torch.maximum(drawn, first), last)  # rounding must not lead out of the stretch

    def _own(self, rows: int) -> slice:
        return self._world.own(rows * self._world.size)
