"""The verb `invert`: from a picture back to the latent that the model draws it from, and edits of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.api.model import model_of, verb_of
from ganforge.api.stored_run import on_this_machine, recipe_of, reopened
from ganforge.contracts import Observer
from ganforge.errors import DataError, RecipeError
from ganforge.run import Run

if TYPE_CHECKING:
    from ganforge.kinds.pictures.invert.inversion import Inversion
    from ganforge.recipe import Recipe


def invert(
    run: str | Path,
    source: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    label: str | int | None = None,
    edits: Sequence[str] = (),
    seed: int = 0,
    force: bool = False,
    observers: Sequence[Observer] = (),
) -> Inversion:
    """Finds the latents of pictures, and writes a folder: side by side pictures, latents.npz and inversion.json.

    The first call for a run teaches an encoder, about a minute; observers see that as one player's training.

    Args: source a picture, several, or a folder of them; out a folder, None for RUN/inverted, which each call replaces;
        label of the pictures, None to find out; edits such as "slant=2": so many standard deviations further along a
        direction that was found, or "label=7": the same latent under another label.
    Raises: RunError, DataError for pictures that cannot be used, InputError for a run that cannot invert, an unknown
        label or direction, or a folder that holds files (force replaces what `invert` wrote, and nothing else).
    """
    folder = Run.open(run)
    recipe = on_this_machine(recipe_of(folder))
    found = verb_of(model_of(run, recipe.compute.device), "invert")
    torch.set_num_threads(recipe.compute.threads)
    inversion: Inversion = found(
        folder,
        source,
        None if out is None else Path(out),
        lambda most: _training(folder, recipe, most),
        label=None if label is None else str(label),
        edits=edits,
        seed=seed,
        force=force,
        observers=observers,
    )
    return inversion


def _training(folder: Run, recipe: Recipe, most: int) -> NDArray[Any] | None:
    """The first training examples (N, ...), at most so many; None where the data is gone or has changed."""
    try:
        feed = reopened(folder, recipe, lambda kind, **content: None).feed
    except (DataError, RecipeError):
        return None
    return np.asarray(feed.raw(0, min(len(feed), most))["pixels"].numpy())
