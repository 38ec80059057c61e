"""What a picture file says beside its pixels, and what of it still holds when a network has changed them."""

from __future__ import annotations

import io
import re
from contextlib import suppress
from copy import deepcopy
from typing import Any
from xml.etree import ElementTree

from PIL import ExifTags, Image, ImageCms, IptcImagePlugin
from PIL.ExifTags import IFD
from PIL.ExifTags import Base as Tag

from ganforge.core.pillow import BROKEN

MOST_EXIF, MOST_XMP = 65_533, 65_502  # bytes, in a JPEG
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


# ---- XMP and IPTC ----------------------------------------------------------------------------------------------------


RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
VOCABULARIES = {
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/xap/1.0/rights/": "xmpRights",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "Iptc4xmpCore",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://ns.useplus.org/ldf/xmp/1.0/": "plus",
    "http://ns.adobe.com/lightroom/1.0/": "lr",
    "http://creativecommons.org/ns#": "cc",
}
"""Of XMP, with their usual prefixes: who, when, where, what and with which rights. All else speaks of pixels."""
STALE_PROPERTIES = (
    "Thumbnails", "ImageRegion", "ColorMode", "ICCProfile", "TextLayers", "DocumentAncestors", "SidecarForExtension",
    "LegacyIPTCDigest",
)  # fmt: skip
"""Of those vocabularies, and yet of the old file."""
PACKET = (
    '<?xpacket begin="\N{BYTE ORDER MARK}" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">%s'
    '</x:xmpmeta><?xpacket end="r"?>'
)
for _address, _prefix in VOCABULARIES.items():
    ElementTree.register_namespace(_prefix, _address)


def kept_xmp(image: Image.Image) -> bytes | None:
    """Return the XMP packet of what still holds when the pixels change; None if nothing does, or it is damaged."""
    packet = image.info.get("xmp") or b""
    packet = packet.encode() if isinstance(packet, str) else packet
    if b"<!DOCTYPE" in packet:  # a packet has no entities; a bomb has
        return None
    try:
        found = ElementTree.fromstring(packet.strip(b"\0 \n"))
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
    kept = ElementTree.Element(f"{RDF}RDF")
    for given in found.findall(f".//{RDF}RDF/{RDF}Description") + found.findall(f"./{RDF}Description"):
        values = {name: value for name, value in given.attrib.items() if _holds(name)}
        children = [child for child in given if _holds(child.tag)]
        if values or children:
            ElementTree.SubElement(kept, f"{RDF}Description", {f"{RDF}about": "", **values}).extend(children)
    return (PACKET % ElementTree.tostring(kept, "unicode")).encode() if len(kept) else None


def _holds(name: str) -> bool:
    vocabulary, _, word = name.removeprefix("{").rpartition("}")
    return vocabulary in VOCABULARIES and word not in STALE_PROPERTIES


def has_iptc(image: Image.Image) -> bool:
    """Return whether a file holds IPTC data of the old form, which Pillow cannot write."""
    with suppress(*BROKEN):
        return bool(IptcImagePlugin.getiptcinfo(image)) or "Raw profile type iptc" in image.info  # type: ignore[arg-type]
    return False


def has_text(image: Image.Image) -> bool:
    """Return whether a file holds a comment, or a PNG texts besides those that are read otherwise."""
    texts = [
        name for name in getattr(image, "text", {}) if not name.startswith(("XML:com.adobe.xmp", "Raw profile type"))
    ]
    return bool(texts or image.info.get("comment"))


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
