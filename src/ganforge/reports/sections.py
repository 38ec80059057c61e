"""The data passport as a person reads it, for any kind of data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganforge.core.format import number, title
from ganforge.events import back_words, came_words, kind_of, lever_words

_APART = ("skipped", "skipped_count", "warnings", "notes", "labels", "label_names")  # shown in their own way
_TECHNICAL = ("sizes_sampled", "mean_squared_distance", "on_disk")  # facts for the plan, not for a person
DIGESTS = ("sha256", "data_hash", "hash", "digest", "fingerprint")  # shown in the footer
_MOST = 12  # names listed before "and so on"


@dataclass(frozen=True, slots=True)
class Passport:
    """The data passport as a person reads it."""

    facts: tuple[tuple[str, str, str], ...]  # name, value, why it is so ("" where no reason is given)
    labels: str
    skipped: tuple[tuple[str, int, str], ...]  # reason, how many of those listed, some names
    skipped_count: int  # all of them; the passport lists the first ones
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def passport_facts(passport: Mapping[str, Any]) -> Passport | None:
    """None without a passport. Unknown keys are shown as they are, so a new kind of data needs no change here."""
    if not passport:
        return None
    facts = [
        (title(key), text, str(passport.get(f"{key}_why", "")))
        for key, value in passport.items()
        if key not in (*_APART, *DIGESTS, *_TECHNICAL) and not key.endswith("_why") and (text := value_text(value))
    ]
    labels = passport.get("labels") or passport.get("label_names")
    skipped = tuple(_skipped(passport.get("skipped")))
    return Passport(
        facts=tuple(facts),
        labels=_listed(labels),
        skipped=skipped,
        skipped_count=int(passport.get("skipped_count") or sum(count for _, count, _ in skipped)),
        warnings=tuple(_strings(passport.get("warnings"))),
        notes=tuple(_strings(passport.get("notes"))),
    )


def find(sources: Sequence[Mapping[str, Any]], names: Iterable[str]) -> Any:
    """The first value under one of `names`, at the top of a source or in one of its sections; None if there is none."""
    for name in names:
        for source in sources:
            for place in (source, *(value for value in source.values() if isinstance(value, Mapping))):
                if place.get(name) not in (None, "", {}):
                    return place[name]
    return None


def value_text(value: Any) -> str:
    """A value of passport.json or recipe.json; long lists are cut."""
    if value is None:
        return ""
    if isinstance(value, Mapping) and "name" in value:  # a label with its counts
        counts = [f"{number(count)} {key.replace('_', '-')}" for key, count in value.items() if key != "name"]
        return f"{value['name']} ({', '.join(counts)})" if counts else str(value["name"])
    if isinstance(value, Mapping) and {"height", "width"} <= set(value):
        return f"{value['height']} x {value['width']} ({number(value.get('count', ''))})"
    if isinstance(value, Mapping):
        pairs = [f"{str(key).replace('_', ' ')} {value_text(inner)}" for key, inner in value.items()]
        return _listed(pairs)
    if isinstance(value, list | tuple):
        return _listed(value)
    return number(value)


def _listed(values: Any) -> str:
    if isinstance(values, Mapping):
        names = [f"{name} ({value_text(count)})" for name, count in values.items()]
    elif isinstance(values, list | tuple):
        names = [value_text(value) for value in values]
    else:
        return "" if values is None else number(values)
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def _skipped(skipped: Any) -> Iterable[tuple[str, int, str]]:
    """Skipped files by reason, from any of: {reason: count}, [[name, reason], ...], [{name, reason}, ...]."""
    if isinstance(skipped, Mapping):
        for reason, what in skipped.items():
            names = list(what) if isinstance(what, list) else []
            yield str(reason), len(names) if names else int(what or 0), _listed(names[:4])
        return
    if not isinstance(skipped, list):
        return
    pairs = [_name_and_reason(item) for item in skipped]
    for reason, count in Counter(reason for _, reason in pairs).most_common():
        names = [name for name, other in pairs if other == reason and name]
        yield reason, count, _listed(names[:4]) + (" …" if len(names) > 4 else "")


def _name_and_reason(item: Any) -> tuple[str, str]:
    if isinstance(item, Mapping):
        name = item.get("name") or item.get("file") or item.get("path") or ""
        return str(name), str(item.get("reason") or item.get("why") or "skipped")
    if isinstance(item, list) and len(item) == 2:
        return str(item[0]), str(item[1])
    return str(item), "skipped"


def _strings(values: Any) -> list[str]:
    if isinstance(values, str):
        return [values]
    return [str(value) for value in values] if isinstance(values, list) else []


_NOT_SHOWN = ("data.hash", "data.label_names", "data.shape", "length.seconds_allowed")  # said elsewhere


@dataclass(frozen=True, slots=True)
class Choice:
    """One setting of the recipe with its reason."""

    name: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the recipe: what was chosen with a reason, and what was left as it is."""

    title: str
    chosen: tuple[Choice, ...]
    rest: tuple[Choice, ...]


def plan_sections(recipe: Mapping[str, Any]) -> list[Section]:
    """Every setting of the recipe by section; those with a reason apart from those without."""
    reasons: Mapping[str, str] = recipe.get("reasons") or {}
    top = {key: value for key, value in recipe.items() if not isinstance(value, Mapping)}
    groups = {"run": top, **{key: value for key, value in recipe.items() if isinstance(value, Mapping)}}
    sections = []
    for name, settings in groups.items():
        if name in ("ask", "reasons", "versions") or not settings:
            continue
        chosen: list[Choice] = []
        rest: list[Choice] = []
        for key, value in _flat(settings):
            path = key if name == "run" else f"{name}.{key}"
            reason = reasons.get(path, "")
            if path in _NOT_SHOWN and not reason:
                continue
            (chosen if reason else rest).append(Choice(path, value_text(value), reason))
        sections.append(Section(title(name), tuple(chosen), tuple(rest)))
    return sections


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


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
