"""Drawing of rows unit after unit: those with conditions first, each by its chance given the units before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ganforge.kinds.tables.autoregressive import AutoregressiveGenerator
from ganforge.kinds.tables.generate.likelihood import likelihood_of
from ganforge.kinds.tables.networks import NEVER, RowLayout

AT_ONCE = 8_192  # rows whose likelihood is computed in one pass
POOL = 8  # rows drawn for each one under conditions, of which one is kept

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

        Units with conditions come first, and then all others, given these. That is the generator's own conditional
        distribution as far as it has learned to complete rows. It knows whole rows better: of POOL rows one is taken,
        in proportion to how much more likely it is as a whole row (sampling importance resampling, Rubin 1987).

        Args: restricted the units with conditions; each how many candidates there are for each row.
        """
        if not restricted:
            return self._rows(each * count, random, {})[0].view(each, count, -1)
        codes, likely = self._rows(POOL * each * count, random, restricted)
        weights = (self._whole(codes) - likely).view(POOL, -1).T  # (each * count, POOL)
        taken = torch.multinomial(torch.softmax(weights, dim=1).cpu(), 1, generator=random)[:, 0].to(codes.device)
        rows = torch.arange(each * count, device=codes.device)
        return codes.view(POOL, each * count, -1)[taken, rows].view(each, count, -1)

    def _rows(self, count: int, random: torch.Generator, restricted: Mapping[int, Allowed]) -> tuple[Tensor, Tensor]:
        """Draw codes (count, U), and return the logarithm of the chance of each row to be drawn so, (count,)."""
        units = len(self.layout.sizes)
        order = [*sorted(restricted), *(unit for unit in range(units) if unit not in restricted)]
        codes = torch.zeros(count, units, dtype=torch.int64, device=self.layout.starts.device)
        likely = torch.zeros(count, device=codes.device)
        for number, unit in enumerate(order):
            logits = self._logits(unit, codes, order[:number])
            if unit in restricted:
                logits = torch.where(restricted[unit](codes), logits, NEVER)
            codes[:, unit] = drawn(logits, random)
            if restricted:
                likely += torch.log_softmax(logits, dim=1).gather(1, codes[:, unit, None])[:, 0]
        return codes, likely

    def _whole(self, codes: Tensor) -> Tensor:
        """Return the log-likelihood of rows (B, U) in the order in which whole ones are drawn, (B,)."""
        return torch.cat([likelihood_of(self.generator, self.layout, part) for part in torch.split(codes, AT_ONCE)])

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
