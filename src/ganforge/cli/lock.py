"""The verbs `lock` and `unlock`: a run as one encrypted file, and back."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from rich.console import Console

import ganforge
from ganforge.cli import output as tables
from ganforge.cli.options import Force
from ganforge.errors import InputError
from ganforge.privacy.keys import need_cryptography, password_in

# fmt: off
PasswordFile: TypeAlias = Annotated[Path | None, typer.Option(
    metavar="FILE", help="A file whose first line is the password; else you are asked for it.")]
KeyFile: TypeAlias = Annotated[Path | None, typer.Option(
    metavar="FILE", help="A key file instead of a password, as --new-key of `ganforge lock` writes it.")]
# fmt: on


def lock(
    source: Annotated[
        Path | None, typer.Argument(metavar="RUN", show_default=False, help="A run folder, or a single file.")
    ] = None,
    password_file: PasswordFile = None,
    key_file: KeyFile = None,
    new_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a new key file that you alone can read; lock nothing.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", metavar="", help="Keep RUN; else it is removed once RUN.locked was read back.")
    ] = False,
    force: Force = False,
) -> None:
    """Encrypt RUN into one file RUN.locked, and remove RUN."""
    console = Console()
    if (source is None) == (new_key is None):
        given = "Both RUN and --new-key were" if new_key else "Neither RUN nor --new-key was"
        raise InputError(f"{given} given.", "A key is written before it locks.", "Use: ganforge lock RUN")
    if source is None:
        tables.say_path("Wrote", ganforge.new_lock_key(str(new_key)), console)
        tables.say("Keep a copy of it elsewhere: what it locks cannot be opened without it.", console)
        return
    secret = _asked(password_file, key_file, twice=True)
    with Console(stderr=True).status("Locking ..."):
        place = ganforge.lock(source, keep=keep, force=force, **secret)
    tables.say_path("Wrote", place, console)
    if not keep:
        tables.say_path("Removed", source, console)


def unlock(
    source: Annotated[
        Path, typer.Argument(metavar="RUN.locked", show_default=False, help="What `ganforge lock` wrote.")
    ],
    password_file: PasswordFile = None,
    key_file: KeyFile = None,
    keep: Annotated[
        bool, typer.Option("--keep", metavar="", help="Keep RUN.locked; else it is removed once RUN is whole.")
    ] = False,
) -> None:
    """Decrypt RUN.locked into RUN, and remove RUN.locked."""
    console = Console()
    secret = _asked(password_file, key_file, twice=False)
    with Console(stderr=True).status("Unlocking ..."):
        place = ganforge.unlock(source, keep=keep, **secret)
    tables.say_path("Wrote", place, console)
    if not keep:
        tables.say_path("Removed", source, console)


def _asked(password_file: Path | None, key_file: Path | None, *, twice: bool) -> dict[str, Any]:
    """Return the password or key file as an argument of the verb. Raises: InputError."""
    need_cryptography()
    if password_file is not None and key_file is not None:
        raise InputError("--password-file and --key-file were given.", "One of them opens the file.", "Give one.")
    if key_file is not None:
        return {"key_file": key_file}
    if password_file is not None:
        return {"password": password_in(password_file.expanduser())}
    do = "Use --password-file FILE or --key-file FILE."
    if not sys.stdin.isatty():
        raise InputError("There is nobody to ask for the password.", "The input is not a terminal.", do)
    try:
        password = getpass.getpass("Password: ")
        if twice and getpass.getpass("The same again: ") != password:
            raise InputError("The two passwords differ.", "One of them has a slip.", "Repeat the command.")
    except EOFError as error:
        raise InputError("No password was typed.", "The input has ended.", do) from error
    return {"password": password}
