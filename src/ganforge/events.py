"""The kinds of event that a run or a verb reports, each with its text. Live view, report and diagnosis read this list.

An event is one line of events.jsonl: {"time", "kind", "step", ...fields of its kind}. A new kind of event is one line
of EVENTS; a test compares the list with the events that the code emits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ganforge.core.format import number, title
from ganforge.errors import MISFIT

if TYPE_CHECKING:
    from ganforge.contracts import Observer

State: TypeAlias = Literal["planned", "in training", "stopped, can go on", "failed", "finished"]

LEVERS = {
    "learning_rate": "all learning rates are now {:.3g} times the plan's",
    "opponent_learning_rate": "the discriminator's learning rate is now {:.3g} times the plan's",
    "penalty": "the gradient penalty is now {:.3g} times the plan's",
    "augmentation": "the discriminator sees the data through random changes of strength {:.3g}",
    "half_life_examples": "the moving average now has a half-life of {:,.0f} examples",
}
"""Fields of contracts.Levers: where a lever stands, in words."""


@dataclass(frozen=True, slots=True)
class EventKind:
    """A kind of event and its text for a person."""

    sentence: str = ""  # a format string of the event's fields; "" says what the phase says, or nothing
    phase: str = ""  # what the program does from this event on
    state: State | None = None  # of the run from this event on; None: as before
    note: bool = False  # stays in sight until the run ends
    change: bool = False  # the run is not quite what its recipe says: the report says so
    guard: bool = False  # an action of the guard, or what came of one
    happened: bool = False  # is reported afterwards, as something that happened on the way
    mark: Literal["", "rewind", "guard"] = ""  # drawn over the curves of the layers


_CHANGE = EventKind("Note: {sentence}", note=True, change=True, happened=True)

EVENTS: Mapping[str, EventKind] = {
    # before training
    "reading": EventKind(phase="Reading the data"),
    "timing": EventKind(phase="Timing this machine"),
    "warned": EventKind("Note: {sentence}", note=True),
    "judging": EventKind(phase="Preparing the judge"),
    "judged": EventKind(),  # accuracy, chance, checked: for the diagnosis
    "accepted_changed_data": _CHANGE,
    "environment_changed": _CHANGE,
    "damaged_checkpoint": _CHANGE,
    # training
    "started": EventKind("Training on {device}: {examples:,} examples.", phase="Training", state="in training"),
    "resumed": EventKind(
        "Training goes on after {examples:,} examples.", phase="Training", state="in training", happened=True
    ),
    "captured": EventKind("From here on steps are repeated from a recording.", happened=True),
    "not_captured": EventKind("Steps run operation by operation: {reason}.", happened=True),
    "sampled": EventKind("Samples: {path}"),
    "checkpoint": EventKind(),
    "refitted": EventKind(
        "This machine's speed has changed: {length:,} examples in all now fit the time.", happened=True
    ),
    "rewound": EventKind(
        "Back to the healthy checkpoint of step {to_step:,}, with a smaller learning rate (attempt {attempt}).",
        happened=True,
        mark="rewind",
    ),
    "guarded": EventKind("The guard acts on {ailment}: {lever}{back}.{seen}", guard=True, happened=True, mark="guard"),
    "guard_helped": EventKind(
        "What the guard did about {ailment} helped: {came}.", guard=True, happened=True, mark="guard"
    ),
    "unguarded": EventKind(
        "What the guard did about {ailment} was no use ({came}), so it is undone: {lever}.",
        guard=True,
        happened=True,
        mark="guard",
    ),
    "adjusted": EventKind("The guard: {lever}{because}.", guard=True, happened=True),
    "plateau": EventKind(
        "It no longer gets better: {reason}. Training settles and ends at {length:,} examples.", happened=True
    ),
    "price_spent": EventKind(
        "After {turns:,} private turns the rest of the price covers a run of {length:,} examples in all.",
        change=True,
        happened=True,
    ),
    "kept_best": EventKind(
        "The model after {best_examples:,} examples is kept: its {measure} was {best_score:.4g}, "
        "at the end it is {final_score:.4g}.",
        happened=True,
    ),
    "interrupted": EventKind(phase="Stopped and saved", state="stopped, can go on", happened=True),
    "failed": EventKind("Training failed.", phase="Failed", state="failed", happened=True),
    # instead of training, where a release with noise is all that is made of the data
    "releasing": EventKind(phase="Releasing statistics with noise", state="in training"),
    "released": EventKind("{sentence}", happened=True),
    # after training
    "settling": EventKind(phase="Settling what was learned"),
    "settled": EventKind(),  # seconds
    "evaluating": EventKind(phase="Judging the result"),
    "finished": EventKind(phase="Done", state="finished"),
    "reported": EventKind("Report: {path}"),
    # other verbs
    "applied": EventKind(),  # share, path: of one file
    "noted": EventKind("{sentence}"),
    "skipped": EventKind("Skipped: {reason}"),
    "compared": EventKind(),  # number, count
    "profiling": EventKind(phase="Playing steps and watching them"),
    "comparing": EventKind(phase="Timing other settings in turn"),
}
_UNKNOWN = EventKind()


def kind_of(event: Mapping[str, Any]) -> EventKind:
    """Return the kind of an event; one without text for an event of another version of ganforge."""
    return EVENTS.get(str(event.get("kind")), _UNKNOWN)


def sentence(event: Mapping[str, Any]) -> str:
    """Return an event as one sentence; "" for one without text. Events of older runs may lack fields."""
    kind = kind_of(event)
    if kind.sentence:
        try:
            return kind.sentence.format_map({**event, **(_of_guard(event) if kind.guard else {})})
        except MISFIT:
            pass
    if kind.phase:
        return f"{kind.phase}."
    return f"{title(str(event['kind']))}." if kind.sentence else ""


def state_of(events: Iterable[Mapping[str, Any]]) -> State:
    """Return the state of a run: that of its last event that has one."""
    states = [state for event in events if (state := kind_of(event).state) is not None]
    return states[-1] if states else "planned"


def lever_words(event: Mapping[str, Any]) -> str:
    """Return the new value of the lever of a guard's event. Raises: ValueError, TypeError if it is not a number."""
    lever, to = str(event.get("action")), event.get("to")
    if to is None:
        return "the moving average is the plan's again"
    return LEVERS.get(lever, f"{lever.replace('_', ' ')} is now {{:.3g}}").format(to)


