"""A policy in an environment whose truth is known: films that users did rate, held out (docs/benchmarks.md).

    python benchmarks/policy.py ml-100k --seeds 5

The user is the context; what he may get are his held-out ratings, 40 % of them; the reward is 1 where the rating is at
least 4. So the value of every policy is known exactly. The logging policy is .9 softmax(EASE / .2) + .1 uniform, with
EASE on what was liked; it makes 5 draws for each user. One log chooses the price of the policy by the lower end of its
interval; `--repeats` others judge: bias, coverage and width of the intervals, and how often a claim is refused.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from time import process_time

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from ganforge.contracts import OptimiserSettings, Schedule
from ganforge.core.seeds import seed_for
from ganforge.engine.feed import TensorFeed
from ganforge.engine.fit import FitSettings, fit
from ganforge.kinds.interactions.columns import LogSettings
from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.policy import plan
from ganforge.kinds.interactions.policy.choice import Tilt, chosen, is_better, tilts
from ganforge.kinds.interactions.policy.game import Discriminator, game_of_policy
from ganforge.kinds.interactions.policy.material import dense, shares_of, tastes
from ganforge.kinds.interactions.policy.product import WEIGHTS, scored
from ganforge.kinds.interactions.policy.rewards import fit_rewards
from ganforge.kinds.interactions.reading import read_log
from ganforge.kinds.interactions.scorers import ease
from ganforge.kinds.interactions.split import split_log
from ganforge.measures.off_policy import Draws, Worth, worth
from ganforge.planning.game import initialised

BAR = 0.793  # of the reward model in the issue, at an effective share of .17
LIKED, HELD, DRAWN = 4.0, 0.4, 5
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Environment:
    """Users (U,) with something held out, each with actions (U, M), of which some are there."""

    users: NDArray[np.int64]  # (U,) rows of the log
    items: NDArray[np.int64]  # (U, M)
    there: NDArray[np.bool_]  # (U, M)
    rewards: Array  # (U, M) of 0 and 1
    logging: Array  # (U, M)

    def of(self, scores: NDArray[np.float32]) -> Array:
        """Return scores (U, I) of the actions (U, M)."""
        return np.take_along_axis(scores[self.users], self.items, 1).astype(np.float64)

    def softmax(self, scores: Array, temperature: float) -> Array:
        logits = np.where(self.there, scores / temperature, -np.inf)
        chances = np.exp(logits - logits.max(1, keepdims=True))
        return chances / chances.sum(1, keepdims=True)

    def value(self, policy: Array) -> float:
        return float((policy * self.rewards).sum(1).mean())

    def share(self, policy: Array) -> float:
        """Return the effective sample share of infinitely many draws."""
        return float(1 / np.divide(policy**2, self.logging, where=self.there, out=np.zeros_like(policy)).sum(1).mean())

    def draw(self, random: np.random.Generator) -> tuple[Draws, NDArray[np.int64]]:
        """Return DRAWN draws for each user, and which actions they are."""
        edges = np.cumsum(self.logging, axis=1)
        points = random.random((len(edges), DRAWN)) * edges[:, -1:]
        actions = (points[:, :, None] >= edges[:, None, :]).sum(2).ravel()
        user = np.repeat(np.arange(len(edges)), DRAWN)
        return Draws(user, self.rewards[user, actions], self.logging[user, actions]), actions


def judged(log: tuple[Draws, NDArray[np.int64]], policy: Array, expected: Array) -> Worth:
    draws, actions = log
    user = draws.user
    return worth(draws, policy[user, actions], (policy * expected).sum(1)[user], expected[user, actions])


def environment_of(held: Log, scores: NDArray[np.float32]) -> Environment:
    users = np.flatnonzero(held.counts())
    counts = held.counts()[users]
    there = np.arange(counts.max())[None] < counts[:, None]
    items, rewards = np.zeros(there.shape, np.int64), np.zeros(there.shape)
    assert held.rating is not None
    items[there], rewards[there] = held.item, held.rating >= LIKED
    made = Environment(users, items, there, rewards, np.ones(there.shape))
    logging = 0.9 * made.softmax(made.of(scores), 0.2) + 0.1 * there / there.sum(1, keepdims=True)
    return replace(made, logging=logging)


def halves(log: Log, seed: int) -> tuple[Log, Log]:
    """Return what is learned from, and what is held out: a share of each user's ratings."""
    chance = np.random.default_rng(seed_for(seed, "hold-out")).random(len(log))
    order = np.lexsort((chance, log.user))
    place = np.empty(len(log), np.int64)
    place[order] = np.arange(len(log)) - np.repeat(log.starts()[:-1], log.counts())
    held = place < np.round(HELD * log.counts())[log.user]
    return log.taken(~held), log.taken(held)


