"""Samples as files that a person opens: one grid, a folder of pictures, or an array."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganforge.core.files import write_folder, write_whole
from ganforge.core.grid import grid, image_bytes
from ganforge.data.images.part import Pixels
from ganforge.errors import InputError

GRIDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def write_pictures(
    pictures: Pixels,
    path: str | Path,
    *,
    labels: NDArray[np.integer] | None = None,
    label_names: Sequence[str] = (),
    force: bool = False,
) -> None:
    """Writes pictures whole or not at all, in the form that the path asks for.

    Args: pictures (N, C, H, W); path .png, .jpg or .webp for one grid, .npz for an array x (N, C, H, W), or
        (N, H, W) when grey, with y when there are labels, a name without suffix for a folder of PNG files; labels (N,);
        label_names what they stand for; force replaces what is there.
    Raises: InputError for another suffix, for something that exists, or for labels of another length; StorageError.
    """
    path = Path(path)
    if labels is not None and len(labels) != len(pictures):
        raise InputError(f"There are {len(labels)} labels for {len(pictures)} pictures.", "Each needs one.")
    suffix = path.suffix.lower()
    if suffix and suffix not in GRIDS and suffix != ".npz" and not path.is_dir():
        raise InputError(
            f"Pictures cannot be written as {path.suffix!r}.",
            do=f"Use {', '.join(GRIDS)} for one grid, .npz for an array, or a name without a suffix for a folder.",
        )
    taken = any(path.iterdir()) if path.is_dir() else path.exists()
    if taken and (not force or path.is_dir() == bool(suffix)):
        why = "Nothing is overwritten by itself." if not force else "It is not what would be written."
        raise InputError(f"{str(path)!r} exists already.", why, "Choose another name, or --force to replace it.")

    if suffix in GRIDS and not path.is_dir():
        write_whole(path, image_bytes(grid(pictures), GRIDS[suffix]))
    elif suffix == ".npz" and not path.is_dir():
        write_whole(path, _npz_bytes(pictures, labels, label_names))
    else:
        words = None if labels is None else [_safe(label_names, int(label)) for label in labels]
        write_folder(path, lambda folder: _fill(folder, pictures, words))


def _npz_bytes(pictures: Pixels, labels: NDArray[np.integer] | None, label_names: Sequence[str]) -> bytes:
    arrays: dict[str, NDArray[np.generic]] = {"x": pictures[:, 0] if pictures.shape[1] == 1 else pictures}
    if labels is not None:
        arrays["y"] = np.asarray(labels, np.int64)
        if label_names:
            arrays["label_names"] = np.array(label_names)
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


def _fill(folder: Path, pictures: Pixels, words: Sequence[str] | None) -> None:
    for i, picture in enumerate(pictures):
        name = f"{i + 1:06d}" if words is None else f"{i + 1:06d}_{words[i]}"
        (folder / f"{name}.png").write_bytes(image_bytes(picture.transpose(1, 2, 0), "PNG"))


def _safe(label_names: Sequence[str], label: int) -> str:
    """A label as part of a file name."""
    word = label_names[label] if label_names else str(label)
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in word)[:60]
