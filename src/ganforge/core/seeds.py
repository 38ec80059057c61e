"""All randomness of a run. No generator state is ever saved: a draw is a function of what it is for.

A resumed run asks for the same (seed, stream, rank, step, attempt) and gets the same numbers, so it is bit-identical to
a run that was never stopped, on the same machine kind. Making a generator costs 4 to 8 microseconds.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.core.world import ALONE, World


def seed_for(seed: int, stream: str, rank: int = 0, step: int = 0, attempt: int = 0) -> int:
    """Return a 63-bit seed for one purpose.

    Args: seed the person's; stream the purpose, such as "generator/latent"; rank the process; step the training step;
        attempt grows by one when a run is rewound, so that it does not repeat the same failure.
    """
    words = f"{seed}/{stream}/{rank}/{step}/{attempt}".encode()
    return int.from_bytes(hashlib.blake2b(words, digest_size=8).digest(), "little") >> 1


def generator_for(
    seed: int, stream: str, rank: int = 0, step: int = 0, attempt: int = 0, device: torch.device | str = "cpu"
) -> torch.Generator:
    """Return a new torch.Generator on `device` for one purpose; see `seed_for`."""
    return torch.Generator(device).manual_seed(seed_for(seed, stream, rank, step, attempt))


class Draws:
    """Random numbers for the rows of a batch, seeded anew for each player and step."""

    def __init__(self, generator: torch.Generator, world: World = ALONE) -> None:
        self.generator = generator  # for games that are never shared among processes
        self.world = world

    def begin(self, seed: int) -> None:
        """Draw everything from now on from `seed`."""
        self.generator.manual_seed(seed)

    def piece(self, place: int) -> Draws:
        """Return random numbers for one piece of the batch, whichever thread draws them and when.

        They follow from the seed of the last `begin` and the piece's place. On the CPU only.
        """
        piece = Draws(torch.Generator(), self.world)
        piece.begin(seed_for(self.generator.initial_seed(), "piece", step=place))
        return piece

    @property
    def device(self) -> torch.device:
        return self.generator.device

    def normal(self, rows: int, *shape: int) -> Tensor:
        """Draw standard normal numbers (rows, *shape). Args: rows of this process."""
        whole = torch.randn(rows * self.world.size, *shape, generator=self.generator, device=self.device)
        return whole[self._own(rows)]

    def uniform(self, rows: int, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Draw uniform numbers in [low, high), (rows, *shape). Args: rows of this process."""
        whole = torch.empty(rows * self.world.size, *shape, device=self.device)
        return whole.uniform_(low, high, generator=self.generator)[self._own(rows)]

    def examples(self, count: int, batch_size: int) -> Tensor:
        """Draw the examples, of `count`, that are this process's rows of a batch: int64 (B / processes,) on the CPU.

        Row j of a batch of B is drawn uniformly from the j-th of B equal stretches of the examples, so over the batch
        every example is as likely as any other, each process needs only its own stretch of the data
        (core/world.stretch), and a batch is spread more evenly than B independent draws would be.
        """
        rows, first, last = _stretches(count, batch_size)
        places = torch.rand(batch_size, generator=self.generator, dtype=torch.float64)
        drawn = places.add_(rows).mul_(count / batch_size).long()
        drawn.clamp_(first, last)  # rounding must not lead out of the stretch
        return drawn[self._own(batch_size // self.world.size)]

    def _own(self, rows: int) -> slice:
        """Return this process's rows of a batch in which each process has `rows`."""
        return slice(self.world.rank * rows, (self.world.rank + 1) * rows)


@lru_cache(maxsize=8)
def _stretches(count: int, batch_size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the number of each row of a batch, and the first and last example that it may be. Each (B,) int64."""
    rows = torch.arange(batch_size)
    return rows, rows * count // batch_size, ((rows + 1) * count - 1) // batch_size


def subset(available: int, wanted: int, purpose: str) -> NDArray[np.int64]:
    """Return at most `wanted` indices in random order, always the same for the same purpose.

    The order matters: data is often sorted by label, and the first few must not have one label only.
    For one purpose, fewer indices are the beginning of more.
    """
    return torch.randperm(available, generator=generator_for(0, purpose))[:wanted].clone().numpy()  # not the rest too
