"""Pictures inside the page: data URIs, made smaller where a file would be too heavy."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

_LEAST_SIDE = 160  # pixels: smaller shows nothing, whatever it weighs


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


def picture(path: Path, side: int = 1200, most_bytes: int = 200_000) -> Picture | None:
    """A file as a data URI, or None if it is missing or cannot be read (a report never fails for want of a picture).

    Args: side the longest side in pixels and most_bytes the weight that the page can bear. A PNG within its weight goes
        in as it is; anything else is written as WebP, smaller and smaller until it is light enough.
    """
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            if len(content) <= most_bytes and image.format == "PNG":
                return Picture(_uri(content, "image/png"), *image.size)
            full = image.convert("RGBA" if "A" in image.getbands() else "RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError):
        return None
    while True:
        lighter = full.copy()
        lighter.thumbnail((side, side), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        lighter.save(file, "WEBP", quality=80, method=4)
        if file.tell() <= most_bytes or side <= _LEAST_SIDE:
            return Picture(_uri(file.getvalue(), "image/webp"), *lighter.size)
        side = round(0.8 * min(side, max(full.size)))


def _uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
