"""Labels as people write them, turned into places in a list of names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.errors import DataError

MOST_LEFT_OUT = 0.1  # share of the pictures that may be left out because their label has no second example


def check_labels(labels: NDArray[Any] | Sequence[Any], count: int, whose: str) -> NDArray[Any]:
    """Labels as a plain array (count,) of integers or words.

    Raises: DataError if there is not exactly one usable label for each picture.
    """
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or len(array) != count:
        raise DataError(
            f"There are labels of shape {array.shape} for {count} pictures ({whose}).",
            "Each picture needs exactly one label.",
            "Give a list of integers or words as long as the pictures.",
        )
    if array.dtype.kind == "f":
        if not np.isfinite(array).all() or (array != np.round(array)).any():
            raise DataError(
                f"The labels ({whose}) are not whole numbers.", "Labels name kinds of pictures.", "Round them."
            )
        array = array.astype(np.int64)
    if array.dtype.kind == "O":
        if missing := sum(label is None for label in array):
            raise DataError(
                f"{missing:,} of {count:,} labels ({whose}) are missing.",
                "Each picture needs one.",
                "Fill them in, or say --label none to train without labels.",
            )
        array = np.array([str(label) for label in array])
    if array.dtype.kind not in "iubUS":
        raise DataError(f"The labels ({whose}) are {array.dtype}.", "They must be integers or words.")
    return array.astype(str) if array.dtype.kind == "S" else array


def name_labels(
    parts: Sequence[NDArray[Any] | None], names: Sequence[str] = ()
) -> tuple[tuple[str, ...], list[NDArray[np.int64] | None], list[str]]:
    """Names for all labels, and each part's labels as places in the names.

    A label with a single training picture cannot be learned: the picture is left out (place -1), unless that would cost
    more than a tenth of the pictures; then the labels are not used at all. One label for everything is no label either.
    Args: parts the labels of each part, training first; names what the integers stand for, when that is known.
    Returns: names; places (count,) of each part, or None without labels; what was decided, in words.
    """
    train = parts[0]
    nothing: list[NDArray[np.int64] | None] = [None] * len(parts)
    if train is None or len(train) == 0:
        return (), nothing, []
    values, counts = np.unique(train, return_counts=True)
    if len(values) == 1:
        return (), nothing, [f"All pictures have the label {values[0]!s}: trained without labels."]
    kept, alone = values[counts > 1], int((counts == 1).sum())
    if len(kept) < 2 or alone > MOST_LEFT_OUT * len(train):
        return (), nothing, [f"{alone} of {len(values)} labels have a single picture: trained without labels."]
    notes = [f"{alone} pictures are left out: each is the only one of its label."] if alone else []

    places: list[NDArray[np.int64] | None] = []
    for number, labels in enumerate(parts):
        if labels is None:  # a held-out part without labels beside a labelled training part: see open_pictures
            places.append(None)
            continue
        if number and (labels.dtype.kind in "US") != (kept.dtype.kind in "US"):
            raise DataError(
                "The training labels and the test labels are not of one kind.", "One is words, one numbers."
            )
        found = np.searchsorted(kept, labels).clip(0, len(kept) - 1)
        place = np.where(kept[found] == labels, found, -1).astype(np.int64)
        strangers = int((place < 0).sum())
        if number and strangers:
            notes.append(f"{strangers} held-out pictures are left out: training has no such label.")
        places.append(place)
    return tuple(_name(value, names) for value in kept), places, notes


def _name(value: Any, names: Sequence[str]) -> str:
    if names and isinstance(value, np.integer) and 0 <= int(value) < len(names):
        return str(names[int(value)])
    return str(value)
