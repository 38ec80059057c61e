"""What users do next, step after step: experts whose log-chances are added with weights, and items drawn by them.

The experts are the network by sequence and by taste, a Markov chain of the last items, EASE (Steck 2019) on a history
that fades, and popularity. Shape letters: B users, I items, E experts.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganforge.core.sequences import BEGIN
from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.scorers import ease
from ganforge.kinds.interactions.simulate.adversary import Guide
from ganforge.kinds.interactions.simulate.networks import Behaviour
from ganforge.kinds.interactions.simulate.sequences import RESERVED
from ganforge.networks.language_model import NEVER

EXPERTS = ("sequence", "taste", "Markov", "EASE", "popularity")
MOST_ITEMS = 8_000  # beyond, a matrix of pairs of items is not kept, and two experts are missing
BACK, FADE = 5, 0.7  # items that the Markov chain looks back on, and what each earlier one counts less
PRIOR = 20.0  # interactions of popularity that each row of the chain begins with
PENALTY, DECAY = 200.0, 0.9  # of EASE; what each earlier item counts less


class Simulator(nn.Module):
    """The network, the experts beside it, and their weights."""

    markov: Tensor
    weights: Tensor
    popularity: Tensor
    drawn: Tensor
    next: Tensor

    def __init__(self, network: Behaviour) -> None:
        super().__init__()
        self.network, self.guide = network, Guide(network.items)
        items = network.items
        pairs = items if items <= MOST_ITEMS else 0
        self.register_buffer("markov", torch.zeros(pairs, pairs))  # chances of the item after one
        self.register_buffer("weights", torch.zeros(pairs, pairs))  # of EASE
        self.register_buffer("popularity", torch.zeros(items))  # log of chances
        self.register_buffer("drawn", torch.zeros(len(EXPERTS)))  # weights where the taste is drawn
        self.register_buffer("next", torch.zeros(len(EXPERTS)))  # weights where it is read from the history

    def learn(self, log: Log) -> None:
        """Fill in the experts that are counted."""
        counts = np.bincount(log.item, minlength=self.network.items) + 0.5
        chances = (counts / counts.sum()).astype(np.float32)
        self.popularity.copy_(torch.from_numpy(np.log(chances)))
        if len(self.markov):
            self.markov.copy_(torch.from_numpy(markov_of(log, chances)))
            weights = ease(log.matrix(), PENALTY).weights
            assert isinstance(weights, np.ndarray)
            self.weights.copy_(torch.from_numpy(weights))


def markov_of(log: Log, chances: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the chance of each item after another, (I, I), counted over the next BACK items."""
    counts = np.zeros((len(chances), len(chances)), np.float32)
    for back in range(1, BACK + 1):
        same = log.user[back:] == log.user[:-back]
        np.add.at(counts, (log.item[:-back][same], log.item[back:][same]), np.float32(FADE ** (back - 1)))
    counts += PRIOR * chances
    counts /= counts.sum(1, keepdims=True)
    return counts


class Walk:
    """Some users under way, each with what he met so far."""

    def __init__(self, simulator: Simulator, count: int, taste: Tensor | None = None) -> None:
        """Args: taste (B, Z), None to read it from what each user met."""
        self.simulator, self.network = simulator, simulator.network
        self._begin(count)
        self.by_taste = None if taste is None else self.network.by_taste(taste)

    @torch.no_grad()
    def _begin(self, count: int) -> None:
        items, steps = self.network.items, self.network.steps
        self.met = torch.zeros(count, items)
        self.last = torch.full((count, BACK), -1)
        self.taken = torch.zeros(count, dtype=torch.int64)
        self.faded = torch.zeros(count, items if len(self.simulator.weights) else 0)
        self.hidden, self.state = steps.step(torch.full((count,), BEGIN), steps.begin(count))

    @torch.no_grad()
    def take(self, item: Tensor, who: Tensor | slice = slice(None)) -> None:
        """Let some users meet items. Args: item (N,); who (N,) rows, by default all."""
        steps = self.network.steps
        hidden, state = steps.step(item + RESERVED, [part[who] for part in self.state])
        self.hidden[who] = hidden
        for part, after in zip(self.state, state, strict=True):
            part[who] = after
        rows = torch.arange(len(self.met))[who]
        self.met[rows, item] = 1.0
        self.last[rows] = torch.cat([item[:, None], self.last[rows, :-1]], 1)
        self.taken[rows] += 1
        if self.faded.shape[1]:
            self.faded[rows] = DECAY * self.faded[rows] + self.simulator.weights[item]

    @torch.no_grad()
    def experts(self, who: Tensor | slice = slice(None)) -> Tensor:
        """Return what each expert says of each item, (E, N, I), in the order of EXPERTS."""
        network, popularity = self.network, self.simulator.popularity
        count = len(self.met[who])
        taste = network.by_taste(network.taste(self.met[who])[0]) if self.by_taste is None else self.by_taste[who]
        flat = popularity.expand(count, -1)
        markov, faded = flat, torch.zeros_like(flat)
        if self.faded.shape[1]:
            last, faded = self.last[who], self.faded[who]
            ages = FADE ** torch.arange(BACK) * (last >= 0)
            ages = ages / ages.sum(1, keepdim=True).clamp(min=1e-9)
            rows = self.simulator.markov[last.clamp(min=0)]  # (N, BACK, I)
            mixed = torch.einsum("nb,nbi->ni", ages, rows)
            markov = torch.where((last[:, :1] >= 0), mixed.clamp(min=1e-12).log(), flat)
        return torch.stack([network.by_sequence(self.hidden[who]), taste, markov, faded, flat])

    def scores(self, weights: Tensor, who: Tensor | slice = slice(None), *, guided: bool = False) -> Tensor:
        """Return the weighted sum, (N, I), NEVER for what was met. Args: weights (E,)."""
        added = torch.einsum("e,eni->ni", weights, self.experts(who))
        if guided:
            added = added + self.simulator.guide.raised(self.last[who, 0])
        return added.masked_fill(self.met[who] > 0, NEVER)
