"""The verb `augment`: a labelled data set enlarged with generated pictures, and whether that helps a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ganforge.api.model import model_of, verb_of
from ganforge.contracts import Observer
from ganforge.run import Run

if TYPE_CHECKING:
    from ganforge.kinds.pictures.augment import Enlarged


def augment(
    run: str | Path,
    data: str | Path,
    out: str | Path,
    *,
    per_label: int = 100,
    seed: int = 0,
    force: bool = False,
    observers: Sequence[Observer] = (),
) -> Enlarged:
    """Writes a labelled data set together with generated pictures of each label, and judges what that is worth.

    The judge is a small classifier that learns from the training part with classical augmentation (shifts, turns, zoom,
    brightness), once without and once with the generated pictures, equally many examples, from five pairs of first
    weights; it is tested on the held-out part, which neither it nor, if this is the data of the run, the generator saw.

    Args: data a folder of labelled subfolders, an array file or a built-in name; out a folder, or .npz for an array
        file; per_label how many are drawn of each label. observers are told `compared` after each pair.
    Raises: RunError, DataError if labels are missing or are not those of the run; InputError for a run that cannot
        augment, or a place that is taken.
    """
    folder = Run.open(run)
    known = folder.read_json(folder.recipe).get("data", {}).get("hash")
    enlarge = verb_of(model_of(run), "augment")
    enlarged: Enlarged = enlarge(
        data, Path(out), known=known, per_label=per_label, seed=seed, force=force, observers=observers
    )
    return enlarged
