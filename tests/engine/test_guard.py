"""The guard acts on what is found twice, judges what it did, undoes what was no use, and is a function of the run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest
from torch import nn
from toy_games import (
    Killed,
    Notebook,
    TableFeed,
    adversarial_game,
    kill_after,
    points,
    same,
    settings,
    stop_after,
    weights,
)

from ganforge.contracts import Finding, History, Levers
from ganforge.core.files import sha256_of
from ganforge.diagnosis import CHECKS
from ganforge.engine import guard as guard_module
from ganforge.engine.checkpoint import State, list_checkpoints
from ganforge.engine.clock import Clock
from ganforge.engine.fit import Fitted, fit
from ganforge.engine.guard import MOST_ACTIONS, TARGET, Guard
from ganforge.engine.ladders import LADDERS
from ganforge.engine.trial import Memory, Trial
from ganforge.errors import Interrupted
from ganforge.run import Run

STEPS = 200
MARKS = tuple(number / 10 for number in range(1, 11))
Diagnose = Callable[[History], Sequence[Finding]]


def finding(ailment: str = "exploding", severity: Any = "critical") -> Finding:
    return Finding(ailment, severity, "seen by the test", "planted", "none")


def always(ailment: str = "exploding", severity: Any = "critical") -> Diagnose:
    return lambda history: (finding(ailment, severity),)


def while_fast(ailment: str, above: float = 0.005, since: int = 60) -> Diagnose:
    """An ailment of runs whose steps are large, from step `since` on: a function of the records alone."""

    def diagnose(history: History) -> Sequence[Finding]:
        last = history.records[-1]
        scale = last["learning_rates"]["discriminator"] / max(1e-9, 0.5 * (1 + math.cos(math.pi * last["progress"])))
        return (finding(ailment),) if last["step"] >= since and scale > above else ()

    return diagnose


def guarded(diagnose: Diagnose, **more: Any) -> Guard:
    return Guard(diagnose, {"score": "higher"}, **more)


def scored(value: Callable[[State], float]) -> Callable[[nn.Module, State], Mapping[str, float]]:
    """A look whose leading measure is `value`, give or take 0.1."""

    def look(product: nn.Module, state: State) -> Mapping[str, float]:
        score = value(state)
        return {"score": score, "score_low": score - 0.1, "score_high": score + 0.1}

    return look


def better_when_slow(state: State) -> float:
    return 1.0 - state.levers.learning_rate - 0.1 * state.clock.progress


def train(run: Run | None, guard: Guard | None, **more: Any) -> Fitted:
    more.setdefault("look", scored(better_when_slow))
    plan = settings(STEPS, marks=MARKS, best_by="score")
    return fit(adversarial_game(), TableFeed(x=points()), plan, run=run, guard=guard, **more)


def told(notebook: Notebook, *kinds: str) -> list[dict[str, Any]]:
    return [event for event in notebook.events if event["kind"] in kinds]


def digest(run: Run) -> str:
    return sha256_of(list_checkpoints(run.checkpoints)[-1] / "tensors.safetensors")


def test_a_run_in_which_nothing_is_found_is_bit_equal_to_one_without_a_guard(tmp_path: Path) -> None:
    plain, watched = Run(tmp_path / "plain"), Run(tmp_path / "watched")
    train(plain, None)
    state = train(watched, guarded(lambda history: ())).state
    assert digest(plain) == digest(watched)
    assert state.levers == Levers()


@pytest.mark.parametrize(
    "diagnose",
    [
        always(severity="note"),
        always("starved"),
        lambda history: (finding(),) if history.records[-1]["step"] % 20 else (),
    ],
    ids=["a note", "no ladder", "never twice in a row"],
)
def test_what_is_no_reason_to_act_changes_nothing(diagnose: Diagnose) -> None:
    notebook = Notebook()
    fitted = train(None, guarded(diagnose), observers=[notebook])
    assert same(weights(fitted.product), weights(train(None, None).product))
    assert not told(notebook, "guarded")


def test_an_action_says_why_and_what_came_of_it(tmp_path: Path) -> None:
    notebook = Notebook()
    state = train(Run(tmp_path), guarded(while_fast("exploding")), observers=[notebook]).state
    (action,) = told(notebook, "guarded")
    assert action["reason"] == "seen by the test"
    assert (action["ailment"], action["action"], action["from"], action["to"]) == (
        "exploding",
        "learning_rate",
        1.0,
        0.1,
    )
    assert (action["step"], action["to_step"]) == (70, 20)
    (outcome,) = told(notebook, "guard_helped", "unguarded")
    assert outcome["kind"] == "guard_helped"
    assert outcome["after"] > outcome["before"] + 0.1
    assert state.levers == Levers(learning_rate=0.1)
    assert state.attempt == 1


def test_what_does_not_help_is_undone_with_both_numbers_and_not_tried_again() -> None:
    notebook = Notebook()
    fitted = train(None, guarded(always("oscillating")), look=scored(lambda state: 0.5), observers=[notebook])
    kinds = [event["kind"] for event in told(notebook, "guarded", "unguarded", "guard_helped")]
    assert kinds[:2] == ["guarded", "unguarded"]
    undone = told(notebook, "unguarded")[0]
    assert (undone["before"], undone["after"]) == (0.5, 0.5)
    actions = [(event["ailment"], event["action"], event["to"]) for event in told(notebook, "guarded")]
    assert len(actions) == len(set(actions))
    assert fitted.state.levers == Levers()


def test_what_is_taken_back_counts_as_shown(tmp_path: Path) -> None:
    """The run ends after as many examples as were asked for, the stretch that was given up included."""
    plain, returned = train(None, None).state, train(Run(tmp_path), guarded(while_fast("exploding"))).state
    records = [record for record in Run(tmp_path).read_records() if record["attempt"] == 1]
    action = next(event for event in Run(tmp_path).read_events() if event["kind"] == "guarded")
    given_up = 16 * (action["step"] - action["to_step"])
    assert returned.clock.examples == plain.clock.examples - given_up
    assert records[-1]["progress"] == 1.0


def test_the_number_of_actions_is_bounded(tmp_path: Path) -> None:
    notebook = Notebook()

    def many(history: History) -> Sequence[Finding]:
        return [finding(ailment) for ailment in LADDERS]

    train(Run(tmp_path), guarded(many, augments=True), look=scored(lambda state: 0.5), observers=[notebook])
    assert 2 <= len(told(notebook, "guarded")) <= MOST_ACTIONS
    assert sum(event["to_step"] is not None for event in told(notebook, "guarded")) <= guard_module.MOST_RETURNS


EVERY_END: dict[str, tuple[Diagnose, Callable[[State], float]]] = {
    "goes back, helps": (while_fast("exploding"), better_when_slow),
    "goes back, is undone": (while_fast("exploding"), lambda state: 0.5),
    "stays, is undone, goes back": (while_fast("oscillating"), better_when_slow),
    "goes back from far": (while_fast("exploding", since=100), better_when_slow),
}


ENDS = (
    (stop_after, Interrupted, (41,)),
    (kill_after, Killed, (71,)),
    (stop_after, Interrupted, (75,)),
    (kill_after, Killed, (90, 10, 35)),
    (stop_after, Interrupted, (111, 20)),
)


@pytest.mark.parametrize("kind", EVERY_END)
def test_killed_or_stopped_anywhere_and_resumed_is_bit_equal(kind: str, tmp_path: Path) -> None:
    """Also between an action and its judgement, right after the run was taken back, and more than once."""
    diagnose, value = EVERY_END[kind]

    def sit(run: Run, stop: Callable[[], bool] = lambda: False) -> State:
        return train(run, guarded(diagnose), look=scored(value), stop=stop).state

    straight = Run(tmp_path / "straight")
    end = sit(straight)
    assert any(event["kind"] == "guarded" for event in straight.read_events())
    for number, (way, error, calls) in enumerate(ENDS):
        run = Run(tmp_path / str(number))
        for call in calls:
            with pytest.raises(error):
                sit(run, way(call))
        again = sit(run)
        assert digest(run) == digest(straight), (way.__name__, calls)
        assert (again.guard, again.levers, again.attempt) == (end.guard, end.levers, end.attempt)


def test_the_history_that_a_resumed_run_shows_is_the_same_and_holds_no_clock(tmp_path: Path) -> None:
    shown: dict[str, dict[tuple[int, int], Any]] = {"straight": {}, "killed": {}}
    base = while_fast("exploding")

    def keep(where: str) -> Diagnose:
        def diagnose(history: History) -> Sequence[Finding]:
            key = (len(history.records), len(shown[where]))
            shown[where][key[0], history.records[-1]["length_examples"]] = history.records
            return base(history)

        return diagnose

    train(Run(tmp_path / "straight"), guarded(keep("straight")))
    for calls in (75, 130):
        with pytest.raises(Killed):
            train(Run(tmp_path / "killed"), guarded(keep("killed")), stop=kill_after(calls))
    train(Run(tmp_path / "killed"), guarded(keep("killed")))
    assert shown["killed"] == shown["straight"]


def test_a_damaged_checkpoint_to_go_back_to_does_not_end_the_run(tmp_path: Path) -> None:
    run, notebook = Run(tmp_path), Notebook()

    def damage(history: History) -> Sequence[Finding]:
        if history.records[-1]["step"] == 60:
            (run.checkpoints / "000000020" / "state.json").write_text("{}")
        return while_fast("exploding")(history)

    state = train(run, guarded(damage), observers=[notebook]).state
    assert told(notebook, "damaged_checkpoint")
    assert state.attempt == 0
    assert state.levers.learning_rate == 0.1  # that much can still be done


def test_the_checkpoint_to_go_back_to_is_older_than_the_newest_healthy_one_and_is_kept(tmp_path: Path) -> None:
    """What is seen late has begun earlier: one more save must have found nothing wrong."""
    run, notebook = Run(tmp_path), Notebook()

    def kept(history: History) -> Sequence[Finding]:
        if history.records[-1]["step"] == 110:
            names.extend(path.name for path in list_checkpoints(run.checkpoints))
        return while_fast("exploding", since=100)(history)

    names: list[str] = []
    train(run, guarded(kept), observers=[notebook])
    (action,) = told(notebook, "guarded")
    assert (action["step"], action["to_step"]) == (110, 60)
    assert {"000000060", "000000080", "000000100"} <= set(names)


# ---- one step at a time ----------------------------------------------------------------------------------------------


def record(progress: float, **more: Any) -> dict[str, Any]:
    base = {"step": int(1000 * progress), "progress": progress, "seconds": 5.0, "attempt": 0, "terms": {}, "notes": {}}
    return {**base, "quality": {"score": 0.5, "score_low": 0.4, "score_high": 0.6}, **more}


def state_at(progress: float, **more: Any) -> State:
    return State(Clock(10_000, int(10_000 * progress)), step=int(1000 * progress), **more)


def one_step(guard: Guard, state: State, row: dict[str, Any]) -> list[Mapping[str, Any]]:
    return list(guard.step(state, row, half_life_examples=100.0, can_return=False, saves=False).events)


def test_augmentation_moves_in_small_steps_towards_the_target_and_only_once_the_guard_has_begun_it() -> None:
    guard, state = guarded(lambda history: (), augments=True), state_at(0.2)

    def scores(held_out: float) -> dict[str, Any]:
        return {"discriminator": {"score_real": 1.0, "score_fake": 0.0, "score_held_out": held_out}}

    by_heart, fine = 1.0 - TARGET - 0.1, 1.0 - TARGET + 0.1
    assert one_step(guard, state, record(0.2, notes=scores(by_heart))) == []
    state.levers = Levers(augmentation=0.3)
    for held_out, strength in ((by_heart, 0.4), (by_heart, 0.5), (fine, 0.4)):
        (event,) = one_step(guard, state, record(0.3, notes=scores(held_out)))
        assert event["kind"] == "adjusted"
        assert state.levers.augmentation == strength
    state.levers = Levers(augmentation=0.8)
    assert one_step(guard, state, record(0.5, notes=scores(by_heart))) == []


def test_tables_have_no_augmentation_and_get_the_next_rung() -> None:
    for augments, lever in ((True, "augmentation"), (False, "penalty")):
        guard, state = guarded(always("discriminator_overfits"), augments=augments), state_at(0.2)
        terms = {"discriminator": {"adversarial": 0.5, "r1": 0.1}}
        one_step(guard, state, record(0.2, terms=terms))
        (event,) = one_step(guard, state, record(0.3, terms=terms))
        assert event["action"] == lever


def test_a_penalty_that_is_not_there_is_not_multiplied() -> None:
    guard, state = guarded(always("collapse")), state_at(0.2)
    for progress in (0.2, 0.3, 0.4):
        assert one_step(guard, state, record(progress, terms={"discriminator": {"adversarial": 1.0, "r1": 0.0}})) == []
    assert state.levers == Levers()


def test_a_longer_average_is_at_least_what_a_plan_gives_and_at_most_a_fifth_of_the_run() -> None:
    for before, after in ((0.0, 500.0), (100.0, 500.0), (300.0, 1200.0), (1000.0, 2000.0)):
        guard = guarded(always("oscillating"))
        state = state_at(0.2, guard=Memory(tried=("oscillating 0",)))
        for progress in (0.2, 0.3):
            guard.step(state, record(progress), half_life_examples=before, can_return=False, saves=False)
        assert state.levers.half_life_examples == after


def test_a_quality_that_is_no_number_loses_and_is_told_as_none() -> None:
    nothing = {"score": math.nan, "score_low": math.nan, "score_high": math.nan}
    guard, state = guarded(always("oscillating")), state_at(0.2, guard=Memory(tried=("oscillating 0",)))
    one_step(guard, state, record(0.2, quality=nothing))
    (event,) = one_step(guard, state, record(0.3, quality=nothing))
    assert event["score"] is None
    one_step(guard, state, record(0.4))
    (event,) = one_step(guard, state, record(0.5))
    assert (event["kind"], event["before"], event["after"]) == ("guard_helped", None, 0.5)


def test_numbers_that_turn_into_none_are_lost_ground() -> None:
    guard, state = guarded(lambda history: ()), state_at(0.2)
    nothing = {"score": math.nan, "score_low": math.nan, "score_high": math.nan}
    goes_back = [
        guard.step(state, record(at, **more), half_life_examples=100.0, can_return=True, saves=False).goes_back
        for at, more in ((0.2, {}), (0.3, {"quality": nothing}), (0.4, {"quality": nothing}))
    ]
    assert goes_back == [False, False, True]


def test_what_looks_alone_can_show_is_found_again_at_the_next_look_and_not_at_the_next_record() -> None:
    terms = {"discriminator": {"adversarial": 0.5, "r1": 0.1}}
    for ailment, acts in (("collapse", [False, False, True]), ("discriminator_wins", [False, True, False])):
        guard, state = guarded(always(ailment)), state_at(0.2)
        rows = (record(0.2, terms=terms), record(0.25, terms=terms, quality=None), record(0.3, terms=terms))
        assert [bool(one_step(guard, state, row)) for row in rows] == acts


def test_lower_can_be_better() -> None:
    guard, state = Guard(always("oscillating"), {"kid": "lower"}), state_at(0.2, guard=Memory(tried=("oscillating 0",)))
    for progress, kid, kinds in ((0.2, 0.5, []), (0.3, 0.5, ["guarded"]), (0.4, 0.5, []), (0.5, 0.3, ["guard_helped"])):
        seen = {"kid": kid, "kid_low": kid - 0.1, "kid_high": kid + 0.1}
        assert [event["kind"] for event in one_step(guard, state, record(progress, quality=seen))] == kinds


def test_a_run_that_falls_far_behind_what_it_was_is_taken_back_even_if_no_check_sees_why(tmp_path: Path) -> None:
    """Twice in a row, and by more than chance: 0.1 on either side is the interval."""
    for fallen, acted in ((0.7, False), (-0.2, True)):
        notebook, run = Notebook(), Run(tmp_path / str(fallen))
        worth = scored(lambda state, fallen=fallen: fallen if 0.5 <= state.clock.progress <= 0.7 else 1.0)
        train(run, guarded(lambda history: ()), look=worth, observers=[notebook])
        assert {event["ailment"] for event in told(notebook, "guarded")} == ({"lost_ground"} if acted else set())


def test_what_gets_better_is_left_alone_whatever_is_found() -> None:
    guard, state = guarded(always("oscillating")), state_at(0.2, guard=Memory(tried=("oscillating 0",)))
    for progress, score, kinds in ((0.2, 0.5, []), (0.3, 0.6, []), (0.4, 0.7, []), (0.5, 0.65, ["guarded"])):
        seen = {"score": score, "score_low": score - 0.1, "score_high": score + 0.1}
        assert [event["kind"] for event in one_step(guard, state, record(progress, quality=seen))] == kinds


def test_a_run_goes_back_only_while_enough_is_left_to_learn_anew() -> None:
    for given_up, acts in ((0, True), (20_000, False)):
        guard, state = guarded(always()), state_at(0.5, guard=Memory(given_up=given_up))
        for _ in range(2):
            done = guard.step(state, record(0.5), half_life_examples=100.0, can_return=True, saves=False)
        assert done.goes_back is acts


def test_a_product_far_worse_than_before_the_first_step_has_lost_ground() -> None:
    guard, state = guarded(lambda history: ()), state_at(0.0)
    guard.first_look(state, {"score": 2.0, "score_low": 1.9, "score_high": 2.1})
    assert one_step(guard, state, record(0.2)) == []
    guard.step(state, record(0.3), half_life_examples=100.0, can_return=True, saves=False)
    assert state.guard is not None
    assert state.guard.trial is not None
    assert state.guard.trial.ailment == "lost_ground"


def test_every_rung_moves_a_lever_that_there_is_against_something_that_can_be_found() -> None:
    assert set(LADDERS) <= {*CHECKS, "lost_ground"}
    levers = {field.name for field in fields(Levers)}
    for ladder in LADDERS.values():
        assert ladder
        assert {rung.lever for rung in ladder} <= levers


def test_what_the_guard_remembers_survives_a_checkpoint() -> None:
    trial = Trial("lost 0", "collapse", "penalty", 1.0, 0.3, False, 0.5, 0.4, 0.6, 1)
    memory = Memory(("collapse 0",), trial, ("collapse",), 1, 2, 640, 40, 60, (0.5, 0.4, 0.6))
    state = state_at(0.3, guard=memory, levers=Levers(half_life_examples=3.0))
    assert State.from_json(state.as_json()) == state
    assert Memory.from_json(asdict(replace(memory, trial=None))).trial is None
