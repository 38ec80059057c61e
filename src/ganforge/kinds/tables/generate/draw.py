"""Drawing of rows unit after unit: those with conditions first, each by its chance given the units before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ganforge.kinds.tables.autoregressive import AutoregressiveGenerator
from ganforge.kinds.tables.generate.likelihood import likelihood_of
from ganforge.kinds.tables.low_rank import LowRankGenerator
from ganforge.kinds.tables.networks import NEVER, RowLayout
from ganforge.kinds.tables.reading.arrays import AT_ONCE

POOL = 8  # completed rows for each one under conditions or with given cells, of which one is kept

Allowed = Callable[[Tensor], Tensor]
"""codes (B, U), those of units before this one -> which share of each code's values may be drawn, (B, K) or (K,)."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A generator that draws unit after unit, and pairs of codes that it does not draw together."""

    generator: AutoregressiveGenerator
    layout: RowLayout
    apart: Tensor | None = None  # (P, P) bool: two codes that never stand in one row
    temperature: float = 1.0  # of every softmax
    told: Tensor | None = None  # (B, U, W) what the generator is told of each row besides

    @torch.no_grad()
    def draw(
        self, count: int, random: torch.Generator, restricted: Mapping[int, Allowed] | None = None, each: int = 1
    ) -> Tensor:
        """Draw codes (each, count, U). Args: restricted the units with conditions; each the candidates for each row."""
        empty = torch.full((each * count, len(self.layout.sizes)), -1, device=self.layout.starts.device)
        codes = self.complete(empty, random, restricted) if restricted else self._completed(empty, random, {})[0]
        return codes.view(each, count, -1)

    @torch.no_grad()
    def complete(
        self, codes: Tensor, random: torch.Generator, restricted: Mapping[int, Allowed] | None = None
    ) -> Tensor:
        """Draw the codes of rows (B, U) that are -1.

        Units with conditions come first, and then all others, each given all that is there of the row. That is the
        generator's own conditional distribution as far as it has learned to complete rows. It knows whole rows better:
        of POOL completed rows one is taken, in proportion to how much more likely it is as a whole row (sampling
        importance resampling, Rubin 1987).
        """
        rows = len(codes)
        if isinstance(self.generator, LowRankGenerator) and self.generator.copula is not None:
            patterns, of = torch.unique(codes >= 0, dim=0, return_inverse=True)
            if len(patterns) > 1:  # its copula has one order for all rows
                completed = codes.clone()
                for number in range(len(patterns)):
                    completed[of == number] = self.complete(codes[of == number], random, restricted)
                return completed
        made, likely = self._completed(codes.repeat(POOL, 1), random, restricted or {})
        weights = (self._whole(made) - likely).view(POOL, rows).T  # (B, POOL)
        taken = torch.multinomial(torch.softmax(weights, dim=1).cpu(), 1, generator=random)[:, 0].to(codes.device)
        return made.view(POOL, rows, -1)[taken, torch.arange(rows, device=codes.device)]

    def _completed(
        self, codes: Tensor, random: torch.Generator, restricted: Mapping[int, Allowed]
    ) -> tuple[Tensor, Tensor]:
        """Draw the codes of rows (B, U) that are -1, and return the logarithm of the chance of those, (B,)."""
        codes, likely = codes.clone(), torch.zeros(len(codes), device=codes.device)
        order = sorted(range(len(self.layout.sizes)), key=lambda unit: unit not in restricted)
        given = self.generator.given(codes, self.layout, order)
        for unit in order:
            empty = codes[:, unit] < 0
            logits = self.logits(unit, codes, given)
            met = restricted[unit](codes).to(logits.dtype).log().clamp_min(NEVER) if unit in restricted else None
            logits = logits if met is None else logits + met
            made = drawn(logits, random)
            codes[:, unit] = torch.where(empty, made, codes[:, unit])
            given = self.generator.with_unit(given, unit, codes[:, unit], empty, self.layout)
            chance = torch.log_softmax(logits, dim=1)
            chance = chance if met is None else chance - met  # all rows that are compared meet the conditions
            likely += empty * chance.gather(1, made[:, None])[:, 0]
        return codes, likely

    def _whole(self, codes: Tensor) -> Tensor:
        """Return the log-likelihood of rows (B, U) in the order in which whole ones are drawn, (B,)."""
        parts = torch.split(codes, AT_ONCE)
        return torch.cat([likelihood_of(self.generator, self.layout, part, self.temperature) for part in parts])

    def logits(self, unit: int, codes: Tensor, given: Any = None) -> Tensor:
        """Return logits (B, K) of one unit, very low where a code may not stand with one of codes (B, U).

        Args: given what the generator keeps of these codes, if it is there already.
        """
        if given is None:
            order = sorted(range(codes.shape[1]), key=lambda other: other != unit)
            given = self.generator.given(codes, self.layout, order)
        logits = self.generator.logits_of(unit, given, self.layout, self.told) / self.temperature
        if self.apart is None:
            return logits
        against = F.pad(self.apart[:, self.layout.unit_places(unit)].to(logits.dtype), (0, 0, 0, 1))  # (P + 1, K)
        places = torch.where(codes >= 0, codes + self.layout.starts, len(against) - 1)
        return logits + NEVER * F.embedding_bag(places, against, mode="sum")


def drawn(logits: Tensor, random: torch.Generator) -> Tensor:
    """Draw a code (B,) by logits (B, K), by inversion of the cumulative probabilities."""
    rising = torch.softmax(logits, dim=1).cumsum(dim=1)
    aim = torch.rand(len(logits), 1, generator=random, device=random.device).to(logits.device) * rising[:, -1:]
    codes: Tensor = torch.searchsorted(rising, aim, right=True)[:, 0].clamp_max_(logits.shape[1] - 1)
    return codes
