"""The verbs of the command line. Each is one call of the api, then the output; torch is imported only by then."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperCommand, TyperGroup

import ganforge
from ganforge.cli import anonymise as anonymising
from ganforge.cli import audit as auditing
from ganforge.cli import compare as comparing
from ganforge.cli import diagnose as diagnosing
from ganforge.cli import errors as problems
from ganforge.cli import lock as locking
from ganforge.cli import next_steps as ending
from ganforge.cli import options
from ganforge.cli import output as tables
from ganforge.cli import privacy as ledgers
from ganforge.cli import profile as profiling
from ganforge.cli import sample as using
from ganforge.cli import sign as signing
from ganforge.cli.options import Force, RunFolder, Seed, Source
from ganforge.core.stop import Terminated, Termination

TARGET_NOT_REACHED = 3
STOPPED = 130  # what typer turns a KeyboardInterrupt into, without a word
BROKEN_PIPE = 141  # what a shell reports for a program that SIGPIPE ended


class _Verb(TyperCommand):
    """A verb whose help page does not show --help as a boolean."""

    def get_help_option(self, ctx: Any) -> typer.core.TyperOption | None:
        return _without_type(super().get_help_option(ctx))


class _Verbs(TyperGroup):
    """The group of verbs, whose help page does not show --help as a boolean."""

    def get_help_option(self, ctx: Any) -> typer.core.TyperOption | None:
        return _without_type(super().get_help_option(ctx))


def _without_type(option: typer.core.TyperOption | None) -> typer.core.TyperOption | None:
    if option is not None:
        option.metavar, option.help = "", "Show this page."
    return option


def _examples(*lines: str) -> str:
    """Return the end of a help page: commands that can be copied, each with its effect after two spaces."""
    pairs = [line.split("  ", 1) for line in lines]
    shown = (f"  [cyan]{command}[/cyan]\n      [dim]{what}[/dim]" for command, what in pairs)
    return "\n".join(["[bold]Examples[/bold]", *shown])


def _add(verb: Callable[..., None], *examples: str) -> None:
    """Add a verb of another module. Args: examples as for `_examples`."""
    app.command(cls=_Verb, epilog=_examples(*examples))(verb)


app = typer.Typer(
    cls=_Verbs,
    add_completion=False,
    subcommand_metavar="VERB ...",
    rich_markup_mode="rich",
    help="Train a generative adversarial network on your own data, and be told in plain words whether it is any good.",
    epilog=_examples(
        "ganforge train digits  5,000 handwritten digits that come along, 5 minutes",
        "ganforge train photos/ --minutes 30  your own pictures",
        "ganforge train people.csv  your own table",
        "ganforge sample runs/digits-1 -n 64 --out new.png  64 new pictures",
        "ganforge sample runs/people-1 -n 1000 --out new.csv  1,000 new rows",
        "ganforge VERB --help  more about one verb",
    ),
)


@app.callback()
def _every_verb(
    version: Annotated[bool, typer.Option("--version", metavar="", help="Print the version.")] = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", metavar="", help="With any verb: show where an error came from.")
    ] = False,
) -> None:
    """--version is answered and --traceback taken off by `main`, so that both work before and after a verb."""


@app.command(
    cls=_Verb,
    epilog=_examples(
        "ganforge train digits --minutes 2  a first try",
        "ganforge train photos/ --run runs/photos --size medium  name the run, use larger networks",
        'ganforge train photos/ --minutes 60 --until "kid<0.02"  stop once it is good enough',
        "ganforge train people.csv  a table: learn to make rows like its own",
        "ganforge train people.csv --plan plan.json  with columns and rules as you corrected them",
        "ganforge train holes.csv --task impute  learn to fill the missing cells of a table",
        'ganforge train digits --private "epsilon=1"  samples under differential privacy',
        "ganforge train digits --set optimiser.batch_size=128  overrule one choice",
    ),
)
@options.asking("train", *options.COMMON)
def train(
    data: Source,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            "--run-folder",  # torchrun takes --run for an option of its own
            metavar="FOLDER",
            help="Where the run is written; else a new folder in runs/.",
        ),
    ] = None,
    seed: Seed = 0,
    force: Force = False,
    tensorboard: options.ForTensorBoard = False,
    *,
    asked: dict[str, Any],
) -> None:
    """Train on DATA, then judge the result and write a report."""
    from ganforge.cli.live import view_for

    console = Console()
    with view_for(console) as view:
        trained = ganforge.train(
            data, run=run, seed=seed, force=force, observers=(view,), tensorboard=tensorboard, **asked
        )
    ending.tell_result(trained, console)
    if trained.reached is False:
        raise typer.Exit(TARGET_NOT_REACHED)


@app.command(
    cls=_Verb,
    epilog=_examples(
        "ganforge plan photos/  every choice for your pictures and this machine",
        "ganforge plan photos/ --minutes 60 --size medium  what more time and larger networks change",
        "ganforge plan people.csv  the columns of a table, also written as plan.json, which you can correct",
        "ganforge plan people.csv --out people.json  under another name",
    ),
)
@options.asking("train", *options.COMMON)
def plan(
    data: Source,
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where the findings are written, for you to correct; else plan.json."),
    ] = None,
    force: Force = False,
    *,
    asked: dict[str, Any],
) -> None:
    """Show every choice for DATA with its reason; train nothing."""
    from ganforge.cli.live import Facts

    facts = Facts()
    recipe = ganforge.plan(data, seed=seed, observers=(facts,), **asked)
    ending.tell_plan(recipe, data, out, Console(), force=force, warnings=facts.warnings)


@app.command(cls=_Verb, epilog=_examples("ganforge resume runs/digits-1  after Ctrl-C, a crash or a power cut"))
def resume(
    run: RunFolder,
    accept_changed_data: options.AcceptChangedData = False,
    tensorboard: options.ForTensorBoard = False,
) -> None:
    """Go on with RUN exactly where it stopped."""
    from ganforge.cli.live import view_for

    console = Console()
    with view_for(console) as view:
        trained = ganforge.resume(
            run, accept_changed_data=accept_changed_data, observers=(view,), tensorboard=tensorboard
        )
    ending.tell_result(trained, console)
    if trained.reached is False:
        raise typer.Exit(TARGET_NOT_REACHED)


_add(
    using.sample,
    "ganforge sample runs/digits-1 -n 64 --out new.png  one picture with 64 samples",
    "ganforge sample runs/digits-1 -n 1000 --out threes/ --label 3  a folder with one file each",
    "ganforge sample runs/digits-1 -n 10000 --out new.npz  one array x for a program",
    "ganforge sample runs/people-1 -n 10000 --out new.parquet  rows of a table",
    'ganforge sample runs/people-1 -n 500 --out new.csv --where sex=Female --where "age>=60"  only such rows',
    'ganforge sample runs/people-1 -n 10000 --out new.csv --balance "income=>50K:0.5"  half of each income',
    "ganforge sample runs/people-1 --given seeds.csv --out new.csv  one row for each given row",
)

_add(
    using.apply,
    "ganforge apply runs/photos-1 pictures/ --out better/  every picture of a folder, of any size",
    "ganforge apply runs/photos-1 cat.jpg --out cat.png --strength 0.5  between faithful (0) and sharp (1)",
    "ganforge apply runs/holes-1 holes.csv --out filled.csv  the best guess for every missing cell",
    "ganforge apply runs/holes-1 holes.csv --out filled.csv --draw  values that vary as real ones do",
    "ganforge apply runs/people-1 new.csv --predict income --out predicted.csv  a column from the others",
    "ganforge apply runs/people-1 new.csv --score --out scored.csv  how unusual each row is",
)

_add(
    using.invert,
    "ganforge invert runs/digits-1 seven.png  the nearest that the model can draw, side by side",
    "ganforge invert runs/digits-1 mine/ --out found/  every picture of a folder, and the latents as numbers",
    "ganforge invert runs/digits-1 seven.png --edit slant=2 --edit label=1  then change what was found",
)

_add(
    using.augment,
    "ganforge augment runs/pets-1 pets/ --out bigger/ --per-label 100  a copy with 100 more for each label",
    "ganforge augment runs/digits-1 digits.npz --out bigger.npz  the same for an array",
)


@app.command(
    cls=_Verb,
    epilog=_examples(
        "ganforge evaluate runs/digits-1  a table and a verdict",
        "ganforge evaluate runs/digits-1 --json > quality.json  the same for a program",
    ),
)
def evaluate(
    run: RunFolder,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print JSON and nothing else.")] = False,
) -> None:
    """Measure how good the samples of RUN are, and say so in words."""
    evaluation = ganforge.evaluate(run)
    if as_json:
        print(json.dumps(evaluation, indent=2))
    else:
        tables.print_evaluation(evaluation, Console())


_add(
    comparing.compare,
    "ganforge compare real.csv made.csv  how good rows of any tool are, without a run",
    "ganforge compare real.csv made.csv --out quality.html  also as a page",
    "ganforge compare real.csv made.csv --json --at-least good  for scripts",
)


@app.command(cls=_Verb, epilog=_examples("ganforge report runs/digits-1  then open the file in a browser"))
def report(run: RunFolder) -> None:
    """Write the report of RUN: one page that needs no network."""
    tables.say_path("Wrote", ganforge.report(run), Console())


_add(
    diagnosing.diagnose,
    "ganforge diagnose runs/digits-1  what is wrong and what is not, also while it trains",
    "ganforge diagnose runs/digits-1 --live  follow it until it ends",
    "ganforge diagnose runs/digits-1 --out page.html  also draw gradients and steps, layer by layer",
    "ganforge diagnose runs/digits-1 --json --check  for scripts",
)


_add(
    profiling.profile,
    "ganforge profile photos/  how fast a step is on this machine, where it goes, and what would help",
    "ganforge profile runs/photos-1  the same for a run as it was planned",
    "ganforge profile photos/ --size base --json > step.json  for a program",
)

_add(
    auditing.audit,
    "ganforge audit runs/people-1  what attacks find of the rows that it was trained on",
    "ganforge audit runs/people-1 --json --check  for scripts",
)

_add(
    auditing.card,
    "ganforge card runs/people-1  card.md for people and card.json for programs, in the run",
    "ganforge card runs/people-1 --out README.md  under another name",
)

_add(
    ledgers.privacy,
    "ganforge privacy runs/digits-1  every release, its noise and its price, and what is not covered",
    "ganforge privacy runs/digits-1 --json  for a program",
)

_add(
    anonymising.anonymise,
    "ganforge anonymise people.csv --out shared/  names, e-mails and the like replaced, the report beside the copy",
    "ganforge anonymise data/ --out shared/ --remove email --keep city  tables, texts and pictures in any folders",
    "ganforge anonymise new/ --out new-shared/ --key-file my.key  the same pseudonyms as with this key before",
)

_add(
    locking.lock,
    "ganforge lock runs/people-1  asks for a password twice, and leaves runs/people-1.locked alone",
    "ganforge lock --new-key my.key  a key file instead of a password: without it nothing opens",
    "ganforge lock runs/people-1 --key-file my.key --keep  the folder stays beside the locked file",
)

_add(
    locking.unlock,
    "ganforge unlock runs/people-1.locked  asks for the password, and leaves runs/people-1 alone",
    "ganforge unlock runs/people-1.locked --key-file my.key --keep  the locked file stays beside the folder",
)

_add(
    signing.sign,
    "ganforge sign --new-key me.key  a private key for you alone, and me.key.pub for everybody",
    "ganforge sign runs/people-1 --key me.key  before you hand the run on",
)

app.command(
    cls=_Verb,
    epilog=_examples("ganforge verify runs/people-1 --key me.key.pub  is every file as its signer left it?"),
)(signing.verify)


@app.command(
    cls=_Verb, epilog=_examples("ganforge runs  the runs in runs/", "ganforge runs /data/runs  another folder")
)
def runs(
    folder: Annotated[
        str | None, typer.Argument(metavar="FOLDER", show_default=False, help="Where to look, if not in runs/.")
    ] = None,
) -> None:
    """List the runs in FOLDER with their verdicts."""
    console = Console()
    nothing_yet = folder is None and not Path("runs").exists()  # before a person's first run
    found = [] if nothing_yet else list(ganforge.runs(folder or "runs"))
    if found:
        tables.print_runs(found, console)
    else:
        tables.say(f"No runs in {quote(folder or 'runs')} yet. Begin one: ganforge train digits", console)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program `ganforge`.

    Args: arguments the words after the program's name, by default those typed.
    Returns: the exit code: 0 done, 1 training or storage failed, 2 bad usage or input, 3 the target of --until was not
        reached, 4 `diagnose --check` found something critical, 5 `apply` skipped files, 6 `compare --at-least` found
        worse, 7 `audit --check` found a leak, 130 stopped by the person, 143 by a cluster's SIGTERM, 141 the reader of
        the output has left.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    traceback = "--traceback" in words
    words = [word for word in words if word != "--traceback"] or ["--help"]
    termination = Termination()
    try:
        with termination:
            code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has closed it, as `head` does. Python flushes stdout once more at exit: redirect it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except SystemExit:
        raise
    except BaseException as failed:
        error = Terminated() if termination.asked and isinstance(failed, KeyboardInterrupt) else failed
        return problems.show(error, Console(stderr=True), traceback=traceback)
    return code


def _run(words: list[str]) -> int:
    """Run one verb. Returns: the exit code that it asked for. Raises: what it raises."""
    if "--version" in words[: words.index("--") if "--" in words else None]:
        print(f"ganforge {ganforge.__version__}")
        return 0
    code = app(words, prog_name="ganforge", standalone_mode=False)
    if code == STOPPED:
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0
