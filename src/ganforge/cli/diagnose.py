"""The verb `diagnose`: its options, and the live view of a run that another process trains."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, RenderableType

import ganforge
from ganforge.cli import output as tables
from ganforge.cli.options import Force, RunFolder
from ganforge.core.stop import Terminated
from ganforge.errors import InputError, refused

if TYPE_CHECKING:
    from ganforge.api.diagnose import Diagnosis

NEEDS_ACTION = 4  # exit code of --check
LEAST_PAUSE = 1.0  # seconds between two readings of a run that is followed
SHARE = 0.04  # of one core, at most, that following takes from the trainer
PLAIN_SHARE = 0.05  # of the run, after which a pipe gets another line


def diagnose(
    run: RunFolder,
    live: Annotated[
        bool,
        typer.Option("--live", metavar="", help="Follow a run in progress, until it ends or you press Ctrl-C."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print JSON and nothing else.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PAGE",
            help="Also write a page.html: the findings, and gradients and steps drawn layer by layer.",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", metavar="", help="For scripts: exit code 4 if something needs action.")
    ] = False,
    force: Force = False,
) -> None:
    """Say what is wrong with RUN and what is not; also while it trains."""
    if live and as_json:
        raise InputError(
            "--live and --json were given.", "A program reads one answer.", "Ask again with --json as often as needed."
        )
    console = Console()
    found = follow(run, console) if live else ganforge.diagnose(run)
    if out is not None:
        out = found.write(out, force=force)
    if as_json:
        print(json.dumps(found.to_json(), indent=2, default=str))
    else:
        if not (live and console.is_terminal):
            _print(found, console)
        if out is not None:
            tables.say_path("Wrote", out, console)
        elif found.layers:
            console.print()
            page = f"ganforge diagnose {quote(str(run))} --out page.html"
            tables.print_next({page: "gradients and steps, drawn layer by layer"}, console)
    if check and found.critical:
        raise typer.Exit(NEEDS_ACTION)


def follow(run: str | Path, console: Console, sleep: Callable[[float], None] = time.sleep) -> Diagnosis:
    """Show a run's diagnosis repeatedly while another process trains it. Returns: the last one.

    A terminal is redrawn in place; other outputs get a line when something changes. Ctrl-C ends it quietly,
    as the way to leave; SIGTERM is passed on. Long runs are read less often, so that the trainer keeps its
    core.
    """
    from rich.live import Live

    from ganforge.cli.diagnosis_view import short_line

    found: Diagnosis | None = None
    said, shown_at = "", -1.0
    with Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as view:
        try:
            while found is None or found.state == "training":
                begun = perf_counter()
                found = ganforge.diagnose(run)
                progress = float(found.history.records[-1]["progress"]) if found.history.records else 0.0
                if console.is_terminal:
                    view.update(_picture(found, wrapped=True), refresh=True)
                elif found.state == "training" and (found.sentence != said or progress - shown_at >= PLAIN_SHARE):
                    said, shown_at = found.sentence, progress
                    console.print(short_line(found), soft_wrap=True)
                if found.state == "training":
                    sleep(max(LEAST_PAUSE, (perf_counter() - begun) / SHARE))
        except Terminated:
            raise
        except KeyboardInterrupt:
            if found is None:
                raise
    return found


def _print(found: Diagnosis, console: Console) -> None:
    console.print(_picture(found, wrapped=console.is_terminal), soft_wrap=not console.is_terminal)


def _picture(found: Diagnosis, *, wrapped: bool) -> RenderableType:
    from ganforge.cli.diagnosis_view import picture

    with refused(f"What {str(found.folder)!r} says of itself"):
        return picture(found, wrapped=wrapped)
