"""Pictures inside the page: data URIs, made smaller where a file would be too heavy."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

_HEAVY_BYTES = 250_000  # a file up to this size goes in as it is


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


def picture(path: Path, side: int = 1200, heavy_bytes: int = _HEAVY_BYTES) -> Picture | None:
    """A file as a data URI, or None if it is missing or cannot be read (a report never fails for want of a picture).

    Args: side the longest side in pixels, used when the file is heavier than `heavy_bytes`; it is then written as WebP.
    """
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            width, height = image.size
            if len(content) <= heavy_bytes and image.format == "PNG":
                return Picture(_uri(content, "image/png"), width, height)
            lighter = image.convert("RGBA" if "A" in image.getbands() else "RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError):
        return None
    lighter.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    lighter.save(file, "WEBP", quality=82, method=4)
    return Picture(_uri(file.getvalue(), "image/webp"), *lighter.size)


def _uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
