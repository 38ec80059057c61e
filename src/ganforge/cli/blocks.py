"""The blocks of an evaluation in a terminal: tables, shares and sentences. Pictures and sound are for the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console

from ganforge.cli.output import add_row, say, table_of
from ganforge.records import Bars, Block, Content, Prose, Rivals, Rows

MOST_ROWS = 12  # of a table that are printed
BAR = 24  # letters of the longest bar
GAP = 3  # letters between columns


def print_blocks(blocks: Iterable[Block], console: Console) -> None:
    """Every block that holds something for a terminal, under its title."""
    for block in blocks:
        shown = [content for content in block.contents if _is_text(content)]
        if shown:
            console.print()
            say(block.title, console, style="bold")
            if block.lead:
                say(block.lead, console, style="dim")
            for content in shown:
                _print(content, console)


def _is_text(content: Content) -> bool:
    return isinstance(content, Prose | Bars | Rivals) or (isinstance(content, Rows) and not content.summary)


def _print(content: Content, console: Console) -> None:
    match content:
        case Prose():
            say(" ".join(content.sentences), console)
        case Rows():
            _print_rows(content.heads, content.rows, content.numeric, console)
            _note(content.caption, console)
        case Rivals():
            rows = [(rival.name, *rival.scores) for rival in content.rows]
            _print_rows(("", *content.heads), rows, range(1, len(content.heads) + 1), console)
            _note(content.caption, console)
        case Bars():
            longest = max((share for shares in content.series.values() for share in shares), default=0.0) or 1.0
            rows = [
                (name if first else "", series, "█" * round(BAR * shares[place] / longest), f"{shares[place]:.1%}")
                for place, name in enumerate(content.names)
                for first, (series, shares) in zip((True, *[False] * 3), content.series.items(), strict=False)
            ]
            _print_rows(("", "", "", "share"), rows, (3,), console, most=4 * MOST_ROWS)
            _note(content.caption, console)


def _print_rows(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    numeric: Iterable[int],
    console: Console,
    most: int = MOST_ROWS,
) -> None:
    """A table, as many of its columns as the terminal is wide enough for, and its first rows."""
    widths = [max(map(len, column)) + GAP for column in zip(heads, *rows[:most], strict=True)]
    fitting = next((n for n in range(len(widths), 1, -1) if sum(widths[:n]) <= console.width), 1)
    fitting = fitting if console.is_terminal else len(heads)
    table = table_of(*heads[:fitting])
    for place in numeric:
        if place < fitting:
            table.columns[place].justify = "right"
    for row in rows[:most]:
        add_row(table, *row[:fitting])
    console.print(table)
    left = {"row": len(rows) - most, "column": len(heads) - fitting}
    words = [f"{count:,} more {name}{'s' if count > 1 else ''}" for name, count in left.items() if count > 0]
    _note(f"The report shows {' and '.join(words)}." if words else "", console)


def _note(sentence: str, console: Console) -> None:
    if sentence:
        say(sentence, console, style="dim")
