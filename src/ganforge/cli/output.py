"""Tables that the verbs print: the plan with its reasons, the measures with floor and reference, the runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ganforge.kinds import kind_named
from ganforge.records import Bars, Block, Content, Prose, Rivals, Rows, read_evaluation

if TYPE_CHECKING:
    from pandas import DataFrame

    from ganforge.api.runs import RunSummary
    from ganforge.recipe import Recipe, Section

SHOWN = ("data", "own", "network", "objective", "augmentation", "optimiser", "average", "length", "compute", "records")
LONGEST = 24  # letters of a cell that is not broken
LEAST_WORDS = 16  # letters that are left for those that are broken; else every cell may be
FEW = 3  # columns that fit into any terminal
WIDE = 120  # columns of a terminal from which on the meanings fit into the table
COLOURS = {
    "excellent": "bold green",
    "good": "bold green",
    "fair": "bold yellow",
    "poor": "bold red",
    "failed": "bold red",
}


def print_plan(recipe: Recipe, console: Console) -> None:
    """Print what was found in the data, every choice with its reason, and how long training would take."""
    for rows in kind_named(recipe.data.kind).overview(recipe):
        _print_rows(rows, console)
    table = table_of("setting", "value", "why")
    table.columns[0].no_wrap = True
    add_row(table, "task", recipe.task, recipe.reasons.get("task", ""))
    for section in (getattr(recipe, name) for name in SHOWN):
        choices = shown_of(section) if section is not None else {}
        for number, (key, value) in enumerate(choices.items(), 1):
            name = f"{section.key}.{key}"
            add_row(table, name, _short(value), recipe.reasons.get(name, ""), end_section=number == len(choices))
    add_row(table, "guard", "on" if recipe.guard else "off", recipe.reasons.get("guard", ""))
    console.print(table)
    say(how_long(recipe), console)


def shown_of(section: Section) -> dict[str, Any]:
    """Return the settings of a section that a plan shows, by key."""
    return {key: value for key, value in section.content().items() if key not in section.apart}


def _print_rows(rows: Rows, console: Console) -> None:
    """Print a task's overview of its data. In a narrow terminal a wide table is without its last column."""
    if rows.caption:
        say(rows.caption, console)
    if not rows.rows:
        return
    shown = len(rows.heads) if console.width >= WIDE or len(rows.heads) <= FEW else len(rows.heads) - 1
    table = table_of(*rows.heads[:shown])
    widths = [max(map(len, cells)) for cells in zip(rows.heads, *rows.rows, strict=True)][:shown]
    room = console.width - sum(width + GAP for width in widths if width <= LONGEST)
    for number, column in enumerate(table.columns):
        column.no_wrap = widths[number] <= LONGEST and room >= LEAST_WORDS
        column.justify = "right" if number in rows.numeric else "left"
    for row in rows.rows:
        add_row(table, *row[:shown])
    console.print(table)


def how_long(recipe: Recipe) -> str:
    """Say in one sentence how long training takes on this machine, as far as it was measured."""
    if not recipe.trains:
        return "Nothing is trained: it takes seconds."
    length = recipe.length
    examples = f"{length.examples:,} examples"
    seconds = length.seconds_allowed
    if seconds is None and length.examples_per_second:
        seconds = length.examples / length.examples_per_second
    if seconds is None:
        return f"Training shows {examples}."
    speed = f" at {length.examples_per_second:,.0f} a second" if length.examples_per_second else ""
    return f"Training takes about {in_words(seconds)}: {examples}{speed}."


def in_words(seconds: float) -> str:
    """Format a duration in words."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 5400:
        return f"{seconds / 60:.1f} minutes".replace(".0 ", " ")
    return f"{seconds / 3600:.1f} hours".replace(".0 ", " ")


def print_evaluation(content: Mapping[str, Any], console: Console) -> None:
    """Print every measure with its interval, floor, reference and meaning; blocks; then the verdict.

    Args: content what evaluation.json holds.
    """

    evaluation = read_evaluation(content)
    if evaluation is None:
        return
    beside = console.width >= WIDE  # else the meanings would be squeezed into a column of a few letters
    table = table_of("measure", "value", "95 % interval", "floor", "reference", "better", *["meaning"] * beside)
    for number, column in enumerate(table.columns[:6]):
        column.no_wrap, column.justify = True, "right" if 1 <= number <= 4 else "left"
    for measure in evaluation.measures:
        add_row(
            table,
            measure.name,
            _number(measure.value),
            f"{_number(measure.low)} to {_number(measure.high)}",
            _number(measure.floor),
            _number(measure.reference),
            measure.better,
            *[measure.meaning] * beside,
        )
    console.print(table)
    meanings = [] if beside else [f"{measure.name}: {measure.meaning}" for measure in evaluation.measures]
    for note in (*meanings, evaluation.floor, evaluation.reference, str(evaluation.judge.get("sentence", ""))):
        if note:
            say(note, console, style="dim")
    print_blocks(evaluation.blocks, console)
    console.print()
    print_verdict(evaluation.verdict.headline, console)
    for sentence in evaluation.verdict.sentences:
        say(sentence, console)


def print_verdict(headline: str, console: Console) -> None:
    """Print the headline of the verdict in the colour of its grade, which is its first word."""
    grade = headline.partition(":")[0].lower()
    say(headline, console, style=COLOURS.get(grade, "bold"))


def say(sentence: str, console: Console, style: str = "") -> None:
    """Print a sentence, wrapped in a terminal but not in a file or a pipe."""
    console.print(plain(sentence, style), soft_wrap=not console.is_terminal)


def plain(words: str, style: str = "") -> Text:
    """Return literal text: brackets are not markup, and control characters of a stranger's run are removed."""
    return Text("".join(letter if letter.isprintable() else "?" for letter in words), style=style)


