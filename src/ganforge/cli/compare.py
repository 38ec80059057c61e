"""The verb `compare`: how good a table is that any tool made, beside a real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import ganforge
from ganforge.cli import options
from ganforge.cli import output as tables
from ganforge.cli.options import Force, Seed
from ganforge.kinds import every_kind
from ganforge.records import GRADES

WORSE = 6  # exit code where the verdict is worse than --at-least
FORMS = " or ".join(kind.forms for kind in every_kind() if kind.compare is not None)


def compare(  # noqa: PLR0913, PLR0917 - what a person may say
    real: Annotated[str, typer.Argument(metavar="REAL", show_default=False, help=f"Real data: {FORMS}.")],
    made: Annotated[
        str, typer.Argument(metavar="MADE", show_default=False, help="What was made like it, by any tool.")
    ],
    out: Annotated[Path | None, typer.Option(metavar="PAGE", help="Also write a page: an .html file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print JSON and nothing else.")] = False,
    label: Annotated[
        str | None, typer.Option(metavar="L", help="The column whose prediction matters most, besides others.")
    ] = None,
    held_out: Annotated[
        str | None, typer.Option(metavar="DATA", help="Real data that MADE was not made from; else a part of REAL.")
    ] = None,
    at_least: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(GRADES),
            parser=options.one_of("--at-least", GRADES),
            help="Exit code 6 if the verdict is worse.",
        ),
    ] = None,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Measure how alike MADE is to REAL, and say so in words."""
    found = ganforge.compare(real, made, out, label=label, held_out=held_out, seed=seed, force=force)
    console = Console(stderr=as_json)
    if as_json:
        print(json.dumps(found.to_json(), indent=2))
    else:
        tables.print_evaluation(found.to_json(), console)
    if found.page is not None:
        tables.say_path("Wrote", found.page, console)
    if at_least is not None and not found.at_least(at_least):
        raise typer.Exit(WORSE)
