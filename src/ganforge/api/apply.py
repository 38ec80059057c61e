"""The verb `apply`: a person's own data through a trained model. Tables are filled, pictures are made of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganforge.api.model import model_and_options
from ganforge.contracts import Observer


def apply(
    run: str | Path,
    source: object,
    out: str | Path | None = None,
    *,
    seed: int = 0,
    force: bool = False,
    observers: Sequence[Observer] = (),
    **options: Any,
) -> Any:
    """Takes data through the model of a run.

    A table's missing cells are filled with what the model says of them; what is there stays as it is. A picture of any
    size becomes what the model makes of it, in tiles, so that its size costs time and not memory; transparency, EXIF
    and colour profile are kept. A file that is no usable picture is skipped, and told.

    Args: source a table's path or frame with the columns that the model was trained on; or a picture, a folder of
        pictures, or one picture as uint8 (H, W) or (H, W, C). out the file or folder to write; None for a data frame or
        an array. options of the kind of data. Of tables: draw, a value drawn for each cell, with `seed`, instead of the
        best guess. Of pictures: strength 0..1 of an enhancement: 0 faithful, 1 sharp. observers are told `applied`,
        `noted` and `skipped`.
    Raises: RunError, DataError if the data does not suit, InputError for an option of another kind of data, for a file
        that is there, or for a folder that holds files without `force`, which replaces files of the same names only.
    """
    model, asked = model_and_options(run, "apply", options)
    place = None if out is None else Path(out)
    return model.apply(source, place, {**asked, "seed": seed, "force": force}, observers)
