"""Pairs of categories that (almost) never stand in one row, though independence would expect them: none is drawn.

A generator gives a small chance to whatever it has not seen: a few husbands among ten thousand become women. Where the
two values are so frequent that chance alone would have put them together many times, their absence is a fact.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ganforge.contracts import Feed
from ganforge.core.seeds import generator_for
from ganforge.kinds.tables.codec.categories import CategoryUnit
from ganforge.kinds.tables.codec.codec import TableCodec
from ganforge.kinds.tables.networks import RowLayout

ALMOST_NEVER = 0.005  # of the rows that independence would expect: a slip of the pen among thousands
MOST_ROWS = 500_000  # training rows that are counted


def pairs_apart(codec: TableCodec, train: Feed, expected: float) -> Tensor:
    """Return which two codes are not to stand in one row, (P, P) bool, symmetric.

    Args: expected rows that independence would have to expect of a pair; 0 keeps no pair apart.
    """
    layout = RowLayout(codec.sizes)
    apart = torch.zeros(layout.width, layout.width, dtype=torch.bool)
    units = [place for place, unit in enumerate(codec.units) if isinstance(unit, CategoryUnit)]
    if expected <= 0 or len(units) < 2:
        return apart
    chosen = torch.randperm(len(train), generator=generator_for(0, "row pairs"))[:MOST_ROWS]
    codes = train.batch(chosen)["x"].cpu()
    for number, one in enumerate(units):
        for other in units[:number]:
            there = (codes[:, one] >= 0) & (codes[:, other] >= 0)
            sizes = codec.sizes[one], codec.sizes[other]
            pairs = codes[there, one] * sizes[1] + codes[there, other]
            found = torch.bincount(pairs, minlength=sizes[0] * sizes[1]).view(sizes).double()
            usual = found.sum(dim=1, keepdim=True) * found.sum(dim=0) / max(int(there.sum()), 1)
            never = (usual >= expected) & (found <= ALMOST_NEVER * usual)
            apart[layout.unit_places(one), layout.unit_places(other)] = never
            apart[layout.unit_places(other), layout.unit_places(one)] = never.T
    return apart


def share_apart(apart: Tensor, codec: TableCodec, rows: Feed) -> float:
    """Return the share of rows that hold a pair which is kept apart: what real rows lose by it."""
    x = RowLayout(codec.sizes).one_hot(rows.batch(torch.arange(len(rows)))["x"].cpu())
    return float(((x @ apart.float()) * x).sum(dim=1).gt(0).float().mean())
