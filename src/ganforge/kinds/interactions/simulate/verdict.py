"""The evaluation of simulated users: beside real ones and those of simpler methods, and the verdict in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.core.seeds import seed_for, subset
from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.simulate.adversary import NOTHING
from ganforge.kinds.interactions.simulate.measures import MEANINGS, NEAR, Judge, drawn_again
from ganforge.kinds.interactions.simulate.people import People
from ganforge.kinds.interactions.simulate.sequences import Users, of_users
from ganforge.kinds.interactions.simulate.walk import EXPERTS
from ganforge.kinds.interactions.simulate.weights import ALL, places_of, sequences_of
from ganforge.measures.intervals import (
    Estimate,
    beside_others,
    mean_by_bootstrap,
    means_by_bootstrap,
    measures_of,
    rival,
    rival_rows,
    values_of,
)
from ganforge.records import GRADES, Block, Evaluation, Rows, Verdict

MOST_DRAWN = 1_000
BOUNDS = (0.25, 0.5, 0.75, 1.0)  # upper ends of the place between real users and popularity, of each grade but the last
RIVALS = {  # weights of the experts
    "Markov": "a Markov chain of the last five items",
    "EASE": "EASE on a history that fades, as chances",
    "popularity": "items by how often they are met",
}
SHARP = 1 / 0.15  # weight of EASE where it draws alone
HEADS = {
    "ndcg": "NDCG@10", "popularity_distance": "popularity", "detection": "detected", "too_near": "too near",
    "pairs": "pairs", "length": "length",
}  # fmt: skip
SHOWN, SHOWN_ITEMS = 8, 12


def alone(name: str) -> torch.Tensor:
    """Return the weights with which one expert draws alone."""
    weights = torch.zeros(len(EXPERTS))
    weights[EXPERTS.index(name)] = SHARP if name == "EASE" else 1.0
    return weights


def evaluate_people(people: People, users: Users, seed: int) -> Evaluation:
    """Return the evaluation of simulated users."""
    judge, count = Judge.of(users), min(MOST_DRAWN, len(users.train.users))
    some = of_users(users.train, subset(len(users.train.users), count, "interactions/real"))
    own = people.draw(count, seed)
    made = {
        "ganforge": (own, "as it draws"),
        "without the adversary": (people.draw(count, seed, guided=False), "the network and what is counted"),
        **{name: (people.draw(count, seed, False, alone(name)), why) for name, why in RIVALS.items()},
        "training users again": (drawn_again(some, seed_for(seed, "interactions/again")), "copies, all of them"),
        "training users": (some, "as many real users: the floor"),
    }
    measured = {name: judge.measure(log) for name, (log, _) in made.items()}
    scored = {name: found for name, (found, _) in measured.items()}
    ndcg = {name: each for name, (_, each) in measured.items()}
    following = next_of(people, users.judges)
    real = values_of(scored["training users again"])  # of new users, all but the first could not be better
    floors = {**real, "ndcg": scored["training users"]["ndcg"].value, "too_near": NEAR, "detection": 0.5}
    told = [rival(name, why, values_of(scored[name])) for name, (_, why) in made.items()]
    return Evaluation(
        measures=measures_of(scored["ganforge"], MEANINGS, floors, values_of(scored["popularity"])),
        verdict=_verdict(people, scored, ndcg, following, judge.real_too_near()),
        samples=count,
        held_out=len(users.judges.users),
        judge={
            "kind": "held-out users",
            "sentence": "Held-out users judge: a fifth of what they met is hidden; who is near to whom; and a logistic "
            "regression of items and of pairs in a row.",
        },
        floor="The floor is training users (drawn again, but for the NDCG), and of those too near held-out ones.",
        reference="The reference is users whose items are drawn by popularity alone.",
        best="real users",
        simplest="popularity",
        blocks=(
            Block("Read", "None was chosen by hand.", (_shown(own, users),), first=True),
            beside_others("Every method, measured alike.", told, HEADS),
            Block(
                "What comes next",
                "The next item of held-out users, all items ranked, after all that they met before.",
                (rival_rows([rival(name, "", values_of(one)) for name, one in following.items()], {}),),
            ),
        ),
        facts={"rivals": told, "next": {name: values_of(one) for name, one in following.items()}},
    )


def next_of(people: People, log: Log) -> dict[str, dict[str, Estimate]]:
    """Return hit rate and NDCG at 10 of the next item of real users, by every way to tell it."""
    sequences = [one for one in sequences_of(log) if len(one) > 1]
    found = places_of(people.simulator, sequences, [np.arange(len(one)) > 0 for one in sequences])
    return {name: means_by_bootstrap(next_scores(places), "interactions/next") for name, places in found.items()}


def next_scores(places: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Return hits and NDCG at 10 of each step. Args: places (N,) of what came, from 1."""
    hits = (places <= 10).astype(np.float64)
    return {"hit_rate": hits, "ndcg": hits / np.log2(1 + np.maximum(places, 1))}


