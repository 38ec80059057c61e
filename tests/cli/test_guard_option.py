"""--guard on|off reaches the recipe with a reason; the views say what the guard does."""

from __future__ import annotations

from typing import Any

import pytest

from ganforge.api.train import guard_for, with_guard
from ganforge.cli.live import Facts
from ganforge.cli.main import main
from ganforge.events import sentence
from ganforge.recipe import Length, Network, Recipe, Request, read_recipe


def recipe(task: str = "generate", **asked: Any) -> Recipe:
    return Recipe(
        ganforge="0",
        task=task,
        ask=Request(source="digits", **asked),
        data={"source": "digits", "kind": "pictures" if task == "generate" else "tables", "shape": (1, 8, 8)},
        network=Network(name="conv", width=8),
        length=Length(examples=64),
    )


def test_runs_are_guarded_unless_a_person_wants_none_or_nobody_plays_against_anybody() -> None:
    for draft, guarded, word in (
        (recipe(), True, "healthy"),
        (recipe(guard=False), False, "you asked"),
        (recipe("regress"), False, "no opponent"),
    ):
        chosen = with_guard(draft)
        assert chosen.guard is guarded
        assert word in chosen.reasons["guard"]
        assert (guard_for(chosen) is not None) is guarded


def test_a_run_from_before_there_was_a_guard_goes_on_without_one() -> None:
    content = recipe().to_json()
    del content["guard"], content["ask"]["guard"]
    assert read_recipe(content).guard is False


def test_the_option_takes_on_and_off_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "digits8", "--examples", "64", "--guard", "maybe"]) == 2
    assert "on or off" in capsys.readouterr().err


def test_a_plan_shows_whether_its_run_is_guarded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "digits8", "--examples", "64", "--guard", "off"]) == 0
    assert "you asked for no guard" in " ".join(capsys.readouterr().out.split())


def test_the_last_thing_that_the_guard_did_stays_in_view() -> None:
    event = {"kind": "guarded", "step": 9, "ailment": "collapse", "action": "penalty", "to": 4.0, "to_step": None}
    facts = Facts()
    facts.event(event)
    facts.event({"kind": "checkpoint", "step": 10})
    assert (
        facts.guarded
        == sentence(event)
        == "The guard acts on collapse: the gradient penalty is now 4 times the plan's."
    )
