"""What the guard did in a run, in plain words: each action, why, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganforge.reports.words import number, title

GUARD_KINDS = ("guarded", "guard_helped", "unguarded", "adjusted")  # the events of the guard (engine/guard.py)
_LEVERS = {
    "learning_rate": "all learning rates are now {:.3g} times the plan's",
    "opponent_learning_rate": "the discriminator's learning rate is now {:.3g} times the plan's",
    "penalty": "the gradient penalty is now {:.3g} times the plan's",
    "augmentation": "the discriminator sees the data through random changes of strength {:.3g}",
    "half_life_examples": "the moving average now has a half-life of {:,.0f} examples",
}


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that the guard did."""

    when: str
    what: str
    why: str
    outcome: str


def guard_words(event: Mapping[str, Any]) -> str:
    """An event of the guard as a sentence; "" for any other."""
    kind, lever = str(event.get("kind")), _lever(event)
    if kind == "guarded":
        return f"The guard acts on {_ailment(event)}: {lever}{_back(event)}."
    if kind == "guard_helped":
        return f"What the guard did helped: {_numbers(event)}."
    if kind == "unguarded":
        return f"What the guard did was no use ({_numbers(event)}), so it is undone: {lever}."
    return f"The guard: {lever}." if kind == "adjusted" else ""


def guard_actions(events: Sequence[Mapping[str, Any]]) -> list[Action]:
    """Every action in order with its reason and outcome. What a resumed run repeated is told once."""
    once = {
        (event["kind"], event.get("attempt"), event.get("step"), event.get("action")): event
        for event in events
        if event.get("kind") in GUARD_KINDS
    }
    told = list(once.values())
    actions = []
    for place, event in enumerate(told):
        if event["kind"] == "guarded":
            what = f"{_lever(event)}{_back(event)}."
            why = f"{title(_ailment(event))}. {event.get('reason', '')}".strip()
            actions.append(Action(_when(event), what[:1].upper() + what[1:], why, _outcome(event, told[place + 1 :])))
    if moved := [event for event in told if event["kind"] == "adjusted"]:
        times = "once" if len(moved) == 1 else f"{len(moved)} times"
        what = f"The strength of the augmentation was adjusted {times}, to {number(moved[-1]['to'])} at the end."
        actions.append(Action(_when(moved[0]), what, f"At first: {moved[0].get('reason', '')}.", ""))
    return actions


def _outcome(action: Mapping[str, Any], later: Sequence[Mapping[str, Any]]) -> str:
    for event in later:
        if event["kind"] in ("guard_helped", "unguarded"):
            helped = event["kind"] == "guard_helped"
            return f"It helped: {_numbers(event)}." if helped else f"It was no use: {_numbers(event)}. It was undone."
    return "The run ended before it could be judged." if action else ""


def _lever(event: Mapping[str, Any]) -> str:
    """Where the lever of an event now stands."""
    lever, to = str(event.get("action")), event.get("to")
    if to is None:
        return "the moving average is the plan's again"
    return _LEVERS.get(lever, f"{lever.replace('_', ' ')} is now {{:.3g}}").format(to)


def _back(event: Mapping[str, Any]) -> str:
    if event.get("to_step") is None:
        return ""
    return f", and training goes back to step {event['to_step']:,}, where nothing was wrong yet"


def _ailment(event: Mapping[str, Any]) -> str:
    return str(event.get("ailment", "")).replace("_", " ")


def _numbers(event: Mapping[str, Any]) -> str:
    name = title(str(event.get("measure", "")))
    before, after = (
        number(event.get(key)) if event.get(key) is not None else "no number" for key in ("before", "after")
    )
    return f"{name} was {before} before and {after} after"


def _when(event: Mapping[str, Any]) -> str:
    return f"After {number(int(event.get('examples', 0)))} examples"
