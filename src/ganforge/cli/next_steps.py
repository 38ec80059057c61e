"""The output at the end of a verb: the verdict, paths, and what to type next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from rich.console import Console

from ganforge.cli import output as tables
from ganforge.errors import InputError, StorageError
from ganforge.kinds import kind_named
from ganforge.records import read_page
from ganforge.run import Run

if TYPE_CHECKING:
    from ganforge.api.sample import TrainedRun
    from ganforge.recipe import Recipe


def tell_result(trained: TrainedRun, console: Console) -> None:
    """Print the verdict, paths, what to type next, and whether the target of --until was missed."""
    from ganforge.core.world import is_leader

    if not is_leader():
        return
    folder, name = trained.folder, quote(str(trained.folder))
    console.print()
    tables.print_verdict(trained.verdict, console)
    tables.say_path("Report  ", folder / "report.html", console)
    if (folder / "samples").is_dir():  # of texts the report has them
        tables.say_path("Samples ", folder / "samples", console)
    console.print()
    run = Run(folder)
    steps = _next_steps(run, name)
    if read_page(run.read_json(run.page)).once:
        steps |= {f"ganforge privacy {name}": "what was released, what it costs, and what is not covered"}
    else:
        steps |= {f"ganforge evaluate {name}": "every measure, and what it means"}
    tables.print_next(steps, console)
    if trained.reached is False:
        console.print("\nThe target of --until was not reached.", style="yellow", soft_wrap=True)


def tell_plan(
    recipe: Recipe, data: str, out: Path | None, console: Console, *, force: bool, warnings: Sequence[str] = ()
) -> None:
    """Print every choice; first, if the kind supports it, write what was found in the data to a file to correct.

    Args: data as it was typed; out where the file belongs, by default plan.json; warnings about the data, in sentences.
    Raises: InputError for `out` if there is nothing to write; as `Kind.write_plan`.
    """
    train, place = f"ganforge train {quote(data)}", out or Path("plan.json")
    written: bool | StorageError | None
    try:  # before the printing, whose reader may leave early, as `head` does
        written = kind_named(recipe.data.kind).write_plan(recipe, place, force)
    except StorageError as error:
        written = error
    if written is None and out is not None:
        raise InputError(
            f"--out {out} was given, and there is nothing to write.",
            f"Of {data!r} nothing was found that could be corrected in a file.",
            "Leave it out.",
        )
    tables.print_plan(recipe, console)
    for warning in warnings:
        tables.say(warning, console, style="yellow")
    if isinstance(written, StorageError):  # where nothing can be written, the plan is still printed
        raise written
    if written is None:
        tables.print_next({train: "and the same options, to train it"}, console)
        return
    if written:
        tables.say_path("What was found, for you to correct:", place, console)
    else:
        tables.say_path("Left as it was, because it differs from this plan:", place, console)
        tables.say("--force replaces it, --out writes under another name.", console)
    tables.print_next(
        {
            f"{train} --plan {quote(str(place))}": "trains with that file as you corrected it",
            train: "trains as shown above; add the same options",
        },
        console,
    )


def _next_steps(run: Run, name: str) -> dict[str, str]:
    """Return the uses of a run's model: command -> what it does."""
    words = {"RUN": name, "DATA": quote(str(run.read_json(run.recipe).get("ask", {}).get("source", "DATA")))}
    return {
        re.sub(r"\b(RUN|DATA)\b", lambda found: words[found[0]], command): purpose
        for command, purpose in run.next_steps().items()
    }
