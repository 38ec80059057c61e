"""The weights of the experts, by the likelihood of what held-out users met next (McFadden 1974)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ganforge.core.seeds import seed_for
from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.simulate.walk import EXPERTS, Simulator, Walk
from ganforge.networks.language_model import NEVER

MOST_NUMBERS = 2**25  # of what experts say, held at once
MOST_STEPS = 3_000  # that weights are fitted to
RIDGE = 1e-3
ROUNDS = 60


def sequences_of(log: Log) -> list[NDArray[np.int64]]:
    """Return the items of each user in order."""
    return np.split(log.item.astype(np.int64), log.starts()[1:-1])


def weigh(simulator: Simulator, log: Log) -> None:
    """Fit both sets of weights to users that the experts did not learn from."""
    sequences = [one for one in sequences_of(log) if len(one) > 2]
    random = np.random.default_rng(seed_for(0, "interactions/weights"))
    every = [random.random(len(one)) < 0.5 for one in sequences]
    profiles = torch.zeros(len(sequences), simulator.network.items)
    for row, (one, half) in enumerate(zip(sequences, every, strict=True)):
        profiles[row, one[half]] = 1.0
    with torch.no_grad():
        taste = simulator.network.taste(profiles)[0]
    # A drawn taste tells of the whole profile: here it is read from half of it, and tells of the other half.
    asked = [~half for half in every]
    simulator.drawn.copy_(_fitted(*_said(simulator, sequences, asked, random, taste, profiles)))
    later = [np.arange(len(one)) > 0 for one in sequences]
    simulator.next.copy_(_fitted(*_said(simulator, sequences, later, random)))


ALL = "all together"
TOLD_APART = {"the network": (0, 1), "Markov": (2,), "EASE": (3,), "popularity": (4,)}  # experts of each way to tell


def places_of(
    simulator: Simulator, sequences: Sequence[NDArray[np.int64]], asked: Sequence[NDArray[np.bool_]]
) -> dict[str, NDArray[np.int64]]:
    """Return the place, from 1, of what came next among all items not met, by all experts and by some, (N,).

    Args: asked which steps of each sequence; of more than MOST_STEPS, so many. Items told alike are in random order.
    """
    random = np.random.default_rng(seed_for(0, "interactions/next"))
    said, never, came = _said(simulator, sequences, asked, random)
    noise = torch.from_numpy(random.random(never.shape).astype(np.float32))
    found = {}
    for name, experts in {ALL: range(len(EXPERTS)), **TOLD_APART}.items():
        weights = torch.zeros(len(EXPERTS))
        chosen = list(experts)
        weights[chosen] = simulator.next[chosen] if len(chosen) > 1 else 1.0
        scores = torch.einsum("e,eni->ni", weights, said).masked_fill(never, NEVER)
        own, chance = scores.gather(1, came[:, None]), noise.gather(1, came[:, None])
        above = (scores > own) | ((scores == own) & (noise > chance))
        found[name] = above.sum(1).numpy() + 1
    return found


def _said(
    simulator: Simulator,
    sequences: Sequence[NDArray[np.int64]],
    asked: Sequence[NDArray[np.bool_]],
    random: np.random.Generator,
    taste: Tensor | None = None,
    known: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what experts say (E, N, I) before some steps, which items cannot come (N, I), and which came (N,)."""
    steps = np.array([(row, step) for row, mask in enumerate(asked) for step in np.flatnonzero(mask)])
    most = min(MOST_STEPS, MOST_NUMBERS // (len(EXPERTS) * simulator.network.items))
    chosen = steps[random.permutation(len(steps))[: max(50, most)]]
    walk, said, never, came = Walk(simulator, len(sequences), taste), [], [], []
    lengths = np.array([len(one) for one in sequences])
    for step in range(int(lengths.max())):
        rows = torch.from_numpy(chosen[chosen[:, 1] == step, 0])
        if len(rows):
            said.append(walk.experts(rows))
            never.append((walk.met[rows] if known is None else walk.met[rows] + known[rows]) > 0)
            came.append(torch.tensor([int(sequences[row][step]) for row in rows.tolist()]))
        going = np.flatnonzero(lengths > step)
        items = torch.tensor([int(sequences[row][step]) for row in going.tolist()])
        walk.take(items, torch.from_numpy(going))
    return torch.cat(said, 1), torch.cat(never), torch.cat(came)


def _fitted(said: Tensor, never: Tensor, came: Tensor) -> Tensor:
    """Return the weights (E,) under which what came is most likely."""
    spread = said.flatten(1).std(1).clamp(min=1e-6)
    scaled, weights = said / spread[:, None, None], torch.zeros(len(EXPERTS), requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=ROUNDS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        scores = torch.einsum("e,eni->ni", weights, scaled).masked_fill(never, NEVER)
        lost = F.cross_entropy(scores, came) + RIDGE * weights.square().sum()
        lost.backward()  # type: ignore[no-untyped-call]
        return lost

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach() / spread
