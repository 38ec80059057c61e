"""The verbs `sign` and `verify`: who made a run, and whether it is as they left it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import ganforge
from ganforge.cli import output as tables
from ganforge.errors import InputError


def sign(
    source: Annotated[
        Path | None, typer.Argument(metavar="RUN", show_default=False, help="A run folder, or a single file.")
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="Your private key.")] = None,
    new_key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write a new private key that you alone can read, and FILE.pub for everybody."
        ),
    ] = None,
) -> None:
    """Sign every file of RUN with your private key."""
    console = Console()
    if (source is None) != (key is None) or (key is None) == (new_key is None):
        do = "Use: ganforge sign --new-key FILE, then: ganforge sign RUN --key FILE"
        raise InputError("What to sign, and with which key, is not clear.", "RUN and --key go together.", do)
    if source is None or key is None:
        public = ganforge.new_signing_key(str(new_key))
        tables.say_path("Wrote", public.with_suffix(""), console)
        tables.say_path("Wrote", public, console)
        tables.say("The first is for you alone, the second for everybody.", console)
        return
    tables.say_path("Wrote", ganforge.sign(source, key), console)


def verify(
    source: Annotated[Path, typer.Argument(metavar="RUN", show_default=False, help="A run folder, or a single file.")],
    key: Annotated[Path, typer.Option(metavar="FILE.pub", show_default=False, help="The signer's public key.")],
) -> None:
    """Check that every file of RUN is as it was signed."""
    found = ganforge.verify(source, key)
    count = "The file is" if found.files == 1 else f"All {found.files:,} files are"
    tables.say(f"{count} as signed with the key {found.key[:16]}...", Console())
