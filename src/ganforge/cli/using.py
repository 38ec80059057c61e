"""The verbs that use a trained model: `sample` draws from it, `apply` takes data through it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ganforge.cli import options, tables
from ganforge.cli.options import Force, RunFolder, Seed
from ganforge.errors import InputError


def sample(  # noqa: PLR0913, PLR0917 - one argument per option
    run: RunFolder,
    out: Annotated[
        Path,
        typer.Option(
            metavar="PATH",
            show_default=False,
            help="Pictures: a .png (one grid), a .npz (one array), or a folder. A walk: .gif, .webp or .mp4. Rows: "
            "a .csv, .tsv (also .gz), .parquet or .feather file.",
        ),
    ],
    number: Annotated[
        int, typer.Option("-n", "--number", metavar="N", parser=options.whole_number("-n", 1, 64), help="How many.")
    ] = 64,
    label: Annotated[str | None, typer.Option(metavar="L", help="Of pictures: only this label, by its name.")] = None,
    where: options.Where = None,
    seed: Seed = 0,
    truncation: Annotated[
        float,
        typer.Option(
            metavar="T",
            parser=options.number_above_zero("--truncation"),
            help="Of pictures: below 1 more typical, less varied samples.",
        ),
    ] = 1.0,
    interpolate: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            parser=options.whole_number("--interpolate", 2, 8),
            help="Of pictures: instead of N of them, a walk through K and back, as a .gif, .webp or .mp4.",
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Draw new examples from the trained model of RUN."""
    from ganforge import api

    if interpolate is not None:
        _refuse_rows(where)
        walk = api.interpolate(run, interpolate, out, label=label, seed=seed, truncation=truncation, force=force)
        tables.say_path("Wrote", walk, Console())
        return
    written = api.sample(
        run, number, out, label=label, where=where or (), seed=seed, truncation=truncation, force=force
    )
    tables.say_path("Wrote", written, Console())


def _refuse_rows(where: list[str] | None) -> None:
    if where:
        raise InputError("--interpolate and --where were given.", "Rows cannot walk.", "Leave one of them out.")


def apply(
    run: RunFolder,
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", show_default=False, help="A table with the columns that RUN was trained on."),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", show_default=False, help="A .csv, .tsv (also .gz), .parquet or .feather file."),
    ],
    draw: Annotated[
        bool, typer.Option("--draw", metavar="", help="Draw each missing value, instead of the best guess.")
    ] = False,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Fill the missing cells of the table DATA with the model of RUN."""
    from ganforge import api

    written = api.apply(run, data, out, draw=draw, seed=seed, force=force)
    tables.say_path("Wrote", Path(str(written)), Console())
