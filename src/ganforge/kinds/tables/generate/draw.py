"""Drawing of rows unit after unit: those with conditions first, each by its chance given the units before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ganforge.kinds.tables.autoregressive import AutoregressiveGenerator
from ganforge.kinds.tables.networks import NEVER, RowLayout

POOL = 6  # beginnings drawn for each row under conditions on several units, of which one is kept

Allowed = Callable[[Tensor], Tensor]
"""codes (B, U), those of units before this one -> which of its codes may be drawn, (B, K) or (K,) bool."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A generator that draws unit after unit, and pairs of codes that it does not draw together."""

    generator: AutoregressiveGenerator
    layout: RowLayout
    apart: Tensor | None = None  # (P, P) bool: two codes that never stand in one row

    @torch.no_grad()
    def draw(
        self, count: int, random: torch.Generator, restricted: Mapping[int, Allowed] | None = None, each: int = 1
    ) -> Tensor:
        """Draw codes (each, count, U).

        Units with conditions come first, in their order. The chance that a unit meets its own is computed, and
        beginnings are resampled in proportion to the product: the generator's own conditional distribution (sampling
        importance resampling, Rubin 1987), exact where one unit alone has conditions.

        Args: restricted the units with conditions; each how many rows are drawn from each beginning.
        """
        first = sorted(restricted or {})
        pool = count * (POOL if len(first) > 1 else 1)
        codes = torch.zeros(pool, len(self.layout.sizes), dtype=torch.int64, device=self.layout.starts.device)
        likely = torch.zeros(pool, device=codes.device)
        for number, unit in enumerate(first):
            logits = self._logits(unit, codes, first[:number])
            allowed = torch.where((restricted or {})[unit](codes), logits, NEVER)
            likely += allowed.logsumexp(dim=1) - logits.logsumexp(dim=1)
            codes[:, unit] = drawn(allowed, random)
        if len(first) > 1:
            weights = torch.softmax(likely.double(), dim=0).cpu()
            codes = codes[torch.multinomial(weights, count, replacement=True, generator=random).to(codes.device)]
        codes, done = codes.repeat(each, 1), first
        for unit in (unit for unit in range(len(self.layout.sizes)) if unit not in first):
            codes[:, unit] = drawn(self._logits(unit, codes, done), random)
            done = [*done, unit]
        return codes.view(each, count, -1)

    def _logits(self, unit: int, codes: Tensor, given: list[int]) -> Tensor:
        """Return logits (B, K) of one unit, very low where a code may not stand with one of the given units'."""
        logits = self.generator.logits_of(unit, codes, given, self.layout)
        if not given or self.apart is None:
            return logits
        against = self.apart[:, self.layout.unit_places(unit)].to(logits.dtype)
        return logits + NEVER * F.embedding_bag((codes + self.layout.starts)[:, given], against, mode="sum")


def drawn(logits: Tensor, random: torch.Generator) -> Tensor:
    """Draw a code (B,) by logits (B, K), by inversion of the cumulative probabilities."""
    rising = torch.softmax(logits, dim=1).cumsum(dim=1)
    aim = torch.rand(len(logits), 1, generator=random, device=random.device).to(logits.device) * rising[:, -1:]
    codes: Tensor = torch.searchsorted(rising, aim, right=True)[:, 0].clamp_max_(logits.shape[1] - 1)
    return codes
