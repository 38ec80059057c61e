"""What a run stores: the network, what is counted beside it, the population, and what discriminators corrected."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ganforge.core.seeds import generator_for, seed_for, subset
from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.simulate import adversary
from ganforge.kinds.interactions.simulate.measures import NEAR, Judge
from ganforge.kinds.interactions.simulate.networks import Behaviour
from ganforge.kinds.interactions.simulate.people import Form, People
from ganforge.kinds.interactions.simulate.population import Gaps, Mixture, Ratings, traits_of
from ganforge.kinds.interactions.simulate.sequences import Users, of_users
from ganforge.kinds.interactions.simulate.walk import EXPERTS, Simulator
from ganforge.kinds.interactions.simulate.weights import weigh

READ_AT_ONCE = 500  # profiles
MOST_FITTED = 20_000  # users that the mixture is fitted to
MOST_DRAWN, MOST_REAL = 1_000, 4_000  # drawn and real users that a discriminator learns from
SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)  # of the weight of EASE


def people_of(network: Behaviour, users: Users, seed: int) -> People:
    """Learn the population and the experts, and weigh them by the users that choose."""
    simulator = Simulator(network)
    simulator.learn(users.train)
    weigh(simulator, users.chooses)
    ratings = Ratings.fit(users.train) if users.train.rating is not None else None
    traits = traits_of(users.train, ratings)
    fitted = subset(len(traits), MOST_FITTED, "interactions/mixture")
    tastes = _tastes(network, users.train.matrix()[fitted], seed)
    mixture = Mixture.fit(tastes, traits[fitted], seed_for(seed, "interactions/mixture"))
    gaps = Gaps.fit(users.train, traits[:, 2]) if users.train.time is not None else None
    levels = 0 if ratings is None else len(ratings.levels)
    form = Form(network.items, mixture.tastes, len(mixture.shares), levels, gaps is not None)
    people = People(simulator, form)
    people.mixture, people.gaps, people.ratings = mixture, gaps, ratings
    return people.eval().requires_grad_(False)


@torch.no_grad()
def _tastes(network: Behaviour, matrix: csr_matrix, seed: int) -> NDArray[np.float64]:
    """Draw a taste of each user, (U, Z). Args: matrix (U, I)."""
    generator, found = generator_for(seed, "interactions/tastes"), []
    for first in range(0, matrix.shape[0], READ_AT_ONCE):
        mean, log_variance = network.taste(torch.from_numpy(matrix[first : first + READ_AT_ONCE].toarray()))
        found.append(mean + torch.exp(0.5 * log_variance) * torch.randn(mean.shape, generator=generator))
    tastes: NDArray[np.float64] = torch.cat(found).double().numpy()
    return tastes


def keep_apart(people: People, users: Users, seed: int) -> None:
    """Lower the weight of EASE until drawn users are no nearer to training users than held-out ones are, or it is 0.

    The weights are found where real users are followed. A drawn one follows himself, and what EASE adds to his first
    items comes back to it: he becomes more like a training user than real users are.
    """
    judge, expert = Judge.of(users), EXPERTS.index("EASE")
    weight = float(people.simulator.drawn[expert])
    for share in SHARES:
        people.simulator.drawn[expert] = share * weight
        if judge.too_near(_choice(people, users, seed)).value <= NEAR:
            return


def correct(people: People, users: Users, rounds: int, seed: int) -> None:
    """Learn the guide, and use it if users drawn with it are told from real ones less well.

    They must not be nearer to training users than held-out ones, or than those drawn without it, are.
    """

    def draw(number: int) -> Log:
        return people.draw(_count(users), seed_for(seed, "interactions/round", step=number), guided=number > 0)

    real = of_users(users.train, subset(len(users.train.users), MOST_REAL, "interactions/real"))
    ranked = adversary.learn(people.simulator.guide, draw, real, users.chooses, rounds)
    people.ranked[: len(ranked)] = torch.tensor(ranked)
    judge = Judge.of(users)
    before, after = (judge.too_near(_choice(people, users, seed, guided)).value for guided in (False, True))
    people.guided.fill_(ranked[-1] < ranked[0] and after <= max(NEAR, before))


def _count(users: Users) -> int:
    return min(MOST_DRAWN, len(users.train.users))


def _choice(people: People, users: Users, seed: int, guided: bool = False) -> Log:
    return people.draw(_count(users), seed_for(seed, "interactions/choice"), guided=guided)
