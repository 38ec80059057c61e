"""The verbs that use a trained model: `sample` draws from it; `apply`, `invert` and `augment` start from data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

import ganforge
from ganforge.cli import options
from ganforge.cli import output as tables
from ganforge.cli.options import Force, RunFolder, Seed
from ganforge.contracts import Observer
from ganforge.kinds import every_kind

if TYPE_CHECKING:
    from ganforge.kinds.pictures.invert.inversion import Inversion

NUMBER = 64  # drawn when nothing is said
MOST_TOLD = 10  # skipped pictures that are named
SOME_SKIPPED = 5  # exit code of `apply`


def _places(verb: str) -> str:
    """Return what --out of a verb may name, for its help page."""
    return " ".join(f"{kind.nouns.capitalize()}: {kind.writes[verb]}." for kind in every_kind() if verb in kind.writes)


@options.asking("sample")
def sample(
    run: RunFolder,
    out: Annotated[
        Path,
        typer.Option(
            metavar="PATH",
            show_default=False,
            help=_places("sample"),
        ),
    ],
    number: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--number",
            metavar="N",
            parser=options.whole_number("-n", 1, NUMBER),
            help=f"How many; {NUMBER} when you say nothing.",
        ),
    ] = None,
    seed: Seed = 0,
    force: Force = False,
    *,
    asked: dict[str, Any],
) -> None:
    """Draw new examples from the trained model of RUN."""
    options.refuse_number("-n", number, "sample", asked)
    console = Console()
    view = Applying(console)
    written = ganforge.sample(run, number or NUMBER, out, seed=seed, force=force, observers=(view,), **asked)
    view.tell_kept(console)
    tables.say_path("Wrote", written, console)


@options.asking("apply")
def apply(
    run: RunFolder,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            show_default=False,
            help=f"{'; or '.join(kind.applies_to for kind in every_kind() if kind.applies_to).capitalize()}.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            show_default=False,
            help=_places("apply"),
        ),
    ] = None,
    seed: Seed = 0,
    force: Force = False,
    *,
    asked: dict[str, Any],
) -> None:
    """Take your own data through the trained model of RUN."""
    options.refuse_without_data(data, out, asked)
    console = Console()
    view = Applying(console)
    try:
        with view:
            written = ganforge.apply(run, data, out, seed=seed, force=force, observers=(view,), **asked)
    finally:
        view.tell_kept(console)
    if out is None:
        tables.print_frame(written, console)
    else:
        tables.say_path("Wrote", Path(str(written)), console)
    if view.skipped:
        raise typer.Exit(SOME_SKIPPED)


class Applying(Observer):
    """An observer of what a model makes: of pictures from pictures a progress bar; in a file only the notes."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),  # the name of a file
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._notes: dict[str, int] = {}  # each note, with the number of files that it was said of
        self.skipped: list[str] = []
        self._count = 0  # files in all

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def event(self, event: Mapping[str, Any]) -> None:
        """Show what happens to one of several files."""
        self._count = int(event["count"])
        if event["kind"] == "skipped":
            self.skipped.append(str(event["reason"]))
        elif event["kind"] == "noted":
            self._notes[str(event["sentence"])] = self._notes.get(str(event["sentence"]), 0) + 1
        else:
            if self._task is None:
                self._task = self._bar.add_task("", total=event["count"])
            done = event["number"] - 1 + event["share"]
            self._bar.update(self._task, completed=done, description=tables.plain(Path(event["file"]).name).plain)

    def tell_kept(self, console: Console) -> None:
        """Print what was converted, and what was left out."""
        for note, count in self._notes.items():
            tables.say(f"Note: {note}{f' ({count} files)' if count > 1 else ''}.", console)
        for reason in self.skipped[:MOST_TOLD]:
            tables.say(f"Skipped: {reason}", console, "yellow")
        if len(self.skipped) > MOST_TOLD:
            tables.say(f"Skipped: {len(self.skipped) - MOST_TOLD} more.", console, "yellow")
        if self.skipped:
            tables.say(f"{len(self.skipped)} of {self._count} files were skipped.", console, "yellow")


