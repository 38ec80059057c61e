"""The weights of the experts, by the likelihood of what held-out users met next (McFadden 1974)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ganforge.core.seeds import seed_for
from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.simulate.walk import EXPERTS, Simulator, Walk
from ganforge.networks.language_model import NEVER

MOST_NUMBERS = 2**24  # of what experts say, held at once
FEWEST_STEPS, MOST_STEPS = 50, 3_000  # that weights are fitted to
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
    most = max(FEWEST_STEPS, min(MOST_STEPS, MOST_NUMBERS // (len(EXPERTS) * simulator.network.items)))
    simulator.drawn.copy_(_fitted(_steps(simulator, sequences, asked, random, most, taste, profiles)))
    later = [np.arange(len(one)) > 0 for one in sequences]
    simulator.next.copy_(_fitted(_steps(simulator, sequences, later, random, most)))


ALL = "all together"


def places_of(
    simulator: Simulator, sequences: Sequence[NDArray[np.int64]], asked: Sequence[NDArray[np.bool_]]
) -> dict[str, NDArray[np.int64]]:
    """Return the place, from 1, of what came next among all items not met, by all experts and by each alone, (N,).

    Args: asked which steps of each sequence; of more than MOST_STEPS, so many. Items told alike are in random order.
    """
    random = np.random.default_rng(seed_for(0, "interactions/next"))
    weights = torch.cat([simulator.next[None], torch.eye(len(EXPERTS))])
    found = []
    for said, never, came in _steps(simulator, sequences, asked, random, MOST_STEPS):
        scores = torch.einsum("we,eni->wni", weights, said).masked_fill(never, NEVER)
        chance = torch.from_numpy(random.random(never.shape))
        rows = torch.arange(len(came))
        own, mine = scores[:, rows, came, None], chance[rows, came, None]
        found.append(((scores > own) | ((scores == own) & (chance > mine))).sum(2) + 1)
    every = torch.cat(found, 1).numpy()
    return dict(zip((ALL, *EXPERTS), every, strict=True))


def _steps(
    simulator: Simulator,
    sequences: Sequence[NDArray[np.int64]],
    asked: Sequence[NDArray[np.bool_]],
    random: np.random.Generator,
    most: int,
    taste: Tensor | None = None,
    known: Tensor | None = None,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield what experts say (E, N, I) before some steps, which items cannot come (N, I), and which came (N,).

    Args: asked which steps; of more than `most`, so many at random. known (B, I) items that cannot come either.
    """
    steps = np.array([(row, step) for row, mask in enumerate(asked) for step in np.flatnonzero(mask)])
    chosen = steps[random.permutation(len(steps))[:most]]
    walk, lengths = Walk(simulator, len(sequences), taste), np.array([len(one) for one in sequences])
    for step in range(int(lengths.max())):
        rows = torch.from_numpy(chosen[chosen[:, 1] == step, 0])
        if len(rows):
            never = walk.met[rows] if known is None else walk.met[rows] + known[rows]
            yield walk.experts(rows), never > 0, torch.tensor([int(sequences[row][step]) for row in rows.tolist()])
        going = np.flatnonzero(lengths > step)
        items = torch.tensor([int(sequences[row][step]) for row in going.tolist()])
        walk.take(items, torch.from_numpy(going))


def _fitted(steps: Iterable[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    """Return the weights (E,) under which what came is most likely. Args: steps as `_steps` has them."""
    all_said, all_never, all_came = zip(*steps, strict=True)
    said, never, came = torch.cat(all_said, 1), torch.cat(all_never), torch.cat(all_came)
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
