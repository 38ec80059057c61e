"""Pictures of a cloud of points: real points in grey below, generated ones in colour above; one frame or many."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PER_SECOND = 10  # frames
SIDE = 320  # pixels of a frame
MARGIN = 0.06  # of the extent of the real points, around them
REAL, GENERATED, PAPER = (196, 200, 208), (14, 116, 144), (255, 255, 255)
TILT, TURN = math.radians(25), math.radians(35)  # viewing angle of 3-D points
MOST_SHOWN = 4_000  # points of each side
Array = NDArray[np.float64]


class View:
    """A mapping of points to pixels, fitted to the real points, so that all frames share it."""

    def __init__(self, real: Array) -> None:
        """Args: real (N, 2) or (N, 3)."""
        self._real = flat(real[:MOST_SHOWN])
        low, high = self._real.min(axis=0), self._real.max(axis=0)
        extent = float((high - low).max()) * (1 + 2 * MARGIN)
        self._corner, self._scale = (low + high - extent) / 2, (SIDE - 1) / extent

    def frame(self, generated: Array) -> NDArray[np.uint8]:
        """Draw both sides in one picture (H, W, 3). Points outside the picture are drawn at its border."""
        pixels = np.full((SIDE, SIDE, 3), PAPER, np.uint8)
        self._dots(pixels, self._real, REAL)
        self._dots(pixels, flat(generated[:MOST_SHOWN]), GENERATED)
        return pixels

    def _dots(self, pixels: NDArray[np.uint8], points: Array, colour: tuple[int, int, int]) -> None:
        """Draw each point as a square of 2 x 2 pixels."""
        finite = points[np.isfinite(points).all(axis=1)]
        places = np.clip((finite - self._corner) * self._scale, 0, SIDE - 2).astype(np.int64)
        for right in (0, 1):
            for down in (0, 1):
                pixels[SIDE - 2 - places[:, 1] + down, places[:, 0] + right] = colour


def flat(points: Array) -> Array:
    """Return 2-D points unchanged and 3-D points in parallel projection, seen from a corner."""
    if points.shape[1] == 2:
        return points
    x, y, z = points.T
    right = math.cos(TURN) * x + math.sin(TURN) * y
    away = math.cos(TURN) * y - math.sin(TURN) * x
    return np.stack([right, math.cos(TILT) * z + math.sin(TILT) * away], axis=1)


def png(frame: NDArray[np.uint8]) -> bytes:
    """Encode a frame as PNG."""
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "PNG", optimize=True)
    return file.getvalue()


def frames_of(files: Sequence[Path]) -> list[NDArray[np.uint8]]:
    """Read frames that `png` wrote; damaged files and other sizes are skipped."""
    frames = []
    for file in files:
        try:
            with Image.open(file, formats=("PNG",)) as image:
                frame = np.asarray(image.convert("RGB"))
        except (OSError, ValueError, SyntaxError):
            continue
        if frame.shape == (SIDE, SIDE, 3):
            frames.append(frame)
    return frames


def animation(frames: Sequence[NDArray[np.uint8]], hold: int = 1500) -> bytes:
    """Encode frames as a looping animated PNG. Args: hold milliseconds for which the last one is shown."""
    file = io.BytesIO()
    first, *others = (Image.fromarray(frame).quantize(8) for frame in frames)
    shown = [1000 // PER_SECOND] * len(others) + [hold]
    first.save(file, "PNG", save_all=True, append_images=others, duration=shown, loop=0)
    return file.getvalue()
