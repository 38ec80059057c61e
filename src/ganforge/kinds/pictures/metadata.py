"""What a picture file says beside its pixels, and what of it still holds when a network has changed them."""

from __future__ import annotations

import io
import re
from contextlib import suppress
from copy import deepcopy
from typing import Any

from PIL import ExifTags, Image, ImageCms
from PIL.ExifTags import IFD
from PIL.ExifTags import Base as Tag

from ganforge.kinds.pictures.reading.decode import BROKEN

MOST_EXIF = 65_533  # bytes, in a JPEG
RESOLUTION = (Tag.XResolution, Tag.YResolution)
KEPT = (
    Tag.DocumentName, Tag.ImageDescription, Tag.Make, Tag.Model, *RESOLUTION, Tag.ResolutionUnit, Tag.Software,
    Tag.DateTime, Tag.Artist, Tag.HostComputer, Tag.Copyright, Tag.Rating, Tag.XPTitle, Tag.XPComment, Tag.XPAuthor,
    Tag.XPKeywords, Tag.XPSubject,
)  # fmt: skip
"""Of the first directory. That of a TIFF also holds size, strips, tiles, compression and colours of the old file."""
STALE = (
    Tag.ExifImageWidth, Tag.ExifImageHeight, Tag.ComponentsConfiguration, Tag.CompressedBitsPerPixel,
    0x9214, Tag.SubjectLocation,  # 0x9214 is SubjectArea
    Tag.FocalPlaneXResolution, Tag.FocalPlaneYResolution, Tag.FocalPlaneResolutionUnit,
    Tag.MakerNote,  # has offsets into the old file
)  # fmt: skip
"""Of the directory of the exposure; all else in it is kept, and all of the place."""
LAYOUT = re.compile(r'\{"shape|shape=|ImageJ=|<\?xml|<OME')  # descriptions by which a program finds its pixels


def kept_exif(image: Image.Image) -> tuple[Image.Exif, tuple[float, float] | None]:
    """Return the EXIF data, and the dots per inch across and down, that hold for upright pixels of any size."""
    given, kept = image.getexif(), Image.Exif()
    values: dict[int, Any] = {tag: given[tag] for tag in KEPT if tag in given}
    if LAYOUT.match(str(values.get(Tag.ImageDescription))):
        del values[Tag.ImageDescription]
    if given.get(Tag.Orientation, 1) in (5, 6, 7, 8) and all(tag in values for tag in RESOLUTION):
        values |= zip(RESOLUTION, [values[tag] for tag in reversed(RESOLUTION)], strict=True)
    for tag, value in values.items():
        if isinstance(value, str):  # Pillow reads Latin-1 and would write ASCII
            values[tag] = value.encode("latin-1", "replace")
    kept.update(_writable(values))
    for part in (IFD.Exif, IFD.GPSInfo):
        values = {tag: value for tag, value in given.get_ifd(part).items() if tag not in STALE}
        if IFD.Interop in values:  # else it would be an offset into the old file
            values[IFD.Interop] = given.get_ifd(IFD.Interop)
        if values := _writable(values, part):
            kept.get_ifd(part).update(values)
            kept[part] = kept.get_ifd(part)
    return kept, _dots_per_inch(image, given, kept)


def _dots_per_inch(image: Image.Image, given: Image.Exif, kept: Image.Exif) -> tuple[float, float] | None:
    """Return the resolution across and down of the upright picture: that of EXIF, or else of the file's header."""
    if all(tag in kept for tag in RESOLUTION):
        scale = {1: 0, 3: 2.54}.get(kept.get(Tag.ResolutionUnit, 2), 1)  # 1 is without a unit, 3 per centimetre
        across, down = (scale * float(kept[tag]) for tag in RESOLUTION)
    else:
        across, down = map(float, image.info.get("dpi", (0, 0)))
        if given.get(Tag.Orientation, 1) in (5, 6, 7, 8):
            across, down = down, across
    return (across, down) if 1 < across <= 65_535 and 1 < down <= 65_535 else None


def _writable(values: dict[int, Any], part: int | None = None) -> dict[int, Any]:
    """Return those values of a part of EXIF that Pillow can write: a damaged file may hold others."""
    found = {}
    for tag, value in values.items():
        one = Image.Exif()
        one.update({tag: value} if part is None else {part: {tag: value}})
        with suppress(*BROKEN, ArithmeticError):
            one.tobytes()
            found[tag] = value
    return found


def fitting(exif: Image.Exif, most: float) -> tuple[Image.Exif, list[str]]:
    """Leave out the longest values until EXIF data have at most so many bytes. Returns: them, and what was left out."""
    exif, left_out = deepcopy(exif), []
    parts = [exif, *(exif.get_ifd(part) for part in (IFD.Exif, IFD.GPSInfo) if part in exif)]
    while len(exif.tobytes()) > most:
        sizes = [
            (len(it), tag, part) for part in parts for tag, it in part.items() if isinstance(it, bytes | str | tuple)
        ]
        _, tag, part = max(sizes, key=lambda size: size[0])
        del part[tag]
        left_out.append(f"its {ExifTags.TAGS.get(tag, tag)} is too long for a JPEG and was left out")
    return exif, left_out


# ---- colour profiles -------------------------------------------------------------------------------------------------


SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}  # of a profile, as modes of Pillow
COLOUR_TAGS = (Tag.ColorSpace, Tag.Gamma, IFD.Interop)  # of EXIF; they hold as long as the profile does
TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")


def space_of(profile: bytes | None) -> str | None:
    """Return the mode of the pictures that a profile describes; None for one that cannot be used."""
    with suppress(*BROKEN):
        found = ImageCms.ImageCmsProfile(io.BytesIO(profile or b"")).profile
        if found.device_class in ("scnr", "mntr", "prtr", "spac"):  # not a link of devices or a list of names
            return SPACES.get(found.xcolor_space.strip())
    return None


def space_of_mode(mode: str) -> str:
    """Return which of SPACES the pixels of a picture of this mode are in."""
    if mode in ("CMYK", "LAB"):
        return mode
    return "L" if mode in ("1", "L", "LA", "La", "F") or mode.startswith("I") else "RGB"


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image | None:
    """Convert a picture of 8 bits by its profile to sRGB. A grey one stays grey, and transparency stays.

    Args: profile one that `space_of` can tell; None for LAB, which needs none. Returns: None if it is damaged.
    """
    clear = image.mode in TRANSPARENT or "transparency" in image.info
    shown = image.convert("RGBA") if clear else image
    solid = shown.convert(space_of(profile) or "LAB")
    given = ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else ImageCms.createProfile("LAB")
    try:
        made = ImageCms.profileToProfile(
            solid, given, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC, "RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )  # fmt: skip
    except (ImageCms.PyCMSError, *BROKEN):
        return None
    if made is None:
        return None
    made.info.pop("icc_profile", None)  # Pillow puts its sRGB there, with the date of today
    if space_of_mode(image.mode) == "L":
        made = made.convert("L")
    if clear:
        made.putalpha(shown.getchannel("A"))
    return made