def say_path(what: str, path: Path, console: Console) -> None:
    """Print a name and its path on one line that can be copied, of any length and with any brackets."""
    console.print(plain(f"{what} {path}"), soft_wrap=True)


def print_runs(runs: Iterable[RunSummary], console: Console) -> None:
    """Print one line per run, its verdict last."""
    table = table_of("run", "data", "task", "state", "quality", "verdict")
    for run in runs:
        add_row(table, str(run.folder), _near(run.data), run.task, run.state, run.quality, run.verdict)
    console.print(table)


def print_next(steps: Mapping[str, str], console: Console) -> None:
    """Print what to type next: command -> what it does. Commands stay on one line, so that they can be copied."""
    width = max(map(len, steps))
    for command, purpose in steps.items():
        line = Text.assemble((command.ljust(width), "cyan"), "  ", (purpose, "dim"))
        console.print(Padding(line, (0, 0, 0, 2)) if console.is_terminal else Text(f"  {line.plain}"), soft_wrap=True)


def table_of(*columns: str) -> Table:
    """Return an empty table in the style of all verbs."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def print_frame(frame: DataFrame, console: Console) -> None:
    """Print a small data frame."""
    table = table_of(*map(str, frame.columns))
    for row in frame.itertuples(index=False):
        add_row(table, *("yes" if cell is True else "no" if cell is False else str(cell) for cell in row))
    console.print(table)


def add_row(table: Table, *cells: str, end_section: bool = False) -> None:
    """Add literal cells: the brackets in `photos [best]` are part of its name, not rich's markup."""
    table.add_row(*map(plain, cells), end_section=end_section)


def _near(data: str) -> str:
    """Return a path relative to the current folder, if it is below it."""
    path, here = Path(data), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else data


def _number(value: float | None) -> str:
    """Format with three significant figures, without an exponent where possible; "-" for None."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"


def _short(value: Any, most: int = 60) -> str:
    """Format a setting's value for one cell; long lists keep their beginning."""
    match value:
        case bool():
            text = "yes" if value else "no"
        case float():
            text = f"{value:.6g}"
        case int():
            text = f"{value:,}"
        case None:
            text = "-"
        case list() | tuple():
            text = " x ".join(map(str, value)) if all(isinstance(v, int) for v in value) else ", ".join(map(str, value))
        case dict():
            text = ", ".join(f"{key} {_short(part)}" for key, part in value.items())
        case _:
            text = str(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"


# ---- the blocks of an evaluation: tables, shares and sentences; pictures and sound are for the report ----------------


MOST_ROWS = 12  # of a table that are printed
BAR = 24  # letters of the longest bar
GAP = 3  # letters between columns


def print_blocks(blocks: Iterable[Block], console: Console) -> None:
    """Print every block that has content for a terminal, under its title."""
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
            _print_table(content.heads, content.rows, content.numeric, console)
            _note(content.caption, console)
        case Rivals():
            rows = [(rival.name, *rival.scores) for rival in content.rows]
            _print_table(("", *content.heads), rows, range(1, len(content.heads) + 1), console)
            _note(content.caption, console)
        case Bars():
            longest = max((share for shares in content.series.values() for share in shares), default=0.0) or 1.0
            rows = [
                (name if first else "", series, "█" * round(BAR * shares[place] / longest), f"{shares[place]:.1%}")
                for place, name in enumerate(content.names)
                for first, (series, shares) in zip((True, *[False] * 3), content.series.items(), strict=False)
            ]
            _print_table(("", "", "", "share"), rows, (3,), console, most=4 * MOST_ROWS)
            _note(content.caption, console)


def _print_table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    numeric: Iterable[int],
    console: Console,
    most: int = MOST_ROWS,
) -> None:
    """Print the first rows of a table, with as many columns as fit the terminal."""
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
