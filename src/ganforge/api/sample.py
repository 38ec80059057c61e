"""What a trained model gives: pictures or rows, written to a file or handed to a program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganforge.core.json_file import read_json_file
from ganforge.core.seeds import seed_for
from ganforge.errors import InputError
from ganforge.kinds.source import on_disk
from ganforge.kinds.tables import KIND as TABLES
from ganforge.recipe import FORMER_KINDS
from ganforge.run import Run

if TYPE_CHECKING:
    import pandas as pd

    from ganforge.kinds.pictures.generate.model import PictureModel
    from ganforge.kinds.tables.generate.model import RowModel
    from ganforge.kinds.tables.reading.source import TableSource

Pictures: TypeAlias = NDArray[np.uint8]
Where: TypeAlias = str | Sequence[str] | Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A run whose model is there. Made by `train`, `resume` or `load`."""

    folder: Path
    verdict: str  # one sentence
    reached: bool | None  # whether the target of `until` was reached; None when there was none

    def sample(
        self,
        n: int,
        *,
        label: str | int | None = None,
        where: Where = None,
        seed: int = 0,
        truncation: float = 1.0,
    ) -> Pictures | pd.DataFrame:
        """Draws pictures, uint8 (n, C, H, W), or the n rows of a table as a data frame.

        Args: label one of the labels' names, and truncation in (0, 1], for pictures; where, for rows, conditions that
            every row meets: {"sex": "Female", "age": (60, None)} or ["sex=Female", "age>=60"].
        Raises: InputError for an unknown label or an impossible condition, or a number that makes no sense.
        """
        folder = Run(self.folder).model
        if holds_rows(folder):
            return drawn_rows(rows_of(folder, n, label, truncation), n, where, seed)
        from ganforge.kinds.pictures.generate.model import load_model

        _refuse_where(where)
        return _draw(load_model(folder), n, label, seed, truncation)[0]


def sample(
    run: str | Path,
    n: int,
    out: str | Path,
    *,
    label: str | int | None = None,
    where: Where = None,
    seed: int = 0,
    truncation: float = 1.0,
    force: bool = False,
) -> Path:
    """Draws n pictures into a .png (one grid), a folder (one file each), or .npz; or n rows into a table's file.

    A million rows need no more memory than a few thousand: they are written as they are drawn.

    Args: where conditions that every row meets, as for `TrainedRun.sample`.
    Raises: RunError, InputError for an unknown label, suffix or condition, a bad number, more pictures than fit the
        memory or the grid, or something that exists; force replaces a file, and a folder of samples but no other.
    """
    folder = Run.open(run).model
    if holds_rows(folder):
        from ganforge.kinds.tables.reading.write import check_table_place, write_table

        check_table_place(out, force=force)
        rows = rows_of(folder, n, label, truncation)
        conditions = rows.conditions(where or ())
        frames = _frames(rows, n, conditions, seed)
        return write_table(frames, out, rows.codec.columns, force=force)
    from ganforge.kinds.pictures.generate.model import load_model
    from ganforge.kinds.pictures.write import check_place, write_pictures

    _refuse_where(where)
    model = load_model(folder)
    model.refuse_impossible(n, truncation)
    check_place(out, (n, *model.picture_shape()), force=force)  # before the work, which may take minutes
    pictures, labels = _draw(model, n, label, seed, truncation)
    write_pictures(pictures, out, labels=labels, label_names=model.label_names, force=force)
    return Path(out)


def fill_table(
    run: str | Path, source: object, out: str | Path | None = None, *, draw: bool, seed: int, force: bool
) -> Path | pd.DataFrame:
    """Fills the missing cells of a table with what the model of a run says of them. See `applying.apply`."""
    from ganforge.kinds.tables.generate.model import load_rows
    from ganforge.kinds.tables.reading.plain import columns_like
    from ganforge.kinds.tables.reading.source import open_source
    from ganforge.kinds.tables.reading.write import check_table_place, write_table

    model = load_rows(Run.open(run).model)
    if out is None:
        return completed(model, source, draw=draw, seed=seed)
    check_table_place(out, force=force)
    with on_disk(source, TABLES) as path:
        table = open_source(path)
        columns = columns_like(table, model.codec.columns)
        return write_table(_filled(model, table, draw, seed), out, columns, force=force)


