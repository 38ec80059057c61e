"""The verb `apply`: a person's own data through a trained model. Tables are filled, pictures are made of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganforge.api.sample import fill_table, said_of
from ganforge.contracts import Observer
from ganforge.errors import DataError, InputError
from ganforge.kinds.pictures.image_to_image import LOADERS, PictureMap, load_map
from ganforge.kinds.pictures.picture_file import assemble, open_picture, picture_paths, places_for, write_picture
from ganforge.run import Run

if TYPE_CHECKING:
    import pandas as pd

Applied: TypeAlias = "Path | NDArray[np.uint8] | pd.DataFrame"


def apply(
    run: str | Path,
    source: object,
    out: str | Path | None = None,
    *,
    draw: bool = False,
    seed: int = 0,
    strength: float | None = None,
    force: bool = False,
    observers: Sequence[Observer] = (),
) -> Applied:
    """Takes data through the model of a run.

    A table's missing cells are filled with what the model says of them; what is there stays as it is. A picture of any
    size becomes what the model makes of it, in tiles, so that its size costs time and not memory; transparency, EXIF
    and colour profile are kept. A file that is no usable picture is skipped, and told.

    Args: source a table's path or frame with the columns that the model was trained on; or a picture, a folder of
        pictures, or one picture as uint8 (H, W) or (H, W, C). out the file or folder to write; None for a data frame or
        an array. draw, seed: of a table: a value drawn for each cell instead of the best guess. strength 0..1 of an
        enhancement: 0 faithful, 1 sharp. observers are told `applied`, `noted` and `skipped`.
    Raises: RunError, DataError if the data does not suit, InputError for a file that is there, or for a folder that
        holds files without `force`, which replaces files of the same names only.
    """
    folder = Run.open(run).model
    if said_of(folder, "task") in LOADERS:
        if draw:
            raise InputError("A drawn value was asked for, and this run makes pictures.", do="Leave --draw.")
        return _apply_to_pictures(load_map(folder, strength), source, out, force, observers)
    if strength is not None:
        raise InputError(f"The strength {strength:g} was given, and this run enhances no pictures.", do="Leave it out.")
    if said_of(folder, "task") == "generate" and said_of(folder, "kind") not in ("table", "tables"):
        raise InputError(
            f"The run {str(run)!r} draws pictures from nothing.",
            "There is nothing that it could be applied to.",
            f"Use: ganforge sample {run} --out new.png",
        )
    return fill_table(run, source, out, draw=draw, seed=seed, force=force)


def _apply_to_pictures(
    model: PictureMap, source: object, out: str | Path | None, force: bool, observers: Sequence[Observer]
) -> Path | NDArray[np.uint8]:
    if not isinstance(source, str | Path):
        return _array(model, np.asarray(source))
    if out is None:
        raise InputError("No place was named for the pictures.", do="Name a file or a folder with --out.")
    place, path = Path(out).expanduser(), Path(source).expanduser()
    found = picture_paths(path)
    pairs = list(places_for(found, path, place, force=force))
    for number, (original, target) in enumerate(pairs):
        tell = _Tell(observers, original, number, len(pairs))
        try:
            notes = _retouched(model, original, target, tell)
        except DataError as error:
            if len(pairs) == 1:
                raise
            tell("skipped", reason=str(error))
            continue
        for note in notes:
            tell("noted", sentence=note)
        tell("applied", share=1.0, path=str(target))
    return place


def _retouched(model: PictureMap, original: Path, target: Path, tell: _Tell) -> tuple[str, ...]:
    """One file made of another. Returns: what was converted."""
    lightness = model.task == "enhance" and model.keeps_grey
    given = open_picture(original, model.channels, lightness=lightness, holes=model.fills)
    made = model(given.pixels, told=lambda share: tell("applied", share=share, path=str(target)))
    image = assemble(given, made, keep_grey=model.keeps_grey)
    return (*given.notes, *write_picture(image, target, given))


def _array(model: PictureMap, picture: NDArray[Any]) -> NDArray[np.uint8]:
    """One picture as an array, given back in the same form."""
    pixels = picture[..., None] if picture.ndim == 2 else picture
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != model.channels or 0 in pixels.shape:
        raise DataError(
            f"A {picture.dtype} array of shape {picture.shape} is no picture for this model.",
            f"It takes uint8 of shape (height, width, {model.channels}).",
            "Convert it, or give a file, which is converted by itself.",
        )
    made: NDArray[np.uint8] = model(pixels)
    return made[..., 0] if picture.ndim == 2 and made.shape[2] == 1 else made


class _Tell:
    """Tells the observers what happens to one of several pictures."""

    def __init__(self, observers: Sequence[Observer], picture: Path, number: int, count: int) -> None:
        self._observers = observers
        self._about = {"picture": str(picture), "number": number + 1, "count": count}

    def __call__(self, kind: str, **content: Any) -> None:
        for observer in self._observers:
            observer.event({"kind": kind, **self._about, **content})
