"""Writing of samples: one grid, a folder of pictures, or an array."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganforge.core.files import MANIFEST, read_json_file, refuse_taken, write_folder, write_whole
from ganforge.errors import InputError
from ganforge.kinds.pictures.reading.decode import on_white
from ganforge.kinds.pictures.reading.part import Pixels

READABLE_SIDE = 48  # pixels: smaller pictures are enlarged by integers until they reach it
GAP = 2  # pixels between pictures and around them


def grid(pictures: NDArray[np.uint8], columns: int | None = None, scale: int | None = None) -> NDArray[np.uint8]:
    """Arrange pictures side by side on white, row by row.

    Args: pictures (N, C, H, W), C 1, 3 or 4, N >= 1; columns the pictures in a row, by default as square as can be;
        scale how many pixels wide and high each pixel becomes (nearest neighbour), by default enough to be readable.
    Returns: (rows of pixels, columns of pixels, C).
    Raises: InputError if the array is not such pictures or a number is below 1.
    """
    if pictures.ndim != 4 or pictures.shape[1] not in (1, 3, 4) or pictures.dtype != np.uint8 or 0 in pictures.shape:
        raise InputError(
            f"A grid cannot be made of {pictures.dtype} of shape {pictures.shape}.",
            "It needs at least one picture.",
            "Give uint8 of shape (N, C, H, W) with C 1, 3 or 4.",
        )
    n, channels, height, width = pictures.shape
    columns, scale = _layout(n, height, width, columns, scale)
    tiles = pictures.transpose(0, 2, 3, 1).repeat(scale, axis=1).repeat(scale, axis=2)  # (N, H', W', C)
    high, wide = tiles.shape[1] + GAP, tiles.shape[2] + GAP
    canvas = np.full((*grid_size(n, height, width, columns, scale), channels), 255, np.uint8)
    for i, tile in enumerate(tiles):
        top, left = (i // columns) * high + GAP, (i % columns) * wide + GAP
        canvas[top : top + high - GAP, left : left + wide - GAP] = tile
    return canvas


def side_by_side(*sides: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Interleave S sides (N, C, H, W) as (N * S, C, H, W)."""
    return np.stack(sides, axis=1).reshape(-1, *sides[0].shape[1:])


def write_grid(path: Path, pictures: NDArray[np.uint8], columns: int | None = None) -> None:
    """Write a grid as a PNG file, whole or not at all. Args: as of `grid`."""
    write_whole(path, png_bytes(grid(pictures, columns)))


def grid_size(n: int, height: int, width: int, columns: int | None = None, scale: int | None = None) -> tuple[int, int]:
    """Return rows and columns of pixels of a `grid` of n pictures of height x width. Raises: as `grid`."""
    columns, scale = _layout(n, height, width, columns, scale)
    rows = math.ceil(n / columns)
    return rows * (height * scale + GAP) + GAP, columns * (width * scale + GAP) + GAP


def _layout(n: int, height: int, width: int, columns: int | None, scale: int | None) -> tuple[int, int]:
    """Return the pictures in a row, and the pixels of width and height of each pixel."""
    columns = math.ceil(math.sqrt(n)) if columns is None else min(columns, n)
    scale = math.ceil(READABLE_SIDE / max(height, width)) if scale is None else scale
    if columns < 1 or scale < 1:
        raise InputError(f"A grid cannot have {columns} columns at scale {scale}.", do="Give whole numbers from 1 on.")
    return columns, scale


def image_bytes(array: NDArray[np.uint8], kind: str) -> bytes:
    """Encode one picture as a file.

    Args: array (H, W, C), C 1, 3 or 4; kind Pillow's name: PNG, JPEG (transparency composited on white), WEBP.
    """
    picture = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    if kind == "JPEG" and picture.mode == "RGBA":
        picture = on_white(picture)
    file = io.BytesIO()
    picture.save(file, kind, **QUALITY.get(kind, {}))
    return file.getvalue()


def png_bytes(array: NDArray[np.uint8]) -> bytes:
    """Encode one picture (H, W, C), C 1, 3 or 4, as PNG."""
    return image_bytes(array, "PNG")


GRIDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
MOST_SIDE = {"PNG": 2**31 - 1, "JPEG": 65_500, "WEBP": 16_383}  # pixels, by the formats and their libraries
QUALITY = {"JPEG": {"quality": 95}, "WEBP": {"quality": 95}}  # of what is written
MOST_PIXELS = 89_478_485  # above it Pillow, and others, reject a picture as a decompression bomb
SAMPLE = re.compile(r"\d{6,}(_.*)?\.png")  # the names below


def write_pictures(
    pictures: Pixels,
    path: str | Path,
    *,
    labels: NDArray[np.integer] | None = None,
    label_names: Sequence[str] = (),
    force: bool = False,
) -> None:
    """Write pictures whole or not at all, in the format of the path.

    Args: pictures (N, C, H, W); path .png, .jpg or .webp for one grid, .npz for an array x (N, C, H, W), or
        (N, H, W) when grey, with y when there are labels, a name without suffix for a folder of PNG files; labels (N,);
        label_names their names; force replaces a file, or a folder that an earlier call has written.
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
    """Return the absolute path, without links, for pictures of a shape (N, C, H, W).

    Raises: InputError for another suffix, a grid that its format cannot hold, an existing path (with force: only
        a folder that is not one of samples).
    """
    name, place = str(path), Path(path).resolve()
    suffix = place.suffix.lower()
    if place.is_dir() and Path.cwd().is_relative_to(place):
        raise InputError(
            f"{name!r} is the folder that you are in, or one around it.",
            "It would be replaced by the folder of samples.",
            "Give the name of a new folder.",
        )
    if suffix and suffix not in GRIDS and suffix != ".npz" and not place.is_dir():
        raise InputError(
            f"Pictures cannot be written as {suffix!r}.",
            do=f"Use {', '.join(GRIDS)} for one grid, .npz for an array, or a name without a suffix for a folder.",
        )
    refuse_taken(Path(path), force=force, replaceable=lambda it: bool(it.is_file() and suffix) or _is_ours(it))
    if suffix in GRIDS and not place.is_dir():
        _check_grid(shape, suffix)
    return place


def _is_ours(folder: Path) -> bool:
    """Return whether a folder holds only samples, all listed in their manifest."""
    try:
        manifest = read_json_file(folder / MANIFEST)
    except (OSError, ValueError):
        return False
    names = {path.name for path in folder.iterdir()} - {MANIFEST, ".DS_Store"}
    return isinstance(manifest, dict) and names <= set(manifest) and all(map(SAMPLE.fullmatch, names))


def _check_grid(shape: tuple[int, ...], suffix: str) -> None:
    """Raise InputError for a grid that its format, or a viewer, cannot hold."""
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
    """Encode an .npz file: x, and y and label_names if there are labels; see `write_pictures`."""
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
    """Return a label as part of a file name."""
    word = label_names[label] if label_names else str(label)
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in word)[:60]
