"""Users that do not exist: drawn from a planted log of two tastes, in each of which items follow each other."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import ganforge as gf
from ganforge.core.seeds import Draws
from ganforge.errors import DataError, InputError, RecipeError
from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.simulate.adversary import Guide, features, learn
from ganforge.kinds.interactions.simulate.measures import Judge, drawn_again
from ganforge.kinds.interactions.simulate.model import Described, UserModel, load_users
from ganforge.kinds.interactions.simulate.networks import Behaviour
from ganforge.kinds.interactions.simulate.population import Gaps, Mixture, Ratings, traits_of
from ganforge.kinds.interactions.simulate.product import keep_apart, people_of
from ganforge.kinds.interactions.simulate.sequences import BEGIN, PAD, RESERVED, WINDOW, WindowRows, cut, divide
from ganforge.kinds.interactions.simulate.walk import EXPERTS, Walk, markov_of

USERS, ITEMS, DAY = 160, 24, 86_400
HALF = ITEMS // 2


def planted(users: int = USERS, seed: int = 0) -> Log:
    """Return a log in which each user has one of two tastes, each half of the items, and goes round in it."""
    random = np.random.default_rng(seed)
    user, item, rating, time = [], [], [], []
    for number in range(users):
        taste, length = number % 2, int(random.integers(4, 10))
        first = int(random.integers(HALF))
        met = [taste * HALF + (first + step) % HALF for step in range(length)]
        user += [number] * length
        item += met
        rating += [4 + taste] * length
        time += (1_700_000_000 + number * DAY + np.cumsum(random.choice([0, 60, DAY], length))).tolist()
    return Log(
        np.array([f"u{number:03d}" for number in range(users)]),
        np.array([f"i{number:02d}" for number in range(ITEMS)]),
        np.array(user, np.int32), np.array(item, np.int32), np.array(rating, np.float32), np.array(time, np.float64),
    )  # fmt: skip


def written(log: Log, path: Path, per_second: int = 1) -> Path:
    assert log.rating is not None and log.time is not None
    columns = {
        "user_id": log.users[log.user], "item_id": log.items[log.item], "rating": log.rating.astype(int),
        "timestamp": (log.time * per_second).astype(int),
    }  # fmt: skip
    pd.DataFrame(columns).to_csv(path, index=False, sep="\t" if path.suffix == ".inter" else ",")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulate")
    source = written(planted(), folder / "log.csv", per_second=1_000)
    settings = {"interactions.rounds": "1"}
    asked = {"task": "simulate", "kind": "interactions", "size": "tiny", "examples": 2_000, "settings": settings}
    gf.train(source, run=folder / "run", **asked)
    return folder / "run"


@pytest.fixture(scope="module")
def model(run: Path) -> UserModel:
    return load_users(run / "model")


# ---- what is drawn ---------------------------------------------------------------------------------------------------


def test_drawn_users_have_one_taste_and_follow_its_order(model: UserModel) -> None:
    log = model.people.draw(200, seed=3)
    taste = np.bincount(log.user, log.item >= HALF) / log.counts()
    assert 0.3 < (taste > 0.5).mean() < 0.7
    assert (np.maximum(taste, 1 - taste) > 0.9).mean() > 0.7
    same = log.user[1:] == log.user[:-1]
    follows = (log.item[:-1] // HALF * HALF + (log.item[:-1] + 1) % HALF == log.item[1:])[same]
    assert follows.mean() > 0.4  # by chance 1 / 12; in the data 1, but for what was met at one time


def test_lengths_times_and_ratings_are_like_those_of_the_data(model: UserModel) -> None:
    log, real = model.people.draw(300, seed=1), planted()
    assert log.time is not None and real.time is not None and log.rating is not None
    assert real.counts().min() <= log.counts().min() and log.counts().max() <= real.counts().max()
    assert abs(log.counts().mean() - real.counts().mean()) < 0.5
    gaps = np.diff(log.time)[np.diff(log.user) == 0]
    assert gaps.min() >= 0 and abs((gaps == 0).mean() - 1 / 3) < 0.1
    assert log.time[log.starts()[:-1]].min() >= real.time.min() - 1
    assert set(np.unique(log.rating)) <= {4.0, 5.0}
    assert np.corrcoef(log.rating, log.item >= HALF)[0, 1] > 0.5  # the second taste rates higher


def test_no_user_meets_an_item_twice(model: UserModel) -> None:
    log = model.people.draw(100, seed=0)
    assert log.matrix().max() == 1 and log.matrix().nnz == len(log)


def test_the_first_users_depend_on_the_seed_and_not_on_how_many_are_drawn(model: UserModel) -> None:
    few, many, other = (model.sample(count, {}, seed).value() for count, seed in ((20, 5), (300, 5), (20, 6)))
    pd.testing.assert_frame_equal(few, many.iloc[: len(few)])
    assert not few.equals(other.iloc[: len(few)])


def test_a_file_of_users_has_the_columns_and_the_units_of_the_data(run: Path, tmp_path: Path) -> None:
    out = gf.sample(run, 30, tmp_path / "new.csv", seed=2)
    frame = pd.read_csv(out)
    assert list(frame.columns) == ["user_id", "item_id", "rating", "timestamp"]
    assert frame["user_id"].nunique() == 30 and frame["item_id"].str.fullmatch("i[0-9]{2}").all()
    assert frame["timestamp"].between(1.6e12, 1.8e12).all()  # milliseconds


# ---- what comes next -------------------------------------------------------------------------------------------------


def test_the_next_item_of_a_known_user_is_the_one_that_follows(run: Path, tmp_path: Path) -> None:
    log = pd.DataFrame({"user_id": ["a"] * 3 + ["b"] * 3, "item_id": ["i02", "i03", "i04", "i20", "i21", "i22"]})
    found = gf.apply(run, log, count=3)
    best = found[found["rank"] == 1].set_index("user_id")["item_id"]
    assert best.to_dict() == {"a": "i05", "b": "i23"}
    assert not found.merge(log).size  # what was met does not come again
    out = gf.apply(run, written(planted(5), tmp_path / "some.csv"), tmp_path / "next.csv")
    assert list(pd.read_csv(out).columns) == ["user_id", "rank", "item_id", "chance"]


def test_items_that_are_unknown_are_left_out_and_told(run: Path) -> None:
    said: list[str] = []

    class Heard:
        def event(self, event: dict[str, str]) -> None:
            said.append(str(event))

        def record(self, record: object) -> None: ...

    log = pd.DataFrame({"user_id": ["a", "a"], "item_id": ["i02", "no such item"]})
    assert len(gf.apply(run, log, observers=(Heard(),)))
    assert "1 rows have an item that is not in the training data" in said[0]


# ---- parts, against what is known of them ----------------------------------------------------------------------------


def test_rows_are_windows_of_sequences_and_the_last_part_of_longer_ones() -> None:
    log = Log(np.array(["a", "b"]), np.arange(300).astype(str), np.repeat([0, 1], [200, 3]).astype(np.int32),
              np.r_[np.arange(200), [7, 8, 9]].astype(np.int32))  # fmt: skip
    rows = WindowRows(log, 150)
    assert len(rows) == 3
    found = rows[np.arange(3)]
    assert found[:, 0].tolist() == [0, 1, 0] and (found[:, 1] == BEGIN).all()
    assert found[0, 2] == 50 + RESERVED and found[1, -1] == 199 + RESERVED
    assert found[2, 2:].tolist() == [7 + RESERVED, 8 + RESERVED, 9 + RESERVED] + [PAD] * 147


def test_the_windows_of_a_sequence_together_have_the_surprise_of_the_whole() -> None:
    torch.manual_seed(0)
    network = Behaviour(200, 8, 3, 0.0, 1.0).eval()
    items = np.random.default_rng(0).permutation(200)[:150].astype(np.int32)
    log = Log(np.array(["a"]), np.arange(200).astype(str), np.zeros(150, np.int32), items)
    x = torch.from_numpy(WindowRows(log, 150)[np.arange(2)]).long()
    lost = network._windows(x[:, 1:], x[:, :1] * WINDOW, Draws(torch.Generator()))
    tokens = torch.cat([torch.tensor([BEGIN]), torch.from_numpy(items[:-1]).long() + RESERVED])
    scores = network.by_sequence(network.steps(tokens[None, :WINDOW]))[0]
    for step in range(WINDOW):
        scores[step, items[:step]] = -torch.inf  # an item that was met has no chance
    expected = -torch.log_softmax(scores, 1)[torch.arange(WINDOW), torch.from_numpy(items[:WINDOW]).long()].sum()
    torch.testing.assert_close(lost[0], expected, rtol=1e-5, atol=1e-3)


def test_a_walk_knows_what_the_network_knows_after_the_same_items(model: UserModel) -> None:
    simulator = model.people.simulator
    walk = Walk(simulator, 2)
    for item in (2, 3, 4):
        walk.take(torch.tensor([item, item + HALF]))
    tokens = torch.tensor([[BEGIN, 2 + RESERVED, 3 + RESERVED, 4 + RESERVED]])
    hidden = simulator.network.steps(tokens)[0, -1]
    torch.testing.assert_close(walk.experts()[0, 0], simulator.network.by_sequence(hidden))
    recent = np.array([1, 0.7, 0.49]) / 2.19
    expected = np.log(recent @ simulator.markov.numpy()[[4, 3, 2]])
    np.testing.assert_allclose(walk.experts()[EXPERTS.index("Markov"), 0], expected, rtol=1e-4)


def test_the_chances_after_an_item_are_counted() -> None:
    log = Log(np.array(["a"]), np.array(["x", "y", "z"]), np.zeros(3, np.int32), np.array([0, 1, 2], np.int32))
    found = markov_of(log, np.full(3, 1 / 3, np.float32))
    np.testing.assert_allclose(found[0], (np.array([0, 1, 0.7]) + 20 / 3) / 21.7, rtol=1e-6)


def test_a_mixture_has_the_moments_and_the_traits_of_the_users_that_it_was_fitted_to() -> None:
    random = np.random.default_rng(0)
    traits = np.c_[random.exponential(2, 400), np.zeros(400), random.normal(size=400), np.full(400, 3.0)]
    tastes = np.c_[traits[:, 0] + 0.1 * random.normal(size=400), random.normal(2, 3, 400)]
    drawn, own = Mixture.fit(tastes, traits, 0).draw(4_000, random)
    np.testing.assert_allclose(drawn.mean(0), tastes.mean(0), atol=0.3)
    np.testing.assert_allclose(drawn.std(0), tastes.std(0), rtol=0.15)
    np.testing.assert_allclose(np.quantile(own[:, 0], [0.1, 0.5, 0.9]), np.quantile(traits[:, 0], [0.1, 0.5, 0.9]),
                               rtol=0.2)  # fmt: skip
    assert np.corrcoef(drawn[:, 0], own[:, 0])[0, 1] > 0.8
    assert (own[:, 1] == 0).all() and (own[:, 3] == 3).all()


def test_gaps_follow_the_pace_of_a_user_and_ratings_the_item() -> None:
    log = planted(200)
    assert log.time is not None
    slow = log.user % 2 == 1
    log = Log(log.users, log.items, log.user, log.item, log.rating, np.where(slow, 50.0, 1.0) * np.arange(len(log)))
    traits = traits_of(log, None)
    gaps = Gaps.fit(log, traits[:, 2]).draw(5, np.repeat([traits[0, 2], traits[1, 2]], 50), np.random.default_rng(0))
    assert (gaps[:, 0] == 0).all()
    np.testing.assert_allclose([gaps[:50, 1:].mean(), gaps[50:, 1:].mean()], [1, 50], rtol=0.05)
    ratings = Ratings.fit(log)
    drawn = ratings.draw(np.repeat([0, HALF], 200), np.zeros(400), np.random.default_rng(0))
    assert drawn[200:].mean() - drawn[:200].mean() > 0.5


def test_a_discriminator_corrects_an_item_that_is_drawn_too_often() -> None:
    def of_chances(chance: float, seed: int, users: int = 300) -> Log:
        random = np.random.default_rng(seed)
        there = random.random((users, 6)) < np.array([chance, 0.5, 0.5, 0.5, 0.5, 1.0])
        user, item = np.nonzero(there)
        return Log(np.arange(users).astype(str), np.arange(6).astype(str), user.astype(np.int32), item.astype(np.int32))

    guide = Guide(6)
    ranked = learn(guide, lambda number: of_chances(0.8, 10 + number), of_chances(0.2, 1), of_chances(0.2, 2), 1)
    assert ranked[0] > 0.75 and len(ranked) == 2
    assert int(guide.items.argmin()) == 0
    log_odds = np.log(0.2 / 0.8) - np.log(0.8 / 0.2)  # of having the item: by the item and by its pairs
    raised = guide.raised(torch.tensor([-1, 5]))
    assert raised[0, 0] < 0.3 * log_odds and raised.shape == (2, 6)
    assert (
        learn(Guide(6), lambda number: of_chances(0.2, 20 + number), of_chances(0.2, 1), of_chances(0.2, 2), 3)[0] < 0.6
    )
    assert features(of_chances(0.5, 0)).shape == (300, 6 + 2**16)


def test_copies_are_too_near_and_held_out_users_are_not() -> None:
    random = np.random.default_rng(0)
    item = np.concatenate([random.permutation(200)[:20] for _ in range(100)]).astype(np.int32)
    sparse = Log(
        np.arange(100).astype(str), np.arange(200).astype(str), np.repeat(np.arange(100, dtype=np.int32), 20), item
    )
    judge = Judge.of(divide(sparse, "sparse"))
    assert judge.too_near(drawn_again(judge.users.train, 0)).value == 1.0
    assert judge.too_near(judge.users.judges).value <= 0.06


def test_a_log_of_users_and_items_alone_gives_users_and_items_alone() -> None:
    whole = planted(100)
    users = divide(Log(whole.users, whole.items, whole.user, whole.item), "planted")
    people = people_of(Behaviour(ITEMS, 4, 2, 0.0, 1.0).eval(), users, seed=0)
    drawn = people.draw(10, seed=0)
    assert drawn.time is None and drawn.rating is None
    model = UserModel(
        people, Described(items=tuple(whole.items), columns={"user": "u", "item": "i"}, parts=1, levels=0)
    )
    assert list(model.sample(3, {}, 0).value().columns) == ["u", "i"]


def test_the_weight_of_ease_falls_until_users_are_no_nearer_than_held_out_ones() -> None:
    random = np.random.default_rng(0)
    item = np.concatenate([random.permutation(ITEMS)[:8] for _ in range(150)]).astype(np.int32)
    user = np.repeat(np.arange(150, dtype=np.int32), 8)
    users = divide(Log(np.arange(150).astype(str), np.arange(ITEMS).astype(str), user, item), "random")
    people = people_of(Behaviour(ITEMS, 4, 2, 0.0, 1.0).eval(), users, seed=0)
    place = EXPERTS.index("EASE")
    people.simulator.drawn[place] = weight = 1e-3  # far from any copy: it stays
    keep_apart(people, users, seed=0)
    assert float(people.simulator.drawn[place]) == pytest.approx(weight)
    people.simulator.weights.fill_(0)
    for row in range(8):  # always the same items, those of a training user
        people.simulator.weights[:, users.train.item[row]] = 100
    people.simulator.drawn[place] = 1.0
    keep_apart(people, users, seed=0)
    assert float(people.simulator.drawn[place]) == 0


@pytest.mark.parametrize(
    ("unit", "whole", "expected"),
    [("seconds", True, 1_700_000_001), ("milliseconds", True, 1_700_000_000_500), ("seconds", False, 1_700_000_000.5),
     ("order", True, 1_700_000_001), ("text", True, "2023-11-14 22:13:21")],
)  # fmt: skip
def test_times_are_written_in_the_unit_of_the_data(unit: str, whole: bool, expected: object) -> None:
    described = Described(
        items=("a", "b"), columns={"user": "u", "item": "i"}, unit=unit, whole=whole, parts=1, levels=0
    )
    shift = 0.0 if unit == "milliseconds" or not whole else 0.25
    assert described.written(np.array([1_700_000_000.5 + shift])) == [expected]


def test_users_are_divided_without_overlap_and_a_sequence_is_cut_in_time() -> None:
    users = divide(planted(100), "planted")
    parts = [set(part.users.tolist()) for part in (users.train, users.chooses, users.judges)]
    assert [len(part) for part in parts] == [80, 7, 13] and len(set.union(*parts)) == 100
    known, later = cut(users.train, 0.8)
    assert len(known) + len(later) == len(users.train)
    assert known.time is not None and later.time is not None
    assert (known.time[known.starts()[1:] - 1] <= later.time[later.starts()[:-1]]).all()


# ---- the run, the environment, and refusals --------------------------------------------------------------------------


def test_the_evaluation_tells_every_rival_and_what_the_adversary_adds(run: Path) -> None:
    found = json.loads((run / "evaluation.json").read_text())
    names = [one["name"] for one in found["rivals"]]
    assert names[:3] == ["ganforge", "without the adversary", "Markov"] and names[-1] == "training users"
    assert any("adversary" in one or "discriminator" in one for one in found["verdict"]["sentences"])
    scores = {one["name"]: one["measures"] for one in found["rivals"]}
    assert scores["ganforge"]["ndcg"] > scores["popularity"]["ndcg"]
    assert found["next"]["all together"]["hit_rate"] > found["next"]["popularity"]["hit_rate"]


def test_an_environment_of_simulated_users_rewards_what_they_like(run: Path) -> None:
    pytest.importorskip("gymnasium")
    from gymnasium.utils.env_checker import check_env

    from ganforge.kinds.interactions.simulate.environment import SimulatedUsers

    environment = SimulatedUsers(run)
    check_env(environment, skip_render_check=True)

    def reward(following: bool) -> float:
        total, steps = 0.0, 0
        for episode in range(40):
            seen, _ = environment.reset(seed=episode)
            left = False
            while not left:
                last = int(seen[-1]) - 1
                action = last // HALF * HALF + (last + 1) % HALF if following and last >= 0 else steps % ITEMS
                seen, gained, left, _, about = environment.step(np.int64(action))
                assert 0 <= about["chance"] <= 1
                total, steps = total + gained, steps + 1
        return total / steps

    assert reward(following=True) > reward(following=False) + 0.1
    one, other = (environment.reset(seed=1)[1] for _ in range(2))
    assert one == other


def test_without_gymnasium_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "ganforge.kinds.interactions.simulate.environment"
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(InputError, match=r"ganforge\[gym\]"):
        importlib.import_module(name)


def test_what_cannot_be_done_is_refused_in_words(run: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 20 users"):
        gf.plan(written(planted(20), tmp_path / "few.csv"), task="simulate", kind="interactions", size="tiny")
    with pytest.raises(RecipeError, match="label"):
        gf.plan(written(planted(), tmp_path / "log.csv"), task="simulate", kind="interactions", label="rating")
    with pytest.raises(InputError, match="cannot be written"):
        gf.sample(run, 5, tmp_path / "new.txt")
    with pytest.raises(DataError, match="has no column 'item_id'"):
        gf.apply(run, pd.DataFrame({"user_id": ["a", "b"], "film": ["i02", "i03"]}))
    with pytest.raises(DataError, match="No item of"):
        gf.apply(run, pd.DataFrame({"user_id": ["a", "b"], "item_id": ["x", "y"]}))
