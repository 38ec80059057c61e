"""The verbs that use a trained model: `sample` draws from it, `apply` takes data through it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

import ganforge
from ganforge.cli import options
from ganforge.cli import output as tables
from ganforge.cli.options import Force, RunFolder, Seed
from ganforge.kinds import every_kind
from ganforge.records import Record

MOST_TOLD = 10  # skipped pictures that are named


def _places(verb: str) -> str:
    """What --out of a verb may name, for its help page."""
    return " ".join(f"{kind.nouns.capitalize()}: {kind.writes[verb]}." for kind in every_kind() if verb in kind.writes)


@options.with_kind_options("sample")
def sample(
    run: RunFolder,
    out: Annotated[
        Path,
        typer.Option(
            metavar="PATH",
            show_default=False,
            help=_places("sample"),
        ),
    ],
    number: Annotated[
        int, typer.Option("-n", "--number", metavar="N", parser=options.whole_number("-n", 1, 64), help="How many.")
    ] = 64,
    seed: Seed = 0,
    force: Force = False,
    *,
    of_kind: dict[str, Any],
) -> None:
    """Draw new examples from the trained model of RUN."""
    written = ganforge.sample(run, number, out, seed=seed, force=force, **of_kind)
    tables.say_path("Wrote", written, Console())


@options.with_kind_options("apply")
def apply(
    run: RunFolder,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            show_default=False,
            help=f"{'; or '.join(kind.applies_to for kind in every_kind() if kind.applies_to).capitalize()}.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="PATH",
            show_default=False,
            help=_places("apply"),
        ),
    ],
    seed: Seed = 0,
    force: Force = False,
    *,
    of_kind: dict[str, Any],
) -> None:
    """Take your own data through the trained model of RUN."""
    console = Console()
    with Applying(console) as view:
        written = ganforge.apply(run, data, out, seed=seed, force=force, observers=(view,), **of_kind)
    view.tell_kept(console)
    tables.say_path("Wrote", Path(str(written)), console)


class Applying:
    """What a person sees while pictures are made of pictures: an observer with a bar; in a file only the notes."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._notes: dict[str, int] = {}  # each note, with the number of pictures that it was said of
        self._skipped: list[str] = []

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def record(self, record: Record) -> None:
        """Nothing is recorded where nothing is trained."""

    def event(self, event: Mapping[str, Any]) -> None:
        """What happens to one of several pictures."""
        if event["kind"] == "skipped":
            self._skipped.append(str(event["reason"]))
        elif event["kind"] == "noted":
            self._notes[str(event["sentence"])] = self._notes.get(str(event["sentence"]), 0) + 1
        else:
            if self._task is None:
                self._task = self._bar.add_task("", total=event["count"])
            done = event["number"] - 1 + event["share"]
            self._bar.update(self._task, completed=done, description=Path(event["picture"]).name)

    def tell_kept(self, console: Console) -> None:
        """What was converted, and what was left out."""
        for note, count in self._notes.items():
            tables.say(f"Note: {note}{f' ({count} pictures)' if count > 1 else ''}.", console)
        for reason in self._skipped[:MOST_TOLD]:
            tables.say(f"Skipped: {reason}", console, "yellow")
        if len(self._skipped) > MOST_TOLD:
            tables.say(f"Skipped: {len(self._skipped) - MOST_TOLD} more.", console, "yellow")
