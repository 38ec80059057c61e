"""A generator that draws a row unit after unit, for tables of hundreds of columns: what its units see is shared.

What each code tells each unit would be places x units x width weights, 800 million for 1,000 columns. Here a code tells
all units the same few numbers, their sum over the units that come before is what a unit sees, and a matrix of its own
says what that means to it. So weights and time grow with the number of units, not with its square.
Source: Larochelle and Murray 2011, "The neural autoregressive distribution estimator".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.kinds.tables.autoregressive import AUTOREGRESSIVE, LEAST_SHARE, AutoregressiveGenerator, uniform
from ganforge.kinds.tables.copula import Copula, Drawn
from ganforge.kinds.tables.networks import RowLayout

LOW_RANK = "low_rank"  # its name in a recipe
UNIT_AFTER_UNIT = (AUTOREGRESSIVE, LOW_RANK)  # the generators that draw so, and learn by likelihood
RANK_PER_WIDTH = 2
SPREAD = 4.0  # of the weights of codes at first, so that what a unit sees has a spread of about one
RUN = 32  # units whose sums are one product of matrices


@dataclass(slots=True)
class Given:
    """What is known of rows: the sum (B, R) of what their codes tell, and what the copula knows, if there is one."""

    told: Tensor
    drawn: Drawn | None = None


class LowRankGenerator(AutoregressiveGenerator):
    """The given units of a row -> logits of every code of every unit, by sums that all units share.

    With a copula they are added to what that tells, and begin at nothing.
    """

    def __init__(self, sizes: tuple[int, ...], width: int, depth: int, copula: tuple[int, int] | None = None) -> None:
        """Args: copula most dimensions of a unit, and those of all units together; None: there is none yet."""
        rank = RANK_PER_WIDTH * width
        super().__init__(sizes, width, depth, columns=False)
        self.codes = nn.Parameter(SPREAD * torch.randn(RowLayout(sizes).width, rank) / len(sizes) ** 0.5)
        self.mix = uniform(len(sizes), rank, width)  # what the sum tells each unit
        self.copula = Copula(len(self.codes), *copula) if copula else None

    @torch.no_grad()
    def start_from_copula(self, shares: Tensor, copula: Copula) -> None:
        """Initialise to a copula: every logit is the logarithm of a share (P,) and what the copula tells."""
        self.start_from(shares)
        self.copula = copula
        self.weights.zero_()

    @torch.no_grad()
    def trust(self, factor: float, shares: Tensor) -> None:
        """Keep a part, 0 to 1, of what training added to the logits of the copula and the shares (P,)."""
        start = shares.clamp_min(LEAST_SHARE).log()
        self.weights.mul_(factor)
        self.logits_bias.copy_(start + factor * (self.logits_bias - start))

    @property
    def is_copula_alone(self) -> bool:
        """Return whether it is still what it began as."""
        return self.copula is not None and not bool(self.weights.any())

    def _known(self, x: Tensor, layout: RowLayout, before: Tensor | None) -> Tensor | None:
        if self.copula is None:
            return None
        told: Tensor = self.copula.beside(x, layout) if before is None else self.copula.before(x, layout, before)
        return told

    def _known_of(self, unit: int, given: Given, layout: RowLayout) -> Tensor | None:
        return None if given.drawn is None else _of(self.copula).logits_of(unit, given.drawn, layout)

    def _first(self, x: Tensor, layout: RowLayout, before: Tensor | None) -> Tensor:
        """Return the first layer's sums (U, B, W)."""
        codes: Tensor = self.codes
        if before is not None:
            codes = codes * before.amax(dim=1)[layout.unit_of, None]  # those that nobody sees count as nothing
        parts = [
            torch.bmm(bucket.cut(x).transpose(0, 1), codes[bucket.places].view(len(bucket.units), bucket.size, -1))
            for bucket in layout.buckets
        ]
        told = torch.cat(parts)  # (U, B, R), in the buckets' order of the units
        if before is None:
            seen = (told.sum(dim=0) - told).index_select(0, layout.to_units)
        else:
            order = before.sum(dim=0).argsort(stable=True)  # of the units: as many come before each
            seen = sums_before(told.index_select(0, layout.to_units[order])).index_select(0, order.argsort())
        return torch.baddbmm(self.bias[:, None], seen, self.mix)

    def given(self, codes: Tensor, layout: RowLayout, order: Sequence[int]) -> Given:
        """Return the sum over the given units, and what the copula knows. Args: as AutoregressiveGenerator.given."""
        weights = F.pad(self.codes, (0, 0, 0, 1))  # zeros for what is not given
        told = F.embedding_bag(torch.where(codes >= 0, codes + layout.starts, len(self.codes)), weights, mode="sum")
        if self.copula is None:
            return Given(told)
        first = sorted(order, key=lambda unit: not bool((codes[:, unit] >= 0).any()))
        return Given(told, self.copula.begin(codes, layout, torch.tensor(first, device=codes.device)))

    def with_unit(self, given: Given, unit: int, codes: Tensor, new: Tensor, layout: RowLayout) -> Given:
        """Return `given` with one more unit. Args: codes (B,) of it; new (B,) bool, which of them it lacks."""
        told = given.told + self.codes[codes + layout.starts[unit]] * new[:, None]
        if given.drawn is None:
            return Given(told)
        return Given(told, _of(self.copula).with_unit(given.drawn, unit, codes, layout))

    def _first_of(self, unit: int, given: Given, layout: RowLayout) -> Tensor:
        """Return the first layer's sums for one unit, (B, W)."""
        return torch.addmm(self.bias[unit], given.told, self.mix[unit])


def _of(copula: Copula | None) -> Copula:
    assert copula is not None
    return copula


def sums_before(x: Tensor) -> Tensor:
    """Return the sum of all earlier ones for each of x (U, B, R).

    By two products of matrices: torch's cumulative sum along the first axis takes many times as long.
    """
    runs = -(-len(x) // RUN)
    parts = F.pad(x.flatten(1), (0, 0, 0, runs * RUN - len(x))).view(runs, RUN, -1)
    earlier, runs_before = (torch.ones(n, n, dtype=x.dtype, device=x.device).tril(-1) for n in (RUN, runs))
    sums = earlier @ parts + (runs_before @ parts.sum(dim=1))[:, None]
    return sums.flatten(0, 1)[: len(x)].view_as(x)
