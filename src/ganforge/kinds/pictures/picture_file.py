"""Conversion of a picture file by a network, keeping everything that the network does not change.

Upright pixels are passed to the network; the result shows upright. Transparency, the colour profile and the EXIF data
that still hold are kept. A picture of another mode than the network's is converted, and the conversion is reported.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.ExifTags import Base as Tag
from PIL.PngImagePlugin import PngInfo

from ganforge.core.conversion import Written
from ganforge.core.files import write_through
from ganforge.core.levels import HALF
from ganforge.core.pillow import BROKEN, quiet_pillow
from ganforge.errors import DataError, InputError
from ganforge.kinds.pictures.enhance.degradation import FILL
from ganforge.kinds.pictures.metadata import (
    COLOUR_TAGS,
    MOST_EXIF,
    MOST_XMP,
    TRANSPARENT,
    fitting,
    has_iptc,
    has_text,
    kept_exif,
    kept_xmp,
    space_of,
    space_of_mode,
    to_srgb,
)
from ganforge.kinds.pictures.picture_folder import PICTURES
from ganforge.kinds.pictures.reading.decode import (
    READ_BYTES,
    TooLargeError,
    on_white,
    opened_by_person,
    plain,
    reason_of,
    upright,
    with_channels,
)
from ganforge.kinds.pictures.reading.header import is_deep, loses_bits
from ganforge.kinds.pictures.reading.part import kinds_of
from ganforge.kinds.pictures.reading.values import SIXTEEN_BITS, Range
from ganforge.kinds.pictures.write import GRIDS, MOST_SIDE, QUALITY

NETPBM = dict.fromkeys((".ppm", ".pgm", ".pnm"), "PPM")
KINDS = {**GRIDS, ".jfif": "JPEG", ".jpe": "JPEG", ".tif": "TIFF", ".tiff": "TIFF", **NETPBM}
MOST_TIFF = 2**32 - 2**17  # bytes of pixels, so that what is said beside them fits too
MADE_BYTES, MADE_WEBP_BYTES = 14, 48  # of memory for each pixel of a result, at most, until it is written
ROWS = 256  # that are converted at once: so a large picture is in memory once, and not several times
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Opened:
    """A picture file as the network takes it, and the data kept beside it."""

    pixels: Pixels  # (H, W, C), upright
    grey: bool  # whether the file has no colours
    alpha: Image.Image | None
    colours: tuple[Image.Image, Image.Image] | None  # blue and red difference, if only the lightness is processed
    exif: Image.Exif
    dpi: tuple[float, float] | None
    profile: bytes | None
    xmp: bytes | None
    notes: tuple[str, ...]


def open_picture(
    path: Path,
    channels: int,
    *,
    lightness: bool,
    holes: bool = False,
    values: Range | None = None,
    made_bytes: int = 0,
) -> Opened:
    """Read a picture for a network of so many channels.

    Args: channels 1, 3 or 4; lightness whether a grey network works on the lightness of a coloured picture, whose
        colours are then kept, or on a grey version of it; holes whether fully transparent pixels are to be filled;
        values of black and white, where the file has more than 8 bits (`decode.plain`); made_bytes of memory that the
        result will take for each pixel of the file.
    Raises: DataError if the file is not a picture that can be used, with the reason.
    """

    def needed(pixels: int) -> int:
        return max(READ_BYTES, channels + made_bytes) * pixels

    try:
        with quiet_pillow(), opened_by_person(path, needed) as image:
            return _as_opened(image, channels, lightness, holes, values)
    except BROKEN as error:
        unread = PICTURES.why_unread(path) if isinstance(error, UnidentifiedImageError) else None
        what = f"{path} {unread}." if unread else f"{path} cannot be used: {reason_of(error)}."
        do = "Cut it into parts." if isinstance(error, TooLargeError) else "Leave it out."
        raise DataError(what, do="Save it as .png first." if unread else do) from error


def _as_opened(image: Image.Image, channels: int, lightness: bool, holes: bool, values: Range | None) -> Opened:
    frames = getattr(image, "n_frames", 1)
    own = space_of_mode(image.mode)
    wanted = "L" if channels == 1 and (own == "L" or not lightness) else "RGB"
    said = kept_exif(image) if image.format == "TIFF" else None  # it is turned while it is decoded
    eight, profile, notes = _in_space(image, own, wanted, values)
    exif, dpi = said or kept_exif(image)  # those of a PNG may come after its pixels
    if ExifTags.IFD.Exif in exif and (own in ("CMYK", "LAB") or profile != image.info.get("icc_profile")):
        for tag in COLOUR_TAGS:
            exif.get_ifd(ExifTags.IFD.Exif).pop(tag, None)
    xmp = kept_xmp(image)
    gone = {"XMP": "xmp" in image.info and not xmp, "IPTC": has_iptc(image), "text": has_text(image)}
    lost = [name for name in gone if gone[name]]
    notes += [f"its {name} data were left out" for name in lost]
    if frames > 1:
        notes.append(f"only the first of its {frames} pictures was taken")
    transparent = eight.mode in TRANSPARENT or "transparency" in eight.info
    alpha, opaque = None, eight
    if transparent and channels != 4:
        clear = eight if eight.mode == "RGBA" else eight.convert("RGBA")
        alpha, opaque = clear.getchannel("A"), clear.convert("RGB")
        del clear
    if alpha and holes and (hole := np.asarray(alpha) == 0).any():
        mask = Image.fromarray(hole)
        opaque.paste((round(HALF * (FILL + 1)),) * 3, mask=mask)
        alpha.paste(255, mask=mask)
        alpha = alpha if (np.asarray(alpha) < 255).any() else None
        notes.append("its transparent part was taken for a hole and filled")
    grey = opaque.mode in ("1", "L") or all(
        kinds_of(np.asarray(part.convert("RGB"))[None]) == {"grey"} for _, part in _in_bands(opaque)
    )
    colours = None
    if channels == 1 and not grey and lightness:
        opaque, blue, red = opaque.convert("RGB").convert("YCbCr").split()
        colours = (blue, red)
        notes.append("the model is grey: it worked on the lightness, and the colours were kept")
    elif channels == 1 and not grey:
        notes.append("the model is grey: the picture was made grey")
    elif channels > 1 and grey:
        notes.append("the model is coloured and the picture grey: it was given as a coloured one")
    pixels = np.empty((opaque.height, opaque.width, channels), np.uint8)
    for rows, part in _in_bands(opaque):
        pixels[rows] = np.asarray(with_channels(part, channels)).reshape(-1, opaque.width, channels)
    return Opened(pixels, grey, alpha, colours, exif, dpi, profile, xmp, tuple(notes))


def _in_bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    for top in range(0, image.height, ROWS):
        rows = slice(top, min(top + ROWS, image.height))
        yield rows, image.crop((0, rows.start, image.width, rows.stop))


def _in_space(
    image: Image.Image, own: str, wanted: str, values: Range | None
) -> tuple[Image.Image, bytes | None, list[str]]:
    """Return a picture upright in 8 bits, the colour profile that holds for it, and what was changed.

    Args: own, wanted: the spaces (of `metadata.SPACES`) of the picture and of what the network makes of it. Where they
        differ the picture is converted to sRGB, by its profile if it has one.
    """
    profile, notes = image.info.get("icc_profile"), []
    if profile and (space := space_of(profile)) != own:
        why = f"is one of {space} and the picture {own}" if space else "cannot be read"
        notes.append(f"its colour profile {why}: it was left out")
        profile = None
    deep = is_deep(image) and (own == "L" or values is not None)
    loses = not deep and (loses_bits(image) or is_deep(image))
    turned = upright(image) if own in ("CMYK", "LAB") else plain(image, values)
    if own == "LAB" or (profile and own != wanted):
        made = to_srgb(turned, profile)
        if made is not None:
            return made, None, [*notes, f"{own} was converted to sRGB{' by its colour profile' if profile else ''}"]
        notes.append("its colour profile is damaged: it was left out")
        profile = None
    if own == "CMYK":
        notes.append("CMYK was converted to RGB without a colour profile")
    elif deep:
        black_white = values or (None if image.mode == "F" else SIXTEEN_BITS)
        read = f", {black_white[0]:g} as black and {black_white[1]:g} as white" if black_white else ""
        notes.append(f"{image.mode} was brought to 8 bits a channel{read}")
    elif loses:
        notes.append("only the upper 8 of its bits a colour were read")
    return plain(turned), profile, notes


def assemble(given: Opened, made: Pixels, *, keep_grey: bool) -> Image.Image:
    """Return the picture to write.

    Args: made uint8 (H', W', C); keep_grey whether the result of a grey picture is made grey again.
    """
    size = (made.shape[1], made.shape[0])
    if given.colours is not None:
        bands = [Image.fromarray(np.ascontiguousarray(made[..., 0]))]
        bands += [_resized(band, size) for band in given.colours]
        image = Image.merge("YCbCr", bands).convert("RGB")
    else:
        image = Image.fromarray(np.ascontiguousarray(made[..., 0] if made.shape[2] == 1 else made))
        if given.grey and keep_grey and image.mode != "L":
            image = image.convert("LA" if image.mode == "RGBA" else "L")
    if given.alpha is not None:
        image.putalpha(_resized(given.alpha, size))
    return image


def _resized(band: Image.Image, size: tuple[int, int]) -> Image.Image:
    return band if band.size == size else band.resize(size, Image.Resampling.BICUBIC)


def kind_for(name: Path) -> str:
    """Return Pillow's name of the format of a file's suffix. Raises: InputError for an unknown suffix."""
    kind = KINDS.get(name.suffix.lower())
    if kind is None:
        raise InputError(
            f"A picture cannot be written as {name.suffix!r} ({name}).", f"Known are {', '.join(KINDS)}.", "Use .png."
        )
    return kind


def made_bytes(place: Path) -> int:
    """Return the bytes of memory that each pixel of a result takes, at most, until it is written in this format."""
    return MADE_WEBP_BYTES if kind_for(place) == "WEBP" else MADE_BYTES


def check_size(place: Path, width: int, height: int) -> None:
    """Raise InputError for a picture that its format cannot hold, before it is made."""
    kind = kind_for(place)
    what = f"{place} would have {width:,} x {height:,} pixels."
    if max(width, height) > (most := MOST_SIDE.get(kind, math.inf)):
        raise InputError(what, f"{kind} holds {most:,} a side.", "Use .png.")
    if kind == "TIFF" and 4 * width * height > MOST_TIFF:
        raise InputError(what, "TIFF holds 4 GiB.", "Use .png.")


def _in_format(image: Image.Image, kind: str, suffix: str) -> tuple[Image.Image, list[str]]:
    """Return a picture in a mode that a format holds, and what was changed."""
    notes = []
    if kind in ("JPEG", "PPM") and image.mode in ("RGBA", "LA"):
        image = on_white(image).convert("L" if image.mode == "LA" else "RGB")
        notes.append(f"{kind} knows no transparency: it was laid on white")
    if suffix == ".pgm" and image.mode != "L":
        notes.append("a .pgm is grey: its colours make it a .ppm within, which most programs read")
    return image.convert("RGB") if suffix == ".ppm" else image, notes


def write_picture(image: Image.Image, place: Path, given: Opened) -> tuple[str, ...]:
    """Write one picture whole or not at all, with EXIF and colour profile. Returns: the changes this needed.

    Raises: InputError for what its format cannot hold; StorageError.
    """
    kind = kind_for(place)
    image, notes = _in_format(image, kind, place.suffix.lower())
    if kind == "PPM" and (len(given.exif) or given.xmp):
        notes.append("PPM holds no metadata: they were left out")
    options: dict[str, Any] = {**QUALITY.get(kind, {})}
    with quiet_pillow():
        exif, left_out = fitting(given.exif, MOST_EXIF if kind == "JPEG" else math.inf)
    notes += left_out
    if given.xmp and kind == "JPEG" and len(given.xmp) > MOST_XMP:
        notes.append("its XMP data are too long for a JPEG and were left out")
    elif given.xmp and kind == "TIFF":
        exif[Tag.XMLPacket] = given.xmp
    elif given.xmp and kind == "PNG":
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", given.xmp.decode())
    elif given.xmp:
        options["xmp"] = given.xmp
    if len(exif):
        options["exif"] = exif
    if given.dpi:
        options["dpi"] = given.dpi
    if given.profile:
        space = "RGB" if kind == "WEBP" else space_of_mode(image.mode)  # WebP knows no grey
        if kind != "PPM" and space_of(given.profile) == space:
            options["icc_profile"] = given.profile
        else:
            image = to_srgb(image, given.profile) or image
    file = io.BytesIO()
    try:
        with quiet_pillow():
            image.save(file, kind, **options)
    except BROKEN as error:
        why = f"{kind} does not take it: {str(error).strip() or type(error).__name__}."
        raise InputError(f"{place} could not be written.", why, "Use .png.") from error
    write_through(place, lambda target: target.write(file.getbuffer()))
    return tuple(notes)


WRITTEN = Written(KINDS, ".png", kind_for)
