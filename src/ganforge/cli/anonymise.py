"""The verb `anonymise`: a copy of a file or folder without personal data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import ganforge
from ganforge.cli import output as tables
from ganforge.cli.options import Force

MOST_SHOWN = 10  # files that were not copied


def anonymise(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", show_default=False, help="A table, text or picture, or a folder of them.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", show_default=False, help="A new folder for the copy and its report.")
    ],
    remove: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Remove what is of this kind instead of replacing it.")
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Leave a column of the tables as it is.")
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The same pseudonyms as in other calls with this key (lock --new-key)."),
    ] = None,
    force: Force = False,
) -> None:
    """Copy DATA without personal data, as far as it is found."""
    from ganforge.privacy.anonymise.folder import LIMITS, PICTURE_KINDS, REPORT
    from ganforge.privacy.anonymise.session import KINDS

    console = Console()
    with Console(stderr=True).status("Anonymising ..."):
        told = ganforge.anonymise(data, out, remove=remove or (), keep=keep or (), key_file=key_file, force=force)
    if told.found:
        table = tables.table_of("kind", "found", "count", "now")
        for kind, count in told.found.items():
            gone = kind in PICTURE_KINDS or kind in (remove or ())
            tables.add_row(
                table, kind, {**KINDS, **PICTURE_KINDS}[kind], f"{count:,}", "removed" if gone else "replaced"
            )
        console.print(table)
    else:
        tables.say("No personal data were found.", console)
    for name, why in list(told.left_out.items())[:MOST_SHOWN]:
        tables.say(f"Not copied: {name}, for {why}.", console)
    if len(told.left_out) > MOST_SHOWN:
        tables.say(f"Not copied: {len(told.left_out) - MOST_SHOWN:,} more, which {REPORT} names.", console)
    for sentence in LIMITS:
        tables.say(sentence, console, style="dim")
    tables.say_path("Wrote", told.folder, console)