def _shown(log: Log, users: Users) -> Rows:
    starts, rows = log.starts(), []
    for user in range(min(SHOWN, len(log.users))):
        some = slice(starts[user], min(starts[user + 1], starts[user] + SHOWN_ITEMS))
        rows.append(
            (
                log.users[user],
                str(starts[user + 1] - starts[user]),
                ", ".join(users.train.items[log.item[some]].tolist()),
            )
        )
    return Rows(("user", "items", "the first ones"), tuple(rows), numeric=(1,))


def _verdict(
    people: People,
    scored: Mapping[str, Mapping[str, Estimate]],
    ndcg: Mapping[str, NDArray[np.float64]],
    following: Mapping[str, Mapping[str, Estimate]],
    real_near: Estimate,
) -> Verdict:
    own, real, simple = scored["ganforge"], scored["training users"], scored["popularity"]
    span = real["ndcg"].value - simple["ndcg"].value
    place = (real["ndcg"].value - own["ndcg"].value) / span if span > 0 else 0.0
    grade = sum(place > bound for bound in BOUNDS)
    copied = own["too_near"].low > real_near.high
    grade = max(grade, 3) if copied else grade
    best = max(RIVALS, key=lambda name: scored[name]["ndcg"].value)
    ahead = mean_by_bootstrap(ndcg["ganforge"] - ndcg[best], np.random.default_rng(0))
    word = GRADES[grade]
    headline = f"{word.capitalize()}: " + (
        "many of them are nearly users that it learned from."
        if copied
        else f"a recommender that learned from these users finds what is hidden of real ones with an NDCG@10 of "
        f"{own['ndcg'].value:.3f}; from real users with {real['ndcg'].value:.3f}."
    )
    sentences = (
        f"The best simpler method, {best}, gets {scored[best]['ndcg'].value:.3f}: {ahead.value:+.3f} "
        f"({ahead.low:+.3f} to {ahead.high:+.3f}).",
        _adversary(people, scored, ndcg),
        f"{own['too_near'].value:.1%} of them are nearer to a training user than 95 % of real users are; "
        "of training users drawn again all would be.",
        f"A classifier ranks a real user above one of them with a chance of {own['detection'].value:.0%} "
        f"({own['detection'].low:.0%} to {own['detection'].high:.0%}); above one of the best simpler method with "
        f"{scored[best]['detection'].value:.0%}.",
        f"The next item of real users is among the first ten in {following[ALL]['hit_rate'].value:.1%}; by the best "
        f"single way in {max(one['hit_rate'].value for name, one in following.items() if name != ALL):.1%}.",
    )
    return Verdict(word, headline, sentences, _gain(ndcg).low > 0 if people.guided else None)


def _gain(ndcg: Mapping[str, NDArray[np.float64]]) -> Estimate:
    """Return the NDCG with the adversary minus that without it."""
    return mean_by_bootstrap(ndcg["ganforge"] - ndcg["without the adversary"], np.random.default_rng(0))


def _adversary(
    people: People, scored: Mapping[str, Mapping[str, Estimate]], ndcg: Mapping[str, NDArray[np.float64]]
) -> str:
    ranked = [one for one in people.ranked.tolist() if one]
    if not ranked:
        return "No discriminator was learned: these are users of the network and what is counted."
    if ranked[0] < NOTHING:
        return (
            f"A discriminator ranks real users above drawn ones with a chance of {ranked[0]:.0%}: there is nothing to "
            "correct, and users are drawn without it."
        )
    if not people.guided:
        return (
            f"A discriminator ranks real users above drawn ones with a chance of {ranked[0]:.0%}; what it learned does "
            "not bring them nearer to real users, or brings them too near to training users, and is not used."
        )
    one, other, gain = scored["ganforge"], scored["without the adversary"], _gain(ndcg)
    said = "The adversary helps" if gain.low > 0 else "The adversary does not certainly help"
    return (
        f"{said}: with it the NDCG@10 is {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}) higher, the distance "
        f"of popularity {one['popularity_distance'].value:.3f} instead of {other['popularity_distance'].value:.3f}, "
        f"and the chance to be told {one['detection'].value:.0%} instead of {other['detection'].value:.0%}."
    )
