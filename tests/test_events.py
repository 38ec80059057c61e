"""The list of event kinds is the code's, and each of them says what it should."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ganforge
from ganforge import contracts
from ganforge.events import EVENTS, LEVERS, kind_of, sentence, state_of

TELL = ("tell", "_tell", "event", "add_event")  # calls whose first argument is the kind of an event
TELLERS = ("api", "core", "engine", "kinds", "privacy")  # where events come from


def told() -> Iterator[str]:
    """The kind of every event that some code tells: tell("kind", ...) or {"kind": "kind", "step" or the like}."""
    for folder in TELLERS:
        for file in sorted((Path(ganforge.__file__).parent / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Call) and node.args:
                    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                    if name in TELL:
                        yield from _constants(node.args[0])
                        yield from _kind_in(node.args[0])
                if folder != "kinds":  # other objects with a kind, in kinds/, describe columns and models
                    yield from _kind_in(node)


def _kind_in(node: ast.AST) -> Iterator[str]:
    """What an object {"kind": ...} has for its kind."""
    keys = [getattr(key, "value", None) for key in node.keys] if isinstance(node, ast.Dict) else []
    if isinstance(node, ast.Dict) and "kind" in keys:
        yield from _constants(node.values[keys.index("kind")])


def _constants(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    if isinstance(node, ast.IfExp):
        yield from _constants(node.body)
        yield from _constants(node.orelse)


def test_every_event_that_some_code_tells_is_listed_and_every_listed_one_is_told() -> None:
    assert set(told()) == set(EVENTS)


def test_every_lever_that_the_guard_turns_has_words() -> None:
    assert set(LEVERS) == set(contracts.Levers.__dataclass_fields__) - {"adapted"}


EXAMPLE: dict[str, Any] = {
    "sentence": "The data has changed.", "device": "cpu", "examples": 12_800, "reason": "no GPU is there",
    "path": "runs/a/report.html", "length": 1_000, "to_step": 400, "attempt": 2, "ailment": "lost_ground",
    "action": "penalty", "to": 4.0, "measure": "kid", "before": 0.2, "after": 0.1, "best_examples": 640,
    "best_score": 0.98123, "final_score": 0.97, "step": 500,
    "turns": 900,
}  # fmt: skip


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_becomes_a_sentence_or_says_nothing(name: str) -> None:
    words = sentence({**EXAMPLE, "kind": name})
    assert bool(words) == bool(EVENTS[name].sentence or EVENTS[name].phase)
    assert "{" not in words and (not words or words[0].isupper())
    fields = {field for _, field, _, _ in string.Formatter().parse(EVENTS[name].sentence) if field}
    assert fields <= {*EXAMPLE, "lever", "back", "came", "seen", "because"}


@pytest.mark.parametrize("name", [name for name, kind in EVENTS.items() if kind.happened])
def test_an_event_of_an_older_run_that_lacks_fields_is_still_a_sentence(name: str) -> None:
    assert sentence({"kind": name, "to": "much", "to_step": "back"}).endswith(".")


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"kind": "judging"}, "Preparing the judge."),
        ({"kind": "refitted", "length": 1000}, "1,000 examples in all now fit the time."),
        (
            {"kind": "plateau", "reason": "x was 0.5 after 320 examples and not higher since", "length": 1100},
            "It no longer gets better: x was 0.5 after 320 examples and not higher since. "
            "Training settles and ends at 1,100 examples.",
        ),
        (
            {
                "kind": "kept_best",
                "measure": "table_quality",
                "best_score": 0.98123,
                "best_examples": 12800,
                "final_score": 0.97,
                "final_examples": 25600,
            },
            "The model after 12,800 examples is kept: its table_quality was 0.9812, at the end it is 0.97.",
        ),
        ({"kind": "reported", "path": "report.html"}, "Report: report.html"),
        ({"kind": "checkpoint"}, ""),
    ],
)
def test_events_are_told_as_sentences(event: dict[str, Any], words: str) -> None:
    assert sentence(event).endswith(words)


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        ([], "planned"),
        (["reading", "timing"], "planned"),
        (["started", "sampled", "rewound"], "in training"),
        (["started", "interrupted"], "stopped, can go on"),
        (["started", "interrupted", "resumed", "started", "evaluating"], "in training"),
        (["started", "failed"], "failed"),
        (["started", "finished", "reported"], "finished"),
    ],
)
def test_the_state_of_a_run_is_that_of_its_last_event_that_has_one(kinds: list[str], state: str) -> None:
    assert state_of([{"kind": kind} for kind in kinds]) == state


def test_an_event_of_a_newer_version_says_nothing() -> None:
    event = {"kind": "teleported", "sentence": "{boom}"}
    assert not sentence(event) and not kind_of(event).phase
