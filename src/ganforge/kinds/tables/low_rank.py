"""A generator that draws a row unit after unit, for tables of hundreds of columns: what its units see is shared.

What each code tells each unit would be places x units x width weights, 800 million for 1,000 columns. Here a code tells
all units the same few numbers, their sum over the units that come before is what a unit sees, and a matrix of its own
says what that means to it. So weights and time grow with the number of units, not with its square.
Source: Larochelle and Murray 2011, "The neural autoregressive distribution estimator".
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.kinds.tables.autoregressive import AUTOREGRESSIVE, AutoregressiveGenerator, uniform
from ganforge.kinds.tables.networks import RowLayout

LOW_RANK = "low_rank"  # its name in a recipe
UNIT_AFTER_UNIT = (AUTOREGRESSIVE, LOW_RANK)  # the generators that draw so, and learn by likelihood
RANK_PER_WIDTH = 2
SPREAD = 4.0  # of the weights of codes at first, so that what a unit sees has a spread of about one
RUN = 32  # units whose sums are one product of matrices


class LowRankGenerator(AutoregressiveGenerator):
    """The given units of a row -> logits of every code of every unit, by sums that all units share."""

    def __init__(self, sizes: tuple[int, ...], width: int, depth: int) -> None:
        rank = RANK_PER_WIDTH * width
        super().__init__(sizes, width, depth, columns=False)
        self.codes = nn.Parameter(SPREAD * torch.randn(RowLayout(sizes).width, rank) / len(sizes) ** 0.5)
        self.mix = uniform(len(sizes), rank, width)  # what the sum tells each unit

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

    def given(self, codes: Tensor, layout: RowLayout) -> Tensor:
        """Return the sum over the given units, (B, R). Args: codes (B, U), -1 where not given."""
        weights = F.pad(self.codes, (0, 0, 0, 1))  # zeros for what is not given
        return F.embedding_bag(torch.where(codes >= 0, codes + layout.starts, len(self.codes)), weights, mode="sum")

    def with_unit(self, given: Tensor, unit: int, codes: Tensor, new: Tensor, layout: RowLayout) -> Tensor:
        """Return `given` with one more unit. Args: codes (B,) of it; new (B,) bool, which of them it lacks."""
        return given + self.codes[codes + layout.starts[unit]] * new[:, None]

    def _first_of(self, unit: int, given: Tensor, layout: RowLayout) -> Tensor:
        """Return the first layer's sums for one unit, (B, W). Args: given (B, R)."""
        return torch.addmm(self.bias[unit], given, self.mix[unit])


def sums_before(x: Tensor) -> Tensor:
    """Return the sum of all earlier ones for each of x (U, B, R).

    By two products of matrices: torch's cumulative sum along the first axis takes many times as long.
    """
    runs = -(-len(x) // RUN)
    parts = F.pad(x.flatten(1), (0, 0, 0, runs * RUN - len(x))).view(runs, RUN, -1)
    earlier, runs_before = (torch.ones(n, n, dtype=x.dtype, device=x.device).tril(-1) for n in (RUN, runs))
    sums = earlier @ parts + (runs_before @ parts.sum(dim=1))[:, None]
    return sums.flatten(0, 1)[: len(x)].view_as(x)
