"""What is said when a verb has done its work: the verdict, where things are, and what to type next."""

from __future__ import annotations

import re
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from rich.console import Console

from ganforge.cli import output as tables
from ganforge.errors import InputError, StorageError
from ganforge.run import Run

if TYPE_CHECKING:
    from ganforge.api.sample import TrainedRun
    from ganforge.recipe import Recipe


def tell_result(trained: TrainedRun, console: Console) -> None:
    """The verdict, where things are, what to type next, and whether the target of --until was missed."""
    from ganforge.core.world import is_leader

    if not is_leader():
        return
    folder, name = trained.folder, quote(str(trained.folder))
    console.print()
    tables.print_verdict(trained.verdict, console)
    tables.say_path("Report  ", folder / "report.html", console)
    tables.say_path("Samples ", folder / "samples", console)
    console.print()
    steps = _next_steps(Run(folder), name) | {f"ganforge evaluate {name}": "every measure, and what it means"}
    tables.print_next(steps, console)
    if trained.reached is False:
        console.print("\nThe target of --until was not reached.", style="yellow", soft_wrap=True)


def tell_plan(recipe: Recipe, data: str, out: Path | None, console: Console, *, force: bool) -> None:
    """Every choice; of a table first writes columns and rules into a file, for a person to correct.

    Args: data as it was typed; out where the file belongs, by default plan.json.
    Raises: InputError for `out` where there are no columns to write; as `plan_file.write_plan`.
    """
    train = f"ganforge train {quote(data)}"
    from ganforge.kinds.tables.columns import TableData

    if not isinstance(recipe.data, TableData):
        if out is not None:
            raise InputError(
                f"--out {out} was given, and there is nothing to write.",
                f"Only what is learned of a table's columns becomes a file, and {data!r} is something else.",
                "Leave it out.",
            )
        tables.print_plan(recipe, console)
        tables.print_next({train: "and the same options, to train it"}, console)
        return
    from ganforge.kinds.tables.columns import RowSettings
    from ganforge.kinds.tables.reading.plan_file import write_plan

    out = out or Path("plan.json")
    written: bool | StorageError
    rules = recipe.section(RowSettings).rules
    try:  # before the printing, whose reader may leave early, as `head` does
        written = write_plan(out, recipe.data.columns, rules, recipe.data.source, force=force)
    except StorageError as error:
        written = error
    tables.print_plan(recipe, console)
    if isinstance(written, StorageError):  # where nothing can be written, the plan can be read all the same
        raise written
    if written:
        tables.say_path("Columns and rules, for you to correct:", out, console)
    else:
        tables.say_path("Left as it was, because it differs from this plan:", out, console)
        tables.say("--force replaces it, --out writes under another name.", console)
    tables.print_next(
        {
            f"{train} --plan {quote(str(out))}": "trains with the columns and rules of that file",
            train: "trains as shown above; add the same options",
        },
        console,
    )


def _next_steps(run: Run, name: str) -> dict[str, str]:
    """What the model of a run is for, in the words of its model.json: command -> what it does.

    Nothing of models that an older version wrote, which do not say it.
    """
    steps = run.read_json(run.model / "model.json").get("next_steps") or {}
    data = str(run.read_json(run.recipe).get("ask", {}).get("source", "DATA"))
    words = {"RUN": name, "DATA": quote(data)}
    return {
        "ganforge " + re.sub(r"\b(RUN|DATA)\b", lambda found: words[found[0]], command): purpose
        for command, purpose in steps.items()
    }
