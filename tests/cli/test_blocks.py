"""The blocks of an evaluation in a terminal and in a pipe."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ganforge.cli.output import print_blocks
from ganforge.records import Bars, Block, Content, Figure, Prose, Rival, Rivals, Rows


def printed(*contents: Content, width: int = 80, terminal: bool = True) -> str:
    file = io.StringIO()
    print_blocks(
        [Block("A title", "A lead.", contents)],
        Console(file=file, width=width, force_terminal=terminal, color_system=None, legacy_windows=False),
    )
    return file.getvalue()


def test_a_block_is_printed_under_its_title() -> None:
    lines = printed(Prose(("One.", "Two."))).split("\n")
    assert lines == ["", "A title", "A lead.", "One. Two.", ""]


def test_rivals_stand_under_their_heads_the_model_first() -> None:
    shown = printed(Rivals(("Error",), (Rival("this model", ("0.1",)), Rival("means", ("0.3",), "x")), "0 is best."))
    assert shown.index("Error") < shown.index("this model") < shown.index("means") < shown.index("0 is best.")


def test_bars_are_as_long_as_their_shares() -> None:
    shown = printed(Bars(("left", "right"), {"data": (0.5, 0.25), "samples": (0.25, 0.125)}))
    assert [line.count("█") for line in shown.splitlines() if "█" in line] == [24, 12, 12, 6]
    assert [shown.count(name) for name in ("left", "right", "data", "12.5%")] == [1, 1, 2, 1]


@pytest.mark.parametrize(("width", "columns", "words"), [(200, 20, ""), (40, 5, "The report shows 15 more columns.")])
def test_a_table_has_the_columns_that_the_terminal_has_room_for(width: int, columns: int, words: str) -> None:
    shown = printed(Rows(tuple(f"c{i:03}" for i in range(20)), (("12345",) * 20,)), width=width)
    assert shown.count("12345") == columns
    assert words in shown


def test_a_pipe_gets_every_column() -> None:
    shown = printed(Rows(tuple(f"c{i:03}" for i in range(20)), (("12345",) * 20,)), width=40, terminal=False)
    assert "more columns" not in shown


def test_of_a_long_table_the_first_rows_are_printed_and_the_others_counted() -> None:
    shown = printed(Rows(("name",), tuple((f"row {i}",) for i in range(13))))
    assert "row 11" in shown and "row 12" not in shown
    assert "The report shows 1 more row." in shown


@pytest.mark.parametrize("content", [Figure("a.png", "x"), Rows(("a",), (("b",),), summary="Folded away")])
def test_what_only_the_report_can_show_leaves_no_title_behind(content: Content) -> None:
    assert not printed(content)
