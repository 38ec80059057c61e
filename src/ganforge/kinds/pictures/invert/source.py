"""Single pictures as a person gives them, made into what a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ganforge.errors import DataError
from ganforge.kinds.pictures.picture_file import picture_paths
from ganforge.kinds.pictures.reading.decode import BROKEN, decode, quiet_pillow, reason_of
from ganforge.kinds.pictures.reading.folder import open_in
from ganforge.kinds.pictures.reading.part import Pixels, Target

MOST = 1_000  # pictures at once


def loose_pictures(
    sources: Sequence[str | Path], shape: tuple[int, int, int]
) -> tuple[list[str], Pixels, list[tuple[str, str]]]:
    """Pictures from files and folders, each upright, resized to cover the shape and cut to its middle, as in training.

    Args: shape (C, H, W). Returns: their paths; uint8 (N, C, H, W); (path, reason) of those in folders that cannot be
        used. Raises: DataError for a file that is missing or damaged, if none is left, or if there are too many.
    """
    channels, height, width = shape
    names: list[str] = []
    kept: list[Pixels] = []
    skipped: list[tuple[str, str]] = []
    paths = [(path, Path(source).is_dir()) for source in sources for path in picture_paths(Path(source))]
    if len(paths) > MOST:
        raise DataError(
            f"There are {len(paths):,} pictures.", f"At most {MOST:,} are taken at once.", "Give some of them."
        )
    with quiet_pillow():
        for path, in_folder in paths:
            try:
                pixels, _ = decode(partial(open_in, path.parent, path.name), Target(height, width, channels))
            except BROKEN as error:
                if not in_folder:
                    raise DataError(
                        f"{str(path)!r} cannot be used.", f"It is {reason_of(error)}.", "Give another picture."
                    ) from error
                skipped.append((str(path), reason_of(error)))
                continue
            names.append(str(path))
            kept.append(pixels.transpose(2, 0, 1))
    if not kept:
        raise DataError("None of the pictures can be used.", f"{skipped[0][0]}: {skipped[0][1]}.", "Give others.")
    return names, np.ascontiguousarray(np.stack(kept)), skipped
