"""A picture of any size through a network, tile by tile: bounded memory, and no seam.

Each tile is given `reach` more pixels on every side than it is asked for, so that each pixel of its result sees just
what it would see in the whole picture. At the picture's own border both end alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.kinds.pictures.reading.feed import HALF, to_uint8

TILE = 192  # pixels of a tile's side, without its surroundings
Network: TypeAlias = Callable[[Tensor], Tensor]
"""x (1, C, H, W) in -1..1 -> (1, C', factor * H, factor * W) in -1..1."""
Told: TypeAlias = Callable[[float], None]
"""Called with the share 0..1 that is done."""


@torch.no_grad()
def in_tiles(
    network: Network,
    picture: NDArray[np.uint8],
    *,
    reach: int,
    multiple: int = 1,
    factor: int = 1,
    tile: int = TILE,
    told: Told = lambda share: None,
) -> NDArray[np.uint8]:
    """The network's result for a whole picture.

    It equals the result of one pass over the whole picture, up to the rounding of sums that a convolution orders in
    another way for another size.

    Args: picture uint8 (H, W, C) of any size; reach pixels of input, beyond a pixel, that its result depends on;
        multiple what both sides must be divisible by: the picture is mirrored until they are, and cut again; factor how
        many times larger the result is.
    Returns: uint8 (factor * H, factor * W, C').
    """
    height, width = picture.shape[:2]
    padded = np.pad(picture, ((0, -height % multiple), (0, -width % multiple), (0, 0)), mode="symmetric")
    around = -(-reach // multiple) * multiple  # so that every tile begins at a multiple, as the whole picture does
    step = max(multiple, tile // multiple * multiple)
    result: NDArray[np.uint8] | None = None
    places = list(_places(padded.shape[0], padded.shape[1], step))
    for number, (top, left, bottom, right) in enumerate(places):
        first_row, first_column = max(0, top - around), max(0, left - around)
        window = padded[first_row : bottom + around, first_column : right + around]
        x = torch.from_numpy(np.ascontiguousarray(window.transpose(2, 0, 1)))[None].float().sub_(HALF).div_(HALF)
        made = to_uint8(network(x))[0].cpu().numpy().transpose(1, 2, 0)
        if result is None:
            result = np.empty((factor * padded.shape[0], factor * padded.shape[1], made.shape[2]), np.uint8)
        rows = slice(factor * (top - first_row), factor * (bottom - first_row))
        columns = slice(factor * (left - first_column), factor * (right - first_column))
        result[factor * top : factor * bottom, factor * left : factor * right] = made[rows, columns]
        told((number + 1) / len(places))
    assert result is not None  # a picture has at least one pixel
    return result[: factor * height, : factor * width]


def _places(height: int, width: int, step: int) -> Iterator[tuple[int, int, int, int]]:
    """Top, left, bottom and right of each tile, row by row."""
    for top in range(0, height, step):
        for left in range(0, width, step):
            yield top, left, min(top + step, height), min(left + step, width)
