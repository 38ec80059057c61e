"""What goes with codes that few training rows have, counted: a network alone forgets 18 frauds among 5,000 rows.

How often a code k comes with a rare code c, as a log-ratio to how often it comes at all, is added to the network's
logits before training begins: training starts from independent columns and these pairs. The shares under c are the mean
of a Dirichlet posterior around the shares of all rows (Good 1965). How strongly they are drawn to those is chosen for
each unit by the marginal likelihood of the counts, so a unit that does not depend on c is left as it is.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaln
from torch import Tensor

from ganforge.contracts import Feed
from ganforge.core.seeds import generator_for
from ganforge.kinds.tables.codec.codec import TableCodec
from ganforge.kinds.tables.columns import RARE
from ganforge.kinds.tables.networks import RowLayout

FEWEST = 5  # rows of a code: of fewer, chance alone would tell too much
MOST_CODES = 256  # those that tell most
MOST_ROWS = 500_000  # training rows that are counted
STRENGTHS = np.array([0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0])  # rows that the shares of all rows count as
EVIDENCE = 7.0  # logarithm of the Bayes factor from which on a unit depends on a code: many pairs are tried
Floats = NDArray[np.float64]


def rare_codes(codec: TableCodec, train: Feed) -> tuple[Tensor, Tensor]:
    """Return the rare codes by their places in x, (R,) int64, and what each adds to the logits of all codes, (R, P)."""
    layout = RowLayout(codec.sizes)
    chosen = torch.randperm(len(train), generator=generator_for(0, "rare codes"))[:MOST_ROWS]
    codes = train.batch(chosen)["x"].cpu().numpy()
    shares = [_shares(codes[:, unit], size) for unit, size in enumerate(codec.sizes)]
    found: list[tuple[float, int, Floats]] = []
    for unit, size in enumerate(codec.sizes):
        rows = np.bincount(codes[codes[:, unit] >= 0, unit], minlength=size)
        for code in np.flatnonzero((rows >= FEWEST) & (rows < RARE)):
            theirs, told, evidence = codes[codes[:, unit] == code], np.zeros(layout.width), 0.0
            for other, usual in enumerate(shares):
                counts = np.bincount(theirs[theirs[:, other] >= 0, other], minlength=len(usual))
                if other != unit and len(usual) > 1:
                    strength, gain = _strength(counts, usual)
                    if gain >= EVIDENCE:
                        evidence += gain
                        told[layout.unit_places(other)] = np.log(
                            (counts + strength * usual) / (counts.sum() + strength) / usual
                        )
            if evidence:
                found.append((evidence, int(layout.starts[unit]) + int(code), told))
    found = sorted(found, key=lambda each: (-each[0], each[1]))[:MOST_CODES]
    places = torch.tensor([place for _, place, _ in found], dtype=torch.int64)
    return places, torch.from_numpy(np.array([told for *_, told in found]).reshape(-1, layout.width)).float()


def _shares(codes: NDArray[np.integer], size: int) -> Floats:
    """Return the share of each code, (K,), none of them 0."""
    counts = np.bincount(codes[codes >= 0], minlength=size) + 1e-3
    return np.asarray(counts / counts.sum())


def _strength(counts: NDArray[np.integer], usual: Floats) -> tuple[float, float]:
    """Return how many rows the usual shares (K,) count as beside counts (K,), and how much more likely the counts are
    so than by the usual shares alone, as a logarithm."""
    prior = STRENGTHS[:, None] * usual
    likely = (gammaln(prior + counts) - gammaln(prior)).sum(axis=1)
    likely += gammaln(STRENGTHS) - gammaln(STRENGTHS + counts.sum())
    best = int(likely.argmax())
    return float(STRENGTHS[best]), float(likely[best] - counts @ np.log(usual))