def adversary(log: Log, expected: NDArray[np.float32], seed: int) -> Discriminator:
    """Train the adversary of the task on a log, with the task's defaults."""
    signs, shares = tastes(log, LIKED), shares_of(log)
    spread = float(expected[log.user, log.item].std())
    assert log.rating is not None
    network = initialised(seed, lambda: Discriminator(len(shares), plan.WIDTHS["small"]))
    base = torch.from_numpy(np.log(np.maximum(shares, 1e-12)).astype(np.float32))
    prior = float((log.rating >= LIKED).mean())
    steps = OptimiserSettings(Schedule(3e-3, 0.0), beta1=0.5)
    game = game_of_policy(steps, network, base, plan.PRICE * spread, prior, spread)
    feed = TensorFeed(
        "cpu", x=torch.from_numpy(dense(signs).astype(np.int8)), rewards=torch.from_numpy(expected.astype(np.float32))
    )
    examples = plan.PASSES * len(feed)
    settings = FitSettings(
        seed=seed, batch_size=plan.BATCH, length_examples=examples, half_life_examples=0.05 * examples
    )
    product = fit(game, feed, settings).product
    assert isinstance(product, Discriminator)
    return product


def one_seed(log: Log, traits: NDArray[np.float32] | None, seed: int, repeats: int) -> dict[str, dict[str, float]]:
    """Return, for each policy, its value, its share, and how its estimates were in other logs."""
    known, held = halves(log, seed)
    liked = tastes(known, LIKED).maximum(0)
    scores = ease(liked, 300.0).scores(liked)
    world = environment_of(held, scores)
    split = split_log(known, "random", seed)
    unseen = split.test
    assert unseen.rating is not None
    started = process_time()
    model = fit_rewards(split.train, LIKED, traits)
    model = model.mixed(unseen.user.astype(np.int64), unseen.item.astype(np.int64), (unseen.rating >= LIKED) * 1.0)
    model = replace(fit_rewards(known, LIKED, traits), mixture=model.mixture, ends=model.ends)
    expected = model.of(np.arange(len(log.users)))
    seconds = process_time() - started
    rewards, possible = world.of(expected), world.of(model.possible(expected))
    first = world.draw(np.random.default_rng(seed_for(seed, "choice")))
    spread = float(rewards[first[0].user, first[1]].std())

    def best(preferred: Array, every: list[Tilt]) -> tuple[Array, Worth]:
        tried = {tilt: judged(first, tilt.of(world.logging, preferred), possible) for tilt in every}
        tilt = chosen(tried)
        return tilt.of(world.logging, preferred), tried[tilt]

    every = tilts(spread)
    policy, its = best(rewards, every)
    plain, _ = best(rewards, [tilt for tilt in every if tilt.closeness == "kl"])
    more = world.of(scored(adversary(known, expected, seed), tastes(known, LIKED)))
    against = [best(rewards + weight * spread * more, every) for weight in WEIGHTS]
    strongest, its_strongest = max(against, key=lambda one: one[1].value.low)
    accepted = is_better(its_strongest, its)
    means = np.repeat(model.item_means[None], len(log.users), 0)
    greedy = np.zeros_like(policy)
    greedy[np.arange(len(greedy)), np.where(world.there, rewards, -np.inf).argmax(1)] = 1
    policies: Mapping[str, Array] = {
        "uniform": world.there / world.there.sum(1, keepdims=True),
        "logging": world.logging,
        "softmax of EASE": world.softmax(world.of(scores), 0.05),
        "item mean, same choice": best(world.of(means), tilts(float(world.of(means)[world.there].std())))[0],
        "reward model, KL alone": plain,
        "the policy": policy,
        "with the adversary": strongest,
        "always the best": greedy,
    }
    logs = [world.draw(np.random.default_rng(seed_for(seed, "judge", step=number))) for number in range(repeats)]
    found = {name: _row(world, logs, own, possible) for name, own in policies.items()}
    found["the policy"]["seconds"] = seconds
    found["with the adversary"]["accepted"] = float(accepted)
    return found


