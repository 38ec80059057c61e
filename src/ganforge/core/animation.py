"""Sequences of pictures as animation files: GIF, WebP or MP4."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganforge.errors import InputError

PER_SECOND = 20  # frames: GIF counts hundredths of a second, and most viewers show none shorter than two of them
FILMS = (".gif", ".webp", ".mp4")


def film_bytes(frames: Iterable[NDArray[np.uint8]], suffix: str) -> bytes:
    """Encode frames as one file that loops for ever (MP4: as the player decides).

    Args: frames (H, W, C), C 1, 3 or 4, all alike, at least one; transparent pixels are put on white. suffix one of
        FILMS. A frame is made when it is needed; Pillow keeps those of a GIF or WebP until the end.
    Raises: InputError for another suffix, or .mp4 without the extra `video`.
    """
    check_film(suffix)
    pictures = (_opaque(frame) for frame in frames)
    return _mp4(pictures) if suffix == ".mp4" else _animation(pictures, suffix)


def check_film(suffix: str) -> None:
    """Check a film's suffix before any frame is made. Raises: as `film_bytes`."""
    if suffix not in FILMS:
        raise InputError(f"A walk cannot be written as {suffix!r}.", do=f"Use {', '.join(FILMS)}.")
    if suffix == ".mp4":
        try:
            import av  # noqa: F401
        except ImportError as error:
            raise InputError(
                "A walk cannot be written as '.mp4' here.",
                "That takes PyAV, which is not installed.",
                'Use: pip install "ganforge[video]", or write .gif or .webp.',
            ) from error


def _opaque(frame: NDArray[np.uint8]) -> Image.Image:
    picture = Image.fromarray(frame[:, :, 0] if frame.shape[2] == 1 else frame)
    if picture.mode != "RGBA":
        return picture
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def _animation(pictures: Iterator[Image.Image], suffix: str) -> bytes:
    file, first = io.BytesIO(), next(pictures)
    kind, more = ("GIF", {}) if suffix == ".gif" else ("WEBP", {"quality": 90, "method": 2})
    duration = 1000 // PER_SECOND  # milliseconds
    first.save(file, kind, save_all=True, append_images=pictures, duration=duration, loop=0, **more)
    return file.getvalue()


def _mp4(pictures: Iterator[Image.Image]) -> bytes:
    """Encode H.264 with colours at half resolution, which every player supports; one thread, for the same bytes."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = None
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(_even(np.asarray(picture.convert("RGB"))), format="rgb24")
            if stream is None:
                stream = container.add_stream("h264", rate=PER_SECOND, options={"crf": "18"})
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
                stream.thread_count = 1
            frame.pts, frame.time_base = number, Fraction(1, PER_SECOND)
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode())
    return file.getvalue()


def _even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat the last row or column where their number is odd: half resolution needs even numbers."""
    height, width = picture.shape[:2]
    padding = ((0, height % 2), (0, width % 2), (0, 0))
    return np.ascontiguousarray(np.pad(picture, padding, mode="edge")) if height % 2 or width % 2 else picture
