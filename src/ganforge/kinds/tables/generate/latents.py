"""Drawing of rows by a latent: given it, all units are independent, and are drawn at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ganforge.kinds.tables.codec.codec import AskedByUnit, TableCodec
from ganforge.kinds.tables.codec.gaps import GapUnit
from ganforge.kinds.tables.codec.joint import JointUnit
from ganforge.kinds.tables.codec.numbers import NumberUnit
from ganforge.kinds.tables.networks import NEVER, RowLayout
from ganforge.kinds.tables.rules.conditions import Condition

POOL = 6  # latents drawn for each row under conditions, of which one is kept


@dataclass(frozen=True, slots=True)
class LatentRows:
    """A generator of a game of two, and how rows are drawn from it."""

    generator: nn.Module
    layout: RowLayout
    codec: TableCodec
    latent_size: int
    temperature: float  # of every softmax

    @torch.no_grad()
    def draw(self, asked: AskedByUnit, each: int, count: int, random: torch.Generator) -> Tensor:
        """Draw codes (each, count, U) that meet the conditions, `each` times from every latent."""
        layout, device = self.layout, self.layout.starts.device
        allowed = {place: torch.from_numpy(self.codec.units[place].allowed(asked[place])).to(device) for place in asked}
        bound = {place: codes for place, codes in allowed.items() if not codes.all() or self._is_gap(place)}
        logits = self._whole(self._latents(bound, asked, count, random)) + self._forbidden(bound)
        rows = layout.draw_codes(logits, random, each)  # (each, B, U)
        for place in sorted(bound):
            if self._is_gap(place):
                for row in rows:  # each a view
                    row[:, place] = self._gap_codes(place, asked[place], row, logits, random)[0]
        return rows

    def _latents(self, bound: Mapping[int, Tensor], asked: AskedByUnit, count: int, random: torch.Generator) -> Tensor:
        """Draw latents (count, Z); under conditions those that make them likely.

        Given its latent, a row's codes are independent, so the probability that it meets conditions is a product over
        units. Latents are resampled in proportion to it (sampling importance resampling: Rubin 1987), which is the
        generator's own conditional distribution: it includes whatever depends on a condition.
        """
        device = self.layout.starts.device
        if not bound:
            return torch.randn(count, self.latent_size, generator=random).to(device)
        latents, weights = [], []
        for _ in range(POOL):
            latent = torch.randn(count, self.latent_size, generator=random).to(device)
            logits = self._whole(latent)
            latents.append(latent)
            weights.append(self._log_likely(bound, asked, logits, random))
        likely = torch.softmax(torch.cat(weights).double(), dim=0).cpu()
        chosen = torch.multinomial(likely, count, replacement=True, generator=random).to(device)
        return torch.cat(latents)[chosen]

    def _whole(self, latent: Tensor) -> Tensor:
        """Return the logits (B, P) of whole rows. Args: latent (B, Z)."""
        logits: Tensor = self.generator(latent) / self.temperature
        return logits

    def _log_likely(
        self, bound: Mapping[int, Tensor], asked: AskedByUnit, logits: Tensor, random: torch.Generator
    ) -> Tensor:
        """Return the logarithm of the probability that rows of logits (B, P) meet all conditions, (B,)."""
        total = torch.zeros(len(logits), device=logits.device)
        drawn = self.layout.draw_codes(logits + self._forbidden(bound), random)[
            0
        ]  # where a gap begins, it must be drawn
        for place, allowed in bound.items():
            if self._is_gap(place):
                total += self._gap_codes(place, asked[place], drawn, logits, random)[1]
            else:
                part = logits[:, self.layout.unit_places(place)]
                total += torch.logsumexp(part[:, allowed], dim=1) - torch.logsumexp(part, dim=1)
        return total

    def _gap_codes(
        self, place: int, conditions: tuple[Condition, ...], rows: Tensor, logits: Tensor, random: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Draw codes (B,) of a gap that lead to an allowed value above the lower columns of rows (B, U).

        Also return the logarithm of the probability of these codes, (B,).
        """
        may = allowed_codes(self.codec, place, conditions, rows)
        part = logits[:, self.layout.unit_places(place)]
        shares = torch.softmax(part, dim=1) * may + 1e-12 * may
        codes = torch.multinomial(shares.cpu(), 1, generator=random)[:, 0].to(logits.device)
        return codes, shares.sum(dim=1).log()

    def _forbidden(self, bound: Mapping[int, Tensor]) -> Tensor:
        """Return what to add to logits (P,) so that no code is drawn that cannot meet a condition."""
        forbidden = torch.zeros(self.layout.width, device=self.layout.starts.device)
        for place, allowed in bound.items():
            forbidden[self.layout.unit_places(place)] = torch.where(allowed, 0.0, NEVER)
        return forbidden

    def _is_gap(self, place: int) -> bool:
        return isinstance(self.codec.units[place], GapUnit)


def shares_met(codec: TableCodec, place: int, conditions: tuple[Condition, ...], rows: Tensor) -> Tensor:
    """Return the share of each code's values that meets the conditions of a unit, as `allowed_codes` where unknown."""
    unit = codec.units[place]
    if isinstance(unit, NumberUnit | JointUnit):
        return torch.from_numpy(unit.meeting(conditions)).to(rows.device)
    return allowed_codes(codec, place, conditions, rows)


def allowed_codes(codec: TableCodec, place: int, conditions: tuple[Condition, ...], rows: Tensor) -> Tensor:
    """Return which codes of a unit meet its conditions, (K,); of a gap, (B, K), also by the lower columns' codes.

    Args: rows (B, U) codes.
    """
    unit = codec.units[place]
    if not isinstance(unit, GapUnit):
        return torch.from_numpy(unit.allowed(conditions)).to(rows.device)
    drawn = rows.cpu().numpy().astype(np.int32)
    least, most = (codec.bounds(drawn, unit, end) for end in ("least", "most"))
    return torch.from_numpy(unit.allowed_above(least, most, conditions)).to(rows.device)
