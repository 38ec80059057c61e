"""Adversarial selection of items: discriminators of real and drawn users change the chances of each next item.

A discriminator, a calibrated logistic regression of which items a user has and which pairs follow each other, gives
log p(real) / p(drawn) of a user as a sum over them. While a user is drawn, each item's chance is multiplied by the
exponential of what it would add to that sum (a residual energy, Deng et al. 2020, normalised at each step). The next
round's discriminator learns from users drawn so, and its weights are added, until it finds next to nothing to correct.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from torch import Tensor, nn

from ganforge.kinds.interactions.log import Log
from ganforge.measures.detection import discriminate

BITS = 16  # of the number of buckets of pairs
FACTOR, SHIFT = 0x9E3779B1, 32 - BITS  # an odd number that mixes bits; whatever it shifts out is lost
NOTHING = 0.55  # chance to rank a real user above a drawn one, below which there is nothing to correct
FRESH = 0.13  # share of drawn users that calibrate


class Guide(nn.Module):
    """What an item adds to a user: by itself, and after the one before."""

    items: Tensor
    pairs: Tensor

    def __init__(self, items: int) -> None:
        super().__init__()
        self.register_buffer("items", torch.zeros(items))
        self.register_buffer("pairs", torch.zeros(2**BITS))

    def add(self, weights: NDArray[np.float32]) -> None:
        """Add the weights of a discriminator, (I + 2 ** BITS,)."""
        count = len(self.items)
        self.items += torch.from_numpy(weights[:count])
        self.pairs += torch.from_numpy(weights[count:])

    def raised(self, last: Tensor) -> Tensor:
        """Return what each item adds, (B, I). Args: last (B,) item before, -1 for none."""
        count = len(self.items)
        after = self.pairs[bucket_of(last[:, None].clamp(min=0), torch.arange(count), count)]
        return self.items + after * (last >= 0)[:, None]


def bucket_of(one: Tensor, other: Tensor, items: int) -> Tensor:
    """Return the bucket of pairs of items."""
    return (((one * items + other) * FACTOR) & 0xFFFFFFFF) >> SHIFT


def features(log: Log) -> csr_matrix:
    """Return how often each user has each item, and each pair of items in a row, (U, I + 2 ** BITS)."""
    same = log.user[1:] == log.user[:-1]
    items = torch.from_numpy(log.item.astype(np.int64))
    bucket = bucket_of(items[:-1], items[1:], len(log.items)).numpy()[same]
    rows = log.user[1:][same]
    follows = csr_matrix((np.ones(len(rows), np.float32), (rows, bucket)), shape=(len(log.users), 2**BITS))
    return csr_matrix(hstack([log.matrix(), follows]))


def learn(guide: Guide, draw: Callable[[int], Log], train: Log, unseen: Log, rounds: int) -> list[float]:
    """Learn a guide in rounds.

    Args: draw round -> users drawn with the guide so far; train real users; unseen others, to calibrate.
    Returns: how well each round's discriminator ranked users, and then how well one more does, which is not used;
        nor is one that finds NOTHING.
    """
    real, other, found = features(train), features(unseen), list[float]()
    for number in range(rounds + 1):
        drawn = features(draw(number))
        cut = max(1, round(FRESH * drawn.shape[0]))
        weights, ranked = discriminate(real, drawn[cut:], other, drawn[:cut])
        found.append(ranked)
        if ranked < NOTHING or number == rounds:
            break
        guide.add(weights)
    return found
