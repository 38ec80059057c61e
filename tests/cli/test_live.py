"""What a person sees while a run trains, in a terminal and in a log."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
from rich.console import Console

from ganforge.cli.live import LiveView, PlainView, line, view_for


class Clock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def record(i: int, n: int = 100, **changes: Any) -> dict[str, Any]:
    p = (i + 1) / n
    made: dict[str, Any] = {
        "step": 50 * (i + 1),
        "examples": 3200 * (i + 1),
        "length_examples": 3200 * n,
        "progress": p,
        "seconds": 300 * p,
        "examples_per_second": 1000.0,
        "terms": {"discriminator": {"adversarial": 0.4, "r1": 0.1}, "generator": {"adversarial": 1.25}},
        "notes": {"discriminator": {"ranked_right": 0.8, "score_real": 1.0, "score_fake": -1.0}, "generator": {}},
        "gradient_norms": {"discriminator": 0.9, "generator": 0.25},
        "learning_rates": {"discriminator": 0.002, "generator": 0.002},
        "skipped": 0,
        "attempt": 0,
    }
    if i % 10 == 0:
        made["quality"] = {"kid": 0.2 * math.exp(-3 * p), "kid_low": 0.0, "kid_high": 1.0, "recall": 0.5}
    return made | changes


def terminal(force: bool = True) -> Console:
    return Console(file=io.StringIO(), force_terminal=force, width=120, color_system=None, legacy_windows=False)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_gets_the_live_view_and_a_pipe_plain_lines() -> None:
    assert isinstance(view_for(terminal()), LiveView)
    assert isinstance(view_for(Console(file=io.StringIO())), PlainView)


@pytest.mark.parametrize("kind", [LiveView, PlainView])
def test_every_fact_is_shown(kind: type[LiveView] | type[PlainView]) -> None:
    console, clock = terminal(kind is LiveView), Clock()
    with kind(console, clock) as view:
        view.event({"kind": "started", "step": 0, "examples": 320_000, "device": "cpu"})
        view.event({"kind": "sampled", "step": 0, "path": "runs/digits-1/samples/000003200.png"})
        for i in range(51):
            clock.now += 3
            view.record(record(i))
    shown = text_of(console)
    for fact in (
        "Training",
        "51%",
        "163,200 of 320,000 examples",
        "1,000/s",
        "2:37 left",
        "discriminator",
        "generator",
    ):
        assert fact in shown
    for number in ("0.5", "1.25", "0.9", "0.25", "0.002", "kid 0.0433", "improving", "samples/000003200.png"):
        assert number in shown
    assert "It is getting better; the two networks are well matched." in shown


def test_a_view_that_is_told_nothing_writes_nothing() -> None:
    """A command that is refused shows its error and no empty view."""
    console = terminal()
    with pytest.raises(ValueError, match="refused"), LiveView(console):
        raise ValueError("refused")
    assert text_of(console) == ""


def test_the_terminal_is_drawn_at_most_four_times_a_second() -> None:
    console, clock = terminal(), Clock()
    with LiveView(console, clock) as view:
        view.event({"kind": "started", "step": 0})
        view.record(record(0))
        length = len(text_of(console))
        for i in range(1, 100):  # a hundred records in the same instant
            view.record(record(i))
        assert len(text_of(console)) == length
        clock.now += 0.3
        view.record(record(99))
        assert len(text_of(console)) > length


def test_plain_lines_come_every_twentieth_or_every_ten_seconds() -> None:
    console, clock = terminal(False), Clock()
    view = PlainView(console, clock)
    for i in range(200):  # half a percent and a second and a half each
        clock.now += 1.5
        view.record({key: value for key, value in record(i, 200).items() if key != "quality"})
    lines = text_of(console).splitlines()
    assert 19 <= len(lines) <= 31
    assert lines[-1].startswith("100%")


def test_plain_lines_hold_no_control_characters() -> None:
    console = terminal(False)
    view = PlainView(console, Clock())
    view.event({"kind": "rewound", "step": 5, "attempt": 1})
    view.record(record(0))
    assert "\x1b" not in text_of(console)
    assert text_of(console).isascii()


def test_a_far_ahead_discriminator_is_said_in_words() -> None:
    console = terminal(False)
    view = PlainView(console, Clock())
    notes = {"discriminator": {"ranked_right": 0.995, "score_real": 3.0, "score_fake": -3.0}}
    view.record(record(0, notes=notes))
    assert "the discriminator is far ahead" in text_of(console)


def test_a_finding_is_told_once_and_a_critical_one_in_the_meaning() -> None:
    console, clock = terminal(False), Clock()
    view = PlainView(console, clock)
    for i in range(60):
        clock.now += 6
        norms = {"discriminator": 0.9, "generator": 0.25 if i < 40 else 0.25 * 3.0 ** (i - 38)}
        view.record(record(i, gradient_norms=norms))
    shown = text_of(console)
    assert shown.count("critical: exploding") + shown.count("note: exploding") == 1
    assert "Something is wrong: exploding" in shown


def test_a_game_of_one_player_is_shown_without_words_on_balance() -> None:
    console = terminal(False)
    view = PlainView(console, Clock())
    view.record(
        record(
            0,
            terms={"model": {"squared_error": 0.5}},
            notes={"model": {}},
            gradient_norms={"model": 0.1},
            learning_rates={"model": 0.1},
            quality={},
        )
    )
    assert "model: loss 0.5, gradient 0.1, rate 0.1" in text_of(console)
    assert "discriminator" not in text_of(console)


def test_records_after_a_rewind_replace_those_before_it() -> None:
    console = terminal()
    with LiveView(console, Clock()) as view:
        view.event({"kind": "started", "step": 0})
        for i in (0, 1, 2, 1):
            view.record(record(i))
        assert [one["step"] for one in view._facts.records] == [50, 100]
        assert line(view._facts).startswith("  2%")


def test_markup_in_a_path_is_shown_as_it_is() -> None:
    for console, kind in ((terminal(), LiveView), (terminal(False), PlainView)):
        with kind(console, Clock()) as view:
            view.event({"kind": "sampled", "step": 0, "path": "runs/[bold]/1.png"})
        assert "runs/[bold]/1.png" in text_of(console)
