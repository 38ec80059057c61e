"""Off-policy estimates in an environment whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ganforge.measures.off_policy import Draws, Worth, difference, worth

Array = NDArray[np.float64]
USERS, ACTIONS, DRAWN, REPEATS = 200, 8, 5, 200
RANDOM = np.random.default_rng(0)
REWARDS = RANDOM.beta(1, 1, (USERS, ACTIONS))  # chance of a reward of 1
PREFERRED = REWARDS + RANDOM.normal(0, 0.3, REWARDS.shape)  # what a policy believes of them


def softmax(logits: Array) -> Array:
    chances = np.exp(logits - logits.max(1, keepdims=True))
    return chances / chances.sum(1, keepdims=True)


LOGGING = softmax(RANDOM.normal(0, 0.7, REWARDS.shape))
BEST = np.eye(ACTIONS)[REWARDS.argmax(1)]
POLICY = softmax(3 * PREFERRED)


def logged(seed: int) -> tuple[Draws, NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    edges = LOGGING.cumsum(1)
    points = random.random((USERS, DRAWN)) * edges[:, -1:]
    actions = (points[:, :, None] >= edges[:, None, :]).sum(2).ravel()
    users = np.repeat(np.arange(USERS), DRAWN)
    rewards = (random.random(len(users)) < REWARDS[users, actions]).astype(np.float64)
    return Draws(users, rewards, LOGGING[users, actions]), actions


def judged(policy: Array, seed: int = 0, model: Array | None = None, factor: Array | None = None) -> Worth:
    """Estimate from one log. Args: model expected rewards; factor of the propensities, which are then wrong."""
    draws, actions = logged(seed)
    if factor is not None:
        draws = Draws(draws.user, draws.reward, draws.propensity * factor[actions])
    own = policy[draws.user, actions]
    if model is None:
        return worth(draws, own)
    return worth(draws, own, (policy * model).sum(1)[draws.user], model[draws.user, actions])


def truth(policy: Array) -> float:
    return float((policy * REWARDS).sum(1).mean())


@pytest.mark.parametrize("kind", ["value", "doubly_robust"])
@pytest.mark.parametrize("policy", [POLICY, BEST, np.full_like(POLICY, 1 / ACTIONS), LOGGING])
def test_estimates_are_right_on_average_and_their_intervals_cover_the_truth(policy: Array, kind: str) -> None:
    """The intervals are for other users as well, and cover the mean over these more often where users differ."""
    wrong = np.clip(PREFERRED, 0, 1)
    ends = [getattr(judged(policy, seed, wrong), kind) for seed in range(REPEATS)]
    values = np.array([end.value for end in ends])
    assert abs(values.mean() - truth(policy)) < 4 * values.std() / REPEATS**0.5 + 0.005
    covered = np.mean([end.low <= truth(policy) <= end.high for end in ends])
    assert covered > 0.95 - 3 * (0.95 * 0.05 / REPEATS) ** 0.5
    assert np.mean([end.high - end.low for end in ends]) < 8 * values.std()  # they are not wide for nothing


def test_the_best_policy_is_worth_more_than_every_other_one() -> None:
    best, own, logging = judged(BEST), judged(POLICY), judged(LOGGING)
    assert difference(best, own).low > 0
    assert difference(own, logging).low > 0
    assert difference(logging, own).high < 0
    assert difference(own, own).low == difference(own, own).high == 0


def test_the_effective_share_counts_the_draws_that_an_estimate_is_made_of() -> None:
    assert judged(LOGGING).share == pytest.approx(1)
    draws = Draws(np.arange(4), np.array([0.0, 1, 0, 1]), np.full(4, 0.5))
    assert worth(draws, np.array([0.5, 0.5, 0, 0])).share == pytest.approx(0.5)
    expected = 1 / np.mean((POLICY**2 / LOGGING).sum(1))  # of infinitely many draws
    assert np.mean([judged(POLICY, seed).share for seed in range(20)]) == pytest.approx(expected, rel=0.1)


def test_a_claim_is_refused_where_the_log_hardly_did_what_the_policy_would() -> None:
    rare = np.eye(ACTIONS)[LOGGING.argmin(1)]
    assert not judged(rare).supported
    assert judged(POLICY).supported


def test_wrong_propensities_are_seen_by_the_mean_weight() -> None:
    assert judged(POLICY).weights_fit
    assert not judged(POLICY, factor=np.linspace(0.3, 1, ACTIONS)).weights_fit


def test_doubly_robust_is_right_with_wrong_propensities_and_a_right_model() -> None:
    factor = np.linspace(0.2, 1, ACTIONS)
    found = [judged(POLICY, seed, REWARDS, factor) for seed in range(50)]
    robust = np.mean([its.doubly_robust.value for its in found if its.doubly_robust])
    assert abs(robust - truth(POLICY)) < 0.01


def test_rewards_that_are_all_the_same_are_not_certain() -> None:
    draws = Draws(np.arange(20), np.repeat([1.0, 0.0], 10), np.full(20, 0.5))
    its = worth(draws, np.repeat([0.5, 0.0], 10)).value
    assert its.value == its.high == 1
    assert its.low == pytest.approx(10 / (10 + 1.96**2), abs=1e-3)


def test_one_user_tells_nothing_of_others() -> None:
    draws = Draws(np.zeros(5, np.int64), np.array([0.0, 1, 0, 1, 1]), np.full(5, 0.2))
    its = worth(draws, np.full(5, 0.2)).value
    assert (its.low, its.high) == (0, 1)
