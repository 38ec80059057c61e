"""Spectrograms as pictures: a row for each sound with its versions side by side, or a grid of many."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ganforge.kinds.sounds.features import LogMel

RANGE = 9.0  # of the natural logarithm, below the loudest cell: about 80 dB
WIDTH, HEIGHT, GAP = 260, 120, 6  # pixels of one spectrogram, and between two


@torch.no_grad()
def picture_of(rows: Sequence[Sequence[NDArray[np.float32]]], features: LogMel) -> bytes:
    """Draw log-mel spectrograms as PNG. Args: rows of waveforms (T,), each row scaled by the loudest of its first."""
    colours = matplotlib.colormaps["magma"]
    high, wide = len(rows) * (HEIGHT + GAP) - GAP, max(len(row) for row in rows) * (WIDTH + GAP) - GAP
    picture = np.full((high, wide, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        top: float | None = None
        for x, samples in enumerate(row):
            log_mel = features(torch.from_numpy(samples)[None])[0].numpy()
            top = float(log_mel.max()) if top is None else top
            levels = np.clip(1 + (log_mel[::-1] - top) / RANGE, 0, 1)
            tile = Image.fromarray((colours(levels)[..., :3] * 255).astype(np.uint8)).resize((WIDTH, HEIGHT))
            picture[y * (HEIGHT + GAP) :, x * (WIDTH + GAP) :][:HEIGHT, :WIDTH] = np.asarray(tile)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", optimize=True)
    return file.getvalue()


def grid_of_levels(levels: NDArray[np.uint8]) -> bytes:
    """Draw spectrograms as levels (n, M, N) in a grid, as PNG."""
    columns = int(np.ceil(np.sqrt(len(levels))))
    coloured = (matplotlib.colormaps["magma"](levels[:, ::-1])[..., :3] * 255).astype(np.uint8)
    count, high, wide, _ = coloured.shape
    picture = np.full((-(-count // columns) * (high + 2) - 2, columns * (wide + 2) - 2, 3), 255, np.uint8)
    for place, tile in enumerate(coloured):
        y, x = place // columns * (high + 2), place % columns * (wide + 2)
        picture[y : y + high, x : x + wide] = tile
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", optimize=True)
    return file.getvalue()
