"""The task `policy`: closed forms, a planted world, and what it says of logs that cannot tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import ganforge as gf
from ganforge.errors import DataError, InputError
from ganforge.kinds.interactions.policy import product
from ganforge.kinds.interactions.policy.choice import BASE, base_policy, chosen, is_better, tilts
from ganforge.kinds.interactions.policy.game import Discriminator
from ganforge.kinds.interactions.policy.material import PolicySettings, open_material
from ganforge.kinds.interactions.policy.tilt import CLOSENESS, Closeness, tilted
from ganforge.kinds.interactions.policy.verdict import evaluate_policy
from ganforge.measures.off_policy import Draws, worth

USERS, ITEMS, EACH = 120, 40, 16
GROUP, CLUB = np.arange(USERS) % 2, np.arange(ITEMS) % 2
LIKED = np.where(GROUP[:, None] == CLUB[None], 0.85, 0.2)  # chance that an item is liked: by those of its club
POPULAR = 1 / (1 + np.arange(ITEMS)) ** 0.3


def planted() -> pd.DataFrame:
    """A log whose users take items by popularity alone, and like those of their club."""
    random = np.random.default_rng(0)
    rows = []
    for user in range(USERS):
        left = POPULAR.copy()
        for _ in range(EACH):
            item = random.choice(ITEMS, p=left / left.sum())
            rows.append((f"u{user}", f"i{item}", int(random.random() < LIKED[user, item]), left[item] / left.sum()))
            left[item] = 0
    return pd.DataFrame(rows, columns=["user", "item", "rating", "chance"])


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy") / "log.csv"
    planted().to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def run(log: Path) -> Path:
    gf.train(log, kind="interactions", task="policy", size="tiny", examples=256, run=log.parent / "run")
    return log.parent / "run"


# ---- closed forms ----------------------------------------------------------------------------------------------------


def _gain(policy: np.ndarray, base: np.ndarray, rewards: np.ndarray, beta: float, closeness: Closeness) -> np.ndarray:
    if closeness == "kl":
        price = np.where(policy > 0, policy * np.log(np.where(policy > 0, policy, 1) / base), 0)
    else:
        price = (policy - base) ** 2 / (2 * base)
    return (policy * rewards - beta * price).sum(1)


@pytest.mark.parametrize("closeness", CLOSENESS)
@pytest.mark.parametrize("beta", [0.02, 0.3, 5.0])
def test_no_policy_nearby_is_better_than_the_closed_form(closeness: Closeness, beta: float) -> None:
    random = np.random.default_rng(1)
    base, rewards = random.dirichlet(np.ones(6), 20), random.normal(size=(20, 6))
    best = tilted(base, rewards, beta, closeness)
    assert best.sum(1) == pytest.approx(1)
    reached = _gain(best, base, rewards, beta, closeness)
    for _ in range(50):
        other = 0.95 * best + 0.05 * random.dirichlet(np.ones(6), 20)
        assert (_gain(other, base, rewards, beta, closeness) <= reached + 1e-9).all()


def test_at_one_effective_share_chi2_expects_more_than_kl() -> None:
    random = np.random.default_rng(2)
    base, rewards = random.dirichlet(np.ones(20), 300), random.normal(size=(300, 20))
    frontier = {}
    for closeness in CLOSENESS:
        policies = [tilted(base, rewards, 2.0**power, closeness) for power in np.arange(-6, 6, 0.25)]
        shares = [1 / (policy**2 / base).sum(1).mean() for policy in policies]
        frontier[closeness] = np.interp(0.3, shares, [(policy * rewards).sum(1).mean() for policy in policies])
    assert frontier["chi2"] > frontier["kl"] + 0.01


def test_actions_that_are_not_there_stay_away() -> None:
    base = np.array([[0.5, 0.5, 0.0]])
    for closeness in CLOSENESS:
        assert tilted(base, np.array([[0.0, 1.0, 9.0]]), 0.1, closeness)[0, 2] == 0


def test_a_user_who_has_everything_may_get_anything_again() -> None:
    from scipy.sparse import csr_matrix

    base = base_policy(np.array([0.5, 0.25, 0.25]), csr_matrix(np.array([[1, 1, 1], [1, 0, 0]])), 2)
    assert base.tolist() == [[0.5, 0.25, 0.25], [0, 0.5, 0.5]]


# ---- choice ----------------------------------------------------------------------------------------------------------


def test_the_price_is_chosen_among_policies_that_the_log_can_judge(log: Path) -> None:
    material = open_material(log, PolicySettings(), 0)
    rewards, situations = material.fitted, material.to_choose
    every = tilts(0.2)
    worths = situations.worths(lambda users, base: (tilt.of(base, rewards.of(users)) for tilt in every), rewards)
    tried = dict(zip(every, worths, strict=True))
    tilt = chosen(tried)
    assert tilt != BASE
    assert tried[tilt].share >= 0.2
    assert min(its.share for its in worths) < 0.2  # of greedier ones, whose value may be higher
    assert worths[0].share == pytest.approx(1)


def test_a_gain_is_taken_if_it_is_certain_and_the_propensities_fit_no_worse() -> None:
    random = np.random.default_rng(3)
    users, reward = np.repeat(np.arange(200), 5), (random.random(1_000) < 0.5).astype(np.float64)
    draws = Draws(users, reward, np.full(1_000, 0.5))
    plain, better = worth(draws, np.full(1_000, 0.5)), worth(draws, np.where(reward > 0, 0.6, 0.4))
    assert is_better(better, plain)
    assert not is_better(plain, better)
    assert not is_better(
        worth(draws, np.where(reward > 0, 0.502, 0.498)), worth(draws, 0.5 + 0.1 * random.random(1_000))
    )
    assert not is_better(worth(draws, np.where(reward > 0, 1.2, 0.8)), plain)  # its weights are 2 on average


def test_an_adversary_that_is_used_is_stored_and_its_worth_is_told(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product, "is_better", lambda one, other: True)
    material = open_material(log, PolicySettings(), 0)
    network = Discriminator(ITEMS, 4)
    network.decoder.bias.data += torch.linspace(-1, 1, ITEMS)
    stored = product.found(material, network)
    assert stored.discriminator is not None
    users = np.arange(5)
    beyond = stored.preferred(users, stored.rewards.of(users)) - stored.rewards.of(users)
    assert np.diff(beyond).min() > 0
    evaluation = evaluate_policy(stored, material)
    assert "here it adds" in " ".join(evaluation.verdict.sentences)
    assert evaluation.verdict.adversarial_helps is False


def test_expected_rewards_find_the_clubs(log: Path) -> None:
    material = open_material(log, PolicySettings(), 0)
    expected = material.refitted.of(np.arange(USERS))
    users = [int(name[1:]) for name in material.split.train.users]
    items = [int(name[1:]) for name in material.split.train.items]
    assert np.corrcoef(expected.ravel(), LIKED[np.ix_(users, items)].ravel())[0, 1] > 0.8


# ---- the task --------------------------------------------------------------------------------------------------------


def test_the_policy_is_better_than_the_log_in_truth_and_says_so(run: Path) -> None:
    found = json.loads((run / "evaluation.json").read_text())
    assert found["verdict"]["grade"] in ("excellent", "good")
    actions = gf.apply(run, [f"u{user}" for user in range(USERS)], count=1)
    true = [LIKED[int(user[1:]), int(item[1:])] for user, item in zip(actions["user"], actions["item"], strict=True)]
    assert np.mean(true) > LIKED.mean() + 0.15
    value = found["measures"][0]
    assert value["low"] - 0.05 < np.mean(true) < value["high"] + 0.05
    assert {one["name"] for one in found["rivals"]} >= {"uniform", "item mean", "EASE", "reward model", "as the log"}


def test_actions_have_probabilities_and_are_the_same_for_one_seed(run: Path, tmp_path: Path) -> None:
    users = ["u3", "u7"]
    one, again, other = (gf.apply(run, users, count=5, seed=seed) for seed in (1, 1, 2))
    assert one.equals(again)
    assert not one.equals(other)
    assert one["place"].tolist() == [1, 2, 3, 4, 5] * 2
    assert one["probability"].between(0, 1).all()
    assert one["expected_reward"].between(0, 1).all()  # as rewards are
    assert not one.duplicated(["user", "item"]).any()
    log = planted()
    seen = set(zip(log["user"], log["item"], strict=True))
    every = gf.apply(run, users, count=ITEMS, exclude="nothing")
    alone = gf.apply(run, ["u7"], count=5, seed=1)  # whoever else is asked for
    assert alone["item"].tolist() == one[one["user"] == "u7"]["item"].tolist()
    assert len(every) > len(gf.apply(run, users, count=ITEMS))
    pd.DataFrame({"user": users}).to_csv(tmp_path / "users.csv", index=False)
    gf.apply(run, tmp_path / "users.csv", out=tmp_path / "actions.csv", count=5, seed=1)
    assert pd.read_csv(tmp_path / "actions.csv")["item"].tolist() == one["item"].tolist()
    assert len(seen) == len(log)


def test_a_user_who_is_not_known_is_told_and_gets_items_by_their_means(run: Path) -> None:
    class Notes:
        def record(self, record: Mapping[str, Any]) -> None: ...

        def event(self, event: Mapping[str, Any]) -> None:
            told.append(str(event))

    told: list[str] = []
    found = gf.apply(run, ["nobody"], count=3, observers=(Notes(),))
    assert len(found) == 3
    assert any("nobody" in event for event in told)


def test_what_it_cannot_do_gets_a_sentence(run: Path) -> None:
    with pytest.raises(InputError, match="not a user of the data"):
        gf.apply(run, None, whom="user=nobody")
    with pytest.raises(InputError, match="diversity"):
        gf.apply(run, ["u1"], diversity=0.5)
    assert gf.apply(run, None, whom="user=u1")["user"].tolist() == ["u1"] * 10


def test_propensities_of_the_log_are_read_from_their_column(log: Path) -> None:
    material = open_material(log, PolicySettings(propensity="chance"), 0)
    chances = planted()["chance"]
    assert np.isin(material.to_judge.draws.propensity.astype(np.float32), chances.to_numpy(np.float32)).all()
    assert material.to_judge.as_logged().share == pytest.approx(1)
    assert material.reading.sha256 != open_material(log, PolicySettings(), 0).reading.sha256


@pytest.mark.parametrize(
    ("change", "asked", "words"),
    [
        (lambda log: log.drop(columns="rating"), {}, "no column of rewards"),
        (lambda log: log.assign(rating=1), {}, "Every reward is the same"),
        (lambda log: log, {"positive": 5.0}, "Every rating is liked, or none"),
        (lambda log: log[log["user"] < "u11"], {}, "Only"),
        (lambda log: log.assign(chance=2.0), {"propensity": "chance"}, "does not hold propensities"),
        (lambda log: pd.concat([log, log.head(3)]), {"propensity": "chance"}, "3 rows repeat"),
    ],
)
def test_a_log_that_cannot_tell_gets_a_sentence(change: Any, asked: dict[str, Any], words: str, tmp_path: Path) -> None:
    change(planted()).to_csv(tmp_path / "log.csv", index=False)
    with pytest.raises(DataError, match=words):
        open_material(tmp_path / "log.csv", PolicySettings(**asked), 0)


def test_a_split_in_time_needs_times(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    rows = [f"{user},{item},{1 + (user + item) % 5}" for user in range(30) for item in range(6)]
    path.write_text("user,item,rating\n" + "\n".join(rows) + "\n")
    with pytest.raises(DataError, match="has no times"):
        open_material(path, PolicySettings(split="time"), 0)