def drawn_rows(model: RowModel, n: int, where: Where, seed: int) -> pd.DataFrame:
    """n rows of a model as a data frame. Raises: InputError for a senseless number or an impossible condition."""
    from ganforge.kinds.tables.reading.plain import from_plain

    refuse_senseless_count(n)
    conditions = model.conditions(where or ())
    return from_plain(model.sample(n, conditions=conditions, seed=seed), model.codec.columns)


def completed(model: RowModel, source: object, *, draw: bool, seed: int) -> pd.DataFrame:
    """A table with its missing cells filled, as a data frame."""
    import pandas as pd

    from ganforge.kinds.tables.reading.plain import columns_like
    from ganforge.kinds.tables.reading.source import open_source

    with on_disk(source, TABLES) as path:
        table = open_source(path)
        columns_like(table, model.codec.columns)  # or it is refused
        return pd.concat(list(_filled(model, table, draw, seed)), ignore_index=True)


def refuse_senseless_count(n: int) -> None:
    """Raises: InputError for a number of rows that cannot be drawn."""
    if n < 1 or n != int(n):
        raise InputError(f"{n} rows cannot be drawn.", "It must be a whole number from 1 on.", "Draw, for example, 64.")


def holds_rows(folder: Path) -> bool:
    """Whether a model folder holds a model of rows; one that cannot be read is left to its reader."""
    return bool(said_of(folder, "kind") in ("tables", *FORMER_KINDS))


def said_of(folder: Path, name: str) -> Any:
    """What a model folder says of itself under a name, unchecked; None if it cannot be read."""
    description = folder / "model.json"
    try:
        return read_json_file(description).get(name) if description.is_file() else None
    except (OSError, ValueError, AttributeError):
        return None


def rows_of(folder: Path, n: int, label: str | int | None, truncation: float) -> RowModel:
    """The model of rows in a folder. Raises: InputError for options that only pictures have, or a senseless number."""
    from ganforge.kinds.tables.generate.model import load_rows

    refuse_senseless_count(n)
    if label is not None:
        raise InputError(
            f"Rows have no label {str(label)!r}.", "They have columns.", f"Say, for example, --where COLUMN={label}"
        )
    if truncation != 1.0:
        raise InputError(f"Rows cannot be drawn with a truncation of {truncation:g}.", do="Leave it out.")
    return load_rows(folder)


def _frames(model: RowModel, n: int, conditions: Any, seed: int) -> Iterator[pd.DataFrame]:
    from ganforge.kinds.tables.reading.plain import from_plain

    for plain in model.blocks(n, conditions=conditions, seed=seed):
        yield from_plain(plain, model.codec.columns)


def _filled(model: RowModel, source: TableSource, draw: bool, seed: int) -> Iterator[pd.DataFrame]:
    """The table in parts, as it is but for its missing cells."""
    from ganforge.kinds.tables.reading.plain import plain_like, with_filled

    learned = [
        column for column in model.codec.columns if any(column.name in unit.columns for unit in model.codec.units)
    ]
    first_row = 1
    for number, frame in enumerate(source.chunks()):
        plain = plain_like(frame, learned, first_row)
        filled = model.complete(plain, draw=draw, seed=seed_for(seed, "filled rows", step=number))
        yield with_filled(frame, filled, learned)
        first_row += len(frame)


def _refuse_where(where: Where) -> None:
    if where:
        raise InputError(
            f"The condition {where!r} was given, and this run draws pictures.",
            "Only rows of tables can meet conditions.",
            "Use --label for pictures.",
        )


def _draw(
    model: PictureModel, n: int, label: str | int | None, seed: int, truncation: float
) -> tuple[Pictures, NDArray[np.int64] | None]:
    """Pictures, and the label of each."""
    from ganforge.kinds.pictures.generate.model import labels_for

    model.refuse_impossible(n, truncation)
    labels = labels_for(model, str(label), n) if label is not None else model.draw_labels(n, seed=seed)
    return model.sample(n, labels=labels, seed=seed, truncation=truncation), labels