def _row(
    world: Environment, logs: list[tuple[Draws, NDArray[np.int64]]], policy: Array, rewards: Array
) -> dict[str, float]:
    truth = world.value(policy)
    worths = [judged(log, policy, rewards) for log in logs]
    row = {"value": truth, "share": world.share(policy), "direct": float((policy * rewards).sum(1).mean())}
    for name in ("value", "doubly_robust"):
        ends = [getattr(its, name) for its in worths]
        row |= {
            f"bias {name}": float(np.mean([end.value for end in ends])) - truth,
            f"sd {name}": float(np.std([end.value for end in ends])),
            f"half {name}": float(np.mean([end.high - end.low for end in ends])) / 2,
            f"covered {name}": float(np.mean([end.low <= truth <= end.high for end in ends])),
        }
    return row | {"refused": float(np.mean([not its.supported for its in worths]))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="the folder ml-100k of RecBole, or another log with ratings up to 5")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=100)
    asked = parser.parse_args()
    reading = read_log(asked.data, LogSettings())
    traits = None if reading.items is None else reading.items.at(reading.log.items).values
    runs = [one_seed(reading.log, traits, seed, asked.repeats) for seed in range(asked.seeds)]
    mean = partial(_mean, runs)
    print(f"{asked.seeds} hold-outs, {asked.repeats} logs of each; in brackets the lowest of the hold-outs")
    print(
        f"{'policy':24s} value          share  SNIPS bias  sd    half   covered      SN-DR bias covered     direct "
        "refused"
    )
    for name in runs[0]:
        shown = f"{mean(name, 'value'):.4f} ({_least(runs, name, 'value'):.3f})  {mean(name, 'share'):.3f}  "
        for kind in ("value", "doubly_robust"):
            shown += f"{mean(name, f'bias {kind}'):+.4f} "
            shown += f"    {mean(name, 'sd value'):.4f} {mean(name, 'half value'):.4f} " if kind == "value" else ""
            shown += f"{mean(name, f'covered {kind}'):.3f} ({_least(runs, name, f'covered {kind}'):.2f})   "
        print(f"{name:24s} {shown}{mean(name, 'direct'):.3f} {mean(name, 'refused'):.2f}")
    print(f"seconds of the reward model: {mean('the policy', 'seconds'):.1f}")
    print(f"the policy, over {BAR}: {_interval([run['the policy']['value'] - BAR for run in runs])}")
    for name in ("item mean, same choice", "reward model, KL alone", "softmax of EASE"):
        print(
            f"the policy, over {name}: {_interval([run['the policy']['value'] - run[name]['value'] for run in runs])}"
        )
    gained = [run["with the adversary"]["value"] - run["the policy"]["value"] for run in runs]
    accepted = sum(run["with the adversary"]["accepted"] for run in runs)
    print(f"with the adversary, over the policy: {_interval(gained)}; accepted by the first log in {accepted:.0f}")


def _mean(runs: list[dict[str, dict[str, float]]], name: str, key: str) -> float:
    return float(np.mean([run[name][key] for run in runs]))


def _least(runs: list[dict[str, dict[str, float]]], name: str, key: str) -> float:
    return min(run[name][key] for run in runs)


def _interval(values: list[float]) -> str:
    """Return the mean of paired differences with Student's 95 % interval."""
    if len(values) < 2:
        return f"{values[0]:+.4f}"
    half = float(stats.t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    centre = float(np.mean(values))
    return f"{centre:+.4f} ({centre - half:+.4f} to {centre + half:+.4f})"


if __name__ == "__main__":
    main()
