"""The guard acts on what is found twice, judges what it did, undoes what was no use, and is a function of the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from guard_world import (
    Diagnose,
    always,
    better_when_slow,
    digest,
    finding,
    guarded,
    scored,
    told,
    train,
    while_fast,
)
from toy_games import (
    Killed,
    Notebook,
    kill_after,
    same,
    stop_after,
    weights,
)

from ganforge.contracts import Levers
from ganforge.engine import guard as guard_module
from ganforge.engine.checkpoint import State, list_checkpoints
from ganforge.engine.guard import MOST_ACTIONS
from ganforge.engine.guard_ladders import LADDERS
from ganforge.errors import Interrupted
from ganforge.records import Finding, History
from ganforge.run import Run


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


@pytest.mark.slow
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
