"""Samples as files that a person opens: one grid, a folder of pictures, or an array."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganforge.core.files import MANIFEST, write_folder, write_whole
from ganforge.core.json_file import read_json_file
from ganforge.errors import InputError
from ganforge.kinds.pictures.grid import grid, grid_size, image_bytes
from ganforge.kinds.pictures.reading.part import Pixels

GRIDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
MOST_SIDE = {"PNG": 2**31 - 1, "JPEG": 65_500, "WEBP": 16_383}  # pixels, by the formats and their libraries
MOST_PIXELS = 89_478_485  # from here on Pillow, and others, take a picture for an attack on their memory
SAMPLE = re.compile(r"\d{6,}(_.*)?\.png")  # the names below


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
        label_names what they stand for; force replaces a file, or a folder that an earlier call has written.
    Raises: InputError as `check_place`, or for labels of another length; StorageError.
    """
    if labels is not None and len(labels) != len(pictures):
        raise InputError(f"There are {len(labels)} labels for {len(pictures)} pictures.", "Each needs one.")
    place = check_place(path, pictures.shape, force=force)
    suffix = place.suffix.lower()
    if suffix in GRIDS and not place.is_dir():
        write_whole(place, image_bytes(grid(pictures), GRIDS[suffix]))
    elif suffix == ".npz" and not place.is_dir():
        write_whole(place, array_bytes(pictures, labels, label_names))
    else:
        words = None if labels is None else [_safe(label_names, int(label)) for label in labels]
        write_folder(place, lambda folder: _fill(folder, pictures, words))


def check_place(path: str | Path, shape: tuple[int, ...], *, force: bool = False) -> Path:
    """Where pictures of a shape (N, C, H, W) will be written, from the root and without links.

    Raises: InputError for another suffix, a grid that its format cannot hold, something that exists (with force: only
        what samples must not replace, which is any folder that is not one of samples).
    """
    name, place = str(path), Path(path).resolve()
    suffix = place.suffix.lower()
    if place.is_dir():
        _check_folder(name, place, force)
        return place
    if suffix and suffix not in GRIDS and suffix != ".npz":
        raise InputError(
            f"Pictures cannot be written as {suffix!r}.",
            do=f"Use {', '.join(GRIDS)} for one grid, .npz for an array, or a name without a suffix for a folder.",
        )
    if place.exists() and not (force and suffix):
        why = "It is a file, and a folder would be written." if force else "Nothing is overwritten by itself."
        raise InputError(f"{name!r} exists already.", why, "Choose another name, or --force to replace it.")
    if suffix in GRIDS:
        _check_grid(shape, suffix)
    return place


def _check_folder(name: str, folder: Path, force: bool) -> None:
    """Raises: InputError if a folder of pictures must not take the place of this one."""
    if Path.cwd().is_relative_to(folder):
        raise InputError(
            f"{name!r} is the folder that you are in, or one around it.",
            "It would be replaced by the folder of samples.",
            "Give the name of a new folder.",
        )
    if not any(folder.iterdir()):
        return
    if not force:
        raise InputError(
            f"{name!r} exists already.",
            "Nothing is overwritten by itself.",
            "Choose another name, or --force to replace it.",
        )
    if not _is_ours(folder):
        raise InputError(
            f"{name!r} holds files that are not samples.",
            "They would be lost: only a folder that `sample` wrote is ever replaced.",
            "Choose another name.",
        )


def _is_ours(folder: Path) -> bool:
    """Whether a folder holds nothing but samples, all of them named by the manifest that was written with them."""
    try:
        manifest = read_json_file(folder / MANIFEST)
    except (OSError, ValueError):
        return False
    names = {path.name for path in folder.iterdir()} - {MANIFEST, ".DS_Store"}
    return isinstance(manifest, dict) and names <= set(manifest) and all(map(SAMPLE.fullmatch, names))


def _check_grid(shape: tuple[int, ...], suffix: str) -> None:
    """Raises: InputError for a grid that its format, or a person's viewer, cannot hold."""
    count, _, height, width = shape
    high, wide = grid_size(count, height, width)
    side = MOST_SIDE[GRIDS[suffix]]
    if high * wide <= MOST_PIXELS and max(high, wide) <= side:
        return
    why = f"{suffix} holds at most {side:,} on a side."
    if high * wide > MOST_PIXELS:
        why = f"Viewers refuse pictures of more than {MOST_PIXELS:,} pixels."
    raise InputError(
        f"A grid of {count:,} pictures would have {wide:,} x {high:,} pixels.",
        why,
        "Draw fewer, or write .npz or a folder.",
    )


def array_bytes(pictures: Pixels, labels: NDArray[np.integer] | None, label_names: Sequence[str]) -> bytes:
    """The bytes of an .npz file: x, and y and label_names where there are labels; see `write_pictures`."""
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
