"""What a person gives as data, made into something that can be found again later and from anywhere."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ganforge.data.images import BUILT_IN
from ganforge.data.images.labels import check_labels
from ganforge.data.tables.numeric import BUILT_IN_TABLES
from ganforge.errors import DataError


@contextmanager
def on_disk(source: object) -> Iterator[str | Path]:
    """A path for data that is given as an array or as a pair (array, labels); a path or name is given back as it is.

    Raises: DataError if it is none of these, or the labels do not fit the array.
    """
    if isinstance(source, str | Path):
        yield source
        return
    x, y = source if isinstance(source, tuple) and len(source) == 2 else (source, None)
    try:
        array = np.asarray(x)
    except ValueError as error:  # a list of pictures of several sizes
        raise DataError(f"The data is no array: {error}.", "All pictures need one size.", "Give a folder.") from error
    if array.dtype.hasobject or array.ndim == 0:
        raise DataError(
            f"A {type(x).__name__} cannot be trained on.", "It is neither a path nor an array.", "Give one of these."
        )
    arrays = {"x": array}
    if y is not None:
        arrays["y"] = check_labels(y, len(array), "as given")
    with tempfile.TemporaryDirectory(prefix="ganforge-") as folder:
        path = Path(folder, "array.npz")
        np.savez(path, allow_pickle=False, **arrays)
        yield path


def lasting(source: str | Path, task: str | None) -> str:
    """Data's path from the root, so that a run opens it from every folder; a built-in name as it is.

    What does not exist is left as it was typed, for the error that follows. A Path is never a name. Links are not
    followed: what they point to may have a name without a suffix.
    """
    names = BUILT_IN_TABLES if task == "regress" else BUILT_IN
    if isinstance(source, str) and source in names:
        return source
    path = Path(source).expanduser()
    try:
        return str(path.absolute()) if isinstance(source, Path) or path.exists() else source
    except (OSError, ValueError):  # no path at all
        return str(source)
