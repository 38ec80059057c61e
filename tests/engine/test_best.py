"""The best product is kept and the run ends soon after nothing gets better, the same again after every interruption."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_accidents import at, planted
from torch import Tensor, nn
from toy_games import (
    BATCH,
    Killed,
    Notebook,
    TableFeed,
    adversarial_game,
    kill_after,
    line_feed,
    points,
    regression_game,
    same,
    settings,
    stop_after,
    weights,
)

from ganforge.core.files import sha256_of
from ganforge.engine import control as journal
from ganforge.engine import control as steer
from ganforge.engine.best import PREFIX, Standing
from ganforge.engine.checkpoint import State, list_checkpoints
from ganforge.engine.fit import FitSettings, Fitted, fit
from ganforge.errors import Interrupted
from ganforge.run import Run

STEPS = 100
MARKS = tuple(mark / 10 for mark in range(1, 11))  # one look every 10 steps
PLAN = settings(STEPS, marks=MARKS, best_by="good")


class Scores:
    """A look with planted scores by the step's number in looks, and the weights that it saw."""

    def __init__(self, *scores: float, margin: float = 0.0) -> None:
        self.scores, self.margin = scores, margin
        self.seen: dict[int, list[Tensor]] = {}

    def __call__(self, product: nn.Module, state: State) -> Mapping[str, float]:
        self.seen[state.clock.examples] = weights(product)
        score = self.scores[min(state.step // 10, len(self.scores)) - 1]
        return {"good": score, "good_low": score - self.margin, "good_high": score + self.margin}


def trained(scores: Scores, plan: FitSettings = PLAN, **more: object) -> Fitted:
    return fit(regression_game(), line_feed(), plan, look=scores, **more)  # type: ignore[arg-type]


def standing_of(fitted: Fitted) -> Standing:
    assert fitted.state.standing is not None
    return fitted.state.standing


# ---- which product --------------------------------------------------------------------------------------------------


def test_the_best_is_kept_when_the_last_look_is_bad() -> None:
    scores, notebook = Scores(0.1, 0.2, 0.9, *[0.5] * 7), Notebook()
    fitted = trained(scores, observers=[notebook])
    assert same(weights(fitted.product), scores.seen[30 * BATCH])
    assert not same(weights(fitted.product), scores.seen[STEPS * BATCH])
    assert standing_of(fitted).kept_best
    assert [event for event in notebook.events if event["kind"] == "kept_best"] == [
        {
            "kind": "kept_best",
            "step": STEPS,
            "measure": "good",
            "best_score": 0.9,
            "best_examples": 30 * BATCH,
            "final_score": 0.5,
            "final_examples": STEPS * BATCH,
        }
    ]


@pytest.mark.parametrize(("margin", "swapped"), [(0.125, False), (0.12, True)])
def test_an_older_product_replaces_the_last_only_beyond_the_last_interval(margin: float, swapped: bool) -> None:
    scores = Scores(0.25, 0.75, *[0.625] * 8, margin=margin)  # 0.125 apart, exactly
    fitted = trained(scores)
    assert standing_of(fitted).kept_best is swapped
    assert same(weights(fitted.product), scores.seen[(20 if swapped else STEPS) * BATCH])


def test_the_last_product_is_given_when_it_is_the_best() -> None:
    scores, notebook = Scores(*[0.1 * look for look in range(1, 11)]), Notebook()
    fitted = trained(scores, observers=[notebook])
    assert same(weights(fitted.product), scores.seen[STEPS * BATCH])
    assert "kept_best" not in notebook.kinds()


def test_a_score_that_is_no_number_loses_at_the_end_and_beats_nothing() -> None:
    scores = Scores(math.nan, 0.3, *[math.nan] * 8)
    assert same(weights(trained(scores).product), scores.seen[20 * BATCH])
    with_no_score = Scores(*[math.nan] * 10)
    fitted = trained(with_no_score)
    assert same(weights(fitted.product), with_no_score.seen[STEPS * BATCH])


def test_a_last_product_that_nobody_looked_at_is_not_called_worse() -> None:
    scores = Scores(0.9, *[0.1] * 9)
    fitted = trained(scores, settings(STEPS, marks=(0.1, 0.5), best_by="good"))
    assert not standing_of(fitted).kept_best
    assert same(weights(fitted.product), weights(trained(scores, settings(STEPS, marks=())).product))


def test_looks_that_measure_something_else_change_nothing() -> None:
    fitted = fit(regression_game(), line_feed(), PLAN, look=lambda product, state: {"other": 1.0})
    assert fitted.state.standing == Standing()


def test_a_run_that_reached_its_target_gives_the_product_that_reached_it() -> None:
    scores = Scores(0.9, 0.2, 0.5, 0.5)
    fitted = trained(scores, target=lambda quality: quality["good"] == 0.5)
    assert fitted.state.reached
    assert not standing_of(fitted).kept_best
    assert same(weights(fitted.product), scores.seen[40 * BATCH])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.floats(0, 0.5))
def test_the_best_is_the_first_maximum_and_is_preferred_beyond_the_margin(scores: list[float], margin: float) -> None:
    standing = Standing()
    for number, score in enumerate(scores, 1):
        standing = standing.looked(score, margin, number)
    assert standing.best_score == max(scores)
    assert standing.best_examples == scores.index(max(scores)) + 1
    assert standing.unbeaten == len(scores) - standing.best_examples
    assert standing.prefers_best(len(scores)) == (max(scores) - margin > scores[-1])


# ---- when to stop ---------------------------------------------------------------------------------------------------

PATIENT = settings(400, marks=tuple(mark / 40 for mark in range(1, 41)), best_by="good", patience_looks=4)


def test_a_plateau_shortens_the_run_once_and_the_learning_rate_falls_to_its_end() -> None:
    scores, notebook = Scores(0.1, 0.5, 0.4), Notebook()
    fitted = trained(scores, PATIENT, observers=[notebook])
    plateaus = [event for event in notebook.events if event["kind"] == "plateau"]
    shown = 60 * BATCH  # the best at the second look, then four looks
    assert [(event["step"], event["length"]) for event in plateaus] == [(60, shown + int(0.15 * shown))]
    assert "good was 0.5 after 320 examples and not higher in the 4 looks since" in plateaus[0]["reason"]
    assert fitted.state.step == 69
    progress = [record["progress"] for record in notebook.records]
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    rates = [record["learning_rates"]["learner"] for record in notebook.records]
    assert all(after < before for before, after in pairwise(rates))
    assert rates[-1] == pytest.approx(0.0, abs=1e-12)
    assert fitted.state.clock.examples in scores.seen  # the end is looked at


@pytest.mark.parametrize("patience", [0, 36, 39])
def test_without_patience_or_with_so_much_that_the_run_ends_anyway_nothing_is_shortened(patience: int) -> None:
    notebook = Notebook()
    plan = settings(400, marks=PATIENT.marks, best_by="good", patience_looks=patience)
    assert trained(Scores(0.5, 0.4), plan, observers=[notebook]).state.step == 400
    assert "plateau" not in notebook.kinds()


def test_looks_that_still_get_better_now_and_then_are_waited_for() -> None:
    rising = [0.1 * (number // 4) for number in range(40)]  # three looks in a row without a better one
    assert trained(Scores(*rising), PATIENT).state.step == 400


def test_a_run_that_reaches_its_target_ends_there_and_is_not_called_stuck() -> None:
    scores, notebook = Scores(0.5, 0.4, 0.4, 0.3, 0.3), Notebook()
    fitted = trained(scores, PATIENT, observers=[notebook], target=lambda quality: quality["good"] == 0.3)
    assert fitted.state.reached
    assert fitted.state.step == 50  # where patience ends too
    assert "plateau" not in notebook.kinds()


def test_time_that_a_plateau_left_over_is_not_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A steady machine with a clock of its own: without the plateau it would use all of its 400 seconds."""
    monkeypatch.setattr(steer, "SETTLED_SECONDS", 0.1)
    now = 0.0
    monkeypatch.setattr(journal, "perf_counter", lambda: now)

    class Steady(TableFeed):
        def batch(self, indices: Tensor) -> Mapping[str, Tensor]:
            nonlocal now
            now += 1.0 if now < 155 else 0.5  # and after the plateau it even turns faster
            return super().batch(indices)

    notebook = Notebook()
    plan = settings(400, marks=PATIENT.marks, best_by="good", patience_looks=14, seconds_allowed=400.0)
    feed = Steady(**line_feed().tensors)
    state = fit(regression_game(), feed, plan, look=Scores(0.5, 0.4), observers=[notebook]).state
    assert notebook.kinds().count("plateau") == 1
    assert "refitted" not in notebook.kinds()[notebook.kinds().index("plateau") :]
    assert state.step == 173  # 15 looks were until 150: 2,400 examples and 360 more


def test_a_machine_that_turns_slower_after_a_plateau_still_keeps_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steer, "SETTLED_SECONDS", 0.1)
    monkeypatch.setattr(journal.Pace, "WINDOW", 5.0)
    now = 0.0
    monkeypatch.setattr(journal, "perf_counter", lambda: now)

    class Slowing(TableFeed):
        def batch(self, indices: Tensor) -> Mapping[str, Tensor]:
            nonlocal now
            now += 1.0 if now < 205 else 10.0
            return super().batch(indices)

    slow = settings(400, marks=PATIENT.marks, best_by="good", patience_looks=19, seconds_allowed=400.0)
    notebook = Notebook()
    feed = Slowing(**line_feed().tensors)
    state = fit(regression_game(), feed, slow, look=Scores(0.5, 0.4), observers=[notebook]).state
    kinds = notebook.kinds()
    assert kinds.index("plateau") < kinds.index("refitted")
    assert state.seconds == pytest.approx(400.0, rel=0.05)


# ---- the same again -------------------------------------------------------------------------------------------------

SOON = settings(200, marks=tuple(mark / 20 for mark in range(1, 21)), best_by="good", patience_looks=4)


def judged(product: nn.Module, state: State) -> Mapping[str, float]:
    """A score made of the weights, as real looks are, with a maximum in the middle of the run."""
    size = sum(float(tensor.abs().sum()) for tensor in weights(product))
    return {"good": size if state.step <= 60 else -size}


def ended(run: Run, stop: Callable[[], bool] = lambda: False) -> tuple[str, list[Tensor], Standing]:
    fitted = fit(adversarial_game(), TableFeed(x=points()), SOON, run=run, look=judged, stop=stop)
    digest = sha256_of(list_checkpoints(run.checkpoints)[-1] / "tensors.safetensors")
    return digest, weights(fitted.product), standing_of(fitted)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Tensor], Standing]:
    result = ended(Run(tmp_path_factory.mktemp("straight")))
    assert result[2].kept_best
    assert result[2].plateau_length
    return result


@pytest.mark.parametrize(("how", "error"), [(kill_after, Killed), (stop_after, Interrupted)], ids=["killed", "stopped"])
@pytest.mark.parametrize("places", [(5,), (55,), (61,), (99,), (101,), (113,), (30, 45, 25)])
def test_an_interrupted_run_ends_with_the_same_best_product(
    how: Callable[[int], Callable[[], bool]],
    error: type[Exception],
    places: tuple[int, ...],
    straight: tuple[str, list[Tensor], Standing],
    tmp_path: Path,
) -> None:
    run = Run(tmp_path)
    for calls in places:
        with pytest.raises(error):
            ended(run, how(calls))
    digest, product, standing = ended(run)
    assert digest == straight[0]
    assert same(product, straight[1])
    assert standing == straight[2]


def test_a_finished_run_gives_the_same_best_again_and_says_it_once(tmp_path: Path) -> None:
    run = Run(tmp_path)
    first, second = ended(run), ended(run)
    assert same(first[1], second[1])
    assert first[0] == second[0]
    assert [event["kind"] for event in run.read_events()].count("kept_best") == 1


def test_refits_and_a_plateau_are_both_repeated_by_a_resumed_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first sitting is cut because the machine is slow, and then ends early; the second one has no clock to ask."""
    monkeypatch.setattr(steer, "SETTLED_SECONDS", 0.1)
    now = 0.0
    monkeypatch.setattr(journal, "perf_counter", lambda: now)

    class Slow(TableFeed):
        def batch(self, indices: Tensor) -> Mapping[str, Tensor]:
            nonlocal now
            now += 1.5
            return super().batch(indices)

    plan = settings(400, marks=PATIENT.marks, best_by="good", patience_looks=10, seconds_allowed=400.0)
    slow, again = Run(tmp_path / "slow"), Run(tmp_path / "again")
    first = fit(regression_game(), Slow(**line_feed().tensors), plan, run=slow, look=Scores(0.5, 0.4))
    steps = {event["kind"]: event["step"] for event in slow.read_events()}
    assert 0 < steps["refitted"] < steps["plateau"]

    again.folder.mkdir()
    shutil.copy(slow.events, again.events)
    monkeypatch.setattr(steer, "SETTLED_SECONDS", math.inf)
    with pytest.raises(Killed):
        kill = kill_after(steps["plateau"] + 1)
        fit(regression_game(), line_feed(), plan, run=again, look=Scores(0.5, 0.4), stop=kill)
    second = fit(regression_game(), line_feed(), plan, run=again, look=Scores(0.5, 0.4))
    assert second.state.clock == first.state.clock
    assert second.state.standing == first.state.standing
    assert same(weights(second.product), weights(first.product))


def test_rewinding_keeps_the_best_that_was_found_after_the_checkpoint(tmp_path: Path) -> None:
    game = planted(regression_game(), "learner", at("learner", {53, 54, 57}))  # seen at 60, back to 40, best at 50
    first: dict[int, list[Tensor]] = {}

    def look(product: nn.Module, state: State) -> Mapping[str, float]:
        if state.attempt == 0:
            first[state.step] = weights(product)
        return {"good": float(state.attempt == 0 and state.step == 50)}

    run = Run(tmp_path)
    fitted = fit(game, line_feed(), PLAN, run=run, look=look)
    assert "rewound" in [event["kind"] for event in run.read_events()]
    assert standing_of(fitted).kept_best
    assert same(weights(fitted.product), first[50])


@pytest.mark.parametrize("calls", [58, 75])
def test_a_rewound_run_that_was_killed_keeps_the_same_best(calls: int, tmp_path: Path) -> None:
    """Killed before the rewinding, and after it."""

    def look(product: nn.Module, state: State) -> Mapping[str, float]:
        return {"good": float(state.attempt == 0 and state.step == 50)}

    products = []
    for name in ("straight", "killed"):
        run = Run(tmp_path / name)
        if name == "killed":
            with pytest.raises(Killed):
                game = planted(regression_game(), "learner", at("learner", {53, 54, 57}))
                fit(game, line_feed(), PLAN, run=run, look=look, stop=kill_after(calls))
        game = planted(regression_game(), "learner", at("learner", {53, 54, 57}))
        products.append(weights(fit(game, line_feed(), PLAN, run=run, look=look).product))
    assert same(*products)


# ---- what is written ------------------------------------------------------------------------------------------------


def test_without_a_measure_checkpoints_hold_nothing_of_it(tmp_path: Path) -> None:
    run = Run(tmp_path)
    trained(Scores(0.9, 0.1), settings(STEPS, marks=MARKS), run=run)
    newest = list_checkpoints(run.checkpoints)[-1]
    assert "standing" not in json.loads((newest / "state.json").read_text())
    assert PREFIX.encode() not in (newest / "tensors.safetensors").read_bytes()


def test_a_run_that_began_without_a_measure_goes_on_with_one(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with pytest.raises(Interrupted):
        trained(Scores(1.0), settings(STEPS, marks=MARKS), run=run, stop=stop_after(45))
    scores = Scores(0.0, 0.0, 0.0, 0.0, 0.0, 0.8, 0.1)
    fitted = trained(scores, run=run)
    assert same(weights(fitted.product), scores.seen[60 * BATCH])


def test_a_run_that_began_with_a_measure_goes_on_without_one(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with pytest.raises(Interrupted):
        trained(Scores(1.0, 0.0), run=run, stop=stop_after(45))
    fitted = trained(Scores(1.0, 0.0), settings(STEPS, marks=MARKS), run=run)
    straight = trained(Scores(0.0), settings(STEPS, marks=MARKS))
    assert same(weights(fitted.product), weights(straight.product))


def test_what_is_kept_is_a_copy_and_not_the_average_itself() -> None:
    scores = Scores(0.9, *[0.1] * 9)
    fitted = trained(scores)
    first, last = scores.seen[10 * BATCH], scores.seen[STEPS * BATCH]
    assert not same(first, last)
    assert all(torch.isfinite(tensor).all() for tensor in weights(fitted.product))
    assert same(weights(fitted.product), first)
