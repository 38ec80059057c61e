"""Walks in latent space: how one generated picture becomes another, as a film."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ganforge.api.sample import holds_rows
from ganforge.core.animation import check_film, film_bytes
from ganforge.core.files import write_whole
from ganforge.errors import InputError
from ganforge.kinds.pictures.generate.model import BLOCK, PictureModel, load_model
from ganforge.kinds.pictures.grid import grid, grid_size
from ganforge.kinds.pictures.slerp import closed_walk
from ganforge.run import Run

STEPS = 24  # frames from one key picture to the next
MOST_SIDE_BY_SIDE = 20  # labels whose pictures walk side by side
MOST_BYTES = 2**29  # of all frames: Pillow keeps them until the file is written


def interpolate(
    run: str | Path,
    keys: int,
    out: str | Path,
    *,
    label: str | int | None = None,
    steps: int = STEPS,
    seed: int = 0,
    truncation: float = 1.0,
    force: bool = False,
) -> Path:
    """Writes a walk through `keys` random pictures and back to the first, as .gif, .webp or .mp4.

    The key pictures are the first that `sample` draws with the same seed and truncation; between them the latent moves
    along a great circle (kinds/pictures/slerp.py). Labels are not mixed: a model that has some, and is asked for none,
    shows up to 20 of them side by side, each walking the same way.

    Args: keys 2 to 500; steps frames from one key to the next. Raises: RunError, InputError for a run of rows, an
        unknown label or suffix, a number out of range, a file that exists (force replaces it), or a film that is too
        long to be held; StorageError.
    """
    place, folder = Path(out).resolve(), Run.open(run).model
    _refuse(keys, steps, place, str(out), force)
    if holds_rows(folder):
        raise InputError("A walk was asked for, and this run draws rows.", "Only pictures can walk.", "Leave it out.")
    model = load_model(folder)
    model.refuse_impossible(keys, truncation)
    labels = _labels(model, label)
    high, wide = grid_size(max(1, len(labels)), *model.picture_shape()[1:])
    if keys * steps * high * wide * model.picture_shape()[0] > MOST_BYTES:
        raise InputError(
            f"A walk of {keys * steps:,} frames of {wide} x {high} pixels is too long.",
            f"Its frames would take more than {MOST_BYTES / 2**30:g} GiB.",
            "Ask for fewer key pictures, or for one --label.",
        )
    walk = closed_walk(truncation * model.draw_latents(0, seed=seed)[:keys], steps)
    write_whole(place, film_bytes(_frames(model, walk, labels), place.suffix.lower()))
    return Path(out)


def _frames(model: PictureModel, walk: Tensor, labels: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
    """Each place of the walk (S, Z) as one picture (H, W, C): of every label, or, without any, just of itself."""
    for latent in walk:
        if len(labels):
            yield grid(model.draw(latent.repeat(len(labels), 1), labels))
        else:
            yield grid(model.draw(latent[None], None))


def _labels(model: PictureModel, label: str | int | None) -> NDArray[np.int64]:
    """Which labels are shown, in their order: none for a model without; the most frequent ones where there are many."""
    if label is not None:
        return np.array([model.label_index(str(label))])
    most = np.argsort(-np.array(model.label_shares), kind="stable")[:MOST_SIDE_BY_SIDE]
    return np.sort(most)


def _refuse(keys: int, steps: int, place: Path, name: str, force: bool) -> None:
    """Raises: InputError for numbers out of range, another suffix, or a place that is taken."""
    for what, number, least, most in (("key pictures", keys, 2, BLOCK), ("steps", steps, 1, 1000)):
        if number != int(number) or not least <= number <= most:
            raise InputError(
                f"A walk cannot have {number} {what}.", f"It has {least} to {most}.", "Try --interpolate 8."
            )
    check_film(place.suffix.lower())
    if place.is_dir() or (place.exists() and not force):
        why = "It is a folder." if place.is_dir() else "Nothing is overwritten by itself."
        raise InputError(f"{name!r} exists already.", why, "Choose another name, or --force to replace a file.")
