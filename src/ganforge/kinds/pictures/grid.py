"""Many small pictures as one picture that looks good on a screen."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganforge.errors import InputError

READABLE_SIDE = 48  # pixels: smaller pictures are enlarged by whole numbers until they reach it
GAP = 2  # pixels between pictures and around them


def grid(pictures: NDArray[np.uint8], columns: int | None = None, scale: int | None = None) -> NDArray[np.uint8]:
    """Pictures side by side on white, row by row.

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


def grid_size(n: int, height: int, width: int, columns: int | None = None, scale: int | None = None) -> tuple[int, int]:
    """Rows and columns of pixels that `grid` makes of n pictures of height x width. Raises: as `grid`."""
    columns, scale = _layout(n, height, width, columns, scale)
    rows = math.ceil(n / columns)
    return rows * (height * scale + GAP) + GAP, columns * (width * scale + GAP) + GAP


def _layout(n: int, height: int, width: int, columns: int | None, scale: int | None) -> tuple[int, int]:
    """Pictures in a row, and how many pixels wide and high each pixel becomes."""
    columns = math.ceil(math.sqrt(n)) if columns is None else min(columns, n)
    scale = math.ceil(READABLE_SIDE / max(height, width)) if scale is None else scale
    if columns < 1 or scale < 1:
        raise InputError(f"A grid cannot have {columns} columns at scale {scale}.", do="Give whole numbers from 1 on.")
    return columns, scale


def image_bytes(array: NDArray[np.uint8], kind: str) -> bytes:
    """One picture as the bytes of a file.

    Args: array (H, W, C), C 1, 3 or 4; kind Pillow's name: PNG, JPEG (transparency is laid on white), WEBP.
    """
    picture = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    if kind == "JPEG" and picture.mode == "RGBA":
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture).convert("RGB")
    file = io.BytesIO()
    picture.save(file, kind, **({"quality": 95} if kind in ("JPEG", "WEBP") else {}))
    return file.getvalue()


def png_bytes(array: NDArray[np.uint8]) -> bytes:
    """One picture (H, W, C), C 1, 3 or 4, as the bytes of a PNG file."""
    return image_bytes(array, "PNG")
