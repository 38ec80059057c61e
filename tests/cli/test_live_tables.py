"""What is seen while a table is trained: its own measures, in their own direction, and what the data made us say."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from ganforge.cli.live import LiveView, PlainView
from ganforge.kinds import kind_named, task_of

RISING = (0.80, 0.85, 0.88, 0.91, 0.93, 0.95)


def shown(kind: type[LiveView] | type[PlainView], *, events: list[dict[str, Any]]) -> str:
    console = Console(file=io.StringIO(), force_terminal=kind is LiveView, width=120, color_system=None)
    with kind(console) as view:
        for event in events:
            view.event({"step": 0, **event})
        for i, score in enumerate(RISING):
            view.record(
                {
                    "step": i,
                    "examples": 512 * i,
                    "progress": i / 5,
                    "examples_per_second": 1000.0,
                    "quality": {"column_shapes": 1 - score, "column_pairs": 1 - score, "table_quality": score},
                }
            )
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("kind", [LiveView, PlainView])
def test_the_tasks_own_first_measure_leads_and_its_direction_is_right(
    kind: type[LiveView] | type[PlainView],
) -> None:
    measured = dict(task_of(kind_named("tables"), "generate").measured)
    text = shown(kind, events=[{"kind": "started", "examples": 2560, "device": "cpu", "measured": measured}])
    assert "table_quality 0.95" in text and "column_shapes" not in text
    assert "higher is better" in text and "lower is better" not in text
    assert "It is getting better" in text


@pytest.mark.parametrize("kind", [LiveView, PlainView])
def test_what_the_passport_warns_of_is_said(kind: type[LiveView] | type[PlainView]) -> None:
    text = shown(kind, events=[{"kind": "warned", "sentence": "3 lines {were} left out."}])
    assert "Note: 3 lines {were} left out." in text
