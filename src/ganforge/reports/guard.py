"""The guard's actions of a run, each with its reason and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganforge.core.format import number, title
from ganforge.events import back_words, came_words, kind_of, lever_words


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that the guard did."""

    when: str
    what: str
    why: str
    outcome: str


def guard_actions(events: Sequence[Mapping[str, Any]]) -> list[Action]:
    """Every action in order with its reason and outcome. What a resumed run repeated is told once."""
    once = {
        (event["kind"], event.get("attempt"), event.get("step"), event.get("action")): event
        for event in events
        if kind_of(event).guard
    }
    told = list(once.values())
    actions = []
    for place, event in enumerate(told):
        if event["kind"] == "guarded":
            what = f"{lever_words(event)}{back_words(event)}."
            why = f"{title(str(event.get('ailment', '')))}. {event.get('reason', '')}".strip()
            actions.append(Action(_when(event), what[:1].upper() + what[1:], why, _outcome(told[place + 1 :])))
    if moved := [event for event in told if event["kind"] == "adjusted"]:
        times = "once" if len(moved) == 1 else f"{len(moved)} times"
        what = f"The strength of the augmentation was adjusted {times}, to {number(moved[-1]['to'])} at the end."
        actions.append(Action(_when(moved[0]), what, f"At first: {moved[0].get('reason', '')}.", ""))
    return actions


def _outcome(later: Sequence[Mapping[str, Any]]) -> str:
    for event in later:
        if event["kind"] == "guard_helped":
            return f"It helped: {came_words(event)}."
        if event["kind"] == "unguarded":
            return f"It was no use: {came_words(event)}. It was undone."
    return "The run ended before it could be judged."


def _when(event: Mapping[str, Any]) -> str:
    return f"After {number(int(event.get('examples', 0)))} examples"
