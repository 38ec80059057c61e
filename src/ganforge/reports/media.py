"""Pictures and sound inside the page, as data URIs; pictures are made smaller where a file would be too heavy."""

from __future__ import annotations

import base64
import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ganforge.run import Run

FORMATS = ("PNG", "JPEG", "WEBP")  # never EPS and the like, which run programs
_LEAST_SIDE = 160  # pixels: smaller shows nothing, whatever it weighs
_MOST_BYTES, _MOST_PIXELS = 2**26, 2**26  # of a file: more is none that a run writes
_MOST_SOUND = 2**20  # bytes of a sound file: about half a minute of speech
SOUNDS = {".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg", ".mp3": "audio/mpeg"}
_BROKEN = (  # what Pillow's decoders raise on damaged files
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, AttributeError, ArithmeticError, MemoryError,
    struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture for an <img>: its address and its size in pixels."""

    uri: str
    width: int
    height: int

    @property
    def small(self) -> bool:
        """Whether the page shows it larger than it is, so that its pixels should stay square."""
        return self.width < 560


def place_of(run: Run, path: str) -> Path | None:
    """Where a file that an evaluation names lies; None if that is outside of the run, or a link."""
    place = run.folder / path
    inside = place.resolve().is_relative_to(run.folder.resolve())
    return place if inside and not place.is_symlink() else None


def sound(path: Path) -> str | None:
    """A sound file as a data URI; None if it is missing, too heavy for a page, or not of a known type."""
    kind = SOUNDS.get(path.suffix.lower())
    try:
        if kind is None or path.stat().st_size > _MOST_SOUND:
            return None
        return _uri(path.read_bytes(), kind)
    except OSError:
        return None


def picture(path: Path, side: int = 1200, most_bytes: int = 200_000) -> Picture | None:
    """A file as a data URI, or None if it is missing or cannot be read (a report never fails for want of a picture).

    Args: side the longest side in pixels and most_bytes the weight that the page can bear. A PNG within its weight goes
        in as it is; anything else is written as WebP, smaller and smaller until it is light enough.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        content = path.read_bytes()
        with _quiet(), Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > _MOST_PIXELS:
                return None
            image.load()
            if len(content) <= most_bytes and (image.format == "PNG" or getattr(image, "is_animated", False)):
                return Picture(_uri(content, f"image/{str(image.format).lower()}"), *image.size)
            full = image.convert("RGBA" if "A" in image.getbands() else "RGB")
    except _BROKEN:
        return None
    while True:
        lighter = full.copy()
        lighter.thumbnail((side, side), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        lighter.save(file, "WEBP", quality=80, method=4)
        if file.tell() <= most_bytes or side <= _LEAST_SIDE:
            return Picture(_uri(file.getvalue(), "image/webp"), *lighter.size)
        side = round(0.8 * min(side, max(full.size)))


@contextmanager
def _quiet() -> Iterator[None]:
    """Pillow warns of pictures that are too large: here they are none."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
