"""The guard, step by step, on records that are made by hand."""

from __future__ import annotations

import math
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from guard_world import (
    always,
    guarded,
    one_step,
    record,
    scored,
    state_at,
    told,
    train,
)
from toy_games import (
    Notebook,
)

from ganforge.contracts import Levers
from ganforge.diagnosis import CHECKS
from ganforge.engine.checkpoint import State
from ganforge.engine.guard import TARGET, Guard
from ganforge.engine.guard_ladders import LADDERS, Memory, Trial
from ganforge.run import Run


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
    guard = Guard(lambda history, asked: always("oscillating")(history), {"kid": "lower"})
    state = state_at(0.2, guard=Memory(tried=("oscillating 0",)))
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


def test_a_start_that_overshoots_counts_only_where_nothing_has_been_learned_and_then_although_quality_rises() -> None:
    for first, acts in ((2.0, True), (0.1, False)):
        guard, state, done = guarded(always("overshooting")), state_at(0.0), []
        guard.first_look(state, {"score": first, "score_low": first - 0.1, "score_high": first + 0.1})
        for progress, score in ((0.2, 2.05), (0.3, 2.08)):
            row = record(progress, quality={"score": score, "score_low": score - 0.1, "score_high": score + 0.1})
            done.append(guard.step(state, row, half_life_examples=100.0, can_return=True, saves=False).goes_back)
        assert done == [False, acts]


def test_a_product_that_looks_like_nothing_proves_no_checkpoint() -> None:
    guard, state = guarded(always("shapeless")), state_at(0.1, guard=Memory(saved=40))
    one_step(guard, state, record(0.1))
    assert state.guard is not None
    assert state.guard.healthy == 0
    guard, state = guarded(lambda history: ()), state_at(0.1, guard=Memory(saved=40))
    one_step(guard, state, record(0.1))
    assert state.guard is not None
    assert state.guard.healthy == 40


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
    early = {"shapeless", "hopeless", "overshooting", "opponent_overshooting"}  # diagnosis/gradients.py
    assert set(LADDERS) <= {*CHECKS, *early, "lost_ground"}
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