# ---- invert and augment, of pictures alone ---------------------------------------------------------------------------


MOST_SHOWN = 20  # pictures, line by line


class _Learning(Observer):
    """An observer that shows the progress of the encoder's training."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def record(self, record: Mapping[str, Any]) -> None:
        if self._task is None:
            self._task = self._progress.add_task("Learning the way back from pictures (once)", total=1.0)
        self._progress.update(self._task, completed=float(record["progress"]))


class _Comparing(Observer):
    """An observer that shows how many pairs of classifiers have been compared."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("Teaching classifiers with and without", total=None)

    def event(self, event: Mapping[str, Any]) -> None:
        self._progress.update(self._task, completed=event["number"], total=event["count"])


def invert(
    run: RunFolder,
    pictures: Annotated[
        list[Path], typer.Argument(metavar="PICTURE...", show_default=False, help="Pictures, or folders of them.")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the result is written; else RUN/inverted.")
    ] = None,
    label: Annotated[str | None, typer.Option(metavar="L", help="Their label; else the one that fits best.")] = None,
    edit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=AMOUNT",
            help="Then change what was found: brightness, contrast, saturation, size or slant by so many standard "
            "deviations, or label=NAME. As often as you like.",
        ),
    ] = None,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Find what RUN would draw a picture from."""
    console = Console()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        learning = _Learning(progress)
        found = ganforge.invert(
            run, pictures, out, label=label, edits=edit or (), seed=seed, force=force, observers=(learning,)
        )
    _print(found, console)
    tables.say_path("Wrote", found.folder, console)


def augment(
    run: RunFolder,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            show_default=False,
            help="Labelled pictures: a folder with a subfolder for each label, an array, or a built-in name.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="PATH", show_default=False, help="The larger data: a new folder, or an .npz.")
    ],
    per_label: Annotated[
        int,
        typer.Option(metavar="N", parser=options.whole_number("--per-label", 1, 100), help="Pictures for each label."),
    ] = 100,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Enlarge labelled pictures, and say if it helps."""
    console = Console()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        comparing = _Comparing(progress)
        made = ganforge.augment(run, data, out, per_label=per_label, seed=seed, force=force, observers=(comparing,))
    tables.say(made.verdict, console)
    for note in made.notes:
        tables.say(note, console)
    tables.say_path("Wrote", made.path, console)


def _print(found: Inversion, console: Console) -> None:
    """Print PSNR with floor and references, then the directions that can be edited."""
    table = Table(box=box.SIMPLE, header_style="bold")
    for name in ("picture", "label", "found (dB)", "nearest training picture", "nearest sample"):
        table.add_column(name, justify="left" if name in ("picture", "label") else "right")
    for one in found.pictures[:MOST_SHOWN]:
        trained = "-" if one.nearest_training is None else f"{one.nearest_training:.1f}"
        table.add_row(
            Path(one.picture).name, one.label or "-", f"{one.decibels:.1f}", trained, f"{one.nearest_sample:.1f}"
        )
    console.print(table)
    if len(found.pictures) > MOST_SHOWN:
        tables.say(f"{len(found.pictures) - MOST_SHOWN} more are in inversion.json.", console)
    own = found.own_decibels
    tables.say(
        f"Pictures that the model itself drew are found again at {own[len(own) // 2]:.1f} dB (worst {own[0]:.1f}).",
        console,
    )
    worse = sum(one.decibels <= (one.nearest_training or 0.0) for one in found.pictures)
    if worse:
        tables.say(
            f"For {worse} of {len(found.pictures)} a training picture is nearer than anything that the model draws.",
            console,
        )
    if found.skipped:
        name, reason = found.skipped[0]
        tables.say(f"{len(found.skipped)} files were skipped, the first: {name}: {reason}.", console)
    known = ", ".join(f"{name} (R2 {explained:.2f})" for name, explained in found.directions.items())
    tables.say(f"Directions for --edit: {known or 'none'}.", console)
