"""The verb `privacy`: the ledger of a run."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console

import ganforge
from ganforge.cli import output as tables
from ganforge.cli.options import RunFolder


def privacy(
    run: RunFolder,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print JSON and nothing else.")] = False,
) -> None:
    """Show what RUN published of its data, and what that costs.

    Also what the guarantee does not cover.
    """
    found = ganforge.privacy_of(run)
    if as_json:
        print(json.dumps(found.to_json(), indent=2))
        return
    console = Console()
    tables.say(found.sentence, console)
    ledger = found.ledger
    if ledger is None:
        return
    table = tables.table_of("release", "mechanism", "noise / sensitivity", "rate", "steps")
    for each in ledger.releases:
        noise = f"epsilon {each.epsilon:.4g}" if each.epsilon is not None else f"{each.multiplier:.4g}"
        tables.add_row(table, each.name, each.mechanism, noise, f"{each.rate:g}", str(each.steps))
    console.print(table)
    tables.say(f"Asked for: epsilon {ledger.epsilon:g} at delta {ledger.delta:g}, {ledger.records:,} records.", console)
    tables.say(f"Spent, by ganforge's accountant: epsilon {found.epsilon:.6g}.", console)
    beside = "not installed: pip install 'ganforge[opacus]'" if found.prv is None else f"epsilon {found.prv:.6g}."
    tables.say(f"Beside it, by Opacus' PRV accountant: {beside}", console)
    for title, sentences in (("Outside the guarantee:", ledger.outside), ("Taken as public:", ledger.public)):
        tables.say(title, console)
        for sentence in sentences:
            tables.say(f"  {sentence}", console)
