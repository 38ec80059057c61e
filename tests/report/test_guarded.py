"""What the guard did is told in plain words, each action with its reason and outcome, and once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from planted import plant_run

from ganforge.events import sentence
from ganforge.reports import write_report
from ganforge.reports.timeline import guard_actions

ACTED: dict[str, Any] = {
    "kind": "guarded",
    "step": 400,
    "attempt": 0,
    "examples": 25_600,
    "ailment": "lost_ground",
    "action": "learning_rate",
    "from": 1.0,
    "to": 0.25,
    "to_step": 200,
    "reason": "kid is 9.5 and has been 0.1.",
}
HELPED: dict[str, Any] = {
    "kind": "guard_helped",
    "step": 420,
    "attempt": 1,
    "examples": 26_880,
    "ailment": "lost_ground",
    "action": "learning_rate",
    "to": 0.25,
    "measure": "kid",
    "before": 9.5,
    "after": 0.05,
}
UNDONE: dict[str, Any] = {**HELPED, "kind": "unguarded", "to": 1.0, "before": None}


def test_an_action_is_told_with_its_reason_and_what_came_of_it() -> None:
    (action,) = guard_actions([ACTED, HELPED])
    assert action.when == "After 25,600 examples"
    assert action.what == (
        "All learning rates are now 0.25 times the plan's, and training goes back to step 200, where nothing was wrong "
        "yet."
    )
    assert action.why == "Lost ground. kid is 9.5 and has been 0.1."
    assert action.outcome == "It helped: KID was 9.5 before and 0.05 after."
    (undone,) = guard_actions([ACTED, UNDONE])
    assert undone.outcome == "It was no use: KID was no number before and 0.05 after. It was undone."
    (unjudged,) = guard_actions([ACTED])
    assert unjudged.outcome == "The run ended before it could be judged."


def test_what_a_resumed_run_repeated_is_told_once() -> None:
    assert guard_actions([ACTED, HELPED, ACTED, HELPED]) == guard_actions([ACTED, HELPED])


def test_small_steps_of_augmentation_are_told_together() -> None:
    moved = [{"kind": "adjusted", "step": s, "action": "augmentation", "to": s / 10, "reason": "r"} for s in (4, 5)]
    (action,) = guard_actions(moved)
    assert action.what == "The strength of the augmentation was adjusted 2 times, to 0.5 at the end."


def test_every_event_of_the_guard_is_a_sentence() -> None:
    assert sentence(ACTED) == (
        "The guard acts on lost ground: all learning rates are now 0.25 times the plan's, and training goes back to "
        "step 200, where nothing was wrong yet. Seen: kid is 9.5 and has been 0.1."
    )
    assert sentence(HELPED) == "What the guard did about lost ground helped: KID was 9.5 before and 0.05 after."
    assert "so it is undone: all learning rates are now 1 times the plan's." in sentence(UNDONE)
    assert sentence({**UNDONE, "action": "half_life_examples", "to": None}).endswith("is the plan's again.")
    assert sentence({"kind": "adjusted", "action": "augmentation", "to": 0.4}).endswith("of strength 0.4.")


@pytest.mark.slow
def test_the_report_has_the_section_only_where_the_guard_did_something(tmp_path: Path) -> None:
    run = plant_run(tmp_path / "run")
    assert "What the guard did" not in write_report(run, ()).read_text("utf-8")
    for event in (ACTED, HELPED):
        run.add_event(**event)
    page = write_report(run, ()).read_text("utf-8")
    assert "What the guard did" in page
    assert "It helped: KID was 9.5 before and 0.05 after." in page
