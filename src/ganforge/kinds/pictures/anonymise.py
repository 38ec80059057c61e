"""A picture file without anything but its pixels, for `ganforge anonymise`."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms, JpegImagePlugin, UnidentifiedImageError
from PIL.ExifTags import IFD
from PIL.ExifTags import Base as Tag

from ganforge.core.pillow import BROKEN, quiet_pillow
from ganforge.errors import DataError
from ganforge.kinds.pictures.metadata import has_iptc, has_text, space_of, to_srgb
from ganforge.kinds.pictures.reading.decode import opened_by_person, reason_of, upright
from ganforge.kinds.pictures.reading.header import is_deep, losses_of
from ganforge.privacy.anonymise.folder import Cleaned

WRITTEN = {"PNG": ".png", "JPEG": ".jpg", "MPO": ".jpg", "WEBP": ".webp", "TIFF": ".tiff", "BMP": ".bmp", "PPM": ".ppm"}
"""Formats that stay as they are; others become PNG, and TIFF does where Pillow cannot write its pixels."""
QUALITY = 95  # of lossy WebP, and of JPEG whose own tables do not fit any more


def clean(path: Path) -> Cleaned:
    """Decode a picture, turn it upright, convert its colours to sRGB, and encode the pixels alone in its format.

    What is encoded without loss keeps its pixels to the bit, unless a colour profile changes them; a JPEG keeps its
    quantisation tables.

    Raises: DataError if the file is not a picture that can be read.
    """
    try:
        with quiet_pillow(), opened_by_person(path) as image:
            kind = image.format or "PNG"
            losses = tuple(losses_of(image))
            options = _options(image, kind, path)
            profile = image.info.get("icc_profile")
            deep = is_deep(image)
            turned = image.getexif().get(Tag.Orientation, 1) > 1  # a TIFF is turned while it is decoded
            image.load()  # a PNG may hold texts behind its pixels
            turned = turned or image.getexif().get(Tag.Orientation, 1) > 1
            found = (*_found(image), *(("orientation",) if turned else ()))
            made = upright(image)
            notes = [f"{loss}: only the first is kept" if "several" in loss else f"{loss}" for loss in losses]
            if profile and not deep and not _is_srgb(profile):
                made = (to_srgb(made, profile) if space_of(profile) else None) or made
            return Cleaned(*_encoded(made, kind, options, path), found, tuple(notes))
    except BROKEN as error:
        why = "it is not a picture" if isinstance(error, UnidentifiedImageError) else reason_of(error)
        raise DataError(f"{str(path)!r} cannot be read: {why}.", "", "Leave it out.") from error


def _found(image: Image.Image) -> Iterator[str]:
    """Yield what a decoded picture says beside its pixels, by the names of PICTURE_KINDS."""
    exif = image.getexif()
    tags = {tag for tag in exif if tag not in _LAYOUT} if image.format == "TIFF" else set(exif)
    if tags - {Tag.Orientation, Tag.XMLPacket, *IFD} or exif.get_ifd(IFD.Exif):
        yield "exif"
    if exif.get_ifd(IFD.GPSInfo):
        yield "gps"
    if image.info.get("xmp") or "XML:com.adobe.xmp" in image.info or Tag.XMLPacket in exif:
        yield "xmp"
    if has_iptc(image):
        yield "iptc"
    if has_text(image):
        yield "comment"
    if (image.format != "TIFF" and exif.get_ifd(IFD.IFD1)) or image.format == "MPO":
        yield "thumbnail"
    if image.info.get("icc_profile"):
        yield "profile"


_LAYOUT = frozenset({
    Tag.NewSubfileType, Tag.ImageWidth, Tag.ImageLength, Tag.BitsPerSample, Tag.Compression, Tag.FillOrder,
    Tag.TileWidth,
    Tag.PhotometricInterpretation, Tag.StripOffsets, Tag.SamplesPerPixel, Tag.RowsPerStrip, Tag.StripByteCounts,
    Tag.PlanarConfiguration, Tag.Predictor, Tag.ColorMap, Tag.ExtraSamples, Tag.SampleFormat, Tag.TileLength,
    Tag.TileOffsets,
    Tag.TileByteCounts, Tag.XResolution, Tag.YResolution, Tag.ResolutionUnit, Tag.JPEGTables, Tag.YCbCrSubSampling,
    Tag.ReferenceBlackWhite, Tag.YCbCrCoefficients, Tag.YCbCrPositioning, Tag.InterColorProfile, Tag.Orientation,
    Tag.XMLPacket, Tag.TransferFunction, Tag.WhitePoint, Tag.PrimaryChromaticities,
})  # fmt: skip
"""Tags by which a TIFF says how its pixels lie and look, and those that are told of by themselves."""


def _is_srgb(profile: bytes) -> bool:
    """Return whether a colour profile only says what is meant without one."""
    try:
        return "srgb" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).lower()
    except (ImageCms.PyCMSError, *BROKEN):
        return False


def _options(image: Image.Image, kind: str, path: Path) -> dict[str, Any]:
    """Return how Pillow has to write the pixels, from a picture that is not decoded yet."""
    match kind:
        case "JPEG" | "MPO" if isinstance(image, JpegImagePlugin.JpegImageFile):
            return {"qtables": image.quantization, "subsampling": JpegImagePlugin.get_sampling(image)}
        case "WEBP":
            with path.open("rb") as file:
                lossless = b"VP8L" in file.read(1 << 16)
            return {"lossless": True, "exact": True} if lossless else {"quality": QUALITY, "exact": True}
        case "TIFF":
            return {"compression": "tiff_lzw"}
    return {}


def _encoded(image: Image.Image, kind: str, options: dict[str, Any], path: Path) -> tuple[bytes, str]:
    """Return the bytes of a picture and their suffix; as PNG if its format cannot be written, or not so."""
    plain = image.copy()  # of no format: Pillow would write the tags and comments of a file again
    plain.info = {key: image.info[key] for key in ("transparency",) if key in image.info}
    suffix = WRITTEN.get(kind, "")
    if suffix:
        tries = [options, {"quality": QUALITY}] if kind in ("JPEG", "MPO") else [options]
        for each in tries:
            file = io.BytesIO()
            try:
                plain.save(file, "JPEG" if kind == "MPO" else kind, **each)
            except BROKEN:
                continue
            return file.getvalue(), path.suffix if _is_of(kind, path) else suffix
    file = io.BytesIO()
    plain.save(file, "PNG")
    return file.getvalue(), ".png"


def _is_of(kind: str, path: Path) -> bool:
    """Return whether a file's suffix is one of its format: a .png may hold a JPEG."""
    return Image.registered_extensions().get(path.suffix.lower()) == ("JPEG" if kind == "MPO" else kind)
