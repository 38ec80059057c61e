"""What the header of a picture file says, before anything is decoded, and what of the file is not read."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from PIL import Image
from PIL.ExifTags import Base as Tag
from PIL.TiffImagePlugin import TiffImageFile

FRAMES, MORE_BITS = "several frames or pages", "more than 8 bits a colour"
SPACES = ("CMYK", "LAB", "HSV")  # modes that RGB is made of
LOSSES = {  # what a file holds besides what is read of it -> what is read
    FRAMES: "only the first of them is read",
    MORE_BITS: "only the upper 8 are read",
    **{f"{mode} colours": "converted to RGB, without a colour profile" for mode in SPACES},
}


@dataclass(frozen=True, slots=True)
class Header:
    """Facts from the header of a file: upright (H, W), and grey, colour or alpha by the mode."""

    size: tuple[int, int]
    kind: str
    deep: bool  # whether its values are more than 8 bits each, of which none are lost
    losses: tuple[str, ...]  # of LOSSES


def losses_of(image: Image.Image) -> Iterator[str]:
    """Yield those of LOSSES that an opened picture has."""
    if image.format != "MPO" and getattr(image, "is_animated", False):  # a camera's MPO holds the picture and a preview
        yield FRAMES
    if loses_bits(image):
        yield MORE_BITS
    if image.mode in SPACES:
        yield f"{image.mode} colours"


def loses_bits(image: Image.Image) -> bool:
    """Return whether a picture has more than 8 bits a colour, of which Pillow reads the upper 8."""
    return not is_deep(image) and _bits(image) > 8


def tiles_of_low_bytes(image: Image.Image) -> list[Any]:
    """Return the tiles with which Pillow decodes the lower bytes of colours of 16 bits, for it takes the upper ones.

    Its names for the order of two bytes say which of them it takes. [] if the picture is of another form, or decoded.
    """
    tiles = []
    for tile in [] if _tiff_tag(image, Tag.PlanarConfiguration) == 2 else getattr(image, "tile", []):
        name, *rest = tile.args if isinstance(tile.args, tuple) and tile.args else (tile.args,)
        if found := re.fullmatch(r"(RGBA?;16)([LBN])", str(name)):
            upper = found[2].replace("N", sys.byteorder[0].upper())
            tiles.append(tile._replace(args=(found[1] + ("B" if upper == "L" else "L"), *rest)))
    return tiles


def why_garbled(image: Image.Image) -> str | None:
    """Return what a TIFF holds that Pillow takes for bytes: planes of 16 bits without compression, or signed bytes."""
    if image.mode == "L" and _tiff_tag(image, Tag.SampleFormat) == (2,):
        return "its values are bytes with a sign"
    planes = image.mode in ("RGB", "RGBA") and _tiff_tag(image, Tag.PlanarConfiguration) == 2
    raw = planes and _bits(image) > 8 and cast(TiffImageFile, image).tile[0].codec_name == "raw"
    return "its colours are planes of more than 8 bits without compression" if raw else None


def is_unsigned(image: Image.Image) -> bool:
    """Return whether a picture is a TIFF of whole numbers of 32 bits from 0 on, which Pillow takes for signed ones."""
    of_32 = image.mode == "I" and _tiff_tag(image, Tag.BitsPerSample) == (32,)
    return of_32 and _tiff_tag(image, Tag.SampleFormat) in (None, (1,))


def is_negative(image: Image.Image) -> bool:
    """Return whether 0 is white in a picture of 16 bits, which Pillow leaves so."""
    return image.mode == "I;16" and _tiff_tag(image, Tag.PhotometricInterpretation) == 0


def _tiff_tag(image: Image.Image, tag: int) -> Any:
    return image.tag_v2.get(tag) if isinstance(image, TiffImageFile) else None


def _bits(image: Image.Image) -> int:
    """Return the bits of each value in the file, as far as Pillow says; else 8."""
    if bits := _tiff_tag(image, Tag.BitsPerSample):
        return int(max(bits))
    args = [tile.args for tile in getattr(image, "tile", ())]
    if image.format == "PPM" and args and isinstance(args[0], tuple):
        return int(args[0][1]).bit_length()  # of the greatest value
    return 16 if any(";16" in str(one) for one in args) else 8


class Losses:
    """What pictures hold that is not read: how many of each of LOSSES, and the name of the first."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, str]] = {}

    def add(self, name: str, header: Header) -> None:
        """Add one picture."""
        for loss in header.losses:
            count, first = self._found.get(loss, (0, name))
            self._found[loss] = count + 1, first

    def told(self, of: str = "pictures") -> tuple[str, ...]:
        """Return a sentence for each. Args: of: what the counted ones are."""
        return tuple(
            f"{count:,} {of} ({first}{', ...' if count > 1 else ''}) with {loss}: {LOSSES[loss]}."
            for loss, (count, first) in self._found.items()
        )


def kind_of_mode(image: Image.Image) -> str:
    """Return grey, colour or alpha."""
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        return "alpha"
    return "grey" if image.mode in ("1", "L") or is_deep_grey(image) else "colour"


def is_deep(image: Image.Image) -> bool:
    """Return whether the values of a picture that is not decoded yet are read in a range: of more than 8 bits."""
    return is_deep_grey(image) or bool(tiles_of_low_bytes(image))


def is_deep_grey(image: Image.Image) -> bool:
    """Return whether a picture is grey and its values have more than 8 bits."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")
