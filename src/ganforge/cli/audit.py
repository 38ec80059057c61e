"""The verbs `audit` and `card`: what attacks on a run find, and the card that goes with its model."""

from __future__ import annotations

import json
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer
from rich.console import Console

import ganforge
from ganforge.cli import output as tables
from ganforge.cli.options import Force, RunFolder, Seed

FOUND = 7  # exit code of --check where a leak was found


def audit(
    run: RunFolder,
    engine: Annotated[
        bool, typer.Option("--engine", metavar="", help="Test the engine of private training too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print JSON and nothing else.")] = False,
    check: Annotated[
        bool, typer.Option("--check", metavar="", help="For scripts: exit code 7 if a leak was found.")
    ] = False,
    seed: Seed = 0,
) -> None:
    """Attack RUN, and say what leaks of its training data.

    No attack can prove that nothing leaks.
    """
    from ganforge.reports.audit import audit_blocks

    console = Console(stderr=as_json)
    found = ganforge.audit(run, engine=engine, seed=seed)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        tables.print_blocks(audit_blocks(found), console)
        console.print()
        tables.say(found["verdict"]["headline"], console, style="bold red" if found["outcome"] == "leak" else "bold")
        name = quote(str(run))
        steps = {f"ganforge card {name}": "a card with this result", f"ganforge report {name}": "the same on the page"}
        tables.print_next(steps, console)
    if check and found["outcome"] == "leak":
        raise typer.Exit(FOUND)


def card(
    run: RunFolder,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.md", help="Where it is written, beside FILE.json; else RUN/card.md and card.json."),
    ] = None,
    force: Force = False,
) -> None:
    """Write a model card of RUN from what was measured alone."""
    console = Console()
    for path in ganforge.card(run, out, force=force):
        tables.say_path("Wrote", path, console)
