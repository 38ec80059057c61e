"""What a run stores: the network, what is counted beside it, the population, and what discriminators corrected."""

from __future__ import annotations

import numpy as np
import torch

from ganforge.core.seeds import generator_for, seed_for
from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.simulate import adversary
from ganforge.kinds.interactions.simulate.networks import Behaviour
from ganforge.kinds.interactions.simulate.people import Form, People
from ganforge.kinds.interactions.simulate.population import Gaps, Mixture, Ratings, traits_of
from ganforge.kinds.interactions.simulate.sequences import Users
from ganforge.kinds.interactions.simulate.walk import Simulator
from ganforge.kinds.interactions.simulate.weights import weigh

READ_AT_ONCE = 500  # profiles
MOST_DRAWN = 1_000  # users of a round, and of a choice


def people_of(network: Behaviour, users: Users, seed: int) -> People:
    """Learn the population and the experts, and weigh them by the users that choose."""
    simulator = Simulator(network)
    simulator.learn(users.train)
    weigh(simulator, users.chooses)
    ratings = Ratings.fit(users.train) if users.train.rating is not None else None
    traits = traits_of(users.train, ratings)
    mixture = Mixture.fit(_tastes(network, users, seed), traits, seed_for(seed, "interactions/mixture"))
    gaps = Gaps.fit(users.train, traits[:, 2]) if users.train.time is not None else None
    levels = 0 if ratings is None else len(ratings.levels)
    form = Form(network.items, mixture.tastes, len(mixture.shares), levels, gaps is not None)
    people = People(simulator, form)
    people.mixture, people.gaps, people.ratings = mixture, gaps, ratings
    return people.eval().requires_grad_(False)


@torch.no_grad()
def _tastes(network: Behaviour, users: Users, seed: int) -> np.ndarray:
    """Draw a taste of each training user, (U, Z)."""
    matrix, generator, found = users.train.matrix(), generator_for(seed, "interactions/tastes"), []
    for first in range(0, matrix.shape[0], READ_AT_ONCE):
        mean, log_variance = network.taste(torch.from_numpy(matrix[first : first + READ_AT_ONCE].toarray()))
        found.append(mean + torch.exp(0.5 * log_variance) * torch.randn(mean.shape, generator=generator))
    return torch.cat(found).double().numpy()


def correct(people: People, users: Users, rounds: int, seed: int) -> None:
    """Learn the guide, and use it if discriminators rank the users that choose above drawn ones less well with it."""
    count = min(MOST_DRAWN, len(users.train.users))

    def draw(number: int) -> Log:
        return people.draw(count, seed_for(seed, "interactions/round", step=number), guided=number > 0)

    ranked = adversary.learn(people.simulator.guide, draw, users.train, users.chooses, rounds)
    people.ranked[: len(ranked)] = torch.tensor(ranked)
    people.guided.fill_(ranked[-1] < ranked[0])