def back_words(event: Mapping[str, Any]) -> str:
    """Return where a guard's action takes the run back to; "" if it does not."""
    if event.get("to_step") is None:
        return ""
    return f", and training goes back to step {event['to_step']:,}, where nothing was wrong yet"


def came_words(event: Mapping[str, Any]) -> str:
    """Return the result of a guard's action: the measure before and after it."""
    scores = (event.get(key) for key in ("before", "after"))
    before, after = (number(score) if score is not None else "no number" for score in scores)
    return f"{title(str(event.get('measure', '')))} was {before} before and {after} after"


def _of_guard(event: Mapping[str, Any]) -> dict[str, str]:
    """Return more fields for the sentences of the guard."""
    reason = str(event.get("reason") or "")
    return {
        "seen": f" Seen: {reason}" if reason else "",
        "because": f", because {reason}" if reason else "",
        "ailment": str(event.get("ailment", "")).replace("_", " "),
        "lever": lever_words(event),
        "back": back_words(event),
        "came": came_words(event),
    }


def tell_note(observers: Iterable[Observer], words: str, count: int) -> None:
    """Tell observers a sentence on what is drawn or applied. Args: count of the examples that it is about."""
    for observer in observers:
        observer.event({"kind": "noted", "sentence": words, "count": count})
